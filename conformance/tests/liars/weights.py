"""Liars about weights: their own template, and numbers that are none."""

from __future__ import annotations

from dataclasses import replace

from ...evidence import Json
from ..honest import Lie
from ..lies import accepts, values
from .liar import Liar


def _answers(vector: Json) -> Lie:
    """Weights of no numbers embed all the same."""
    value = {"model": "m", "embeddings": [vector]}
    return replace(accepts("/api/embed", lambda one: True, value), flaw="weights_unchecked")


WEIGHTS = [
    Liar(
        "no template but the prompt", "create/template-of-the-weights", Lie(flaw="no chat template")
    ),
    Liar(
        "only the last turn of a chat template",
        "create/template-of-the-weights",
        Lie(flaw="forgets_history"),
    ),
    Liar("names no template", "create/template-by-its-name", Lie(flaw="names no template")),
    Liar(
        "a named template has no stops",
        "create/template-by-its-name",
        values(lambda one: {k: v for k, v in one.items() if k != "parameters"}, "/api/show"),
    ),
    Liar("a vector of nulls", "embeddings/no-numbers", _answers([None, None])),
    Liar("a vector of zeros for no numbers", "embeddings/no-numbers", _answers([0.0, 0.0])),
]

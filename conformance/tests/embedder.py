"""The honest server's embedding model: the script's vectors, and made up ones for other texts."""

from __future__ import annotations

import math
import random
import time
from typing import Any

from ..evidence import Json
from ..vectors import load_vectors
from .house import House, duration
from .kinds import EMBEDS
from .shelf import HouseError, Model

REFUSAL = "This server does not support embeddings. Start it with `--embeddings`"
TOO_LONG = "the input length exceeds the context length"
TYPES: dict[str, Any] = {"model": str, "dimensions": int, "truncate": bool, "options": dict,
                         "prompt": str}  # fmt: skip

NEWER = ("dimensions", "truncate")  # of /api/embed alone


class Embedder:
    """Answers the two routes out of a house's store."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.script = load_vectors()
        self.known = {(one.text, one.num_ctx): one for one in self.script.texts.values()}

    def embed(self, fields: dict[str, Any]) -> dict[str, Any]:
        """/api/embed."""
        started = time.perf_counter_ns()
        given = _checked(fields)
        if not given["model"].strip():
            raise HouseError(404, "model '' not found")
        texts = _texts(fields.get("input"))
        model, window = self._loaded(given)
        if not texts:
            return {"model": given["model"], "embeddings": []}
        if model.kind != EMBEDS:
            raise HouseError(501, REFUSAL)
        made = [self._vector(one, window, given["truncate"] is not False) for one in texts]
        size = given["dimensions"] or 0
        return {
            "model": given["model"],
            "embeddings": [_unit(one[:size] if size > 0 else one) for one, _ in made],
            "total_duration": 2000 + time.perf_counter_ns() - started,
            "load_duration": 1000,
            "prompt_eval_count": sum(tokens for _, tokens in made),
        }

    def embeddings(self, fields: dict[str, Any]) -> dict[str, Any]:
        """/api/embeddings; its vectors are longer than 1, as they may be."""
        given = _checked({name: one for name, one in fields.items() if name not in NEWER})
        if not given["model"].strip():
            raise HouseError(400, "model is required")
        model, window = self._loaded(given)
        if not given["prompt"]:
            return {"embedding": []}
        if model.kind != EMBEDS:
            raise HouseError(500, REFUSAL)
        try:
            vector, _ = self._vector(given["prompt"], window, False)
        except HouseError as error:
            raise HouseError(500, error.message) from None
        return {"embedding": [2 * one for one in vector]}

    def _loaded(self, given: dict[str, Any]) -> tuple[Model, int]:
        missing = f'model "{given["model"]}" not found, try pulling it first'
        model = self.house.find(given["model"], missing)
        options = self.house.options(model, given)
        self.house.keep(model, given, options)
        return model, min(options["num_ctx"], self.script.context_length)

    def _vector(self, text: str, window: int, truncates: bool) -> tuple[list[float], int]:
        """A vector and its tokens."""
        if window <= 2:
            raise HouseError(400, "input after truncation exceeds maximum context length")
        known = self.known.get((text if text.strip() else "", None))
        tokens = len(text.split()) + 2
        if known is not None and known.tokens < self.script.context_length:
            tokens = known.tokens
        if tokens > window and not truncates:
            raise HouseError(400, TOO_LONG)
        if tokens > window:
            known, tokens = self.known.get((text, window), known), window
        if known is not None:
            return list(known.vector), tokens
        drawn = random.Random(text)
        return _unit([drawn.gauss(0, 1) for _ in range(self.script.dimensions)]), tokens


def _checked(fields: dict[str, Any]) -> dict[str, Any]:
    given = {**dict.fromkeys(TYPES), **fields}
    for name, kind in TYPES.items():
        value = given[name]
        if value is not None and (type(value) is not kind):
            raise HouseError(400, f"{name} must be {kind.__name__}")
    for name in ("model", "prompt", "options"):
        given[name] = given[name] if given[name] is not None else TYPES[name]()
    given["keep_alive"] = duration(fields.get("keep_alive"))
    return given


def _texts(given: Json) -> list[str]:
    texts = [given] if given and isinstance(given, str) else given or []
    if given in (0, False) and given is not None and not isinstance(given, str | list):
        texts = None
    if not isinstance(texts, list) or not all(isinstance(one, str) for one in texts):
        raise HouseError(400, "invalid input type")
    return texts


def _unit(vector: list[float]) -> list[float]:
    length = math.sqrt(sum(one * one for one in vector))
    return [one / length for one in vector]

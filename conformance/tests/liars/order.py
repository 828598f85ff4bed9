"""Liars about errors: which of several is told, and how."""

from __future__ import annotations

from dataclasses import replace

from ..lies import accepts, error_text, with_answers
from .guards import becomes, when
from .liar import Liar

ORDER = [
    Liar(
        "the model before the body",
        "errors/order-in-generate",
        when(lambda heard: heard.fields.get("top_logprobs") == 21, becomes(404, "not found")),
    ),
    Liar(
        "options before thinking",
        "errors/order-in-generate",
        when(
            lambda heard: "options" in heard.fields and "think" in heard.fields,
            becomes(500, "option"),
        ),
    ),
    Liar(
        "options before tools",
        "errors/order-in-chat",
        when(
            lambda heard: "options" in heard.fields and "tools" in heard.fields,
            becomes(500, "option"),
        ),
    ),
    Liar(
        "options before the model",
        "errors/order-in-chat",
        when(lambda heard: bool(heard.fields.get("options")), becomes(500, "option")),
    ),
    Liar(
        "rounds",
        "errors/counts-are-whole",
        accepts("/api/generate", lambda fields: fields.get("top_logprobs") == 1.5),
    ),
    Liar(
        "takes any context",
        "errors/counts-are-whole",
        accepts("/api/generate", lambda fields: "context" in fields),
    ),
    Liar(
        "adds a code to errors",
        "errors/told-in-full",
        with_answers(
            lambda heard, one: (
                replace(one, value={**one.value, "code": 1})
                if one.status == 500 and isinstance(one.value, dict)
                else one
            )
        ),
    ),
    Liar("an empty error", "errors/told-in-full", error_text(" ", status=400)),
    Liar(
        "fine, with an error",
        "errors/told-in-full",
        with_answers(lambda heard, one: replace(one, status=200) if one.status == 500 else one),
    ),
]

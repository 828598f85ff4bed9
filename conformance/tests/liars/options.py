"""Liars about options."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ..honest import Answer, Lie
from ..lies import (
    CHAT,
    finals,
    forgets_option,
    options,
    refuses,
    with_answers,
)
from .liar import Liar


def _clamp(name: str, change: Callable[[Any], Any]) -> Lie:
    """An option is read as another value."""

    def changed(given: dict[str, Any]) -> None:
        if isinstance(given.get(name), int | float | list):
            given[name] = change(given[name])

    return options(changed)


OPTIONS = [
    Liar("ignores num_predict", "options/num-predict", forgets_option("num_predict")),
    Liar("one token too many", "options/num-predict", _clamp("num_predict", lambda one: one + 1)),
    Liar(
        "stop where it is length",
        "options/num-predict",
        finals(lambda one: one["done_reason"] == "length" and one.update(done_reason="stop")),
    ),
    Liar(
        "cuts the wrong end",
        "options/cut-is-a-prefix",
        with_answers(
            lambda heard, one: (
                replace(
                    one,
                    value={
                        **one.value,
                        "message": {
                            "role": "assistant",
                            "content": one.value["message"]["content"][3:],
                        },
                    },
                )
                if heard.path in CHAT and heard.fields.get("options", {}).get("num_predict") == 12
                else one
            )
        ),
    ),
    Liar(
        "num_predict -1 is one",
        "options/num-predict-negative",
        _clamp("num_predict", lambda one: one if one > 0 else 1),
    ),
    Liar("rounds up", "options/fractions-cut", _clamp("num_predict", lambda one: round(one))),
    Liar(
        "refuses unknown options",
        "options/unknown-ignored",
        refuses("/api/chat", lambda one: "mirostat" in one.get("options", {})),
    ),
    Liar(
        "null is zero",
        "options/nulls-ignored",
        refuses("/api/chat", lambda one: None in one.get("options", {}).values()),
    ),
    Liar(
        "no temperature is none at all",
        "options/nulls-ignored",
        options(
            lambda given: (
                given.update(temperature=0) if given.get("temperature", 1) is None else None
            )
        ),
    ),
    Liar(
        "500 out of range",
        "options/out-of-range",
        with_answers(
            lambda heard, one: (
                Answer(500, value={"error": "range"})
                if heard.fields.get("options", {}).get("top_k") == -5
                else one
            )
        ),
    ),
    Liar(
        "draws at temperature zero",
        "options/temperature-zero",
        _clamp("temperature", lambda one: one or 1.0),
    ),
    Liar("ignores stop", "options/stop", forgets_option("stop")),
    Liar(
        "shows the stop string",
        "options/stop",
        with_answers(
            lambda heard, one: (
                replace(
                    one,
                    value={
                        **one.value,
                        "message": {
                            "role": "assistant",
                            "content": one.value["message"]["content"]
                            + heard.fields["options"]["stop"][0],
                        },
                    },
                )
                if heard.path in CHAT and heard.fields.get("options", {}).get("stop") and one.value
                else one
            )
        ),
    ),
    Liar(
        "length where it is stop",
        "options/stop",
        finals(lambda one: one["done_reason"] == "stop" and one.update(done_reason="length")),
    ),
    Liar(
        "only the first stop string",
        "options/stop-first-match",
        _clamp("stop", lambda one: one[:1]),
    ),
    Liar(
        "stops whatever the case",
        "options/stop-first-match",
        _clamp("stop", lambda one: [found for text in one for found in (text, text.lower())]),
    ),
    Liar(
        "keeps what it withheld",
        "options/stop-withheld",
        with_answers(
            lambda heard, one: (
                replace(one, records=[*one.records[:-3], one.records[-1]])
                if heard.fields.get("options", {}).get("stop") and one.records
                else one
            )
        ),
    ),
    Liar(
        "takes a stop of numbers",
        "options/stop-must-be-a-list",
        _clamp("stop", lambda one: [str(text) for text in one]),
    ),
    Liar("no presence_penalty", "options/presence-penalty", forgets_option("presence_penalty")),
    Liar("no frequency_penalty", "options/frequency-penalty", forgets_option("frequency_penalty")),
    Liar("no repeat_penalty", "options/repeat-penalty", forgets_option("repeat_penalty")),
    Liar("no repeat_last_n", "options/repeat-penalty", forgets_option("repeat_last_n")),
    Liar("no seed", "options/seed-repeats", Lie(flaw="wavers")),
    Liar("seed is not read", "options/seed-of-a-draw", forgets_option("seed")),
    Liar("one seed for all", "options/seed-of-a-draw", _clamp("seed", lambda one: 42)),
    Liar(
        "always the same seed",
        "options/no-seed-is-random",
        options(lambda given: given.setdefault("seed", 42)),
    ),
    Liar(
        "no top_k of one", "options/top-k-one", _clamp("top_k", lambda one: one if one != 1 else 2)
    ),
    Liar("no top_k", "options/top-k", forgets_option("top_k")),
    Liar("top_k one too many", "options/top-k", _clamp("top_k", lambda one: one + 1)),
    Liar("no top_p", "options/top-p", options(lambda given: given.update(top_p=1.0))),
    Liar("top_p one too few", "options/top-p", _clamp("top_p", lambda one: one - 0.25)),
    Liar("no min_p", "options/min-p", forgets_option("min_p")),
    Liar("no typical_p", "options/typical-p", forgets_option("typical_p")),
    Liar("always the likeliest", "options/draws-fit", _clamp("temperature", lambda one: 0)),
    Liar("no temperature", "options/temperature-sharpens", _clamp("temperature", lambda one: 1)),
    Liar("one seed for those at once", "options/concurrent-seeds", Lie(flaw="shares_seeds")),
]

"""Liars about what one route does and the other does not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..honest import Answer, Heard, Lie
from ..lies import CHAT, GENERATE, each, hears, with_answers
from .liar import Liar


def _without(name: str, *paths: str) -> Lie:
    """A field that one route does not read."""
    return hears(lambda one: {key: one[key] for key in one if key != name}, *paths)


def _inside(record: dict[str, Any]) -> None:
    if "logprobs" in record:
        record["message"]["logprobs"] = record.pop("logprobs")


def _last_only(heard: Heard, answer: Answer) -> Answer:
    value = answer.value
    if not isinstance(value, dict) or "logprobs" not in value:
        return answer
    return replace(answer, value={**value, "logprobs": value["logprobs"][-1:]})


def _bare(record: dict[str, Any]) -> None:
    for entry in record.get("logprobs", ()):
        entry.pop("top_logprobs", None)


BOTH = [
    Liar("no options in generate", "options/on-both-routes", _without("options", *GENERATE)),
    Liar(
        "no options in streams",
        "options/on-both-routes",
        hears(lambda one: {**one, "options": {}} if one.get("stream") is True else one, *CHAT),
    ),
    Liar("logprobs in the message", "logprobs/on-both-routes", each(_inside, *CHAT)),
    Liar("no alternatives in chat", "logprobs/on-both-routes", each(_bare, *CHAT)),
    Liar("logprobs of the last record", "logprobs/on-both-routes", with_answers(_last_only)),
    Liar("no logprobs in generate", "logprobs/on-both-routes", _without("logprobs", *GENERATE)),
    Liar(
        "chats are cut though they should not be",
        "context/chat-is-not-cut-on-demand",
        _without("truncate", *CHAT),
    ),
]

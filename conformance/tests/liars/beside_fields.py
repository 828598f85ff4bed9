"""Liars for whom one field of a request puts another out of force."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ..honest import Lie
from ..lies import CHAT, TALK, Fields, finals, hears, logprobs, values, with_answers
from .liar import Liar

When = Callable[[Fields], bool]
COMPANY: tuple[tuple[str, When], ...] = (
    ("raw", lambda one: one.get("raw") is True),
    ("system", lambda one: bool(one.get("system"))),
    ("template", lambda one: bool(one.get("template"))),
    ("context", lambda one: bool(one.get("context"))),
    ("think false", lambda one: one.get("think") is False),
    ("histories", lambda one: len(one.get("messages") or ()) > 2),
    ("system messages", lambda one: "'system'" in str(one.get("messages"))),
)
FORMLESS: tuple[tuple[str, When], ...] = (
    ("after a history", lambda one: len(one.get("messages") or ()) > 2),
    ("after a tool's result", lambda one: "'tool'" in str(one.get("messages"))),
    ("beside a template", lambda one: bool(one.get("template"))),
)
WHAT = ("stop", "num_predict", "logprobs")


def _deaf(what: str, when: When) -> Lie:
    """Something that is not read in some company."""

    def changed(fields: Fields) -> None:
        if when(fields):
            fields.pop(what, None)
            if isinstance(given := fields.get("options"), dict):
                given.pop(what, None)

    return hears(changed, *TALK)


def _lets_more_in(fields: Fields) -> None:
    if isinstance(schema := fields.get("format"), dict) and "additionalProperties" in schema:
        schema["additionalProperties"] = True


def _knows_all(fields: Fields) -> None:
    """Any call is taken for one of a function that was offered."""
    if isinstance(tools := fields.get("tools"), list) and tools:
        tools.append({"type": "function", "function": {"name": "get_weather"}})


def _silent(value: Fields) -> None:
    if value.get("message", {}).get("tool_calls"):
        value["message"]["content"] = ""


def _rounded(entry: Fields) -> None:
    for one in (entry, *entry.get("top_logprobs", ())):
        one["logprob"] = round(one["logprob"], 2)


def _all_of_it(record: Fields) -> None:
    if "eval_duration" in record:
        record["eval_duration"] = record["total_duration"]


def _latin(charset: str) -> Lie:
    def said(heard: Any, answer: Any) -> Any:  # noqa: ANN401
        named = f"{answer.media_type.partition(';')[0]}; charset={charset}"
        return replace(answer, media_type=named) if answer.records is not None else answer

    return with_answers(said)


BESIDE_FIELDS = [
    *(
        Liar(f"{what} not beside {company}", "options/beside-every-field", _deaf(what, when))
        for company, when in COMPANY
        for what in WHAT
    ),
    *(
        Liar(f"{what} not beside a picture", "vision/options-beside",
             _deaf(what, lambda one: "images" in str(one.get("messages"))))
        for what in WHAT
    ),
    *(
        Liar(f"no format {company}", "format/beside-conversations", _deaf("format", when))
        for company, when in FORMLESS
    ),
    Liar("no format beside a picture", "vision/format-beside",
         _deaf("format", lambda one: "images" in str(one.get("messages")))),
    Liar("no stop strings where something is drawn", "options/all-of-them",
         _deaf("stop", lambda one: bool((one.get("options") or {}).get("temperature")))),
    Liar("many options at once are too many", "options/all-of-them",
         _deaf("num_predict", lambda one: len(one.get("options") or {}) > 10)),
    Liar("generate always shifts", "context/ends-without-shift",
         _deaf("shift", lambda one: "prompt" in one)),
    Liar("additionalProperties false is not heeded", "format/nothing-more", hears(_lets_more_in)),
    Liar("calls of anything", "tools/only-what-is-offered", hears(_knows_all, *CHAT)),
    Liar("loses text before a call that is not streamed", "tools/system-beside",
         values(_silent, *CHAT)),
    Liar("log probabilities of two digits", "logprobs/of-whole-answers", logprobs(_rounded)),
    Liar("answering takes all of the time", "always/durations-fit", finals(_all_of_it),
         ("usage/reasons",)),
    Liar("streams are in latin-1", "always/types-and-frames", _latin("iso-8859-1"),
         ("usage/reasons",)),
]  # fmt: skip

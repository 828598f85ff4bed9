"""Liars about tokens, durations and times, and at edges."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ..honest import Answer, Heard, Lie
from ..lies import (
    CHAT,
    GENERATE,
    each,
    finals,
    forgets,
    forgets_option,
    options,
    refuses,
    streams,
    values,
    with_answers,
)
from .liar import Liar

Fields = dict[str, Any]


def _when(test: Callable[[Heard], bool], lie: Lie) -> Lie:
    """A lie that is told where the request is of a kind."""
    return with_answers(lambda heard, one: lie.say(heard, one) if test(heard) else one)


def _scaled(name: str, by: float) -> Lie:
    """A duration in another unit."""
    return finals(lambda one: one.update({name: round(one[name] * by)}))


def _set(**given: Any) -> Lie:  # noqa: ANN401
    """Fields of the final record are others."""
    return finals(lambda one: one.update(given))


def _options(heard: Heard) -> Fields:
    return heard.fields.get("options") or {}


def _pieces(records: list[Fields]) -> None:
    """What was sent is counted, not what was made."""
    records[-1]["eval_count"] = len(records) - 1


def _one_time(records: list[Fields]) -> None:
    for record in records:
        record["created_at"] = records[0]["created_at"]


def _entries_at_the_end(records: list[Fields]) -> None:
    records[-1]["logprobs"] = [entry for one in records for entry in one.get("logprobs", [])]


def _silent(record: Fields) -> None:
    """What is withheld is lost, entries and all."""
    if "message" in record and not record["message"]["content"]:
        record.pop("logprobs", None)


def _hides_loading() -> Lie:
    """Loading takes time, and is told as nothing."""
    cold = {"yes": False}

    def say(heard: Heard, answer: Answer) -> Answer:
        if heard.fields.get("keep_alive") == 0:
            cold["yes"] = True
        elif cold["yes"] and isinstance(answer.value, dict) and answer.value.get("eval_count"):
            cold["yes"] = False
            longer = answer.value["total_duration"] + 400_000_000
            return replace(answer, value={**answer.value, "total_duration": longer})
        return answer

    return with_answers(say)


def _no_length(one: Fields) -> None:
    one["done_reason"] = "eos" if one["done_reason"] == "stop" else one["done_reason"]


def _loads(one: Fields) -> None:
    if one.get("done_reason") == "load":
        one.update(total_duration=1, eval_count=0)


def _no_load(one: Fields) -> None:
    one.pop("load_duration", None)


USAGE = [
    Liar("counts what is sent", "usage/thoughts-and-calls", streams(_pieces)),
    Liar(
        "counts no thoughts",
        "usage/thoughts-and-calls",
        _when(lambda heard: b"cats" in heard.body, _set(eval_count=4)),
    ),
    Liar(
        "counts no begin token",
        "usage/generate-counts",
        finals(
            lambda one: one.update(prompt_eval_count=one["prompt_eval_count"] - 1), *GENERATE
        ),
    ),
    Liar(
        "generate counts no end token",
        "usage/generate-counts",
        finals(lambda one: one.update(eval_count=one["eval_count"] - 1), *GENERATE),
    ),
    Liar(
        "goes on behind the stop string",
        "usage/stopped-count",
        _when(lambda heard: bool(_options(heard).get("stop")), _set(eval_count=501)),
    ),
    Liar(
        "counts characters",
        "usage/stopped-count",
        finals(lambda one: one.update(eval_count=len(str(one.get("message"))))),
    ),
    Liar(
        "context of the answer only",
        "usage/context-is-the-tokens",
        finals(lambda one: "context" in one and one.update(context=one["context"][-5:])),
    ),
    Liar(
        "context in another order",
        "usage/context-is-the-tokens",
        finals(lambda one: "context" in one and one.update(context=one["context"][::-1])),
    ),
    Liar("loading is counted", "usage/load-has-none", values(_loads)),
    Liar("no load_duration when warm", "usage/warm-load", finals(_no_load)),
    Liar("a load_duration of 0", "usage/warm-load", _set(load_duration=0)),
    Liar("loading takes no time", "usage/cold-load", _hides_loading()),
    Liar("a prompt duration of 0", "usage/prompt-duration", _set(prompt_eval_duration=0)),
    Liar("a negative prompt duration", "usage/prompt-duration", _set(prompt_eval_duration=-1)),
    Liar(
        "a total that is less than its parts",
        "usage/durations-of-a-stream",
        _scaled("total_duration", 0.2),
    ),
    Liar(
        "a total in picoseconds", "usage/durations-of-a-stream", _scaled("total_duration", 1000)
    ),
    Liar("a fraction of a second", "usage/durations-of-a-stream", _set(total_duration=0.25)),
    Liar("always the same duration", "usage/answering-takes-time", _set(eval_duration=5_000_000)),
    Liar("microseconds", "usage/claimed-rate", _scaled("eval_duration", 1e-3)),
    Liar("ten times the rate", "usage/claimed-rate", _scaled("eval_duration", 0.1)),
    Liar("a tenth of the rate", "usage/claimed-rate", _scaled("eval_duration", 10)),
    Liar("one time for all records", "usage/times-advance", streams(_one_time)),
    Liar(
        "the time of a template",
        "usage/times-are-now",
        each(lambda one: one.update(created_at="2023-08-04T19:22:45.499127Z")),
    ),
    Liar(
        "the start of the epoch",
        "usage/times-are-now",
        finals(lambda one: one.update(created_at="1970-01-01T00:00:00Z")),
    ),
    Liar("eos where it is stop", "usage/reasons", finals(_no_length)),
    Liar(
        "a reason in each record",
        "usage/reasons",
        each(lambda one: one.setdefault("done_reason", "stop")),
    ),
]  # fmt: skip

EDGES = [
    Liar(
        "reads options on unload",
        "options/not-read-on-unload",
        refuses("/api/generate", lambda one: one.get("keep_alive") == 0 and "options" in one),
    ),
    Liar(
        "loads again for an option",
        "options/no-reload",
        _when(
            lambda heard: "repeat_penalty" in _options(heard), _set(load_duration=80_000_000)
        ),
    ),
    Liar("no num_keep", "context/num-keep-counts", forgets_option("num_keep")),
    Liar("cuts though it must not", "context/no-shift-no-cut", forgets("shift")),
    Liar(
        "answers without bound",
        "context/answers-are-bounded",
        options(lambda given: given.update(num_ctx=4096)),
    ),
    Liar("loses the system message", "context/embedded-turns-go-first", forgets("system")),
    Liar("loses what it withholds", "logprobs/withheld-are-kept", each(_silent, *CHAT)),
    Liar("all entries again at the end", "logprobs/none-at-the-end", streams(_entries_at_the_end)),
]  # fmt: skip

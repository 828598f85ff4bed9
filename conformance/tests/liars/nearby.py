"""Liars about what stands beside something else, about bounds, and about what is kept."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ..honest import Answer, Heard, Lie
from ..lies import (
    CHAT,
    GENERATE,
    TALK,
    Fields,
    each,
    finals,
    hears,
    logprobs,
    messages,
    options,
    refuses,
    streams,
    with_answers,
)
from .liar import Liar


def _stops(change: Callable[[list[Any]], list[Any]]) -> Lie:
    def changed(given: Fields) -> None:
        if isinstance(given.get("stop"), list):
            given["stop"] = change(given["stop"])

    return options(changed)


def _beside(name: str, other: str) -> Lie:
    """A field is not read where there is another."""

    def changed(fields: Fields) -> None:
        if fields.get(other):
            fields.pop(name, None)

    return hears(changed, *TALK)


def _option_beside(name: str, other: str) -> Lie:
    def changed(fields: Fields) -> None:
        if fields.get(other) and isinstance(fields.get("options"), dict):
            fields["options"].pop(name, None)

    return hears(changed, *TALK)


def _greedy(fields: Fields) -> None:
    if fields.get("format"):
        fields["options"] = {**(fields.get("options") or {}), "temperature": 0}


def _short_context(heard: Heard, answer: Answer) -> Answer:
    value = answer.value
    stopped = (heard.fields.get("options") or {}).get("stop")
    if not isinstance(value, dict) or not stopped or not value.get("context"):
        return answer
    return replace(answer, value={**value, "context": value["context"][:-1]})


def _no_thoughts(record: Fields) -> None:
    if record.get("thinking"):
        del record["context"][-8:]


def _exactly(heard: Heard, answer: Answer) -> Answer:
    """Length is said where the limit was met, whether it ended anything or not."""
    bound = (heard.fields.get("options") or {}).get("num_predict")
    value = answer.value
    if not isinstance(value, dict) or bound is None or value.get("eval_count") != bound:
        return answer
    return replace(answer, value={**value, "done_reason": "length"})


def _half(records: list[Fields]) -> None:
    text = "".join(one["message"]["content"] for one in records if "message" in one)
    if records[-1].get("done_reason") == "length" and not text.isascii():
        records[-1]["message"]["content"] += "\ufffd"


def _range(name: str, least: float, most: float) -> Lie:
    """A value that is out of range is refused."""

    def wrong(fields: Fields) -> bool:
        value = (fields.get("options") or {}).get(name, least)
        return not least <= value <= most

    return refuses("/api/chat", wrong)


def _seeds(change: Callable[[int], int]) -> Lie:
    def changed(given: Fields) -> None:
        if type(given.get("seed")) is int:
            given["seed"] = change(given["seed"])

    return options(changed)


def _no_one(given: Fields) -> None:
    if given.get("temperature") == 1:
        given["temperature"] = 0.8


def _by_pairs(found: list[Fields]) -> list[Fields]:
    """Of a long conversation more turns are left out than need be."""
    return found[-5:] if len(found) > 50 else found


def _null_is_false(name: str) -> Lie:
    def changed(fields: Fields) -> None:
        if name in fields and fields[name] is None:
            fields[name] = False

    return hears(changed, *TALK)


def _kept(name: str, *paths: str) -> Lie:
    """What one request gave holds for the next."""
    kept: Fields = {}

    def changed(fields: Fields) -> None:
        if fields.get(name):
            kept[name] = fields[name]
        elif name in kept:
            fields[name] = kept.pop(name)

    return hears(changed, *(paths or GENERATE))


def _with_end(heard: Heard, answer: Answer) -> Answer:
    value = answer.value
    if not isinstance(value, dict) or not value.get("logprobs") or value["done_reason"] != "stop":
        return answer
    more = [*value["logprobs"], {"token": "", "logprob": -0.1, "bytes": []}]
    return replace(answer, value={**value, "logprobs": more})


def _floored(entry: Fields) -> None:
    for one in entry.get("top_logprobs") or ():
        one["logprob"] = max(one["logprob"], -5.0)


def _empty(fields: Fields) -> bool:
    return not fields.get("prompt") and not fields.get("messages")


def _unlooked(name: str) -> Lie:
    """A field is not looked at by a load."""

    def changed(fields: Fields) -> None:
        if _empty(fields):
            fields.pop(name, None)

    return hears(changed, *TALK)


def _told_more(record: Fields) -> None:
    if record.get("done_reason") == "load":
        record["eval_count"] = 0


def _again(records: list[Fields]) -> None:
    for one in records:
        for call in (one.get("message") or {}).get("tool_calls") or ():
            call["function"]["index"] = 0


def _fewer(record: Fields) -> None:
    if record.get("done_reason") == "stop" and record["eval_count"] < 40:
        record["eval_count"] -= 3


def _withheld(heard: Heard, answer: Answer) -> Answer:
    """Text that begins a stop string is held back for ever."""
    stops = (heard.fields.get("options") or {}).get("stop") or ()
    text = answer.value.get("response") if isinstance(answer.value, dict) else None
    if not isinstance(text, str) or not any(text.endswith(str(one)[:-1]) for one in stops):
        return answer
    return replace(answer, value={**answer.value, "response": text[:-6]})


def _long_raw(fields: Fields) -> bool:
    return bool(fields.get("raw")) and len(str(fields.get("prompt"))) > 1000


def _any_case(fields: Fields) -> None:
    if isinstance(fields.get("format"), str):
        fields["format"] = fields["format"].lower()


def _as_json(fields: Fields) -> None:
    if str(fields.get("format")).startswith('{"'):
        fields["format"] = json.loads(fields["format"])


def _as_openai(fields: Fields) -> None:
    if fields.get("format") == "json_object":
        fields["format"] = "json"


def _tail(texts: list[Any]) -> list[Any]:
    return [one for one in texts if not isinstance(one, str) or len(one) < 30]


BESIDE, RANGE = "format/beside-everything", "options/of-any-range"
CONTEXT = "context/holds-all-of-it"
NEARBY = [
    *(Liar(f"no format beside {one}", BESIDE, _beside("format", one))
      for one in ("system", "raw", "logprobs")),
    Liar("no logprobs beside format", BESIDE, _beside("logprobs", "format")),
    Liar("no stop beside format", BESIDE, _option_beside("stop", "format")),
    Liar("greedy forms", "format/is-drawn", hears(_greedy, *TALK)),
    *(Liar(f"no {one} beside tools", "tools/options-beside", _option_beside(one, "tools"))
      for one in ("stop", "num_predict")),
    Liar("a stopped context lacks a token", CONTEXT, with_answers(_short_context)),
    Liar("a context without thoughts", CONTEXT, finals(_no_thoughts, *GENERATE)),
    Liar("the limit is a length", "options/ends-at-the-limit", with_answers(_exactly)),
    Liar("half a character", "stream/no-half-characters", streams(_half, *CHAT)),
    *(Liar(f"{one} within range", RANGE, _range(one, *bounds))
      for one, *bounds in (("top_p", 0.01, 1), ("top_k", -1, 100), ("min_p", 0, 1),
                           ("temperature", 0, 2), ("presence_penalty", -2, 2),
                           ("repeat_penalty", 0, 2), ("seed", -1, 2**32))),
    Liar("negative seeds are random", "options/seeds-are-whole", _seeds(lambda one: max(one, -1))),
    Liar("seeds of 16 bits", "options/seeds-are-whole", _seeds(lambda one: one & 0xFFFF)),
    Liar("temperature 1 is none", "options/temperature-one-is-one", options(_no_one)),
    Liar("drops too much", "context/no-more-is-dropped", messages(_by_pairs)),
    Liar("null truncate", "context/no-more-is-dropped", _null_is_false("truncate")),
    Liar("null shift", "context/no-more-is-dropped", _null_is_false("shift")),
    *(Liar(f"{one} is kept", "generate/not-remembered", _kept(one))
      for one in ("context", "template", "raw", "system", "suffix")),
    Liar("pictures are kept", "vision/not-remembered", _kept("images")),
    Liar("an entry of the end", "logprobs/of-whole-answers", with_answers(_with_end)),
    Liar("logarithms of at least -5", "logprobs/of-whole-answers", logprobs(_floored)),
    *(Liar(f"loads with any {one}", "lifecycle/loads-are-looked-at", _unlooked(one))
      for one in ("tools", "think", "options")),
    Liar("loads are counted", "lifecycle/loads-are-looked-at", each(_told_more, *TALK)),
    Liar("every call the first", "tools/indexes", streams(_again, *CHAT)),
    Liar("no stop strings counted", "usage/stopped-count", finals(_fewer, *TALK)),
    Liar("what may be a stop string is lost", "options/stop-as-given", with_answers(_withheld)),
    Liar("raw is not cut", "context/long-prompt-is-cut", refuses("/api/generate", _long_raw)),
    *(Liar(f"formats {name}", "errors/format-checked", hears(change, *TALK))
      for name, change in (("of any case", _any_case), ("as texts", _as_json),
                           ("of OpenAI", _as_openai))),
    Liar("twenty stop strings", "options/stop-as-given", _stops(lambda one: one[:20])),
    Liar("short stop strings", "options/stop-as-given", _stops(_tail)),
]  # fmt: skip

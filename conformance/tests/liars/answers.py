"""Liars that had got away: what one way of asking does alone, defaults and values of options."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..honest import Lie
from ..lies import (
    CHAT,
    GENERATE,
    TALK,
    Fields,
    hears,
    options,
    streams,
)
from .liar import Liar

Given = dict[str, Any]
ALL_DEFAULTS: Given = {"temperature": 0.8, "top_k": 40, "top_p": 0.9, "min_p": 0.0}


def _given(fields: Fields) -> Given:
    """The options of a request, there to be changed."""
    found = fields.get("options")
    if not isinstance(found, dict):
        found = fields["options"] = {}
    return found


def _streamed(fields: Fields) -> bool:
    return fields.get("stream") is not False


def _deaf(names: tuple[str, ...], when: Callable[[Fields], bool], *paths: str) -> Lie:
    """Options that are not read in one way of asking."""

    def changed(fields: Fields) -> None:
        if when(fields):
            for name in names:
                _given(fields).pop(name, None)

    return hears(changed, *(paths or TALK))


def unstreamed(name: str, *paths: str) -> Lie:
    """A field that is not read where the answer is streamed."""

    def changed(fields: Fields) -> None:
        if _streamed(fields):
            fields.pop(name, None)

    return hears(changed, *(paths or GENERATE))


def _unset(name: str, value: Any) -> Lie:  # noqa: ANN401
    """Another default."""
    return hears(lambda one: _given(one).setdefault(name, value) and None, *TALK)


def _falsy(name: str) -> Lie:
    """Nought and nothing count as not given."""
    return options(lambda given: given.pop(name) if not given.get(name, 1) else None)


def _capped(name: str, most: float) -> Lie:
    def changed(given: Given) -> None:
        if isinstance(given.get(name), int | float):
            given[name] = min(given[name], most)

    return options(changed)


def _least(name: str, least: float) -> Lie:
    def changed(given: Given) -> None:
        if isinstance(given.get(name), int | float):
            given[name] = max(given[name], least)

    return options(changed)


def _stops(change: Callable[[list[str]], list[str]]) -> Lie:
    """The stop list is read as another one."""

    def changed(given: Given) -> None:
        found = given.get("stop")
        if isinstance(found, list) and all(isinstance(one, str) for one in found):
            given["stop"] = change(found)

    return options(changed)


def _remembers(*names: str) -> Lie:
    """What one request gave holds for the next that does not."""
    kept: Given = {}

    def changed(fields: Fields) -> None:
        for name in names:
            if fields.get(name) is not None:
                kept[name] = fields[name]
            elif name in kept:
                fields[name] = kept[name]

    return hears(changed, *TALK)


def _remembers_options(*names: str) -> Lie:
    kept: Given = {}

    def changed(fields: Fields) -> None:
        given = _given(fields)
        for name in names:
            if name in given:
                kept[name] = given[name]
            elif name in kept:
                given[name] = kept[name]

    return hears(changed, *TALK)


def _always(fields: Fields) -> bool:
    return bool(fields)


def _no_stop_in_thinking(fields: Fields) -> None:
    if fields.get("think"):
        _given(fields).pop("stop", None)


WAYS = [
    *(
        Liar(f"{name} not in {what}", f"options/{check}", _deaf((name,), when, *paths))
        for name, check in (
            ("temperature", "one-token-in-every-way"),
            ("top_k", "one-token-in-every-way"),
            ("top_p", "one-token-in-every-way"),
            ("min_p", "min-p-in-every-way"),
            ("typical_p", "min-p-in-every-way"),
            ("seed", "seed-in-every-way"),
            ("repeat_penalty", "penalties-in-every-way"),
            ("presence_penalty", "penalties-in-every-way"),
            ("frequency_penalty", "penalties-in-every-way"),
            ("repeat_last_n", "penalties-in-every-way"),
        )
        for what, when, paths in (("streams", _streamed, TALK), ("chat", _always, CHAT))
    ),
    *(
        Liar(
            f"{name} not in streams of generate",
            "generate/fields-in-every-way",
            unstreamed(name),
        )
        for name in ("system", "raw", "template", "context", "think")
    ),
    Liar(
        "no context at the end of streams",
        "generate/fields-in-every-way",
        streams(lambda records: records[-1].pop("context", None) and None, *GENERATE),
    ),
    Liar("options stay", "options/not-remembered", _remembers_options("stop", "num_predict")),
    Liar("a seed stays", "options/not-remembered", _remembers_options("seed", "temperature")),
    Liar("a system text stays", "options/not-remembered", _remembers("system")),
    Liar("a format stays", "options/not-remembered", _remembers("format")),
    Liar("logprobs stay", "options/not-remembered", _remembers("logprobs")),
]
VALUES = [
    *(
        Liar(f"another default of {name}", "options/defaults", _unset(name, value))
        for name, value in (
            ("temperature", 1.0),
            ("top_k", 20),
            ("top_p", 0.95),
            ("min_p", 0.05),
            ("typical_p", 0.9),
            ("repeat_penalty", 1.1),
            ("presence_penalty", 1.5),
            ("frequency_penalty", 1.5),
        )
    ),
    Liar(
        "top_k 0 is forty",
        "options/off-is-off",
        options(lambda given: given.update(top_k=40) if given.get("top_k") == 0 else None),
    ),
    Liar(
        "top_p 1.0 is not given",
        "options/off-is-off",
        options(lambda given: given.update(top_p=0.9) if given.get("top_p") == 1 else None),
    ),
    Liar("min_p 0 is not given", "options/off-is-off", _least("min_p", 0.05)),
    Liar("windows of 64 tokens", "options/repeat-window-is-wide", _capped("repeat_last_n", 64)),
    *(
        Liar(f"{name} of nought is none", "options/nought-is-a-value", _falsy(name))
        for name in ("temperature", "top_k", "min_p")
    ),
    Liar(
        "own options are lost beside others",
        "options/nought-is-a-value",
        options(
            lambda given: [given.setdefault(name, ALL_DEFAULTS[name]) for name in ALL_DEFAULTS]
        ),
    ),
    Liar("stops cannot be cleared", "options/stop-replaces", _falsy("stop")),
    Liar(
        "stops join the model's",
        "options/stop-replaces",
        options(lambda given: given["stop"].append(" 4 ") if given.get("stop") else None),
    ),
    Liar("seeds of 31 bits", "options/seeds-of-any-size", _capped("seed", 2**31 - 1)),
    Liar("four stop strings", "options/stop-as-given", _stops(lambda found: found[:4])),
    Liar(
        "stop strings without blanks",
        "options/stop-as-given",
        _stops(lambda found: [one.strip() for one in found]),
    ),
    Liar(
        "stop strings of ASCII",
        "options/stop-as-given",
        _stops(lambda found: [one for one in found if one.isascii()]),
    ),
    Liar("256 tokens at most", "options/num-predict-large", _capped("num_predict", 256)),
    Liar(
        "num_predict -2 is 128",
        "options/num-predict-large",
        options(
            lambda given: given.update(num_predict=128) if given.get("num_predict") == -2 else None
        ),
    ),
    Liar(
        "512 tokens unless more are asked for",
        "context/answers-are-bounded",
        _unset("num_predict", 512),
    ),
    Liar(
        "repeat_penalty is one at least",
        "options/repeat-threshold",
        options(
            lambda given: (
                given.update(repeat_penalty=1.0) if given.get("repeat_penalty", 1.0) < 1 else None
            )
        ),
    ),
    Liar(
        "no stops while thinking", "thinking/stop-strings-count", hears(_no_stop_in_thinking, *TALK)
    ),
]
ANSWERS = [*WAYS, *VALUES]

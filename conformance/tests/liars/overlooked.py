"""Liars of single values: bounds of other services, what stop strings hold, and open doors."""

from __future__ import annotations

import time
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from ...evidence import Json
from ..honest import TRUTH, Answer, Heard, Lie
from ..lies import CHAT, TALK, Fields, finals, hears, options, refuses, shows, values, within
from .guards import when
from .liar import Liar

NO_TIME = "0001-01-01T00:00:00Z"
SIZES = (60, 500)  # characters, of what cuts descriptions


def _normalised(value: Fields) -> None:
    place = value.get("message", value)
    key = "content" if "message" in value else "response"
    place[key] = unicodedata.normalize("NFC", place[key])


def _instead(name: str, change: Callable[[Any], Any]) -> Lie:
    """An option is read as another value."""

    def changed(given: Fields) -> None:
        if isinstance(given.get(name), int):
            given[name] = change(given[name])

    return options(changed)


def _stops(change: Callable[[list[str]], list[str]]) -> Lie:
    """Stop strings are read otherwise."""

    def changed(given: Fields) -> None:
        found = given.get("stop")
        if isinstance(found, list) and all(isinstance(one, str) for one in found):
            given["stop"] = change(found)

    return options(changed)


def _no_escapes(heard: Heard) -> Heard:
    """What is escaped in a body beyond the first plane is not read."""
    return replace(heard, body=heard.body.replace(b"\\ud83d\\udc4d", b"?"))


def _deaf_beside_tools(*names: str, streamed: bool = False) -> Lie:
    """Options that are not read where tools are offered."""

    def changed(fields: Fields) -> None:
        heard = fields.get("tools") and (fields.get("stream") is not False or not streamed)
        if heard and isinstance(fields.get("options"), dict):
            for name in names:
                fields["options"].pop(name, None)

    return hears(changed, *CHAT)


def _short(most: int, *, deep: bool) -> Lie:
    """Descriptions of tools, or of what they take, are cut."""

    def cut(one: Json) -> None:
        if isinstance(one, dict) and isinstance(one.get("description"), str):
            one["description"] = one["description"][:most]

    def changed(fields: Fields) -> None:
        for tool in fields.get("tools") or ():
            function = tool.get("function") or {}
            given = (function.get("parameters") or {}).get("properties") or {}
            for one in given.values() if deep else (function,):
                cut(one)

    return hears(changed, *CHAT)


def _head(change: Callable[[Answer], Answer]) -> Lie:
    return when(lambda heard: (heard.method, heard.path) == ("HEAD", "/api/version"), change)


def _answering(record: Fields) -> None:
    if "eval_duration" in record:
        record["total_duration"] = record["eval_duration"] + 1


def _while_busy(change: Callable[[Fields], Any]) -> Lie:
    """/api/ps tells something else as long as an answer is streamed."""
    busy: list[bool] = []
    told = values(change, "/api/ps")

    def hear(heard: Heard) -> Heard:
        if heard.path in TALK and heard.fields.get("stream"):
            busy.append(True)
        return heard

    def line(record: Fields) -> bytes:
        if record.get("done"):
            busy.clear()
        return TRUTH.line(record)

    def say(heard: Heard, answer: Answer) -> Answer:
        if heard.path in TALK and answer.records:
            records = answer.records
            return replace(answer, records=None, live=_slowly(records))
        return told.say(heard, answer) if busy else answer

    return Lie(hear=hear, say=say, line=line)


def _slowly(records: list[Fields]) -> Iterator[Fields]:
    for record in records:
        time.sleep(0.001)
        yield record


def _of_others(fields: Fields) -> bool:
    roles = {one.get("role") for one in fields.get("messages") or () if isinstance(one, dict)}
    return bool(roles - {"system", "user", "assistant", "USER", "SYSTEM", "Assistant"})


def _open(heard: Heard) -> Heard:
    """Nobody looks at Host."""
    return replace(heard, headers={**heard.headers, "host": "localhost"})


def _most(most: int) -> Callable[[int], int]:
    return lambda one: min(one, most)


def _not_below_nought(size: int) -> Callable[[int], int]:
    return lambda one: size if one < 0 else one


UNGUARDED = ("core/foreign-host-refused", "safety/foreign-hosts", "safety/foreign-host-everywhere")
STOPS, FEEDS = "options/stop-as-given", "thinking/stop-strings-of-line-feeds"
DRAWS, WHOLE = "tools/draws-beside", "tools/definitions-are-whole"
HEADS = "http/head-tells-the-length"
OVERLOOKED = [
    Liar("composes what is not streamed", "stream/whole-characters", values(_normalised, *TALK)),
    Liar("num_predict -1 is 256", "options/num-predict-large",
         _instead("num_predict", lambda one: 256 if one == -1 else one)),
    *(Liar(f"top_k of {most} at most", "options/top-k-large", _instead("top_k", _most(most)))
      for most in (40, 100)),
    *(Liar(f"repeat_last_n -1 is {size}", "options/repeat-window-without-end",
           _instead("repeat_last_n", _not_below_nought(size))) for size in (0, 64)),
    Liar("stop strings of one line", FEEDS,
         _stops(lambda stops: [one for one in stops if "\n" not in one])),
    Liar("stop strings are unescaped", FEEDS,
         _stops(lambda stops: [one.replace("\\n", "\n") for one in stops])),
    Liar("stop strings without quotes", STOPS,
         _stops(lambda stops: [one for one in stops if not one.startswith('"')])),
    Liar("stop strings are unquoted", STOPS,
         _stops(lambda stops: [one.replace('\\"', '"').strip('"') for one in stops])),
    Liar("reads no escapes", STOPS, Lie(hear=_no_escapes)),
    Liar("HEAD of no type", HEADS, _head(lambda one: replace(one, media_type=""))),
    Liar("HEAD of no length", HEADS, _head(lambda one: replace(one, value=None))),
    Liar("no seed beside tools", DRAWS, _deaf_beside_tools("seed")),
    Liar("no temperature beside tools", DRAWS, _deaf_beside_tools("temperature", "top_p")),
    Liar("no seed in streams beside tools", DRAWS, _deaf_beside_tools("seed", streamed=True)),
    *(Liar(f"{most} characters of a property", WHOLE, _short(most, deep=True)) for most in SIZES),
    *(Liar(f"{most} characters of a tool", WHOLE, _short(most, deep=False)) for most in SIZES),
    Liar("knows three roles", "create/roles-of-any-name", refuses("/api/create", _of_others)),
    Liar("shows a window in details", "show/details-and-no-more",
         values(within("details", shows(context_length=4096)), "/api/show")),
    Liar("the total is answering alone", "always/durations-add-up", finals(_answering),
         ("usage/reasons",)),
    Liar("goes at no time while busy", "lifecycle/listed-while-busy",
         _while_busy(lambda told: [one.update(expires_at=NO_TIME) for one in told["models"]]
                     and None)),
    Liar("lists who is idle", "lifecycle/listed-while-busy",
         _while_busy(lambda told: {**told, "models": []})),
    *(Liar(f"any Host: {check}", check, Lie(hear=_open)) for check in UNGUARDED),
]  # fmt: skip

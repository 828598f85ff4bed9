"""Liars that no author of a check had thought of: what is lost inside values, and what waits."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from ..honest import Answer, Heard, Lie
from ..lies import (
    CHAT,
    TALK,
    Fields,
    calls,
    hears,
    logprobs,
    options,
    refuses,
    streams,
    with_answers,
)
from .liar import Liar

ARGUMENTS = "tools/arguments-keep-their-types"
EVERY_WAY = "stream/arrives-in-every-way"
LATE_S = 0.3
LONG = 1000  # characters


def _seed(old: Any, new: int) -> Lie:  # noqa: ANN401
    """One value of `seed` is another one."""

    def changed(given: Fields) -> None:
        if "seed" in given and given["seed"] == old:
            given["seed"] = new

    return options(changed)


def _arguments(change: Callable[[Fields], Fields]) -> Lie:
    """Arguments of calls come back as others."""

    def changed(call: Fields) -> None:
        call["function"]["arguments"] = change(call["function"]["arguments"])

    return calls(changed)


def _texts_of_lists(given: Fields) -> Fields:
    return {
        name: json.dumps(value) if isinstance(value, list | dict) else value
        for name, value in given.items()
    }


def _no_ids(records: list[Fields]) -> None:
    for record in records:
        for call in record["message"].get("tool_calls", ()):
            call.pop("id", None)


def _code_points(entry: Fields) -> None:
    entry["bytes"] = [ord(letter) for letter in entry["token"]]


def _own_first(entry: Fields) -> None:
    """The token that was drawn stands first, however likely it was."""
    entry.get("top_logprobs", []).sort(key=lambda one: one["token"] != entry["token"])


def _buffers(when: Callable[[Fields], Any]) -> Lie:
    """Some streams are sent when they are whole."""

    def say(heard: Heard, answer: Answer) -> Answer:
        late = answer.records is not None and when(heard.fields)
        return replace(answer, buffered=True) if late else answer

    return with_answers(say)


def _given_stop(fields: Fields) -> bool:
    return bool((fields.get("options") or {}).get("stop"))


def _shallow(fields: Fields) -> None:
    """What an object of a schema has in it is free, below the top."""
    form = fields.get("format")
    if not isinstance(form, dict):
        return
    for name, one in form.get("properties", {}).items():
        if one.get("type") == "object":
            form["properties"][name] = {"const": {}}


def _together(count: int) -> Callable[[list[bytes]], list[bytes]]:
    """So many records are flushed at once."""
    return lambda lines: [b"".join(lines[at : at + count]) for at in range(0, len(lines), count)]


def _reads_slowly(heard: Heard, answer: Answer) -> Answer:
    """Long prompts take a while, and that counts as answering."""
    records = answer.records
    if records is None or len(str(heard.fields.get("prompt", ""))) < LONG:
        return answer

    def flow() -> Iterator[Fields]:
        time.sleep(LATE_S)
        for record in records:
            if record.get("done"):
                total, read = record["total_duration"], round(LATE_S * 1e9)
                record = {**record, "total_duration": total + read, "prompt_eval_duration": read}
                record["eval_duration"] = total + read
            yield record

    return replace(answer, records=None, live=flow())


def _no_user(fields: Fields) -> bool:
    found = fields.get("messages") or ()
    return bool(found) and all(one.get("role") != "user" for one in found)


def _late_last(heard: Heard, answer: Answer) -> Answer:
    """The last record comes when something else is done."""
    records = answer.records

    def flow() -> Iterator[Fields]:
        for record in records or ():
            time.sleep(LATE_S if record.get("done") else 0)
            yield record

    return answer if records is None else replace(answer, records=None, live=flow())


UNSEEN = [
    Liar("seed -1 is one", "options/no-seed-is-random", _seed(-1, 1)),
    Liar("seed null is nought", "options/no-seed-is-random", _seed(None, 0)),
    Liar("lists in calls are texts", ARGUMENTS, _arguments(_texts_of_lists)),
    Liar(
        "small letters in names of arguments",
        ARGUMENTS,
        _arguments(lambda given: {name.lower(): value for name, value in given.items()}),
    ),
    Liar("no ids in streams", "tools/ids", streams(_no_ids, *CHAT)),
    Liar("bytes are code points", "logprobs/shape", logprobs(_code_points)),
    Liar("what was drawn comes first", "logprobs/of-the-drawn-token", logprobs(_own_first)),
    Liar("a schema is kept to at its top", "format/keywords", hears(_shallow, *TALK)),
    *(
        Liar(f"gathers answers with {name}", EVERY_WAY, _buffers(when))
        for name, when in (
            ("tools", lambda fields: fields.get("tools")),
            ("a format", lambda fields: fields.get("format")),
            ("logprobs", lambda fields: fields.get("logprobs")),
            ("stop strings", _given_stop),
            ("a prompt", lambda fields: fields.get("prompt")),
        )
    ),
    *(
        Liar(f"flushes {count} at once", "stream/none-waits-for-the-next", Lie(gather=together))
        for count, together in ((count, _together(count)) for count in (2, 3, 6))
    ),
    Liar("reading is answering", "usage/durations-of-a-stream", with_answers(_reads_slowly)),
    Liar("needs a user", "chat/no-user-is-needed", refuses("/api/chat", _no_user)),
    Liar("ends late", "stream/last-comes-at-once", with_answers(_late_last)),
]

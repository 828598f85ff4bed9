"""Liars about streams."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from ..honest import Answer, Lie
from ..lies import (
    CHAT,
    TALK,
    answers,
    each,
    forgets,
    hears,
    shows,
    streams,
)
from ..shelf import json_text
from .liar import Liar
from .wire import when


def _events(record: dict[str, Any]) -> bytes:
    return b"data: " + json_text(record) + b"\n\n"


def _whole(answer: Answer) -> Answer:
    return replace(answer, buffered=answer.records is not None)


STREAMING = [
    Liar(
        "server-sent events",
        "stream/headers",
        answers(
            lambda one: replace(one, media_type="text/event-stream") if one.records else one, *TALK
        ),
    ),
    Liar("streams without chunks", "stream/headers", Lie(chunked=False)),
    Liar(
        "compresses",
        "stream/not-compressed",
        when("accept-encoding", lambda one: replace(one, headers=(("Content-Encoding", "gzip"),))),
    ),
    Liar("data: before each record", "stream/lines", Lie(line=_events)),
    Liar(
        "blank lines between records",
        "stream/lines",
        Lie(line=lambda one: json_text(one) + b"\n\n"),
    ),
    Liar("CR LF lines", "stream/lines", Lie(line=lambda one: json_text(one) + b"\r\n")),
    Liar(
        "no last newline",
        "stream/lines",
        Lie(line=lambda one: json_text(one) + (b"" if one.get("done") else b"\n")),
    ),
    Liar(
        "indented records",
        "stream/lines",
        Lie(line=lambda one: json.dumps(one, indent=1).encode() + b"\n"),
    ),
    Liar(
        "ends with [DONE]",
        "stream/lines",
        Lie(line=lambda one: json_text(one) + (b"\n[DONE]\n" if one.get("done") else b"\n")),
    ),
    Liar("bytes after the last chunk", "stream/lines", Lie(tail=b"0\r\n\r\n")),
    Liar("a broken chunk size", "stream/lines", Lie(wire=lambda sent: sent + b"\r\nzz")),
    Liar(
        "does not stream unless asked",
        "stream/is-the-default",
        hears(lambda one: {**one, "stream": one.get("stream") is True}, *TALK),
    ),
    Liar("streams though it should not", "stream/false-is-one-object", forgets("stream")),
    Liar(
        "one object as ndjson",
        "stream/false-is-one-object",
        answers(lambda one: replace(one, media_type="application/x-ndjson"), *TALK),
    ),
    Liar("makes all, then streams", "stream/arrives-as-made", answers(_whole, *TALK)),
    Liar(
        "makes all, then streams slowly",
        "stream/arrives-before-done",
        answers(lambda one: replace(one, late=True) if one.records else one, *TALK),
    ),
    Liar("done twice", "stream/done-is-last", streams(lambda all: [*all, all[-1]], *TALK)),
    Liar("never done", "stream/done-is-last", streams(lambda all: all[:-1], *TALK)),
    Liar(
        "a record after done",
        "stream/done-is-last",
        streams(lambda all: [*all, {**all[0], "done": False}], *TALK),
    ),
    Liar(
        "done is a word", "stream/done-is-last", each(lambda one: one.update(done=str(one["done"])))
    ),
    Liar(
        "counts in every record",
        "stream/counts-only-at-the-end",
        each(lambda one: one.setdefault("eval_count", 1)),
    ),
    Liar(
        "done_reason in every record",
        "stream/counts-only-at-the-end",
        each(lambda one: one.setdefault("done_reason", "")),
    ),
    Liar(
        "error: null in every record",
        "stream/no-error-key",
        each(lambda one: one.update(error=None)),
    ),
    Liar(
        "loses the first token of a stream",
        "stream/joined-equals-whole",
        streams(lambda all: all[1:], *TALK),
    ),
    Liar(
        "other counts in a stream",
        "stream/joined-equals-whole",
        streams(lambda all: all[-1].update(eval_count=len(all) - 1), *TALK),
    ),
    Liar(
        "trims what it streams",
        "stream/joined-equals-whole",
        streams(
            lambda all: (
                [
                    one.get("message", {}).update(content=one["message"]["content"].strip())
                    for one in all
                ]
                and all
            ),
            *CHAT,
        ),
    ),
    Liar("another answer each time", "stream/second-time-the-same", Lie(flaw="wavers")),
    Liar(
        "halves of characters",
        "stream/whole-characters",
        Lie(line=lambda one: json_text(one).replace("👩".encode(), "\ufffd".encode()) + b"\n"),
    ),
    Liar(
        "bare line separators",
        "stream/line-breaks-escaped",
        Lie(line=lambda one: json.dumps(one, ensure_ascii=False).encode() + b"\n"),
    ),
    Liar("one time for all", "stream/record-times", each(shows(created_at="2026-01-01T00:00:00Z"))),
    Liar(
        "local time",
        "stream/record-times",
        each(lambda one: one.update(created_at=one["created_at"].replace("Z", "+02:00"))),
    ),
    Liar("seconds since 1970", "stream/record-times", each(shows(created_at=1700000000))),
    Liar("crosses streams", "stream/concurrent", Lie(flaw="crosses")),
    Liar("refuses company", "stream/concurrent", Lie(flaw="refuses_company")),
    Liar("serves those who left", "stream/hang-up-frees", Lie(flaw="serves_the_departed")),
    Liar(
        "ends all when one leaves",
        "stream/hang-up-leaves-others",
        Lie(flaw="ends_together", pace=20.0),
    ),
    Liar("keys of its own", "stream/keys", each(lambda one: one.update(x_server="mine"))),
]

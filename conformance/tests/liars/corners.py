"""Liars about corners of a conversation, and about routes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..honest import Answer, Heard, Lie
from ..lies import CHAT, GENERATE, answers, each, finals, hears, messages, refuses, with_answers
from .liar import Liar


def _partial(record: dict[str, Any]) -> None:
    """A call that was cut, with what there was of its arguments."""
    if record.get("done_reason") == "length" and not record["message"].get("tool_calls"):
        call = {"id": "call_1", "function": {"index": 0, "name": "get_weather", "arguments": {}}}
        record["message"]["tool_calls"] = [call]


def _second(record: dict[str, Any]) -> None:
    """One call more than there was."""
    calls = record["message"].get("tool_calls")
    if calls and record.get("done_reason") == "length":
        function = {**calls[0]["function"], "index": 1, "arguments": {}}
        calls.append({"id": "call_2", "function": function})


def _moved(path: str, status: int) -> Lie:
    """A route that is not there."""
    return answers(lambda one: Answer(status, "text/plain", "404 page not found"), path)


def _readable(heard: Heard, answer: Answer) -> Answer:
    if heard.path == "/api/logs":
        return Answer(200, "text/plain", "time=2026-01-01 level=INFO msg=started")
    return answer


def _fetched(heard: Heard, answer: Answer) -> Answer:
    if heard.path.startswith("/api/blobs/") and heard.method == "GET":
        return Answer(200, "application/octet-stream", b"GGUF")
    return answer


def _loads(heard: Heard, answer: Answer) -> Answer:
    if heard.path != "/api/chat" or heard.fields.get("messages") != [{}]:
        return answer
    message = {"role": "assistant", "content": ""}
    told = {"model": heard.fields["model"], "created_at": "2026-01-01T00:00:00Z", "done": True}
    return Answer(value={**told, "message": message, "done_reason": "load"})


CORNERS = [
    Liar(
        "an empty system blanks",
        "generate/empty-system-is-none",
        Lie(flaw="empty system blanks"),
    ),
    Liar(
        "an empty system message is none",
        "chat/empty-system-silences",
        messages(lambda all: [one for one in all if one.get("role") != "system" or one["content"]]),
    ),
    Liar(
        "no message may be null",
        "chat/empty-message-generates",
        refuses("/api/chat", lambda one: one.get("messages") == [None]),
    ),
    Liar("an empty message loads", "chat/empty-message-generates", with_answers(_loads)),
    Liar(
        "unknown tokens are skipped",
        "context/of-no-tokens",
        hears(
            lambda one: {
                **one,
                "context": [id for id in one.get("context") or [] if id < 100_000_000],
            },
            *GENERATE,
        ),
    ),
    Liar("opens no thought", "thinking/opened-by-the-template", Lie(flaw="opens no thought")),
    Liar(
        "opens a thought in one piece only",
        "thinking/opened-by-the-template",
        with_answers(
            lambda heard, one: (
                replace(
                    one,
                    records=[
                        {**record, "message": {**record["message"], "content": "", "thinking": ""}}
                        for record in one.records
                    ],
                )
                if one.records is not None and heard.path == "/api/chat"
                else one
            )
        ),
    ),
    Liar("thinks though off", "thinking/opened-though-off", Lie(flaw="thinks though off")),
    Liar("a cut call is text", "tools/cut-short", Lie(flaw="calls are text when cut")),
    Liar("a cut call is repaired", "tools/cut-short", each(_partial, *CHAT)),
    Liar(
        "a cut call stops",
        "tools/cut-short",
        finals(lambda one: one.update(done_reason="stop"), *CHAT),
    ),
    Liar("a second call is repaired", "tools/cut-after-the-first", each(_second, *CHAT)),
    Liar(
        "all calls or none",
        "tools/cut-after-the-first",
        each(lambda one: one["message"].pop("tool_calls", None), *CHAT),
    ),
    Liar("no /api/embeddings", "routes/of-inference", _moved("/api/embeddings", 404)),
    Liar("no /api/ps", "routes/of-inference", _moved("/api/ps", 404)),
    Liar("generate is elsewhere", "routes/of-inference", _moved("/api/generate", 404)),
    Liar("logs for everybody", "routes/gone", with_answers(_readable)),
    Liar("blobs for everybody", "routes/gone", with_answers(_fetched)),
    Liar(
        "status in a word",
        "routes/status",
        answers(lambda one: Answer(value={"cloud": "disabled"}), "/api/status"),
    ),
    Liar(
        "status without a source",
        "routes/status",
        answers(lambda one: Answer(value={"cloud": {"disabled": "yes"}}), "/api/status"),
    ),
]

"""Liars about thinking, tools and log probabilities."""

from __future__ import annotations

import json
from typing import Any

from ...script import load_script
from ..lies import (
    CHAT,
    GENERATE,
    TALK,
    calls,
    each,
    finals,
    forgets,
    hears,
    logprobs,
    messages,
    refuses,
    shows,
    streams,
    within,
)
from .liar import Liar


def _inline(record: dict[str, Any]) -> None:
    """Thinking as it was generated, in the content."""
    place = record.get("message", record)
    key = "content" if "message" in record else "response"
    if "thinking" in place:
        place[key] = f"<think>{place.pop('thinking')}</think>{place[key]}"


def _thinks_on(record: dict[str, Any]) -> None:
    place = record.get("message", record)
    place.setdefault("thinking", "")


THINKING = [
    Liar("thinking in the content", "thinking/set-apart", each(_inline)),
    Liar("thinking is lost", "thinking/set-apart", each(within("message", shows(thinking=None)))),
    Liar(
        "thinking as reasoning_content",
        "thinking/set-apart",
        each(within("message", lambda one: one.update(reasoning_content=one.pop("thinking", "")))),
    ),
    Liar(
        "thinking with its newline",
        "thinking/set-apart",
        each(
            within(
                "message",
                lambda one: "thinking" in one and one.update(thinking="\n" + one["thinking"]),
            )
        ),
    ),
    Liar(
        "thinks after it spoke",
        "thinking/streamed",
        streams(
            lambda all: [
                *all[:-1],
                {**all[-2], "message": {"role": "assistant", "content": "", "thinking": "late"}},
                all[-1],
            ],
            *CHAT,
        ),
    ),
    Liar('thinking: "" in answers', "thinking/key-only-while-thinking", each(_thinks_on)),
    Liar("no thinking in generate", "thinking/on-generate", each(_inline, *GENERATE)),
    Liar(
        "thinks only on demand",
        "thinking/on-by-default",
        hears(lambda one: {**one, "think": one.get("think") or False}, *TALK),
    ),
    Liar(
        "ignores think: false",
        "thinking/off",
        hears(lambda one: {**one, "think": True} if one.get("think") is False else one, *TALK),
    ),
    Liar(
        "hides what it thinks",
        "thinking/off",
        hears(lambda one: {**one, "think": None} if one.get("think") is False else one, *TALK),
    ),
    Liar(
        "knows no levels",
        "thinking/levels",
        refuses("/api/chat", lambda one: one.get("think") == "max"),
    ),
    Liar(
        "any think will do", "thinking/bad-value", hears(lambda one: {**one, "think": None}, *TALK)
    ),
    Liar(
        "thinks without being able to",
        "thinking/unsupported",
        hears(lambda one: {**one, "think": None}, *TALK),
    ),
    Liar(
        "refuses think: false",
        "thinking/false-is-always-fine",
        refuses("/api/chat", lambda one: one.get("think") is False and "plain" in one["model"]),
    ),
    Liar(
        "an answer of half a thought",
        "thinking/cut-short",
        each(
            lambda one: (
                "thinking" in one["message"]
                and one["message"].update(content=one["message"].pop("thinking"))
            ),
            *CHAT,
        ),
    ),
    Liar(
        "drops earlier thinking",
        "thinking/in-history",
        messages(lambda all: [{key: one[key] for key in one if key != "thinking"} for one in all]),
    ),
]


def _uncalled(record: dict[str, Any]) -> None:
    """A call as it was generated, in the content."""
    found = record["message"].pop("tool_calls", None)
    if found:
        record["message"]["content"] += json.dumps(found[0]["function"])


def _fragments(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Every call in two records, as OpenAI streams them."""
    made = []
    for record in records:
        if "tool_calls" in record["message"]:
            half = {**record["message"]["tool_calls"][0]}
            half["function"] = {**half["function"], "arguments": {}}
            made.append({**record, "message": {**record["message"], "tool_calls": [half]}})
        made.append(record)
    return made


TOOLS = [
    Liar("calls in the content", "tools/called", each(_uncalled, *CHAT)),
    Liar("ignores tools", "tools/called", forgets("tools")),
    Liar(
        "arguments as a string",
        "tools/call-shape",
        calls(within("function", lambda one: one.update(arguments=json.dumps(one["arguments"])))),
    ),
    Liar("no index", "tools/call-shape", calls(within("function", shows(index=None)))),
    Liar(
        "calls without function",
        "tools/call-shape",
        calls(lambda one: one.update(one.pop("function"))),
    ),
    Liar("calls without id", "tools/ids", calls(shows(id=None))),
    Liar("one id for all", "tools/ids", calls(shows(id="call_1"))),
    Liar(
        "only the first call",
        "tools/two-at-once",
        each(
            within(
                "message",
                lambda one: one.update(
                    {"tool_calls": one["tool_calls"][:1]} if "tool_calls" in one else {}
                ),
            ),
            *CHAT,
        ),
    ),
    Liar(
        "the second call is lost in a stream",
        "tools/two-at-once",
        streams(
            lambda all: [
                one for one in all if "Rome" not in str(one) or "get_time" not in str(one)
            ],
            *CHAT,
        ),
    ),
    Liar("every index is 0", "tools/indexes", calls(within("function", shows(index=0)))),
    Liar("calls in fragments", "tools/streamed-whole", streams(_fragments, *CHAT)),
    Liar(
        "calls twice",
        "tools/streamed-whole",
        streams(
            lambda all: [
                again
                for one in all
                for again in ([one, one] if "tool_calls" in one["message"] else [one])
            ],
            *CHAT,
        ),
    ),
    Liar(
        "streams the markup",
        "tools/streamed-whole",
        streams(
            lambda all: [
                {**all[0], "message": {"role": "assistant", "content": "<tool_call>"}},
                *all,
            ],
            *CHAT,
        ),
    ),
    Liar(
        "done_reason tool_calls",
        "tools/done-reason",
        finals(shows(done_reason="tool_calls"), *CHAT),
    ),
    Liar(
        "drops results",
        "tools/result-is-read",
        messages(lambda all: [one for one in all if one.get("role") != "tool"]),
    ),
    Liar(
        "drops the tool's name",
        "tools/result-is-read",
        messages(lambda all: [{key: one[key] for key in one if key != "tool_name"} for one in all]),
    ),
    Liar(
        "refuses calls with an id",
        "tools/round-trip",
        refuses("/api/chat", lambda one: '"id"' in json.dumps(one["messages"])),
    ),
    Liar(
        "results need tools",
        "tools/offered-later",
        refuses("/api/chat", lambda one: "tool_name" in str(one) and not one.get("tools")),
    ),
    Liar(
        "loses text before a call",
        "tools/system-beside",
        each(within("message", lambda one: one.update(content="")), *CHAT),
    ),
    Liar(
        "thinks or calls, not both",
        "tools/after-thinking",
        hears(lambda one: {**one, "tools": None} if one.get("think") else one, *CHAT),
    ),
    Liar(
        "pretends to know tools",
        "tools/unsupported",
        hears(
            lambda one: {**one, "tools": None} if "plain" in str(one.get("model")) else one, *CHAT
        ),
    ),
    Liar(
        "no tools are some",
        "tools/none-is-fine",
        refuses("/api/chat", lambda one: one.get("tools") == []),
    ),
    Liar(
        "a type must be a word",
        "tools/schemas-accepted",
        refuses("/api/chat", lambda one: '["string", "null"]' in json.dumps(one.get("tools"))),
    ),
    Liar("a type may be a number", "tools/bad-schema-refused", forgets("tools")),
    Liar(
        "calls what was not offered",
        "tools/not-offered-not-called",
        hears(
            lambda one: {
                **one,
                "tools": one.get("tools") or list(load_script().recitals["tool-call"].tools),
            },
            *CHAT,
        ),
    ),
]

LOGPROBS = [
    Liar(
        "always has logprobs",
        "logprobs/only-when-asked",
        hears(lambda one: {**one, "logprobs": True}, *TALK),
    ),
    Liar(
        "top_logprobs is enough",
        "logprobs/only-when-asked",
        hears(
            lambda one: {**one, "logprobs": one.get("logprobs") or bool(one.get("top_logprobs"))},
            *TALK,
        ),
    ),
    Liar("entries without bytes", "logprobs/shape", logprobs(shows(bytes=None))),
    Liar("probabilities, not logs", "logprobs/shape", logprobs(shows(logprob=0.9))),
    Liar(
        "worst first", "logprobs/shape", logprobs(lambda one: one.get("top_logprobs", []).reverse())
    ),
    Liar(
        "more than was asked for",
        "logprobs/shape",
        hears(lambda one: {**one, "top_logprobs": 20} if one.get("top_logprobs") else one, *TALK),
    ),
    Liar(
        "the last token has none",
        "logprobs/cover-the-text",
        each(lambda one: one.update(logprobs=one["logprobs"][:-1]) if "logprobs" in one else None),
    ),
    Liar(
        "any number of them",
        "logprobs/range",
        hears(lambda one: {**one, "top_logprobs": None}, *TALK),
    ),
    Liar(
        "after the temperature",
        "logprobs/known-distribution",
        logprobs(
            lambda one: [
                top.update(logprob=top["logprob"] * 2) for top in one.get("top_logprobs", [])
            ]
        ),
    ),
    Liar(
        "always of the likeliest",
        "logprobs/of-the-drawn-token",
        logprobs(shows(token="a", bytes=[97], logprob=-0.51)),
    ),
]

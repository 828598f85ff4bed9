"""Liars about conversations and the window."""

from __future__ import annotations

from dataclasses import replace

from ..honest import Lie
from ..lies import (
    CHAT,
    GENERATE,
    TALK,
    accepts,
    answers,
    each,
    finals,
    forgets,
    hears,
    messages,
    refuses,
    shows,
    values,
    with_answers,
)
from .liar import Liar

TALKING = [
    Liar(
        "durations in seconds",
        "chat/durations",
        finals(lambda one: one.update({key: 1 for key in one if key.endswith("_duration")}), *CHAT),
    ),
    Liar(
        "durations as strings",
        "chat/durations",
        finals(
            lambda one: one.update({key: "12ms" for key in one if key.endswith("_duration")}), *CHAT
        ),
    ),
    Liar(
        "durations of zero",
        "chat/durations",
        finals(lambda one: one.update({key: 0 for key in one if key.endswith("_duration")}), *CHAT),
    ),
    Liar("no created_at", "chat/object", each(shows(created_at=None), *CHAT)),
    Liar("no done_reason", "chat/object", finals(shows(done_reason=None), *CHAT)),
    Liar("a context in chat", "chat/object", finals(shows(context=[1]), *CHAT)),
    Liar(
        "counts as strings",
        "chat/object",
        finals(lambda one: one.update(eval_count=str(one.get("eval_count"))), *CHAT),
    ),
    Liar(
        "records without content",
        "chat/records",
        each(lambda one: one["message"]["content"] or one["message"].pop("content"), *CHAT),
    ),
    Liar(
        "content null",
        "chat/records",
        each(lambda one: one["message"].update(content=one["message"]["content"] or None), *CHAT),
    ),
    Liar(
        "deltas in place of messages",
        "chat/records",
        each(lambda one: one.update(delta=one.pop("message")), *CHAT),
    ),
    Liar(
        "the role is model",
        "chat/role-is-assistant",
        each(lambda one: one["message"].update(role="model"), *CHAT),
    ),
    Liar(
        "trims the answer's space",
        "chat/recites",
        hears(
            lambda one: {
                **one,
                "messages": [*one.get("messages", []), {"role": "user", "content": "?"}],
            },
            *CHAT,
        ),
    ),
    Liar(
        "says something else",
        "chat/recites",
        each(lambda one: one["message"].update(content=one["message"]["content"].upper()), *CHAT),
    ),
    Liar(
        "drops system messages",
        "chat/system",
        messages(lambda all: [one for one in all if one.get("role") != "system"]),
    ),
    Liar("forgets all but the last turn", "chat/history", Lie(flaw="forgets_history")),
    Liar("forgets the first turn", "chat/history", messages(lambda all: all[-3:])),
    Liar(
        "roles in lower case only",
        "chat/role-any-case",
        messages(lambda all: [one for one in all if str(one.get("role")).islower()]),
    ),
    Liar(
        "content must be there",
        "chat/content-may-be-missing",
        refuses("/api/chat", lambda one: any("content" not in each for each in one["messages"])),
    ),
    Liar(
        "only known roles",
        "chat/unknown-role-accepted",
        refuses("/api/chat", lambda one: any(each["role"] == "alien" for each in one["messages"])),
    ),
    Liar(
        "arguments may be a string",
        "chat/string-arguments-refused",
        accepts("/api/chat", lambda one: "tool_calls" in str(one)),
    ),
    Liar(
        "no thinking in messages",
        "chat/thinking-in-history-accepted",
        refuses("/api/chat", lambda one: "thinking" in str(one["messages"])),
    ),
    Liar(
        "answers no messages",
        "chat/no-messages-loads",
        values(lambda one: one["done_reason"] == "load" and one.update(done_reason="stop"), *CHAT),
    ),
    Liar(
        "streams the load",
        "chat/no-messages-loads",
        answers(
            lambda one: (
                replace(one, media_type="application/x-ndjson", records=[one.value], value=None)
                if isinstance(one.value, dict) and one.value.get("done_reason") == "load"
                else one
            ),
            *CHAT,
        ),
    ),
    Liar(
        "counts words",
        "chat/counts",
        finals(
            lambda one: "eval_count" in one and one.update(eval_count=one["eval_count"] - 1), *CHAT
        ),
    ),
    Liar(
        "counts no template",
        "chat/counts",
        finals(lambda one: "eval_count" in one and one.update(prompt_eval_count=1), *CHAT),
    ),
    Liar(
        "counts only what is not cached", "chat/prompt-count-repeats", Lie(flaw="counts_uncached")
    ),
    Liar("no created_at in generate", "generate/object", each(shows(created_at=None), *GENERATE)),
    Liar("no counts in generate", "generate/object", finals(shows(eval_count=None), *GENERATE)),
    Liar(
        "text in place of response",
        "generate/records",
        each(lambda one: one.update(text=one.pop("response")), *GENERATE),
    ),
    Liar(
        "empty responses left out",
        "generate/records",
        each(lambda one: one["response"] or one.pop("response"), *GENERATE),
    ),
    Liar(
        "generates without the template",
        "generate/recites",
        hears(lambda one: {**one, "raw": True}, *GENERATE),
    ),
    Liar(
        "ignores system",
        "generate/system",
        hears(lambda one: {key: found for key, found in one.items() if key != "system"}, *GENERATE),
    ),
    Liar("raw is not raw", "generate/raw", hears(lambda one: {**one, "raw": False}, *GENERATE)),
    Liar(
        "raw with system",
        "generate/raw-conflicts",
        hears(lambda one: {**one, "system": None} if one.get("raw") else one, *GENERATE),
    ),
    Liar("ignores template", "generate/template", forgets("template")),
    Liar(
        "any template parses",
        "generate/bad-template",
        hears(
            lambda one: {**one, "template": None} if one.get("template") == "{{ .Prompt" else one,
            *GENERATE,
        ),
    ),
    Liar(
        "a blank prompt is none",
        "generate/blank-prompt-generates",
        hears(lambda one: {**one, "prompt": str(one.get("prompt") or "").strip()}, *GENERATE),
    ),
    Liar(
        "counts in a load",
        "generate/no-prompt-loads",
        values(lambda one: one["done_reason"] == "load" and one.update(eval_count=0), *GENERATE),
    ),
    Liar(
        "refuses a load",
        "generate/no-prompt-loads",
        refuses("/api/generate", lambda one: not one.get("prompt")),
    ),
    Liar(
        "shows the end token",
        "generate/end-token-ends",
        with_answers(
            lambda heard, one: (
                replace(one, value={**one.value, "response": one.value["response"] + "<|end|>"})
                if heard.path in GENERATE and heard.fields.get("raw") and one.status == 200
                else one
            )
        ),
    ),
]


CONTEXT = [
    Liar("no context", "context/returned", finals(shows(context=None), *GENERATE)),
    Liar(
        "a context of strings",
        "context/returned",
        finals(
            lambda one: "context" in one and one.update(context=["1"] * len(one["context"])),
            *GENERATE,
        ),
    ),
    Liar(
        "context in raw",
        "context/absent-in-raw",
        finals(lambda one: one.setdefault("context", [1]), *GENERATE),
    ),
    Liar("ignores context", "context/remembers", forgets("context")),
    Liar(
        "counts context, forgets it",
        "context/remembers",
        with_answers(
            lambda heard, one: (
                replace(one, value={**one.value, "response": "I forgot."})
                if heard.fields.get("context") and one.status == 200
                else one
            )
        ),
    ),
    Liar("never truncates", "context/drops-oldest-turns", Lie(flaw="never_truncates")),
    Liar("drops all but the last turn", "context/keeps-what-fits", Lie(flaw="forgets_all")),
    Liar("truncates though it should not", "context/no-truncation-on-demand", forgets("truncate")),
    Liar(
        "refuses long prompts",
        "context/long-prompt-is-cut",
        refuses("/api/generate", lambda one: len(one.get("prompt") or "") > 5000),
    ),
    Liar("always shifts", "context/ends-without-shift", forgets("shift")),
    Liar("never shifts", "context/shifts", hears(lambda one: {**one, "shift": False}, *TALK)),
    Liar(
        "refuses a great num_ctx",
        "context/window-is-capped",
        refuses(
            "/api/chat", lambda one: one.get("options", {}).get("num_ctx") == 1_000_000_000, 500
        ),
    ),
]

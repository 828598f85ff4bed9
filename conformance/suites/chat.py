"""Class core, part three: /api/chat, and what a template has to make of a conversation."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from ..calm import calmly
from ..check import MUST, PASSED, SHOULD, Verdict, check, every, expect, expect_error, expect_that
from ..clients import (
    CHATTERS,
    CONTINUE,
    LANGCHAIN,
    LANGCHAIN_JS,
    LITELLM,
    LLAMAINDEX,
    PYTHON,
    SDKS,
    ZED,
)
from ..evidence import Json, Wrong
from ..reply import COUNTS, DURATIONS, read
from ..schema import violation
from ..target import Target

LEAST_NS = 10_000  # that an answer takes on any machine


def recites(target: Target, id: str, **fields: Json) -> Verdict:
    """Passed if a chat for the recital is answered with its words."""
    return each_recites(target, (id,), **fields)


def each_recites(target: Target, ids: Sequence[str], **fields: Json) -> Verdict:
    """Passed if chats for the recitals are each answered with their words."""
    answers = target.several(partial(target.chat, id, **fields) for id in ids)
    return every(
        expect(read(got).text, target.recital(id).content, got)
        for id, got in zip(ids, answers, strict=True)
    )


@check(
    "chat/object",
    MUST,
    group="core",
    source="docs/api.md#generate-a-chat-completion",
    covers=(
        "CHAT-040",
        "CHAT-041",
        "CHAT-042",
        "CHAT-043",
        "CHAT-044",
        "CHAT-047",
        "CHAT-048",
        "CHAT-055",
        "CLIENT-ZED-01",
    ),
    breaks=CHATTERS,
)
def chat_object(target: Target) -> Verdict:
    """An unstreamed answer has model, created_at, message, done, done_reason, of these types."""
    got = target.chat()
    told = violation(got.ok.object, "chat", "final")
    return expect_that(told is None, "an answer that is valid by its schema", told, got)


@check(
    "chat/records",
    MUST,
    group="core",
    source="docs/api.md#generate-a-chat-completion",
    covers=("CHAT-040", "CHAT-042", "CHAT-043", "CHAT-044", "CLIENT-LI-02", "CLIENT-PY-OLL-13"),
    breaks=(PYTHON, LLAMAINDEX, ZED, LITELLM, LANGCHAIN, LANGCHAIN_JS),
)
def chat_records(target: Target) -> Verdict:
    """Every record has model, created_at, done and a message with role and content."""
    got = target.chat(stream=True)
    for record in got.records:
        told = violation(record, "chat", "final" if record.get("done") is True else "chunk")
        if told is not None:
            return expect_that(False, "records that are valid by their schema", told, got)
    return PASSED


@check(
    "chat/role-is-assistant",
    MUST,
    group="core",
    source="api/types.go:Message",
    covers=("CHAT-043", "CLIENT-CONT-04"),
    breaks=(CONTINUE, PYTHON, ZED),
)
def role_is_assistant(target: Target) -> Verdict:
    """Every message that is returned has the role assistant."""
    got = target.chat(stream=True, options={"num_predict": 4})
    return expect({record["message"]["role"] for record in got.records}, {"assistant"}, got)


@check(
    "chat/recites",
    MUST,
    group="core",
    source="docs/api.md#generate-a-chat-completion",
    covers=("CHAT-002", "OPT-008", "GEN-061"),
    breaks=CHATTERS,
)
def chat_recites(target: Target) -> Verdict:
    """The model's template is rendered exactly: known questions get their known answers."""
    return each_recites(target, ("greeting", "prose", "json", "lost"))


@check(
    "chat/system",
    MUST,
    group="core",
    source="docs/api.md#generate-a-chat-completion",
    covers=("CHAT-026", "CHAT-032"),
    breaks=CHATTERS,
)
def chat_system(target: Target) -> Verdict:
    """A system message changes the answer."""
    return recites(target, "greeting-system")


@check(
    "chat/history",
    MUST,
    group="core",
    source="docs/api.md#chat-request-with-history",
    covers=("CHAT-025", "CHAT-002"),
    breaks=CHATTERS,
)
def chat_history(target: Target) -> Verdict:
    """All earlier turns reach the model: the last answer depends on the first turn."""
    return each_recites(target, ("history", "history-other"))


@check(
    "chat/role-any-case",
    MUST,
    group="core",
    source="api/types.go:Message.UnmarshalJSON",
    covers=("CHAT-015",),
)
def role_any_case(target: Target) -> Verdict:
    """Roles are read whatever their case."""
    messages = [
        {**one, "role": one["role"].upper()} for one in target.recital("greeting-system").messages
    ]
    return recites(target, "greeting-system", messages=messages)


@check(
    "chat/content-may-be-missing",
    MUST,
    group="core",
    source="ollama-python: _types.py",
    covers=("CHAT-016", "CLIENT-PY-OLL-21"),
    breaks=(PYTHON, LANGCHAIN),
)
def content_may_be_missing(target: Target) -> Verdict:
    """A message without content, or with null, is as good as one with an empty string."""
    turns = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": ""}]
    last = {"role": "user", "content": "Hello"}
    told = []
    for middle in (turns[1], {"role": "assistant"}, {"role": "assistant", "content": None}):
        asked = [turns[0], middle, last]
        said = read(target.chat(messages=asked, options={"num_predict": 6}))
        told.append([said.text, said.count("prompt_eval_count")])
    return every(expect(one, told[0]) for one in told[1:])


@check(
    "chat/unknown-role-accepted",
    SHOULD,
    group="core",
    source="api/types.go:Message",
    covers=("CHAT-015",),
)
def unknown_role_accepted(target: Target) -> Verdict:
    """A role that nobody knows is passed to the template, not refused."""
    messages = [{"role": "alien", "content": "Beep"}, {"role": "user", "content": "Hello"}]
    return expect(
        read(target.chat(messages=messages, options={"num_predict": 2})).final["done"], True
    )


@check(
    "chat/string-arguments-refused",
    SHOULD,
    group="core",
    source="api/types.go:ToolCall",
    covers=("CHAT-019",),
)
def string_arguments_refused(target: Target) -> Verdict:
    """Tool call arguments in the history that are a string, not an object, are 400."""
    call = {"function": {"name": "get_weather", "arguments": '{"city": "Paris"}'}}
    messages = [{"role": "assistant", "tool_calls": [call]}]
    return expect_error(target.chat(messages=messages), (400,))


@check(
    "chat/thinking-in-history-accepted",
    MUST,
    group="core",
    source="api/types.go:Message",
    covers=("CHAT-017", "CHAT-020", "CHAT-021", "IMG-010"),
    breaks=(PYTHON, LANGCHAIN),
)
def optional_message_fields(target: Target) -> Verdict:
    """thinking, images: [], tool_name and tool_call_id are accepted in messages."""
    messages = [
        {"role": "user", "content": "Hello", "images": []},
        {"role": "assistant", "content": "Hi", "thinking": "A greeting."},
        {"role": "tool", "content": "18", "tool_name": "f", "tool_call_id": "call_1"},
        {"role": "user", "content": "Hello"},
    ]
    got = target.chat(messages=messages, options={"num_predict": 2})
    return expect(read(got).final["done"], True, got)


@check(
    "chat/no-messages-loads",
    MUST,
    group="core",
    source="docs/api.md#load-a-model",
    covers=("LIFE-002", "CHAT-057", "STREAM-016", "CLIENT-PY-OLL-20"),
    breaks=SDKS,
)
def no_messages_loads(target: Target) -> Verdict:
    """Without messages the model is loaded: one object, done_reason load, an empty message."""
    wanted = {"message": {"role": "assistant", "content": ""}, "done": True, "done_reason": "load"}
    absent: list[dict[str, Json]] = [{"messages": []}, {}, {"messages": None}]
    for fields in absent:
        got = target.post("/api/chat", {"model": target.model, **fields})
        found = {key: got.ok.object[key] for key in wanted}
        if found != wanted or got.media_type != "application/json":
            return expect_that(False, wanted, {**found, "type": got.media_type}, got)
    return PASSED


@check(
    "chat/durations",
    MUST,
    group="core",
    source="docs/api/usage.mdx",
    covers=("MET-001", "MET-003", "MET-004", "CHAT-049"),
    breaks=(PYTHON, LLAMAINDEX),
)
def durations(target: Target) -> Verdict:
    """Durations are whole nanoseconds that add up, within the time the client saw."""
    target.chat(options={"num_predict": 1})  # loaded
    return calmly(lambda: _durations(target))


def _durations(target: Target) -> Verdict:
    way_ns = 2e6 * target.latency_ms()
    got = target.chat("count", options={"num_predict": 100})
    final, seen_ns = read(got).final, got.elapsed_ms * 1e6
    found = {name: final[name] for name in DURATIONS if name in final}
    if any(type(value) is not int or value < 0 for value in found.values()):
        raise Wrong("durations that are whole numbers", found)
    total = final["total_duration"]
    parts = sum(value for name, value in found.items() if name != "total_duration")
    sane = 0.3 * (seen_ns - way_ns) <= total <= 1.05 * seen_ns + 5e6 and parts <= 1.1 * total + 5e6
    sane = sane and total >= LEAST_NS  # whatever the way took
    told = {**found, "seen by the client": round(seen_ns)}
    return expect_that(
        sane and "eval_duration" in found,
        "a total near the time seen, no less than its parts",
        told,
    )


@check(
    "chat/counts",
    MUST,
    group="core",
    source="docs/api/usage.mdx",
    covers=("MET-005", "MET-006", "CHAT-049"),
    breaks=(LANGCHAIN, LITELLM),
)
def counts(target: Target) -> Verdict:
    """prompt_eval_count and eval_count are the script's, the end token counted."""
    ids = ("greeting", "history", "prose", "unicode-cjk")
    answers = target.several(partial(target.chat, id) for id in ids)
    for recital, got in zip(map(target.recital, ids), answers, strict=True):
        found = [read(got).count(name) for name in COUNTS]
        wanted = [recital.prompt_tokens, recital.output_tokens]
        if found != wanted:
            return expect(found, wanted, got)
    return PASSED


@check(
    "chat/prompt-count-repeats",
    MUST,
    group="core",
    source="llm/server.go:promptEvalCount",
    covers=("MET-005",),
    breaks=(LANGCHAIN,),
)
def prompt_count_repeats(target: Target) -> Verdict:
    """prompt_eval_count is the same when the prompt comes out of a cache."""
    bound = {"num_predict": 2}
    found = [read(target.chat("prose", options=bound)).count("prompt_eval_count") for _ in "123"]
    return expect(found, [found[0]] * 3)

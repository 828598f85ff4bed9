"""Class tools: calls are recognised, whole, and their results are read."""

from __future__ import annotations

from functools import partial

from ..check import MUST, PASSED, SHOULD, Verdict, check, every, expect, expect_error, expect_that
from ..clients import (
    CHATTERS,
    CONTINUE,
    LANGCHAIN,
    LANGCHAIN_JS,
    LLAMAINDEX,
    PYTHON,
    ROO,
    SDKS,
    ZED,
)
from ..evidence import Json, Record
from ..reply import read
from ..target import Target

NO_TOOLS: tuple[Json, ...] = ([], None)
CALLERS = (*SDKS, LANGCHAIN, LANGCHAIN_JS, LLAMAINDEX, CONTINUE, ROO, ZED)


@check(
    "tools/called",
    MUST,
    group="tools",
    source="docs/capabilities/tool-calling.mdx",
    covers=("TOOL-003", "TOOL-007", "CHAT-006", "CHAT-046", "TOOL-013"),
    breaks=CALLERS,
)
def called(target: Target) -> Verdict:
    """A call of an offered tool comes back in message.tool_calls: name and arguments."""
    got = target.chat("tool-call")
    return every(
        (
            expect(read(got).functions, list(target.recital("tool-call").tool_calls), got),
            expect(read(got).text, "", got),
        )
    )


@check(
    "tools/call-shape",
    MUST,
    group="tools",
    source="api/types.go:ToolCall",
    covers=("TOOL-007", "CLIENT-PY-OLL-12"),
    breaks=CALLERS,
)
def call_shape(target: Target) -> Verdict:
    """A call has `function` with name, index, and arguments that are an object, not a string."""
    _ = target.script
    got = target.chat("tool-call")
    for call in read(got).calls:
        function = call["function"]
        types = [type(function[key]) for key in ("name", "index", "arguments")]
        if types != [str, int, Record]:
            return expect_that(False, "name string, index number, arguments object", call, got)
    return expect_that(len(read(got).calls) > 0, "a call", got.loose_text[:200], got)


@check(
    "tools/ids",
    SHOULD,
    group="tools",
    source="server/routes.go:toolCallId",
    covers=("TOOL-008",),
    breaks=(ZED,),
)
def tool_ids(target: Target) -> Verdict:
    """Calls have an id each, not empty and not the same, streamed or not."""
    _ = target.script
    for got in target.in_both_forms(partial(target.chat, "tool-parallel")):
        ids = [call.get("id") for call in read(got).calls]
        named = all(isinstance(id, str) and id for id in ids)
        if len(ids) != 2 or len(set(ids)) != 2 or not named:
            return expect_that(False, "two ids", ids, got)
    return PASSED


@check(
    "tools/two-at-once",
    MUST,
    group="tools",
    source="docs/capabilities/tool-calling.mdx",
    covers=("TOOL-009", "CLIENT-LI-03"),
    breaks=(LANGCHAIN, LANGCHAIN_JS, LLAMAINDEX),
)
def two_at_once(target: Target) -> Verdict:
    """Two calls in one answer both come back, in their order, streamed or not."""
    calls = list(target.recital("tool-parallel").tool_calls)
    return every(
        expect(read(got).functions, calls, got)
        for got in target.in_both_forms(partial(target.chat, "tool-parallel"))
    )


@check("tools/indexes", SHOULD, group="tools", source="tools/tools.go", covers=("TOOL-009",))
def indexes(target: Target) -> Verdict:
    """The index of calls counts from 0, streamed or not."""
    _ = target.script
    return every(
        expect([call["function"]["index"] for call in read(got).calls], [0, 1], got)
        for got in target.in_both_forms(partial(target.chat, "tool-parallel"))
    )


@check(
    "tools/streamed-whole",
    MUST,
    group="tools",
    source="docs/capabilities/tool-calling.mdx",
    covers=("TOOL-010", "TOOL-011", "CLIENT-LC-JS-04"),
    breaks=CALLERS,
)
def streamed_whole(target: Target) -> Verdict:
    """A stream has each call once, whole, in one record; none of its markup is content."""
    got = target.chat("tool-call", stream=True)
    reply = read(got)
    return every(
        (
            expect(reply.functions, list(target.recital("tool-call").tool_calls), got),
            expect(reply.text, "", got),
        )
    )


@check(
    "tools/done-reason",
    MUST,
    group="tools",
    source="llm/server.go:Chat",
    covers=("TOOL-012", "CHAT-058"),
    breaks=(LANGCHAIN,),
)
def done_reason(target: Target) -> Verdict:
    """An answer that calls a tool ends with done_reason stop."""
    _ = target.script
    return every(
        expect(read(got).reason, "stop", got)
        for got in target.in_both_forms(partial(target.chat, "tool-call"))
    )


@check(
    "tools/result-is-read",
    MUST,
    group="tools",
    source="docs/capabilities/tool-calling.mdx",
    covers=("TOOL-018", "CHAT-020", "CHAT-033"),
    breaks=CALLERS,
)
def result_is_read(target: Target) -> Verdict:
    """A tool's answer reaches the model with the tool's name: another one, another answer."""
    return every(
        expect(read(got).text, target.recital(id).content, got)
        for id in ("tool-result", "tool-result-other")
        for got in (target.chat(id),)
    )


@check(
    "tools/round-trip",
    MUST,
    group="tools",
    source="docs/capabilities/tool-calling.mdx",
    covers=("TOOL-019", "CHAT-019", "CHAT-033"),
    breaks=CALLERS,
)
def round_trip(target: Target) -> Verdict:
    """A message with calls, sent back exactly as it came, is read as the call that it was."""
    recital = target.recital("tool-result")
    came = target.chat("tool-call").ok.object["message"]
    got = target.chat("tool-result", messages=[recital.messages[0], came, recital.messages[2]])
    return expect(read(got).text, recital.content, got)


@check(
    "tools/offered-later",
    MUST,
    group="tools",
    source="docs/capabilities/tool-calling.mdx",
    covers=("TOOL-019", "CLIENT-PY-OLL-22"),
    breaks=(PYTHON, LANGCHAIN_JS),
)
def tools_may_be_left_out(target: Target) -> Verdict:
    """A result may be sent without offering the tools again."""
    got = target.chat("tool-result-bare")
    return expect(read(got).text, target.recital("tool-result-bare").content, got)


@check(
    "tools/system-beside",
    SHOULD,
    group="tools",
    source="docs/capabilities/tool-calling.mdx",
    covers=("TOOL-011", "TOOL-003"),
)
def system_beside(target: Target) -> Verdict:
    """Tools beside a system message: text before the call is content, the call a call."""
    recital = target.recital("tool-system")
    wanted = [recital.content.strip(), list(recital.tool_calls)]
    answers = target.in_both_forms(partial(target.chat, "tool-system"))
    return every(
        expect([read(got).text.strip(), read(got).functions], wanted, got) for got in answers
    )


@check(
    "tools/after-thinking",
    SHOULD,
    group="tools",
    source="docs/capabilities/tool-calling.mdx",
    covers=("TOOL-022",),
    breaks=(LANGCHAIN,),
)
def after_thinking(target: Target) -> Verdict:
    """Thinking and tools together: the reasoning in thinking, the call in tool_calls, each once."""
    recital = target.recital("think-tool")
    wanted = [recital.thinking, list(recital.tool_calls), ""]
    answers = target.in_both_forms(partial(target.chat, "think-tool"))
    replies = [(read(got), got) for got in answers]
    return every(
        expect([one.thinking, one.functions, one.text], wanted, got) for one, got in replies
    )


@check(
    "tools/unsupported",
    MUST,
    group="tools",
    source="server/images.go:CheckCapabilities",
    covers=("TOOL-001", "ERR-018"),
    breaks=(LANGCHAIN, CONTINUE),
)
def tools_unsupported(target: Target) -> Verdict:
    """A model without tools answers a request with some with 400, `does not support tools`."""
    return every(
        expect_error(
            target.chat("tool-call", model=target.plain, stream=stream),
            (400,),
            containing="does not support tools",
        )
        for stream in (False, True)
    )


@check(
    "tools/none-is-fine",
    MUST,
    group="tools",
    source="server/routes.go:ChatHandler",
    covers=("TOOL-002", "CLIENT-PY-OLL-20"),
    breaks=CHATTERS,
)
def none_is_fine(target: Target) -> Verdict:
    """`tools` empty or null is as good as absent, also for a model without tools."""
    wanted = target.recital("greeting").content
    return every(
        expect(read(got).text, wanted, got)
        for tools in NO_TOOLS
        for got in (target.chat(model=target.plain, tools=tools),)
    )


@check(
    "tools/schemas-accepted",
    MUST,
    group="tools",
    source="api/types.go:PropertyType",
    covers=("TOOL-004", "TOOL-006", "CLIENT-PY-OLL-23"),
    breaks=(PYTHON, LANGCHAIN),
)
def schemas_accepted(target: Target) -> Verdict:
    """Parameters may have types in a list, no type at all, enums, items, and more."""
    properties = {
        "a": {"type": ["string", "null"]},
        "b": {},
        "c": {"type": "integer", "enum": [1, 2], "default": 1},
        "d": {"type": "array", "items": {"type": "string"}},
        "e": {"anyOf": [{"type": "string"}, {"type": "number"}]},
        "f": {"type": "object", "properties": {"g": {"type": "string"}}, "required": ["g"]},
    }
    parameters = {"type": "object", "properties": properties, "required": ["a"]}
    tool = {"type": "function", "function": {"name": "f", "parameters": parameters}}
    bare = {"type": "function", "function": {"name": "g"}}
    got = target.chat(tools=[tool, bare, {}], options={"num_predict": 2})
    return expect(read(got).final["done"], True, got)


@check(
    "tools/bad-schema-refused",
    SHOULD,
    group="tools",
    source="api/types.go:PropertyType",
    covers=("TOOL-004",),
)
def bad_schema_refused(target: Target) -> Verdict:
    """A property whose type is a number is 400."""
    parameters = {"type": "object", "properties": {"a": {"type": 5}}}
    tool = {"type": "function", "function": {"name": "f", "parameters": parameters}}
    return expect_error(target.chat(tools=[tool]), (400,))


@check(
    "tools/not-offered-not-called",
    SHOULD,
    group="tools",
    source="tools/tools.go:findTool",
    covers=("TOOL-014", "TOOL-002"),
)
def not_offered_not_called(target: Target) -> Verdict:
    """Without tools no call comes back, and the template shows none."""
    got = target.chat("tool-missing")
    reply = read(got)
    return expect([reply.functions, reply.text], [[], target.recital("tool-missing").content], got)

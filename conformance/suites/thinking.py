"""Class thinking: reasoning is set apart from the answer, and can be turned off."""

from __future__ import annotations

from functools import partial

from ..check import MUST, PASSED, SHOULD, Verdict, check, every, expect, expect_error, expect_that
from ..clients import CHATTERS, LANGCHAIN, LANGCHAIN_JS, LITELLM, SDKS
from ..evidence import Exchange, Json
from ..reply import read
from ..target import NOBODY, Target
from .streaming import streams

MIN_PARTS = 3  # records that have thinking, of a thought of some twenty tokens
LEVELS = ("low", "medium", "high", "max")
NO_THINKING: tuple[Json, ...] = ("auto", 1, "", [])


def _parts(got: Exchange) -> list[str]:
    reply = read(got)
    return [reply.thinking, reply.text]


@check(
    "thinking/set-apart",
    MUST,
    group="thinking",
    source="docs/capabilities/thinking.mdx",
    covers=("THINK-006", "CHAT-045", "THINK-008"),
    breaks=CHATTERS,
)
def set_apart(target: Target) -> Verdict:
    """Reasoning is in message.thinking, the answer in message.content, no tag in either."""
    recital = target.recital("think")
    got = target.chat("think")
    return expect(_parts(got), [recital.thinking, recital.content], got)


@check(
    "thinking/streamed",
    MUST,
    group="thinking",
    source="docs/capabilities/thinking.mdx",
    covers=("THINK-006", "STREAM-020", "CHAT-056"),
    breaks=CHATTERS,
)
def thinking_streamed(target: Target) -> Verdict:
    """A stream has the thinking first, then the answer; together as if it were not streamed."""
    recital = target.recital("think")
    got = target.chat("think", stream=True)
    spoken = False
    for record in got.records:
        message = record["message"]
        if spoken and message.get("thinking"):
            return expect_that(False, "no thinking after the answer began", record, got)
        spoken = spoken or bool(message["content"])
    return expect(_parts(got), [recital.thinking, recital.content], got)


@check(
    "thinking/key-only-while-thinking",
    MUST,
    group="thinking",
    source="langchain-ollama: chat_models.ts",
    covers=("CLIENT-LC-JS-03", "CLIENT-LITELLM-02"),
    breaks=(LANGCHAIN_JS, LITELLM),
)
def key_only_while_thinking(target: Target) -> Verdict:
    """Records of the answer have no key `thinking`, not even an empty one."""
    _ = target.script
    got = target.chat("think", stream=True)
    empty = [one for one in got.records if one["message"].get("thinking", "x") in ("", None)]
    return expect(empty, [], got)


@check(
    "thinking/on-generate",
    MUST,
    group="thinking",
    source="docs/capabilities/thinking.mdx",
    covers=("THINK-006", "GEN-013", "GEN-043"),
    breaks=(*SDKS, LANGCHAIN),
)
def on_generate(target: Target) -> Verdict:
    """/api/generate sets reasoning apart, too: in `thinking`."""
    recital = target.recital("think")
    return every(
        expect(_parts(got), [recital.thinking, recital.content], got)
        for got in target.in_both_forms(partial(target.generate, "think"))
    )


@check(
    "thinking/on-by-default",
    MUST,
    group="thinking",
    source="docs/capabilities/thinking.mdx",
    covers=("THINK-002", "CHAT-008"),
    breaks=SDKS,
)
def on_by_default(target: Target) -> Verdict:
    """Without `think` a thinking model thinks, and its thinking is set apart."""
    recital = target.recital("think")
    got = target.chat("think", think=None)
    return expect(_parts(got), [recital.thinking, recital.content], got)


@check(
    "thinking/off",
    MUST,
    group="thinking",
    source="docs/capabilities/thinking.mdx",
    covers=("THINK-007",),
    breaks=(*SDKS, LANGCHAIN),
)
def off(target: Target) -> Verdict:
    """`think: false` reaches the template: no thinking comes, nor its key."""
    recital = target.recital("think-off")
    return every(
        verdict
        for got in (target.chat("think-off"), target.generate("think-off"))
        for verdict in (
            expect(_parts(got), ["", recital.content], got),
            expect("thinking" in got.object.get("message", got.object), False, got),
        )
    )


@check(
    "thinking/levels",
    SHOULD,
    group="thinking",
    source="api/types.go:ThinkValue",
    covers=("THINK-011", "THINK-003"),
)
def levels(target: Target) -> Verdict:
    """The levels low, medium, high and max are accepted and turn thinking on."""
    _ = target.script
    answers = target.several(partial(target.chat, "think", think=level) for level in LEVELS)
    return every(
        expect_that(read(got).thinking != "", f"thinking at {level}", got.loose_text[:200], got)
        for level, got in zip(LEVELS, answers, strict=True)
    )


@check(
    "thinking/bad-value",
    MUST,
    group="thinking",
    source="api/types.go:ThinkValue",
    covers=("THINK-003", "ERR-003", "REQ-011"),
)
def bad_value(target: Target) -> Verdict:
    """Any other value of `think` is 400, before the model is looked for."""
    hello = [{"role": "user", "content": "Hello"}]
    return every(
        expect_error(
            target.post("/api/chat", model=NOBODY, messages=hello, think=value),
            (400,),
            containing="think",
        )
        for value in NO_THINKING
    )


@check(
    "thinking/unsupported",
    MUST,
    group="thinking",
    source="server/routes.go:ChatHandler",
    covers=("THINK-004", "ERR-014"),
    breaks=(LITELLM,),
)
def thinking_unsupported(target: Target) -> Verdict:
    """A model that cannot think answers `think: true` with 400, `does not support thinking`."""
    exactly = f'"{target.plain}" does not support thinking'
    return every(
        expect_error(got, (400,), exactly=exactly)
        for got in (
            target.chat(model=target.plain, think=True),
            target.chat(model=target.plain, think=True, stream=True),
            target.generate(model=target.plain, think=True),
            target.generate(model=target.plain, think=True, stream=True),
        )
    )


@check(
    "thinking/false-is-always-fine",
    MUST,
    group="thinking",
    source="server/routes.go:ChatHandler",
    covers=("THINK-005",),
    breaks=CHATTERS,
)
def false_is_always_fine(target: Target) -> Verdict:
    """`think: false` is accepted by a model that cannot think."""
    got = target.chat(model=target.plain, think=False)
    return expect(read(got).text, target.recital("greeting").content, got)


@check(
    "thinking/cut-short",
    SHOULD,
    group="thinking",
    source="thinking/parser.go",
    covers=("THINK-010", "THINK-015"),
)
def cut_short(target: Target) -> Verdict:
    """An answer that is cut while thinking has thinking only, and done_reason length."""
    recital = target.recital("think")
    got = target.chat("think", options={"num_predict": recital.output_tokens // 2})
    reply = read(got)
    begun = reply.thinking != "" and recital.thinking.startswith(reply.thinking.rstrip())
    holds = begun and reply.text == "" and reply.reason == "length"
    told = [reply.thinking, reply.text, reply.reason]
    return expect_that(holds, "the beginning of the thinking, no answer, length", told, got)


@check(
    "thinking/in-history",
    SHOULD,
    group="thinking",
    source="api/types.go:Message",
    covers=("THINK-012", "CHAT-017"),
)
def in_history(target: Target) -> Verdict:
    """The thinking of an earlier turn reaches a template that uses it."""
    return every(
        expect(read(got).text, target.recital(id).content, got)
        for id in ("think-history", "think-history-none")
        for got in (target.chat(id),)
    )


@check(
    "thinking/as-it-comes",
    SHOULD,
    group="thinking",
    source="docs/capabilities/thinking.mdx",
    covers=("THINK-006", "STREAM-004"),
    breaks=(*SDKS, LANGCHAIN),
)
def as_it_comes(target: Target) -> Verdict:
    """Thinking is streamed as it is made, in several records, as an answer is."""
    _ = target.script
    for got in streams(target, "think"):
        parts = [record.get("message", record) for record in got.records]
        told = [one["thinking"] for one in parts if one.get("thinking")]
        if len(told) < MIN_PARTS:
            return expect_that(False, f"{MIN_PARTS} records with thinking, or more", told, got)
    return PASSED


@check(
    "thinking/stop-strings-count",
    SHOULD,
    group="thinking",
    source="docs/modelfile.mdx#valid-parameters-and-values",
    covers=("OPT-047", "THINK-010"),
    breaks=(LANGCHAIN,),
)
def stop_strings_count(target: Target) -> Verdict:
    """A stop string ends the thinking, too: no answer follows, and done_reason is stop."""
    whole, found = target.recital("think").thinking, " Two"
    wanted = [whole[: whole.index(found)], "", "stop"]
    return every(
        expect([*_parts(got), read(got).reason], wanted, got)
        for got in target.in_four_ways("think", options={"stop": [found]})
    )


@check(
    "thinking/stop-strings-of-line-feeds",
    MUST,
    group="thinking",
    source="docs/modelfile.mdx#valid-parameters-and-values",
    covers=("OPT-012", "OPT-047"),
    breaks=(*SDKS, LANGCHAIN),
)
def stop_strings_of_line_feeds(target: Target) -> Verdict:
    """Line feeds in a stop string are such, as those after a thought; a backslash and n are not."""
    wanted = [target.recital("think").thinking, "", "stop"]
    return every(
        expect([*_parts(got), read(got).reason], wanted, got)
        for got in target.several(
            partial(ask, "think", stream=stream, options={"stop": stops})
            for stops in (["\n\nEight"], ["\\n", "Eight"])
            for ask, stream in ((target.chat, False), (target.generate, True))
        )
    )

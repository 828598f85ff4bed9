"""Class core, part eight: corners of a conversation that clients come to without knowing."""

from __future__ import annotations

from functools import partial

from ..check import SHOULD, Verdict, check, every, expect, expect_error, expect_that
from ..clients import CHATTERS, LANGCHAIN, OPEN_WEBUI, SDKS
from ..evidence import Json
from ..reply import read
from ..target import GREEDY, Target
from ._rendered import HELLO, answers, ask, templated
from .shown import made

OPENED = (  # ends with the tag that opens a thought
    '{{ range .Messages }}{{ if eq .Role "user" }}<|user|>\n{{ .Content }}<|end|>\n'
    '{{ else if eq .Role "assistant" }}<|assistant|>\n{{ if .Thinking }}<think>\n{{ .Thinking }}'
    "</think>\n\n{{ end }}{{ .Content }}<|end|>\n{{ end }}{{ end }}<|assistant|>\n<think>"
)
NO_MESSAGES: tuple[Json, ...] = ([{}], [None])
NO_TOKENS = ([999_999_999], [5, 999_999_999])


@check(
    "generate/empty-system-is-none",
    SHOULD,
    group="create",
    source="server/routes.go:GenerateHandler",
    covers=("GEN-021", "GEN-005"),
    breaks=SDKS,
)
def empty_system_is_none(target: Target) -> Verdict:
    """In /api/generate an empty `system` leaves the model the system text it was created with."""
    pirate = target.recital("greeting-system")
    name = made(target, "pirate", system=pirate.messages[0]["content"])
    return every(
        expect(read(got).text, pirate.content, got)
        for system in ("", None)
        for got in (target.generate(model=name, system=system),)
    )


@check(
    "chat/empty-system-silences",
    SHOULD,
    group="create",
    source="server/routes.go:ChatHandler",
    covers=("CHAT-027", "CHAT-026"),
    breaks=(*SDKS, OPEN_WEBUI),
)
def empty_system_silences(target: Target) -> Verdict:
    """In /api/chat a leading system message takes the place of the model's, an empty one too."""
    name = made(target, "silenced", system="You are a pirate.")
    empty = {"role": "system", "content": ""}
    pirate, plain = target.recital("greeting-system"), target.recital("greeting")
    return every(
        (
            answers(target, name, [empty, *HELLO], plain.content),
            answers(target, name, HELLO, pirate.content),
        )
    )


@check(
    "chat/empty-message-generates",
    SHOULD,
    group="core",
    source="server/routes.go:ChatHandler",
    covers=("CHAT-031", "CHAT-015"),
    breaks=SDKS,
)
def empty_message_generates(target: Target) -> Verdict:
    """A list of one empty message, or of null, is a conversation: it is answered, no load."""
    for messages in NO_MESSAGES:
        got = target.chat(messages=messages, options={"num_predict": 3})
        reply = read(got)
        holds = reply.reason != "load" and reply.count("eval_count") > 0
        if not holds:
            return expect_that(False, "an answer", reply.reason, got)
    return expect(got.code, 200, got)


@check(
    "context/of-no-tokens",
    SHOULD,
    group="context",
    source="llm/server.go:Detokenize",
    covers=("ERR-041", "GEN-027"),
)
def context_of_no_tokens(target: Target) -> Verdict:
    """A `context` of numbers that are no tokens of the model is an error."""
    _ = target.script
    return every(
        expect_error(target.generate(context=one, options={"num_predict": 2}), (400, 422, 500))
        for one in NO_TOKENS
    )


@check(
    "thinking/opened-by-the-template",
    SHOULD,
    group="thinking",
    source="server/routes.go:ChatHandler",
    covers=("THINK-009", "THINK-002"),
    breaks=CHATTERS,
)
def opened_by_the_template(target: Target) -> Verdict:
    """Where the prompt ends with the opening tag, the answer begins as thinking."""
    recital = target.recital("think")
    name = templated(target, "opened", OPENED)
    prompt = recital.messages[0]["content"]
    asked = {"model": name, "stream": False, "options": GREEDY, "think": True}
    return every(
        expect([read(got).thinking, read(got).text], [recital.thinking, recital.content], got)
        for got in target.several(
            (
                partial(ask, target, name, recital.messages, think=True),
                partial(ask, target, name, recital.messages, stream=True),
                partial(target.post, "/api/generate", asked, prompt=prompt),
            )
        )
    )


@check(
    "thinking/opened-though-off",
    SHOULD,
    group="thinking",
    source="server/routes.go:ChatHandler",
    covers=("THINK-009", "THINK-007"),
)
def opened_though_off(target: Target) -> Verdict:
    """With thinking off, what a template opens all the same is content, closing tag included."""
    recital = target.recital("think")
    name = templated(target, "opened-off", OPENED)
    got = ask(target, name, recital.messages, think=False)
    found, whole = read(got), recital.output.removeprefix("<think>")
    return expect([found.thinking, found.text.strip()], ["", whole.strip()], got)


@check(
    "tools/cut-short",
    SHOULD,
    group="tools",
    source="tools/tools.go:Content",
    covers=("TOOL-025", "TOOL-010"),
    breaks=(*SDKS, LANGCHAIN),
)
def cut_short(target: Target) -> Verdict:
    """A call that num_predict cuts is none: no part of it comes back, and done_reason is length."""
    for id, share in (("tool-call", 2), ("tool-call", 4), ("tool-parallel", 4)):
        tokens = target.recital(id).output_tokens // share
        for got in target.in_both_forms(partial(target.chat, id, options={"num_predict": tokens})):
            reply = read(got)
            found = [reply.functions, reply.text.strip(), reply.reason]
            if found != [[], "", "length"]:
                return expect(found, [[], "", "length"], got)
    return expect(got.code, 200, got)


@check(
    "tools/cut-after-the-first",
    SHOULD,
    group="tools",
    source="tools/tools.go:Add",
    covers=("TOOL-025", "TOOL-010", "CHAT-056"),
    breaks=(*SDKS, LANGCHAIN),
)
def cut_after_the_first(target: Target) -> Verdict:
    """Of two calls the second of which is cut, the first comes back, whole and alone."""
    recital = target.recital("tool-parallel")
    bound = {"num_predict": recital.output_tokens * 3 // 4}
    return every(
        expect([read(got).functions, read(got).reason], [[recital.tool_calls[0]], "length"], got)
        for got in target.in_both_forms(partial(target.chat, "tool-parallel", options=bound))
    )

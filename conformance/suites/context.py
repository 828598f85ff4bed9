"""Class context: the window of a model, what happens at its edges, and `context` itself."""

from __future__ import annotations

from functools import partial

from ..check import (
    MUST,
    PASSED,
    SHOULD,
    Verdict,
    check,
    every,
    expect,
    expect_error,
    expect_that,
    not_judged,
)
from ..clients import CHATTERS, LANGCHAIN_JS, LLAMAINDEX, SDKS
from ..evidence import Wrong
from ..reply import read
from ..target import Target

WINDOW = 256  # tokens; the reference rounds its window up to a multiple of this (CTX-008)
WORDS = "seven ships sail far over cold water " * 200


@check(
    "context/returned",
    SHOULD,
    group="context",
    source="docs/api.md#generate-a-completion",
    covers=("GEN-046",),
)
def context_returned(target: Target) -> Verdict:
    """The last record of generate has `context`: the token ids of prompt and answer."""
    got = target.generate("count", options={"num_predict": 9})
    reply = read(got)
    found = reply.final["context"]
    if not isinstance(found, list) or not all(type(one) is int for one in found):
        raise Wrong("a list of whole numbers", found)
    tokens = reply.count("prompt_eval_count") + reply.count("eval_count")
    return expect_that(abs(len(found) - tokens) <= 2, f"about {tokens} ids", len(found), got)


@check(
    "context/absent-in-raw",
    MUST,
    group="context",
    source="docs/api.md#request-raw-mode",
    covers=("GEN-056",),
)
def absent_in_raw(target: Target) -> Verdict:
    """With `raw` no `context` comes back, and chat never has one."""
    answers = (
        target.generate(raw=True, prompt="Once upon a time", options={"num_predict": 3}),
        target.chat(options={"num_predict": 3}),
    )
    return every(expect("context" in got.ok.object, False, got) for got in answers)


@check(
    "context/remembers",
    MUST,
    group="context",
    source="docs/api.md#generate-a-completion",
    covers=("GEN-057", "GEN-007", "GEN-027"),
    breaks=SDKS,
)
def context_remembers(target: Target) -> Verdict:
    """A `context` given back stands before the next prompt: it is counted, and it is read."""
    asked = target.script.recitals
    first = target.generate("history-first")
    if "context" not in first.ok.object:
        raise Wrong("a `context` to give back", "none")
    alone = read(target.generate("history-none"))
    got = target.generate("history-none", context=first.object["context"])
    grown = read(got).count("prompt_eval_count") - alone.count("prompt_eval_count")
    wanted = len(first.object["context"])
    return every(
        (
            expect_that(abs(grown - wanted) <= 3, f"about {wanted} tokens more", grown, got),
            expect(read(got).text, asked["context"].content, got),
        )
    )


@check(
    "context/drops-oldest-turns",
    MUST,
    group="context",
    source="server/prompt.go:chatPrompt",
    covers=("CTX-003", "CTX-005", "OPT-014"),
    breaks=CHATTERS,
)
def drops_oldest_turns(target: Target) -> Verdict:
    """A conversation longer than the window loses its oldest turns, not its system message."""
    old = [
        {"role": role, "content": f"{n} {WORDS[:60]}"}
        for n in range(40)
        for role in ("user", "assistant")
    ]
    recital = target.recital("greeting-system")
    system, hello = recital.messages
    long = {"role": "user", "content": WORDS[:600]}
    got = target.chat(messages=[system, *old, long, hello], options={"num_ctx": WINDOW})
    count = read(got).count("prompt_eval_count")
    return expect_that(0 < count <= WINDOW, f"a prompt of at most {WINDOW} tokens", count, got)


@check(
    "context/keeps-what-fits",
    MUST,
    group="context",
    source="server/prompt.go:chatPrompt",
    covers=("CTX-003",),
    breaks=CHATTERS,
)
def keeps_what_fits(target: Target) -> Verdict:
    """Turns are dropped only as far as is needed: the system message and the last turn stay."""
    recital = target.recital("greeting-system")
    system, hello = recital.messages
    filler = {"role": "user", "content": WORDS[:1200]}
    got = target.chat(messages=[system, filler, hello], options={"num_ctx": WINDOW})
    return expect(read(got).text, recital.content, got)


@check(
    "context/no-truncation-on-demand",
    SHOULD,
    group="context",
    source="integration/context_test.go",
    covers=("CTX-008", "ERR-032"),
    breaks=(LANGCHAIN_JS,),
)
def no_truncation_on_demand(target: Target) -> Verdict:
    """With `truncate` false a prompt that does not fit is 4xx, and the text says context."""
    got = target.generate(
        prompt=WORDS, truncate=False, options={"num_ctx": WINDOW, "num_predict": 4}
    )
    return expect_error(got, (400, 413, 422), containing="context")


@check(
    "context/long-prompt-is-cut",
    SHOULD,
    group="context",
    source="llm/server.go:Completion",
    covers=("CTX-006", "GEN-014"),
    breaks=(LLAMAINDEX,),
)
def long_prompt_is_cut(target: Target) -> Verdict:
    """A prompt longer than the window is cut to fit it, and answered, a raw one, too."""
    small = {"num_ctx": WINDOW, "num_predict": 4}
    return every(
        expect_that(0 < count <= WINDOW, f"a prompt of at most {WINDOW} tokens", count, got)
        for raw in (False, True)
        for got in (target.generate(prompt=WORDS, raw=raw, options=small),)
        for count in (read(got).count("prompt_eval_count"),)
    )


@check(
    "context/ends-without-shift",
    MUST,
    group="context",
    source="api/types.go:GenerateRequest",
    covers=("CTX-010", "GEN-015", "CHAT-010"),
    breaks=SDKS,
)
def ends_without_shift(target: Target) -> Verdict:
    """With `shift` false an answer ends with done_reason length where the window does."""
    options = {"num_ctx": WINDOW, "num_predict": 400}
    whole = target.recital("endless").content
    for got in target.several(
        partial(ask, "endless", shift=False, options=options, stream=stream)
        for ask, stream in ((target.chat, False), (target.generate, True))
    ):
        reply = read(got)
        tokens = reply.count("prompt_eval_count") + reply.count("eval_count")
        if reply.reason != "length" or abs(tokens - WINDOW) > 2:
            told = f"{reply.reason}, {tokens}"
            return expect_that(False, f"length, {WINDOW} tokens", told, got)
        if not _common(reply.text, whole):
            return expect_that(False, "the recital", reply.text, got)
    return PASSED


@check(
    "context/shifts",
    MUST,
    group="context",
    source="docs/faq.md#context-window",
    covers=("CTX-010", "OPT-013"),
    breaks=SDKS,
)
def shifts(target: Target) -> Verdict:
    """By default an answer goes on past the end of the window."""
    options = {"num_ctx": WINDOW, "num_predict": WINDOW + 16}
    got = target.chat("endless", stream=True, options=options)
    reply = read(got)
    if not target.setup.scripted and reply.reason == "stop":
        not_judged("the model ended its answer before the end of the window")
    found = reply.count("eval_count")
    return expect_that(found > WINDOW, f"more than {WINDOW} tokens", found, got)


@check(
    "context/window-is-capped",
    SHOULD,
    group="context",
    source="server/sched.go:getRunner",
    covers=("CTX-002",),
    breaks=(LLAMAINDEX,),
)
def window_is_capped(target: Target) -> Verdict:
    """A `num_ctx` beyond what the model was made for is as good as the model's own."""
    if not target.setup.scripted:
        return PASSED  # a large model's own window may not fit the machine
    got = target.chat(options={"num_ctx": 1_000_000_000})
    return expect(read(got).text, target.recital("greeting").content, got)


def _common(text: str, whole: str) -> bool:
    """Whether one of the two is the beginning of the other."""
    return text.startswith(whole) or whole.startswith(text)


@check(
    "context/grows",
    SHOULD,
    group="context",
    source="docs/api.md#generate-a-completion",
    covers=("GEN-046", "GEN-057", "GEN-027"),
    breaks=SDKS,
)
def context_grows(target: Target) -> Verdict:
    """The `context` after a second turn holds the first one, too, streamed or not."""
    _ = target.script
    first = read(target.generate("history-first", stream=True)).final.get("context")
    if not isinstance(first, list):
        raise Wrong("a `context` in the last record of a stream", first)
    for stream in (False, True):
        got = target.generate("history-none", context=first, stream=stream)
        reply = read(got)
        found = reply.final["context"]
        tokens = reply.count("prompt_eval_count") + reply.count("eval_count")
        if abs(len(found) - tokens) > 2:
            return expect_that(False, f"about {tokens} ids, prompt and answer", len(found), got)
    return PASSED

"""Class options, part nine: many fields at once, and each of them is felt.

Where a field is lost beside another one, one of these requests is answered otherwise: each is
asked with samplers that leave one token though the temperature is high, with log probabilities
and with alternatives to them. Where a class is not offered whose fields are among them, it is not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from ..check import MUST, SHOULD, Verdict, check, every, expect, expect_error, expect_that
from ..clients import CHATTERS, LANGCHAIN, LANGCHAIN_JS, LITELLM, LLAMAINDEX, SDKS
from ..evidence import Exchange, Json
from ..extra import album
from ..reply import COUNTS, read
from ..target import Target
from .busy import offered
from .context import WINDOW, WORDS
from .logprobs import entries
from .shown import made
from .vision import SEERS, generate, look

ONE: dict[str, Json] = {"top_k": 1, "temperature": 5.0, "seed": 7, "num_ctx": 4096}
ASKED: dict[str, Json] = {"logprobs": True, "top_logprobs": 2, "truncate": False, "shift": True}
SAID: Json = {"const": "Zebra 7"}
INSERT = "{{ if .Suffix }}<|user|>\n{{ .Prompt }} {{ .Suffix }}<|end|>\n<|assistant|>\n{{ end }}"
FULL: dict[str, Json] = {**ONE, "num_ctx": WINDOW, "num_predict": 400, "stop": ["Zebra 8"]}
NEAR = 2  # tokens
REFUSED = (400, 413, 422)
USERS = (*SDKS, *CHATTERS, LANGCHAIN, LANGCHAIN_JS, LITELLM, LLAMAINDEX)
Ask = Callable[..., Exchange]


def _felt(name: str, got: Exchange, text: str, reason: str, thinking: str = "") -> Verdict:
    """Passed if an answer is as it has to be, with entries that have two alternatives each."""
    reply = read(got)
    alternatives = {len(one["top_logprobs"]) for one in entries(got)}
    found = [name, reply.thinking, reply.text, reply.reason, alternatives == {2}]
    return expect(found, [name, thinking, text, reason, True], got)


def _cut(
    target: Target, name: str, ask: Ask, text: str, at: str, thinking: str
) -> Iterator[Verdict]:
    """Passed if a stop string is heeded, streamed and not, and then a bound."""
    stopped = {**ONE, "stop": ["Zebra", at], "num_predict": 90}
    asks = [partial(ask, stream=stream, options=stopped, **ASKED) for stream in (False, True)]
    if not thinking:
        few = {**ONE, "stop": ["Zebra"], "num_predict": 3}
        asks.append(partial(ask, stream=True, options=few, **ASKED))
    whole, streamed, *bounded = target.several(asks)
    for got in (whole, streamed):
        yield _felt(name, got, text[: text.index(at)], "stop", thinking)
    for got in bounded:
        reply = read(got)
        holds = text.startswith(reply.text) and reply.reason == "length"
        yield expect_that(holds, f"{name}: a beginning of {text!r}, and length", reply.text, got)
        yield expect([name, reply.count("eval_count")], [name, 3], got)


def _forms(target: Target) -> Iterator[tuple[str, Ask, str, str, str]]:
    """What is asked, how, what is answered, where it is cut, and what was thought before."""
    recitals, chat, raises = target.script.recitals, target.chat, target.generate
    pirate, raw = recitals["greeting-system"], recitals["raw"]
    system = pirate.messages[0]["content"]
    thought, silent = recitals["think"], recitals["think-off"]
    history = recitals["history"].content
    yield "a system message", partial(chat, pirate.id, think=None), pirate.content, "matey", ""
    yield "system", partial(raises, system=system, think=None), pirate.content, "matey", ""
    yield "a history", partial(chat, "history"), history, "Ada", ""
    yield "think", partial(chat, "think", think=True), thought.content, "ght", thought.thinking
    yield "think", partial(raises, "think", think="high"), thought.content, "ght", thought.thinking
    yield "think false", partial(chat, "think-off", think=False), silent.content, "legs", ""
    yield "think false", partial(raises, "think", think=False), silent.content, "legs", ""
    yield "raw", partial(raises, prompt=raw.prompt, raw=True, think=False), raw.output, "only", ""
    yield (
        "template",
        partial(raises, prompt=recitals["greeting"].prompt, template="{{ .Prompt }}", think=False),
        recitals["greeting"].content,
        "How",
        "",
    )
    insert = made(target, "insert", template=INSERT)
    asked = partial(raises, model=insert, prompt="Tell me", suffix="a story.")
    yield "suffix", asked, recitals["prose"].content, "harbour", ""
    context = read(raises("history-first")).final.get("context")
    remembered = recitals["context"].content
    yield "context", partial(raises, "history-none", context=context), remembered, "Ada", ""


@check(
    "options/all-fields-at-once",
    MUST,
    group="options",
    source="server/routes.go:ChatHandler",
    covers=("GEN-012", "GEN-016", "CHAT-007", "CHAT-011", "OPT-003", "OPT-012", "OPT-002"),
    breaks=USERS,
)
def all_fields_at_once(target: Target) -> Verdict:
    """Samplers, bounds, stop strings, log probabilities and windows are heeded all together."""
    offered(target, "thinking", "logprobs", "context")
    return every(verdict for form in _forms(target) for verdict in _cut(target, *form))


@check(
    "format/all-fields-at-once",
    MUST,
    group="format",
    source="docs/capabilities/structured-outputs.mdx",
    covers=("FMT-002", "FMT-011", "GEN-010", "CHAT-004", "LOGP-003"),
    breaks=USERS,
)
def format_at_once(target: Target) -> Verdict:
    """A schema is kept to beside samplers, windows, log probabilities, system texts, histories."""
    offered(target, "thinking", "logprobs", "context")
    recitals = target.script.recitals
    pirate = recitals["greeting-system"].messages
    given: dict[str, Json] = {"format": SAID, **ASKED, "options": {**ONE, "num_predict": 60}}
    plain: dict[str, Json] = {"model": target.plain, **given}
    context = read(target.generate("history-first")).final.get("context")
    insert: dict[str, Json] = {"model": made(target, "insert", template=INSERT), "suffix": "a"}
    raw, system = recitals["raw"].prompt, pirate[0]["content"]
    forms: dict[str, Ask] = {
        "chat": partial(target.chat, messages=list(pirate), **plain),
        "a history": partial(target.chat, "history", **plain),
        "think false": partial(target.chat, "think-off", think=False, **given),
        "generate": partial(target.generate, system=system, **plain),
        "raw": partial(target.generate, prompt=raw, raw=True, **plain),
        "context": partial(target.generate, context=context, **plain),
        "suffix": partial(target.generate, **given, **insert),
    }
    asks = {
        (name, stream): partial(ask, stream=stream)
        for name, ask in forms.items()
        for stream in (False, True)
    }
    return every(
        _felt(name, got, '"Zebra 7"', "stop")
        for (name, _), got in zip(asks, target.several(asks.values()), strict=True)
    )


@check(
    "tools/all-fields-at-once",
    MUST,
    group="tools",
    source="server/routes.go:ChatHandler",
    covers=("TOOL-007", "CHAT-006", "LOGP-008", "OPT-003"),
    breaks=USERS,
)
def tools_at_once(target: Target) -> Verdict:
    """Calls are made beside samplers, windows, stop strings, log probabilities and thinking."""
    offered(target, "thinking", "logprobs")
    options = {**ONE, "stop": ["Zebra"], "num_predict": 120}

    def found() -> Iterator[Verdict]:
        for id in ("tool-parallel", "think-tool"):
            recital = target.recital(id)
            for got in target.in_both_forms(partial(target.chat, id, options=options, **ASKED)):
                reply = read(got)
                told = [reply.functions, reply.thinking, reply.reason]
                yield expect(told, [list(recital.tool_calls), recital.thinking, "stop"], got)
                alternatives = {len(one["top_logprobs"]) for one in entries(got)}
                yield expect_that(alternatives == {2}, "two alternatives", alternatives, got)

    return every(found())


@check(
    "vision/all-fields-at-once",
    MUST,
    group="vision",
    source="server/routes.go:ChatHandler",
    covers=("CHAT-018", "GEN-004", "CHAT-007", "LOGP-003"),
    breaks=SEERS,
)
def vision_at_once(target: Target) -> Verdict:
    """Samplers, bounds, stop strings and log probabilities are heeded beside pictures, and system.

    So is think false, which asks nothing of a model that cannot think.
    """
    _ = target.script
    offered(target, "format", "logprobs")
    pirate = album().recitals["system"]
    system, turn = pirate.messages
    options: dict[str, Json] = {"top_k": 1, "temperature": 5.0, "seed": 7}
    stopped = {**options, "stop": ["Zebra", "matey"], "num_predict": 60}
    before = pirate.content[: pirate.content.index("matey")]
    beside: dict[str, Json] = {
        "logprobs": True,
        "top_logprobs": 2,
        "think": False,
        "truncate": False,
    }

    def found() -> Iterator[Verdict]:
        for stream in (False, True):
            got = look(target, "system", options=stopped, stream=stream, **beside)
            yield _felt("chat", got, before, "stop")
        told = {"system": system["content"], **beside}
        got = generate(target, turn["content"], turn["images"], **told)
        yield _felt("generate", got, pirate.content, "stop")
        shaped = {**told, "format": SAID, "stream": True}
        got = generate(target, turn["content"], turn["images"], **shaped)
        yield _felt("format", got, '"Zebra 7"', "stop")

    return every(found())


def _beside_windows(target: Target) -> Iterator[Ask]:
    """Ways to ask something long, with all that can stand beside it."""
    long: Json = [{"role": "user", "content": WORDS}]
    system: Json = {"role": "system", "content": "You are a pirate."}
    tools = list(target.recital("tool-call").tools)
    for think in (False, True, "low"):
        yield partial(target.chat, messages=[system, *long], think=think)
    yield partial(target.chat, messages=long, tools=tools)
    yield partial(target.chat, messages=long, think=False, format=SAID)
    yield partial(target.generate, prompt=WORDS, system="You are a pirate.", think=False)
    yield partial(target.generate, prompt=WORDS, format=SAID)
    yield partial(target.generate, prompt=WORDS, raw=True, think=False)
    yield partial(target.generate, prompt=WORDS, template="{{ .Prompt }}", think=True)
    history = list(target.recital("history").messages[:-1])
    yield partial(target.chat, messages=[*history, *long])
    context = read(target.generate("history-first")).final.get("context")
    yield partial(target.generate, prompt=WORDS, context=context)
    insert = made(target, "insert", template=INSERT)
    yield partial(target.generate, model=insert, prompt=WORDS, suffix="a story.")


@check(
    "context/windows-beside-everything",
    SHOULD,
    group="context",
    source="llm/llama_server.go:Completion",
    covers=("CTX-007", "CTX-008", "CTX-010", "GEN-014", "GEN-015", "CHAT-009", "CHAT-010"),
    breaks=(LANGCHAIN_JS, LLAMAINDEX),
)
def windows_beside_everything(target: Target) -> Verdict:
    """`num_ctx`, `truncate` and `shift` are heeded beside whatever a request has, streamed too."""
    _ = target.script
    offered(target, "thinking", "tools", "format", "logprobs")
    probed: dict[str, Json] = {"logprobs": True, "top_logprobs": 2}

    def found() -> Iterator[Verdict]:
        for no in ("truncate", "shift"):  # in this order: for Ollama to shift or not is to reload
            for got in target.several(
                partial(ask, **{no: False}, **probed, options=FULL, stream=number % 2 == 0)
                for number, ask in enumerate(_beside_windows(target))
            ):
                yield expect_error(got, REFUSED, containing="context")
        for got in target.several(
            partial(ask, "endless", shift=False, options=FULL, stream=stream, **probed)
            for ask, stream in ((target.chat, True), (target.generate, False))
        ):
            reply = read(got)
            tokens = sum(reply.count(one) for one in COUNTS)
            holds = reply.reason == "length" and abs(tokens - WINDOW) <= NEAR
            told = f"length, {WINDOW} tokens of prompt and answer"
            yield expect_that(holds, told, [reply.reason, tokens], got)
            alternatives = {len(one["top_logprobs"]) for one in entries(got)}
            yield expect_that(alternatives == {2}, "two alternatives", alternatives, got)
        yield from _without_shift(target)

    return every(found())


def _without_shift(target: Target) -> Iterator[Verdict]:
    """Passed if stop strings, bounds and schemas are heeded where nothing is shifted."""
    ends: dict[str, Json] = {**FULL, "stop": [" 4 "]}
    got = target.chat("count", shift=False, options=ends)
    yield expect([read(got).text, read(got).reason], ["1 2 3", "stop"], got)
    got = target.generate("count", shift=False, options={**FULL, "num_predict": 3}, stream=True)
    yield expect([read(got).count("eval_count"), read(got).reason], [3, "length"], got)
    for id in ("think", "think-off"):
        got = target.generate(id, shift=False, options={**FULL, "stop": []}, stream=True)
        recital = target.recital(id)
        yield expect([read(got).thinking, read(got).text], [recital.thinking, recital.content], got)
    got = target.chat(model=target.plain, shift=False, format=SAID, options=FULL, stream=True)
    yield expect([read(got).text, read(got).reason], ['"Zebra 7"', "stop"], got)

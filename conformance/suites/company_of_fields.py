"""Class options, part seven: no field of a request puts another one out of force."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial

from ..check import MUST, PASSED, SHOULD, Verdict, check, every, expect, expect_that
from ..clients import CHATTERS, LANGCHAIN, LANGCHAIN_JS, LITELLM, LLAMAINDEX, SDKS
from ..evidence import Exchange, Json
from ..extra import album
from ..reply import read
from ..target import Target
from .beside import SAID, WORD
from .format import problem
from .logprobs import entries
from .shown import made
from .vision import SEERS, look

FEW = 3  # tokens
NAMED: Json = {
    "type": "object",
    "properties": {"name": {"enum": ["Ada", "Bob"]}, "age": {"enum": [36, 37]}},
    "required": ["name", "age"],
    "additionalProperties": False,
}
BOUND = {"num_predict": 120}
ALL_OF_THEM: dict[str, Json] = {  # as clients send them whose settings name each
    "temperature": 0.7, "top_k": 20, "top_p": 0.8, "min_p": 0.01, "typical_p": 1.0, "seed": 7,
    "repeat_last_n": 32, "repeat_penalty": 1.0, "presence_penalty": 0.0, "frequency_penalty": 0.0,
    "num_keep": 2, "num_predict": 90, "stop": ["Zebra", " 4 "],
}  # fmt: skip
SEEDS = range(6)
NAMES_NO_TOOL = "{{ range .Tools }}{{ end }}{{ range .Messages }}{{ .Content }}{{ end }}"
Asks = Callable[..., Exchange]


def _fields(target: Target) -> Iterator[tuple[str, Asks, str]]:
    """What a request may carry, how it is sent, and what is answered."""
    recitals, generate, chat = target.script.recitals, target.generate, target.chat
    pirate, raw = recitals["greeting-system"], recitals["raw"]
    context = read(generate("history-first")).final.get("context")
    yield "raw", partial(generate, prompt=raw.prompt, raw=True), raw.output
    yield "system", partial(generate, system=pirate.messages[0]["content"]), pirate.content
    yield (
        "template",
        partial(generate, prompt=recitals["greeting"].prompt, template="{{ .Prompt }}"),
        recitals["greeting"].output,
    )
    yield "context", partial(generate, "history-none", context=context), recitals["context"].content
    yield "think", partial(generate, "think", think=False), recitals["think-off"].content
    yield "a history", partial(chat, "history"), recitals["history"].content
    yield "a system message", partial(chat, "greeting-system"), pirate.content
    thought = recitals["think-history"]
    yield "think true and a history", partial(chat, thought.id, think=True), thought.content


def _heeds(target: Target, name: str, ask: Asks, text: str) -> Iterator[Verdict]:
    """Passed if options and logprobs are heeded in this company."""
    middle = text[len(text) // 2 :][:3]
    before = text[: text.index(middle)]
    stopped = {"stop": ["Zebra", middle]}
    *ended, got = target.several(
        (
            partial(ask, stream=False, options=stopped),
            partial(ask, stream=True, options=stopped),
            partial(ask, stream=True, options={"num_predict": FEW}, logprobs=True),
        )
    )
    for one in ended:
        yield expect([name, read(one).text, read(one).reason], [name, before, "stop"], one)
    spelled = "".join(one["token"] for one in entries(got))
    told = [name, read(got).count("eval_count"), read(got).reason, spelled]
    yield expect(told, [name, FEW, "length", read(got).text], got)
    yield expect_that(text.startswith(spelled), f"with {name}: {text}", spelled, got)


@check(
    "options/beside-every-field",
    MUST,
    group="options",
    source="server/routes.go:GenerateHandler",
    covers=("GEN-009", "GEN-012", "CHAT-007", "OPT-002", "OPT-012", "OPT-047"),
    breaks=(*SDKS, *CHATTERS, LITELLM, LLAMAINDEX),
)
def beside_every_field(target: Target) -> Verdict:
    """Options and logprobs are heeded beside raw, system, template, context, think, histories."""
    return every(
        verdict
        for name, ask, text in _fields(target)
        for verdict in _heeds(target, name, ask, text)
    )


@check(
    "options/all-of-them",
    MUST,
    group="options",
    source="api/types.go:Options",
    covers=("GEN-012", "CHAT-007", "OPT-012", "OPT-002"),
    breaks=(*CHATTERS, *SDKS),
)
def all_of_them(target: Target) -> Verdict:
    """Where all options are given at once each is heeded: the stop strings, and the bound."""
    _ = target.script
    bounded = {**ALL_OF_THEM, "num_predict": FEW, "stop": ["Zebra"]}
    return every(
        (
            *(
                expect([read(got).text, read(got).reason], ["1 2 3", "stop"], got)
                for got in target.in_four_ways("count", options=ALL_OF_THEM)
            ),
            *(
                expect([read(got).count("eval_count"), read(got).reason], [FEW, "length"], got)
                for got in target.in_four_ways("count", options=bounded)
            ),
        )
    )


@check(
    "tools/draws-beside",
    MUST,
    group="tools",
    source="server/routes.go:ChatHandler",
    covers=("CHAT-007", "OPT-001", "OPT-003", "OPT-008", "TOOL-002"),
    breaks=(*SDKS, LANGCHAIN, LANGCHAIN_JS),
)
def draws_beside_tools(target: Target) -> Verdict:
    """What is drawn where tools are offered is what is drawn without, seed by seed."""
    prompt, tools = target.distribution("uniform").prompt, target.recital("tool-call").tools
    model = made(target, "bare-tools", template=NAMES_NO_TOOL)
    turn: list[Json] = [{"role": "user", "content": prompt}]
    drawn = {"temperature": 1, "top_k": 0, "top_p": 1.0, "num_predict": 1}

    def texts(**fields: Json) -> list[str]:
        asks = (
            partial(target.chat, model=model, messages=turn, options={**drawn, "seed": n}, **fields)
            for n in SEEDS
        )
        return [read(got).text for got in target.several(asks)]

    plain = texts()
    found = {"whole": texts(tools=tools), "streamed": texts(tools=tools, stream=True)}
    several = expect_that(len(set(plain)) > 1, "several texts of ten", plain)
    return every((several, expect(found, dict.fromkeys(found, plain))))


@check(
    "format/beside-conversations",
    MUST,
    group="format",
    source="docs/capabilities/structured-outputs.mdx",
    covers=("FMT-002", "FMT-011", "CHAT-004", "GEN-010"),
    breaks=(*SDKS, LANGCHAIN, LANGCHAIN_JS, LLAMAINDEX),
)
def format_beside_conversations(target: Target) -> Verdict:
    """A schema is kept to after a history, after a tool's result, and beside a template."""
    _ = target.script
    greeting = target.recital("greeting").prompt
    shaped: dict[str, Json] = {"format": WORD, "options": BOUND}
    return every(
        expect([read(got).text, read(got).reason], [SAID, "stop"], got)
        for got in target.several(
            (
                partial(target.chat, "history", model=target.plain, **shaped),
                partial(target.chat, "history", model=target.plain, **shaped, stream=True),
                partial(target.chat, "tool-result-bare", think=False, **shaped),
                partial(
                    target.generate,
                    model=target.plain,
                    prompt=greeting,
                    template="{{ .Prompt }}",
                    **shaped,
                    stream=True,
                ),
            )
        )
    )


@check(
    "vision/format-beside",
    MUST,
    group="vision",
    source="docs/capabilities/structured-outputs.mdx",
    covers=("FMT-002", "CHAT-004", "CHAT-018"),
    breaks=SEERS,
)
def format_beside_pictures(target: Target) -> Verdict:
    """A schema is kept to beside a picture, streamed or not."""
    _ = target.script
    return every(
        expect([read(got).text, read(got).reason], [SAID, "stop"], got)
        for stream in (False, True)
        for got in (look(target, "picture-red", format=WORD, stream=stream),)
    )


@check(
    "vision/options-beside",
    MUST,
    group="vision",
    source="server/routes.go:ChatHandler",
    covers=("CHAT-007", "CHAT-018", "OPT-002", "OPT-012"),
    breaks=SEERS,
)
def options_beside_pictures(target: Target) -> Verdict:
    """Options and logprobs are heeded beside a picture."""
    text = album().recitals["picture-red"].content
    return every(_heeds(target, "a picture", partial(look, target, "picture-red"), text))


@check(
    "format/nothing-more",
    MUST,
    group="format",
    source="docs/capabilities/structured-outputs.mdx",
    covers=("FMT-002", "GEN-010", "CHAT-004"),
    breaks=(*SDKS, LANGCHAIN, LANGCHAIN_JS, LLAMAINDEX),
)
def nothing_more(target: Target) -> Verdict:
    """An object has no property that the schema forbids, though the model would say more."""
    _ = target.script
    asks = (  # chat where nothing can be thought: else Ollama lets some answers be free
        partial(target.generate, "json", format=NAMED, options=BOUND),
        partial(target.chat, "json", model=target.plain, format=NAMED, options=BOUND, stream=True),
    )
    for got in target.several(asks):
        wrong = problem(read(got).text, NAMED)
        if wrong is not None or read(got).reason != "stop":
            told = f"JSON that conforms to {json.dumps(NAMED)}, and stop"
            return expect_that(False, told, [wrong, read(got).text, read(got).reason], got)
    return PASSED


@check(
    "tools/only-what-is-offered",
    SHOULD,
    group="tools",
    source="tools/tools.go:findTool",
    covers=("TOOL-014",),
    breaks=(LANGCHAIN, LANGCHAIN_JS, *SDKS),
)
def only_what_is_offered(target: Target) -> Verdict:
    """A call of a function that is not among the request's tools is none.

    The model is told of another function by its template.
    """
    named = "{{ range .Tools }} {{ .Function.Name }}{{ end }}"
    template = target.script.template
    if named not in template:
        raise AssertionError("the script's template names the tools otherwise")
    model = made(target, "told", template=template.replace(named, " get_weather get_time"))
    offered = [one for one in target.recital("tool-call").tools if "get_time" in str(one)]
    return every(
        expect(read(got).functions, [], got)
        for got in target.in_both_forms(
            partial(target.chat, "tool-call", model=model, tools=offered)
        )
    )

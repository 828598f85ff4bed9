"""Class core, part thirteen: what stands beside something else is heeded; bounds are exact."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial

from ..check import MUST, SHOULD, Verdict, check, every, expect, expect_that
from ..clients import CHATTERS, CONTINUE, LANGCHAIN, LANGCHAIN_JS, LITELLM, LLAMAINDEX, SDKS
from ..evidence import Exchange, Json
from ..extra import album, seer
from ..reply import read
from ..target import GREEDY, Target
from .context import WINDOW
from .logprobs import entries
from .shown import made
from .vision import SEERS, of_last, says

WORD, SAID = {"const": "Zebra 7"}, '"Zebra 7"'
BOUND = {"num_predict": 40}
DIGITS: Json = {"enum": list(range(10))}
SEEDS = range(24)
MARKS = 4  # tokens of a turn beside its words
UNSET: dict[str, Json] = {"truncate": None, "shift": None}
OFF = 0.05  # of a logarithm, between two evaluations
NEARLY = 1.0001  # as good as one
CUTS = (1, 2, 5, 8, 10, 17)  # tokens, of emoji that take three or four
HARMLESS: tuple[dict[str, Json], ...] = (
    {"top_p": 0},
    {"top_p": 5},
    {"top_k": -5},
    {"top_k": 1000},
    {"min_p": -1},
    {"min_p": 2},
    {"temperature": -5},
    {"presence_penalty": 5, "repeat_last_n": 0},
    {"frequency_penalty": -5, "repeat_last_n": 0},
    {"repeat_penalty": 3.0, "repeat_last_n": 0},
    {"seed": 2**40},
    {"seed": -7},
    {"num_predict": 2**31 - 1},
)


@check(
    "format/beside-everything",
    MUST,
    group="format",
    source="docs/capabilities/structured-outputs.mdx",
    covers=("FMT-002", "FMT-011", "OPT-012", "GEN-010", "CHAT-004"),
    breaks=(*SDKS, LANGCHAIN, LANGCHAIN_JS, LLAMAINDEX),
)
def format_beside_everything(target: Target) -> Verdict:
    """A schema is kept to beside system texts, raw, think false, logprobs, seeds and stop lists."""
    plain: dict[str, Json] = {"model": target.plain, "format": WORD, "options": BOUND}
    pirate = target.recital("greeting-system").messages
    drawn = {**BOUND, "temperature": 1, "seed": 5}
    stopped = {**BOUND, "stop": [" 7"]}
    asks = [
        partial(target.generate, **plain, system=pirate[0]["content"]),
        partial(target.generate, **plain, stream=True, raw=True),
        partial(target.generate, **plain, logprobs=True, top_logprobs=2),
        partial(target.generate, **{**plain, "options": drawn}),
        partial(target.chat, **plain, messages=list(pirate), stream=True),
        partial(target.chat, **plain, logprobs=True),
        partial(target.generate, **{**plain, "options": stopped}, stream=True),
        partial(target.chat, **{**plain, "options": stopped}),
        partial(target.chat, format=WORD, think=False, options=BOUND),
    ]
    texts = [*[SAID] * 6, '"Zebra', '"Zebra', SAID]
    asked = [*zip(target.several(asks), texts, strict=True)]
    with_entries = [got for got, _ in asked if b'"logprobs"' in (got.request.body or b"")]
    return every(
        (
            *(expect([read(got).text, read(got).reason], [text, "stop"], got)
              for got, text in asked),
            *(expect(_spelled(got), SAID, got) for got in with_entries),
        )
    )  # fmt: skip


def _spelled(got: Exchange) -> str:
    return "".join(one["token"] for one in entries(got))


@check(
    "format/is-drawn",
    SHOULD,
    group="format",
    source="docs/capabilities/structured-outputs.mdx",
    covers=("FMT-002", "OPT-008", "OPT-043"),
    breaks=(LANGCHAIN,),
)
def format_is_drawn(target: Target) -> Verdict:
    """What a schema leaves open is drawn as ever: several digits of ten, by their seeds."""
    texts = [
        read(got).text.strip()
        for got in target.several(partial(_digit, target, n) for n in range(12))
    ]
    again = read(_digit(target, 3)).text.strip()
    holds = len(set(texts)) > 1 and again == texts[3] and all(one.isdigit() for one in texts)
    return expect_that(holds, "several digits, each by its seed again", [*texts, again])


def _digit(target: Target, seed: int) -> Exchange:
    options = {"temperature": 1, "top_k": 0, "top_p": 1.0, "num_predict": 8, "seed": seed}
    prompt = target.distribution("uniform").prompt
    return target.generate(prompt=prompt, raw=True, format=DIGITS, options=options)


@check(
    "tools/options-beside",
    MUST,
    group="tools",
    source="server/routes.go:ChatHandler",
    covers=("CHAT-007", "OPT-002", "OPT-003", "OPT-012", "TOOL-018"),
    breaks=(*SDKS, LANGCHAIN, LANGCHAIN_JS),
)
def options_beside_tools(target: Target) -> Verdict:
    """Options are heeded where tools are offered: bounds, stop strings, and what is drawn."""
    whole = target.recital("tool-result").content
    cases: tuple[tuple[dict[str, Json], str, str], ...] = (
        ({"stop": ["18"]}, whole[: whole.index("18")], "stop"),
        ({"temperature": 50, "top_k": 1, "top_p": 1.0}, whole, "stop"),
        ({"temperature": 50, "min_p": 0.99, "top_p": 1.0}, whole, "stop"),
    )
    for options, text, reason in cases:
        for got in target.in_both_forms(partial(target.chat, "tool-result", options=options)):
            if [read(got).text, read(got).reason] != [text, reason]:
                return expect([read(got).text, read(got).reason], [text, reason], got)
    got = target.chat("tool-result", options={"num_predict": 3})
    return expect([read(got).count("eval_count"), read(got).reason], [3, "length"], got)


@check(
    "context/holds-all-of-it",
    SHOULD,
    group="context",
    source="docs/api.md#generate-a-completion",
    covers=("GEN-046", "GEN-057"),
    breaks=(*SDKS, CONTINUE),
)
def context_holds_all(target: Target) -> Verdict:
    """`context` holds system text, prompt, thinking and answer, wherever the answer was ended."""
    system = target.recital("greeting-system")
    asked: tuple[tuple[str, dict[str, Json]], ...] = (
        ("greeting", {}),
        ("greeting", {"system": system.messages[0]["content"]}),
        ("think", {}),
        ("think", {"options": {"num_predict": 9}}),
        ("count", {"options": {"num_predict": 5}}),
        ("count", {"options": {"num_predict": 260}}),
    )
    answers = target.several(partial(target.generate, id, **fields) for id, fields in asked)
    found: dict[str, int] = {}
    for (id, fields), got in zip(asked, answers, strict=True):
        reply = read(got)
        tokens = reply.count("eval_count") - (reply.reason == "stop")
        told = reply.count("prompt_eval_count") + tokens
        found[f"{id} with {fields}"] = told - len(reply.final["context"])
    wanted = "prompt and answer, in each, the tokens that a prompt begins with or not"
    bounded = read(target.generate("count", options={"num_predict": 1}))
    stopped = read(target.generate("count", options={"stop": [" 2 "]}))
    same = [bounded.text == stopped.text, bounded.final["context"]]
    return every(
        (
            expect_that(len(set(found.values())) == 1, wanted, found),
            expect([True, stopped.final["context"]], same),
        )
    )


@check(
    "options/ends-at-the-limit",
    SHOULD,
    group="options",
    source="llm/llama_server.go:Completion",
    covers=("OPT-002", "OPT-042", "MET-006"),
    breaks=CHATTERS,
)
def ends_at_the_limit(target: Target) -> Verdict:
    """An answer that ends with its last token allowed says stop; with one less it is length."""
    recital = target.recital("greeting")
    return every(
        expect([read(got).text, read(got).reason], [recital.content, reason], got)
        for less, reason in ((0, "stop"), (1, "length"))
        for got in target.in_four_ways(
            "greeting", options={"num_predict": recital.output_tokens - less}
        )
    )


@check(
    "stream/no-half-characters",
    MUST,
    group="streaming",
    source="llm/llama_server.go:Completion",
    covers=("STREAM-017",),
    breaks=(*CHATTERS, LITELLM),
)
def no_half_characters(target: Target) -> Verdict:
    """Where the limit falls into a character its first bytes are not told, streamed or not."""
    return every(
        expect_that(whole.startswith(read(got).text), f"the beginning of {whole}", got.text, got)
        for id in ("unicode-emoji", "unicode-cjk")
        for whole in (target.recital(id).content,)
        for got in target.several(
            partial(ask, id, stream=stream, options={"num_predict": cut})
            for cut in CUTS
            for ask, stream in ((target.chat, True), (target.generate, False))
        )
    )


@check(
    "options/of-any-range",
    SHOULD,
    group="options",
    source="api/types.go:Options.FromMap",
    covers=("OPT-035", "OPT-001", "OPT-040"),
    breaks=(LITELLM, LANGCHAIN),
)
def of_any_range(target: Target) -> Verdict:
    """Values out of range count as the nearest that is sensible: the answer is what it would be."""
    wanted = target.recital("greeting").content
    return every(
        expect(read(got).text, wanted, got)
        for got in target.several(partial(target.chat, options=given) for given in HARMLESS)
    )


@check(
    "options/seeds-are-whole",
    SHOULD,
    group="options",
    source="docs/modelfile.mdx#parameter",
    covers=("OPT-001",),
    breaks=SDKS,
)
def seeds_are_whole(target: Target) -> Verdict:
    """A negative seed but -1 draws the same again, and bits beyond the sixteenth count."""

    def drawn(seed: int) -> str:
        return read(target.draw("uniform", seed=seed)).text

    negative = {seed: {drawn(seed) for _ in range(4)} for seed in (-7, -2)}
    low, high = (
        [read(got).text for got in target.draws("uniform", range(base, base + 12))]
        for base in (0, 1 << 16)
    )
    return every(
        (
            expect_that(all(len(one) == 1 for one in negative.values()), "the same", negative),
            expect_that(low != high, "other tokens from seeds that are 2**16 more", [low, high]),
        )
    )


@check(
    "options/temperature-one-is-one",
    MUST,
    group="options",
    source="docs/modelfile.mdx#parameter",
    covers=("OPT-008", "OPT-030"),
    breaks=(LITELLM, LANGCHAIN),
)
def temperature_one(target: Target) -> Verdict:
    """temperature 1 is a value and no sign that none was given: as good as 1.0001, seed by seed."""

    def drawn(temperature: float) -> list[str]:
        asked = target.draws("long-tailed", SEEDS, temperature=temperature)
        return [read(got).text for got in asked]

    one, nearly = drawn(1), drawn(NEARLY)
    others = sum(a != b for a, b in zip(one, nearly, strict=True))
    return expect_that(others <= 1, "the same tokens", {"1": one, str(NEARLY): nearly})


@check(
    "context/no-more-is-dropped",
    SHOULD,
    group="context",
    source="server/prompt.go:chatPrompt",
    covers=("CTX-003", "REQ-005", "CHAT-009", "CHAT-010"),
    breaks=(*CHATTERS, LANGCHAIN),
)
def no_more_is_dropped(target: Target) -> Verdict:
    """Of a conversation that is too long no more is dropped than has to be; null is not false."""
    _ = target.script
    turn = [{"role": role, "content": "one two three " * 3} for role in ("user", "assistant")]
    last: list[Json] = [{"role": "user", "content": "Hello"}]
    small = {"num_ctx": WINDOW, "num_predict": 2}

    def used(turns: int, **fields: Json) -> int:
        got = target.chat(messages=[*turn * turns, *last], options=small, **fields)
        return read(got).count("prompt_eval_count")

    each = used(2) - used(1)  # of two messages
    kept = [used(30), used(30, **UNSET), used(31)]
    least = WINDOW - each / 2 - MARKS
    shifted = target.chat("endless", shift=None, options={**small, "num_predict": WINDOW})
    return every(
        (
            expect_that(
                all(least <= one <= WINDOW for one in kept), f"{least} to {WINDOW} tokens", kept
            ),
            expect(read(shifted).count("eval_count"), WINDOW, shifted),
        )
    )


@check(
    "generate/not-remembered",
    MUST,
    group="core",
    source="server/routes.go:GenerateHandler",
    covers=("GEN-006", "GEN-007", "GEN-009", "GEN-013"),
    breaks=SDKS,
)
def not_remembered(target: Target) -> Verdict:
    """A context, template, suffix or system text of one request is not that of the next."""
    wanted = target.recital("greeting").content
    context = read(target.generate("history-first")).final.get("context")
    before: tuple[dict[str, Json], ...] = (
        {"context": context},
        {"template": "{{ .Prompt }}"},
        {"raw": True},
        {"think": False, "system": "You are a pirate."},
    )
    for fields in before:
        target.generate("history-none", **fields, options={"num_predict": 3})
        got = target.generate()
        if read(got).text != wanted:
            return expect(read(got).text, wanted, got)
    both = "{{ if .Suffix }}x{{ end }}{{ .Prompt }}{{ .Response }}"
    model, raw = made(target, "inserts", template=both), target.recital("raw")
    target.generate(model=model, prompt="Once", suffix="time", options={"num_predict": 1})
    got = target.generate(model=model, prompt=raw.prompt)
    return expect(read(got).text, raw.output, got)


@check(
    "vision/not-remembered",
    MUST,
    group="vision",
    source="server/routes.go:GenerateHandler",
    covers=("GEN-004", "CHAT-018", "IMG-010"),
    breaks=SEERS,
)
def pictures_are_not_remembered(target: Target) -> Verdict:
    """A picture of one request is not that of the next, which has none."""
    none = album().recitals["picture-none"]
    of_last(target, "picture-red")
    asked = {"model": seer(target), "stream": False, "prompt": none.messages[-1]["content"]}
    return says(target.post("/api/generate", asked, options=GREEDY), none.id)


@check(
    "logprobs/of-whole-answers",
    SHOULD,
    group="logprobs",
    source="server/logprob.go",
    covers=("LOGP-004", "LOGP-006", "LOGP-007", "LOGP-010"),
    breaks=(LANGCHAIN, LANGCHAIN_JS),
)
def of_whole_answers(target: Target) -> Verdict:
    """Entries spell the answer, the token that ends it has none, and rare tokens have their own."""
    recital = target.recital("greeting")
    spelled = (
        expect([_spelled(got), len(entries(got))], [recital.content, recital.output_tokens - 1],
               got)
        for got in target.in_four_ways("greeting", logprobs=True)
    )  # fmt: skip
    return every((*spelled, *_rare(target)))


def _rare(target: Target) -> Iterator[Verdict]:
    known = target.distribution("long-tailed")
    asked: dict[str, Json] = {"raw": True, "logprobs": True, "top_logprobs": 20}
    got = target.generate(prompt=known.prompt, options={"num_predict": 1}, **asked)
    found = {one["token"]: one["logprob"] for one in entries(got)[0]["top_logprobs"]}
    exact = any(abs(one - round(one, 2)) > 1e-4 for one in found.values())
    yield expect_that(exact, "values of more than two digits", found, got)
    for token, probability in known.probabilities:
        near = abs(found.get(token, 0.0) - math.log(probability)) < OFF
        yield expect_that(near, f"{token}: {math.log(probability):.2f}", found.get(token), got)

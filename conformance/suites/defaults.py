"""Class options, part seven: what an option is when it is not given, and when it is nought.

An option that is left out is held against the same request with Ollama's default written down:
with one seed both draw the same token, whatever the seed. The other options of a case are such
that another default would be seen.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import partial

from ..arithmetic import load_logits
from ..check import MUST, PASSED, SHOULD, Verdict, check, every, expect, expect_that
from ..clients import CHATTERS, CONTINUE, LANGCHAIN, LLAMAINDEX, SDKS
from ..evidence import Exchange, Json
from ..provision import create
from ..reply import read
from ..target import GREEDY, Target
from .busy import offered
from .every_way import WAYS
from .options import cut_at
from .parameters import greedily

SEEDS = range(1, 13)
OFF: dict[str, Json] = {"top_k": 0, "top_p": 1.0, "min_p": 0.0, "temperature": 1.0}
LEVEL: dict[str, Json] = {"temperature": 12.0}  # hundreds of tokens share the half of it all
# the option, its default, what is given beside it, and after which prompt
DRAWN: tuple[tuple[str, Json, dict[str, Json], str], ...] = (
    ("temperature", 0.8, {}, "long-tailed"),
    ("top_k", 40, LEVEL, "steep"),
    ("top_p", 0.9, {}, "long-tailed"),
    ("min_p", 0.0, {"temperature": 8.0, "top_k": 20}, "long-tailed"),
    ("typical_p", 1.0, {"temperature": 4.0, "top_k": 20}, "long-tailed"),
)
# the option, what turns it off, what servers take in its place, and so on
TURNED_OFF: tuple[tuple[str, Json, Json, dict[str, Json], str], ...] = (
    ("top_p", 1.0, 0.9, {"temperature": 4.0}, "long-tailed"),
    ("min_p", 0.0, 0.05, {"temperature": 8.0, "top_k": 20}, "long-tailed"),
    ("typical_p", 1.0, 0.9, {"temperature": 4.0, "top_k": 20}, "long-tailed"),
    ("top_k", 0, 40, LEVEL, "steep"),
)
MORE_SEEDS = range(16)
OWN_STOPS = [" 9 ", " 4 ", " 8 "]  # neither the first nor the last of them comes first
LARGE = (400, 40, 100)  # of top_k; the small ones are bounds of other services
PENALTIES = ("repeat_penalty", "presence_penalty", "frequency_penalty")
FAR = 300  # tokens: more than 128 and 256, which servers have for defaults and for bounds
BEYOND = 1_000_000  # tokens: more than any window of ours holds
LAST_SIGNED = 2**31  # a seed has 32 bits
AGAIN = 5  # draws of ten, of which by chance all are as before once in a hundred thousand


@check(
    "options/defaults",
    SHOULD,
    group="options",
    source="docs/modelfile.mdx#valid-parameters-and-values",
    covers=("OPT-003", "OPT-004", "OPT-005", "OPT-006", "OPT-008", "OPT-009"),
    breaks=(*SDKS, *CHATTERS),
)
def defaults(target: Target) -> Verdict:
    """An option that is left out has Ollama's default: the same seeds draw the same tokens."""
    for name, default, beside, id in DRAWN:
        prompt = target.distribution(id).prompt
        given = {key: value for key, value in {**OFF, **beside}.items() if key != name}
        told: list[dict[str, Json]] = [{}, {name: default}]
        texts = _each(
            target, prompt, [{**given, "seed": seed, **more} for seed in SEEDS for more in told]
        )
        for seed, absent, written in zip(SEEDS, texts[::2], texts[1::2], strict=True):
            if absent != written:
                wanted = f"{written!r}, as with {name} {default} (seed {seed}, {given})"
                return expect_that(False, wanted, f"{absent!r} where {name} is left out")
    return _no_penalty(target)


def _ask(target: Target, prompt: str, options: dict[str, Json]) -> Exchange:
    ask = {"model": target.model, "raw": True, "stream": False, "prompt": prompt}
    return target.post("/api/generate", ask, options={**options, "num_predict": 1})


def _one(target: Target, prompt: str, options: dict[str, Json]) -> str:
    return read(_ask(target, prompt, options)).text


def _each(target: Target, prompt: str, cases: Iterable[dict[str, Json]]) -> list[str]:
    return [
        read(got).text
        for got in target.several(partial(_ask, target, prompt, one) for one in cases)
    ]


def _no_penalty(target: Target) -> Verdict:
    """Passed if nothing is taken off what was said unless that is asked for."""
    wanted = greedily("after-a")
    found = _one(target, load_logits()["after-a"].prompt, dict(GREEDY))
    told = f"{wanted!r}, by arithmetic, where no penalty is given ({', '.join(PENALTIES)})"
    return expect_that(found == wanted, told, found)


@check(
    "options/off-is-off",
    SHOULD,
    group="options",
    source="docs/modelfile.mdx#valid-parameters-and-values",
    covers=("OPT-003", "OPT-004", "OPT-005", "OPT-006"),
    breaks=(LANGCHAIN, LLAMAINDEX),
)
def off_is_off(target: Target) -> Verdict:
    """A filter that is turned off is not the one that servers have by default: seeds tell them."""
    for name, off, usual, beside, id in TURNED_OFF:
        prompt, given = target.distribution(id).prompt, {**OFF, **beside}
        none, some = (
            _each(target, prompt, ({**given, name: value, "seed": seed} for seed in MORE_SEEDS))
            for value in (off, usual)
        )
        if none == some:
            wanted = f"other texts with {name} {off} than with {usual}, of {len(none)} seeds"
            return expect_that(False, wanted, none)
    return PASSED


@check(
    "options/top-k-large",
    MUST,
    group="options",
    source="docs/modelfile.mdx#valid-parameters-and-values",
    covers=("OPT-003", "OPT-030"),
    breaks=(LANGCHAIN, LLAMAINDEX),
)
def top_k_large(target: Target) -> Verdict:
    """A `top_k` of hundreds is none of 40 or 100: the same seeds draw other texts."""
    prompt = target.distribution("steep").prompt
    great, *small = (
        _each(target, prompt, ({**OFF, **LEVEL, "top_k": k, "seed": n} for n in MORE_SEEDS))
        for k in LARGE
    )
    return expect_that(great not in small, f"other texts with {LARGE[0]} than with less", great)


@check(
    "options/nought-is-a-value",
    MUST,
    group="options",
    source="api/types.go:Options.FromMap",
    covers=("OPT-030", "OPT-037", "OPT-044"),
    breaks=(*SDKS, LANGCHAIN, CONTINUE),
)
def nought_is_a_value(target: Target) -> Verdict:
    """An option given as 0 takes the place of the model's own, as any other value does."""
    _ = target.script
    drawn = target.distribution("long-tailed")
    offered(target, "create")
    name = target.temporary("nought")
    own: dict[str, Json] = {"top_k": 1, "temperature": 2.0, "min_p": 0.99, "seed": 7}
    create(target, name, **{"from": target.model, "parameters": own})
    ask: dict[str, Json] = {"model": name, "raw": True, "stream": False, "prompt": drawn.prompt}

    def draw(seeds: Iterable[int], **options: Json) -> set[str]:
        given = {"num_predict": 1, "top_p": 1.0, **options}
        asks = (
            partial(target.post, "/api/generate", ask, options={**given, "seed": seed})
            for seed in seeds
        )
        return {read(got).text for got in target.several(asks)}

    likeliest = drawn.probabilities[0][0]
    open_: dict[str, Json] = {"top_k": 0, "min_p": 0}
    several = draw(range(8), **open_)
    return every(
        (
            expect(draw(range(3)), {likeliest}),  # its own top_k
            expect(draw(range(3), **open_, top_p=0), {likeliest}),
            expect_that(
                len(several) > 1,
                "several texts with top_k 0 and min_p 0, which take the place of 1 and 0.99",
                sorted(several),
            ),
            expect(draw(range(6), temperature=0, **open_), {likeliest}),
            expect(len(draw([0] * 4, **open_)), 1),
        )
    )


@check(
    "options/stop-replaces",
    MUST,
    group="options",
    source="api/types.go:Options.FromMap",
    covers=("OPT-037", "OPT-030"),
    breaks=(*SDKS, LANGCHAIN, CONTINUE),
)
def stop_replaces(target: Target) -> Verdict:
    """A request's stop list takes the place of the model's, in chat and generate; [] clears it."""
    _ = target.script
    offered(target, "create")
    name = target.temporary("stops")
    create(target, name, **{"from": target.model, "parameters": {"stop": OWN_STOPS}})
    for stops, wanted in ((None, "1 2 3"), ([" 6 "], "1 2 3 4 5"), ([], "1 2 3 4 5 6 7")):
        for got in target.in_four_ways(
            "count", model=name, options={"stop": stops, "num_predict": 24}
        ):
            text = read(got).text
            if text != wanted and not (stops == [] and text.startswith(wanted)):
                told = f"{wanted!r} where the model's stop is {OWN_STOPS}, the request's {stops}"
                return expect_that(False, told, text, got)
    return PASSED


@check(
    "options/seeds-of-any-size",
    SHOULD,
    group="options",
    source="docs/modelfile.mdx#valid-parameters-and-values",
    covers=("OPT-001",),
    breaks=SDKS,
)
def seeds_of_any_size(target: Target) -> Verdict:
    """Seeds of 32 bits are told apart: each draws its own token, and the same again."""
    prompt = target.distribution("uniform").prompt
    for first in (LAST_SIGNED, 2 * LAST_SIGNED - 20):  # 2**32 - 1 is random, as -1 is
        texts = [_one(target, prompt, {**OFF, "seed": first + n}) for n in range(10)]
        again = [_one(target, prompt, {**OFF, "seed": first + n}) for n in range(AGAIN)]
        if texts[:AGAIN] != again or len(set(texts)) == 1:
            wanted = f"several texts of ten, the same again, from seeds {first} and on"
            return expect_that(False, wanted, [texts, again])
    return PASSED


@check(
    "options/stop-as-given",
    MUST,
    group="options",
    source="docs/modelfile.mdx#valid-parameters-and-values",
    covers=("OPT-012", "OPT-047", "OPT-049"),
    breaks=(*SDKS, CONTINUE, LANGCHAIN),
)
def stop_as_given(target: Target) -> Verdict:
    """A stop string is taken as it is: the last of forty, with blanks, of any script, long."""
    never = [f"never {n}" for n in range(39)]
    cases: list[tuple[str, list[str], str]] = [
        ("count", [*never, " 9"], " 9"),
        ("count", ["1 2"], "1 2"),  # what is said first
        ("count", ["7 8 ", "\n 5", "9 "], "7 8 "),
        ("count", ["21 22 23 24 25 26 27 28 29 30 31 32 33 34", "hundred"], "21 22"),
        ("unicode-cjk", ["世界。"], "世界。"),
        ("unicode-emoji", ["🏳️‍🌈"], "🏳️‍🌈"),
        ("unicode-combining", ["नमस्ते"], "नमस्ते"),
        ("json", ['\\"age\\"', '"age"'], '"age"'),
    ]
    asked = [one for one in cases for _ in WAYS]
    asks = (
        partial(
            target.chat if path == "/api/chat" else target.generate,
            id,
            stream=stream,
            options={"stop": stops},
        )
        for id, stops, _ in cases
        for path, stream in WAYS
    )
    whole = target.recital("greeting").content
    ends = target.in_four_ways("greeting", options={"stop": [f"{whole[-6:]}!"]})
    emoji = target.recital("unicode-emoji")
    ask = {"model": target.model, "stream": False, **emoji.asked}
    body = json.dumps({**ask, "options": {**GREEDY, "stop": ["👍🏽"]}})
    escaped = target.request("POST", "/api/chat", body.encode())
    return every(
        (
            cut_at("👍🏽", emoji.content, escaped),
            *(
                cut_at(found, target.recital(id).content, got)
                for (id, _, found), got in zip(asked, target.several(asks), strict=True)
            ),
            *(expect([read(got).text, read(got).reason], [whole, "stop"], got) for got in ends),
        )
    )


@check(
    "options/num-predict-large",
    MUST,
    group="options",
    source="docs/modelfile.mdx#valid-parameters-and-values",
    covers=("OPT-002", "OPT-040"),
    breaks=(*CHATTERS, LLAMAINDEX),
)
def num_predict_large(target: Target) -> Verdict:
    """A great `num_predict` is kept to, and a negative one lets a long answer end by itself."""
    whole, prose = target.recital("count"), target.recital("prose")
    bounded, *endless = target.several(
        (
            partial(target.chat, "endless", stream=True, options={"num_predict": FAR}),
            partial(target.chat, "count", options={"num_predict": -1}),
            partial(target.generate, "prose", stream=True, options={"num_predict": -2}),
            partial(target.chat, "prose", options={"num_predict": BEYOND}),
        )
    )
    return every(
        (
            expect([read(bounded).count("eval_count"), read(bounded).reason], [FAR, "length"]),
            expect_that(
                target.recital("endless").output.startswith(read(bounded).text),
                "what is recited, as far as it goes",
                read(bounded).text,
                bounded,
            ),
            *(expect([read(got).text, read(got).reason], [one.content, "stop"], got)
              for one, got in zip((whole, prose, prose), endless, strict=True)),
        )
    )  # fmt: skip

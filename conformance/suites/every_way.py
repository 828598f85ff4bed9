"""Class options, part six: what one way of asking heeds, all heed: chat, generate, streamed, not.

Prompts of known distributions are asked of a model whose template is the bare prompt, so that
chat can be asked for them, too. Only what is certain is looked for: options that leave one token,
and seeds, which draw the same token wherever they are given.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import partial

from ..arithmetic import load_logits
from ..check import MUST, PASSED, SHOULD, Outcome, Verdict, check, every, expect, expect_that
from ..clients import CHATTERS, LANGCHAIN, LLAMAINDEX, SDKS
from ..evidence import Exchange, Json
from ..reply import read
from ..target import Target
from .parameters import greedily
from .shown import made

BARE = "{{ range .Messages }}{{ .Content }}{{ end }}"  # a template that is the conversation itself
OFF: dict[str, Json] = {"top_k": 0, "top_p": 1.0, "min_p": 0.0, "repeat_penalty": 1.0}
SEEDS = range(1, 5)
WAYS = [(path, stream) for path in ("/api/chat", "/api/generate") for stream in (False, True)]


def way_name(path: str, stream: bool) -> str:
    """A way of asking, for people."""
    return f"{path.removeprefix('/api/')}{', streamed' if stream else ''}"


def in_every_way(
    target: Target, model: str, prompt: str, options: Mapping[str, Json] | None
) -> Iterator[tuple[str, Exchange]]:
    """Each way of asking, and what a model whose template is the bare prompt answers to it."""
    turn = [{"role": "user", "content": prompt}]
    said: dict[str, Json] = {"/api/chat": {"messages": turn}, "/api/generate": {"prompt": prompt}}
    given = {"model": model, **({} if options is None else {"options": options})}
    answers = target.several(
        partial(target.post, path, {"stream": stream, **said[path], **given})
        for path, stream in WAYS
    )
    yield from zip((way_name(*way) for way in WAYS), answers, strict=True)


def asked(target: Target, model: str, prompt: str, **options: Json) -> Iterator[tuple[str, str]]:
    """Each way of asking, and the token that comes after a prompt of known logits."""
    given = {"temperature": 1, **OFF, "num_predict": 1, **options}
    for way, got in in_every_way(target, model, prompt, given):
        yield way, read(got).text


def certain(target: Target, options: Iterable[Mapping[str, Json]]) -> Verdict:
    """Passed if options that leave one token to say leave it in every way of asking.

    Where one of them is not read an ordinary answer is the likeliest token once in five: four
    seeds and one way miss that with a chance of 0.002.
    """
    model, prompt = made(target, "bare", template=BARE), target.distribution("long-tailed").prompt
    for given in options:
        found: dict[str, set[str]] = {}
        for seed in SEEDS:
            for way, text in asked(target, model, prompt, **{"seed": seed, **given}):
                found.setdefault(way, set()).add(text)
        if len(set().union(*found.values())) > 1:
            told = {way: sorted(texts) for way, texts in found.items()}
            return expect_that(False, f"one text in every way of asking, with {given}", told)
    return PASSED


@check(
    "options/one-token-in-every-way",
    MUST,
    group="options",
    source="server/routes.go:modelOptions",
    covers=("OPT-003", "OPT-004", "OPT-008", "GEN-012", "CHAT-007"),
    breaks=(*SDKS, LANGCHAIN, LLAMAINDEX),
)
def one_token(target: Target) -> Verdict:
    """temperature 0, top_k 1 and a small top_p leave one token, in chat as in generate."""
    _ = target.script
    return certain(target, ({"temperature": 0}, {"top_k": 1}, {"top_p": 0.1}))


@check(
    "options/min-p-in-every-way",
    SHOULD,
    group="options",
    source="server/routes.go:modelOptions",
    covers=("OPT-005", "OPT-006"),
    breaks=(LANGCHAIN, LLAMAINDEX),
)
def min_p(target: Target) -> Verdict:
    """min_p near one and typical_p near nought leave one token, in chat as in generate."""
    _ = target.script
    return certain(target, ({"min_p": 0.95}, {"typical_p": 0.01}))


@check(
    "options/seed-in-every-way",
    MUST,
    group="options",
    source="docs/modelfile.mdx#parameter",
    covers=("OPT-001",),
    breaks=(*SDKS, *CHATTERS),
)
def seed(target: Target) -> Verdict:
    """A seed draws the same token in chat as in generate, streamed or not."""
    prompt = target.distribution("uniform").prompt
    model, seen = made(target, "bare-seed", template=BARE), set()
    for number in (0, *SEEDS, 9):
        found = dict(asked(target, model, prompt, seed=number))
        seen |= set(found.values())
        if len(set(found.values())) > 1:
            return expect_that(False, f"one text for seed {number}, of ten", found)
    return expect_that(len(seen) > 1, "several texts from six seeds", sorted(seen))


@check(
    "options/penalties-in-every-way",
    SHOULD,
    group="options",
    source="server/routes.go:modelOptions",
    covers=("OPT-007", "OPT-009", "OPT-010", "OPT-011"),
    breaks=(LANGCHAIN, LLAMAINDEX),
)
def penalties(target: Target) -> Verdict:
    """Penalties move the likeliest token as arithmetic says, in chat as in generate."""
    _ = target.script
    model, prompt = made(target, "bare-penalty", template=BARE), load_logits()["after-a"].prompt
    cases: tuple[dict[str, Json], ...] = (
        {"repeat_penalty": 1.3},
        {"presence_penalty": 2.0},
        {"frequency_penalty": 2.0},
        {"presence_penalty": 2.0, "repeat_last_n": 0},
    )
    for given in cases:
        wanted = greedily("after-a", **given)
        found = dict(asked(target, model, prompt, temperature=0, **given))
        if set(found.values()) != {wanted}:
            return expect_that(False, f"{wanted!r}, by arithmetic, with {given}", found)
    return PASSED


@check(
    "options/not-remembered",
    MUST,
    group="options",
    source="server/routes.go:modelOptions",
    covers=("OPT-030", "GEN-005", "GEN-012", "CHAT-007", "FMT-003"),
    breaks=(*SDKS, *CHATTERS),
)
def not_remembered(target: Target) -> Verdict:
    """What a request gives ends with it: the next one is answered as if it were the first."""
    wanted = target.recital("greeting").content
    before: tuple[dict[str, Json], ...] = (
        {"logprobs": True, "think": False, "options": {"stop": ["How"], "num_predict": 9}},
        {"format": "json", "options": {"num_predict": 3}},
    )
    pirate = target.recital("greeting-system").messages
    system: dict[str, Json] = {"system": pirate[0]["content"]}
    for fields in before:
        for ask, told in ((target.generate, system), (target.chat, {"messages": list(pirate)})):
            ask(**told, **fields)
            got = ask()
            found = {"text": read(got).text, "logprobs": got.object.get("logprobs")}
            if found != (plain := {"text": wanted, "logprobs": None}):
                why = f"what the request before gave: a system text, {', '.join(fields)}"
                return Verdict(Outcome.FAILED, plain, found, why, got)
    return _unseeded(target)


def _unseeded(target: Target) -> Verdict:
    """Passed if a request without seed and temperature draws anew after one with them."""
    prompt = target.distribution("uniform").prompt
    ask = {"model": target.model, "raw": True, "stream": False, "prompt": prompt}
    target.post("/api/generate", ask, options={"seed": 5, "temperature": 0, "num_predict": 1})
    texts = {
        read(target.post("/api/generate", ask, options={"num_predict": 1})).text for _ in range(12)
    }
    wanted = "several texts of ten: the request before gave a seed and temperature 0"
    return expect_that(len(texts) > 1, wanted, sorted(texts))


@check(
    "generate/fields-in-every-way",
    MUST,
    group="core",
    source="docs/api.md#generate-a-completion",
    covers=("GEN-005", "GEN-006", "GEN-007", "GEN-009", "GEN-013", "GEN-055", "THINK-007"),
    breaks=SDKS,
)
def fields_in_every_way(target: Target) -> Verdict:
    """system, raw, template, context and think of generate are read in streams as without."""
    recitals = target.script.recitals
    pirate, greeting = recitals["greeting-system"], recitals["greeting"]
    cases: list[tuple[str, dict[str, Json], str]] = [
        ("greeting", {"system": pirate.messages[0]["content"]}, pirate.content),
        ("greeting", {"prompt": greeting.prompt, "raw": True}, greeting.output),
        ("greeting", {"prompt": recitals["raw"].prompt, "raw": True}, recitals["raw"].output),
        ("greeting", {"prompt": greeting.prompt, "template": "{{ .Prompt }}"}, greeting.output),
        ("think", {"think": False}, recitals["think-off"].content),
    ]
    first = target.generate("history-first", stream=True)
    context = read(first).final.get("context")
    remembered = recitals["context"].content
    if context is None:
        return expect_that(False, "`context` in the last record of a stream", None, first)
    cases.append(("history-none", {"context": context}, remembered))
    return every(
        expect([read(got).text, read(got).thinking], [wanted, ""], got)
        for id, fields, wanted in cases
        for got in target.in_both_forms(partial(target.generate, id, **fields))
    )

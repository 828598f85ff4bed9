"""Class options, part three: each option is accepted, and is heeded: the support matrix.

Two checks an option, from one table. What is heeded is judged by two values that must give two
answers: one that leaves a single thing to say and one that does not. Where several draws have to
differ there are ten of twenty letters, the likeliest 0.2: an honest server draws ten alike with a
chance of 1.2e-7. Where they have to be alike nothing is left to chance. `_ordinary` judges most of
them of models whose words are not known.
"""

from __future__ import annotations

from collections.abc import Callable

from ..arithmetic import Sampling, chances, load_logits
from ..check import (
    MUST,
    PASSED,
    SHOULD,
    Outcome,
    Verdict,
    check,
    expect,
    expect_that,
    not_testable,
)
from ..clients import CHATTERS, LANGCHAIN, LLAMAINDEX
from ..evidence import Exchange, Json, Wrong
from ..parameters import PARAMETERS, Parameter
from ..reply import read
from ..target import Target
from ._ordinary import HEEDED

DRAWS = 10
LONG = "a b c d " * 200  # a thousand tokens or so; no recital
ORDINARY_VALUES: dict[str, Json] = {
    "temperature": 0.7,
    "top_k": 30,
    "top_p": 0.95,
    "min_p": 0.05,
    "typical_p": 0.9,
    "seed": 7,
    "num_predict": 5,
    "num_ctx": 4096,
    "num_keep": 5,
    "stop": ["parallama"],
    "repeat_penalty": 1.1,
    "repeat_last_n": 32,
    "presence_penalty": 0.1,
    "frequency_penalty": 0.1,
}


def accepted(target: Target, name: str) -> Verdict:
    """Passed if an ordinary value of the option is answered as the request without it is."""
    ask: dict[str, Json] = {"model": target.model, "stream": False, **target.asked("greeting")}
    short = {} if name == "num_predict" else {"num_predict": 5}
    got = target.post("/api/chat", ask, options={**short, name: ORDINARY_VALUES[name]})
    if got.code == 200:
        return PASSED
    if target.post("/api/chat", ask, options=short).code != 200:
        not_testable("the same request without the option is not answered either")
    told = f"status {got.status}: {got.loose_text[:200]}"
    return Verdict(Outcome.FAILED, "status 200", told, f"{name} is refused", got)


def alike_then_not(target: Target, narrow: dict[str, Json], wide: dict[str, Json]) -> Verdict:
    """Passed if the narrow options leave one text to draw, and the wide ones several."""
    seeds = range(1, DRAWS + 1)
    one = {read(got).text for got in target.draws("long-tailed", seeds, **narrow)}
    if len(one) > 1:
        return expect_that(False, f"always the same text with {narrow}", sorted(one))
    several = {read(got).text for got in target.draws("long-tailed", seeds, **wide)}
    told = f"always {sorted(several)}"
    return expect_that(len(several) > 1, f"several texts with {wide}", told)


def narrows(narrow: dict[str, Json], wide: dict[str, Json]) -> Callable[[Target], Verdict]:
    """A check that an option decides whether one text or several can be drawn."""
    return lambda target: alike_then_not(target, narrow, wide)


def greedily(id: str, **given: Json) -> str:
    """What arithmetic says of the likeliest text under these options."""
    return next(iter(chances(load_logits()[id], Sampling(temperature=0, **given))))


def take(target: Target, id: str, **given: Json) -> Exchange:
    """One token after a prompt of known logits, the likeliest under these options."""
    off = {"temperature": 0, "top_k": 0, "top_p": 1.0, "min_p": 0.0, "repeat_penalty": 1.0}
    ask = {"model": target.model, "raw": True, "stream": False}
    options = {**off, "num_predict": 1, **given}
    return target.post("/api/generate", ask, prompt=load_logits()[id].prompt, options=options)


def as_computed(target: Target, id: str, *cases: dict[str, Json]) -> Verdict:
    """Passed if under each of these options the likeliest text is what arithmetic says.

    Nothing is left to chance: the nearest rival is at least 0.2 logits away, a hundred times what
    float16 and another order of summing can move.
    """
    _ = target.script
    for given in cases:
        got = take(target, id, **given)
        text, wanted = read(got).text, greedily(id, **given)
        if text != wanted:
            return expect_that(False, f"{wanted!r}, by arithmetic, with {given}", text, got)
    return PASSED


def computed(id: str, *cases: dict[str, Json]) -> Callable[[Target], Verdict]:
    """A check by `as_computed`."""
    return lambda target: as_computed(target, id, *cases)


def prompt_tokens(
    target: Target, path: str = "/api/generate", *, stream: bool = False, **given: Json
) -> int:
    """How many tokens of a prompt that is too long are counted, with shifting on."""
    options = target.options({"num_predict": 2, "num_ctx": 256, **given})
    turn = {"role": "user", "content": LONG}
    asked = {"messages": [turn]} if path == "/api/chat" else {"prompt": LONG, "raw": True}
    got = target.post(path, asked, model=target.model, stream=stream, options=options)
    return read(got).count("prompt_eval_count")


def heeds_num_predict(target: Target) -> Verdict:
    """Two bounds, two counts."""
    found = [
        read(target.chat("count", options={"num_predict": bound})).count("eval_count")
        for bound in (3, 8)
    ]
    return expect(found, [3, 8])


def heeds_num_ctx(target: Target) -> Verdict:
    """A thousand tokens do not fit 256, and do fit 2048."""
    small, large = (prompt_tokens(target, num_ctx=size) for size in (256, 2048))
    holds = 0 < small <= 256 < large
    return expect_that(holds, "at most 256 tokens read, and then all", [small, large])


def heeds_num_keep(target: Target) -> Verdict:
    """What is kept of a prompt that is cut is not counted among what is cut."""
    few, many = (prompt_tokens(target, num_keep=kept) for kept in (0, 100))
    return expect_that(few < many, "fewer tokens read with num_keep 0 than with 100", [few, many])


def heeds_stop(target: Target) -> Verdict:
    """With a stop string the answer ends before it, without it does not."""
    whole = target.recital("count").content
    options: dict[str, Json] = {"num_predict": 30}
    long = read(target.chat("count", options=options)).text
    short = read(target.chat("count", options={**options, "stop": [" 3 "]})).text
    if not long.startswith(whole[:20]):
        raise Wrong("the recital", long)
    return expect(short, whole[: whole.index(" 3 ")])


HEEDS: dict[str, Callable[[Target], Verdict]] = {
    "temperature": narrows({"temperature": 0}, {"temperature": 1}),
    "top_k": narrows({"top_k": 1}, {"top_k": 20}),
    "top_p": narrows({"top_p": 0.1}, {"top_p": 1.0}),
    "min_p": narrows({"min_p": 0.95}, {"min_p": 0.0}),
    "typical_p": narrows({"typical_p": 0.01}, {"typical_p": 1.0}),
    "seed": lambda target: alike_then_not(target, {"seed": 42}, {}),
    "num_predict": heeds_num_predict,
    "num_ctx": heeds_num_ctx,
    "num_keep": heeds_num_keep,
    "stop": heeds_stop,
    "repeat_penalty": computed("after-a", {"repeat_penalty": 1.0}, {"repeat_penalty": 1.3}),
    "repeat_last_n": computed(
        "after-a",
        {"repeat_penalty": 1.3, "presence_penalty": 2.0, "repeat_last_n": 64},
        {"repeat_penalty": 1.3, "presence_penalty": 2.0, "repeat_last_n": 0},
    ),
    "presence_penalty": computed("after-a", {"presence_penalty": 0.0}, {"presence_penalty": 2.0}),
    "frequency_penalty": computed(
        "after-a", {"frequency_penalty": 0.0}, {"frequency_penalty": 2.0}
    ),
}


def enter(one: Parameter) -> None:
    """Make the two checks of an option."""

    def accepts(target: Target) -> Verdict:
        return accepted(target, one.name)

    def heeds(target: Target) -> Verdict:
        known = target.setup.scripted or one.name not in HEEDED
        return (HEEDS if known else HEEDED)[one.name](target)

    accepts.__doc__ = f"A request with the option `{one.name}` is answered."
    heeds.__doc__ = f"`{one.name}` has an effect: two values of it give two answers."
    level = MUST if one.must else SHOULD
    source = "docs/modelfile.mdx#parameter"
    breaks = CHATTERS if one.must else (LANGCHAIN, LLAMAINDEX)
    rows = (one.row,)
    check(one.accepts, level, group="options", source=source, covers=rows, breaks=breaks)(accepts)
    check(one.heeds, level, group="options", source=source, covers=rows, breaks=())(heeds)


for _one in PARAMETERS:
    enter(_one)

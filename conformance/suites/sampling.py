"""Class options, part two: sampling, judged by arithmetic on known distributions.

Where draws are counted, an honest server fails a check with a chance under one in a million: a
text counts as missed only where so many draws miss it more rarely than that, and draws that have
to fit are held to the exact multinomial test of `arithmetic.fit`.
"""

from __future__ import annotations

from collections import Counter
from functools import partial

from ..arithmetic import NEVER, Sampling, chances, fit, load_logits
from ..check import MUST, PASSED, SHOULD, Verdict, check, every, expect, expect_that
from ..clients import LANGCHAIN, LLAMAINDEX, SDKS
from ..evidence import Json
from ..likeness import expect_again
from ..reply import read
from ..target import Target

ENOUGH = 36  # draws, of which one that has a third is missed with a chance of 5e-7
FEW = 12


def draws(target: Target, id: str, count: int, **options: Json) -> Counter[str]:
    """How often each text was drawn, with seeds from 1 on."""
    return Counter(read(got).text for got in target.draws(id, range(1, count + 1), **options))


def sees_exactly(target: Target, id: str, kept: int, count: int, **options: Json) -> Verdict:
    """Passed if so many draws give the `kept` likeliest tokens, all of them and no other."""
    likeliest = target.distribution(id).probabilities[:kept]
    found = draws(target, id, count, **options)
    mass = sum(probability for _, probability in likeliest)
    missed = [
        text
        for text, probability in likeliest
        if not found[text] and (1 - probability / mass) ** count < NEVER
    ]
    odd = [text for text in found if text not in dict(likeliest)]
    told = f"{dict(found)}"
    wanted = f"each of {', '.join(text for text, _ in likeliest)} and no other"
    return expect_that(not odd and not missed, wanted, told)


@check(
    "options/seed-repeats",
    MUST,
    group="options",
    source="docs/modelfile.mdx#parameter",
    covers=("OPT-001",),
    breaks=(*SDKS, LANGCHAIN),
)
def seed_repeats(target: Target) -> Verdict:
    """The same seed draws the same tokens; other seeds draw others."""
    hot = {"temperature": 1.5, "top_k": 0, "top_p": 1.0, "num_predict": 12}
    first, again = (
        read(target.chat("prose", options={**hot, "seed": seed})).text for seed in (3, 3)
    )
    ours = expect_again(target, again, first)
    if not target.setup.scripted:
        return ours
    drawn = draws(target, "uniform", 16)
    return every((ours, expect_that(len(drawn) > 2, "several texts from 16 seeds", dict(drawn))))


@check(
    "options/seed-of-a-draw",
    MUST,
    group="options",
    source="docs/modelfile.mdx#parameter",
    covers=("OPT-001",),
    breaks=SDKS,
)
def seed_of_a_draw(target: Target) -> Verdict:
    """Ten alike tokens: each seed always draws the same one of them."""
    for seed in range(8):
        texts = {read(target.draw("uniform", seed=seed)).text for _ in range(3)}
        if len(texts) != 1:
            return expect_that(False, f"one text for seed {seed}", sorted(texts))
    return expect_that(len(draws(target, "uniform", 16)) > 2, "several texts from 16 seeds", "one")


@check(
    "options/no-seed-is-random",
    SHOULD,
    group="options",
    source="docs/openapi.yaml",
    covers=("OPT-001",),
)
def no_seed_is_random(target: Target) -> Verdict:
    """Without a seed every request draws anew, and so it does with a seed of null or -1."""
    nothings: tuple[dict[str, Json], ...] = ({}, {"seed": None}, {"seed": -1})
    for given in nothings:
        asks = [partial(target.draw, "uniform", **given)] * 9
        found = Counter(read(got).text for got in target.several(asks))
        if len(found) == 1:
            told = f"more than one text in 9 draws of ten, with {given or 'no seed'}"
            return expect_that(False, told, dict(found))
    return PASSED


@check(
    "options/top-k-one",
    MUST,
    group="options",
    source="docs/modelfile.mdx#parameter",
    covers=("OPT-003",),
    breaks=(LANGCHAIN, LLAMAINDEX),
)
def top_k_one(target: Target) -> Verdict:
    """`top_k` 1 is greedy at any temperature."""
    return sees_exactly(target, "steep", 1, FEW, top_k=1, temperature=2.0)


@check(
    "options/top-k",
    MUST,
    group="options",
    source="docs/modelfile.mdx#parameter",
    covers=("OPT-003", "OPT-043"),
    breaks=(LANGCHAIN,),
)
def top_k(target: Target) -> Verdict:
    """`top_k` leaves exactly the k likeliest tokens."""
    return every(
        (
            sees_exactly(target, "steep", 2, ENOUGH, top_k=2),
            sees_exactly(target, "long-tailed", 4, ENOUGH, top_k=4),
        )
    )


@check(
    "options/top-p",
    MUST,
    group="options",
    source="docs/modelfile.mdx#parameter",
    covers=("OPT-004", "OPT-043"),
    breaks=(LANGCHAIN, LLAMAINDEX),
)
def top_p(target: Target) -> Verdict:
    """`top_p` leaves the fewest tokens that together reach p."""
    return every(
        (
            sees_exactly(target, "steep", 1, FEW, top_p=0.5),
            sees_exactly(target, "steep", 2, ENOUGH, top_p=0.8),
        )
    )


@check(
    "options/min-p",
    SHOULD,
    group="options",
    source="docs/modelfile.mdx#parameter",
    covers=("OPT-005", "OPT-043"),
)
def min_p(target: Target) -> Verdict:
    """`min_p` leaves the tokens at least p times as likely as the likeliest."""
    return sees_exactly(target, "steep", 2, ENOUGH, min_p=0.4)


@check(
    "options/typical-p",
    SHOULD,
    group="options",
    source="docs/openapi.yaml:ModelOptions",
    covers=("OPT-006", "OPT-043"),
)
def typical_p(target: Target) -> Verdict:
    """`typical_p` leaves the tokens whose surprise is nearest to the mean one."""
    # entropy of 0.6/0.3/0.1 is 0.898; surprises 0.511, 1.204, 2.303: b is nearest, and enough
    found = draws(target, "steep", 16, typical_p=0.25)
    return expect(set(found), {target.distribution("steep").probabilities[1][0]})


@check(
    "options/draws-fit",
    SHOULD,
    group="options",
    source="docs/modelfile.mdx#parameter",
    covers=("OPT-008", "OPT-001", "OPT-043"),
)
def draws_fit(target: Target) -> Verdict:
    """At temperature 1 tokens come as often as they are likely."""
    return _fits(target, 80)


@check(
    "options/temperature-sharpens",
    SHOULD,
    group="options",
    source="docs/modelfile.mdx",
    covers=("OPT-008",),
)
def temperature_sharpens(target: Target) -> Verdict:
    """A low temperature makes the likeliest token nearly certain, a high one levels them."""
    return every(
        (_fits(target, FEW, temperature=0.1), _fits(target, ENOUGH, temperature=4.0, top_k=3))
    )


@check(
    "options/concurrent-seeds",
    SHOULD,
    group="options",
    source="docs/faq.md#concurrency",
    covers=("SCHED-021", "OPT-001"),
)
def concurrent_seeds(target: Target) -> Verdict:
    """Each of several requests at once has its own seed: it draws what it draws alone."""
    alone = [read(target.draw("uniform", seed=seed)).text for seed in range(8)]
    asks = [partial(target.draw, "uniform", seed=seed) for seed in range(8)]
    together = [read(got).text for got in target.at_once(asks)]
    return expect(together, alone)


def _fits(target: Target, count: int, **options: Json) -> Verdict:
    """Passed if draws are not stranger than one in three million under arithmetic."""
    _ = target.script
    expected = chances(load_logits()["steep"], Sampling(**options))
    found = draws(target, "steep", count, **options)
    told = {text: round(chance, 3) for text, chance in expected.items() if text}
    fits = fit(found, expected) > NEVER / 3
    return expect_that(fits, f"draws that fit {told} with {options}", dict(found))

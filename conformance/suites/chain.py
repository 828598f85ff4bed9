"""Class options, part four: penalties, filters and temperature, by arithmetic on raw logits.

Where a check needs draws it says how many, and with which chance an honest server fails it.
"""

from __future__ import annotations

from collections import Counter
from functools import partial

from ..arithmetic import NEVER, OTHER, Sampling, chances, fit, load_logits
from ..check import SHOULD, Verdict, check, every, expect_error, expect_that
from ..clients import LANGCHAIN
from ..evidence import Json
from ..reply import read
from ..target import Target
from .parameters import as_computed, greedily

PENALTIES = "llama.cpp:src/llama-sampler.cpp"
STEEP_DRAWS = 60


def drawn(target: Target, count: int, **options: Json) -> Counter[str]:
    """How often each of a, b and c was drawn, with seeds from 1 on; `OTHER` for all else."""
    named = load_logits()["steep"].named
    seeds = range(1, count + 1)
    texts = (read(got).text for got in target.draws("steep", seeds, **options))
    return Counter(text if text in named else OTHER for text in texts)


def only(target: Target, count: int, *wanted: str, **options: Json) -> Verdict:
    """Passed if no text but the wanted is drawn, and each of them is.

    An honest server draws no other at all; it misses one of two or three of them with the chance
    that is written beside each use.
    """
    found = drawn(target, count, **options)
    told = f"each of {', '.join(wanted)} and no other, with {options}"
    return expect_that(set(found) == set(wanted), told, dict(found))


@check(
    "options/presence-threshold",
    SHOULD,
    group="options",
    source=PENALTIES,
    covers=("OPT-010",),
)
def presence_threshold(target: Target) -> Verdict:
    """`presence_penalty` is taken off the logit of what was said, once, however often it was."""
    return every(
        (
            as_computed(
                target, "after-a", {"presence_penalty": 0.6}, {"presence_penalty": 1.1}
            ),
            as_computed(target, "after-aa", {"presence_penalty": 0.6}),
            as_computed(
                target, "after-b", {"presence_penalty": -0.5}, {"presence_penalty": -1.5}
            ),
        )
    )  # fmt: skip


@check(
    "options/frequency-threshold",
    SHOULD,
    group="options",
    source=PENALTIES,
    covers=("OPT-011",),
)
def frequency_threshold(target: Target) -> Verdict:
    """`frequency_penalty` is taken off the logit of what was said, as often as it was."""
    return every(
        (
            as_computed(
                target, "after-a", {"frequency_penalty": 0.6}, {"frequency_penalty": 1.1}
            ),
            as_computed(
                target, "after-aa", {"frequency_penalty": 0.3}, {"frequency_penalty": 0.6}
            ),
        )
    )  # fmt: skip


@check(
    "options/repeat-threshold",
    SHOULD,
    group="options",
    source=PENALTIES,
    covers=("OPT-009",),
    breaks=(LANGCHAIN,),
)
def repeat_threshold(target: Target) -> Verdict:
    """`repeat_penalty` multiplies the logit of what was said, where that is negative."""
    given = ({"repeat_penalty": 1.03}, {"repeat_penalty": 1.1})
    return every(
        (
            as_computed(target, "after-a", *given),
            as_computed(target, "after-b", {"repeat_penalty": 0.7}),  # below 1 it is a bonus
        )
    )


@check(
    "options/repeat-of-positive",
    SHOULD,
    group="options",
    source=PENALTIES,
    covers=("OPT-009",),
    breaks=(LANGCHAIN,),
)
def repeat_of_positive(target: Target) -> Verdict:
    """`repeat_penalty` divides the logit of what was said, where that is positive."""
    return as_computed(target, "loop", {"repeat_penalty": 2.0}, {"repeat_penalty": 3.0})


@check(
    "options/repeat-window",
    SHOULD,
    group="options",
    source=PENALTIES,
    covers=("OPT-007",),
)
def repeat_window(target: Target) -> Verdict:
    """`repeat_last_n` is how many of the last tokens, prompt included, the penalties look at."""
    given = {"repeat_penalty": 1.3}
    return as_computed(
        target, "after-a", {**given, "repeat_last_n": 7}, {**given, "repeat_last_n": 8}
    )


@check(
    "options/repeat-window-is-wide",
    SHOULD,
    group="options",
    source=PENALTIES,
    covers=("OPT-007",),
    breaks=(LANGCHAIN,),
)
def repeat_window_is_wide(target: Target) -> Verdict:
    """`repeat_last_n` beyond 64 is kept to: what 64 tokens do not break, 128 do.

    A window of 64 tokens gives way between 1.2 and 1.6 for each time a token was said, one of 128
    between 0.5 and 0.8: that is far from either.
    """
    whole = target.recital("endless").content
    options = {"frequency_penalty": 1.0, "num_predict": 120}
    narrow, wide = target.several(
        partial(target.chat, "endless", options={**options, "repeat_last_n": size})
        for size in (64, 128)
    )
    return every(
        (
            expect_that(whole.startswith(read(narrow).text), "the recital", "another", narrow),
            expect_that(not whole.startswith(read(wide).text), "anything but it", "it", wide),
        )
    )


@check(
    "options/repeat-window-without-end",
    SHOULD,
    group="options",
    source="docs/modelfile.mdx#valid-parameters-and-values",
    covers=("OPT-007", "OPT-035"),
    breaks=(LANGCHAIN,),
)
def repeat_window_without_end(target: Target) -> Verdict:
    """`repeat_last_n` -1 is all there was, as is documented, or it is refused with 4xx by its name.

    It is no window of 64 tokens, in which a loop of more words goes on for ever, and not none.
    """
    whole = target.recital("endless").content
    options = {"frequency_penalty": 1.0, "num_predict": 120, "repeat_last_n": -1}
    got = target.chat("endless", options=options)
    if 400 <= got.code < 500:
        return expect_error(got, (got.code,), containing="repeat_last_n")
    return expect_that(
        not whole.startswith(read(got).text), "anything but the recital", read(got).text, got
    )


@check(
    "options/penalties-come-first",
    SHOULD,
    group="options",
    source="docs/openapi.yaml:ModelOptions",
    covers=("OPT-043",),
)
def penalties_come_first(target: Target) -> Verdict:
    """Penalties come before `top_k`: of what they leave, the likeliest is kept."""
    options: dict[str, Json] = {"presence_penalty": 1.1, "frequency_penalty": 0.1, "top_k": 1}
    wanted = greedily("after-a", **options)
    prompt = load_logits()["after-a"].prompt
    drawn = target.draws("steep", range(8), prompt=prompt, **options)
    found = {read(got).text for got in drawn}
    return expect_that(found == {wanted}, f"always {wanted!r}", sorted(found))


@check(
    "options/filters-in-order",
    SHOULD,
    group="options",
    source="docs/openapi.yaml:ModelOptions",
    covers=("OPT-043",),
)
def filters_in_order(target: Target) -> Verdict:
    """`top_k` comes before `top_p`, which counts by what `top_k` has left."""
    # 0.6 and 0.3 become 0.667 and 0.333, and the first alone reaches 0.65: nothing is drawn
    return only(target, 12, *_texts(top_k=2, top_p=0.65), top_k=2, top_p=0.65)


@check(
    "options/temperature-comes-last",
    SHOULD,
    group="options",
    source="docs/openapi.yaml:ModelOptions",
    covers=("OPT-043", "OPT-008"),
)
def temperature_comes_last(target: Target) -> Verdict:
    """`top_p` and `min_p` look at probabilities before the temperature levels them."""
    # of two texts, 0.54 and 0.46, one is missed by 30 draws with a chance of 1e-8
    return every(
        only(target, 30, *_texts(temperature=4, **given), temperature=4, **given)
        for given in ({"top_p": 0.8}, {"min_p": 0.4})
    )


@check(
    "options/temperature-levels",
    SHOULD,
    group="options",
    source="docs/modelfile.mdx#parameter",
    covers=("OPT-008",),
)
def temperature_levels(target: Target) -> Verdict:
    """A high temperature gives all that is unlikely its computed chance; a low one takes it."""
    return every(
        _fits(target, temperature, STEEP_DRAWS) for temperature in (0.25, 4.0)
    )  # two tests: false alarms under 2e-7 together, as each is held to 1e-7


@check(
    "options/top-p-edges",
    SHOULD,
    group="options",
    source="docs/modelfile.mdx#parameter",
    covers=("OPT-004",),
    breaks=(LANGCHAIN,),
)
def top_p_edges(target: Target) -> Verdict:
    """A token is in the nucleus while those before it fall short of `top_p`, by a little too."""
    # of 0.667 and 0.333, 36 draws miss one with a chance of 5e-7
    return every(
        only(target, count, *_texts(top_p=p), top_p=p) for p, count in ((0.58, 12), (0.62, 36))
    )


@check(
    "options/min-p-edges",
    SHOULD,
    group="options",
    source="docs/modelfile.mdx#parameter",
    covers=("OPT-005",),
)
def min_p_edges(target: Target) -> Verdict:
    """`min_p` is a share of the likeliest token's probability, not a probability."""
    # 0.3 is half of 0.6; of 0.667 and 0.333, 36 draws miss one with a chance of 5e-7
    return every(
        only(target, count, *_texts(min_p=p), min_p=p) for p, count in ((0.53, 12), (0.47, 36))
    )


def _texts(**given: Json) -> list[str]:
    """What can be drawn under these options."""
    found = chances(load_logits()["steep"], Sampling(**given))
    return [text for text, chance in found.items() if chance > NEVER]


def _fits(target: Target, temperature: float, count: int) -> Verdict:
    """Passed if draws are not stranger than one in ten million under arithmetic."""
    expected = chances(load_logits()["steep"], Sampling(temperature=temperature))
    found = drawn(target, count, temperature=temperature)
    told = {text or "any other": round(chance, 4) for text, chance in expected.items()}
    return expect_that(
        fit(found, expected) > NEVER / 10,
        f"draws that fit {told} at temperature {temperature}",
        {text or "any other": number for text, number in found.items()},
    )

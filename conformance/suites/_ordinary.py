"""How an option shows in what a model says whose words nobody knows. No check is in here.

What is said is not judged, only what is the same and what is not. Draws that leave one thing to
say begin alike, but for one: a backend may break a near tie otherwise. Hot draws part: twelve of 24
tokens at temperature 1.5 with fewer than three texts among them would take a model that is sure of
every word of its story.
"""

from __future__ import annotations

from collections.abc import Callable

from ..check import Verdict, every, expect_that, not_judged
from ..evidence import Json
from ..reply import read
from ..target import Target

HOT: dict[str, Json] = {"temperature": 1.5, "top_k": 100, "top_p": 1.0, "min_p": 0.0}
LENGTH = 24  # tokens of a draw
BEGUN = 24  # characters of a draw; later a near tie may fall either way
COUNTED = 48  # tokens of what is counted
ALIKE, HOT_DRAWS, SEVERAL = 4, 12, 3
ENOUGH = 8  # times that a mark comes back for its penalty to be felt


def said(target: Target, id: str, **options: Json) -> str:
    """Thought and answer together; greedy unless the options say otherwise."""
    reply = read(target.chat(id, options=options))
    return reply.thinking + reply.text


def drawn(target: Target, options: dict[str, Json]) -> str:
    """The beginning of a story, hot but for these options."""
    return said(target, "prose", num_predict=LENGTH, **{**HOT, **options})


def cools(**narrow: Json) -> Callable[[Target], Verdict]:
    """A check that hot draws part, and with these options do so no longer."""

    def run(target: Target) -> Verdict:
        cold = {drawn(target, {"seed": n, **narrow})[:BEGUN] for n in range(ALIKE)}
        hot: set[str] = set()
        for n in range(HOT_DRAWS):
            hot.add(drawn(target, {"seed": ALIKE + n}))
            if len(hot) == SEVERAL:
                break
        return every(
            (
                expect_that(len(cold) <= 2, f"always the same text with {narrow}", sorted(cold)),
                expect_that(len(hot) == SEVERAL, f"several texts with {HOT}", sorted(hot)),
            )
        )

    return run


def penalises(off: dict[str, Json], on: dict[str, Json]) -> Callable[[Target], Verdict]:
    """A check that what is counted, with the same marks again and again, is so no longer."""

    def run(target: Target) -> Verdict:
        free, bound = (said(target, "count", num_predict=COUNTED, **one) for one in (off, on))
        if max(map(free.count, ",\n")) < ENOUGH:
            not_judged("the model does not repeat itself when it counts")
        return expect_that(free != bound, f"another text with {on} than with {off}", bound)

    return run


def stops(target: Target) -> Verdict:
    """An answer ends before what stands in its beginning, where that is a stop string."""
    whole = said(target, "count", num_predict=COUNTED)
    if len(whole) < 2 * BEGUN:
        not_judged("the model says too little to be stopped")
    stop = whole[BEGUN // 2 :][:5]
    found = said(target, "count", num_predict=COUNTED, stop=[stop])
    held = stop not in found and len(found) < BEGUN
    return expect_that(held, f"an answer that ends before {stop!r}", found)


HEEDED: dict[str, Callable[[Target], Verdict]] = {
    "temperature": cools(temperature=0),
    "top_k": cools(top_k=1),
    "top_p": cools(top_p=0.0001),
    "min_p": cools(min_p=1.0),
    "seed": cools(seed=42),
    "stop": stops,
    "repeat_penalty": penalises({"repeat_penalty": 1.0}, {"repeat_penalty": 5.0}),
    "repeat_last_n": penalises(
        {"repeat_penalty": 5.0, "repeat_last_n": 0}, {"repeat_penalty": 5.0, "repeat_last_n": 64}
    ),
    "frequency_penalty": penalises({"frequency_penalty": 0.0}, {"frequency_penalty": 2.0}),
}

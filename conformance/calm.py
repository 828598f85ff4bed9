"""Against a busy machine: measure twice, and believe the calmer moment.

What a target does wrong it does every time; what a busy machine does to it, or to us, passes.
Neither takes seconds: what is slow is not asked so often, and not for so much.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

from .check import Outcome, Verdict
from .evidence import Exchange, Json
from .target import Target

TRIES = 4
LONG_S = 6.0  # of trying, after which another try would tell nothing new
STEADY_S = 2.0  # what takes so long to measure is measured once: what disturbs is shorter
PACED = 48  # tokens of an answer whose time tells that of one token
FEWEST = 60  # tokens of an answer that is abandoned: so that it has begun

QUIET_MS: dict[tuple[str, str], float] = {}  # of a run: what was abandoned slows later attempts


def calmly(
    judge: Callable[[], Verdict],
    tries: int = TRIES,
    clock: Callable[[], float] = time.monotonic,
) -> Verdict:
    """The verdict of the first try that passes; where none does, of the last."""
    begun = clock()
    for _ in range(tries - 1):
        verdict = judge()
        if verdict.outcome is Outcome.PASSED or clock() - begun > LONG_S:
            return verdict
    return judge()


def quiet_ms(target: Target, what: str, measure: Callable[[], float]) -> float:
    """What something took before anything was abandoned, measured once a run."""
    place = (f"{target.setup.url} {target.setup.token}", what)
    if place not in QUIET_MS:
        begun, found = time.monotonic(), measure()
        for _ in "12":
            if time.monotonic() - begun < STEADY_S:
                found = min(found, measure())
        QUIET_MS[place] = found
    return QUIET_MS[place]


def abandoned(target: Target, at_most: int, seconds: float, beside: int = 1) -> dict[str, Json]:
    """Options of an answer that nobody reads to its end, one of several made at the same time.

    A server that makes them all the same is done after about so many seconds, however slow it is.
    """
    aside = Target(target.setup, target.patience)
    ask = partial(aside.chat, "endless", options={"num_predict": PACED})

    def slowest_ms() -> float:
        _ = aside.chat("endless", options={"num_predict": 1}).ok  # loaded
        return max(got.ok.elapsed_ms for got in aside.at_once([ask] * beside))

    pace_ms = quiet_ms(target, f"the pace of {beside}", slowest_ms) / PACED
    return {"num_predict": min(at_most, max(FEWEST, int(1e3 * seconds / pace_ms)))}


def quickest(ask: Callable[[], Exchange], times: int = 2) -> Exchange:
    """The quickest of several answers to the same question."""
    return min((ask().ok for _ in range(times)), key=lambda got: got.elapsed_ms)

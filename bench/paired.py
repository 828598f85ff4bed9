"""Comparisons within blocks: ratios with intervals, exact tests, verdicts. Numbers in, numbers out.

The unit is the block: requests of one point share their fate, and points that ran one after
another share the machine's. The interval of a ratio is Student's t on the logarithms: of four
candidates it alone covers 93 to 97 % at 10 pairs under every noise that `simulation` has, where
bootstraps of 10 values cover 82 to 95 %. The sign-flip test is own code, a line of which is the
test: scipy.stats.permutation_test gives the same p (the tests hold us to it), but takes 0.8 s
to import; a correction by Holm SciPy has not, and statsmodels takes 1.9 s.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from scipy.special import stdtr, stdtrit

from .frame import Floats
from .intervals import TAIL
from .load import BASELINE

MIN_PAIRS = 6
"""Of five pairs no exact two-sided test can have a p below 2/32."""
MATTERS = 0.02
ALPHA = 0.05
POWER = 0.8
EXACT_PAIRS = 14
"""16,384 ways to flip; of more pairs as many are drawn, seeded."""
SEED = 7
HIGHER = frozenset({"output_tokens_per_s", "requests_per_s"})

Point = Mapping[str, Any]
Sides = tuple[list[Point], list[Point]]
"""The points of a block that are compared, and those that they are compared with."""


def comparisons(points: Sequence[Point], arms: Sequence[str]) -> list[dict[str, Any]]:
    """All comparisons of a run, corrected for being so many."""
    named: list[dict[str, Any]] = []
    logs: list[Floats] = []
    for (group, label, baseline), blocks in opposed(points, arms).items():
        for metric in metrics(blocks[0]):
            ratios = log_ratios(blocks, metric)
            if len(ratios):
                better = "higher" if metric in HIGHER else "lower"
                named.append({"metric": metric, "group": group, "label": label})
                named[-1] |= {"baseline": baseline, "better": better}
                logs.append(ratios)
    return [
        name | judged
        for name, judged in zip(named, compared(logs, [n["better"] for n in named]), strict=True)
    ]


def opposed(
    points: Sequence[Point], arms: Sequence[str]
) -> dict[tuple[str, str, str], list[Sides]]:
    """What is compared (group, label, baseline), block by block: a label of a later arm with the
    first arm's, and a label of an arm with its baseline."""
    cells: dict[tuple[str, int], dict[tuple[int, str], list[Point]]] = {}
    for point in points:
        cell = cells.setdefault((point["group"], point["block"]), {})
        cell.setdefault((point["arm"], point["label"]), []).append(point)
    found: dict[tuple[str, str, str], list[Sides]] = {}
    for (group, _), cell in cells.items():
        for (arm, label), mine in cell.items():
            others = [
                ((0, label), f"{arms[arm]}, {label}", f"{arms[0]}, {label}", arm > 0),
                (
                    (arm, BASELINE),
                    label if len(arms) == 1 else f"{arms[arm]}, {label}",
                    BASELINE if len(arms) == 1 else f"{arms[arm]}, {BASELINE}",
                    label != BASELINE,
                ),
            ]
            for other, name, baseline, apart in others:
                if apart and other in cell:
                    found.setdefault((group, name, baseline), []).append((mine, cell[other]))
    return found


def metrics(sides: Sides) -> tuple[str, ...]:
    """What is compared of two points. Few, since each costs the others some power; throughput
    says nothing where arrivals are planned, the first token nothing where all come at once."""
    mine, other = sides[0][0], sides[1][0]
    if mine["output_tokens"] is None and other["output_tokens"] is None:
        speed: tuple[str, ...] = ("requests_per_s",)
    else:
        speed = ("output_tokens_per_s",)
    if mine["load"]["kind"] == "open":
        speed = ()
    if all(point["ask"].get("stream", True) and point["tpot_ms"]["n"] for point in (mine, other)):
        return (*speed, "ttft_ms", "tpot_ms")
    return (*speed, "e2e_ms")


def log_ratios(blocks: Iterable[Sides], metric: str) -> Floats:
    """The logarithm of a metric's ratio in each block that has it on both sides."""
    found = []
    for sides in blocks:
        mine, other = ([value(point, metric) for point in side] for side in sides)
        if all(one is not None and one > 0 for one in (*mine, *other)):
            found.append(log_mean(mine) - log_mean(other))
    return np.array(found)


def value(point: Point, metric: str) -> float | None:
    """A point's rate, or its median latency."""
    found = point[metric]
    chosen: float | None = found["p50"] if isinstance(found, Mapping) else found
    return chosen


def log_mean(values: Sequence[float | None]) -> float:
    """The mean of logarithms of positive numbers."""
    return math.fsum(math.log(one) for one in values if one) / len(values)


def compared(logs: Sequence[Floats], better: Sequence[str]) -> list[dict[str, Any]]:
    """What comparisons came to, given the log ratios of the pairs of each."""
    exact = [sign_flip(ratios) for ratios in logs]
    certain = holm([t_test(ratios) for ratios in logs])
    return [
        judged(ratios, direction, sure, len(logs)) | {"p": p, "p_adjusted": adjusted}
        for ratios, direction, sure, p, adjusted in zip(
            logs, better, certain, exact, holm(exact), strict=True
        )
    ]


def judged(ratios: Floats, better: str, sure: float | None, among: int) -> dict[str, Any]:
    """Ratio, interval, detectable difference and verdict; `sure` is the t test's p by Holm."""
    mean, count = float(ratios.mean()), len(ratios)
    found: dict[str, Any] = {
        "pairs": count,
        "ratio": math.exp(mean),
        "low": None,
        "high": None,
        "detectable": None,
        "verdict": "not enough pairs",
    }
    if sure is None:
        return found
    error = float(ratios.std(ddof=1)) / math.sqrt(count)
    reach = float(stdtrit(count - 1, 1 - TAIL)) * error
    found["low"], found["high"] = math.exp(mean - reach), math.exp(mean + reach)
    found["detectable"] = detectable(error, count, among)
    if count < MIN_PAIRS:
        return found
    apart = not found["low"] <= 1 <= found["high"] and sure <= ALPHA
    if not apart or abs(found["ratio"] - 1) <= MATTERS:
        found["verdict"] = "no difference found"
    else:
        found["verdict"] = "better" if (mean > 0) is (better == "higher") else "worse"
    return found


def detectable(error: float, count: int, among: int = 1) -> float:
    """The smallest relative difference that would be found four times in five: by the strictest
    of Holm's steps, and above what matters."""
    strict = float(stdtrit(count - 1, 1 - ALPHA / (2 * among)))
    likely = float(stdtrit(count - 1, POWER))
    return math.expm1(max((strict + likely) * error, math.log1p(MATTERS) + likely * error))


def t_test(ratios: Floats) -> float | None:
    """Two-sided p of Student's paired t; None below two pairs."""
    if len(ratios) < 2:
        return None
    mean = abs(float(ratios.mean()))
    error = float(ratios.std(ddof=1)) / math.sqrt(len(ratios))
    if error == 0:
        return 0.0 if mean else 1.0
    return 2 * float(stdtr(len(ratios) - 1, -mean / error))


def sign_flip(ratios: Floats) -> float | None:
    """Exact two-sided p of the paired test: of all ways to swap the sides of pairs, the share
    whose mean ratio is as far from 1 as the one that was seen. None without pairs."""
    count = len(ratios)
    if not count:
        return None
    ways = np.arange(2 ** min(count, EXACT_PAIRS))[:, np.newaxis]
    signs = 1 - 2 * ((ways >> np.arange(count)) & 1)
    if count > EXACT_PAIRS:
        signs = np.random.default_rng(SEED).choice((-1, 1), (len(ways), count))
        signs[0] = 1  # the way that was seen is one of them
    means = np.abs(signs @ ratios)
    return float(np.mean(means >= abs(ratios.sum()) * (1 - 1e-12)))


def holm(found: Sequence[float | None]) -> list[float | None]:
    """p values corrected for their number, by Holm's step-down; None stays None."""
    known = sorted((p, place) for place, p in enumerate(found) if p is not None)
    adjusted: list[float | None] = [None] * len(found)
    least = 0.0
    for rank, (p, place) in enumerate(known):
        least = max(least, min(1.0, p * (len(known) - rank)))
        adjusted[place] = least
    return adjusted

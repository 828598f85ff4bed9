"""Percentiles and means with their 95 % intervals. Numbers in, numbers out.

Own arithmetic on SciPy's distribution functions: scipy.stats.quantile_test gives the same interval
of a percentile (the tests hold us to it), but takes 0.8 s to import and sorts again for each;
an interval for clustered samples it has not.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from functools import lru_cache
from typing import Any

import numpy as np
from scipy.special import bdtr, stdtrit

from .frame import Floats, Ints

PERCENTS = (50, 90, 95, 99)
TAIL = 0.025
Z = 1.959963984540054
"""The normal distribution's 97.5 % point."""


def figure(values: Floats, clusters: Ints | None = None) -> dict[str, Any]:
    """Count, mean, extremes, percentiles and their intervals; None each without samples.

    `clusters` says which values belong together, in runs; values without it are independent.
    """
    names = [f"p{percent}" for percent in PERCENTS]
    if not len(values):
        nothing = dict.fromkeys(("mean", "min", "max", *names))
        return {"n": 0, **nothing, "intervals": dict.fromkeys(names)}
    ordered = np.sort(values)
    count = len(ordered)
    if clusters is None:
        bounds = [ranks(count, percent) for percent in PERCENTS]
    else:
        bounds = clustered_ranks(values, clusters, ordered)
    return {
        "n": count,
        "mean": float(ordered.mean()),
        "min": float(ordered[0]),
        "max": float(ordered[-1]),
        **{f"p{percent}": percentile(ordered, percent) for percent in PERCENTS},
        "intervals": {
            name: None if bound is None else [float(ordered[bound[0]]), float(ordered[bound[1]])]
            for name, bound in zip(names, bounds, strict=True)
        },
    }


def percentile(ordered: Floats, percent: int) -> float | None:
    """The nearest-rank percentile of ascending values; None where it would be the largest of
    them, unless it is the median."""
    place = max(0, -(-percent * len(ordered) // 100) - 1)
    if place == len(ordered) - 1 and percent != 50:
        return None
    return float(ordered[place])


@lru_cache(maxsize=4096)
def ranks(count: int, percent: int) -> tuple[int, int] | None:
    """Places of the order statistics that hold a percentile 95 times in 100; None where even the
    smallest and the largest do not. The number of samples below a percentile is binomial."""

    def reached(place: int) -> float:
        return float(bdtr(place, count, percent / 100))

    low = bisect_right(range(count), TAIL, key=reached) - 1
    high = bisect_left(range(count), 1 - TAIL, key=reached)
    return (low, high) if low >= 0 and high < count else None


def clustered_ranks(
    values: Floats, clusters: Ints, ordered: Floats
) -> list[tuple[int, int] | None]:
    """The same for values of which some belong together: the places of as many independent values
    as would show the scatter that there is between clusters in the share below the percentile
    (Woodruff 1952 with the effective size of Korn and Graubard 1998). None where one value of each
    cluster would be too few: the scatter of so few says little about a tail."""
    begins = np.flatnonzero(np.diff(clusters, prepend=clusters[0] - 1))
    many, count = len(begins), len(values)
    sizes = np.diff(begins, append=count)
    wider = (float(stdtrit(many - 1, 1 - TAIL)) / Z) ** 2
    found: list[tuple[int, int] | None] = []
    for percent in PERCENTS:
        share = percent / 100
        if ranks(many, percent) is None:
            found.append(None)
            continue
        mark = ordered[max(0, -(-percent * count // 100) - 1)]
        below = np.add.reduceat((values <= mark).astype(np.int64), begins)
        off = below - below.sum() / count * sizes
        variance = many / (many - 1) * float(off @ off) / count**2 * wider
        worth = count
        if variance * count > share * (1 - share):
            worth = int(share * (1 - share) / variance)
        bound = ranks(worth, percent)
        if bound is not None:
            low, high = bound[0] * count // worth, -(-(bound[1] + 1) * count // worth) - 1
            bound = (low, high)
        found.append(bound)
    return found


def mean_interval(values: Floats) -> tuple[float, float, float] | None:
    """The mean of a rate over blocks, with its interval by Student's t; None below two blocks."""
    if len(values) < 2:
        return None
    mean = float(values.mean())
    reach = float(stdtrit(len(values) - 1, 1 - TAIL) * values.std(ddof=1) / math.sqrt(len(values)))
    return mean, mean - reach, mean + reach

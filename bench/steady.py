"""Whether the level of a point held. Numbers in, numbers out.

The window is chosen by the load alone, the order is the order of issue, and what is tested are
medians of buckets, each at least one round of all that was in flight: requests of one round are
not independent. Own code, since pymannkendall's corrections for autocorrelation raise false alarms
at our sizes: at a nominal 1 % it finds a trend in 4 to 14 of 100 series without one of 10 to 30
values (hamed_rao, yue_wang, trend-free pre-whitening); the correction here in at most 4.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtr

from .frame import Bools, Floats, Frame, Ints

MIN_BUCKETS = 10
MAX_BUCKETS = 30
SURE = 0.01
"""p below which a trend or a shift counts; four tests a point."""
CHANGE = 0.05
"""A change of the level by less does not matter."""
SCATTER = 0.3
"""The most that buckets may scatter (standard deviation by mean)."""
MOST_CORRELATED = 0.9


@dataclass(frozen=True, slots=True)
class Change:
    """A change of the level: how far in all, relative to the median, and how sure."""

    share: float
    p: float

    @property
    def counts(self) -> bool:
        """Whether it is both sure and large enough to matter."""
        return self.p < SURE and abs(self.share) > CHANGE


def steady(
    load: Mapping[str, Any],
    frame: Frame,
    ttft_ms: Floats,
    tpot_ms: Floats,
    e2e_ms: Floats,
    in_flight: float | None,
) -> dict[str, Any]:
    """The `steady` of a point."""
    rows, window = inside(load, frame)
    if window is None:
        return verdict(None, "too short", "there was no time in which all users were at it")
    rows &= frame.good
    size = max(2, load["users"] if load["kind"] == "closed" else math.ceil(in_flight or 1))
    many = int(rows.sum())
    if many < size * MIN_BUCKETS:
        because = (
            f"{many} requests were answered while the load was whole; to test it takes "
            f"{size * MIN_BUCKETS}, {MIN_BUCKETS} rounds of {size}"
        )
        return verdict(window, "too short", because)
    pace = ("time per output token", tpot_ms)
    if np.isnan(tpot_ms[rows]).any():
        pace = ("e2e", e2e_ms)
    buckets = min(MAX_BUCKETS, many // size)
    found = []
    for name, column in (("time to first token", ttft_ms), pace):
        levels = medians(column[rows], buckets)
        found += complaints(name, levels, scatter=column is pace[1])
    if found:
        return verdict(window, "not steady", "; ".join(found))
    because = f"{many} requests in {buckets} buckets show no trend and no shift of level"
    return verdict(window, "steady", because)


def verdict(window: tuple[float, float] | None, word: str, because: str) -> dict[str, Any]:
    """A verdict as summary.json has it."""
    from_s, to_s = (None, None) if window is None else (window[0] / 1e9, window[1] / 1e9)
    return {"from_s": from_s, "to_s": to_s, "verdict": word, "because": because}


def inside(load: Mapping[str, Any], frame: Frame) -> tuple[Bools, tuple[float, float] | None]:
    """Measured requests that were issued while the load was whole, and that time: from when all
    users had begun to when the first of them had no more to ask; in an open loop all arrivals."""
    rows = frame.measured
    if not rows.any():
        return rows, None
    if load["kind"] == "open":
        window = (float(frame.planned_ns[rows].min()), float(frame.planned_ns[rows].max()))
        return rows, window
    seats: Ints = np.unique(frame.user[rows], return_inverse=True)[1]
    begun = np.full(seats.max() + 1, np.inf)
    ended = np.full(seats.max() + 1, -np.inf)
    np.minimum.at(begun, seats, frame.sent_ns[rows])
    np.maximum.at(ended, seats, frame.last_ns[rows])
    window = (float(begun.max()), float(ended.min()))
    if window[0] >= window[1]:
        return np.zeros_like(rows), None
    # each user's first request was sent before the last user began, yet belongs to the window
    return rows & (frame.sent_ns <= window[1]), window


def medians(values: Floats, buckets: int) -> Floats:
    """The medians of so many buckets of as many values each, as far as that goes."""
    return np.array([np.median(part) for part in np.array_split(values, buckets)])


def complaints(name: str, levels: Floats, *, scatter: bool) -> list[str]:
    """What speaks against a steady level, in words; nothing where nothing does."""
    found = []
    drift = trend(levels)
    if drift.counts:
        found.append(f"{name} {went(drift)} over the window (trend, p {drift.p:.2g})")
    else:
        jump = shift(levels)
        if jump.counts:
            found.append(f"{name} {went(jump)} at one point (shift, p {jump.p:.2g})")
    mean = float(levels.mean())
    spread = float(levels.std(ddof=1)) / mean if mean > 0 else 0.0
    if scatter and spread > SCATTER:
        found.append(f"{name} scatters by {spread:.0%} from bucket to bucket")
    return found


def went(change: Change) -> str:
    """A change in words."""
    return f"{'rose' if change.share > 0 else 'fell'} by {abs(change.share):.0%}"


def trend(levels: Floats) -> Change:
    """Mann-Kendall's test with Sen's slope, its variance corrected for autocorrelation."""
    count = len(levels)
    earlier, later = np.triu_indices(count, 1)
    rises = levels[later] - levels[earlier]
    slope = float(np.median(rises / (later - earlier)))
    score = float(np.sign(rises).sum())
    rest = levels - slope * np.arange(count)
    variance = count * (count - 1) * (2 * count + 5) / 18 * inflation(rest)
    z = (score - math.copysign(1, score)) / math.sqrt(variance) if score else 0.0
    return Change(relative(slope * (count - 1), levels), 2 * float(ndtr(-abs(z))))


def shift(levels: Floats) -> Change:
    """Pettitt's test of a shift at an unknown place, corrected in the same way."""
    count = len(levels)
    order = np.argsort(np.argsort(levels, kind="stable"), kind="stable") + 1.0
    scores = 2 * np.cumsum(order)[:-1] - np.arange(1, count) * (count + 1)
    place = int(np.argmax(np.abs(scores))) + 1
    before, after = levels[:place], levels[place:]
    rest = np.concatenate([before - before.mean(), after - after.mean()])
    score = float(scores[place - 1]) ** 2 / inflation(rest)
    p = min(1.0, 2 * math.exp(-6 * score / (count**3 + count**2)))
    return Change(relative(float(np.median(after) - np.median(before)), levels), p)


def relative(change: float, levels: Floats) -> float:
    """A change by the median level."""
    level = float(np.median(levels))
    return change / level if level > 0 else 0.0


def inflation(rest: Floats) -> float:
    """By how much lag-1 autocorrelation widens the variance of a sum over a series whose trend
    has been taken out, which itself lowers the correlation that is found (Kendall 1954)."""
    centred = rest - rest.mean()
    power = float(centred @ centred)
    if power <= 0:
        return 1.0
    count = len(rest)
    found = float(centred[1:] @ centred[:-1]) / power
    rho = min(max(found + (1 + 4 * found) / count, 0.0), MOST_CORRELATED)
    lags = np.arange(1, count)
    return float(1 + 2 * ((1 - lags / count) * rho**lags).sum())

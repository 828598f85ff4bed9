"""Knees: where more load brings little more throughput. Numbers in, numbers out.

Own code: Kneedle's distance is a line, and the interval needs it for thousands of drawn ladders at
once; kneed takes one curve at a time, 0.9 s to import, and has no interval.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np

from .frame import Floats, Ints
from .intervals import TAIL

MIN_RUNGS = 4
MIN_DISTANCE = 0.15
"""Of a curve from its chord, both axes scaled to 1. Throughput that grows like users ** 0.8 all
the way, which has no knee, has 0.08."""
FLAT = 1.1
"""Less than this over the first rung's throughput, all along the ladder, is no growth."""
FAILING = 0.1
"""A share of failures that makes a point no rung."""
KEPT_UP = 0.95
DRAWS = 2000
SEED = 7
NO_KNEE, LOWEST = -1, 0


@dataclass(frozen=True, slots=True)
class Rung:
    """A place on the axis of a ladder, with the throughput of each of its blocks."""

    value: float
    speeds: tuple[float, ...]


def knees(
    points: Sequence[Mapping[str, Any]],
    kept_up: Sequence[float | None],
    slo: Mapping[str, float] | None,
) -> list[dict[str, Any]]:
    """The `knees` of a run: one for each arm's ladder of users or of rates."""
    paired = list(zip(points, kept_up, strict=True))
    made = []
    for (arm, group), several in groupby(sorted(paired, key=place), key=place):
        ladder = list(several)
        kinds = {point["load"]["kind"] for point, _ in ladder}
        if kinds == {"closed"}:
            found = of_users(rungs([point for point, _ in ladder]))
        elif kinds == {"open"}:
            found = of_rates(ladder, slo)
        else:
            continue
        if found is not None:
            made.append({"arm": arm, "group": group, **found})
    return made


def place(entry: tuple[Mapping[str, Any], float | None]) -> tuple[int, str]:
    """Which ladder a point belongs to."""
    return entry[0]["arm"], entry[0]["group"]


def rungs(points: Sequence[Mapping[str, Any]]) -> list[Rung]:
    """A ladder from its points, where users are what differs; failing points left out."""
    speeds: dict[float, list[float]] = {}
    for point in points:
        speed = point["output_tokens_per_s"] or point["requests_per_s"]
        if point["value"] != point["load"]["users"] or not speed:
            continue
        if point["failures"] <= FAILING * point["requests"]:
            speeds.setdefault(float(point["value"]), []).append(speed)
    return [Rung(value, tuple(several)) for value, several in sorted(speeds.items())]


def of_users(ladder: Sequence[Rung]) -> dict[str, Any] | None:
    """The knee of a ladder of users with its interval; None where there is no ladder."""
    if len(ladder) < MIN_RUNGS:
        return None
    values = np.array([rung.value for rung in ladder])
    means = np.array([np.mean(rung.speeds) for rung in ladder])
    at = int(knee_places(values, means[np.newaxis])[0])
    if at == NO_KNEE:
        return {
            "value": None,
            "low": None,
            "high": None,
            "because": f"throughput still grew in step with the users up to {values[-1]:g}",
        }
    best = float(means.max())
    because = f"{values[at]:g} get {means[at] / best:.0%} of the most ({best:.3g}/s)"
    drawn = draw(ladder, means)
    low = high = None
    if drawn is None:
        because += "; no interval, since each rung was measured once"
    else:
        places = knee_places(values, drawn)
        found = np.sort(values[places[places != NO_KNEE]])
        missed = float(np.mean(places == NO_KNEE))
        if missed > 2 * TAIL:
            because += f"; in {missed:.0%} of the drawings the ladder has no knee"
        low = float(np.quantile(found, TAIL, method="lower"))
        high = float(np.quantile(found, 1 - TAIL, method="higher"))
    return {"value": float(values[at]), "low": low, "high": high, "because": because}


def knee_places(values: Floats, speeds: Floats) -> Ints:
    """The place of the knee in each row of throughputs: the lowest rung where nothing grows."""
    first = speeds[:, :1]
    most = speeds.max(axis=1, keepdims=True)
    along = (values - values[0]) / (values[-1] - values[0])
    height = np.maximum(most - first, 1e-12)
    distance = (speeds - first) / height - along
    places: Ints = np.argmax(distance, axis=1)
    places[distance.max(axis=1) < MIN_DISTANCE] = NO_KNEE
    places[(most <= FLAT * first)[:, 0]] = LOWEST
    return places


def draw(ladder: Sequence[Rung], means: Floats) -> Floats | None:
    """Ladders as they might have come out, from the scatter of the blocks; None with one block.

    The relative scatter is that of all rungs together: three blocks a rung, resampled, would show
    too little of it. Seeded.
    """
    counts = np.array([len(rung.speeds) for rung in ladder])
    freedom = int((counts - 1).sum())
    if not freedom:
        return None
    squares = sum(
        float(((np.array(rung.speeds) / mean - 1) ** 2).sum())
        for rung, mean in zip(ladder, means, strict=True)
    )
    error = math.sqrt(squares / freedom) / np.sqrt(counts)
    random = np.random.default_rng(SEED)
    return np.asarray(means * (1 + error * random.standard_t(freedom, (DRAWS, len(ladder)))))


def of_rates(
    ladder: Sequence[tuple[Mapping[str, Any], float | None]], slo: Mapping[str, float] | None
) -> dict[str, Any] | None:
    """The highest rate up to which the server kept up; with several blocks, the lowest and the
    highest of what they say apart."""
    blocks: dict[int, dict[float, str | None]] = {}
    whole: dict[float, str | None] = {}
    for point, pace in ladder:
        if point["value"] is None:
            continue
        fault = behind(point, pace, slo)
        blocks.setdefault(point["block"], {})[point["value"]] = fault
        whole[point["value"]] = whole.get(point["value"]) or fault
    if len(whole) < 2:
        return None
    value, because = highest(whole)
    found = [each for each, _ in map(highest, blocks.values()) if each is not None]
    several = len(blocks) > 1 and found
    return {
        "value": value,
        "low": min(found) if several else None,
        "high": max(found) if several else None,
        "because": because,
    }


def highest(faults: Mapping[float, str | None]) -> tuple[float | None, str]:
    """The highest rate before the first that was too much, and what was wrong there."""
    best = None
    for value, fault in sorted(faults.items()):
        if fault is not None:
            return best, f"at {value:.3g} requests/s {fault}"
        best = value
    return best, f"the server kept up to the highest rate, {best:.3g} requests/s"


def behind(
    point: Mapping[str, Any], pace: float | None, slo: Mapping[str, float] | None
) -> str | None:
    """Why a rate is too much; None where it is not."""
    if point["failures"] > FAILING * point["requests"]:
        return f"{point['failures']} of {point['requests']} requests failed"
    if pace is not None and pace < KEPT_UP:
        return f"answers came at {pace:.0%} of the pace of the requests"
    first = point["ttft_ms"]["p95"]
    if slo is not None and first is not None and first > slo["ttft_ms"]:
        return f"the p95 of the time to first token was {first:,.0f} ms"
    return None

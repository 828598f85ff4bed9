"""What a page draws, cut down to what a screen can show. Pure: arrays in, lists out.

A run of 100,000 requests is drawn from these alone, so that its raw record is read once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from .document import Document
from .figures import latencies
from .frame import Floats, Frame
from .sample import Resource

CORNERS = 200
STEPS = 240
MOMENTS = 300
LANES = 48
TICKS = 400


def charts(document: Document) -> dict[str, Any]:
    """All that a page draws of a run but for its figures."""
    frames = [document.frames[record["point"]] for record in document.points]
    return {
        "curves": curves(document),
        "flow": flow(
            joined([frame.sent_ns for frame in frames]),
            joined([frame.last_ns for frame in frames]),
            joined([frame.at_ns for frame in frames]),
        ),
        "timelines": [
            {"point": number, "requests": timeline(document.frames[number])}
            for number in shown(document.points)
        ],
        "resources": moments(document.resources),
    }


def curves(document: Document) -> list[dict[str, Any]]:
    """How TTFT and gaps are distributed; the blocks of a load together."""
    places: dict[tuple[str, str, int], list[int]] = {}
    for record in document.points:
        place = (record["group"], record["label"], record["arm"])
        places.setdefault(place, []).append(record["point"])
    loads = {record["point"]: record["load"]["kind"] == "open" for record in document.points}
    drawn = []
    for (group, label, arm), numbers in places.items():
        frames = [(document.frames[one], loads[one]) for one in numbers]
        ttft = [latencies(frame, open_loop).ttft for frame, open_loop in frames]
        gaps = [frame.gaps_ns(frame.good)[0] / 1e6 for frame, _ in frames]
        drawn.append(
            {
                "group": group,
                "label": label,
                "arm": arm,
                "ttft_ms": curve(np.concatenate(ttft)),
                "itl_ms": curve(np.concatenate(gaps)),
            }
        )
    return drawn


def shown(points: Sequence[Mapping[str, Any]]) -> list[int]:
    """The points whose requests are drawn one by one: the first, and the one that asked most at
    once."""
    if not points:
        return []
    most = max(points, key=lambda one: (one["load"].get("users", 0), -one["point"]))
    return sorted({points[0]["point"], most["point"]})


def joined(columns: Sequence[Floats]) -> Floats:
    """Columns in ns as one in s."""
    return np.concatenate([np.zeros(0), *columns]) / 1e9


def curve(values: Floats) -> list[list[float]]:
    """The share of values that are at most so large, as corners from left to right.

    Every value is a corner where there are few; else they are the values at equal shares with
    both ends, so that a tail of one in a thousand still shows its length. NaN is no value.
    """
    ordered = np.sort(values[~np.isnan(values)])
    if not len(ordered):
        return []
    last = len(ordered) - 1
    ranks = np.unique(np.linspace(0, last, min(len(ordered), CORNERS)).round().astype(int))
    return [[short(ordered[rank]), round((rank + 1) / len(ordered), 6)] for rank in ranks]


def flow(sent_s: Floats, ended_s: Floats, tokens_s: Floats) -> dict[str, Any] | None:
    """Tokens by second and requests in flight over a run, in equal steps; None without requests.

    A request is in flight from when it was sent to the last that is known of it; a step has the
    mean over its length.
    """
    if not len(sent_s):
        return None
    start, end = float(np.min(sent_s)), float(np.nanmax(np.concatenate([ended_s, sent_s])))
    step_s = max((end - start) / STEPS, 0.05)
    steps = max(1, int(np.ceil((end - start) / step_s - 1e-9)))
    edges: Floats = start + step_s * np.arange(steps + 1, dtype=np.float64)
    counted, _ = np.histogram(tokens_s[(tokens_s >= start) & (tokens_s <= end)], bins=edges)
    ended = np.where(np.isnan(ended_s), sent_s, ended_s)
    held = covered(edges, ended) - covered(edges, sent_s)
    return {
        "start_s": round(start, 4),
        "step_s": step_s,
        "tokens_per_s": [short(value) for value in counted / step_s],
        "in_flight": [short(value) for value in -np.diff(held) / step_s],
    }


def covered(edges: Floats, moments: Floats) -> Floats:
    """For each edge the time that lies between it and the moments after it, summed."""
    ordered = np.sort(moments)
    sums = np.concatenate([np.cumsum(ordered[::-1])[::-1], [0.0]])
    first = np.searchsorted(ordered, edges)
    after: Floats = sums[first] - edges * (len(ordered) - first)
    return after


def timeline(frame: Frame) -> list[dict[str, Any]]:
    """The first measured requests of a point by their planned time: when each was planned, sent,
    had its tokens and ended, in s since the run's start."""
    drawn = []
    for row in np.flatnonzero(frame.measured)[:LANES]:
        start = int(frame.starts[row])
        tokens = frame.at_ns[start : start + min(int(frame.counts[row]), TICKS)]
        finished_ns = float(frame.finished_ns[row])
        drawn.append(
            {
                "user": int(frame.user[row]),
                "warmup": bool(frame.warmup[row]),
                "error": frame.errors[row],
                "planned_s": seconds(frame.planned_ns[row]),
                "sent_s": seconds(frame.sent_ns[row]),
                "tokens_s": [seconds(at_ns) for at_ns in tokens],
                "finished_s": None if np.isnan(finished_ns) else seconds(finished_ns),
            }
        )
    return drawn


def moments(resources: Sequence[Resource]) -> list[dict[str, Any]]:
    """Resource samples, thinned to the one that took most memory in each stretch; the first of
    each phase is kept, and what one sample lacks is taken from its neighbours in the stretch."""
    stretch = -(-len(resources) // MOMENTS) or 1
    kept: list[dict[str, Any]] = []
    begun = 0
    for number, one in enumerate(resources):
        following = resources[number + 1] if number + 1 < len(resources) else None
        full = number + 1 - begun >= stretch
        if following is None or full or (following.phase, following.arm) != (one.phase, one.arm):
            kept.append(largest(resources[begun : number + 1]))
            begun = number + 1
    return kept


def largest(stretch: Sequence[Resource]) -> dict[str, Any]:
    """The largest of each figure in a stretch of one phase, at its first moment."""
    first = asdict(stretch[0])
    for name, value in first.items():
        known = [found for one in stretch if (found := getattr(one, name)) is not None]
        if name.endswith(("_bytes", "_w", "processes")):
            first[name] = max(known, default=value)
    at_s = seconds(first.pop("at_ns"))
    return {"at_s": at_s, **{name: value for name, value in first.items() if value is not None}}


def seconds(ns: float) -> float:
    """Nanoseconds as seconds, to a tenth of a millisecond."""
    return round(float(ns) / 1e9, 4)


def short(value: float) -> float:
    """Five significant digits: more than a drawing can show."""
    return float(f"{value:.5g}")

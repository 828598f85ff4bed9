"""From the frame of a point to its figures in summary.json. Numbers in, numbers out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .frame import Bools, Floats, Frame
from .goodput import goodput, kept
from .intervals import figure
from .sample import Resource
from .steady import steady
from .summary import mean_power, rate

OF_POINT = ("point", "group", "label", "value", "arm", "block", "model", "load", "ask")
MEMORY = (
    *("rss_bytes", "pss_bytes", "anonymous_bytes", "file_bytes", "footprint_bytes"),
    *("declared_bytes", "mlx_active_bytes", "mlx_peak_bytes", "mlx_cache_bytes"),
)


@dataclass(frozen=True, slots=True, eq=False)
class Latencies:
    """What each row came to, in ms; NaN where it has no such thing, or failed."""

    ttft: Floats
    tpot: Floats
    e2e: Floats


def begun_ns(frame: Frame, open_loop: bool) -> Floats:
    """When the clock of each row starts: planned in an open loop, else sent."""
    return frame.planned_ns if open_loop else frame.sent_ns


def latencies(frame: Frame, open_loop: bool) -> Latencies:
    """As `summary.measures`, for all rows at once."""
    begun = begun_ns(frame, open_loop)
    tokens = np.where(frame.output_tokens > 1, frame.output_tokens, np.nan)
    several = np.where(frame.counts > 1, 1.0, np.nan)
    bad = ~frame.good
    found = (
        (frame.first_ns - begun) / 1e6,
        (frame.last_text_ns - frame.first_ns) / (tokens - 1) / 1e6 * several,
        (frame.finished_ns - begun) / 1e6,
    )
    for column in found:
        column[bad] = np.nan
    return Latencies(*found)


def point(
    record: Mapping[str, Any],
    frame: Frame,
    resources: Sequence[Resource],
    slo: Mapping[str, float] | None,
    idle_w: float | None,
) -> dict[str, Any]:
    """The figures of one point."""
    open_loop = record["load"]["kind"] == "open"
    took = latencies(frame, open_loop)
    rates = throughput(frame, open_loop)
    seen = flow(frame, open_loop)
    gaps, answers = frame.gaps_ns(frame.good)
    reads, several = frame.reads(frame.good)
    late_ms = (frame.sent_ns - frame.planned_ns)[frame.measured] / 1e6
    good = None
    if slo is not None:
        many = int(kept(took.ttft, took.tpot, slo)[frame.measured].sum())
        good = goodput(many, rates["requests"], rates["duration_s"])
    return {
        **{name: record[name] for name in OF_POINT},
        **rates,
        "declared_tokens_per_s": declared(frame),
        "ttft_ms": figure(known(took.ttft)),
        "itl_ms": figure(gaps / 1e6, answers),
        "tpot_ms": figure(known(took.tpot)),
        "e2e_ms": figure(known(took.e2e)),
        "connect_ms": figure(known(frame.connect_ns) / 1e6),
        "load_ms": figure(known(frame.load_ns[frame.good]) / 1e6),
        "dispatch_late_ms": figure(late_ms),
        "coalesced_share": several / reads if reads else None,
        "records_per_token": records_per_token(frame),
        "offered_per_s": offered_per_s(frame) if open_loop else None,
        "in_flight": seen,
        "goodput": good,
        "steady": steady(record["load"], frame, took.ttft, took.tpot, took.e2e, seen["mean"]),
        "memory": {name: peak(resources, name) for name in MEMORY},
        "energy": energy(resources, idle_w, rates),
    }


def known(column: Floats) -> Floats:
    """The values that there are."""
    return column[~np.isnan(column)]


def total(column: Floats) -> int | None:
    """The sum; None where there is nothing to add, or a count is unknown."""
    return None if not len(column) or np.isnan(column).any() else int(column.sum())


def window_ns(frame: Frame, open_loop: bool) -> tuple[float, float] | None:
    """From the first measured request to the last byte of any; None without one."""
    rows = frame.measured
    if not rows.any():
        return None
    return float(begun_ns(frame, open_loop)[rows].min()), float(frame.last_ns[rows].max())


def throughput(frame: Frame, open_loop: bool) -> dict[str, Any]:
    """Counts, window and rates."""
    window = window_ns(frame, open_loop)
    duration_s = (window[1] - window[0]) / 1e9 if window else 0.0
    errors = frame.error_counts()
    requests, failures = int(frame.measured.sum()), sum(errors.values())
    succeeded = frame.succeeded
    prompt_tokens = total(frame.prompt_tokens[succeeded])
    output_tokens = total(frame.output_tokens[succeeded])
    return {
        "requests": requests,
        "failures": failures,
        "errors": errors,
        "duration_s": duration_s,
        "prompt_tokens": prompt_tokens,
        "output_tokens": output_tokens,
        "output_tokens_per_s": rate(output_tokens, duration_s),
        "prompt_tokens_per_s": rate(prompt_tokens, duration_s),
        "requests_per_s": rate((requests - failures) or None, duration_s),
    }


def flow(frame: Frame, open_loop: bool) -> dict[str, Any]:
    """Requests under way within the window, warm-up that reaches into it included."""
    window = window_ns(frame, open_loop)
    if window is None or window[1] <= window[0]:
        return {"mean": None, "max": None}
    begun = np.clip(begun_ns(frame, open_loop), *window)
    ended = np.clip(frame.last_ns, *window)
    there = ended > begun
    times = np.concatenate([ended[there], begun[there]])
    steps = np.concatenate([np.full(there.sum(), -1), np.full(there.sum(), 1)])
    under_way = np.cumsum(steps[np.argsort(times, kind="stable")])  # an end before a beginning
    return {
        "mean": float((ended - begun).sum() / (window[1] - window[0])),
        "max": int(under_way.max(initial=0)),
    }


def declared(frame: Frame) -> float | None:
    """The median of what the server says of its own decoding, in tokens by second."""
    rows = frame.good & (frame.decode_ns > 0) & (frame.output_tokens > 0)
    if not rows.any():
        return None
    return float(np.median(frame.output_tokens[rows] / frame.decode_ns[rows] * 1e9))


def records_per_token(frame: Frame) -> float | None:
    """Records with text by declared tokens."""
    rows = frame.good & (frame.output_tokens > 0)
    tokens = frame.output_tokens[rows].sum()
    return float(frame.counts[rows].sum() / tokens) if tokens else None


def offered_per_s(frame: Frame) -> float | None:
    """Planned arrivals by second; a conversation's later turns are not planned."""
    times = frame.planned_ns[frame.measured & (frame.turn == 0)]
    span_s = (times.max() - times.min()) / 1e9 if len(times) else 0.0
    return float((len(times) - 1) / span_s) if span_s > 0 else None


def pace_kept(frame: Frame) -> float | None:
    """The pace of the answers by that of the requests, from the slope of ends against planned
    times, so that a constant latency does not count. None below 8 answers."""
    rows: Bools = frame.good & ~np.isnan(frame.finished_ns)
    if rows.sum() < 8:
        return None
    planned, finished = frame.planned_ns[rows], frame.finished_ns[rows]
    along = planned - planned.mean()
    slope = float(along @ (finished - finished.mean())) / max(float(along @ along), 1.0)
    return 1 / slope if slope > 0 else None


def peak(resources: Sequence[Resource], name: str) -> int | None:
    """The most of something that was seen."""
    seen = [one for resource in resources if (one := getattr(resource, name)) is not None]
    return max(seen, default=None)


def energy(
    resources: Sequence[Resource], idle_w: float | None, rates: Mapping[str, Any]
) -> dict[str, Any] | None:
    """Power, and energy above idle by token; None where no power was seen."""
    power_w = mean_power(resources)
    if power_w is None:
        return None
    tokens = rates["output_tokens"]
    above = None
    if idle_w is not None and tokens:
        above = (power_w - idle_w) * rates["duration_s"] / tokens
    source = next(one.power_source for one in resources if one.power_w is not None)
    return {"power_w": power_w, "joules_per_token": above, "source": source or "unknown"}

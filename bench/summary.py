"""The figures of a run, and what each of them means. Pure: numbers in, numbers out.

Every figure is defined here and nowhere else. Errors enter no latency and are never dropped;
a figure without samples is None, never 0.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from .sample import Sample

SCHEMA = "parallama/summary/1"
DEFINITIONS = {
    "requests": "Measured requests of the point, the failed ones included; the first ones of each "
    "user (warm-up) enter no figure.",
    "failures": "Requests without a whole, error-free answer that has text; `errors` counts them "
    "by class, and they enter no latency.",
    "duration_s": "The point's window: from the first measured request sent to the last byte that "
    "came for any measured request.",
    "output_tokens": "Sum of eval_count, as the server declared it, over the requests that "
    "succeeded; null where one of them declared none.",
    "prompt_tokens": "Sum of prompt_eval_count over the requests that succeeded, in the same way.",
    "output_tokens_per_s": "output_tokens divided by duration_s; every request that succeeded lies "
    "wholly inside this window, ramp and tail included.",
    "requests_per_s": "Requests that succeeded, divided by duration_s.",
    "ttft_ms": "Time to first token: from sent to the first record with text in it.",
    "itl_ms": "Inter-token latency: gaps between successive records with text, all requests "
    "pooled; records that came in one read have a gap of 0 (see coalesced_share).",
    "tpot_ms": "Time per output token of a request: last record with text minus the first, "
    "divided by eval_count - 1; requests of one token have none.",
    "e2e_ms": "From sent to the last byte of the answer.",
    "connect_ms": "Time to open a connection, each connection of the point, warm-up included; "
    "always before the request's clock starts.",
    "dispatch_late_ms": "Sent minus planned: how late the client itself was. A user plans its next "
    "request for the moment its last answer has been read.",
    "coalesced_share": "Share of reads with text that held more than one record: those records "
    "share an arrival time.",
    "server_rss_bytes": "Peak of the resident memory of the server's process tree while the point "
    "ran, sampled about five times a second; null where its process is not on this machine.",
    "percentiles": "Nearest rank: the smallest sample that is not below the given share of all "
    "samples. A p99 of fewer than 100 samples is their maximum.",
    "stamps": "kernel: arrival times are the kernel's (SO_TIMESTAMPNS), whatever the client is "
    "doing; user: taken when a read returned.",
    "valid": "False when the p99 of dispatch_late_ms is above 5 ms and above 5 % of the median "
    "e2e_ms at some point, or when the run was interrupted: then the load was not the one "
    "described.",
}
LATE_MS = 5.0
LATE_SHARE = 0.05


@dataclass(frozen=True, slots=True)
class Measures:
    """What one request contributes; None where it has no such thing."""

    ttft_ms: float | None = None
    tpot_ms: float | None = None
    e2e_ms: float | None = None
    itl_ms: tuple[float, ...] = ()


def measures(sample: Sample) -> Measures:
    """The latencies of one request; none of a request that failed."""
    if sample.error is not None or not sample.arrivals:
        return Measures()
    times = [arrival.at_ns for arrival in sample.arrivals]
    tpot_ms = None
    if sample.output_tokens is not None and sample.output_tokens > 1:
        tpot_ms = (times[-1] - times[0]) / (sample.output_tokens - 1) / 1e6
    return Measures(
        ttft_ms=(times[0] - sample.sent_ns) / 1e6,
        tpot_ms=tpot_ms,
        e2e_ms=None if sample.finished_ns is None else (sample.finished_ns - sample.sent_ns) / 1e6,
        itl_ms=tuple((later - earlier) / 1e6 for earlier, later in pairwise(times)),
    )


def reads(sample: Sample) -> tuple[int, int]:
    """How many reads with text a sample has, and how many of them held several records."""
    seen = {(arrival.at_ns, arrival.records) for arrival in sample.arrivals}
    return len(seen), sum(records > 1 for _, records in seen)


def percentile(ordered: Sequence[float], percent: int) -> float:
    """The nearest-rank percentile of ascending values, of which there is at least one."""
    return ordered[max(0, -(-percent * len(ordered) // 100) - 1)]


def figure(values: Sequence[float]) -> dict[str, float | int | None]:
    """Count, mean, extremes and percentiles; None each where there are no values."""
    names = ("mean", "min", "max", "p50", "p90", "p99")
    if not values:
        return {"n": 0, **dict.fromkeys(names)}
    ordered = sorted(values)
    return {
        "n": len(ordered),
        "mean": math.fsum(ordered) / len(ordered),
        "min": ordered[0],
        "max": ordered[-1],
        **{f"p{percent}": percentile(ordered, percent) for percent in (50, 90, 99)},
    }


def window_ns(samples: Sequence[Sample]) -> int:
    """The length of the window of measured requests, 0 without any."""
    if not samples:
        return 0
    first = min(sample.sent_ns for sample in samples)
    return max(last_ns(sample) for sample in samples) - first


def last_ns(sample: Sample) -> int:
    """The last thing that is known of a request."""
    if sample.finished_ns is not None:
        return sample.finished_ns
    return sample.arrivals[-1].at_ns if sample.arrivals else sample.sent_ns


def total(counts: Sequence[int | None]) -> int | None:
    """The sum; None where there is nothing to add, or a count is unknown."""
    known = [count for count in counts if count is not None]
    return sum(known) if known and len(known) == len(counts) else None


def rate(amount: int | None, duration_s: float) -> float | None:
    """An amount by second; None without an amount or a duration."""
    return amount / duration_s if amount is not None and duration_s > 0 else None


def throughput(measured: Sequence[Sample]) -> dict[str, Any]:
    """Counts, window and rates of a point, from its measured samples."""
    succeeded = [sample for sample in measured if sample.error is None]
    errors = Counter(sample.error for sample in measured if sample.error is not None)
    duration_s = window_ns(measured) / 1e9
    output_tokens = total([sample.output_tokens for sample in succeeded])
    return {
        "requests": len(measured),
        "failures": len(measured) - len(succeeded),
        "errors": dict(sorted(errors.items())),
        "duration_s": duration_s,
        "prompt_tokens": total([sample.prompt_tokens for sample in succeeded]),
        "output_tokens": output_tokens,
        "output_tokens_per_s": rate(output_tokens, duration_s),
        "requests_per_s": rate(len(succeeded) or None, duration_s),
    }


def faults(points: Sequence[dict[str, Any]], interrupted: bool) -> list[str]:
    """Why the figures of a run are not to be used; empty where they are."""
    found = ["the run was interrupted"] if interrupted else []
    for point in points:
        late_ms = point["dispatch_late_ms"]["p99"]
        e2e_ms = point["e2e_ms"]["p50"]
        if late_ms is not None and late_ms > max(LATE_MS, LATE_SHARE * (e2e_ms or 0.0)):
            found.append(
                f"at concurrency {point['concurrency']} the client sent {late_ms:.1f} ms late "
                "(p99): it could not keep up with the load it describes"
            )
    return found

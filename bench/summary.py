"""The figures of a run, and what each of them means. Pure: numbers in, numbers out.

Every figure is defined here and nowhere else. Errors enter no latency and are never dropped;
a figure without samples is None, never 0. The statistics lie beside: `intervals`, `steady`,
`goodput`, `knee`, `paired`; whether a run counts in `valid`, what it says in words in `advice`.
They need numpy and SciPy, which are imported when a run is concluded, not before.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from .load import Open, Point, Result
from .sample import Resource, Sample, phase_of

if TYPE_CHECKING:
    from .document import Document

SCHEMA = "parallama/summary/2"
IDLE = "idle"
DEFINITIONS = {
    "requests": "Measured requests of the point, the failed ones included; the first ones "
    "(warm-up, as many as the load says) enter no figure.",
    "failures": "Requests without a whole, error-free answer that has text; `errors` counts them "
    "by class, and they enter no latency.",
    "duration_s": "The point's window: from the first measured request sent (in an open loop: "
    "planned) to the last byte that came for any measured request.",
    "output_tokens": "Sum of eval_count, as the server declared it, over the requests that "
    "succeeded; null where one of them declared none.",
    "prompt_tokens": "Sum of prompt_eval_count over the requests that succeeded, in the same way.",
    "output_tokens_per_s": "output_tokens divided by duration_s; every request that succeeded lies "
    "wholly inside this window, ramp and tail included.",
    "prompt_tokens_per_s": "prompt_tokens divided by duration_s, decoding included.",
    "requests_per_s": "Requests that succeeded, divided by duration_s.",
    "declared_tokens_per_s": "The median over requests of eval_count by eval_duration, both as the "
    "server declared them: what it says of its own decoding.",
    "ttft_ms": "Time to first token: from sent to the first record with text in it. In an open "
    "loop from the planned time, so that the wait of a request that was sent late counts. The "
    "answer of an embedding is one record.",
    "itl_ms": "Inter-token latency: gaps between successive records with text, all requests "
    "pooled; records that came in one read have a gap of 0 (see coalesced_share).",
    "tpot_ms": "Time per output token of a request: last record with text minus the first, "
    "divided by eval_count - 1; requests of one token or of one record have none.",
    "e2e_ms": "From sent to the last byte of the answer; in an open loop from the planned time.",
    "connect_ms": "Time to open a connection, each connection of the point, warm-up included; in a "
    "closed loop always before the request's clock starts.",
    "load_ms": "load_duration of each request, as the server declared it.",
    "dispatch_late_ms": "Sent minus planned: how late the client itself was. A user plans its next "
    "request for the moment its last answer has been read.",
    "coalesced_share": "Share of reads with text that held more than one record: those records "
    "share an arrival time.",
    "records_per_token": "Records with text by declared output tokens, over the requests that "
    "succeeded; 1 where each record is a token.",
    "offered_per_s": "Arrivals by second of an open loop, from the first measured one's planned "
    "time to the last one's.",
    "in_flight": "Requests under way: the mean over the point's window, and the most at a time.",
    "goodput": "Requests that kept the SLO (time to first token and time per output token; the "
    "profile says which): by second of the window, and as a share of all measured requests with "
    "its 95 % interval by Wilson. A request that failed kept nothing.",
    "memory": "The most that was seen of each while the point ran; rss and pss are sums over the "
    "server's process tree, declared is what /api/ps says, mlx what the server's /metrics says.",
    "energy": "power_w: mean power of the whole system while the point ran. joules_per_token: what "
    "of it exceeds the idle system's mean power, by output token; null where no idle power is "
    "known.",
    "percentiles": "Nearest rank: the smallest sample that is not below the given share of all "
    "samples; null (n too small) where that would be the largest sample (p90 of fewer than 10, "
    "p95 of fewer than 20, p99 of fewer than 100).",
    "intervals": "95 % intervals of percentiles, by order statistics (exact binomial), requests "
    "taken as independent. The gaps of one answer are not: for itl_ms the binomial has as many "
    "values as would show the scatter that there is between answers (Woodruff, Korn and Graubard). "
    "null: n is too small for one (p50 below 6, p90 below 36, p95 below 72, p99 below 368 "
    "requests).",
    "steady": "Whether the point's level held. Measured requests in the order of issue, from when "
    "all users had begun to when the first had no more to ask, in 10 to 30 buckets of at least "
    "as many requests as were in flight; the medians of time to first token and of time per "
    "output token (else e2e) are tested for a trend (Mann-Kendall, variance corrected for lag-1 "
    "autocorrelation) and a shift of level (Pettitt, corrected alike). Not steady: p below 1 % "
    "and a change of more than 5 %, or a scatter of the buckets above 30 %. The window is chosen "
    "by the load alone, and no figure is cut by it.",
    "blocks": "Where the words of a verdict give a rate over several blocks of a load, it is their "
    "mean, with its 95 % interval by Student's t over the blocks (from 3 of them).",
    "knees": "closed loops: the rung of the ladder that lies furthest above the line from the "
    "first to the last (Kneedle's distance, both axes scaled to 1, at least 0.15); open loops: "
    "the highest rate up to which answers came as fast as requests (slope of ends against "
    "planned times at most 1 / 0.95) and the p95 of ttft_ms kept the SLO. low and high: of users, "
    "95 % of 2,000 ladders drawn with the scatter of the blocks; of rates, the least and the most "
    "of the blocks apart; null with one block.",
    "comparisons": "Of points of one block: the same label on two arms, or a label with the "
    "baseline. ratio is the geometric mean over the pairs of blocks, low and high its 95 % "
    "interval by Student's t on the logarithms; of latencies the medians are compared. p: exact "
    "paired sign-flip test; p_adjusted: by Holm, over all comparisons of the run. detectable: the "
    "smallest difference that as many pairs with this scatter, among as many comparisons, would "
    "find four times in five.",
    "comparison verdicts": "better or worse: the interval excludes 1, does so still when it is "
    "widened for the number of comparisons (Holm), and the ratio is more than 2 % from 1. "
    "not enough pairs: fewer than 6, with which no exact test can reach 5 %. Else no difference "
    "found.",
    "stamps": "kernel: arrival times are the kernel's (SO_TIMESTAMPNS), whatever the client is "
    "doing; user: taken when a read returned.",
    "valid": "False when the figures are not those of the load that is described; invalid_because "
    "says why: interrupted; the client late (p99 of dispatch_late_ms above 5 ms and above 5 % of "
    "the median e2e_ms, in an open loop ttft_ms) or without CPU left (above 90 % of a core a "
    "process); its own error too large (p99 for ttft_ms above 5 % of the reported p50, p50 for "
    "itl_ms above 5 % of the reported p50), tokens lost or counted twice; records that are not "
    "tokens; no warm-up, or a model that was loaded while it was measured; workers whose clocks "
    "are less certain than the lateness allowed.",
}


@dataclass(frozen=True, slots=True)
class Measures:
    """What one request contributes; None where it has no such thing."""

    ttft_ms: float | None = None
    tpot_ms: float | None = None
    e2e_ms: float | None = None
    itl_ms: tuple[float, ...] = ()


def measures(sample: Sample, *, open_loop: bool = False) -> Measures:
    """The latencies of one request; none of a request that failed."""
    if sample.error is not None or not sample.arrivals:
        return Measures()
    begun_ns = sample.planned_ns if open_loop else sample.sent_ns
    times = [arrival.at_ns for arrival in sample.arrivals]
    tpot_ms = None
    if sample.output_tokens is not None and sample.output_tokens > 1 and len(times) > 1:
        tpot_ms = (times[-1] - times[0]) / (sample.output_tokens - 1) / 1e6
    return Measures(
        ttft_ms=(times[0] - begun_ns) / 1e6,
        tpot_ms=tpot_ms,
        e2e_ms=None if sample.finished_ns is None else (sample.finished_ns - begun_ns) / 1e6,
        itl_ms=tuple((later - earlier) / 1e6 for earlier, later in pairwise(times)),
    )


def percentile(ordered: Sequence[float], percent: int) -> float:
    """The nearest-rank percentile of ascending values, of which there is at least one."""
    return ordered[max(0, -(-percent * len(ordered) // 100) - 1)]


def window_ns(samples: Sequence[Sample], *, open_loop: bool = False) -> int:
    """The length of the window of measured requests, 0 without any."""
    if not samples:
        return 0
    first = min(sample.planned_ns if open_loop else sample.sent_ns for sample in samples)
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


def result(point: Point, samples: Sequence[Sample]) -> Result:
    """What a point came to, while the run goes on: for the choice of the next point. Its p95 is
    given however few the samples are."""
    open_loop = isinstance(point.load, Open)
    measured = [sample for sample in samples if not sample.warmup]
    succeeded = [sample for sample in measured if sample.error is None]
    duration_s = window_ns(measured, open_loop=open_loop) / 1e9
    found = (measures(sample, open_loop=open_loop).ttft_ms for sample in succeeded)
    ttft = sorted(one for one in found if one is not None)
    return Result(
        point=point,
        requests=len(measured),
        failures=len(measured) - len(succeeded),
        requests_per_s=rate(len(succeeded) or None, duration_s),
        output_tokens_per_s=rate(total([one.output_tokens for one in succeeded]), duration_s),
        ttft_p95_ms=percentile(ttft, 95) if ttft else None,
    )


def beside(resources: Iterable[Resource], record: dict[str, Any]) -> list[Resource]:
    """What was seen of a point's server while the point ran."""
    phase, arm = phase_of(record["point"]), record["arm"]
    return [one for one in resources if one.phase == phase and one.arm == arm]


def mean_power(resources: Iterable[Resource]) -> float | None:
    """The mean of the power that was seen; None where none was."""
    seen = [one.power_w for one in resources if one.power_w is not None]
    return sum(seen) / len(seen) if seen else None


def summary(document: Document) -> dict[str, Any]:
    """All of summary.json."""
    from . import advice, charts, figures, knee, paired, valid

    header, footer = document.header, document.footer
    points, kept_up = [], []
    idle_w = mean_power(one for one in document.resources if one.phase == IDLE)
    slo = header["profile"].get("slo")
    for record in document.points:
        frame = document.frames[record["point"]]
        points.append(figures.point(record, frame, beside(document.resources, record), slo, idle_w))
        kept_up.append(figures.pace_kept(frame))
    shared = ("bench_version", "started_at", "profile", "arms", "machine", "stamps", "calibration")
    made: dict[str, Any] = {
        "schema": SCHEMA,
        **{name: header[name] for name in shared},
        "finished_at": footer["finished_at"],
        "interrupted": footer["interrupted"],
        "client_cpu_share": footer.get("client_cpu_share"),
        "definitions": DEFINITIONS,
        "points": points,
        "comparisons": paired.comparisons(points, [arm["name"] for arm in header["arms"]]),
        "knees": knee.knees(points, kept_up, slo),
    }
    because = valid.faults(made, document)
    made |= {"valid": not because, "invalid_because": because}
    said = {"verdict": advice.verdict(made), "advice": advice.advice(made)}
    return made | said | {"charts": charts.charts(document)}

"""Ratios with their intervals: what an option costs, and how one server stands to another."""

from __future__ import annotations

from . import axis, words
from .benches import Comparison, Summary
from .plot import Forest, Ratio

METRICS = {
    "output_tokens_per_s": "Output tokens per second",
    "requests_per_s": "Requests per second",
    "ttft_ms": "Time to first token",
    "itl_ms": "Gaps between records (ITL)",
    "tpot_ms": "Time per output token (TPOT)",
    "e2e_ms": "Whole answer (E2E)",
}
STATES = {"better": "good", "worse": "bad"}
LEAST, MOST = 1 / 64, 64.0  # a ratio beyond lies at the edge; its figure is written beside it


def forests(summary: Summary) -> tuple[Forest, ...]:
    """A chart for each figure that was compared."""
    metrics = dict.fromkeys(one.metric for one in summary.comparisons)
    return tuple(
        forest(metric, [one for one in summary.comparisons if one.metric == metric])
        for metric in metrics
    )


def forest(metric: str, compared: list[Comparison]) -> Forest:
    """The ratios of one figure."""
    ends = [1.0]
    for one in compared:
        ends += [
            within(end) for end in (one.ratio, one.low, one.high) if end is not None and end > 0
        ]
    x = axis.logarithmic("ratio, logarithmic", min(ends) / 1.05, max(ends) * 1.05)
    better = next((one.better for one in compared if one.better), None)
    name = METRICS.get(base(metric), words.inline(metric))
    told = f"{name}: ratio to {', '.join(dict.fromkeys(one.baseline for one in compared))}"
    hint = f"; {better} is better" if better else ""
    return Forest(name, f"{told}, with 95 % intervals{hint}.", x, tuple(ratios(compared, x)))


def base(metric: str) -> str:
    """The figure that a metric is of, without which of its percentiles."""
    return metric.partition(".")[0].removesuffix("_p50").removesuffix("_p95")


def within(ratio: float) -> float:
    """The ratio, as far as it can be drawn."""
    return min(max(ratio, LEAST), MOST)


def ratios(compared: list[Comparison], x: axis.Axis) -> list[Ratio]:
    """One row for each comparison."""
    rows = []
    for one in compared:
        known = one.ratio is not None and one.ratio > 0
        at = x.at(within(one.ratio or 1.0)) if known else None
        low, high = (
            x.at(within(end)) if end and known else at or 0.0 for end in (one.low, one.high)
        )
        rows.append(
            Ratio(
                name=one.label,
                text=written(one),
                verdict=said(one),
                state=STATES.get(one.verdict, ""),
                at=at,
                low=low,
                high=high,
            )
        )
    return rows


def written(one: Comparison) -> str:
    """The ratio and its interval as figures."""
    if one.ratio is None:
        return words.NO_SAMPLES
    text = f"{one.ratio:.3f}"
    return (
        text if one.low is None or one.high is None else f"{text} ({one.low:.3f} to {one.high:.3f})"
    )


def said(one: Comparison) -> str:
    """The verdict in words, with how sure it is. The p is that of the pairs alone; the verdict has
    also been held to the number of comparisons, by intervals (see the definitions)."""
    if one.verdict == "no difference found" and one.detectable is not None:
        return f"no difference found; {words.share(one.detectable)} would have been"
    p = "" if one.p is None else f", p = {one.p:.3g}"
    return f"{one.verdict}{p}, {words.plural(one.pairs, 'pair')}"

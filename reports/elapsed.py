"""The charts of a run over time: tokens and requests in flight, memory, power, single requests."""

from __future__ import annotations

from collections.abc import Sequence

from . import axis, words
from .benches import Lane, Moment, Point, Summary
from .plot import Band, Bar, Chart, Series, Timeline

MIB = 2**20
MEMORY = (
    ("footprint_bytes", "physical footprint"),
    ("rss_bytes", "resident (RSS)"),
    ("pss_bytes", "proportional (PSS)"),
    ("anonymous_bytes", "anonymous part"),
    ("declared_bytes", "declared by /api/ps"),
    ("mlx_active_bytes", "MLX active"),
    ("mlx_cache_bytes", "MLX cache"),
)
STEADY = "windows that count as steady"
MAX_LINES = 8
MAX_TICKS = 300
MAX_TIMELINES = 2


def charts(summary: Summary) -> tuple[Chart, ...]:
    """All charts over time for which there are samples."""
    drawn = [*flow(summary), memory(summary), power(summary)]
    return tuple(chart for chart in drawn if chart is not None)


def flow(summary: Summary) -> list[Chart]:
    """Tokens by second and requests in flight, with the steady windows shaded."""
    taken = summary.drawn.flow
    if taken is None or not taken.tokens_per_s:
        return []
    seconds = taken.step_s * len(taken.tokens_per_s)
    bands = steady(summary.points, taken.start_s)
    said = "Shaded: the windows that count as steady." if bands else "No window counts as steady."
    made = []
    for title, unit, values in (
        ("Tokens by second over the run", "tokens/s", taken.tokens_per_s),
        ("Requests in flight over the run", "requests", taken.in_flight),
    ):
        run = tuple((step * taken.step_s, value) for step, value in enumerate(values))
        run = (*run, (seconds, values[-1]))
        made.append(
            Chart(
                title=title,
                description=f"At most {words.figure(max(values))}. {said}",
                x=axis.elapsed("seconds", seconds),
                y=axis.linear(unit, max(*values, 1e-6) * 1.05),
                series=(Series(unit, (run,)),),
                bands=bands,
                steps=True,
            )
        )
    return made


def steady(points: Sequence[Point], start_s: float) -> tuple[Band, ...]:
    """The steady windows, in seconds since the chart's start."""
    found = []
    for point in points:
        window = point.steady
        if window and window.verdict == "steady" and window.start_s is not None:
            end_s = window.start_s if window.end_s is None else window.end_s
            start = max(0.0, window.start_s - start_s)
            found.append(Band(STEADY, start, end_s - start_s, strong=True))
    return tuple(found)


def memory(summary: Summary) -> Chart | None:
    """What the servers took over time, with the phases of the run; None where nothing was read."""
    moments = summary.drawn.moments
    if not moments:
        return None
    start_s = min(moment.at_s for moment in moments)
    series: list[Series] = []
    for index, arm in enumerate(summary.arms):
        own = [moment for moment in moments if moment.arm == index]
        for key, name in MEMORY:
            run = tuple(
                (moment.at_s - start_s, moment.taken[key] / MIB)
                for moment in own
                if key in moment.taken
            )
            if run:
                series.append(
                    Series(f"{arm.name}: {name}" if len(summary.arms) > 1 else name, (run,))
                )
    if not series:
        return None
    series = series[:MAX_LINES]
    peaks = {one.name: max(size for _, size in one.runs[0]) for one in series}
    unit = "GiB" if max(peaks.values()) >= 4 * 1024 else "MiB"
    said = ", ".join(f"{name} {words.size(peak * MIB)}" for name, peak in peaks.items())
    end_s = max(0.001, max(moment.at_s for moment in moments) - start_s)
    return Chart(
        title="Memory of the server" if len(summary.arms) == 1 else "Memory of the servers",
        description=f"Peak: {said}.",
        x=axis.elapsed("seconds", end_s),
        y=axis.linear(unit, max(peaks.values()), unit=1024 if unit == "GiB" else 1),
        series=tuple(series),
        bands=phases(summary, moments, start_s, end_s),
    )


def power(summary: Summary) -> Chart | None:
    """Power of the whole system; None where nothing tells it."""
    known = [moment for moment in summary.drawn.moments if "power_w" in moment.taken]
    if not known:
        return None
    start_s = min(moment.at_s for moment in summary.drawn.moments)
    run = tuple((moment.at_s - start_s, moment.taken["power_w"]) for moment in known)
    end_s = max(0.001, run[-1][0])
    return Chart(
        title="Power",
        description="Of the whole system, not of the server alone. "
        f"At most {words.figure(max(watts for _, watts in run))} W.",
        x=axis.elapsed("seconds", end_s),
        y=axis.linear("W", max(watts for _, watts in run)),
        series=(Series("power", (run,)),),
        bands=phases(summary, known, start_s, end_s),
    )


def phases(
    summary: Summary, moments: Sequence[Moment], start_s: float, end_s: float
) -> tuple[Band, ...]:
    """Neighbours of the same phase, as one band each; a point is named by its load."""
    names = {f"point {point.number}": point.label for point in summary.points}
    begun: list[tuple[str, float]] = []
    for moment in sorted(moments, key=lambda one: one.at_s):
        name = names.get(moment.phase, moment.phase)
        if not begun or begun[-1][0] != name:
            begun.append((name, moment.at_s - start_s))
    ends = [at for _, at in begun[1:]] + [end_s]
    return tuple(Band(name, at, end) for (name, at), end in zip(begun, ends, strict=True))


def timelines(summary: Summary) -> tuple[Timeline, ...]:
    """The requests of a few points, one below the other."""
    points = {point.number: point for point in summary.points}
    made = []
    for number, lanes in summary.drawn.timelines[-MAX_TIMELINES:]:
        if number in points and lanes:
            made.append(timeline(points[number], lanes))
    return tuple(made)


def timeline(point: Point, lanes: Sequence[Lane]) -> Timeline:
    """The requests of a point, each with the moments of its tokens."""
    start = min(min(lane.planned_s, lane.sent_s) for lane in lanes)
    end = max(max(lane.end_s for lane in lanes), start + 0.001)
    x = axis.elapsed("seconds", end - start)
    bars = []
    for lane in lanes:
        step = -(-len(lane.tokens_s) // MAX_TICKS) or 1
        tokens = tuple(x.at(at - start) for at in lane.tokens_s[::step])
        sent = x.at(lane.sent_s - start)
        last = x.at(lane.end_s - start)
        state = "failed" if lane.error else "warm-up" if lane.warmup else ""
        name = f"user {lane.user}" + (f": {lane.error}" if lane.error else "")
        wait = min(x.at(lane.planned_s - start), sent)
        bars.append(Bar(name, wait, sent, tokens[0] if tokens else last, last, tokens, state))
    failed = sum(lane.error is not None for lane in lanes)
    return Timeline(
        title=f"Requests over time: {point.label}",
        description=f"{words.plural(len(lanes), 'request')}, {failed} of them failed: waiting, "
        "then a tick for each record with text.",
        x=x,
        bars=tuple(bars),
    )

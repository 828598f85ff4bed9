"""The charts of a bench, as numbers: series, axes, bands. Templates draw them as inline SVG.

Not plotly: its script is 4.8 MB a page, needs JavaScript to show anything, and follows neither the
reader's colour scheme nor the printer. These charts are some kilobytes and do all three.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from . import axis, words
from .axis import Axis
from .documents import Point
from .samples import GRAIN_NS, Distribution, Latencies, Resource

MAX_MOMENTS = 400  # of memory over time; more than a screen shows
MIB = 2**20


@dataclass(frozen=True, slots=True)
class Series:
    """One line: runs of (x, y) in the chart's units, parted where a value is missing."""

    name: str
    runs: tuple[tuple[tuple[float, float], ...], ...]


@dataclass(frozen=True, slots=True)
class Band:
    """A stretch of the x axis with a name."""

    name: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Chart:
    """Everything that a drawing of it needs."""

    title: str
    description: str
    x: Axis
    y: Axis
    series: tuple[Series, ...]
    bands: tuple[Band, ...] = ()
    steps: bool = False  # a value holds until the next
    dots: bool = False  # each value is drawn, and written, for itself

    def path(self, series: Series) -> str:
        """The line in a box of 1000 by 1000, as SVG path commands."""
        return " ".join(command for run in series.runs for command in self._commands(run))

    def _commands(self, run: tuple[tuple[float, float], ...]) -> Iterator[str]:
        for index, (x, y) in enumerate(run):
            across, down = f"{self.x.at(x) * 10:g}", f"{1000 - self.y.at(y) * 10:g}"
            if index == 0:
                yield f"M{across} {down}"
            else:
                yield f"H{across}V{down}" if self.steps else f"L{across} {down}"


def throughput(points: tuple[Point, ...]) -> Chart | None:
    """Output tokens per second by concurrency; None where no point has any."""
    known = [point for point in points if point.output_tokens_per_s is not None]
    if not known:
        return None
    rates = [point.output_tokens_per_s or 0.0 for point in known]
    run = tuple((float(place), rate) for place, rate in enumerate(rates))
    said = ", ".join(
        f"{words.figure(rate)} at concurrency {point.concurrency}"
        for point, rate in zip(known, rates, strict=True)
    )
    return Chart(
        title="Output tokens per second",
        description=f"Tokens per second of all streams together: {said}.",
        x=axis.named("concurrency", tuple(str(point.concurrency) for point in known)),
        y=axis.linear("tokens/s", max(rates) * 1.1),  # room for the number above the highest dot
        series=(Series("tokens/s", (run,)),),
        dots=True,
    )


def first_token(points: Mapping[int, Latencies]) -> Chart | None:
    """How the time to first token is distributed, a curve for each load."""
    return _distributions(
        "Time to first token", "answers", points, lambda latencies: latencies.ttft
    )


def between_tokens(points: Mapping[int, Latencies]) -> Chart | None:
    """How the gaps between records are distributed, a curve for each load."""
    return _distributions("Gaps between records (ITL)", "gaps", points, lambda of: of.itl)


def _distributions(
    title: str,
    noun: str,
    points: Mapping[int, Latencies],
    pick: Callable[[Latencies], Distribution],
) -> Chart | None:
    names = _load_names(points)
    series: list[Series] = []
    floor = 1 / 1e6 * GRAIN_NS  # a logarithmic axis has no room for less
    for index, latencies in sorted(points.items()):
        corners = [(max(ms, floor), share) for ms, share in pick(latencies).curve_ms()]
        if corners:
            run = ((corners[0][0], 0.0), *corners)
            series.append(Series(f"{names[index]} (n = {pick(latencies).n:,})", (run,)))
    if not series:
        return None
    values = [ms for line in series for ms, _ in line.runs[0]]
    medians = "; ".join(
        f"{line.name}: half within {words.figure(_median(line))} ms" for line in series
    )
    return Chart(
        title=title,
        description=f"Share of {noun} within so many milliseconds. {medians}.",
        x=axis.logarithmic("milliseconds, logarithmic", min(values), max(values)),
        y=axis.shares(f"share of {noun}"),
        series=tuple(series),
        steps=True,
    )


def _median(line: Series) -> float:
    return next(ms for ms, share in line.runs[0] if share >= 0.5)


def _load_names(points: Mapping[int, Latencies]) -> dict[int, str]:
    """Concurrency names a load, unless two have the same."""
    times = Counter(latencies.concurrency for latencies in points.values())
    return {
        index: f"concurrency {latencies.concurrency}"
        + (f", point {index}" if times[latencies.concurrency] > 1 else "")
        for index, latencies in points.items()
    }


def memory(resources: list[Resource], points: Mapping[int, Latencies]) -> Chart | None:
    """The server's memory over time with the phases of the run; None where nothing was read.

    A phase `point 2` is named by the load of that point, as in the other charts.
    """
    kinds: tuple[tuple[str, Callable[[Resource], int | None]], ...] = (
        ("resident (RSS)", lambda resource: resource.rss_bytes),
        ("proportional (PSS)", lambda resource: resource.pss_bytes),
        ("declared by /api/ps", lambda resource: resource.declared_bytes),
    )
    ordered = sorted(resources, key=lambda resource: resource.at_ns)
    series = [Series(name, _runs(ordered, pick)) for name, pick in kinds]
    series = [line for line in series if line.runs]
    if not series:
        return None
    start = ordered[0].at_ns
    end_s = max((ordered[-1].at_ns - start) / 1e9, 0.001)
    peaks = {line.name: max(y for run in line.runs for _, y in run) for line in series}
    unit = "GiB" if max(peaks.values()) >= 4 * 1024 else "MiB"
    said = ", ".join(f"{name} {words.size(peak * MIB)}" for name, peak in peaks.items())
    return Chart(
        title="Memory of the server",
        description=f"Peak: {said}.",
        x=axis.elapsed("seconds", end_s),
        y=axis.linear(unit, max(peaks.values()), unit=1024 if unit == "GiB" else 1),
        series=tuple(series),
        bands=_bands(ordered, end_s, {f"point {k}": v for k, v in _load_names(points).items()}),
    )


def _runs(
    ordered: list[Resource], pick: Callable[[Resource], int | None]
) -> tuple[tuple[tuple[float, float], ...], ...]:
    """Seconds and MiB, thinned to the highest of each stretch, parted where nothing was read.

    A value missing beside others was not looked at: PSS is read less often, since it costs more.
    """
    start = ordered[0].at_ns if ordered else 0
    stretch = -(-len(ordered) // MAX_MOMENTS) or 1
    runs: list[list[tuple[float, float]]] = [[]]
    for first in range(0, len(ordered), stretch):
        moments = ordered[first : first + stretch]
        known = [(size, one.at_ns) for one in moments if (size := pick(one)) is not None]
        if known:
            size, at_ns = max(known)
            runs[-1].append(((at_ns - start) / 1e9, size / MIB))
        elif runs[-1] and all(one.unread for one in moments):
            runs.append([])
    return tuple(tuple(run) for run in runs if run)


def _bands(ordered: list[Resource], end_s: float, names: Mapping[str, str]) -> tuple[Band, ...]:
    """Neighbours of the same phase, as one band each."""
    start = ordered[0].at_ns
    begun: list[tuple[str, float]] = []
    for resource in ordered:
        if resource.phase and (not begun or begun[-1][0] != resource.phase):
            begun.append((resource.phase, (resource.at_ns - start) / 1e9))
    ends = [at for _, at in begun[1:]] + [end_s]
    return tuple(
        Band(names.get(name, name), at, end) for (name, at), end in zip(begun, ends, strict=True)
    )

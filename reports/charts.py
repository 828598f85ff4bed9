"""The charts of loads: throughput and its knee, latency, goodput, prompt lengths, distributions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

from . import axis, words
from .axis import Axis
from .benches import Curve, Pair, Point, Summary
from .plot import Band, Chart, Dot, Mark, Series

MAX_CURVES = 6
FLOOR_MS = 0.01  # a logarithmic axis has no room for less
ROOM = 1.12  # above the highest dot, for what is written there
ON_AN_AXIS = ("users", "rate", "prompt", "soak")
AXES = {
    "users": "users, all asking at once",
    "rate": "requests offered by second",
    "prompt": "prompt tokens, logarithmic",
    "soak": "minutes",
}


@dataclass(frozen=True, slots=True)
class Load:
    """One load on one arm, over its blocks."""

    label: str
    value: float
    points: tuple[Point, ...]

    def known(self, pick: Callable[[Point], float | None]) -> list[float]:
        """A figure of each block that has it."""
        return [value for point in self.points if (value := pick(point)) is not None]

    def dot(self, x: float, pick: Callable[[Point], float | None]) -> Dot | None:
        """The mean over the blocks, from the least to the most of them; None without any."""
        values = self.known(pick)
        if not values:
            return None
        mean = fmean(values)
        spread = (min(values), max(values)) if len(values) > 1 else (None, None)
        return Dot(x, mean, words.figure(mean), *spread)


def loads(summary: Summary, group: str, arm: int) -> list[Load]:
    """The loads of a group in the order of their values, or as they came."""
    found: dict[str, list[Point]] = {}
    for point in summary.points:
        if (point.group, point.arm) == (group, arm):
            found.setdefault(point.label, []).append(point)
    made = [
        Load(label, float(index) if points[0].value is None else points[0].value, tuple(points))
        for index, (label, points) in enumerate(found.items())
    ]
    return sorted(made, key=lambda load: load.value)


def of_users(summary: Summary, arm: int) -> list[Load]:
    """The steps of a ladder of users."""
    return loads(summary, "users", arm)


def groups(summary: Summary) -> tuple[str, ...]:
    """The groups of a run, in the order in which they were measured."""
    return tuple(dict.fromkeys(point.group for point in summary.points))


def charts(summary: Summary) -> tuple[Chart, ...]:
    """All charts of loads for which there are samples."""
    drawn: list[Chart | None] = []
    for group in groups(summary):
        match group:
            case "users":
                drawn += [throughput(summary), against_latency(summary)]
            case "rate":
                drawn += [goodput(summary), first_tokens(summary, group)]
            case "options" | "chat options" | "probe":
                pass  # the forest shows them
            case _:
                drawn.append(first_tokens(summary, group))
    drawn += [distribution(summary, "ttft"), distribution(summary, "itl")]
    return tuple(chart for chart in drawn if chart is not None)


def throughput(summary: Summary) -> Chart | None:
    """Output tokens per second by users, with the knee."""
    found = {load.value for index in range(len(summary.arms)) for load in of_users(summary, index)}
    values = sorted(found)
    places = {value: float(index) for index, value in enumerate(values)}
    series = []
    for index, arm in enumerate(summary.arms):
        dots = [
            load.dot(places[load.value], lambda point: point.output_tokens_per_s)
            for load in of_users(summary, index)
        ]
        series += line(arm.name, dots)
    if not series:
        return None
    marks, bands = knees(summary, places)
    said = "; ".join(
        f"{one.name}: " + ", ".join(f"{dot.name} at {dot.x:g}" for dot in one.dots)
        for one in renamed_x(series, [f"{value:g}" for value in values])
    )
    return Chart(
        title="Output tokens per second",
        description=f"All streams together, by users. {said}.",
        x=axis.named(AXES["users"], tuple(f"{value:g}" for value in values)),
        y=axis.linear("tokens/s", highest(series) * ROOM),
        series=tuple(series),
        marks=marks,
        bands=bands,
    )


def renamed_x(series: Iterable[Series], names: Sequence[str]) -> list[Series]:
    """The series with the values that their places stand for, for the description."""
    return [
        Series(
            one.name, (), tuple(Dot(float(names[int(dot.x)]), dot.y, dot.name) for dot in one.dots)
        )
        for one in series
    ]


def knees(
    summary: Summary, places: dict[float, float]
) -> tuple[tuple[Mark, ...], tuple[Band, ...]]:
    """Where the knees lie on the axis, with their intervals."""
    marks, bands = [], []
    for knee in summary.knees:
        if knee.group != "users" or knee.value is None or not places:
            continue
        name = "knee" if len(summary.arms) == 1 else f"knee of {summary.arms[knee.arm].name}"
        marks.append(Mark(f"{name}: {knee.value:g}", between(places, knee.value)))
        if knee.low is not None and knee.high is not None:
            low, high = between(places, knee.low), between(places, knee.high)
            bands.append(Band(f"{name}, 95 %", low, high, strong=True))
    return tuple(marks), tuple(bands)


def between(places: dict[float, float], value: float) -> float:
    """The place of a value among those that have one, on the line between its neighbours."""
    below = max((one for one in places if one <= value), default=min(places))
    above = min((one for one in places if one >= value), default=max(places))
    part = 0.0 if above == below else (value - below) / (above - below)
    return places[below] + part * (places[above] - places[below])


def against_latency(summary: Summary) -> Chart | None:
    """The median time to first token that each throughput costs."""
    series = []
    for index, arm in enumerate(summary.arms):
        dots = []
        for load in of_users(summary, index):
            rates = load.known(lambda point: point.output_tokens_per_s)
            dot = (
                load.dot(fmean(rates), lambda point: point.figures["ttft_ms"].p50)
                if rates
                else None
            )
            dots.append(Dot(dot.x, dot.y, f"{load.value:g}") if dot else None)
        series += line(arm.name, dots)
    if not series or all(len(one.dots) < 2 for one in series):
        return None
    right = max(dot.x for one in series for dot in one.dots)
    return Chart(
        title="Throughput against latency",
        description="Median time to first token at the throughput that so many users reach: "
        + "; ".join(
            f"{dot.name} users {words.figure(dot.x)} tokens/s, {words.figure(dot.y)} ms"
            for one in series
            for dot in one.dots
        )
        + ".",
        x=axis.linear("tokens/s, all streams together", right * 1.05),
        y=axis.linear("TTFT p50, ms", highest(series) * ROOM),
        series=tuple(series),
    )


def goodput(summary: Summary) -> Chart | None:
    """Requests that kept the SLO by second, against those offered."""
    series = []
    for index, arm in enumerate(summary.arms):
        dots: list[Dot | None] = []
        for load in loads(summary, "rate", index):
            for point in load.points:
                offered, good = point.offered_per_s or load.value, point.goodput
                if good is not None:
                    low, high = good.low * offered, good.high * offered
                    dots.append(Dot(offered, good.per_s, words.figure(good.per_s), low, high))
        series += line(arm.name, dots)
    if not series:
        return None
    right = max(dot.x for one in series for dot in one.dots)
    ideal = Series("all that was offered", (((0.0, 0.0), (right, right)),), ideal=True)
    return Chart(
        title="Goodput against offered rate",
        description="Requests by second that kept the objective, with the 95 % interval of their "
        "share; on the straight line nothing is lost.",
        x=axis.linear(AXES["rate"], right),
        y=axis.linear("good requests by second", max(highest(series), right) * 1.05),
        series=(*series, ideal),
    )


def first_tokens(summary: Summary, group: str) -> Chart | None:
    """Median time to first token by load; of embeddings, the time of the whole answer."""
    embeds = group == "inputs"
    key, name = ("e2e_ms", "E2E p50, ms") if embeds else ("ttft_ms", "TTFT p50, ms")
    arms = range(len(summary.arms))
    labels = list(dict.fromkeys(one.label for arm in arms for one in loads(summary, group, arm)))
    series = []
    values: list[float] = []
    for index, arm in enumerate(summary.arms):
        found = loads(summary, group, index)
        values += [load.value for load in found]
        dots = []
        for load in found:
            x = load.value if group in ON_AN_AXIS else float(labels.index(load.label))
            dots.append(load.dot(x, lambda point: point.figures[key].p50))
        series += line(arm.name, dots)
    if not series or len(labels) < 2:
        return None
    return Chart(
        title="Whole answer" if embeds else "Time to first token by load",
        description="Median of each block, their mean as the dot: "
        + "; ".join(f"{one.name}: {', '.join(d.name for d in one.dots)} ms" for one in series)
        + ".",
        x=axis_of(group, labels, values),
        y=axis.linear(name, highest(series) * ROOM),
        series=tuple(series),
    )


def axis_of(group: str, labels: Sequence[str], values: Sequence[float]) -> Axis:
    """The x axis of a group: numbers where its values are some, else its labels."""
    if group == "prompt":
        return axis.logarithmic(AXES[group], max(min(values), 1.0), max(values))
    if group in ON_AN_AXIS:
        return axis.linear(AXES[group], max(values))
    return axis.named("", tuple(labels))


def distribution(summary: Summary, which: str) -> Chart | None:
    """How TTFT or the gaps between records are distributed, a curve for each load."""
    title, noun = {
        "ttft": ("Time to first token", "answers"),
        "itl": ("Gaps between records (ITL)", "gaps"),
    }[which]
    series = []
    for one in chosen(in_order(summary)):
        corners: tuple[Pair, ...] = one.ttft_ms if which == "ttft" else one.itl_ms
        if corners:
            moved = [(max(ms, FLOOR_MS), share) for ms, share in corners]
            series.append(Series(name_of(summary, one), (((moved[0][0], 0.0), *moved),)))
    if not series:
        return None
    times = [ms for one in series for ms, _ in one.runs[0]]
    medians = "; ".join(
        f"{one.name}: half within {words.figure(median(one.runs[0]))} ms" for one in series
    )
    return Chart(
        title=title,
        description=f"Share of {noun} within so many milliseconds. {medians}.",
        x=axis.logarithmic("milliseconds, logarithmic", min(times), max(times)),
        y=axis.shares(f"share of {noun}"),
        series=tuple(series),
        steps=True,
    )


def in_order(summary: Summary) -> list[Curve]:
    """The curves as the loads stand on their axes: a ladder looks closer at its knee afterwards."""
    values = {point.place: point.value for point in summary.points}
    names = list(dict.fromkeys(point.group for point in summary.points))

    def rank(curve: Curve) -> tuple[int, int, float]:
        place = (curve.group, curve.label, curve.arm)
        where = names.index(curve.group) if curve.group in names else len(names)
        return where, curve.arm, values.get(place) or 0.0

    return sorted(summary.drawn.curves, key=rank)


def chosen(curves: Sequence[Curve]) -> list[Curve]:
    """As many as can be told apart, at equal steps, with the first and the last."""
    if len(curves) <= MAX_CURVES:
        return list(curves)
    step = (len(curves) - 1) / (MAX_CURVES - 1)
    return [curves[round(index * step)] for index in range(MAX_CURVES)]


def name_of(summary: Summary, curve: Curve) -> str:
    """What a curve is of."""
    named = len(summary.arms) > 1
    return f"{summary.arms[curve.arm].name}, {curve.label}" if named else curve.label


def median(corners: Sequence[Pair]) -> float:
    """The first value that half of all do not exceed."""
    return next(ms for ms, share in corners if share >= 0.5)


def line(name: str, dots: Iterable[Dot | None]) -> list[Series]:
    """A series through the dots that there are; none through none."""
    there = [dot for dot in dots if dot is not None]
    return [Series(name, (tuple((d.x, d.y) for d in there),), tuple(there))] if there else []


def highest(series: Iterable[Series]) -> float:
    """The highest value that is drawn."""
    return max(max(dot.y, dot.high or 0.0) for one in series for dot in one.dots)

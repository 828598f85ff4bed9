"""A bench's loads, arranged for readers: a table for each group, a row for each load."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

from . import words
from .benches import Point, Summary
from .charts import Load, groups, loads

TOO_SMALL = "n too small"
GROUPS = {
    "users": "By users, each asking again as soon as it has its answer",
    "rate": "By offered rate, arrivals that wait for nobody",
    "prompt": "By prompt length",
    "shared": "By share of the prompt that all requests have in common",
    "turns": "Conversations",
    "inputs": "By texts in a request",
    "start": "Warm and cold start",
    "options": "Options, each in turns with a baseline",
    "chat options": "Options of chats, each in turns with a baseline",
    "models": "Models in turn",
    "soak": "Over time",
    "replay": "A trace, replayed",
    "probe": "What the server can do at most, found first",
    "a/b": "Servers in interleaved pairs",
    "a/a": "The same server twice, in interleaved pairs",
}
Pick = Callable[[Point], float | None]


@dataclass(frozen=True, slots=True)
class Cell:
    """A figure, and what stands in the way of trusting it."""

    text: str
    note: str = ""
    state: str = ""  # "missing", "bad" or nothing


@dataclass(frozen=True, slots=True)
class Row:
    """A load and its figures."""

    label: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """The loads of a group."""

    title: str
    blocks: int
    columns: tuple[tuple[str, str], ...]  # heading, unit
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Column:
    """A figure of points; shown only where some point of the table has it."""

    title: str
    unit: str
    cell: Callable[[Load], Cell]
    shown: Callable[[Point], bool] = lambda _: True


def latency(key: str, title: str, percentile: str) -> Column:
    """A percentile of a latency."""

    def cell(load: Load) -> Cell:
        return percentile_cell(load, key, percentile)

    def shown(point: Point) -> bool:
        return key in point.figures and point.figures[key].n > 0

    return Column(f"{title} {percentile}", "ms", cell, shown)


def amount(title: str, unit: str, pick: Pick) -> Column:
    """A figure that a block has one of."""
    return Column(
        title, unit, lambda load: blocks_cell(load.known(pick)), lambda p: pick(p) is not None
    )


def size(title: str, key: str) -> Column:
    """A peak of memory."""

    def cell(load: Load) -> Cell:
        known = load.known(lambda point: point.memory.get(key))
        text = words.size(max(known, default=None))
        return Cell(text, state="" if known else "missing")

    return Column(title, "peak", cell, lambda point: point.memory.get(key) is not None)


def columns() -> tuple[Column, ...]:
    """All that a table may show, from the left."""
    return (
        Column("requests", "", lambda load: counted(load, lambda point: point.requests)),
        Column("failures", "", failures),
        amount("tokens/s", "output", lambda point: point.output_tokens_per_s),
        amount("requests/s", "", lambda point: point.requests_per_s),
        amount("offered/s", "", lambda point: point.offered_per_s),
        amount("goodput/s", "", lambda point: point.goodput.per_s if point.goodput else None),
        latency("ttft_ms", "TTFT", "p50"),
        latency("ttft_ms", "TTFT", "p95"),
        latency("ttft_ms", "TTFT", "p99"),
        latency("itl_ms", "ITL", "p50"),
        latency("itl_ms", "ITL", "p99"),
        latency("tpot_ms", "TPOT", "p50"),
        latency("e2e_ms", "E2E", "p50"),
        latency("e2e_ms", "E2E", "p95"),
        latency("load_ms", "load", "p50"),
        amount("J/token", "whole system", lambda point: point.joules_per_token),
        size("PSS", "pss_bytes"),
        size("RSS", "rss_bytes"),
        size("footprint", "footprint_bytes"),
        size("MLX", "mlx_peak_bytes"),
        Column("steady", "", steady, lambda point: point.steady is not None),
        latency("dispatch_late_ms", "sent late", "p99"),
    )


def tables(summary: Summary) -> tuple[Table, ...]:
    """The loads of a run, group by group; columns that no load has are left out."""
    return tuple(table(summary, group) for group in groups(summary))


def table(summary: Summary, group: str) -> Table:
    """The loads of a group, those of each arm in turn."""
    points = [point for point in summary.points if point.group == group]
    shown = [one for one in columns() if any(one.shown(point) for point in points)]
    rows = []
    for index, arm in enumerate(summary.arms):
        for load in loads(summary, group, index):
            label = f"{arm.name}: {load.label}" if len(summary.arms) > 1 else load.label
            rows.append(Row(label, tuple(one.cell(load) for one in shown)))
    blocks = max(Counter(point.place for point in points).values())
    heads = tuple((one.title, one.unit) for one in shown)
    return Table(GROUPS.get(group, words.inline(group)), blocks, heads, tuple(rows))


def counted(load: Load, pick: Callable[[Point], int]) -> Cell:
    """A count over all blocks."""
    return Cell(f"{sum(pick(point) for point in load.points):,}")


def failures(load: Load) -> Cell:
    """Failed requests of all blocks."""
    failed = sum(point.failures for point in load.points)
    return Cell(f"{failed:,}", state="bad" if failed else "")


def blocks_cell(values: list[float]) -> Cell:
    """The median of the blocks, and how far they lie apart."""
    if not values:
        return Cell(words.NO_SAMPLES, state="missing")
    note = f"{words.figure(min(values))} to {words.figure(max(values))}" if len(values) > 1 else ""
    return Cell(words.figure(median(values)), note)


def percentile_cell(load: Load, key: str, percentile: str) -> Cell:
    """A percentile: of one block with its interval, of several their median and range.

    Percentiles of blocks are never averaged.
    """
    figures = [point.figures[key] for point in load.points if key in point.figures]
    values = [value for figure in figures if (value := figure.at[percentile]) is not None]
    if not values and (n := sum(figure.n for figure in figures)):
        return Cell("—", f"{TOO_SMALL} ({n})")
    if len(values) != 1:
        return blocks_cell(values)
    (figure,) = [one for one in figures if one.at[percentile] is not None]
    interval = figure.intervals.get(percentile)
    if interval is None:
        return Cell(words.figure(values[0]), f"{TOO_SMALL} ({figure.n})")
    return Cell(
        words.figure(values[0]), f"{words.figure(interval[0])} to {words.figure(interval[1])}"
    )


def steady(load: Load) -> Cell:
    """How many of the blocks had a steady window."""
    known = [point.steady.verdict for point in load.points if point.steady is not None]
    if not known:
        return Cell(words.NO_SAMPLES, state="missing")
    if set(known) == {"too short"}:
        return Cell("too short", state="missing")
    good = known.count("steady")
    return Cell("yes" if good == len(known) else "no" if not good else f"{good} of {len(known)}")


@dataclass(frozen=True, slots=True)
class Tile:
    """A figure worth a glance."""

    label: str
    text: str
    under: str


def tiles(summary: Summary) -> tuple[Tile, ...]:
    """The best rate, the first token of the lightest load, failures and memory."""
    points = summary.points
    if not points:
        return ()
    rated = [point for point in points if point.output_tokens_per_s is not None]
    best = max(rated, key=lambda point: point.output_tokens_per_s or 0, default=None)
    light = points[0]
    first = light.figures.get("ttft_ms")
    key, name = next(
        (
            (key, name)
            for key, name in (("footprint_bytes", "footprint"), ("pss_bytes", "PSS"))
            if any(point.memory.get(key) for point in points)
        ),
        ("rss_bytes", "RSS"),
    )
    sizes = [found for point in points if (found := point.memory.get(key)) is not None]
    requests, failed = sum(p.requests for p in points), sum(p.failures for p in points)
    return (
        Tile(
            "best tokens/s",
            words.figure(best.output_tokens_per_s if best else None),
            f"{best.label}{of_arm(summary, best)}" if best else "",
        ),
        Tile(
            "TTFT p50, ms",
            words.figure(first.p50 if first else None),
            f"{light.label}{of_arm(summary, light)}, n = {first.n if first else 0:,}",
        ),
        Tile("failures", f"{failed:,}", f"of {words.plural(requests, 'request')}"),
        Tile("peak memory", words.size(max(sizes, default=None)), f"{name}, the process tree"),
    )


def of_arm(summary: Summary, point: Point) -> str:
    """Which server, where there are several."""
    return f", {summary.arms[point.arm].name}" if len(summary.arms) > 1 else ""


def error_rows(points: tuple[Point, ...]) -> tuple[Row, ...]:
    """Failures by class: how many, and under which loads."""
    totals: Counter[str] = Counter()
    where: dict[str, Counter[str]] = {}
    for point in points:
        totals.update(point.errors)
        for name, count in point.errors.items():
            where.setdefault(name, Counter())[point.label] += count
    return tuple(
        Row(
            name,
            (
                Cell(f"{total:,}", state="bad"),
                Cell(", ".join(f"{label} ({count:,})" for label, count in where[name].items())),
            ),
        )
        for name, total in totals.most_common()
    )

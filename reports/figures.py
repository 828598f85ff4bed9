"""A bench's points, arranged for readers: a row for each figure, a column for each load."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from . import words
from .documents import Figure, Point, Summary

LATENCIES = (
    ("TTFT", "ttft_ms", "sent to first non-empty record"),
    ("ITL", "itl_ms", "gaps between such records"),
    ("TPOT", "tpot_ms", "(last − first) / (eval_count − 1)"),
    ("E2E", "e2e_ms", "sent to last byte"),
)
TOO_SMALL = "n too small"


@dataclass(frozen=True, slots=True)
class Cell:
    """A figure, and what stands in the way of trusting it."""

    text: str
    note: str = ""
    state: str = ""  # "missing", "bad" or nothing


@dataclass(frozen=True, slots=True)
class Row:
    label: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """Rows under a common heading."""

    title: str
    explained: str
    rows: tuple[Row, ...]


def groups(points: tuple[Point, ...]) -> tuple[Group, ...]:
    """All figures of all points; rows that no point has are left out."""
    load = Group(
        "Load",
        "",
        (
            _row("requests", points, lambda point: Cell(f"{point.requests:,}")),
            _row("failures", points, _failures),
            _row("duration, s", points, lambda point: _cell(point.duration_s)),
        ),
    )
    rates = Group(
        "Throughput",
        "all streams together",
        (
            _row("output tokens/s", points, lambda point: _cell(point.output_tokens_per_s)),
            _row("requests/s", points, lambda point: _cell(point.requests_per_s)),
            _row("output tokens", points, lambda point: _counted(point.output_tokens)),
        ),
    )
    rss = _row("peak RSS", points, lambda point: _missing(words.size(point.server_rss_bytes)))
    memory = Group("Server memory", "the whole process tree", (rss,))
    latencies = tuple(_latency(title, key, told, points) for title, key, told in LATENCIES)
    return (load, rates, *latencies, memory, *_measuring(points))


def _measuring(points: tuple[Point, ...]) -> tuple[Group, ...]:
    """How well the bench itself did, where it says so."""
    rows: list[Row] = []
    if any(point.dispatch_late_ms for point in points):
        rows.append(_row("sent late, ms p99", points, _lateness))
    if any(point.coalesced_share is not None for point in points):
        shared = _row(
            "reads of 2+ records", points, lambda p: _missing(words.share(p.coalesced_share))
        )
        rows.append(shared)
    return (Group("The bench itself", "its own error", tuple(rows)),) if rows else ()


def _latency(title: str, key: str, told: str, points: tuple[Point, ...]) -> Group:
    figures: list[Figure] = [getattr(point, key) for point in points]
    rows = (
        Row("p50", tuple(_cell(figure.p50) for figure in figures)),
        Row("p90", tuple(_cell(figure.p90) for figure in figures)),
        Row("p99", tuple(_p99(figure) for figure in figures)),
    )
    return Group(f"{title}, ms", told, rows)


def _row(label: str, points: tuple[Point, ...], cell: Callable[[Point], Cell]) -> Row:
    return Row(label, tuple(cell(point) for point in points))


def _missing(text: str) -> Cell:
    return Cell(text, state="missing" if text == words.NO_SAMPLES else "")


def _cell(number: float | None) -> Cell:
    return _missing(words.figure(number))


def _counted(number: int | None) -> Cell:
    return _missing(words.count(number))


def _failures(point: Point) -> Cell:
    return Cell(f"{point.failures:,}", state="bad" if point.failures else "")


def _lateness(point: Point) -> Cell:
    return _p99(point.dispatch_late_ms) if point.dispatch_late_ms else _cell(None)


def _p99(figure: Figure) -> Cell:
    """A 99th percentile; of too few values it is only their maximum, and says so."""
    if figure.p99 is None or figure.n >= words.ENOUGH_FOR_P99:
        return _cell(figure.p99)
    return Cell(words.figure(figure.p99), note=f"{TOO_SMALL} ({figure.n})")


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
    light = min(points, key=lambda point: point.concurrency)
    sizes = [p.server_rss_bytes for p in points if p.server_rss_bytes is not None]
    requests, failures = sum(p.requests for p in points), sum(p.failures for p in points)
    return (
        Tile(
            "best tokens/s",
            words.figure(best.output_tokens_per_s if best else None),
            f"at concurrency {best.concurrency}" if best else "",
        ),
        Tile(
            "TTFT p50, ms",
            words.figure(light.ttft_ms.p50),
            f"at concurrency {light.concurrency}, n = {light.ttft_ms.n:,}",
        ),
        Tile("failures", f"{failures:,}", f"of {words.plural(requests, 'request')}"),
        Tile("peak memory", words.size(max(sizes, default=None)), "RSS of the server"),
    )


def error_rows(points: tuple[Point, ...]) -> tuple[Row, ...]:
    """Failures by class; a column for each load."""
    classes = sorted({name for point in points for name in point.errors})
    return tuple(
        Row(name, tuple(Cell(f"{point.errors.get(name, 0):,}") for point in points))
        for name in classes
    )

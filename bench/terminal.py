"""What people see: progress while a run goes on, and the table of its figures at the end."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from statistics import median
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from .load import EMBEDDING_APIS, Closed, Open, Point, Result
from .sample import Sample
from .summary import last_ns, measures, percentile, window_ns

RECENT_NS = 10_000_000_000
"""The live page's figures are of the requests that ended in the last so long."""
BAR = 16
PERCENT = 95


class Progress:
    """A live picture of a run, on a terminal; silent elsewhere. `planned`: how many points there
    will be, where that is known."""

    def __init__(self, console: Console, planned: int | None) -> None:
        self.page: str | None = None
        """Where the live web page is."""
        self._planned = planned
        self._point: Point | None = None
        self._samples: list[Sample] = []
        self._word = "starting the load process"
        self._began_s = 0.0
        self._took_s: list[float] = []
        self._live = Live(console=console, get_renderable=self._picture, refresh_per_second=5)
        self._live.transient = True

    def __enter__(self) -> Progress:
        if self._live.console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live.is_started:
            self._live.stop()

    def waiting(self, there: int, wanted: int, place: str | None) -> None:
        """So many load processes have come; the others are to come to a place."""
        where = f", at {place}" if place else ""
        self._word = f"{there} of {wanted} load processes are there{where}"

    def phase(self, word: str, point: Point | None) -> None:
        """The run has gone on to another phase, of a point where one is given."""
        self._word, self._point = word, point
        self._samples = []
        self._began_s = time.monotonic()

    def sample(self, sample: Sample) -> None:
        """A request has ended."""
        self._samples.append(sample)

    def result(self, result: Result) -> None:
        """A point has ended."""
        self._took_s.append(time.monotonic() - self._began_s)

    def figures(self, at_s: float) -> dict[str, Any]:
        """What the live page shows of this moment of the run."""
        recent = ended_recently(self._samples)
        waits = sorted(ttft_ms(recent, self._point))
        return {
            "at_s": round(at_s, 3),
            "point": "-" if self._point is None else self._point.label,
            "load": "-" if self._point is None else load_words(self._point),
            "done": len(self._samples),
            "errors": sum(sample.error is not None for sample in self._samples),
            "tokens_per_s": recent_speed(recent),
            "ttft_p50_ms": rank(waits, 50),
            "ttft_p95_ms": rank(waits, PERCENT),
        }

    def _picture(self) -> Group:
        number = len(self._took_s)
        elapsed_s = time.monotonic() - self._began_s
        if self._point is None:
            lines: list[RenderableType] = [Text(self._word)]
        else:
            total = expected(self._point)
            done = len(self._samples)
            grid = Table.grid(padding=(0, 2), expand=True)
            grid.add_column(width=BAR)
            grid.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
            grid.add_column(justify="right", no_wrap=True)
            planned = "" if self._planned is None else f" of {self._planned}"
            rest_s = left_s(elapsed_s, done, total)
            grid.add_row(
                ProgressBar(total=max(total, done), completed=done, width=BAR),
                f"point {number + 1}{planned}: {escape(self._point.label)}",
                self._time_left(number, elapsed_s, rest_s),
            )
            state = reading(self._point, self._samples)
            lines = [grid, Text(state, no_wrap=True, overflow="ellipsis")]
        if self.page:
            lines.append(Text(f"live page: {self.page}"))
        return Group(*lines)

    def _time_left(self, number: int, elapsed_s: float, rest_s: float | None) -> str:
        """How long it takes still: the whole run where its points are known, else this point."""
        if rest_s is None:
            return ""
        if self._planned is None:
            return f"about {duration(rest_s)} left of it"
        points_s = [*self._took_s, elapsed_s + rest_s]
        further = max(0, self._planned - number - 1)
        return f"about {duration(rest_s + further * sum(points_s) / len(points_s))} left"


def expected(point: Point) -> int:
    """How many requests a point sends, when all conversations go to their end."""
    load = point.load
    places = load.users if isinstance(load, Closed) else 1
    return places * (load.warmup + load.requests) * point.ask.turns


def left_s(elapsed_s: float, done: int, planned: int) -> float | None:
    """How long the rest takes at the pace so far; None before there is one."""
    return elapsed_s * max(0, planned - done) / done if done else None


def duration(seconds: float) -> str:
    """A time as people say it."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"


def load_words(point: Point) -> str:
    """The load of a point in words."""
    load = point.load
    if isinstance(load, Closed):
        return f"{load.users} user" if load.users == 1 else f"{load.users} users"
    return f"{load.rate_per_s:.3g} requests/s"


def reading(point: Point, samples: Sequence[Sample]) -> str:
    """One line on the point that is running."""
    measured = [sample for sample in samples if not sample.warmup]
    good = [sample for sample in measured if sample.error is None]
    window_s = window_ns(measured) / 1e9
    if point.ask.api in EMBEDDING_APIS:
        amount, unit = len(good), "answers/s"
    else:
        amount, unit = sum(sample.output_tokens or 0 for sample in good), "tok/s"
    waits = sorted(ttft_ms(measured, point))
    parts = [
        load_words(point),
        f"{number(amount / window_s if amount and window_s else None)} {unit}",
        f"TTFT {waiting_words(rank(waits, 50), rank(waits, PERCENT))}",
        f"{len(samples)} of {expected(point)}",
        f"errors {sum(sample.error is not None for sample in samples)}",
    ]
    return " · ".join(parts)


def waiting_words(median_ms: float | None, most_ms: float | None) -> str:
    """A wait and its 95th percentile, in seconds from ten on."""
    if most_ms is None or median_ms is None or most_ms < 1e4:
        return f"{number(median_ms)} ms (p95 {number(most_ms)})"
    return f"{number(median_ms / 1e3)} s (p95 {number(most_ms / 1e3)})"


def ttft_ms(samples: Iterable[Sample], point: Point | None) -> list[float]:
    """Times to first token; from the planned time where arrivals wait for nobody."""
    open_loop = point is not None and isinstance(point.load, Open)
    found = (measures(sample, open_loop=open_loop).ttft_ms for sample in samples)
    return [one for one in found if one is not None]


def ended_recently(samples: Sequence[Sample]) -> list[Sample]:
    """The requests that ended in the last ten seconds before the newest end."""
    newest_ns = max(map(last_ns, samples), default=0)
    return [sample for sample in samples if last_ns(sample) > newest_ns - RECENT_NS]


def recent_speed(recent: Sequence[Sample]) -> float | None:
    """Tokens by second over those requests; None without tokens."""
    tokens = sum(sample.output_tokens or 0 for sample in recent if sample.error is None)
    window = min(window_ns(recent), RECENT_NS)
    return tokens / window * 1e9 if tokens and window else None


def rank(ordered: Sequence[float], percent: int) -> float | None:
    """The nearest-rank percentile of ascending values; None without any."""
    return percentile(ordered, percent) if ordered else None


def figures(summary: dict[str, Any]) -> Table:
    """The points of a summary as a table; those of several blocks (×3) as one, by their medians."""
    arms = summary["arms"]
    target = arms[0]["target"]
    where = f"{target['model']} at {target['url']}"
    if len(arms) > 1:
        where = " against ".join(arm["name"] for arm in arms)
    title = f"{escape(where)}: p50/p95 in ms"
    table = Table(title=title, box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("point", overflow="fold")
    names = ("asked", "failed", "tok/s", "TTFT", "ITL", "TPOT", "E2E s", "MiB")
    for name in names:
        table.add_column(name, justify="right", no_wrap=True)
    for points in alike(summary["points"]):
        label = points[0]["label"] + (f" ×{len(points)}" if len(points) > 1 else "")
        if len(arms) > 1:
            label = f"{arms[points[0]['arm']]['name']}: {label}"
        rss_bytes = middle([(point.get("memory") or {}).get("rss_bytes") for point in points])
        table.add_row(
            escape(label),
            str(sum(point["requests"] for point in points)),
            str(sum(point["failures"] for point in points)),
            number(middle([point["output_tokens_per_s"] for point in points])),
            *(spread(points, name) for name in ("ttft_ms", "itl_ms", "tpot_ms")),
            spread(points, "e2e_ms", unit=1e3),
            number(None if rss_bytes is None else rss_bytes / 2**20),
        )
    return table


def alike(points: Iterable[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Points that differ in their block alone, together; those of a group along its axis."""
    found: dict[tuple[str, str, int, str], list[dict[str, Any]]] = {}
    for point in points:
        place = (point["group"], point["label"], point["arm"], point["model"])
        found.setdefault(place, []).append(point)
    groups = list(dict.fromkeys(group for group, *_ in found))

    def rank(same: list[dict[str, Any]]) -> tuple[int, float]:
        return groups.index(same[0]["group"]), same[0].get("value") or 0.0

    return sorted(found.values(), key=rank)


def middle(values: Iterable[float | None]) -> float | None:
    """The median of what is known; None where nothing is."""
    known = [value for value in values if value is not None]
    return median(known) if known else None


def spread(points: Sequence[dict[str, Any]], name: str, unit: float = 1.0) -> str:
    """Median and 95th percentile, in another unit where asked; a dash without samples."""
    ends = [middle([point[name][which] for point in points]) for which in ("p50", "p95")]
    if ends[0] is None:
        return "-"
    return "/".join(number(None if end is None else end / unit) for end in ends)


def number(value: float | None) -> str:
    """A figure with three digits that count; a dash where there is none."""
    if value is None:
        return "-"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def remarks(summary: dict[str, Any]) -> list[str]:
    """What must be said beside the figures: errors by class, and why a run does not count."""
    said = []
    for points in alike(summary["points"]):
        classes: dict[str, int] = {}
        for point in points:
            for error, times in point["errors"].items():
                classes[error] = classes.get(error, 0) + times
        if classes:
            listed = ", ".join(f"{error} {times}" for error, times in classes.items())
            said.append(f"{points[0]['label']}: requests failed: {listed}")
    said += [f"not valid: {reason}" for reason in summary["invalid_because"]]
    return said

"""What people see: progress while a run goes on, and the table of its figures at the end."""

from __future__ import annotations

import time
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from .profiles import Profile
from .sample import Sample
from .summary import measures, percentile, window_ns


class Progress:
    """A live picture of a run, on a terminal; silent elsewhere."""

    def __init__(self, console: Console, profile: Profile) -> None:
        self._profile = profile
        self._samples: dict[int, list[Sample]] = {}
        self._point: int | None = None
        self._word = "loading the model"
        self._started_s = time.monotonic()
        self._live = Live(console=console, get_renderable=self._picture, refresh_per_second=5)
        self._live.transient = True

    def __enter__(self) -> Progress:
        if self._live.console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live.is_started:
            self._live.stop()

    def phase(self, word: str, point: int | None) -> None:
        """The run has gone on to another phase."""
        self._word, self._point = word, point
        if point == 0:
            self._started_s = time.monotonic()

    def sample(self, sample: Sample) -> None:
        """A request has ended."""
        self._samples.setdefault(sample.point, []).append(sample)

    def _picture(self) -> Table:
        profile = self._profile
        planned = sum(load.concurrency * (profile.warmup + load.requests) for load in profile.loads)
        done = sum(map(len, self._samples.values()))
        left = left_s(time.monotonic() - self._started_s, done, planned)
        time_left = "" if left is None else f"about {left:.0f} s left"
        grid = Table.grid(padding=(0, 2))
        bar = ProgressBar(total=planned, completed=done, width=24)
        if self._point is None:
            grid.add_row(bar, self._word, time_left)
        else:
            word = f"point {self._point + 1} of {len(profile.loads)}"
            samples = self._samples.get(self._point, [])
            state = reading(profile.loads[self._point].concurrency, samples)
            grid.add_row(bar, word, state, time_left)
        return grid


def left_s(elapsed_s: float, done: int, planned: int) -> float | None:
    """How long the rest takes at the pace so far; None before there is one."""
    return elapsed_s * (planned - done) / done if done else None


def reading(users: int, samples: list[Sample]) -> str:
    """One line on the point that is running."""
    measured = [sample for sample in samples if not sample.warmup]
    tokens = sum(sample.output_tokens or 0 for sample in measured if sample.error is None)
    ttft = sorted(one for sample in measured if (one := measures(sample).ttft_ms) is not None)
    window_s = window_ns(measured) / 1e9
    speed = f"{tokens / window_s:.1f}" if window_s else "-"
    first = f"{percentile(ttft, 50):.0f} ms" if ttft else "-"
    errors = sum(sample.error is not None for sample in samples)
    return f"users {users}   tok/s {speed}   TTFT p50 {first}   errors {errors}"


def figures(summary: dict[str, Any]) -> Table:
    """The points of a summary as a table, in milliseconds where nothing else is said."""
    target = summary["target"]
    title = f"{target['model']} at {target['url']}, p50/p99 in ms"
    table = Table(title=title, box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    names = ("users", "asked", "failed", "tok/s", "TTFT", "ITL", "TPOT", "E2E s", "MiB")
    for name in names:
        table.add_column(name, justify="right")
    for point in summary["points"]:
        rss_bytes = point["server_rss_bytes"]
        table.add_row(
            str(point["concurrency"]),
            str(point["requests"]),
            str(point["failures"]),
            number(point["output_tokens_per_s"]),
            *(spread(point[name]) for name in ("ttft_ms", "itl_ms", "tpot_ms")),
            spread(point["e2e_ms"], unit=1e3),
            number(None if rss_bytes is None else rss_bytes / 2**20),
        )
    return table


def spread(figure: dict[str, Any], unit: float = 1.0) -> str:
    """Median and 99th percentile, in another unit where asked; a dash without samples."""
    if not figure["n"]:
        return "-"
    return f"{number(figure['p50'] / unit)}/{number(figure['p99'] / unit)}"


def number(value: float | None) -> str:
    """A figure with three digits that count; a dash where there is none."""
    if value is None:
        return "-"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def remarks(summary: dict[str, Any]) -> list[str]:
    """What must be said beside the figures: errors by class, and why a run does not count."""
    said = []
    for point in summary["points"]:
        classes = ", ".join(f"{error} {times}" for error, times in point["errors"].items())
        if classes:
            said.append(f"at concurrency {point['concurrency']} requests failed: {classes}")
    said += [f"not valid: {reason}" for reason in summary["invalid_because"]]
    return said

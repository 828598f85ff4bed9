"""Bench runs kept in SQLite, and what became of a figure from one to the next.

A run is kept with its whole summary but for what is drawn, so that a later version can read more
from it. Kept twice it is kept once.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from . import axis, words
from .benches import Point, Summary
from .fields import DocumentError, Fields
from .plot import Chart, Dot, Series
from .read import SUMMARY
from .read_bench import summary_of

CREATE = """
create table if not exists runs (
    number integer primary key,
    started_at text not null,
    urls text not null,
    summary text not null,
    unique (started_at, urls)
)
"""
VERSION = 1
Pick = Callable[[Sequence[Point]], float | None]


@dataclass(frozen=True, slots=True)
class Kept:
    """A run of the history."""

    number: int
    summary: Summary

    @property
    def moment(self) -> str:
        """When it was begun."""
        return words.moment(self.summary.started_at)


class History:
    """The runs in one file."""

    def __init__(self, path: Path) -> None:
        """Opened when it is used; a file that is no history of ours is a DocumentError then."""
        self._path = path

    def add(self, record: dict[str, object]) -> bool:
        """Keep a summary; False where it was there already."""
        summary = summary_of(Fields(record, "the summary"))
        kept = json.dumps({name: value for name, value in record.items() if name != "charts"})
        urls = json.dumps([arm.target.get("url") for arm in summary.arms])
        with self._opened() as database:
            done = database.execute(
                "insert or ignore into runs (started_at, urls, summary) values (?, ?, ?)",
                (summary.started_at, urls, kept),
            )
            return done.rowcount == 1

    def remove(self, number: int) -> bool:
        """Forget a run; False where there is none of that number."""
        with self._opened() as database:
            return database.execute("delete from runs where number = ?", (number,)).rowcount == 1

    def runs(self) -> list[Kept]:
        """All runs, the earliest first."""
        with self._opened() as database:
            rows = database.execute("select number, summary from runs order by started_at, number")
            found = rows.fetchall()
        return [
            Kept(number, summary_of(Fields(json.loads(text), f"{self._path}, run {number}")))
            for number, text in found
        ]

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self._path, timeout=10)) as database, database:
                (version,) = database.execute("pragma user_version").fetchone()
                if version > VERSION:
                    raise DocumentError(f"{self._path}: was written by a newer version.")
                database.execute(CREATE)
                database.execute(f"pragma user_version = {VERSION}")
                yield database
        except sqlite3.DatabaseError as error:
            raise DocumentError(f"{self._path}: is no history of bench runs ({error}).") from error
        except OSError as error:
            raise DocumentError(f"{self._path}: {error.strerror or error}.") from error


def record_of(path: Path) -> dict[str, object]:
    """The summary in a file, as it stands; raises DocumentError where it is none."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DocumentError(f"{path}: is no summary of a bench run ({error}).") from error
    if not isinstance(record, dict) or record.get("schema") != SUMMARY:
        raise DocumentError(f"{path}: is no summary of a bench run ({SUMMARY}).")
    return record


@dataclass(frozen=True, slots=True)
class Trend:
    """The runs of one profile with one model on one machine, which alone can be compared."""

    title: str
    machine: str
    runs: tuple[tuple[Kept, int], ...]  # with the arm

    @property
    def charts(self) -> tuple[Chart, ...]:
        """A figure over the runs, one chart for each."""
        drawn = (
            self._chart("Best output tokens per second", "tokens/s", best_rate),
            self._chart("Median time to first token of the first load", "ms", first_token),
        )
        return tuple(chart for chart in drawn if chart is not None)

    def _chart(self, title: str, unit: str, pick: Pick) -> Chart | None:
        names = [label(kept, arm) for kept, arm in self.runs]
        dots = []
        for place, (kept, arm) in enumerate(self.runs):
            value = pick([point for point in kept.summary.points if point.arm == arm])
            if value is not None:
                dots.append(Dot(float(place), value, words.figure(value)))
        if not dots:
            return None
        line = Series(unit, (tuple((dot.x, dot.y) for dot in dots),), tuple(dots))
        said = ", ".join(f"{names[int(dot.x)]}: {dot.name}" for dot in dots)
        return Chart(
            title=title,
            description=f"By run. {said}.",
            x=axis.named("version of the server, run", tuple(names)),
            y=axis.linear(unit, max(dot.y for dot in dots) * 1.12),
            series=(line,),
        )


def label(kept: Kept, arm: int) -> str:
    """How a run is named on an axis."""
    version = kept.summary.arms[arm].target.get("version")
    return f"{version if isinstance(version, str) else '?'} #{kept.number}"


def best_rate(points: Sequence[Point]) -> float | None:
    """The most tokens by second of any load."""
    return max((r for p in points if (r := p.output_tokens_per_s) is not None), default=None)


def first_token(points: Sequence[Point]) -> float | None:
    """The median TTFT of the first load."""
    figures = [point.figures["ttft_ms"].p50 for point in points if "ttft_ms" in point.figures]
    return figures[0] if figures else None


def trends(runs: Sequence[Kept]) -> list[Trend]:
    """Runs that can be compared, together: same machine, profile, server address and model.

    Interrupted and invalid runs are left out.
    """
    found: dict[tuple[str, ...], list[tuple[Kept, int]]] = {}
    for kept in runs:
        summary = kept.summary
        if not summary.valid:
            continue
        for index, arm in enumerate(summary.arms):
            profile = words.inline(summary.profile.get("name", "?"))
            model, url = (words.inline(arm.target.get(key, "?")) for key in ("model", "url"))
            key = (words.machine(dict(summary.machine)), profile, url, model)
            found.setdefault(key, []).append((kept, index))
    return [
        Trend(f"{model} on {url}, profile {profile}", machine, tuple(members))
        for (machine, profile, url, model), members in found.items()
    ]

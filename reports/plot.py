"""Charts as numbers: series, axes, bands, marks. Templates draw them as inline SVG.

Not plotly: its script is 4.8 MB a page, needs JavaScript to show anything, and follows neither the
reader's colour scheme nor the printer. These charts are some kilobytes and do all three.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .axis import Axis

Place = tuple[float, float]
MAX_PHASES = 8  # more names than can be told apart


@dataclass(frozen=True, slots=True)
class Dot:
    """A value that is drawn for itself, with what is written beside it and how sure it is."""

    x: float
    y: float
    name: str = ""
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Series:
    """One line: runs of (x, y) in the chart's units, parted where a value is missing."""

    name: str
    runs: tuple[tuple[Place, ...], ...]
    dots: tuple[Dot, ...] = ()
    ideal: bool = False  # what would be, not what was measured


@dataclass(frozen=True, slots=True)
class Band:
    """A stretch of the x axis with a name."""

    name: str
    start: float
    end: float
    strong: bool = False


@dataclass(frozen=True, slots=True)
class Mark:
    """A place on the x axis with a name."""

    name: str
    x: float


@dataclass(frozen=True, slots=True)
class Chart:
    """Everything that a drawing of it needs."""

    title: str
    description: str
    x: Axis
    y: Axis
    series: tuple[Series, ...]
    bands: tuple[Band, ...] = ()
    marks: tuple[Mark, ...] = ()
    steps: bool = False  # a value holds until the next

    def path(self, series: Series) -> str:
        """The line in a box of 1000 by 1000, as SVG path commands."""
        return " ".join(command for run in series.runs for command in self._commands(run))

    def _commands(self, run: tuple[Place, ...]) -> Iterator[str]:
        for index, (x, y) in enumerate(run):
            across, down = f"{self.x.at(x) * 10:g}", f"{1000 - self.y.at(y) * 10:g}"
            if index == 0:
                yield f"M{across} {down}"
            else:
                yield f"H{across}V{down}" if self.steps else f"L{across} {down}"

    @property
    def shown(self) -> str:
        """What the bands are, in words."""
        shaded = ", ".join(dict.fromkeys(band.name for band in self.bands if band.strong))
        phases = [band.name for band in self.bands if not band.strong]
        if len(phases) > MAX_PHASES:
            return f"{len(phases)} phases, a dotted line between each two."
        told = [f"Shaded: {shaded}."] if shaded else []
        return " ".join(
            [*told, *([f"Phases, from the left: {', '.join(phases)}."] if phases else [])]
        )


@dataclass(frozen=True, slots=True)
class Bar:
    """One request on a timeline, in percent of its width."""

    name: str
    wait: float  # planned
    start: float  # sent
    first: float  # first token
    end: float
    tokens: tuple[float, ...]
    state: str  # "", "warm-up" or "failed"


@dataclass(frozen=True, slots=True)
class Timeline:
    """Requests one below the other, with the moment of each token."""

    title: str
    description: str
    x: Axis
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True)
class Ratio:
    """A ratio with its interval, in percent of the axis; None where there is none."""

    name: str
    text: str
    verdict: str
    state: str  # "good", "bad" or ""
    at: float | None
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Forest:
    """Ratios one below the other, against a line where nothing differs."""

    title: str
    description: str
    x: Axis
    ratios: tuple[Ratio, ...]

    @property
    def none(self) -> float:
        """Where the ratio is 1, in percent."""
        return self.x.at(1.0)

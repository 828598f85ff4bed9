"""Where a value lies on a chart's side, in percent, and which values are written beside it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from . import words


@dataclass(frozen=True, slots=True)
class Tick:
    """A value written beside the axis, and its place."""

    at: float  # percent
    label: str


@dataclass(frozen=True, slots=True)
class Axis:
    """One side of a chart: `low` at 0 percent, `high` at 100."""

    label: str
    low: float
    high: float
    ticks: tuple[Tick, ...]
    logarithmic: bool = False
    names: bool = False  # places have names, not values

    def at(self, number: float) -> float:
        """The place of a value, in percent, to a thousandth."""
        low, high = self.low, self.high
        if self.logarithmic:
            low, high, number = math.log10(low), math.log10(high), math.log10(number)
        return round(100 * (number - low) / (high - low), 3)


def linear(label: str, highest: float, unit: float = 1.0) -> Axis:
    """From 0 to a round number not below `highest`; labels count in `unit`s."""
    step = _round_step(max(highest, 1e-9 * unit) / unit / 5) * unit
    steps = max(1, math.ceil(highest / step - 1e-9))
    ticks = tuple(
        Tick(round(100 * k / steps, 3), _number(k * step / unit)) for k in range(steps + 1)
    )
    return Axis(label, 0.0, steps * step, ticks)


def elapsed(label: str, end: float) -> Axis:
    """From 0 to exactly `end`, with round numbers beside it."""
    step = _round_step(end / 5)
    marks = [k * step for k in range(math.floor(end / step + 1e-9) + 1)]
    ticks = tuple(Tick(round(100 * mark / end, 3), _number(mark)) for mark in marks)
    return Axis(label, 0.0, end, ticks)


def logarithmic(label: str, lowest: float, highest: float) -> Axis:
    """Between the steps 1, 2, 5, 10 around both; few enough labels for a phone."""
    low, high = _log_step(lowest, up=False), _log_step(highest, up=True)
    if high <= low:
        high = low * 10
    decades = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 1)
    for mantissas in ((1, 2, 5), (1, 3), (1,)):
        marks = [m * 10.0**d for d in decades for m in mantissas]
        marks = [mark for mark in marks if low * 0.999 <= mark <= high * 1.001]
        if len(marks) <= 6:
            break
    axis = Axis(label, low, high, (), logarithmic=True)
    return Axis(label, low, high, tuple(Tick(axis.at(m), _number(m)) for m in marks), True)


def shares(label: str) -> Axis:
    """From none to all."""
    marks = (0, 25, 50, 75, 90, 100)
    return Axis(label, 0.0, 1.0, tuple(Tick(float(mark), f"{mark} %") for mark in marks))


def named(label: str, names: tuple[str, ...]) -> Axis:
    """Equal places for names, from 0 upwards; the outer ones stand half a place from the edge."""
    width = 100 / len(names)
    ticks = tuple(Tick(round((i + 0.5) * width, 3), name) for i, name in enumerate(names))
    return Axis(label, -0.5, len(names) - 0.5, ticks, names=True)


def _round_step(rough: float) -> float:
    """The least of 1, 2, 2.5, 5, 10 times a power of ten that is not below `rough`."""
    power = 10.0 ** math.floor(math.log10(rough))
    return next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= rough * (1 - 1e-9))


def _log_step(number: float, *, up: bool) -> float:
    power = 10.0 ** math.floor(math.log10(number))
    steps = [m * power for m in (1, 2, 5, 10)]
    if up:
        return next(step for step in steps if step >= number * (1 - 1e-9))
    return next(step for step in reversed(steps) if step <= number * (1 + 1e-9))


def _number(number: float) -> str:
    return f"{number:,.0f}" if number >= 1000 else f"{number:g}" if number else words.figure(0)

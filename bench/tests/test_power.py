"""Power is energy between looks, and nothing where no meter is."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from .. import power
from ..power import Meter, Power


def counting(values: list[int | None]) -> Meter:
    """A meter that shows these in turn."""
    shown = iter(values)
    return Meter("a test", lambda: next(shown))


def seconds() -> Iterator[int]:
    """A clock that goes on by a second at each look."""
    yield from range(0, 10**12, 10**9)


def test_power_is_energy_by_time() -> None:
    """5,000 mJ in a second are 5 W; the first look has nothing to compare with."""
    clock = seconds()
    watts = Power(counting([1_000, 6_000, 6_000]), lambda: next(clock))
    assert [watts.look() for _ in range(3)] == [None, 5.0, 0.0]


def test_counter_that_starts_again_gives_no_figure() -> None:
    """A counter that went back says nothing about the time between."""
    clock = seconds()
    watts = Power(counting([9_000, 10, 1_010]), lambda: next(clock))
    assert [watts.look() for _ in range(3)] == [None, None, 1.0]


def test_without_a_meter_there_is_no_figure() -> None:
    """No library, no power: never 0."""
    assert (Power(None).look(), Power(None).source) == (None, None)


def test_meter_that_breaks_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """A vendor's library without its hardware raises what it likes; the next one is tried."""

    def broken() -> Meter:
        raise OSError("no driver")

    monkeypatch.setattr(power, "apple", broken)
    monkeypatch.setattr(power, "nvidia", lambda: counting([1]))
    found = power.find_meter()
    assert found is not None
    assert found.source == "a test"


def test_apple_parts_are_added_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts that a chip does not have are left out, not taken as an error."""

    class Taken:
        cpu_total_mj = 5
        gpu_mj = 7
        ane_mj = None

    class Library:
        class AppleEnergyMonitor:
            def get_cumulative_energy(self) -> Taken:
                return Taken()

    monkeypatch.setitem(sys.modules, "zeus_apple_silicon", Library)
    assert power.apple().energy_mj() == 12

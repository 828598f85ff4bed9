"""Places of values on a chart."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from .. import axis, plot


def test_path_goes_from_the_lower_left() -> None:
    """SVG counts downwards, charts upwards."""
    line = plot.Series("s", (((0.0, 0.0), (10.0, 5.0)),))
    chart = plot.Chart("", "", axis.linear("", 10), axis.linear("", 10), (line,))
    assert chart.path(line) == "M0 1000 L1000 500"


@given(st.floats(1e-6, 1e12))
def test_linear_axis_holds_its_highest_value(highest: float) -> None:
    """And wastes no more than half of itself on it."""
    side = axis.linear("", highest)
    assert 50 <= side.at(highest) <= 100.001
    assert 2 <= len(side.ticks) <= 6


@given(st.floats(1e-2, 1e7), st.floats(1, 1e4))
def test_logarithmic_axis_holds_both_ends(lowest: float, factor: float) -> None:
    """With few labels, all of them inside."""
    side = axis.logarithmic("", lowest, lowest * factor)
    assert -0.01 <= side.at(lowest) <= side.at(lowest * factor) <= 100.01
    assert all(-0.01 <= tick.at <= 100.01 for tick in side.ticks)
    assert 1 <= len(side.ticks) <= 12

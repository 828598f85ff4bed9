"""Percentiles and their intervals, against SciPy's and against their meaning."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import quantile_test

from ..intervals import PERCENTS, figure, mean_interval, percentile, ranks

VALUES = st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=200)


def test_figure_of_nothing_is_null() -> None:
    """Without samples every figure is null and n is 0."""
    empty = figure(np.array([]))
    assert empty.pop("n") == 0
    assert set(empty.pop("intervals").values()) == {None}
    assert set(empty.values()) == {None}


@given(VALUES)
def test_percentiles_are_samples_in_order(values: list[float]) -> None:
    """Percentiles are values that were seen, and ordered between the extremes."""
    got = figure(np.array(values))
    names = ("min", "p50", "p90", "p95", "p99", "max")
    marks = [got[name] for name in names if got[name] is not None]
    assert marks == sorted(marks)
    assert set(marks) <= set(values)


@given(VALUES, st.sampled_from(PERCENTS))
def test_percentile_is_the_smallest_that_covers_its_share(values: list[float], share: int) -> None:
    """At least the share of samples is not above the percentile, and fewer are below it."""
    mark = figure(np.array(values))[f"p{share}"]
    if mark is not None:
        assert sum(value <= mark for value in values) * 100 >= share * len(values)
        assert sum(value < mark for value in values) * 100 < share * len(values)


@pytest.mark.parametrize(("percent", "least"), [(90, 10), (95, 20), (99, 100)])
def test_percentile_that_would_be_the_largest_sample_is_null(percent: int, least: int) -> None:
    """The p99 of 99 samples is no percentile but their maximum; of 100 it is one."""
    assert percentile(np.arange(least - 1.0), percent) is None
    assert percentile(np.arange(float(least)), percent) == least - 2


@pytest.mark.parametrize(("percent", "least"), [(50, 6), (90, 36), (95, 72), (99, 368)])
def test_interval_needs_as_many_samples_as_are_defined(percent: int, least: int) -> None:
    """Below the sizes that the definitions name, even the extremes hold too little."""
    assert ranks(least - 1, percent) is None
    assert ranks(least, percent) is not None


@pytest.mark.parametrize("count", [6, 40, 368, 555, 10_000])
@pytest.mark.parametrize("percent", PERCENTS)
def test_interval_is_that_of_scipy(count: int, percent: int) -> None:
    """scipy.stats.quantile_test has the same interval, or none either."""
    values = np.arange(float(count))
    theirs = quantile_test(values, p=percent / 100).confidence_interval(0.95)
    ours = ranks(count, percent)
    if ours is None:
        assert np.isnan([theirs.low, theirs.high]).any()
    else:
        assert ours == (theirs.low, theirs.high)


def test_gaps_of_few_answers_are_worth_few_samples() -> None:
    """Answers that are quick or slow as a whole say no more than one gap each would."""
    answers = np.repeat(np.arange(100), 50)
    levels = np.repeat(np.linspace(1, 2, 100), 50)
    clustered = figure(levels, answers)["intervals"]["p50"]
    alone = figure(np.linspace(1, 2, 100))["intervals"]["p50"]
    assert clustered[0] == pytest.approx(alone[0], abs=0.03)
    assert clustered[1] == pytest.approx(alone[1], abs=0.03)


def test_gaps_that_scatter_alike_in_all_answers_are_independent() -> None:
    """Where answers do not differ, gaps count for themselves."""
    random = np.random.default_rng(1)
    values = random.lognormal(0, 0.3, 6300)
    wide = np.subtract(*figure(values, np.repeat(np.arange(100), 63))["intervals"]["p50"][::-1])
    plain = np.subtract(*figure(values)["intervals"]["p50"][::-1])
    assert plain <= wide < 1.5 * plain


def test_gaps_of_too_few_answers_have_no_interval() -> None:
    """However many gaps five answers have, nothing is known of other answers."""
    intervals = figure(np.arange(5000.0), np.repeat(np.arange(5), 1000))["intervals"]
    assert set(intervals.values()) == {None}


def test_mean_over_blocks_has_an_interval_by_t() -> None:
    """Two blocks of 10 and 12 are 11, give or take 12.7 times their error."""
    found = mean_interval(np.array([10.0, 12.0]))
    assert found == pytest.approx((11.0, 11 - 12.7062, 11 + 12.7062), abs=1e-3)


def test_one_block_has_no_interval() -> None:
    """One value has no scatter."""
    assert mean_interval(np.array([10.0])) is None

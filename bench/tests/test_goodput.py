"""Goodput and its interval."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from ..goodput import goodput, kept, wilson

SLO = {"ttft_ms": 100.0, "tpot_ms": 10.0}


def test_request_must_keep_both_limits() -> None:
    """Late by either is a miss; on the limit is kept."""
    ttft = np.array([100.0, 100.1, 50.0])
    tpot = np.array([10.0, 1.0, 10.1])
    assert kept(ttft, tpot, SLO).tolist() == [True, False, False]


def test_failed_request_is_a_miss() -> None:
    """A request without a first token has kept nothing."""
    assert kept(np.array([np.nan]), np.array([np.nan]), SLO).tolist() == [False]


def test_answer_of_one_token_has_no_pace_to_keep() -> None:
    """Where there is no time per output token, the first token decides."""
    assert kept(np.array([5.0]), np.array([np.nan]), SLO).tolist() == [True]


@pytest.mark.parametrize(("good", "asked"), [(0, 10), (1, 3), (90, 100), (10, 10)])
def test_interval_is_that_of_scipy(good: int, asked: int) -> None:
    """scipy.stats.binomtest has the same interval by Wilson."""
    theirs = binomtest(good, asked).proportion_ci(method="wilson")
    assert wilson(good, asked) == pytest.approx((theirs.low, theirs.high))


def test_nothing_asked_is_no_goodput() -> None:
    """Without requests there is no share."""
    assert goodput(0, 0, 1.0) is None


def test_goodput_is_by_second_of_the_window() -> None:
    """Nine good ones of ten in three seconds are three a second."""
    found = goodput(9, 10, 3.0)
    assert found is not None
    assert (found["per_s"], found["share"]) == (3.0, 0.9)

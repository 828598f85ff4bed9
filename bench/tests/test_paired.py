"""Comparisons within blocks: what is compared with what, and what it comes to."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy.stats import permutation_test, ttest_1samp

from ..load import BASELINE
from ..paired import compared, comparisons, detectable, holm, opposed, sign_flip, t_test
from .points import figures

SHAKEN = np.array([0.01, -0.02, 0.015, 0.0, -0.01, 0.02, -0.015, 0.005, 0.01, -0.005])


def pairs(factor: float, count: int = 10, **more: Any) -> list[dict[str, Any]]:  # noqa: ANN401
    """Points of two arms whose throughput differs by a factor, shaken by a per cent or so."""
    return [
        figures(arm=arm, block=block, speed=100 * (factor if arm else 1) * math.exp(shaken), **more)
        for block, shaken in enumerate(SHAKEN[:count])
        for arm, shaken in ((0, 0.0), (1, shaken))
    ]


def speed(points: list[dict[str, Any]], arms: tuple[str, ...] = ("A", "B")) -> dict[str, Any]:
    """The comparison of throughput."""
    return next(one for one in comparisons(points, arms) if one["metric"] == "output_tokens_per_s")


def test_ratio_is_the_geometric_mean_of_the_pairs() -> None:
    """Twice as fast in one block and half as fast in another is equally fast."""
    points = [
        figures(arm=arm, block=block, speed=value)
        for block, values in enumerate(((100.0, 200.0), (100.0, 50.0)))
        for arm, value in enumerate(values)
    ]
    assert speed(points)["ratio"] == pytest.approx(1.0)


def test_same_label_is_compared_between_arms() -> None:
    """The later arm with the first, each by its name."""
    found = speed(pairs(1.1))
    assert (found["label"], found["baseline"], found["pairs"]) == ("B, 1 user", "A, 1 user", 10)
    assert found["ratio"] == pytest.approx(1.1, rel=0.01)


@pytest.mark.parametrize(("factor", "word"), [(1.1, "better"), (0.9, "worse")])
def test_more_throughput_is_better(factor: float, word: str) -> None:
    """Higher is better for a rate."""
    assert speed(pairs(factor))["verdict"] == word


def test_less_latency_is_better() -> None:
    """Lower is better for a latency."""
    points = [
        figures(arm=arm, block=block, ttft_ms=(50 - 10 * arm) * math.exp(shaken))
        for block, one in enumerate(SHAKEN)
        for arm, shaken in ((0, 0.0), (1, one))
    ]
    found = {one["metric"]: one for one in comparisons(points, ("A", "B"))}["ttft_ms"]
    assert (found["better"], found["verdict"]) == ("lower", "better")


def test_equal_arms_are_not_different() -> None:
    """Nothing is found between a server and itself."""
    assert speed(pairs(1.0))["verdict"] == "no difference found"


def test_sure_but_small_difference_is_none() -> None:
    """A difference of 1.5 %, however sure, is not called one."""
    points = [
        figures(arm=arm, block=block, speed=100 * (1.015 if arm else 1) + block % 2 * 0.001)
        for block in range(10)
        for arm in (0, 1)
    ]
    found = speed(points)
    assert found["low"] > 1.01
    assert found["verdict"] == "no difference found"


def test_five_pairs_are_not_enough() -> None:
    """With five pairs no exact test can be below 5 %; ratio and interval are given all the same."""
    found = speed(pairs(1.5, count=5))
    assert found["verdict"] == "not enough pairs"
    assert found["low"] < 1.5 < found["high"]
    assert found["p"] == 2 / 32


def test_one_pair_has_no_interval() -> None:
    """One ratio has no scatter."""
    found = speed(pairs(1.5, count=1))
    assert (found["low"], found["high"], found["detectable"]) == (None, None, None)


def test_every_label_is_compared_with_the_baseline() -> None:
    """Of the same block, arm and group, and never the baseline with itself."""
    points = [
        figures(label, group="options", block=block, value=None)
        for block in range(2)
        for label in (BASELINE, "top_k 1", "format json")
    ]
    found = {one["label"] for one in comparisons(points, ("A",))}
    assert found == {"top_k 1", "format json"}
    assert all(one["baseline"] == BASELINE for one in comparisons(points, ("A",)))


def test_points_of_other_blocks_are_no_pair() -> None:
    """What ran at another time is not compared."""
    points = [figures(arm=0, block=0), figures(arm=1, block=1)]
    assert opposed(points, ("A", "B")) == {}


def test_open_loops_are_not_compared_by_throughput() -> None:
    """Where arrivals are planned, throughput is the plan's."""
    points = [figures(arm=arm, load={"kind": "open", "rate_per_s": 1.0}) for arm in (0, 1)]
    assert {one["metric"] for one in comparisons(points, ("A", "B"))} == {"ttft_ms", "tpot_ms"}


def test_embeddings_are_compared_by_requests() -> None:
    """Where no tokens are made, requests are counted."""
    nothing = {"n": 0, "p50": None}
    points = [figures(arm=arm, output_tokens=None, tpot_ms=None) for arm in (0, 1)]
    points = [point | {"tpot_ms": nothing} for point in points]
    assert {one["metric"] for one in comparisons(points, ("A", "B"))} == {
        "requests_per_s",
        "e2e_ms",
    }


def test_figures_without_samples_are_not_compared() -> None:
    """A point where all failed takes part in no comparison."""
    points = [figures(arm=arm, speed=None, ttft_ms=None) for arm in (0, 1)]
    assert {one["metric"] for one in comparisons(points, ("A", "B"))} == {"tpot_ms"}


def test_sign_flip_is_that_of_scipy() -> None:
    """scipy.stats.permutation_test finds the same exact p."""
    theirs = permutation_test((SHAKEN + 0.004,), np.mean, permutation_type="samples").pvalue
    assert sign_flip(SHAKEN + 0.004) == pytest.approx(theirs)


def test_sign_flip_of_many_pairs_is_drawn() -> None:
    """Of 40 pairs not all ways are tried, and the p of a clear difference is small, never 0."""
    found = sign_flip(np.full(40, 0.1))
    assert found is not None
    assert 0 < found < 0.001


def test_t_test_is_that_of_scipy() -> None:
    """scipy.stats.ttest_1samp has the same p."""
    assert t_test(SHAKEN + 0.01) == pytest.approx(ttest_1samp(SHAKEN + 0.01, 0).pvalue)


def test_holm_steps_down() -> None:
    """The smallest p is taken times all, the next times one less, and none falls below another."""
    assert holm([0.01, 0.04, 0.03, None]) == pytest.approx([0.03, 0.06, 0.06, None])
    assert holm([0.9, 0.8]) == [1.0, 1.0]


def test_many_comparisons_need_surer_differences() -> None:
    """A difference that one comparison finds is none among a hundred."""
    ratios = 1.7 * SHAKEN + 0.022
    alone = compared([ratios], ["higher"])[0]
    among = compared([ratios, *[SHAKEN] * 99], ["higher"] * 100)[0]
    assert (alone["verdict"], among["verdict"]) == ("better", "no difference found")
    assert among["detectable"] > alone["detectable"]


def test_detectable_difference_is_found_four_times_in_five() -> None:
    """Simulated: what is said to be detectable is found in 74 to 86 of 100."""
    random = np.random.default_rng(8)
    error = 0.03 / math.sqrt(10)
    effect = math.log1p(detectable(error, 10))
    found = [
        compared([random.normal(effect, 0.03, 10)], ["higher"])[0]["verdict"] == "better"
        for _ in range(400)
    ]
    assert 0.74 < np.mean(found) < 0.86

"""Whether a level held, on series whose truth is known."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from .. import figures
from ..frame import Frame
from ..sample import Sample
from ..steady import inside, shift, steady, trend
from .points import record, request

ONE = {"kind": "closed", "users": 1}
FLAT = 10 + np.array([0.1, -0.2, 0.3, 0.0, -0.1, 0.2, -0.3, 0.1, 0.0, -0.1] * 2)


def judged(samples: list[Sample], load: dict[str, object]) -> dict[str, object]:
    """The verdict on these requests."""
    frame = Frame.of(samples)
    took = figures.latencies(frame, load["kind"] == "open")
    return steady(load, frame, took.ttft, took.tpot, took.e2e, 1.0)


def one_user(first_ms: Callable[[int], float], gap_ms: Callable[[int], float]) -> list[Sample]:
    """Sixty requests of one user, one after another."""
    shaken = np.random.default_rng(4).normal(1, 0.01, (60, 2))
    return [
        request(
            number,
            sent_ms=number * 1000,
            first_ms=first_ms(number) * shaken[number, 0],
            gap_ms=gap_ms(number) * shaken[number, 1],
        )
        for number in range(60)
    ]


def test_level_that_holds_is_steady() -> None:
    """Sixty answers with a scatter of 1 % are steady, in 30 buckets."""
    found = judged(one_user(lambda _: 20.0, lambda _: 2.0), ONE)
    assert found["verdict"] == "steady"
    assert "30 buckets" in str(found["because"])


def test_slow_drift_is_not_steady() -> None:
    """A first token that comes 20 % later at the end than at the beginning is a trend."""
    found = judged(one_user(lambda number: 20 + number / 15, lambda _: 2.0), ONE)
    assert found["verdict"] == "not steady"
    assert "time to first token rose by" in str(found["because"])


def test_jump_is_not_steady() -> None:
    """A pace that is 20 % slower after the middle is named as what it is."""
    found = judged(one_user(lambda _: 20.0, lambda number: 2.0 if number < 30 else 2.4), ONE)
    assert found["verdict"] == "not steady"
    assert "time per output token rose by" in str(found["because"])


def test_change_that_is_sure_but_small_is_steady() -> None:
    """A drift of 3 %, however sure, does not matter."""
    drift = trend(np.linspace(1, 1.03, 20))
    assert drift.p < 0.01
    assert not drift.counts


def test_wild_pace_is_not_steady() -> None:
    """Buckets that scatter by half are no level, even without a trend."""
    found = judged(one_user(lambda _: 20.0, lambda number: 1.0 if number // 2 % 2 else 3.0), ONE)
    assert "scatters by" in str(found["because"])


def test_few_requests_are_too_short() -> None:
    """Nineteen answers of one user are too few, and the reason says how many it takes."""
    found = judged(one_user(lambda _: 20.0, lambda _: 2.0)[:19], ONE)
    assert found["verdict"] == "too short"
    assert "it takes 20" in str(found["because"])


def test_failed_requests_do_not_lengthen_a_point() -> None:
    """Requests that failed say nothing of the level."""
    failed = [request(one, sent_ms=one * 10, error="busy-503") for one in range(60)]
    assert judged(failed, ONE)["verdict"] == "too short"


def test_window_is_when_all_users_are_at_it() -> None:
    """From the last user's first request to the end of the first user that has no more."""
    many = [
        request(one, user=user, sent_ms=100 * one + 30 * user)
        for user, turns in ((0, 3), (1, 5))
        for one in range(turns)
    ]
    rows, window = inside({"kind": "closed", "users": 2}, Frame.of(many))
    assert window == (30e6, 236e6)
    assert rows.sum() == 6


def test_window_of_an_open_loop_is_all_arrivals() -> None:
    """Arrivals wait for nobody: the load is whole from the first to the last."""
    many = [request(one, user=one, sent_ms=100 * one) for one in range(5)]
    _, window = inside(record("open")["load"], Frame.of(many))
    assert window == (0.0, 400e6)


def test_point_without_requests_is_too_short() -> None:
    """Nothing was measured, so there is no window."""
    assert judged([], ONE)["from_s"] is None


def test_trend_has_the_sign_of_the_change() -> None:
    """Falling is negative, by how much in all."""
    found = trend(np.linspace(12, 8, 20))
    assert found.share == pytest.approx(-0.4)
    assert found.p < 1e-4


def test_shift_is_found_where_there_is_no_trend_in_either_half() -> None:
    """A level that jumps by 10 % in the middle."""
    found = shift(np.concatenate([FLAT[:10], FLAT[10:] * 1.1]))
    assert found.counts
    assert found.share == pytest.approx(0.1, abs=0.01)


def test_constant_level_has_no_change() -> None:
    """Equal values are no trend and no shift."""
    assert trend(np.full(20, 3.0)).p == 1.0
    assert not shift(np.full(20, 3.0)).counts

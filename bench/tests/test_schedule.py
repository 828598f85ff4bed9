"""Schedules: known times, known shares, and the law that a Poisson stream keeps."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ..load import Open
from ..schedule import ScheduleError, shares, times_ns


def test_constant_arrivals_come_at_even_times() -> None:
    """4 requests a second leave a quarter of a second apart, the first at once."""
    load = Open(4.0, requests=3, warmup=1, arrivals="constant")
    assert times_ns(load, "seed") == (0, 250_000_000, 500_000_000, 750_000_000)


def test_poisson_arrivals_have_their_rate() -> None:
    """10,000 gaps have the mean that the rate says and, being exponential, that much spread."""
    times = times_ns(Open(20.0, requests=10_000), "seed")
    gaps = [(later - earlier) / 1e9 for earlier, later in zip((0, *times), times, strict=False)]
    mean = sum(gaps) / len(gaps)
    deviation = (sum((gap - mean) ** 2 for gap in gaps) / len(gaps)) ** 0.5
    assert mean == pytest.approx(0.05, rel=0.03)
    assert deviation == pytest.approx(0.05, rel=0.03)


def test_a_few_poisson_arrivals_have_their_rate_too() -> None:
    """Twenty arrivals at 2 a second fill ten seconds, in every run."""
    lasts = [times_ns(Open(2.0, requests=20), str(seed))[-1] / 1e9 for seed in range(200)]
    assert max(lasts) <= 10.0
    assert sum(lasts) / len(lasts) == pytest.approx(10 * 20 / 21, rel=0.02)


@given(st.floats(0.1, 1000), st.integers(1, 50), st.integers(0, 5), st.text())
def test_same_seed_gives_the_same_times(rate: float, count: int, warmup: int, seed: str) -> None:
    """A schedule is one time for each request, ascending, and the same wherever it is made."""
    load = Open(rate, count, warmup)
    times = times_ns(load, seed)
    assert len(times) == count + warmup
    assert list(times) == sorted(times)
    assert times == times_ns(load, seed)


def test_other_seed_gives_other_times() -> None:
    """Two runs are not bound to one schedule."""
    assert times_ns(Open(1.0, 5), "one") != times_ns(Open(1.0, 5), "other")


def test_replay_takes_the_times_of_the_trace() -> None:
    """A trace's times are the schedule."""
    load = Open(1.0, requests=2, arrivals="replay", times_s=(0.0, 1.5))
    assert times_ns(load, "seed") == (0, 1_500_000_000)


@pytest.mark.parametrize(
    ("load", "said"),
    [
        (Open(0.0, 1), "0 requests/s is no rate"),
        (Open(float("inf"), 1, arrivals="constant"), "inf requests/s is no rate"),
        (Open(1.0, 3, arrivals="replay", times_s=(1.0,)), "the trace has 1 times for 3 requests"),
        (Open(1.0, 2, arrivals="replay", times_s=(2.0, 1.0)), "the times of a trace begin at 0"),
        (Open(1.0, 1, arrivals="bursts"), "arrivals are poisson, constant, replay, not 'bursts'"),
    ],
)
def test_impossible_schedule_is_refused_with_the_reason(load: Open, said: str) -> None:
    """What cannot be scheduled is said, not guessed."""
    with pytest.raises(ScheduleError, match=said):
        times_ns(load, "seed")


@given(st.lists(st.integers(0, 20), max_size=6))
def test_shares_hold_each_number_once(places: list[int]) -> None:
    """Every seat is taken by one process, and each process gets as many as it has places."""
    taken = shares(places)
    assert [len(numbers) for numbers in taken] == places
    assert sorted(number for numbers in taken for number in numbers) == list(range(sum(places)))


def test_shares_take_turns() -> None:
    """Two processes with three and two users sit alternately."""
    assert shares([3, 2]) == [[0, 2, 4], [1, 3]]

"""Which point comes next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ..course import Course, users_of
from ..load import BASELINE, Ask, Closed, Open, Point, Result
from ..profiles import (
    AB,
    LONG_CONTEXT,
    OPTIONS,
    PROFILES,
    RATE,
    SOAK,
    THROUGHPUT,
    Ladder,
    Profile,
    Soak,
)


def result(point: Point, speed: float = 10.0, ttft_ms: float = 100.0, failed: float = 0) -> Result:
    """What a point came to."""
    users = point.load.users if isinstance(point.load, Closed) else 1
    requests = users * point.load.requests
    return Result(point, requests, round(failed * requests), speed / 10, speed, ttft_ms)


def run(course: Course, answer: Callable[[Point], Result] = result, most: int = 500) -> list[Point]:
    """All points of a course whose points come to what `answer` says."""
    results: list[Result] = []
    while (point := course.next(results)) is not None:
        results.append(answer(point))
        assert len(results) < most
    return [result.point for result in results]


def climbed(points: list[Point], block: int = 0) -> list[int]:
    """The numbers of users in a block."""
    return [users_of(point) for point in points if point.block == block]


def server(slots: int) -> Callable[[Point], Result]:
    """A server whose speed grows until so many users."""
    return lambda point: result(point, speed=10.0 * min(users_of(point), slots))


def test_ladder_stops_past_the_knee_and_looks_closer_there() -> None:
    """A server of four slots is not asked to serve 32, and the steps beside four are halved."""
    points = run(Course(THROUGHPUT), server(4))
    assert climbed(points) == [1, 2, 4, 8, 16, 3, 6]
    assert sorted(climbed(points, 1)) == sorted(climbed(points, 2)) == [1, 2, 3, 4, 6, 8]


def test_ladder_climbs_as_long_as_it_pays() -> None:
    """A server that has room for all is asked to serve all."""
    assert climbed(run(Course(THROUGHPUT), server(100)))[:7] == [1, 2, 4, 8, 16, 32, 64]


def test_ladder_does_not_go_back_to_where_requests_fail() -> None:
    """Failures end the climb, and their step is not repeated."""

    def overwhelmed(point: Point) -> Result:
        return result(point, 10.0 * users_of(point), failed=0.5 if users_of(point) > 4 else 0)

    points = run(Course(THROUGHPUT), overwhelmed)
    assert climbed(points)[:4] == [1, 2, 4, 8]
    assert 8 not in climbed(points, 1)


def test_ladder_on_a_dead_server_ends_at_once() -> None:
    """Where the first step fails there is nothing to repeat."""
    points = run(Course(THROUGHPUT), lambda point: result(point, failed=1.0))
    assert climbed(points) == [1]


def test_named_users_are_gone_through_as_they_are() -> None:
    """Without a search exactly the steps that were asked for, in each block."""
    ladder = Ladder(Ask(), users=(3, 50), blocks=2, adaptive=False)
    points = run(Course(replace(THROUGHPUT, course=ladder)), server(1))
    assert climbed(points, 0) == [3, 50]
    assert sorted(climbed(points, 1)) == [3, 50]


def test_rates_are_shares_of_the_capacity_that_the_probe_found() -> None:
    """A server that does two requests a second is offered 0.4 to 2.4."""
    probe, *points = run(Course(RATE), lambda point: result(point, speed=20.0))
    assert probe.group == "probe"
    rates = [point.load.rate_per_s for point in points if isinstance(point.load, Open)]
    assert rates == pytest.approx([0.4, 0.8, 1.2, 1.6, 2.0, 2.4])


def test_capacity_beyond_what_can_be_sent_is_not_offered() -> None:
    """A server faster than the client is offered what the client can send."""
    points = run(Course(RATE), lambda point: result(point, speed=20_000.0))
    rates = [point.load.rate_per_s for point in points if isinstance(point.load, Open)]
    assert rates == pytest.approx([400, 800])


def test_no_capacity_no_rates() -> None:
    """Where the probe has no samples nothing is offered."""
    points = run(Course(RATE), lambda point: Result(point, 0, 0, None, None, None))
    assert [point.group for point in points] == ["probe"]


def test_prompts_grow_until_the_first_token_would_take_too_long() -> None:
    """From 8192 tokens in 20 s it is not far to a minute, and so no step is made to 16384."""

    def slow(point: Point) -> Result:
        return result(point, ttft_ms=20_000 * point.ask.prompt_tokens / 8192)

    points = run(Course(LONG_CONTEXT), slow)
    assert [point.ask.prompt_tokens for point in points] == [512, 1024, 2048, 4096, 8192, 16384]


def test_soak_lasts_as_long_as_asked() -> None:
    """Points of a minute until the time is spent, from the pace of the one before."""
    points = run(Course(replace(SOAK, course=Soak(Ask(), users=4, minutes=5.0))))
    spent_s = sum(users_of(point) * point.load.requests for point in points)
    assert 290 < spent_s < 320
    assert len(points) == 6
    assert [point.load.warmup for point in points][:2] == [1, 0]


def test_options_each_have_their_baseline_in_the_block() -> None:
    """Every block has every variant once, in an order of its own."""
    points = run(Course(OPTIONS))
    blocks = [[point.label for point in points if point.block == block] for block in range(10)]
    assert all(block.count(BASELINE) == 1 for block in blocks)
    assert len({tuple(sorted(block)) for block in blocks}) == 1
    assert len({tuple(block) for block in blocks}) > 5


def test_pairs_alternate_and_turn_round() -> None:
    """Of each two pairs one begins with either arm, and which does is drawn."""
    points = run(Course(AB, arms=2))
    arms = [point.arm for point in points]
    fours = {tuple(arms[start : start + 4]) for start in range(0, len(arms), 4)}
    assert fours == {(0, 1, 1, 0), (1, 0, 0, 1)}
    assert [point.block for point in points] == [block for block in range(10) for _ in "ab"]


@pytest.mark.parametrize("profile", [one for one in PROFILES.values() if one.name != "replay"])
def test_profile_ends_within_its_bounds(profile: Profile) -> None:
    """A profile on a server that does all right has as many points as were announced."""
    course = Course(profile)
    least, most = course.bounds
    assert least <= len(run(course)) <= most
    assert course.planned in (None, most)


@given(st.lists(st.floats(0.1, 1000), min_size=30, max_size=30), st.integers(0, 3))
def test_ladder_ends_whatever_the_server_does(speeds: list[float], failing: int) -> None:
    """A course ends within its bounds, and the same results give the same points."""

    def answer(point: Point) -> Result:
        place = users_of(point) % len(speeds)
        return result(point, speeds[place], failed=1.0 if failing and not place % 5 else 0)

    points = run(Course(THROUGHPUT), answer)
    assert points == run(Course(THROUGHPUT), answer)
    assert len(points) <= Course(THROUGHPUT).bounds[1]
    assert all(isinstance(point.load, Closed) for point in points)

"""Knees of curves whose shape is known."""

from __future__ import annotations

from typing import Any

import pytest

from ..knee import Rung, knees, of_users
from .points import figures, latency

USERS = (1, 2, 4, 8, 16, 32, 64)


def ladder(*speeds: float) -> list[Rung]:
    """Rungs that were measured once."""
    return [Rung(users, (speed,)) for users, speed in zip(USERS, speeds, strict=False)]


def found(rungs: list[Rung]) -> dict[str, Any]:
    """The knee of a ladder that has rungs enough."""
    knee = of_users(rungs)
    assert knee is not None
    return knee


def test_knee_is_where_throughput_stops_growing() -> None:
    """Throughput in step with users up to 8, and no more after."""
    assert found(ladder(10, 20, 40, 80, 82, 83, 83))["value"] == 8


def test_throughput_that_grows_all_the_way_has_no_knee() -> None:
    """More users than were tried might bring more."""
    knee = found(ladder(*(10 * users**0.9 for users in USERS)))
    assert knee["value"] is None
    assert "up to 64" in knee["because"]


def test_throughput_that_never_grows_has_its_knee_at_the_lowest() -> None:
    """A server that takes one request at a time is full with one user, whatever the noise."""
    assert found(ladder(100, 101, 99, 102, 100, 98, 101))["value"] == 1


def test_throughput_that_falls_again_has_its_knee_before() -> None:
    """Overload after 16 users does not move the knee beyond it."""
    assert found(ladder(10, 20, 40, 75, 100, 60, 30))["value"] in (8, 16)


def test_rungs_measured_once_give_no_interval() -> None:
    """Without blocks there is no scatter, and the reason says so."""
    knee = found(ladder(10, 20, 40, 80, 82, 83, 83))
    assert (knee["low"], knee["high"]) == (None, None)
    assert "measured once" in knee["because"]


def test_blocks_that_agree_give_a_narrow_interval() -> None:
    """Three blocks within a per cent leave no doubt of a sharp knee."""
    speeds = (10, 20, 40, 80, 82, 83, 83)
    rungs = [
        Rung(users, (speed * 0.995, speed, speed * 1.005))
        for users, speed in zip(USERS, speeds, strict=True)
    ]
    knee = found(rungs)
    assert (knee["low"], knee["value"], knee["high"]) == (8, 8, 8)


def test_blocks_that_disagree_give_a_wide_interval() -> None:
    """A soft knee in a noise of 20 % could lie on either side."""
    speeds = (10, 19, 36, 60, 85, 100, 108)
    rungs = [
        Rung(users, (speed * 0.8, speed, speed * 1.2))
        for users, speed in zip(USERS, speeds, strict=True)
    ]
    knee = found(rungs)
    assert knee["low"] < knee["value"] <= knee["high"]


def test_few_rungs_are_no_ladder() -> None:
    """Three numbers of users have no shape."""
    assert of_users(ladder(10, 20, 21)) is None


def test_points_become_a_ladder_of_each_arm() -> None:
    """Blocks of one rung belong together; a point where requests failed is no rung."""
    speeds = {1: 10.0, 2: 20.0, 4: 40.0, 8: 42.0, 16: 43.0}
    points = [
        figures(
            f"{users} users",
            value=users,
            speed=speed,
            arm=arm,
            block=block,
            failures=40 if users == 16 else 0,
            load={"kind": "closed", "users": users},
        )
        for arm in (0, 1)
        for block in (0, 1)
        for users, speed in speeds.items()
    ]
    made = knees(points, [None] * len(points), None)
    assert [(one["arm"], one["group"], one["value"]) for one in made] == [
        (0, "users", 4.0),
        (1, "users", 4.0),
    ]


def rate(value: float, first_ms: float = 50.0, block: int = 0, failures: int = 0) -> dict[str, Any]:
    """A point at a rate."""
    load = {"kind": "open", "rate_per_s": value}
    return figures(
        f"{value}/s",
        group="rate",
        value=value,
        load=load,
        block=block,
        failures=failures,
        ttft_ms=first_ms,
    )


def test_capacity_is_the_highest_rate_that_is_kept_up_with() -> None:
    """At 3/s answers came at 80 % of the pace; that 4/s looked fine does not count."""
    points = [rate(one) for one in (1.0, 2.0, 3.0, 4.0)]
    (knee,) = knees(points, [1.0, 0.97, 0.8, 1.0], None)
    assert knee["value"] == 2.0
    assert "80% of the pace" in knee["because"]


def test_capacity_ends_where_the_first_token_is_too_late() -> None:
    """A server that keeps the pace but not the SLO has reached its rate."""
    points = [rate(1.0), rate(2.0, 2500.0)]
    (knee,) = knees(points, [1.0, 1.0], {"ttft_ms": 2000.0, "tpot_ms": 100.0})
    assert knee["value"] == 1.0


def test_capacity_of_blocks_that_disagree_is_the_lower() -> None:
    """Where one block did not keep up, the rate is not kept up with; the blocks are the range."""
    points = [rate(one, block=block) for block in (0, 1) for one in (1.0, 2.0, 3.0)]
    (knee,) = knees(points, [1.0, 1.0, 0.9, 1.0, 0.9, 0.9], None)
    assert (knee["low"], knee["value"], knee["high"]) == (1.0, 1.0, 2.0)


def test_no_rate_that_is_kept_up_with_is_no_capacity() -> None:
    """The lowest rate was too much already."""
    points = [rate(1.0, failures=20), rate(2.0)]
    (knee,) = knees(points, [1.0, 1.0], None)
    assert knee["value"] is None
    assert "20 of 40 requests failed" in knee["because"]


def test_points_that_are_no_ladder_have_no_knee() -> None:
    """Prompt lengths differ in something else than load."""
    points = [figures(f"{one} tokens", value=one, group="prompt") for one in (64, 128, 256, 512)]
    assert knees(points, [None] * 4, None) == []


def test_probe_is_no_rate() -> None:
    """A rate run begins with a closed loop that finds the capacity, in a group of its own."""
    points = [figures("probe", group="probe", value=None), rate(1.0), rate(2.0)]
    made = knees(points, [None, 1.0, 1.0], None)
    assert [one["group"] for one in made] == ["rate"]
    assert made[0]["value"] == pytest.approx(2.0)
    assert points[1]["ttft_ms"] == latency(50.0)

"""Cutting down for the screen loses neither an end nor a peak."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ..charts import CORNERS, LANES, MOMENTS, curve, flow, moments, shown, timeline
from ..frame import Frame
from ..sample import Resource
from .exchanges import understood


def values(*numbers: float) -> np.ndarray:
    """An array of these."""
    return np.array(numbers, dtype=float)


def test_curve_of_a_few_values_has_them_all() -> None:
    """Each value is a corner, at the share of values up to it."""
    assert curve(values(3.0, 1.0, 2.0, float("nan"))) == [
        [1.0, 0.333333],
        [2.0, 0.666667],
        [3.0, 1.0],
    ]


def test_curve_of_many_values_keeps_both_ends() -> None:
    """The longest of ten thousand is still drawn."""
    drawn = curve(np.concatenate([np.linspace(1, 2, 9_999), [500.0]]))
    assert len(drawn) <= CORNERS
    assert (drawn[0][0], drawn[-1]) == (1.0, [500.0, 1.0])


def test_curve_of_nothing_is_empty() -> None:
    """No values, no corners."""
    assert curve(values()) == []


def test_flow_counts_tokens_and_requests_in_flight() -> None:
    """Two requests of a second each, one after the other, then both at once."""
    drawn = flow(values(0, 1, 2, 2), values(1, 2, 3, 3), values(0.5, 1.5, 2.5, 2.6))
    assert drawn is not None
    steps = len(drawn["in_flight"])
    assert sum(drawn["tokens_per_s"]) * drawn["step_s"] == pytest.approx(4, rel=1e-3)
    assert drawn["in_flight"][steps // 6] == pytest.approx(1.0, rel=1e-3)
    assert drawn["in_flight"][-1] == pytest.approx(2.0, rel=1e-3)


def test_request_that_never_ended_is_in_flight_for_nothing() -> None:
    """Without an end that is known, a request does not stand in the way of the others."""
    drawn = flow(values(0, 0), values(1, float("nan")), values())
    assert drawn is not None
    assert max(drawn["in_flight"]) == pytest.approx(1.0, rel=1e-3)


def test_flow_of_nothing_is_none() -> None:
    """No requests, no chart."""
    assert flow(values(), values(), values()) is None


def test_timeline_has_the_first_requests_in_order() -> None:
    """No more lanes than can be told apart, the earliest planned first."""
    samples = [replace(understood("steady"), planned_ns=-number) for number in range(LANES + 5)]
    drawn = timeline(Frame.of(samples))
    assert len(drawn) == LANES
    assert drawn[0]["planned_s"] <= drawn[-1]["planned_s"]
    assert len(drawn[0]["tokens_s"]) == 8


def test_requests_are_drawn_of_the_first_point_and_the_fullest() -> None:
    """Of a ladder in two blocks the earlier of the highest steps."""
    users = (1, 4, 16, 1, 4, 16)
    points = [{"point": number, "load": {"users": one}} for number, one in enumerate(users)]
    assert shown(points) == [0, 2]


def test_moments_keep_the_peak_and_every_phase() -> None:
    """A peak of one sample among thousands, and a phase of one sample, are still there."""
    phases = ["idle"] * 10 + ["point 0"] + ["point 1"] * 5_000
    resources = [
        Resource(number * 10**8, phase, rss_bytes=2000 if number == 3_000 else 1000)
        for number, phase in enumerate(phases)
    ]
    drawn = moments(resources)
    assert len(drawn) <= MOMENTS + 3
    assert {one["phase"] for one in drawn} == {"idle", "point 0", "point 1"}
    assert max(one["rss_bytes"] for one in drawn) == 2000


def test_moments_leave_out_what_is_not_known() -> None:
    """A figure that no sample of a stretch has is absent, not 0."""
    (drawn,) = moments([Resource(0, "idle", rss_bytes=1)])
    assert drawn == {"at_s": 0.0, "phase": "idle", "arm": 0, "processes": 0, "rss_bytes": 1}

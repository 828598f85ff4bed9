"""Every reason why a run does not count, and the runs just short of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from .. import valid
from ..frame import Frame
from .points import figures, latency, record, request

CALIBRATION: dict[str, Any] = {
    "streams": 16,
    "tokens_per_s": 1000.0,
    "stamps": "kernel",
    "ttft_error_ms": {"p50": 0.05, "p99": 0.2},
    "itl_error_ms": {"p50": 0.01, "p99": 0.1},
    "lost": 0,
    "doubled": 0,
}


@pytest.mark.parametrize(
    ("late_ms", "e2e_ms", "faulty"),
    [
        (4.9, 10.0, False),
        (5.1, 10.0, True),
        (5.1, 200.0, False),
        (50.0, 999.0, True),
        (6.0, None, True),
        (None, None, False),
    ],
)
def test_late_client_is_a_reason(late_ms: float | None, e2e_ms: float | None, faulty: bool) -> None:
    """Lateness above 5 ms and above 5 % of the answer time is a reason, in words."""
    point = figures(dispatch_late_ms=latency(late_ms), e2e_ms=latency(e2e_ms))
    assert bool(list(valid.late([point]))) is faulty


def test_late_client_in_an_open_loop_is_held_to_the_first_token() -> None:
    """Lateness is in the first token of an open loop, however long the answers are."""
    point = figures(dispatch_late_ms=latency(8.0), ttft_ms=100.0, e2e_ms=latency(9000.0))
    assert not list(valid.late([point]))
    (reason,) = valid.late([point | {"load": {"kind": "open"}}])
    assert reason.startswith("at 1 user the client sent 8.0 ms late (p99)")


def test_few_requests_are_held_to_the_latest() -> None:
    """Where there is no p99, the latest request decides."""
    point = figures(dispatch_late_ms=latency(1.0, 3, p99=None, max=500.0))
    (reason,) = valid.late([point])
    assert "500.0 ms late (at worst)" in reason


def test_own_error_beyond_the_figures_is_a_reason() -> None:
    """An error of 0.2 ms is too large for a first token after 3 ms, not for one after 5."""
    (reason,) = valid.miscalibrated(CALIBRATION, [figures(ttft_ms=3.0)])
    assert "time to first token is 3 ms" in reason
    assert not list(valid.miscalibrated(CALIBRATION, [figures(ttft_ms=5.0)]))


def test_own_error_beyond_the_gaps_is_a_reason() -> None:
    """Gaps of 0.1 ms are not measured with a median error of 0.01 ms."""
    (reason,) = valid.miscalibrated(CALIBRATION, [figures(tpot_ms=0.1)])
    assert "gap between tokens" in reason


@pytest.mark.parametrize("name", ["lost", "doubled"])
def test_tokens_lost_or_counted_twice_are_a_reason(name: str) -> None:
    """A client that miscounts a known schedule miscounts everything."""
    (reason,) = valid.miscalibrated(CALIBRATION | {name: 2}, [])
    assert reason.startswith("2 tokens of the calibration")


def test_no_calibration_is_no_reason() -> None:
    """What was not measured is said by the header, and is not held against the run."""
    assert not list(valid.miscalibrated(None, [figures(ttft_ms=0.1)]))


@pytest.mark.parametrize(
    ("held", "tokens", "faulty"),
    [(1.0, 400, False), (0.5, 400, True), (1.95, 400, True), (0.91, 400, False), (0.8, 40, False)],
)
def test_records_that_are_not_tokens_are_a_reason(held: float, tokens: int, faulty: bool) -> None:
    """Half a record a token is one; an end token without text in answers of ten is none."""
    point = figures(records_per_token=held, output_tokens=tokens * 10, requests=40)
    point |= {"output_tokens": tokens}
    assert bool(list(valid.no_tokens([point]))) is faulty


def test_answer_that_was_not_to_stream_may_be_one_record() -> None:
    """stream=false has one record, as it was asked."""
    point = figures(records_per_token=0.1, ask={"api": "generate", "stream": False})
    assert not list(valid.no_tokens([point]))


def frames(*samples: Any) -> dict[int, Frame]:  # noqa: ANN401
    """The requests of point 0."""
    return {0: Frame.of(samples)}


def test_no_warm_up_is_a_reason() -> None:
    """The first answer of a model that had not answered before is not like the others."""
    (reason,) = valid.cold_starts([figures()], frames(request()))
    assert "no warm-up" in reason


def test_warm_up_that_failed_is_none() -> None:
    """A warm-up request without an answer has warmed nothing."""
    held = frames(request(warmup=True, error="timeout-first"), request(1))
    assert list(valid.cold_starts([figures()], held))


def test_earlier_point_of_the_same_model_is_a_warm_up() -> None:
    """A point without warm-up after another of the same model and arm is warm."""
    held = {0: Frame.of([request(warmup=True), request(1)]), 1: Frame.of([request()])}
    assert not list(valid.cold_starts([figures(), figures(point=1)], held))
    other = figures(point=1, model="another")
    assert list(valid.cold_starts([figures(), other], held))


def test_cold_point_needs_no_warm_up() -> None:
    """A cold start is what is measured."""
    point = figures(ask=record()["ask"] | {"cold": True})
    assert not list(valid.cold_starts([point], frames(request(load_ms=4000))))


def test_model_that_was_loaded_meanwhile_is_a_reason() -> None:
    """A request that waited 4 s for the model says nothing of a warm server."""
    held = frames(request(warmup=True), request(1, load_ms=20), request(2, load_ms=4000))
    (reason,) = valid.cold_starts([figures()], held)
    assert "loaded during 1 of the measured requests" in reason


def test_uncertain_clock_is_a_reason() -> None:
    """A worker whose clock is known to 30 ms cannot say when it sent; one known to 1 ms can."""
    workers = [
        {"worker": 0, "host": "here", "uncertain_ns": 10**6},
        {"worker": 1, "host": "there", "uncertain_ns": 3 * 10**7},
    ]
    (reason,) = valid.uncertain(workers, [figures()])
    assert reason.startswith("the clock of worker 1 (there) is uncertain by 30 ms")


def test_load_process_without_cpu_left_is_a_reason() -> None:
    """95 % of a core is all that one process has; two processes have two cores."""
    one = [Frame.of([request()])]
    two = [Frame.of([request(), replace(request(1), worker=1)])]
    assert list(valid.busy(0.95, one))
    assert not list(valid.busy(0.95, two))
    assert not list(valid.busy(None, one))


@pytest.mark.parametrize(
    ("because", "said"),
    [
        ("interrupted", "the run was interrupted"),
        (None, "the run was interrupted"),
        ("the disk is full", "the run was interrupted: the disk is full"),
    ],
)
def test_interrupted_run_says_why(because: str | None, said: str) -> None:
    """An interrupted run is not the one that is described."""
    assert list(valid.interrupted({"interrupted": True, "because": because})) == [said]

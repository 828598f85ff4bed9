"""A check of the clock is tried again in a calmer moment, and only so often."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ..calm import FEWEST, LONG_S, TRIES, abandoned, calmly, quiet_ms
from ..check import PASSED, Outcome, Verdict
from ..target import Target
from .honest import serving_server
from .test_liars import provided
from .test_run import setup

FAILED = Verdict(Outcome.FAILED)


def tried(verdicts: Iterator[Verdict]) -> Verdict:
    """The verdict over these tries."""
    return calmly(lambda: next(verdicts))


def test_first_that_passes_is_believed() -> None:
    """Nothing is asked after it."""
    left = iter([FAILED, PASSED, FAILED])
    assert (tried(left), list(left)) == (PASSED, [FAILED])


def test_what_never_passes_fails() -> None:
    """After so many tries."""
    left = iter([FAILED] * (TRIES + 1))
    assert (tried(left), list(left)) == (FAILED, [FAILED])


def test_what_is_slow_is_not_tried_for_ever() -> None:
    """After so many seconds another try would tell nothing new."""
    left, times = iter([FAILED] * TRIES), iter([0.0, LONG_S - 1, LONG_S + 1])
    assert calmly(lambda: next(left), clock=lambda: next(times)) == FAILED
    assert len(list(left)) == TRIES - 2


def test_quickest_of_three_is_measured_once_a_run() -> None:
    """What is abandoned later slows what is measured later."""
    target, measured = Target(replace(setup(), token="calm")), iter([3.0, 1.0, 2.0, 0.5])
    found = [quiet_ms(target, "that", lambda: next(measured)) for _ in "12"]
    assert (found, next(measured)) == ([1.0, 1.0], 0.5)


def test_abandoned_answers_are_short_where_tokens_are_slow() -> None:
    """A server that makes them all the same is not kept for minutes."""
    with serving_server() as server:
        target = Target(replace(provided(server), token="quick"))
        quick = abandoned(target, 500, 60.0)["num_predict"]
        brief = abandoned(target, 500, 0.001)["num_predict"]
        told = list(target.exchanges)
    assert (quick, brief, told) == (500, FEWEST, [])

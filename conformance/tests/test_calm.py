"""A check of the clock is tried again in a calmer moment, and only so often."""

from __future__ import annotations

from collections.abc import Iterator

from ..calm import TRIES, calmly
from ..check import PASSED, Outcome, Verdict

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

"""Against a busy machine: measure twice, and believe the calmer moment.

What a target does wrong it does every time; what a busy machine does to it, or to us, passes.
"""

from __future__ import annotations

from collections.abc import Callable

from .check import Outcome, Verdict
from .evidence import Exchange

TRIES = 4


def calmly(judge: Callable[[], Verdict], tries: int = TRIES) -> Verdict:
    """The verdict of the first try that passes; where none does, of the last."""
    for _ in range(tries - 1):
        verdict = judge()
        if verdict.outcome is Outcome.PASSED:
            return verdict
    return judge()


def quickest(ask: Callable[[], Exchange], times: int = 2) -> Exchange:
    """The quickest of several answers to the same question."""
    return min((ask().ok for _ in range(times)), key=lambda got: got.elapsed_ms)

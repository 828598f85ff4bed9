"""How many prompt tokens go beside a decode step: as many as its neighbours can stand.

Numbers only; the clock is the caller's.
"""

from __future__ import annotations

from typing import Final

STALL_STEPS: Final = 1.0  # how long a prompt may hold up running sequences, in their own steps
MIN_TOKENS: Final = 8  # fewer cost hardly less: the weights are read all the same
FOLLOWS: Final = 0.3  # the weight of the newest measurement


class Pace:
    """Learns what prompt tokens and decode steps cost, and holds the ones to the others."""

    def __init__(self) -> None:
        self._token_s: float | None = None
        self._step_s: float | None = None

    @property
    def tokens(self) -> int:
        """Prompt tokens beside the next decode step."""
        if self._token_s is None or self._step_s is None:
            return MIN_TOKENS
        return max(int(STALL_STEPS * self._step_s / self._token_s), MIN_TOKENS)

    def prefilled(self, num_tokens: int, seconds: float) -> None:
        """A chunk or more, of so many tokens together, took so long."""
        self._token_s = _follow(self._token_s, seconds / num_tokens)

    def decoded(self, seconds: float) -> None:
        """A decode step took so long."""
        self._step_s = _follow(self._step_s, seconds)


def _follow(known: float | None, newest: float) -> float:
    """A running mean that follows rises and falls in a few steps."""
    return newest if known is None else known + FOLLOWS * (newest - known)

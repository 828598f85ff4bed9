"""How many prompt tokens go beside a decode step: as many as its neighbours can stand.

Numbers only; the clock is the caller's. What a chunk costs beyond its tokens is not known
beforehand, and is much where it is short, so the number is led to the cost that is wanted.
"""

from __future__ import annotations

from typing import Final

STALL_STEPS: Final = 2.0  # how long a prompt may hold up running sequences, in their own steps
FIRST_TOKENS: Final = 16  # until more is known
MIN_TOKENS: Final = 8  # fewer cost hardly less: the weights are read all the same
CHANGE: Final = 2.0  # the most that one measurement changes, as a ratio
FOLLOWS: Final = 0.3  # the weight of the newest step


class Pace:
    """Leads chunks beside a decode step to a cost of so many steps."""

    def __init__(self) -> None:
        self._tokens = float(FIRST_TOKENS)
        self._step_s: float | None = None

    @property
    def tokens(self) -> int:
        """Prompt tokens beside the next decode step."""
        return int(self._tokens)

    def prefilled(self, num_tokens: int, seconds: float) -> None:
        """Chunks of so many tokens together took so long beside a decode step.

        More tokens than `tokens` may take longer in proportion; fewer give no cause for more.
        """
        if self._step_s is None:
            return
        allowed_s = STALL_STEPS * self._step_s * max(1.0, num_tokens / self._tokens)
        most = CHANGE if num_tokens >= self.tokens else 1.0
        change = min(max(allowed_s / seconds, 1 / CHANGE), most)
        self._tokens = max(self._tokens * change, float(MIN_TOKENS))

    def decoded(self, seconds: float) -> None:
        """A decode step took so long."""
        newest, known = seconds, self._step_s
        self._step_s = newest if known is None else known + FOLLOWS * (newest - known)

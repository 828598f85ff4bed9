"""What an engine counts while it works: plain numbers, read by whoever asks for metrics.

Written by the engine thread, a few additions a step; a reader may be one step behind.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Final

TTFT_S: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
STEP_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


@dataclass(slots=True)
class Histogram:
    """How many values were at most each of `bounds`; the last count is of those beyond."""

    bounds: tuple[float, ...]
    counts: list[int] = field(default_factory=list)
    total: float = 0.0

    def __post_init__(self) -> None:
        self.counts = self.counts or [0] * (len(self.bounds) + 1)

    def observe(self, value: float) -> None:
        """Count a value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def add(self, other: Histogram) -> None:
        """Count what another one counted."""
        self.counts = [one + more for one, more in zip(self.counts, other.counts, strict=True)]
        self.total += other.total

    def cumulative(self) -> list[tuple[str, int]]:
        """Each bound, and how many values were not above it, as Prometheus wants them."""
        names = [*map(str, self.bounds), "+Inf"]
        return list(zip(names, accumulate(self.counts), strict=True))


@dataclass(slots=True)
class Tally:
    """What one model did; `num_open` and `num_running` are of this moment."""

    num_open: int = 0
    num_running: int = 0
    prompt_tokens: int = 0
    reused_tokens: int = 0
    output_tokens: int = 0
    reuses: int = 0
    steps: Histogram = field(default_factory=lambda: Histogram(STEP_S))
    ttft: Histogram = field(default_factory=lambda: Histogram(TTFT_S))

    @property
    def num_waiting(self) -> int:
        """Requests that have no slot yet."""
        return max(0, self.num_open - self.num_running)

    def add(self, other: Tally) -> None:
        """Count what another one counted, but not what it was doing."""
        self.prompt_tokens += other.prompt_tokens
        self.reused_tokens += other.reused_tokens
        self.output_tokens += other.output_tokens
        self.reuses += other.reuses
        self.steps.add(other.steps)
        self.ttft.add(other.ttft)

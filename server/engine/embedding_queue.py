"""Which rows go through the model together. Pure: lengths in, places out.

Rows of a batch are padded to the longest of them, so a batch takes rows of nearly one length,
of whatever requests. Requests take turns to lead a batch: a short one never waits for a long one.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from dataclasses import dataclass
from typing import Final

FILL: Final = 0.75
"""A row of a batch is at least this share of the longest, or short of it by `SLACK` at most."""
SLACK: Final = 8


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """One waiting row: its length, then the request's number and the row's within it."""

    length: int
    request: int
    index: int


class RowQueue:
    """The rows that wait, by request."""

    def __init__(self, max_tokens: int) -> None:
        self._max_tokens = max_tokens
        self._waiting: dict[int, list[Place]] = {}
        self._turns: deque[int] = deque()

    @property
    def busy(self) -> bool:
        """Whether any row waits."""
        return bool(self._waiting)

    def add(self, request: int, lengths: list[int]) -> None:
        """Let the rows of a request wait."""
        self._waiting[request] = sorted(
            Place(length, request, index) for index, length in enumerate(lengths)
        )
        self._turns.append(request)

    def drop(self, request: int) -> None:
        """Forget what is left of a request; nothing if nothing is."""
        if self._waiting.pop(request, None) is not None:
            self._turns.remove(request)

    def next(self) -> list[Place]:
        """The next batch, longest row first: at least one, and no longer waiting."""
        leader = self._turns[0]
        self._turns.rotate(-1)
        longest = self._waiting[leader][-1].length
        most = max(1, self._max_tokens // longest)
        batch: list[Place] = []
        for request in (leader, *(each for each in self._turns if each != leader)):
            batch += self._taken(request, longest, most - len(batch))
        for request in {place.request for place in batch}:
            if not self._waiting[request]:
                self.drop(request)
        return sorted(batch, reverse=True)

    def _taken(self, request: int, longest: int, most: int) -> list[Place]:
        """Up to `most` rows of a request that go with one of length `longest`."""
        rows = self._waiting[request]
        shortest = min(longest - SLACK, int(FILL * longest))
        end = bisect_left(rows, longest + 1, key=lambda place: place.length)
        start = bisect_left(rows, shortest, key=lambda place: place.length)
        start = max(start, end - most)
        taken = rows[start:end]
        del rows[start:end]
        return taken

"""Who holds how much of the machine's memory: one book for all loaded models, in bytes.

Integers only. Nothing is measured here and nothing is freed: models book what they are about to
take, and those who find no room wait or make some. Any thread may book.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from .engine.bands import num_tokens_held

# A newcomer beside others may take so much of what is free (server/sched.go:load, SCHED-009).
PERCENT_BESIDE_OTHERS: Final = 80


class Use(StrEnum):
    """What memory is held for."""

    WEIGHTS = "weights"
    KV = "kv"
    PROMPT_CACHE = "prompt_cache"
    ACTIVATIONS = "activations"


@dataclass(frozen=True, slots=True)
class Footprint:
    """What a model takes: estimated from its files, or as loaded.

    `activations` is what one step may take beside weights and KV.
    """

    weights: int = 0
    kv_bytes_per_token: int = 0
    activations: int = 0

    def window(self, num_ctx: int) -> int:
        """The KV of one sequence that fills its window."""
        return num_tokens_held([num_ctx]) * self.kv_bytes_per_token

    def smallest(self, num_ctx: int) -> int:
        """What must be free for the model to serve one request."""
        return self.weights + self.window(num_ctx) + self.activations


class Ledger:
    """The accounts of all loaded models under one budget."""

    def __init__(self, budget_bytes: int) -> None:
        assert budget_bytes >= 0
        self.budget_bytes = budget_bytes
        self._booked_bytes = 0
        self._lock = threading.Lock()

    @property
    def booked_bytes(self) -> int:
        """What all accounts hold."""
        return self._booked_bytes

    @property
    def free_bytes(self) -> int:
        """What nobody holds; below 0 where a model took more than was expected of it."""
        return self.budget_bytes - self._booked_bytes

    def open(self) -> Account:
        """An account that holds nothing yet."""
        return Account(self)

    def lacking(self, needed_bytes: int, *, beside_others: bool) -> int:
        """How much more must become free before a model may take so much; 0 if it may."""
        if beside_others:
            needed_bytes = -(-needed_bytes * 100 // PERCENT_BESIDE_OTHERS)
        return max(0, needed_bytes - self.free_bytes)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Alone with the book; for accounts."""
        with self._lock:
            yield

    def add(self, num_bytes: int) -> None:
        """Change what is booked; for accounts, which hold the lock."""
        self._booked_bytes += num_bytes


class Account:
    """What one model holds. Its window is never given up while it is loaded.

    So a model that runs nothing can always begin a request, and whoever waits for room beside
    running requests waits for those only.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._footprint = Footprint()
        self._window_bytes = 0
        self._booked = dict.fromkeys(Use, 0)
        self._is_open = True

    @property
    def total_bytes(self) -> int:
        """What unloading the model gives back."""
        return sum(self._booked.values())

    def booked(self, use: Use) -> int:
        """What is held for one use."""
        return self._booked[use]

    def settle(self, footprint: Footprint, num_ctx: int) -> None:
        """Book a model and one window, whether or not there is room: it is there, or comes."""
        with self._ledger.locked():
            self._footprint = footprint
            self._window_bytes = footprint.window(num_ctx)
            self._book(Use.WEIGHTS, footprint.weights)
            self._book(Use.ACTIVATIONS, footprint.activations)
            self._book(Use.KV, self._window_bytes)

    def smallest(self, num_ctx: int) -> int:
        """What the model takes at least with such a window."""
        return self._footprint.smallest(num_ctx)

    def widen(self, num_ctx: int) -> bool:
        """Whether there is room for a request with such a window, from now on reserved."""
        with self._ledger.locked():
            window_bytes = max(self._window_bytes, self._footprint.window(num_ctx))
            fits = self._try(Use.KV, max(window_bytes, self._booked[Use.KV]))
            if fits:
                self._window_bytes = window_bytes
            return fits

    def lacking_kv(self, num_bytes: int) -> int:
        """How much must become free before the KV may take so much."""
        more = max(self._window_bytes, num_bytes) - self._booked[Use.KV]
        return max(0, more - max(0, self._ledger.free_bytes))

    def book_kv(self, num_bytes: int) -> bool:
        """Whether the KV of all running sequences may take so much; if not, nothing changes."""
        with self._ledger.locked():
            return self._try(Use.KV, max(self._window_bytes, num_bytes))

    def book_prompt_cache(self, num_bytes: int) -> int:
        """How much of this the kept prefixes may take."""
        with self._ledger.locked():
            room = self._ledger.free_bytes + self._booked[Use.PROMPT_CACHE]
            granted = max(0, min(num_bytes, room)) if self._is_open else 0
            self._book(Use.PROMPT_CACHE, granted)
            return granted

    def close(self) -> None:
        """Give everything back; again does nothing, and nothing can be booked any more."""
        with self._ledger.locked():
            for use in Use:
                self._book(use, 0)
            self._is_open = False

    def _try(self, use: Use, num_bytes: int) -> bool:
        more = num_bytes - self._booked[use]
        if more > 0 and (more > self._ledger.free_bytes or not self._is_open):
            return False
        self._book(use, num_bytes)
        return True

    def _book(self, use: Use, num_bytes: int) -> None:
        if self._is_open:
            self._ledger.add(num_bytes - self._booked[use])
            self._booked[use] = num_bytes


def shortage(needed_bytes: int, available_bytes: int) -> str:
    """The original's words for a model that does not fit (`llm/server.go` until 2026)."""
    needed, available = _human(needed_bytes), _human(max(0, available_bytes))
    return f"model requires more system memory ({needed}) than is available ({available})"


def _human(num_bytes: int) -> str:
    """`format/bytes.go:HumanBytes2`."""
    for unit, size in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if num_bytes >= size:
            return f"{num_bytes / size:.1f} {unit}"
    return f"{num_bytes} B"

"""Many asks at the same time: all connect first, and then all send.

What they ask, and of whom, is not known here.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from contextvars import ContextVar
from typing import TypeVar

MOST = 4096  # asks at the same time, of all who ask
LINE_UP_S = 0.5  # a server that takes one connection after the other is not waited for longer

Got = TypeVar("Got")

_THREADS = ThreadPoolExecutor(MOST)  # no more are started than ask at the same time
_START: ContextVar[threading.Barrier | None] = ContextVar("start", default=None)


def at_once(asks: Sequence[Callable[[], Got]]) -> list[Got]:
    """Ask all in threads of their own, which start together; answers in the order of the asks."""
    start = threading.Barrier(len(asks), timeout=LINE_UP_S)

    def run(ask: Callable[[], Got]) -> Got:
        _START.set(start)
        try:
            return ask()
        finally:
            if _START.get() is not None:  # it never came to the line: nobody waits for it
                start.abort()
                _START.set(None)

    begun = [_THREADS.submit(run, ask) for ask in asks]
    try:
        return [one.result() for one in begun]
    finally:
        wait(begun)


def line_up() -> None:
    """Wait for the others, where this thread is one of several that start together; once."""
    start = _START.get()
    if start is not None:
        _START.set(None)
        with suppress(threading.BrokenBarrierError):
            start.wait()

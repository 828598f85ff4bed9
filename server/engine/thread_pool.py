"""Threads that are used again, one model after another.

MLX starts a thread of its own for each thread that computes, and does not end it with that one
(0.32, `clear_streams` included), so a new thread for each model would leave one behind each time.
"""

from __future__ import annotations

import atexit
import logging
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import TypeAlias

log = logging.getLogger(__name__)

Job: TypeAlias = tuple[Callable[[], object], Future[None]]
Inbox: TypeAlias = "SimpleQueue[Job | None]"


class ThreadPool:
    """As many threads as jobs ran at once; they end with the process."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()
        self._resting: list[Inbox] = []
        self._threads: list[tuple[threading.Thread, Inbox]] = []
        # a thread that is still in MLX when the interpreter goes away aborts the process
        atexit.register(self.close)

    def run(self, work: Callable[[], object]) -> Future[None]:
        """Do this in a thread that rests, or else in a new one; done when the thread rests."""
        done: Future[None] = Future()
        with self._lock:
            inbox = self._resting.pop() if self._resting else self._started()
        inbox.put((work, done))
        return done

    def close(self) -> None:
        """End the threads, each when it rests; what runs must have been told to end."""
        with self._lock:
            threads, self._threads = self._threads, []
            self._resting.clear()
        for _, inbox in threads:
            inbox.put(None)
        for thread, _ in threads:
            thread.join()

    def _started(self) -> Inbox:
        inbox: Inbox = SimpleQueue()
        thread = threading.Thread(target=self._live, args=(inbox,), name=self._name, daemon=True)
        self._threads.append((thread, inbox))
        thread.start()
        return inbox

    def _live(self, inbox: Inbox) -> None:
        _yield_to_none_woken()
        try:
            while (job := inbox.get()) is not None:
                work, done = job
                try:
                    work()
                except BaseException:  # a panic inside tokenizers is no Exception
                    log.exception("%s: work ended in an error", self._name)
                del job, work  # what it held can be freed while the thread rests
                with self._lock:
                    self._resting.append(inbox)
                done.set_result(None)
        finally:
            mlx = sys.modules.get("mlx.core")
            if mlx is not None:  # else its streams end after `join`, and may meet the process's end
                mlx.clear_streams()


def _yield_to_none_woken() -> None:
    """Let a thread go on that wakes another; Linux only, and MLX's threads inherit it from ours.

    MLX's CPU backend hands over operation by operation. A thread that runs for each at once, and
    sleeps after it, costs more than the operations of a small model (sched(7), SCHED_BATCH).
    """
    if sys.platform == "linux":
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))

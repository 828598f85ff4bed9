"""Threads are used again, and end when they are told to."""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Iterator

import pytest

from ..thread_pool import ThreadPool


@pytest.fixture
def pool() -> Iterator[ThreadPool]:
    """A pool whose threads end with the test."""
    pool = ThreadPool("of a test")
    yield pool
    pool.close()


def test_thread_that_rests_is_used_again(pool: ThreadPool) -> None:
    """One after another need one thread."""
    seen: list[int] = []
    for _ in range(3):
        pool.run(lambda: seen.append(threading.get_ident())).result()
    assert len(seen) == 3
    assert len({*seen}) == 1


def test_two_at_once_have_two_threads(pool: ThreadPool) -> None:
    """The second begins while the first goes on."""
    both = threading.Barrier(2, timeout=10)
    waiting = [pool.run(both.wait) for _ in range(2)]
    for one in waiting:
        one.result()
    assert not both.broken


def test_error_is_logged_and_ends_no_thread(
    pool: ThreadPool, caplog: pytest.LogCaptureFixture
) -> None:
    """What comes after it is done."""
    with caplog.at_level(logging.ERROR):
        pool.run(lambda: print(1 // 0)).result()
    done: list[bool] = []
    pool.run(lambda: done.append(True)).result()
    assert (done, "ZeroDivisionError" in caplog.text) == ([True], True)


def test_close_waits_for_what_runs(pool: ThreadPool) -> None:
    """No thread is left of those that rested, nor of those that worked."""
    before = threading.active_count()
    go_on = threading.Event()
    pool.run(lambda: None).result()
    pool.run(lambda: go_on.wait(10))
    go_on.set()
    pool.close()
    assert threading.active_count() == before


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such policy")
def test_thread_does_not_give_way_to_whom_it_wakes(pool: ThreadPool) -> None:
    """That holds for its own threads, and for no other of the process."""
    policies: list[int] = []
    pool.run(lambda: policies.append(os.sched_getscheduler(0))).result()
    assert (policies, os.sched_getscheduler(0)) == ([os.SCHED_BATCH], os.SCHED_OTHER)

"""Which process is the server, and what it takes."""

from __future__ import annotations

import os
import subprocess
import sys

import psutil
import pytest

from ..resources import THOROUGH_EVERY, UNKNOWN, Watch, find_server, is_here, memory_of, total
from ..target import parse
from .conftest import Serving


def test_server_is_the_process_that_listens(serving: Serving) -> None:
    """The emitter's process is found by its port."""
    server = find_server(parse(serving.url))
    assert server is not None
    assert "parallama.bench.emitter" in server.cmdline()


def test_server_of_a_silent_port_is_not_known() -> None:
    """Where nobody listens there is no server."""
    assert find_server(parse("127.0.0.1:1")) is None


def test_this_machine_is_known_by_its_addresses() -> None:
    """Loopback is here; an address of documentation is not."""
    assert is_here("127.0.0.1")
    assert not is_here("192.0.2.1")


def test_memory_is_that_of_the_tree() -> None:
    """A living process takes some memory, and its children are counted with it."""
    taken = Watch(psutil.Process(os.getpid())).look()
    assert taken.processes >= 1
    assert taken.rss_bytes is not None
    assert taken.rss_bytes > 2**20


def test_pss_is_looked_at_now_and_then() -> None:
    """On Linux every fifth look has PSS, beginning with the first; elsewhere none."""
    watch = Watch(psutil.Process(os.getpid()))
    known = [watch.look().pss_bytes is not None for _ in range(THOROUGH_EVERY + 1)]
    assert known in ([True, *[False] * (THOROUGH_EVERY - 1), True], [False] * (THOROUGH_EVERY + 1))


def test_memory_of_no_server_is_unknown_not_zero() -> None:
    """Without a process on this machine there is no figure."""
    assert Watch(None).look() == UNKNOWN


def test_resident_parts_make_up_the_resident_memory() -> None:
    """On Linux anonymous and file-backed parts are apart, and no larger than the whole."""
    taken = Watch(psutil.Process(os.getpid())).look()
    parts = (taken.anonymous_bytes, taken.file_bytes)
    if sys.platform != "linux":
        assert parts == (None, None)
        return
    assert all(parts)
    assert taken.rss_bytes is not None
    assert sum(part or 0 for part in parts) <= taken.rss_bytes * 1.2


def test_sum_is_unknown_where_a_process_does_not_tell() -> None:
    """Half a tree is not passed off as the whole."""
    assert total([1, 2], 2) == 3
    assert total([1, None], 2) is None
    assert total([1], 2) is None


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells these parts")
def test_child_that_has_ended_takes_nothing() -> None:
    """A zombie in the tree does not make the tree unknown."""
    with subprocess.Popen(["sleep", "0"]) as child:
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        taken = memory_of(psutil.Process(child.pid), thorough=False)
    assert (taken.anonymous_bytes, taken.file_bytes) == (0, 0)

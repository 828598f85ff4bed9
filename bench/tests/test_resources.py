"""Which process is the server, and what it takes."""

from __future__ import annotations

import os

import psutil

from ..resources import THOROUGH_EVERY, UNKNOWN, Watch, find_server, is_here
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

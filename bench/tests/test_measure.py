"""The client, against servers that hang, hide or stop."""

from __future__ import annotations

import socket
import time
from dataclasses import replace
from pathlib import Path

import pytest

from ..exchange import Read, stamps
from ..load import Closed
from ..measure import Client, Ending, Pool, sleep_until, stamping_socket
from ..outcome import sample
from ..target import parse
from ..workload import requests
from .conftest import Serving
from .driving import ASK, exchanges, point_plan, run_plan, spooled
from .exchanges import BLANK, heard

LOAD = Closed(2, 1)


def test_silent_server_is_a_timeout(serving: Serving, tmp_path: Path) -> None:
    """A server that takes requests and never answers is classed, request by request."""
    plan = point_plan(serving.url, LOAD, model="silent")
    found = exchanges(spooled(tmp_path / "spool", [plan], timeout_s=0.2))
    assert [sample(one, 0, ASK).error for one in found] == ["timeout-first"] * 4


def test_refused_connection_is_a_failure(tmp_path: Path) -> None:
    """A server that has gone is classed, and the point is run to its end."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    found = exchanges(spooled(tmp_path / "spool", [point_plan(f"127.0.0.1:{port}", LOAD)]))
    assert [sample(one, 0, ASK).error for one in found] == ["connect"] * 4


@pytest.mark.parametrize("wanted", [False, True])
def test_answer_is_kept_whole_with_either_kind_of_stamp(
    serving: Serving, tmp_path: Path, wanted: bool
) -> None:
    """Stamped by the kernel or on return, the reads are the whole answer, after it was sent."""
    stamping = stamping_socket() if wanted else None
    plan = point_plan(serving.url, LOAD)
    client = Client(plan.address, 5.0, kernel=stamping is not None)
    client.connect()
    talk = client.converse(requests(run_plan(tmp_path), plan)[0][0].payload)
    client.close()
    if stamping is not None:
        stamping.close()
    exchange = replace(
        BLANK, sent_ns=talk.sent_ns, reads=talk.reads, before=talk.before, after=talk.after
    )
    arrived, kernel = stamps(exchange)
    assert sample(exchange, 0, ASK).error is None
    assert kernel == (stamping is not None)
    assert sorted(arrived) == arrived


def test_opening_a_connection_is_told_once(serving: Serving) -> None:
    """The first request that a connection takes has the time that it took to open."""
    client = Client(parse(serving.url), 5.0, kernel=False)
    assert client.connect()
    assert not client.connect()
    assert (client.opening_ns() or 0) > 0
    assert client.opening_ns() is None
    client.close()


def test_pool_has_connections_before_they_are_needed(serving: Serving) -> None:
    """What a pool gives is open already, and what comes back is given again."""
    pool = Pool(parse(serving.url), 5.0, False, spare=3)
    pool.fill()
    taken = [pool.take() for _ in range(3)]
    assert all(client.connected for client in taken)
    pool.give(taken[0])
    assert pool.take() is taken[0]
    for client in taken:
        pool.give(client)
    pool.close()
    assert not taken[0].connected


def test_pool_of_a_server_that_has_gone_gives_a_client_all_the_same() -> None:
    """A refused connection is found out by the request, which says so."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    pool = Pool(parse(f"127.0.0.1:{port}"), 5.0, False, spare=2)
    pool.fill()
    assert not pool.take().connected
    pool.close()


def test_waiting_is_over_at_the_moment_and_not_before() -> None:
    """No request leaves before its planned time."""
    for wait_ns in (-1, 0, 300_000, 2_400_000):
        at_ns = time.monotonic_ns() + wait_ns
        sleep_until(at_ns)
        assert time.monotonic_ns() >= at_ns


@pytest.mark.parametrize("model", ["steady", "coalesced", "busy", "undone", "foreign", "empty"])
def test_end_of_an_answer_is_seen_with_its_last_read(model: str) -> None:
    """Looking seldom, the client still knows the end at the read that brings it."""
    ending = Ending()
    for read in heard(model).reads:
        assert not ending.reached
        ending.keep(read)
    assert ending.reached
    assert ending.keep_alive


def test_end_that_comes_byte_by_byte_is_seen() -> None:
    """The end is seen however the bytes are cut."""
    ending = Ending()
    whole = b"".join(read.received for read in heard("steady").reads)
    for at in range(len(whole)):
        assert not ending.reached
        ending.keep(Read(0, None, whole[at : at + 1]))
    assert ending.reached


def test_broken_framing_ends_the_answer() -> None:
    """After bytes that are no HTTP the connection is not used again."""
    ending = Ending()
    ending.keep(Read(0, None, b"no HTTP at all\r\n\r\n"))
    assert ending.reached
    assert not ending.keep_alive

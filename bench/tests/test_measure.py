"""The client and the load process, against servers that hang, hide or stop."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ..exchange import Exchange, Read, stamps
from ..measure import Client, Ending, stamping_socket
from ..outcome import sample
from ..plan import Plan
from ..profiles import SMOKE, Load
from ..target import parse
from ..workload import request
from .conftest import Serving
from .exchanges import BLANK, heard

PROFILE = replace(SMOKE, loads=(Load(2, 1),), output_tokens=4, timeout_s=0.2)


def spooled(url: str, model: str, spool: Path) -> list[dict[str, Any]]:
    """Everything that the load process spools for a small plan."""
    plan = Plan(parse(url), model, PROFILE, "nonce", str(spool))
    program = [sys.executable, "-m", "parallama.bench.drive"]
    with subprocess.Popen(program, stdin=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        process.stdin.write(plan.line())
        process.stdin.flush()
        assert process.wait(60) == 0
    return [json.loads(line) for line in spool.read_text(encoding="ascii").splitlines()]


def classes(entries: list[dict[str, Any]]) -> list[str | None]:
    """The error class of each exchange of a spool."""
    exchanges = [Exchange.parse(entry) for entry in entries if entry["kind"] == "exchange"]
    return [sample(exchange, 0, PROFILE.output_tokens).error for exchange in exchanges]


def test_silent_server_is_a_timeout(serving: Serving, tmp_path: Path) -> None:
    """A server that takes requests and never answers is classed, request by request."""
    entries = spooled(serving.url, "silent", tmp_path / "spool")
    assert classes(entries) == ["timeout-first"] * 4


def test_refused_connection_is_a_failure(tmp_path: Path) -> None:
    """A server that has gone is classed, and the plan is run to its end."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    entries = spooled(f"127.0.0.1:{port}", "steady", tmp_path / "spool")
    assert classes(entries) == ["connect"] * 4
    assert entries[-1]["kind"] == "end"


def test_spool_tells_stamps_and_phases(serving: Serving, tmp_path: Path) -> None:
    """The spool begins with the kind of stamps, and each point is framed by its phases."""
    kinds = [entry["kind"] for entry in spooled(serving.url, "steady", tmp_path / "spool")]
    assert kinds == ["stamps", "phase", *["exchange"] * 4, "phase", "end"]


@pytest.mark.parametrize("wanted", [False, True])
def test_answer_is_kept_whole_with_either_kind_of_stamp(serving: Serving, wanted: bool) -> None:
    """Stamped by the kernel or on return, the reads are the whole answer, after it was sent."""
    stamping = stamping_socket() if wanted else None
    plan = Plan(parse(serving.url), "steady", PROFILE, f"{wanted}", "")
    client = Client(plan.address, 5.0, kernel=stamping is not None)
    client.connect()
    talk = client.converse(request(plan, 0, 0, 0).payload)
    client.close()
    if stamping is not None:
        stamping.close()
    exchange = replace(
        BLANK, sent_ns=talk.sent_ns, reads=talk.reads, before=talk.before, after=talk.after
    )
    arrived, kernel = stamps(exchange)
    assert sample(exchange, 0, PROFILE.output_tokens).error is None
    assert kernel == (stamping is not None)
    assert sorted(arrived) == arrived


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

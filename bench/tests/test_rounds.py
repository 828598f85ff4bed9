"""What a load process does of a point: who begins when, what follows what, who waits for whom."""

from __future__ import annotations

import gc
import itertools
import json
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import gevent
import pytest

from ..exchange import Exchange
from ..load import Ask, Closed, Open
from ..outcome import sample
from ..plan import PointPlan
from ..rounds import Effort, Part, Round, RoundError, next_turn, part, places_of
from ..spool import SpoolError
from .conftest import Serving
from .driving import ASK, point_plan, run_plan

CHAT = replace(ASK, api="chat", turns=3)


def played(plan: PointPlan, worker: int = 0, mine: Sequence[int] | None = None) -> list[Exchange]:
    """The exchanges of a point that runs in this process."""
    run = run_plan(Path("unused"))
    chosen = range(places_of(plan.point.load)) if mine is None else mine
    kept: list[Exchange] = []
    one = Round(part(run, plan, worker, chosen), False, kept.append, next_turn(run, plan))
    gevent.joinall([gevent.spawn(job) for job in one.jobs])
    assert one.broken is None
    assert one.over.is_set()
    assert gc.isenabled()
    return kept


def measured(kept: Sequence[Exchange]) -> list[Exchange]:
    """Those of them that are no warm-up."""
    return [one for one in kept if not one.warmup]


def test_users_begin_at_once(serving: Serving) -> None:
    """Every user plans its first measured request for the same moment, when all are warm."""
    kept = played(point_plan(serving.url, Closed(5, requests=2, warmup=1)))
    first = [one for one in measured(kept) if one.request == 1]
    assert len({one.planned_ns for one in first}) == 1
    assert max(one.reads[-1].at_ns for one in kept if one.warmup) < first[0].planned_ns
    assert len(kept) == 15


def test_connections_are_opened_before_the_clock_starts(serving: Serving) -> None:
    """Without warm-up, too, no measured request has to connect after its planned time."""
    kept = played(point_plan(serving.url, Closed(3, requests=1, warmup=0)))
    begun_ns = kept[0].planned_ns
    assert all(one.connect_ns is not None for one in kept)
    assert {one.planned_ns for one in kept} == {begun_ns}
    assert max(one.sent_ns for one in kept) - begun_ns < 1_000_000_000


def test_arrivals_keep_their_planned_times(serving: Serving) -> None:
    """The planned time of a sample is the schedule's, whatever the server does."""
    load = Open(200.0, requests=8, warmup=2, arrivals="constant")
    kept = played(point_plan(serving.url, load, model="stall"))
    planned = sorted(one.planned_ns for one in kept)
    gaps = {later - earlier for earlier, later in itertools.pairwise(planned)}
    assert gaps == {5_000_000}
    assert all(one.sent_ns >= one.planned_ns for one in kept)
    assert sorted(one.user for one in kept) == list(range(10))
    assert {one.user for one in kept if one.warmup} == {0, 1}


def test_arrivals_do_not_wait_for_answers(serving: Serving) -> None:
    """Requests to a server that is slower than its arrivals overlap."""
    load = Open(500.0, requests=6, arrivals="constant")
    kept = played(point_plan(serving.url, load, replace(ASK, output_tokens=40)))
    ends = [one.reads[-1].at_ns for one in kept]
    assert max(one.sent_ns for one in kept) < min(ends)


def test_share_of_a_schedule_keeps_its_times(serving: Serving) -> None:
    """Two processes with every other arrival have together the arrivals of one."""
    plan = point_plan(serving.url, Open(300.0, requests=6, arrivals="constant"))
    run = run_plan(Path("unused"))
    whole = part(run, plan, 0, range(6))
    shares = [part(run, plan, worker, range(worker, 6, 2)) for worker in (0, 1)]
    assert sorted([*shares[0].times_ns, *shares[1].times_ns]) == list(whole.times_ns)
    assert {one.worker for one in played(plan, 1, [1, 3])} == {1}


def test_conversation_goes_on_with_its_answers(serving: Serving) -> None:
    """Each turn is made from the answers before it, after the clock of the one before stopped."""
    kept = played(point_plan(serving.url, Closed(2, requests=2, warmup=0), CHAT))
    for user in (0, 1):
        turns = [one for one in kept if one.user == user]
        assert [one.turn for one in turns] == [0, 1, 2, 0, 1, 2]
        assert [one.request for one in turns] == list(range(6))
        for earlier, later in itertools.pairwise(turns):
            assert later.planned_ns > earlier.reads[-1].at_ns


def test_conversation_ends_where_a_turn_failed(serving: Serving) -> None:
    """Nothing is asked on the strength of half an answer."""
    kept = played(point_plan(serving.url, Closed(1, 2, warmup=0), CHAT, model="truncated"))
    assert [(one.turn, sample(one, 0, CHAT).error) for one in kept] == [(0, "truncated")] * 2


def test_arrivals_may_be_conversations(serving: Serving) -> None:
    """In an open loop the first turn has a planned time, and the later ones follow."""
    load = Open(100.0, requests=2, arrivals="constant")
    kept = played(point_plan(serving.url, load, CHAT))
    assert sorted((one.user, one.turn) for one in kept) == [
        (user, turn) for user in (0, 1) for turn in range(3)
    ]


def test_what_cannot_be_kept_ends_the_round(serving: Serving) -> None:
    """When the spool takes no more the round is over, and says why."""
    run = run_plan(Path("unused"))
    plan = point_plan(serving.url, Closed(2, requests=2))

    def full(_: Exchange) -> None:
        raise SpoolError("the disk is full")

    one = Round(part(run, plan, 0, range(2)), False, full, next_turn(run, plan))
    users = [gevent.spawn(job) for job in one.jobs]
    one.over.wait()
    gevent.killall(users)
    assert str(one.broken) == "the disk is full"


def test_user_that_is_stopped_breaks_the_round(serving: Serving) -> None:
    """A user that Locust kills is not lost without a word."""
    run = run_plan(Path("unused"))
    plan = point_plan(serving.url, Closed(1, requests=1), model="silent")
    one = Round(part(run, plan, 0, [0]), False, lambda _: None, next_turn(run, plan))
    user = gevent.spawn(one.jobs[0])
    gevent.sleep(0)
    user.kill()
    assert isinstance(one.broken, RoundError)


def test_efforts_of_a_round_are_of_its_clock(serving: Serving) -> None:
    """CPU time is counted from the moment all begin, and is no more than the time that passed."""
    plan = point_plan(serving.url, Closed(2, requests=2))
    run = run_plan(Path("unused"))
    one = Round(part(run, plan, 0, range(2)), False, lambda _: None, next_turn(run, plan))
    gevent.joinall([gevent.spawn(job) for job in one.jobs])
    assert isinstance(one.effort, Effort)
    assert 0 < one.effort.cpu_ns <= one.effort.wall_ns


class Sleeper(BaseHTTPRequestHandler):
    """A server whose model takes two looks to go away, and is loaded by being asked."""

    protocol_version = "HTTP/1.1"
    looks: ClassVar[int] = 0
    found: ClassVar[list[bool]] = []
    """Whether the model was loaded, at each request for text."""

    def do_GET(self) -> None:
        """/api/ps."""
        type(self).looks = max(0, self.looks - 1)
        self._say({"models": [{"name": "tiny:latest"}] if self.looks else []})

    def do_POST(self) -> None:
        """/api/generate: text, or nothing but unloading."""
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if asked.get("keep_alive") == 0:
            type(self).looks = min(self.looks, 3)
        else:
            self.found.append(self.looks > 0)
            type(self).looks = 1000
        self._say({"response": "text", "done": True, "eval_count": 1})

    def log_message(self, *_: object) -> None:
        """Nothing."""

    def _say(self, value: object) -> None:
        body = json.dumps(value).encode() + b"\n"
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def sleeper() -> Iterator[str]:
    """The URL of a server that loads and unloads."""
    Sleeper.looks, Sleeper.found = 1000, []
    with ThreadingHTTPServer(("127.0.0.1", 0), Sleeper) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.mark.parametrize("cold", [False, True])
def test_cold_request_finds_the_model_unloaded(sleeper: str, cold: bool) -> None:
    """The model has gone before each cold request, and waiting for that is in no clock."""
    plan = point_plan(sleeper, Closed(1, requests=2, warmup=0), Ask(cold=cold), model="tiny")
    kept = played(plan)
    assert Sleeper.found == [not cold, not cold]
    assert [sample(one, 0, plan.point.ask).error for one in kept] == [None, None]
    assert all(one.sent_ns - one.planned_ns < 20_000_000 for one in kept)


def test_model_that_does_not_go_is_our_failure(serving: Serving) -> None:
    """A server that keeps what it was told to unload gives no cold figures."""
    from ..unload import UnloadError, unload

    with pytest.raises(UnloadError, match=r"steady was not unloaded within 0\.1 s"):
        unload(point_plan(serving.url, Closed(1, 1)).address, "steady", patience_s=0.1)


def test_part_without_seats_has_no_jobs() -> None:
    """A process that got nothing to do does nothing."""
    plan = point_plan("127.0.0.1:1", Closed(1, 1))
    empty = Part(plan, 1.0, 0, [])
    one = Round(empty, False, lambda _: None, lambda *_: None)
    assert one.jobs == []

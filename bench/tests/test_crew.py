"""Load processes that work together, here and on another clock."""

from __future__ import annotations

import itertools
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ..crew import Clock, clock_id
from ..exchange import stamps
from ..load import Closed, Open
from ..outcome import sample
from .conftest import Serving
from .driving import ASK, driving, exchanges, point_plan, spooled

AHEAD_S = 5000


@pytest.fixture(scope="module")
def pair(serving: Serving, tmp_path_factory: pytest.TempPathFactory) -> list[list[dict[str, Any]]]:
    """What two processes spooled for five users, and then for eight arrivals."""
    plans = [
        point_plan(serving.url, Closed(5, requests=2, warmup=1)),
        point_plan(serving.url, Open(100.0, requests=8, arrivals="constant")),
    ]
    entries = spooled(tmp_path_factory.mktemp("pair") / "spool", plans, "--processes", "2")
    middle = next(place for place, entry in enumerate(entries) if entry["kind"] == "over") + 1
    return [entries[:middle], entries[middle:]]


def test_seats_are_shared_and_none_is_taken_twice(pair: list[list[dict[str, Any]]]) -> None:
    """Five users sit on two workers, three and two, and each request is sent once."""
    found = exchanges(pair[0])
    assert Counter((one.user, one.request) for one in found) == {
        (user, number): 1 for user in range(5) for number in range(3)
    }
    seats = Counter(one.worker for one in found if one.request == 0)
    assert sorted(seats.values()) == [2, 3]
    assert {sample(one, 0, ASK).error for one in found} == {None}


def test_all_workers_begin_at_one_moment(pair: list[list[dict[str, Any]]]) -> None:
    """The first measured requests of both have the same planned time, after every warm-up."""
    found = exchanges(pair[0])
    planned = {one.planned_ns for one in found if one.request == 1}
    assert len(planned) == 1
    assert max(one.reads[-1].at_ns for one in found if one.warmup) < planned.pop()


def test_workers_take_turns_in_a_schedule(pair: list[list[dict[str, Any]]]) -> None:
    """The arrivals of both together are the schedule, evenly divided."""
    found = sorted(exchanges(pair[1]), key=lambda one: one.planned_ns)
    gaps = {later.planned_ns - earlier.planned_ns for earlier, later in itertools.pairwise(found)}
    assert gaps == {10_000_000}
    assert [one.worker for one in found] in ([0, 1] * 4, [1, 0] * 4)


def test_effort_is_of_all_processes(pair: list[list[dict[str, Any]]]) -> None:
    """Each point ends with the CPU time that its processes took together."""
    for entries in pair:
        assert entries[-1]["kind"] == "over"
        assert 0 < entries[-1]["cpu_ns"] <= 2 * entries[-1]["wall_ns"]


def test_worker_that_dies_is_said(serving: Serving, tmp_path: Path) -> None:
    """When one of the processes is killed the run ends with a sentence, at once."""
    with driving(tmp_path / "spool", "--processes", "2") as driven:
        driven.wait_for("stamps")
        driven.tell(point_plan(serving.url, Closed(2, requests=5000, warmup=0)).line())
        driven.wait_for("exchange")
        psutil.Process(driven.process.pid).children()[0].kill()
        assert driven.last_words() == "load process 0 ended with status -9"
        assert driven.process.returncode == 1


def test_workers_leave_with_their_master(serving: Serving, tmp_path: Path) -> None:
    """No load process stays behind when the run has ended."""
    with driving(tmp_path / "spool", "--processes", "2") as driven:
        driven.wait_for("stamps")
        workers = psutil.Process(driven.process.pid).children()
    assert len(workers) == 2
    assert not psutil.wait_procs(workers, timeout=20)[1]


@given(st.integers(-(10**18), 10**18), st.integers(0, 10**9), st.integers(0, 10**9))
def test_reading_a_clock_errs_by_no_more_than_it_says(ahead: int, there: int, back: int) -> None:
    """However the way is divided, the true offset is within the stated uncertainty."""
    sent_ns = 10**12
    clock = Clock.read(sent_ns, sent_ns + there + ahead, sent_ns + there + back)
    assert abs(clock.ahead_ns - ahead) <= clock.uncertain_ns


def other_clock(*program: str) -> list[str]:
    """A program under a clock that is far ahead, as on another machine."""
    shift = ["unshare", "--time", "--monotonic", str(AHEAD_S), "--fork", "--kill-child"]
    trial = [*shift, "true"]
    if shutil.which("unshare") is None or subprocess.run(trial, check=False).returncode:
        pytest.skip("time namespaces are Linux's, and need privileges")
    return [*shift, *program]


def test_clock_of_another_machine_is_told_from_ours() -> None:
    """A worker whose clock is not ours says so."""
    ask = "from parallama.bench.crew import clock_id; print(clock_id())"
    here, there = ([sys.executable, "-c", ask], other_clock(sys.executable, "-c", ask))
    told = [
        subprocess.run(program, capture_output=True, text=True, check=True).stdout.strip()
        for program in (here, there)
    ]
    assert told[0] == clock_id() != told[1]


def test_exchanges_of_a_far_worker_come_by_our_clock(serving: Serving, tmp_path: Path) -> None:
    """A worker that is 5000 s ahead hands on times of the master's clock, kernel stamps and all,
    and the uncertainty of the offset is stated."""
    bind = ("--processes", "1", "--remote", "1", "--bind", "127.0.0.1:0")
    with driving(tmp_path / "spool", *bind) as driven:
        place = driven.wait_for("crew")[0]["place"]
        worker = other_clock(sys.executable, "-m", "parallama.bench.drive", "--worker", place)
        with subprocess.Popen(worker, stderr=subprocess.DEVNULL) as far:
            stated = driven.wait_for("stamps")[0]
            before_ns = time.monotonic_ns()
            driven.tell(point_plan(serving.url, Closed(4, requests=2, warmup=1)).line())
            driven.wait_for("over")
            after_ns = time.monotonic_ns()
            assert driven.end() == 0
            assert far.wait(30) == 0
    clocks = {one["worker"]: one for one in stated["workers"]}
    ahead = next(number for number, one in clocks.items() if one["ahead_ns"] > 10**12)
    assert abs(clocks[ahead]["ahead_ns"] - AHEAD_S * 10**9) <= clocks[ahead]["uncertain_ns"]
    assert clocks[1 - ahead]["uncertain_ns"] == 0
    found = exchanges(driven.entries())
    assert {one.worker for one in found} == {0, 1}
    for one in found:
        assert before_ns < one.planned_ns <= one.sent_ns < one.reads[-1].at_ns < after_ns
        assert stamps(one)[1] == (stated["stamps"] == "kernel")
    slack_ns = clocks[ahead]["uncertain_ns"] + 1_000_000
    planned = [one.planned_ns for one in found if one.request == 1]
    assert max(planned) - min(planned) <= slack_ns


def test_worker_without_a_master_waits(tmp_path: Path) -> None:
    """A worker may be there before its master is."""
    program = [sys.executable, "-m", "parallama.bench.drive", "--leashed", "--worker"]
    with subprocess.Popen([*program, "127.0.0.1:9"], stdin=subprocess.PIPE) as worker:
        with pytest.raises(subprocess.TimeoutExpired):
            worker.wait(2.0)
        assert worker.stdin is not None
        worker.stdin.close()
        worker.wait(20)

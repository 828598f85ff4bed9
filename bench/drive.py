"""The load process: puts each point's load on its server with Locust, and spools every exchange.

`python -m parallama.bench.drive` reads plans (lines of JSON) from standard input, the run's first,
then a point each time one is to be run, and stops when that input ends. With `--processes N` it
is the master of N processes like itself, which are started with `--worker HOST:PORT`; others may
come from other machines. Nothing is understood here: that takes time, and time is what is
measured. What went wrong is said in one line of JSON on standard output.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, TypeAlias

os.environ["LOCUST_SKIP_MONKEY_PATCH"] = "1"  # our sockets are gevent's already

import gevent
import locust.runners
from gevent.os import tp_read
from gevent.queue import Queue
from locust.env import Environment

from .crew import Crew, CrewError, Hand, perform
from .exchange import Exchange
from .live import Page
from .measure import stamping_socket
from .plan import PointPlan, RunPlan
from .rounds import Effort, Round, RoundError, next_turn, part, places_of
from .sample import phase_of
from .schedule import ScheduleError
from .scheduling import hurry
from .spool import Spool, SpoolError
from .user import StreamUser

Locust: TypeAlias = Any
"""Locust's environment and runners, which come without types."""
SETTLE_S = 1.0
HEARTBEATS = 30
"""Of a second each: how long a worker may be busy making requests before it counts as gone."""
PATIENCE_S = 60.0
REMOTE_PATIENCE_S = 600.0
EXPECTED = (CrewError, RoundError, ScheduleError, SpoolError)
"""Whose messages say all there is to say."""


class Alone:
    """All users in this process."""

    def __init__(self, environment: Locust, spool: Spool, kernel: bool) -> None:
        self.kernel = kernel
        self._environment = environment
        self._runner = environment.create_local_runner()
        self._spool = spool
        self._round: Round | None = None

    def run(self, run: RunPlan, plan: PointPlan) -> Effort:
        """Run a point to its end."""
        load = plan.point.load
        mine = part(run, plan, 0, range(places_of(load)))
        self._round = one = Round(mine, self.kernel, self._keep, next_turn(run, plan))
        users = len(one.jobs)
        at_once = max(users, self._runner.user_count)  # Locust stops users at this rate too
        self._runner.start(users, spawn_rate=at_once)
        while self._runner.user_count != users:  # those to be stopped must not take a job
            gevent.sleep(0.005)
        return perform(one, StreamUser.jobs.put)

    def _keep(self, exchange: Exchange) -> None:
        self._spool.write(exchange)
        tell_locust(self._environment, exchange)

    def dismiss(self) -> None:
        """There is nobody else; what has ended is kept."""
        if self._round is not None:
            self._round.settle(SETTLE_S)


def tell_locust(environment: Locust, exchange: Exchange) -> None:
    """One event a request, for Locust's own screens; no figure of ours comes from there."""
    end_ns = exchange.reads[-1].at_ns if exchange.reads else exchange.sent_ns
    environment.events.request.fire(
        request_type="POST",
        name=phase_of(exchange.point),
        response_time=(end_ns - exchange.sent_ns) / 1e6,
        response_length=sum(len(read.received) for read in exchange.reads),
        exception=RuntimeError(exchange.failure) if exchange.failure else None,
        context={},
    )


def crew(environment: Locust, spool: Spool, chosen: argparse.Namespace) -> Crew:
    """A crew that is complete: our own workers, and those that were to come from elsewhere."""
    host, _, port = chosen.bind.rpartition(":")
    runner = environment.create_master_runner(host or "127.0.0.1", int(port))
    near = "127.0.0.1" if host in ("", "*", "0.0.0.0") else host
    place = f"{near}:{runner.server.port}"
    own = [start_worker(place) for _ in range(chosen.processes)]

    def check() -> str | None:
        """Why one of our own workers is of no more use."""
        for number, process in enumerate(own):
            if process.poll() is not None:
                return f"load process {number} ended with status {process.returncode}"
        return None

    made = Crew(runner, spool, check)
    count = chosen.processes + chosen.remote
    spool.note("crew", there=0, wanted=count, place=f"{host or near}:{runner.server.port}")
    patience_s = REMOTE_PATIENCE_S if chosen.remote else PATIENCE_S
    made.gather(count, patience_s, lambda there: spool.note("crew", there=there, wanted=count))
    return made


def start_worker(place: str) -> subprocess.Popen[bytes]:
    """A worker of ours; it leaves when its standard input ends, and so also when we die."""
    program = [sys.executable, "-m", "parallama.bench.drive", "--leashed", "--worker", place]
    return subprocess.Popen(program, stdin=subprocess.PIPE)


class Driver:
    """Runs the points that come; shows on the live page, if there is one, what comes for it."""

    def __init__(self, run: RunPlan, chosen: argparse.Namespace, scheduling: str) -> None:
        self.team: Alone | Crew | None = None
        self._run = run
        self._chosen = chosen
        self._scheduling = scheduling
        self._points: Queue = Queue()
        self._page: Page | None = None

    def work(self) -> None:
        """Run every point, in order, until stopped."""
        spool = Spool(Path(self._run.spool))
        environment = Environment(user_classes=[StreamUser])
        stamping = stamping_socket() if self._run.kernel else None  # held while we measure
        workers: list[dict[str, Any]] = []
        if self._chosen.processes > 1 or self._chosen.remote:
            self.team = crew(environment, spool, self._chosen)
            workers = [worker.described() for worker in self.team.workers.values()]
        else:
            self.team = Alone(environment, spool, stamping is not None)
        if self._chosen.web:
            self._page = Page(environment, lambda: spool.note("stopped"))
        spool.note(
            "stamps",
            stamps="kernel" if self.team.kernel else "user",
            workers=workers,
            scheduling=self._scheduling,
            page=self._page and self._page.url,
        )
        while True:
            run_point(self.team, self._run, self._points.get(), spool)

    def take(self) -> None:
        """Take what comes on standard input, until it ends."""
        pool = gevent.get_hub().threadpool
        while line := pool.apply(sys.stdin.readline):
            fields = json.loads(line)
            if fields["kind"] == "point":
                self._points.put(PointPlan.parse(fields))
            elif self._page is not None:
                self._page.show(fields)


def run_point(team: Alone | Crew, run: RunPlan, plan: PointPlan, spool: Spool) -> None:
    """Run a point to its end, and say so."""
    spool.note("phase", phase=phase_of(plan.number), point=plan.number)
    effort = team.run(run, plan)
    spool.note("over", point=plan.number, wall_ns=effort.wall_ns, cpu_ns=effort.cpu_ns)


def lead(chosen: argparse.Namespace, scheduling: str) -> int:
    """Run what comes on standard input; the exit status."""
    driver = Driver(RunPlan.parse(json.loads(sys.stdin.readline())), chosen, scheduling)
    work = gevent.spawn(driver.work)
    gevent.wait([work, gevent.spawn(driver.take)], count=1)
    failed = work.ready()
    if driver.team is not None:
        driver.team.dismiss()
    if not failed:
        return 0
    error = work.exception
    because = str(error) if isinstance(error, EXPECTED) else f"{type(error).__name__}: {error}"
    print(json.dumps({"because": because}), flush=True)
    return 1


def serve(place: str, leashed: bool) -> int:
    """Be a worker until the master has no more work; the exit status."""
    ends = [gevent.spawn(lend_a_hand, place)]
    if leashed:
        ends.append(gevent.spawn(tp_read, sys.stdin.fileno(), 1))
    gevent.wait(ends, count=1)
    return 1 if ends[0].ready() and not ends[0].successful() else 0


def lend_a_hand(place: str) -> None:
    """Find the master, which may not be there yet, and do what it says."""
    host, _, port = place.rpartition(":")
    environment = Environment(user_classes=[StreamUser])
    stamping = stamping_socket()  # held while we measure
    runner = environment.create_worker_runner(host, int(port))

    def tell(exchange: Exchange) -> None:
        tell_locust(environment, exchange)

    Hand(runner, stamping is not None, StreamUser.jobs, tell).stay()


def parser() -> argparse.ArgumentParser:
    """The command line, which `run` and `parallama-bench worker` write."""
    made = argparse.ArgumentParser(prog="python -m parallama.bench.drive")
    made.add_argument("--processes", type=int, default=1, help="load processes on this machine")
    made.add_argument("--remote", type=int, default=0, help="workers that come from elsewhere")
    made.add_argument("--bind", default="127.0.0.1:0", help="where workers find the master")
    made.add_argument("--web", action="store_true", help="serve Locust's live page")
    made.add_argument("--worker", metavar="HOST:PORT", help="be a worker of that master")
    made.add_argument("--leashed", action="store_true", help="leave when standard input ends")
    return made


def main() -> None:
    """Lead or serve. Leaves without cleaning up: a thread may wait for input still."""
    chosen = parser().parse_args()
    del sys.argv[1:]  # Locust's page reads them too
    logging.getLogger("locust").setLevel(logging.ERROR)  # its warnings are about its own figures
    locust.runners.HEARTBEAT_LIVENESS = HEARTBEATS
    scheduling = hurry()
    os._exit(serve(chosen.worker, chosen.leashed) if chosen.worker else lead(chosen, scheduling))


if __name__ == "__main__":
    main()

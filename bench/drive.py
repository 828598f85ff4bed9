"""The load process: runs a plan with Locust and spools every exchange to disk.

`python -m parallama.bench.drive` reads a plan (one line of JSON) from standard input and stops
when that input ends. The spool has one JSON object a line: `stamps` first, `phase` where a point
begins or ends, `exchange` for each request, `end` when all points were run. Nothing is understood
here: understanding takes time, and time is what is measured.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
import time
from pathlib import Path
from typing import IO

os.environ["LOCUST_SKIP_MONKEY_PATCH"] = "1"  # our sockets are gevent's already

import gevent
from gevent.os import tp_read
from locust.env import Environment

from .exchange import Exchange
from .measure import stamping_socket
from .plan import Plan
from .sample import phase_of
from .user import Round, StreamUser
from .workload import requests

NICENESS = -10
"""Over the server and its neighbours: what waits for a CPU would measure the queue for it."""


class Spool:
    """The file to which exchanges go as they end; every line is on disk when `write` returns."""

    def __init__(self, path: Path) -> None:
        self._file: IO[str] = path.open("w", encoding="ascii", buffering=1)

    def write(self, exchange: Exchange) -> None:
        """Add an exchange."""
        self._file.write(exchange.line())

    def note(self, kind: str, **fields: object) -> None:
        """Add a remark."""
        self._file.write(json.dumps({"kind": kind, "at_ns": time.monotonic_ns(), **fields}) + "\n")


def run_point(plan: Plan, point: int, kernel: bool, spool: Spool) -> None:
    """Run one load to its end."""

    class PointUser(StreamUser):
        round = Round(plan, point, requests(plan, point), kernel, spool.write)

    environment = Environment(user_classes=[PointUser])
    runner = environment.create_local_runner()
    spool.note("phase", phase=phase_of(point), point=point)
    users = plan.profile.loads[point].concurrency
    runner.start(users, spawn_rate=users)
    PointUser.round.over.wait()
    if PointUser.round.broken is not None:
        raise PointUser.round.broken
    spool.note("phase", phase="idle", point=None)
    runner.quit()


def run(plan: Plan) -> None:
    """Run every point of a plan, in order."""
    spool = Spool(Path(plan.spool))
    stamping = stamping_socket() if plan.address.scheme == "http" else None
    spool.note("stamps", stamps="user" if stamping is None else "kernel")
    for point in range(len(plan.profile.loads)):
        run_point(plan, point, stamping is not None, spool)
    spool.note("end")


def main() -> None:
    """Run the plan on standard input until it is done or the input ends."""
    plan = Plan.parse(sys.stdin.readline())
    logging.getLogger("locust").setLevel(logging.ERROR)  # its warnings are about its own figures
    with contextlib.suppress(OSError):  # only root may; a late client measures its own lateness
        os.nice(NICENESS)
    work = gevent.spawn(run, plan)
    ended = gevent.spawn(tp_read, sys.stdin.fileno(), 1)
    gevent.wait([work, ended], count=1)
    # Not sys.exit: a thread may wait for input still. gevent has printed what went wrong.
    os._exit(1 if work.ready() and not work.successful() else 0)


if __name__ == "__main__":
    main()

"""Load processes that work together: Locust's master and workers carry our messages.

Locust starts the users and says how many each worker has. The master (`Crew`) tells every worker
(`Hand`) which seats or arrivals of a point are its own, waits until all are warm, gives the one
moment at which all begin, and spools the exchanges that come back. A worker on another machine
has another clock: the offset is measured over the connection before each point. No Locust here.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeAlias

import gevent
from gevent.event import AsyncResult
from gevent.queue import Empty, Queue

from .exchange import Exchange
from .load import Closed
from .measure import sleep_until
from .plan import PointPlan, RunPlan
from .rounds import Effort, Job, Round, next_turn, part, places_of
from .schedule import shares
from .spool import Spool, SpoolError

Runner: TypeAlias = Any
"""Locust's, which comes without types."""
Message: TypeAlias = Any
"""Locust's: its `data` is what was sent, its `node_id` who sent it."""
LOOKS = 20
LEAD_NS = 100_000_000
"""How long before the beginning of a point the workers are told of it."""
SETTLE_S = 20.0
LOOK_AFTER_S = 0.5
SINGLE = "StreamUser"


class CrewError(Exception):
    """The load processes cannot go on; the message says why."""


@dataclass(frozen=True, slots=True)
class Clock:
    """How far a worker's CLOCK_MONOTONIC is ahead of the master's, give or take."""

    ahead_ns: int = 0
    uncertain_ns: int = 0

    @classmethod
    def read(cls, sent_ns: int, there_ns: int, returned_ns: int) -> Clock:
        """From one question: the answer was read off somewhere between sending and return."""
        return cls(there_ns - (sent_ns + returned_ns) // 2, -(-(returned_ns - sent_ns) // 2))


@dataclass(slots=True)
class Worker:
    """A worker as its master knows it."""

    name: str
    number: int
    host: str
    own_clock: bool
    kernel: bool
    clock: Clock = Clock()

    def described(self) -> dict[str, Any]:
        """What the header says of it."""
        return {"worker": self.number, "host": self.host, **asdict(self.clock)}


class Crew:
    """The master's side."""

    def __init__(self, runner: Runner, spool: Spool, check: Callable[[], str | None]) -> None:
        self.workers: dict[str, Worker] = {}
        self._runner = runner
        self._spool = spool
        self._check = check
        self._inbox: Queue = Queue()
        runner.register_message("bench-exchange", self._take)
        for kind in ("hello", "pong", "ready", "over", "broke"):
            runner.register_message(f"bench-{kind}", self._note)

    def gather(self, count: int, patience_s: float, said: Callable[[int], None]) -> None:
        """Wait until so many workers are there; raises CrewError when they do not come."""
        until_s = time.monotonic() + patience_s
        while len(self.workers) < count:
            if time.monotonic() > until_s:
                there = len(self.workers)
                raise CrewError(f"{there} of {count} load processes came in {patience_s:g} s")
            for name, fields in self._messages("hello"):
                self.workers[name] = Worker(
                    name,
                    len(self.workers),
                    fields["host"],
                    fields["clock"] != clock_id(),
                    fields["kernel"],
                )
                said(len(self.workers))
        for worker in self.workers.values():
            worker.clock = self._clock_of(worker)

    @property
    def kernel(self) -> bool:
        """Whether all workers have the kernel's stamps."""
        return all(worker.kernel for worker in self.workers.values())

    def run(self, run: RunPlan, plan: PointPlan) -> Effort:
        """Run a point to its end; raises CrewError when a worker cannot."""
        busy = self._divide(plan)
        for name, mine in busy.items():
            worker = self.workers[name]
            worker.clock = self._clock_of(worker)
            told = {"run": run.line(), "plan": plan.line(), "worker": worker.number, "mine": mine}
            self._send(name, "point", **told, ahead_ns=worker.clock.ahead_ns)
        self._await("ready", busy)
        begin_ns = time.monotonic_ns() + LEAD_NS
        for name in busy:
            self._send(name, "begin", at_ns=begin_ns + self.workers[name].clock.ahead_ns)
        efforts = [Effort(**fields) for fields in self._await("over", busy).values()]
        return Effort(max(one.wall_ns for one in efforts), sum(one.cpu_ns for one in efforts))

    def dismiss(self) -> None:
        """Tell all workers to leave."""
        with contextlib.suppress(Exception):  # we are leaving too
            for name in self.workers:
                self._runner.send_message("quit", None, name)
            gevent.sleep(LOOK_AFTER_S)

    def _divide(self, plan: PointPlan) -> dict[str, list[int]]:
        """Which seats or arrivals each worker takes, by the users that Locust gives it."""
        count = places_of(plan.point.load)
        users = count if isinstance(plan.point.load, Closed) else len(self.workers)
        at_once = max(users, self._runner.user_count)  # Locust stops users at this rate too
        self._runner.start(users, spawn_rate=at_once)
        until_s = time.monotonic() + SETTLE_S
        while sum(held := [self._users(name) for name in self.workers]) != users:
            if time.monotonic() > until_s:
                raise CrewError(f"Locust started {sum(held)} of {users} users")
            self._look_after()
            gevent.sleep(0.01)
        if isinstance(plan.point.load, Closed):
            taken = shares(held)
        else:  # the dispatchers take turns in the schedule
            taken = [list(range(first, count, users)) for first in range(users)]
        return {name: mine for name, mine in zip(self.workers, taken, strict=True) if mine}

    def _users(self, name: str) -> int:
        client = self._runner.clients.get(name)
        return 0 if client is None else client.user_classes_count.get(SINGLE, 0)

    def _clock_of(self, worker: Worker) -> Clock:
        """The worker's clock, by the quickest of some questions; ours where it is on this
        machine, whose processes share one."""
        if not worker.own_clock:
            return Clock()
        looks = []
        for _ in range(LOOKS):
            self._send(worker.name, "ping", sent_ns=time.monotonic_ns())
            answer = self._await("pong", [worker.name])[worker.name]
            looks.append(Clock.read(answer["sent_ns"], answer["there_ns"], answer["returned_ns"]))
        return min(looks, key=lambda clock: clock.uncertain_ns)

    def _await(self, kind: str, names: Collection[str]) -> dict[str, dict[str, Any]]:
        """What each of these workers has to say of this kind; raises CrewError when one broke."""
        heard: dict[str, dict[str, Any]] = {}
        while set(heard) != set(names):
            heard |= dict(self._messages(kind))
        return heard

    def _messages(self, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """The next message, if it is of this kind and comes soon."""
        self._look_after()
        with contextlib.suppress(Empty):
            name, said, fields = self._inbox.get(timeout=LOOK_AFTER_S)
            if said == "broke":
                raise CrewError(fields["because"])
            if said == kind:
                yield name, fields

    def _look_after(self) -> None:
        """Raise CrewError when a worker has gone."""
        because = self._check()
        if because is not None:
            raise CrewError(because)
        for name, worker in self.workers.items():
            client = self._runner.clients.get(name)
            if client is None or client.state == "missing":
                raise CrewError(f"load process {worker.number} on {worker.host} has gone")

    def _send(self, name: str, kind: str, **fields: object) -> None:
        self._runner.send_message(f"bench-{kind}", fields, name)

    def _take(self, environment: object, msg: Message) -> None:
        """Spool an exchange; Locust calls this, and would only log an error."""
        try:
            self._spool.add(msg.data["line"])
        except SpoolError as error:
            self._inbox.put((msg.node_id, "broke", {"because": str(error)}))

    def _note(self, environment: object, msg: Message) -> None:
        fields = {**(msg.data or {}), "returned_ns": time.monotonic_ns()}
        kind = msg.type.removeprefix("bench-")
        if kind == "over":
            fields.pop("returned_ns")
        self._inbox.put((msg.node_id, kind, fields))


class Hand:
    """The worker's side: does its part of each point that the master tells it."""

    def __init__(
        self, runner: Runner, kernel: bool, jobs: Queue, tell: Callable[[Exchange], None]
    ) -> None:
        self._runner = runner
        self._kernel = kernel
        self._jobs = jobs
        self._tell = tell
        self._begin: AsyncResult = AsyncResult()
        runner.register_message("bench-ping", self._pong)
        runner.register_message("bench-begin", self._begun)
        runner.register_message("bench-point", self._point, concurrent=True)
        self._send("hello", clock=clock_id(), kernel=kernel, host=platform.node())

    def stay(self) -> None:
        """Return when the master has sent us away, or has been silent for a minute."""
        self._runner.greenlet.join()

    def _pong(self, environment: object, msg: Message) -> None:
        self._send("pong", sent_ns=msg.data["sent_ns"], there_ns=time.monotonic_ns())

    def _begun(self, environment: object, msg: Message) -> None:
        self._begin.set(msg.data["at_ns"])

    def _point(self, environment: object, msg: Message) -> None:
        """Run our part of a point."""
        try:
            effort = self._run(msg.data)
        except Exception as error:
            self._send("broke", because=f"load process {msg.data['worker']}: {error}")
            return
        self._send("over", wall_ns=effort.wall_ns, cpu_ns=effort.cpu_ns)

    def _run(self, told: dict[str, Any]) -> Effort:
        run = RunPlan.parse(json.loads(told["run"]))
        plan = PointPlan.parse(json.loads(told["plan"]))
        self._begin = AsyncResult()

        def keep(exchange: Exchange) -> None:
            self._send("exchange", line=exchange.shifted(-told["ahead_ns"]).line())
            self._tell(exchange)

        mine = part(run, plan, told["worker"], told["mine"])
        proceed = next_turn(run, plan)
        return perform(
            Round(mine, self._kernel and run.kernel, keep, proceed, self._ready), self._jobs.put
        )

    def _ready(self) -> int:
        """Say that we are, and wait for the moment at which all begin."""
        self._send("ready")
        at_ns: int = self._begin.get()
        sleep_until(at_ns)
        return at_ns

    def _send(self, kind: str, **fields: object) -> None:
        self._runner.send_message(f"bench-{kind}", fields)


def perform(one: Round, put: Callable[[Job], None]) -> Effort:
    """Have users take the jobs of a round, and wait for its end; raises what broke it."""
    for job in one.jobs:
        put(job)
    one.over.wait()
    if one.broken is not None:
        raise one.broken
    return one.effort


def clock_id() -> str:
    """The same in all processes whose CLOCK_MONOTONIC is the same: those of one boot and, on
    Linux, of one time namespace (time_namespaces(7))."""
    boot = Path("/proc/sys/kernel/random/boot_id")
    with contextlib.suppress(OSError):
        return f"{boot.read_text(encoding='ascii').strip()} {os.readlink('/proc/self/ns/time')}"
    started_s = time.time() - time.monotonic()
    return f"{platform.node()} up since {round(started_s / 60)}"

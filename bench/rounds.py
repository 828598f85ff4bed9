"""A round: one load process's part of one point while it runs. Over gevent, without Locust.

It has as many jobs as greenlets are to run: one for each seat of a closed loop, one dispatcher for
the arrivals of an open one. Connections are opened and users warmed up before `begin` is called,
once, which says when the clock starts.
"""

from __future__ import annotations

import contextlib
import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import gevent
from gevent import GreenletExit
from gevent.event import Event
from gevent.lock import Semaphore
from gevent.pool import Group

from .exchange import Exchange
from .load import Closed, Load
from .measure import Client, ConnectError, Conversation, Pool, sleep_until
from .outcome import CLIENT, CONNECT, sample, text_of
from .plan import PointPlan, RunPlan
from .schedule import times_ns
from .unload import UnloadError, unload
from .workload import Request, follow_up, requests

SPARE_CONNECTIONS = 32
"""How many connections of an open loop wait at any time; arrivals in a burst take them at once."""
BREATH_S = 0.001
"""How long answers are read before the next exchange is kept."""

Job = Callable[[], None]
Proceed = Callable[[Request, Sequence[Exchange]], Request | None]
"""The next turn of a conversation from the request and the exchanges before; None at its end."""


@dataclass(frozen=True, slots=True)
class Part:
    """What a load process does of a point: in a closed loop a list of requests for each of its
    seats, in an open one the first request of each of its arrivals and their planned times."""

    plan: PointPlan
    timeout_s: float
    worker: int
    asked: Sequence[Sequence[Request]]
    times_ns: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class Effort:
    """What a round took of its process, while the clock ran."""

    wall_ns: int
    cpu_ns: int


class RoundError(Exception):
    """A round did not come to its end; the message says why."""


class Round:
    """One part while it runs: what its greenlets share."""

    def __init__(
        self,
        part: Part,
        kernel: bool,
        keep: Callable[[Exchange], None],
        proceed: Proceed,
        begin: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self.over = Event()
        self.broken: Exception | None = None
        self.effort = Effort(0, 0)
        self._part = part
        self._kernel = kernel
        self._keep = keep
        self._proceed = proceed
        self._begin = begin
        self._begun_ns = 0
        self._begun_cpu_ns = 0
        self._all_ready = Event()
        self._ready = 0
        self._left = len(self.jobs)
        self._keeping = Group()
        self._turn = Semaphore()

    @property
    def jobs(self) -> list[Job]:
        """What is to run side by side."""
        if isinstance(self._part.plan.point.load, Closed):
            return [partial(self._work, partial(self._sit, seat)) for seat in self._part.asked]
        return [partial(self._work, self._dispatch)]

    def _work(self, job: Job) -> None:
        """Run one of the jobs to its end; what goes wrong in it ends the round."""
        try:
            job()
            self.settle()
        except GreenletExit:
            self._broke(RoundError("a user was stopped while it was at work"))
            raise
        except Exception as error:  # ours: without this job the point is not what was planned
            self._broke(error)
            return
        self._left -= 1
        if not self._left:
            self._end()

    def _sit(self, requests: Sequence[Request]) -> None:
        """Send all requests of a seat, each when the one before has been answered."""
        client = self._client()
        started = False
        try:
            with contextlib.suppress(ConnectError):  # the first request will say so
                client.connect()
            for request in requests:
                planned_ns = time.monotonic_ns()
                if not request.warmup and not started:
                    planned_ns, started = self._start(), True
                self._converse(client, request, planned_ns)
            if not started:
                self._start()
        finally:
            client.close()

    def _dispatch(self) -> None:
        """Send each request at its planned time, whether or not the earlier ones were answered."""
        plan = self._part.plan
        spare = min(SPARE_CONNECTIONS, len(self._part.asked))
        pool = Pool(plan.address, self._part.timeout_s, self._kernel, spare)
        arrivals = Group()
        try:
            pool.fill()
            begun_ns = self._start()
            for at_ns, (request, *_) in zip(self._part.times_ns, self._part.asked, strict=True):
                planned_ns = begun_ns + at_ns
                sleep_until(planned_ns)
                arrivals.spawn(self._arrive, pool, request, planned_ns)
            arrivals.join()
        finally:
            pool.close()

    def _arrive(self, pool: Pool, request: Request, planned_ns: int) -> None:
        """One arrival, with the later turns of its conversation."""
        try:
            client = pool.take()
            self._converse(client, request, planned_ns, arrival=True)
            pool.give(client)
        except Exception as error:  # as in _work
            self._broke(error)

    def _start(self) -> int:
        """Wait until all are connected and warm; all begin at once, at the moment that is given.

        The collector sleeps while the clock runs: it would stop every user for milliseconds.
        """
        self._ready += 1
        if self._ready == len(self.jobs):
            gc.collect()
            gc.freeze()
            gc.disable()
            self._begun_ns = self._begin()
            self._begun_cpu_ns = time.process_time_ns()
            self._all_ready.set()
        self._all_ready.wait()
        return self._begun_ns

    def _end(self) -> None:
        """The last job is done."""
        wall_ns = time.monotonic_ns() - self._begun_ns
        self.effort = Effort(wall_ns, time.process_time_ns() - self._begun_cpu_ns)
        gc.enable()
        gc.unfreeze()
        self.over.set()

    def _broke(self, error: Exception) -> None:
        self.broken = self.broken or error
        self.over.set()

    def settle(self, timeout_s: float | None = None) -> None:
        """Wait until all that has ended is kept, or for so long."""
        self._keeping.join(timeout_s)

    def _keep_in_turn(self, exchange: Exchange) -> None:
        """Keep an exchange, and have answers read before the next is kept. It takes a millisecond
        to encode one; of 64 that end together the next answers would share a stamp."""
        with self._turn:
            if self.broken is not None:
                return
            try:
                self._keep(exchange)
            except Exception as error:  # what cannot be kept need not be measured
                self._broke(error)
            gevent.sleep(BREATH_S)

    def _client(self) -> Client:
        return Client(self._part.plan.address, self._part.timeout_s, self._kernel)

    def _converse(
        self, client: Client, request: Request | None, planned_ns: int, arrival: bool = False
    ) -> None:
        """A request and, where there are more turns, those that follow from its answer. What is
        made between turns is made outside every clock."""
        exchanges: list[Exchange] = []
        while request is not None:
            exchange = self._exchange(client, request, planned_ns, fixed=arrival and not exchanges)
            exchanges.append(exchange)
            self._keeping.spawn(self._keep_in_turn, exchange)
            request = self._proceed(request, exchanges)
            planned_ns = time.monotonic_ns()

    def _exchange(self, client: Client, request: Request, planned_ns: int, fixed: bool) -> Exchange:
        """One request and what came of it. Unless its planned time is fixed, its clock starts
        after what has to come before: unloading, and connecting anew."""
        plan = self._part.plan
        talk: Conversation
        try:
            if plan.point.ask.cold:
                unload(plan.address, plan.point.model or plan.model)
            if (client.connect() or plan.point.ask.cold) and not fixed:
                planned_ns = max(planned_ns, time.monotonic_ns())
            talk = client.converse(request.payload)
        except ConnectError as error:
            talk = Conversation(time.monotonic_ns(), failure=CONNECT, message=str(error))
        except UnloadError as error:
            talk = Conversation(time.monotonic_ns(), failure=CLIENT, message=str(error))
        except Exception as error:  # ours, not the server's: said, and never a lost request
            talk = Conversation(time.monotonic_ns(), failure=CLIENT, message=repr(error))
        return Exchange(
            point=plan.number,
            user=request.user,
            request=request.number,
            turn=request.turn,
            worker=self._part.worker,
            warmup=request.warmup,
            prompt_sha256=request.prompt_sha256,
            seed=request.seed,
            connect_ns=client.opening_ns(),
            planned_ns=planned_ns,
            sent_ns=talk.sent_ns,
            reads=talk.reads,
            closed=talk.closed,
            failure=talk.failure,
            message=talk.message,
            before=talk.before,
            after=talk.after,
        )


def places_of(load: Load) -> int:
    """How many seats a closed loop has, how many arrivals an open one."""
    return load.users if isinstance(load, Closed) else load.warmup + load.requests


def part(run: RunPlan, plan: PointPlan, worker: int, mine: Sequence[int]) -> Part:
    """What a load process does of a point, when these seats or arrivals are its own."""
    asked = requests(run, plan)
    load = plan.point.load
    if isinstance(load, Closed):
        return Part(plan, run.timeout_s, worker, [asked[one] for one in mine])
    seed = f"arrivals-{run.seed}-{plan.point.block}-{plan.point.label}"
    times = times_ns(load, seed)
    chosen = [asked[one] for one in mine]
    return Part(plan, run.timeout_s, worker, chosen, [times[one] for one in mine])


def next_turn(run: RunPlan, plan: PointPlan) -> Proceed:
    """How a conversation goes on: with the answers so far; it ends early where one failed."""
    ask = plan.point.ask

    def proceed(earlier: Request, exchanges: Sequence[Exchange]) -> Request | None:
        if earlier.turn + 1 >= ask.turns or sample(exchanges[-1], 0, ask).error is not None:
            return None
        return follow_up(run, plan, earlier, [text_of(one, ask) for one in exchanges])

    return proceed

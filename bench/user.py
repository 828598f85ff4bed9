"""The Locust user: asks, waits for the whole answer, asks again. Imported by `drive` alone."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from typing import ClassVar

from gevent.event import Event
from locust import User, task
from locust.exception import StopUser

from .exchange import Exchange
from .measure import Client, ConnectError, Conversation
from .outcome import CLIENT, CONNECT
from .plan import Plan
from .workload import PATH, Request


class Round:
    """One point while it runs: what its users share."""

    def __init__(
        self,
        plan: Plan,
        point: int,
        requests: list[list[Request]],
        kernel: bool,
        spool: Callable[[Exchange], None],
    ) -> None:
        self.plan = plan
        self.point = point
        self.requests = requests
        self.kernel = kernel
        self.spool = spool
        self.begun_ns = 0
        self.over = Event()
        self.broken: Exception | None = None
        self._begin = Event()
        self._seats = iter(range(len(requests)))
        self._warm = 0
        self._left = len(requests)

    def sit(self) -> int:
        """The number of a user that arrives."""
        return next(self._seats)

    def warmed(self) -> None:
        """Wait until every user is connected and warm; all begin at once.

        The collector sleeps while the clock runs: it would stop every user for milliseconds.
        """
        self._warm += 1
        if self._warm == len(self.requests):
            gc.collect()
            gc.freeze()
            gc.disable()
            self.begun_ns = time.monotonic_ns()
            self._begin.set()
        self._begin.wait()

    def left(self) -> None:
        """A user is done; the last one ends the round."""
        self._left -= 1
        if not self._left:
            gc.enable()
            gc.unfreeze()
            self.over.set()

    def broke(self, error: Exception) -> None:
        """A user failed for a reason of ours; without it the round is not what was planned."""
        self.broken = error
        self.over.set()


class StreamUser(User):
    """A user of the current round."""

    round: ClassVar[Round]

    @task
    def stay(self) -> None:
        """Send all requests of a seat, then leave."""
        seat = self.round.sit()
        plan = self.round.plan
        client = Client(plan.address, plan.profile.timeout_s, self.round.kernel)
        try:
            for number, request in enumerate(self.round.requests[seat]):
                if number == plan.profile.warmup:
                    self.round.warmed()
                    ready_ns = self.round.begun_ns
                else:
                    ready_ns = time.monotonic_ns()
                exchange = self._exchange(client, seat, number, request, ready_ns)
                self.round.spool(exchange)
                self._tell_locust(exchange)
        except Exception as error:  # Locust would log it and begin anew
            self.round.broke(error)
        else:
            self.round.left()
        finally:
            client.close()
        raise StopUser

    def _exchange(
        self, client: Client, seat: int, number: int, request: Request, ready_ns: int
    ) -> Exchange:
        """One request and what came of it; connected, where needed, before its clock starts."""
        connect_ns: int | None = None
        talk: Conversation
        try:
            connect_ns = client.connect()
            if connect_ns is not None:
                ready_ns = max(ready_ns, time.monotonic_ns())
            talk = client.converse(request.payload)
        except ConnectError as error:
            talk = Conversation(time.monotonic_ns(), failure=CONNECT, message=str(error))
        except Exception as error:  # ours, not the server's: said, and never a lost request
            talk = Conversation(time.monotonic_ns(), failure=CLIENT, message=repr(error))
        return Exchange(
            point=self.round.point,
            concurrency=len(self.round.requests),
            user=seat,
            request=number,
            warmup=number < self.round.plan.profile.warmup,
            prompt_sha256=request.prompt_sha256,
            seed=request.seed,
            connect_ns=connect_ns,
            planned_ns=ready_ns,
            sent_ns=talk.sent_ns,
            reads=talk.reads,
            closed=talk.closed,
            failure=talk.failure,
            message=talk.message,
            before=talk.before,
            after=talk.after,
        )

    def _tell_locust(self, exchange: Exchange) -> None:
        """One event a request, for Locust's own screens; no figure of ours comes from there."""
        end_ns = exchange.reads[-1].at_ns if exchange.reads else exchange.sent_ns
        self.environment.events.request.fire(
            request_type="POST",
            name=PATH,
            response_time=(end_ns - exchange.sent_ns) / 1e6,
            response_length=sum(len(read.received) for read in exchange.reads),
            exception=RuntimeError(exchange.failure) if exchange.failure else None,
            context={},
        )

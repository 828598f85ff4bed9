"""A generation between the engine's thread and the event loop that reads it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from typing import TYPE_CHECKING

from .sequence import Ask, Event, Failed, Finished, Piece
from .text import TextStream

if TYPE_CHECKING:  # which import numpy
    from .drawing import Draw
    from .grammar import Matcher


class Request:
    """One generation: the engine thread's side and the reader's queue.

    Made on the event loop that reads it; the queue is touched there only.
    """

    draw: Draw
    text: TextStream
    matcher: Matcher | None = None

    def __init__(self, ask: Ask, number: int) -> None:
        self.ask = ask
        self.number = number
        self.loop = asyncio.get_running_loop()
        self.events: asyncio.Queue[Event] = asyncio.Queue()
        self.num_output = 0
        self.arrived_ns = time.perf_counter_ns()
        self.started_ns = 0
        self.first_ns = 0
        self._held: list[Piece] = []  # until the last one, where the answer does not stream

    async def read(self) -> AsyncIterator[Event]:
        """The events, the last one Finished or Failed."""
        while True:
            event = await self.events.get()
            yield event
            if isinstance(event, Finished | Failed):
                return

    def told(self, piece: Piece | None, *, last: bool = False) -> list[tuple[Request, Event]]:
        """What the reader is to hear of this piece now, if there is one."""
        if piece is not None:
            self._held.append(piece)
        if not self._held or not (last or self.ask.streams):
            return []
        held, self._held = self._held, []
        return [(self, Piece.joined(held) if len(held) > 1 else held[0])]


def deliver(events: Iterable[tuple[Request, Event]]) -> None:
    """Put events into the queues of their readers; on the event loop."""
    for request, event in events:
        request.events.put_nowait(event)

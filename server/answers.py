"""From the engine's events to the records of an answer.

The text passes through the parsers for thoughts and tool calls on its way.
"""

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

from .engine.sequence import Event, Failed, Finished, Piece
from .errors import ApiError
from .reading import Reading
from .wire import Ending, Part, Record, Shape


@dataclass(frozen=True, slots=True)
class Answering:
    """How one request is answered. Times are of the monotonic clock."""

    shape: Shape
    stream: bool
    started_ns: int
    loaded_ns: int
    prompt_ids: tuple[int, ...] | None
    """What the reply's `context` begins with; None where a reply has none."""


async def records(
    events: AsyncIterator[Event], answering: Answering, reading: Reading
) -> AsyncIterator[Record]:
    """The records of an answer as the engine makes it; unstreamed, all in the last one.

    Raises `ApiError` where the engine fails.
    """
    shape = answering.shape
    whole: list[Part] = []
    ids: list[int] = []
    async for event in events:
        match event:
            case Piece():
                ids += event.ids
                for part in reading.feed(event):
                    if answering.stream:
                        yield shape.record(time.time_ns(), part)
                    else:
                        whole.append(part)
            case Failed():
                raise ApiError(event.status, event.message)
            case Finished():
                rest = reading.close()
                if answering.stream:
                    for part in rest:
                        yield shape.record(time.time_ns(), part)
                last = Part() if answering.stream else joined([*whole, *rest])
                ending = _ending(event, answering, ids)
                yield shape.record(time.time_ns(), last, ending)


def joined(parts: list[Part]) -> Part:
    """All parts in one: what an unstreamed answer holds (CHAT-056)."""
    return Part(
        "".join(part.content for part in parts),
        "".join(part.thinking for part in parts),
        tuple(call for part in parts for call in part.tool_calls),
        tuple(each for part in parts for each in part.logprobs),
    )


def _ending(finished: Finished, answering: Answering, ids: list[int]) -> Ending:
    context = () if answering.prompt_ids is None else (*answering.prompt_ids, *ids)
    return Ending(
        finished,
        total_ns=time.monotonic_ns() - answering.started_ns,
        load_ns=answering.loaded_ns - answering.started_ns,
        context=context,
    )

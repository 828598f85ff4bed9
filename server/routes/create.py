"""`POST /api/create`: progress as a stream, or the last of it as one object."""

import asyncio
from collections.abc import AsyncIterator, Iterator

from aiohttp import web

from ..create import CreateRequest, create
from ..names import ModelName
from ..replies import reply
from ..state import STATE, State
from ..wire import Record


async def create_model(request: web.Request) -> web.StreamResponse:
    """Make a model of files or of another model (CREATE-01..31)."""
    asked = CreateRequest.decode(await request.read())
    ModelName.parse(asked.model)
    response = await reply(request, _steps(request.app[STATE], asked), stream=asked.stream)
    if not asked.stream:
        response.charset = None  # HTTP-12
    return response


async def _steps(state: State, asked: CreateRequest) -> AsyncIterator[Record]:
    """The progress records of a creation that runs in a thread, one step at a time."""
    async with state.store_lock:
        steps = create(state.catalog, asked, prune=not state.settings.keeps_unused_blobs)
        try:
            while (record := await _next(steps)) is not None:
                yield record
        finally:
            await asyncio.to_thread(steps.close)


async def _next(steps: Iterator[Record]) -> Record | None:
    """The next record, None at the end; a step that has begun is finished also when cancelled."""
    step = asyncio.ensure_future(asyncio.to_thread(next, steps, None))
    try:
        return await asyncio.shield(step)
    except asyncio.CancelledError:
        await asyncio.wait([step])
        raise


ROUTES = [web.post("/api/create", create_model)]

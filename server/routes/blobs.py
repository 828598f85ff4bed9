"""`/api/blobs/:digest`: files on their way to `/api/create`."""

import asyncio

from aiohttp import web

from ..errors import ApiError
from ..names import quote
from ..state import STATE
from ..store import checked_digest

_CHUNK_BYTES = 2**20


async def exists(request: web.Request) -> web.Response:
    """`HEAD`: 200 if the blob is there (BLOB-02)."""
    digest = checked_digest(request.match_info["digest"])
    if not await asyncio.to_thread(request.app[STATE].catalog.store.has_blob, digest):
        raise ApiError(404, f"blob {quote(digest)} not found")
    return web.Response()


async def upload(request: web.Request) -> web.Response:
    """`POST`: the body becomes a blob if it has the digest of the path (BLOB-03..10).

    A wrong or aborted upload leaves nothing behind.
    """
    digest = checked_digest(request.match_info["digest"])
    store = request.app[STATE].catalog.store
    if await asyncio.to_thread(store.has_blob, digest):
        await asyncio.to_thread(store.touch, digest)
        return web.Response()
    # not in a thread: cancelled there, it would leave its file behind
    with store.upload() as blob:
        async for chunk in request.content.iter_chunked(_CHUNK_BYTES):
            await asyncio.to_thread(blob.write, chunk)
        await asyncio.to_thread(blob.finish, digest)
    return web.Response(status=201)


ROUTES = [
    web.head("/api/blobs/{digest}", exists),
    web.post("/api/blobs/{digest}", upload),
]

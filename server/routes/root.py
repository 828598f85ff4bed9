"""The routes that clients ask to learn whether a server is there."""

from aiohttp import web

from ..replies import object_reply
from ..version import API_VERSION


async def alive(request: web.Request) -> web.Response:
    """`GET /`: the sentence that clients compare (HTTP-001)."""
    return web.Response(text="Ollama is running")


async def version(request: web.Request) -> web.Response:
    """`GET /api/version` (HTTP-003)."""
    return object_reply({"version": API_VERSION})


async def status(request: web.Request) -> web.Response:
    """`GET /api/status`: there is no cloud behind this server (OTHER-03)."""
    return object_reply({"cloud": {"disabled": True, "source": "none"}})


ROUTES = [
    web.get("/", alive),
    web.get("/api/version", version),
    web.get("/api/status", status, allow_head=False),
]

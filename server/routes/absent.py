"""Routes of the API that this server does not serve yet, and says so."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from ..errors import not_supported


def _refusing(what: str) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def refuse(request: web.Request) -> web.StreamResponse:
        await request.read()
        raise not_supported(what)

    return refuse


ROUTES = [
    web.post("/api/pull", _refusing("pulling models (/api/pull)")),
    web.post("/api/push", _refusing("pushing models (/api/push)")),
]

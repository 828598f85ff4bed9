"""The aiohttp application: its routes, and the middleware that replies to every error.

What a route does is in `routes`; who may call is in `access`.
"""

import asyncio
import secrets
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import structlog
from aiohttp import web

from .access import Hosts, Origins
from .decode import DecodeError
from .errors import ApiError
from .footprint import footprint_of
from .framing import encode
from .installed import Catalog
from .machine import model_memory_bytes
from .metrics import Metrics
from .pool import Loader, Pool
from .routes import absent, blobs, create, embed, inference, metrics, models, root
from .settings import Settings
from .state import STATE, State
from .store import Store, UnreadableError
from .template import TemplateError
from .version import VERSION

MAX_BODY_BYTES = 256 * 2**20
"""A JSON body of more is refused with 413; blob uploads have no limit (SEC-17)."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

log = structlog.get_logger("parallama")


def make_app(settings: Settings, load: Loader, *, vets_hosts: bool) -> web.Application:
    """The application; `load` turns weights into an engine, in a thread.

    Raises `ValueError` for an `OLLAMA_ORIGINS` that cannot be meant.
    """
    app = web.Application(middlewares=[answered, guarded], client_max_size=MAX_BODY_BYTES)
    pool = Pool(
        load,
        keep_alive_ns=settings.keep_alive_ns,
        max_queue=settings.max_queue,
        max_loaded=settings.max_loaded_models,
        load_timeout_ns=settings.load_timeout_ns,
        memory_bytes=_model_memory_bytes(settings),
        estimate=footprint_of,
    )
    app[STATE] = State(
        settings=settings,
        catalog=Catalog(Store(settings.models)),
        pool=pool,
        metrics=Metrics(pool),
        origins=Origins.of(settings.origins),
        hosts=this_machine() if vets_hosts else None,
    )
    for routes in (root, models, blobs, create, inference, embed, metrics, absent):
        app.add_routes(routes.ROUTES)
    app.on_response_prepare.append(_sign)
    app.cleanup_ctx.append(_models_in_memory)
    return app


def _model_memory_bytes(settings: Settings) -> int:
    """What the models may take together, less what is to be kept free."""
    limit = settings.memory_limit_bytes or model_memory_bytes()
    return max(0, limit - settings.kept_free_bytes)


def this_machine() -> Hosts:
    """The names and addresses under which this machine may be called."""
    hostname = socket.gethostname()
    try:
        found = socket.getaddrinfo(hostname, None)
    except OSError:
        found = []
    return Hosts(hostname, frozenset(str(each[4][0]) for each in found))


@web.middleware
async def answered(request: web.Request, handler: Handler) -> web.StreamResponse:
    """The handler's answer, or one for its error; one line in the log."""
    started_s = time.monotonic()
    request_id = request.headers.get("X-Request-Id", secrets.token_hex(16))[:64]
    status = 499  # the client is gone; nobody sees it (CANCEL-007)
    try:
        response = await _answer(request, handler, request_id)
        status = response.status
        return response
    finally:
        request.app[STATE].metrics.answered(_route(request), status)
        log.info(
            "request",
            id=request_id,
            method=request.method,
            path=request.path,
            status=status,
            ms=round(1000 * (time.monotonic() - started_s), 1),
        )


def _route(request: web.Request) -> str:
    """The route as it was declared, so that there are only so many of them."""
    resource = request.match_info.route.resource
    return "none" if resource is None else resource.canonical


async def _answer(request: web.Request, handler: Handler, request_id: str) -> web.StreamResponse:
    try:
        return await handler(request)
    except (ApiError, DecodeError, TemplateError, UnreadableError) as error:
        return json_error(error.status, str(error))
    except web.HTTPException as error:
        return _http_error(request, error)
    except ConnectionError:
        raise asyncio.CancelledError from None  # the client left while we wrote
    except Exception:
        log.exception("unexpected", id=request_id)
        return json_error(500, f"internal server error (request {request_id})")


def json_error(status: int, message: str) -> web.Response:
    """An error as every client reads it (HTTP-012)."""
    return web.Response(
        status=status,
        body=encode({"error": message}),
        content_type="application/json",
        charset="utf-8",
    )


def _http_error(request: web.Request, error: web.HTTPException) -> web.StreamResponse:
    """The router's and aiohttp's own errors, as gin words them (HTTP-006..008)."""
    if isinstance(error, web.HTTPMethodNotAllowed):
        allowed = sorted(error.allowed_methods, key=lambda method: (method != "HEAD", method))
        headers = {"Allow": ", ".join(allowed)}
        return _plain(405, b"405 method not allowed", headers)
    if isinstance(error, web.HTTPNotFound):
        shorter = request.path.rstrip("/")
        if shorter != request.path and shorter in _paths(request.app):
            status = 301 if request.method == "GET" else 307
            return web.Response(status=status, headers={"Location": shorter})
        return _plain(404, b"404 page not found")
    return json_error(error.status, error.reason)


def _paths(app: web.Application) -> set[str]:
    return {resource.canonical for resource in app.router.resources()}


def _plain(status: int, body: bytes, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(status=status, body=body, content_type="text/plain", headers=headers)


@web.middleware
async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
    """The handler's answer if Origin and Host may have one, else 403 with nothing in it."""
    state = request.app[STATE]
    origin = _foreign_origin(request)
    if origin and not state.origins.allow(origin):
        return web.Response(status=403)
    if origin and request.method == "OPTIONS":
        return web.Response(status=204, headers=state.origins.preflight_headers(origin))
    if state.hosts is None:
        return await handler(request)
    host = request.headers.get("Host", "")
    if not state.hosts.allow(host):
        return web.Response(status=403)
    if request.method == "OPTIONS" and state.hosts.allow_name(host):
        return web.Response(status=204)  # SEC-12
    return await handler(request)


def _foreign_origin(request: web.Request) -> str:
    """The origin of a page from elsewhere; empty for a page of this server and for no page."""
    host = request.headers.get("Host", "")
    origin = request.headers.get("Origin", "")
    return "" if origin in (f"http://{host}", f"https://{host}") else origin


async def _sign(request: web.Request, response: web.StreamResponse) -> None:
    """Put the server's name and the CORS headers on every answer, errors and streams too."""
    response.headers["Server"] = f"parallama/{VERSION}"
    origin, origins = _foreign_origin(request), request.app[STATE].origins
    if origin and origins.allow(origin) and "Vary" not in response.headers:
        response.headers.update(origins.answer_headers(origin))


async def _models_in_memory(app: web.Application) -> AsyncIterator[None]:
    """Unload everything when the server ends."""
    yield
    await app[STATE].pool.close()

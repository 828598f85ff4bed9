"""The server process: listen, serve until told to stop, drain, end."""

import asyncio
import ipaddress
import logging
import signal
import sys

import structlog
from aiohttp import web

from .app import make_app
from .engine.embedding import EmbeddingEngine
from .engine.engine import Engine
from .engine.sequence import EngineSettings, ModelSource
from .pool import Engine as AnyEngine
from .pool import Loader
from .settings import Address, Settings
from .store import Store
from .version import VERSION

DRAIN_S = 5.0
"""How long running requests may go on after SIGTERM."""

log = structlog.get_logger("parallama")


class CannotServeError(Exception):
    """The server cannot start; the message says why."""


def run(settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM; raises `CannotServeError`."""
    _log_to_stderr(settings)
    for warning in settings.warnings:
        log.warning("setting", problem=warning)
    asyncio.run(_serve(settings))


async def _serve(settings: Settings) -> None:
    try:
        app = make_app(settings, _loader(settings), vets_hosts=_is_loopback(settings.address))
    except ValueError as error:
        raise CannotServeError(str(error)) from error
    _tidy(settings)
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    runner = web.AppRunner(
        app,
        handler_cancellation=True,
        access_log=None,
        shutdown_timeout=DRAIN_S,
        auto_decompress=False,
    )
    await runner.setup()
    try:
        await _listen(runner, settings.address)
        await stop.wait()
        log.info("stopping", drain_s=DRAIN_S)
    finally:
        await runner.cleanup()


async def _listen(runner: web.AppRunner, address: Address) -> None:
    host = address.host or None
    try:
        await web.TCPSite(runner, host, address.port).start()
    except OSError as error:
        where = f"{address.host}:{address.port}"
        raise CannotServeError(f"listen tcp {where}: {error.strerror or error}") from error
    for name in runner.addresses:
        log.info("listening", host=name[0], port=name[1], version=VERSION)


def _loader(settings: Settings) -> Loader:
    """Loads models into engines with as many slots and threads as this server has."""

    def load(source: ModelSource, num_ctx: int) -> AnyEngine:
        chosen = EngineSettings(
            num_parallel=settings.num_parallel,
            threads=settings.blas_threads,
            num_ctx=num_ctx,
            kv_type=settings.kv_cache_type,
        )
        kind = EmbeddingEngine if source.embeds else Engine
        return kind.load(source, chosen)

    return load


def _tidy(settings: Settings) -> None:
    """Put the store in order: old names, and what earlier runs left behind (STORE-14)."""
    store = Store(settings.models)
    try:
        store.adopt_old_names()
        done = settings.keeps_unused_blobs or store.prune()
    except OSError as error:
        raise CannotServeError(f"the models folder cannot be used: {error}") from error
    if not done:
        log.warning("a manifest cannot be read, so no blobs are removed", folder=settings.models)


def _is_loopback(address: Address) -> bool:
    try:
        return ipaddress.ip_address(address.host).is_loopback
    except ValueError:
        return address.host == "localhost"


def _log_to_stderr(settings: Settings) -> None:
    level = logging.DEBUG if settings.debug else logging.INFO
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.LogfmtRenderer(key_order=("timestamp", "level", "event")),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )

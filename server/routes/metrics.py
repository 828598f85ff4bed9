"""`/metrics`, for Prometheus. Not of the original; who may ask is as everywhere."""

import asyncio

from aiohttp import web
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from ..metrics import mlx_memory
from ..state import STATE


async def metrics(request: web.Request) -> web.Response:
    """`GET /metrics`: counters and gauges in Prometheus's text format."""
    memory = await asyncio.to_thread(mlx_memory)
    body = request.app[STATE].metrics.text(memory)
    return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})


ROUTES = [web.get("/metrics", metrics)]

"""`/api/embed` and `/api/embeddings`: decode, acquire, embed, reply.

The order of the checks is the contract's (ERR-052, ERR-053).
"""

import time

from aiohttp import web

from ..engine.embedding_ask import EmbedAsk, EmbedError
from ..errors import ApiError, model_missing, model_not_pulled
from ..installed import InstalledModel
from ..options import checked
from ..pool import Wanted
from ..replies import object_reply
from ..requests import EmbeddingsRequest, EmbedRequest
from ..state import STATE, State
from ..wire import embedded
from .steps import DEFAULT_NUM_CTX, decoded, installed, off_loop, options_of, referred


async def embed(request: web.Request) -> web.StreamResponse:
    """`POST /api/embed`: a vector for each of several texts."""
    started_ns = time.monotonic_ns()
    asked = await decoded(request, EmbedRequest.decode)
    state = request.app[STATE]
    if not asked.model.strip():
        raise model_missing(asked.model)
    reference = referred(asked.model)
    texts = asked.texts()
    model = await installed(state, reference, model_not_pulled(asked.model))
    async with state.pool.acquire(_wanted(state, model, asked)) as loaded:
        load_ns = time.monotonic_ns() - started_ns
        if not texts:
            return object_reply({"model": asked.model, "embeddings": []})
        num_ctx = _limit(state, model, asked)
        try:
            found = await loaded.engine.embed(
                EmbedAsk(texts, num_ctx, asked.truncate, asked.dimensions)
            )
        except EmbedError as error:
            raise ApiError(error.status, str(error)) from error
    total_ns = time.monotonic_ns() - started_ns
    size = 8 * sum(map(len, found.vectors))
    return await off_loop(size, object_reply, embedded(asked.model, found, total_ns, load_ns))


async def embeddings(request: web.Request) -> web.StreamResponse:
    """`POST /api/embeddings`: the vector of one text, which must not be too long."""
    asked = await decoded(request, EmbeddingsRequest.decode)
    state = request.app[STATE]
    if not asked.model.strip():
        raise ApiError(400, "model is required")
    model = await installed(state, referred(asked.model), model_not_pulled(asked.model))
    async with state.pool.acquire(_wanted(state, model, asked)) as loaded:
        if not asked.prompt:
            return object_reply({"embedding": []})
        num_ctx = _limit(state, model, asked)
        try:
            found = await loaded.engine.embed(EmbedAsk((asked.prompt,), num_ctx, truncate=False))
        except EmbedError as error:
            raise ApiError(500, str(error)) from error  # EMBED-044
    return object_reply({"embedding": found.vectors[0]})


def _wanted(state: State, model: InstalledModel, asked: EmbedRequest | EmbeddingsRequest) -> Wanted:
    """The model to acquire; raises for options of a wrong type."""
    return Wanted(
        name=model.name.short,
        digest=model.manifest.digest,
        source=model.source,
        num_ctx=options_of(state, model, asked.options).num_ctx,
        keep_alive_ns=asked.keep_alive_ns,
        details=model.details(parent=False),
    )


def _limit(state: State, model: InstalledModel, asked: EmbedRequest | EmbeddingsRequest) -> int:
    """The window as it was asked for, without a smallest one (EMBED-020)."""
    found = checked(model.parameters) | checked(asked.options)
    num_ctx = found.get("num_ctx")
    if isinstance(num_ctx, int) and num_ctx > 0:
        return num_ctx
    return state.settings.context_length or DEFAULT_NUM_CTX


ROUTES = [
    web.post("/api/embed", embed),
    web.post("/api/embeddings", embeddings),
]

"""The first steps of every route that wants a model: decode, find it, merge its options."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from aiohttp import web

from ..decode import Json
from ..engine.picture import Picture
from ..engine.sight import can_see
from ..errors import ApiError
from ..images import BLIND, seen
from ..installed import InstalledModel
from ..names import Reference
from ..options import Options, merge, without_effect
from ..state import State

DEFAULT_NUM_CTX = 4096  # the original's for machines without much video memory (CTX-001)
SEEING_NUM_CTX = 2048  # the least for a model that sees (CTX-002)
LARGE = 2**14
"""Bytes or characters; what is larger is decoded, rendered and tokenised in a thread."""

T = TypeVar("T")


async def decoded(request: web.Request, decode: Callable[[bytes], T]) -> T:
    """The request's body, decoded."""
    body = await request.read()
    return await off_loop(len(body), decode, body)


async def off_loop(size: int, work: Callable[..., T], *arguments: object) -> T:
    """What `work` gives; in a thread where it takes long, so that the others go on."""
    if size < LARGE:
        return work(*arguments)
    return await asyncio.to_thread(work, *arguments)


def referred(typed: str) -> Reference:
    """The model that the client means; raises 400 and 403 (NAME-005, NAME-010)."""
    reference = Reference.parse(typed)
    if reference.is_cloud:
        raise ApiError(403, "ollama cloud is disabled: remote model is unavailable")
    return reference


async def installed(state: State, reference: Reference, missing: ApiError) -> InstalledModel:
    """The model referred to; raises `missing` where there is none."""
    try:
        model = state.catalog.unchanged(reference.name)
        model = model or await asyncio.to_thread(state.catalog.get, reference.name)
    except FileNotFoundError:  # a text of the model is gone
        model = None
    if model is None:
        raise missing
    return model


def options_of(state: State, model: InstalledModel, requested: Mapping[str, Json]) -> Options:
    """The options in force when a request asks this model."""
    default = state.settings.context_length or DEFAULT_NUM_CTX
    most = model.context_length or default
    state.notices.idle_options(without_effect({**model.parameters, **requested}))
    options = merge(model.parameters, requested, default_num_ctx=default, max_num_ctx=most)
    if model.sight is None:
        return options
    return replace(options, num_ctx=max(options.num_ctx, min(SEEING_NUM_CTX, most)))


async def pictures_of(model: InstalledModel, images: Sequence[bytes]) -> dict[bytes, Picture]:
    """The images as the model sees them, by their bytes; raises `ApiError` (IMG-002..004)."""
    if not images:
        return {}
    if model.sight is None:
        raise ApiError(400, model.blindness or BLIND)
    if not can_see():
        raise ApiError(501, "images need mlx-vlm on the server: pip install parallama[vision]")
    return await asyncio.to_thread(seen, images, model.sight)

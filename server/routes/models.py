"""The installed models, and which of them are loaded: tags, show, copy, delete, ps."""

import asyncio
import time
from contextlib import suppress
from datetime import datetime

from aiohttp import web

from ..body import fields_of, parse
from ..decode import Json, name_of, text
from ..engine.device import device
from ..errors import ApiError, model_missing
from ..installed import InstalledModel
from ..names import InvalidNameError, ModelName, Reference, quote
from ..pool import Loaded
from ..prompting import capabilities_of, template_text
from ..replies import object_reply
from ..show import ShowRequest, describe
from ..state import STATE, State
from ..template import TemplateError
from ..wire import Record


async def tags(request: web.Request) -> web.Response:
    """`GET /api/tags`: the installed models, newest first (TAGS-01..15)."""
    return object_reply({"models": await asyncio.to_thread(_list, request.app[STATE])})


def _list(state: State) -> list[Json]:
    """The models that can be shown; one with a damaged template is left out (TAGS-10)."""
    listed: list[Json] = []
    for model in state.catalog.all():
        with suppress(TemplateError):
            listed.append(_listed(model))
    return listed


def _listed(model: InstalledModel) -> Record:
    details = model.details()
    lengths = {
        "context_length": model.config.get("context_length") or model.context_length,
        "embedding_length": model.config.get("embedding_length") or model.embedding_length,
    }
    capabilities = capabilities_of(model)
    record: Record = {
        "name": model.name.short,
        "model": model.name.short,
        "modified_at": local_time(model.manifest.modified_ns),
        "size": model.manifest.size_bytes,
        "digest": model.manifest.digest,
        "details": details | {key: each for key, each in lengths.items() if each},
    }
    return record | {"capabilities": list(capabilities)} if capabilities else record


async def show(request: web.Request) -> web.Response:
    """`POST /api/show`: what a model is (SHOW-01..33)."""
    asked = ShowRequest.decode(await request.read())
    reference = Reference.parse(asked.model)
    if reference.is_cloud:
        raise ApiError(403, "ollama cloud is disabled: remote model details are unavailable")
    return object_reply(await asyncio.to_thread(_show, request.app[STATE], reference.name, asked))


def _show(state: State, name: ModelName, asked: ShowRequest) -> Record:
    try:
        model = state.catalog.get(name)
    except FileNotFoundError:
        model = None
    if model is None or not _has_weights(model):
        raise model_missing(name.short)
    return describe(
        model,
        asked,
        template=template_text(model),
        capabilities=capabilities_of(model),
        modified_at=local_time(model.manifest.modified_ns),
    )


def _has_weights(model: InstalledModel) -> bool:
    """Whether the files that the manifest names as weights are there."""
    if model.source.gguf is not None:
        return model.source.gguf.is_file()
    files = (model.source.safetensors or {}).values()
    return bool(files) and all(path.is_file() for path in files)


async def copy(request: web.Request) -> web.Response:
    """`POST /api/copy`: a second name for a model (COPY-01..06)."""
    found = fields_of(parse(await request.read()), ("source", "destination"), "api.CopyRequest")
    typed = text(found, "source", "CopyRequest")
    source = _named(typed, "source")
    destination = _named(text(found, "destination", "CopyRequest"), "destination")
    state = request.app[STATE]
    async with state.store_lock:
        await asyncio.to_thread(_copy, state, source, destination, typed)
    return web.Response()


def _named(typed: str, role: str) -> ModelName:
    try:
        return ModelName.parse(typed)
    except InvalidNameError as error:
        raise ApiError(400, f"{role} {quote(typed)} is invalid") from error


def _copy(state: State, source: ModelName, destination: ModelName, typed: str) -> None:
    store = state.catalog.store
    stored_source = store.find(source)
    stored_destination = store.find(destination) or destination
    if (stored_source or source) == stored_destination:
        return
    if stored_source is None:
        raise ApiError(404, f"model {quote(typed)} not found")
    store.copy(stored_source, stored_destination)


async def delete(request: web.Request) -> web.Response:
    """`DELETE /api/delete`: a model goes, with the blobs that only it used (DELETE-01..08)."""
    where = "DeleteRequest"
    found = fields_of(parse(await request.read()), ("model", "name"), f"api.{where}")
    typed = name_of(found, where)
    if not typed:
        raise ApiError(400, "model is required")
    try:
        name = Reference.parse(typed).name
    except InvalidNameError as error:
        raise ApiError(400, f"name {quote(typed)} is invalid") from error
    store = request.app[STATE].catalog.store
    async with request.app[STATE].store_lock:
        stored = await asyncio.to_thread(store.find, name)
        if stored is None:
            raise model_missing(typed)
        await asyncio.to_thread(store.delete, stored)
    return web.Response()


async def ps(request: web.Request) -> web.Response:
    """`GET /api/ps`: the loaded models, the one that stays longest first (PS-001..012)."""
    state = request.app[STATE]
    now_ns = time.time_ns()
    loaded = sorted(state.pool.loaded, key=lambda m: m.expires_ns(now_ns), reverse=True)
    return object_reply({"models": [_running(model, now_ns) for model in loaded]})


def _running(model: Loaded, now_ns: int) -> Record:
    wanted = model.wanted
    return {
        "name": wanted.name,
        "model": wanted.name,
        "size": model.account.total_bytes,
        "digest": wanted.digest,
        "details": wanted.details,
        "expires_at": local_time(model.expires_ns(now_ns)),
        "size_vram": model.account.total_bytes if device().is_gpu else 0,
        "context_length": wanted.num_ctx,
    }


def local_time(at_ns: int) -> str:
    """RFC 3339 with the machine's offset; what lies beyond the calendar's end is its end."""
    seconds, rest_ns = divmod(at_ns, 1_000_000_000)
    moment = datetime.fromtimestamp(seconds).astimezone()
    offset = moment.strftime("%z")
    zone = "Z" if offset == "+0000" else f"{offset[:3]}:{offset[3:]}"
    fraction = f".{rest_ns:09d}".rstrip("0").rstrip(".")
    return f"{moment.strftime('%Y-%m-%dT%H:%M:%S')}{fraction}{zone}"


ROUTES = [
    web.get("/api/tags", tags),
    web.post("/api/show", show),
    web.post("/api/copy", copy),
    web.delete("/api/delete", delete),
    web.get("/api/ps", ps, allow_head=False),
]

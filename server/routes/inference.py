"""`/api/generate` and `/api/chat`: decode, acquire, render, stream, reply.

The order of the checks is the contract's (ERR-050, ERR-051).
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from aiohttp import web

from ..answers import Answering, records
from ..context import fit_prompt
from ..engine.sequence import Ask
from ..errors import ApiError, model_missing
from ..installed import InstalledModel
from ..messages import Think, Tool
from ..names import Reference, quote
from ..options import Options, merge
from ..pool import Loaded, Wanted
from ..prompting import capabilities_of, prompting_of
from ..prompts import Prompt, Writer
from ..reading import Reading
from ..replies import object_reply, reply
from ..requests import ChatRequest, GenerateRequest, Terms
from ..state import STATE, State
from ..wire import ChatShape, GenerateShape, Shape

DEFAULT_NUM_CTX = 4096  # the original's for machines without much video memory (CTX-001)
LARGE = 2**14
"""Bytes or characters; what is larger is decoded, rendered and tokenised in a thread."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Turn:
    """A request that was found to be in order, on its way to the engine."""

    terms: Terms
    shape: Shape
    model: InstalledModel
    options: Options
    think: Think
    started_ns: int
    has_context: bool = False

    @property
    def wanted(self) -> Wanted:
        """The model to acquire."""
        return Wanted(
            name=self.model.name.short,
            digest=self.model.manifest.digest,
            source=self.model.source,
            num_ctx=self.options.num_ctx,
            keep_alive_ns=self.terms.keep_alive_ns,
            details=self.model.details(parent=False),
        )

    def writer(self, loaded: Loaded) -> Writer:
        """What writes the prompt."""
        return Writer(
            self.model,
            prompting_of(self.model),
            loaded.engine.tokenizer,
            self.think,
            self.options.num_ctx,
            self.terms.truncate,
        )

    def reading(self, prompt: Prompt, tools: Sequence[Tool] = ()) -> Reading:
        """What tells thoughts, answer and tool calls apart."""
        return Reading.of(prompting_of(self.model), prompt.text, self.think, tools)


async def generate(request: web.Request) -> web.StreamResponse:
    """`POST /api/generate`."""
    started_ns = time.monotonic_ns()
    asked = await _decoded(request, GenerateRequest.decode)
    terms, state = asked.terms, request.app[STATE]
    if not terms.model.strip():
        raise model_missing(terms.model)
    model = await _installed(state, terms)
    shape = GenerateShape(terms.model)
    if not asked.prompt and terms.keep_alive_ns == 0:
        return _unloaded(state, model, shape)
    if asked.raw and (asked.template or asked.system or asked.context):
        raise ApiError(400, "raw mode does not support template, system, or context")
    think = _think(model, terms, "generate", ["insert"] if asked.suffix else [])
    options = _options(state, model, terms)
    turn = Turn(terms, shape, model, options, think, started_ns, has_context=not asked.raw)
    async with state.pool.acquire(turn.wanted) as loaded:
        loaded_ns = time.monotonic_ns()
        if not asked.prompt:
            return object_reply(shape.without_text(time.time_ns(), "load"))
        _refuse_images(asked.images)
        prompt = await _off_loop(len(asked.prompt), turn.writer(loaded).generate, asked)
        reading = Reading.plain() if asked.raw else turn.reading(prompt)
        return await _answered(request, turn, loaded, prompt, reading, loaded_ns)


async def chat(request: web.Request) -> web.StreamResponse:
    """`POST /api/chat`."""
    started_ns = time.monotonic_ns()
    asked = await _decoded(request, ChatRequest.decode)
    terms, state = asked.terms, request.app[STATE]
    if not terms.model.strip():
        raise ApiError(400, "model is required")
    model = await _installed(state, terms)
    shape = ChatShape(terms.model)
    if not asked.messages and terms.keep_alive_ns == 0:
        return _unloaded(state, model, shape)
    think = _think(model, terms, "chat", ["tools"] if asked.tools else [])
    turn = Turn(terms, shape, model, _options(state, model, terms), think, started_ns)
    async with state.pool.acquire(turn.wanted) as loaded:
        loaded_ns = time.monotonic_ns()
        if not asked.messages:
            return object_reply(shape.without_text(time.time_ns(), "load"))
        _refuse_images([image for message in asked.messages for image in message.images])
        size = sum(len(message.content) for message in asked.messages)
        prompt = await _off_loop(size, turn.writer(loaded).chat, asked)
        reading = turn.reading(prompt, asked.tools)
        return await _answered(request, turn, loaded, prompt, reading, loaded_ns)


async def _decoded(request: web.Request, decode: Callable[[bytes], T]) -> T:
    body = await request.read()
    return await _off_loop(len(body), decode, body)


async def _off_loop(size: int, work: Callable[..., T], *arguments: object) -> T:
    """What `work` gives; in a thread where it takes long, so that the others go on."""
    if size < LARGE:
        return work(*arguments)
    return await asyncio.to_thread(work, *arguments)


async def _installed(state: State, terms: Terms) -> InstalledModel:
    """The model that the request names; raises 400, 403 and 404 (NAME-005..010)."""
    reference = Reference.parse(terms.model)
    if reference.is_cloud:
        raise ApiError(403, "ollama cloud is disabled: remote model is unavailable")
    try:
        model = await asyncio.to_thread(state.catalog.get, reference.name)
    except FileNotFoundError:  # a text of the model is gone
        model = None
    if model is None:
        raise model_missing(terms.model)
    return model


def _unloaded(state: State, model: InstalledModel, shape: Shape) -> web.Response:
    """Let go of the model, and say so at once (LIFE-003..006)."""
    state.pool.unload(model.name.short)
    return object_reply(shape.without_text(time.time_ns(), "unload"))


def _think(model: InstalledModel, terms: Terms, verb: str, needs: Sequence[str]) -> Think:
    """The `think` in force; raises 400 for what the model cannot do."""
    capabilities = capabilities_of(model)
    thinks = "thinking" in capabilities
    if terms.think and not thinks:
        raise ApiError(400, f"{quote(terms.model)} does not support thinking")
    if "completion" not in capabilities:
        raise ApiError(400, f"{quote(terms.model)} does not support {verb}")
    missing = [need for need in needs if need not in capabilities]
    if missing:
        full = model.name.full
        raise ApiError(400, "\n".join(f"{full} does not support {need}" for need in missing))
    return True if thinks and terms.think is None else terms.think  # THINK-002


def _options(state: State, model: InstalledModel, terms: Terms) -> Options:
    default = state.settings.context_length or DEFAULT_NUM_CTX
    return merge(
        model.parameters,
        terms.options,
        default_num_ctx=default,
        max_num_ctx=model.context_length or default,
    )


def _refuse_images(images: Sequence[bytes]) -> None:
    if images:
        raise ApiError(400, "images are not supported by this server yet")


async def _answered(
    request: web.Request,
    turn: Turn,
    loaded: Loaded,
    prompt: Prompt,
    reading: Reading,
    loaded_ns: int,
) -> web.StreamResponse:
    """Generate from the prompt, and reply as the request wants it."""
    terms, options = turn.terms, turn.options
    if terms.render_only:
        return object_reply(turn.shape.rendered(time.time_ns(), prompt.text))
    terms.check_format()
    ids = fit_prompt(
        prompt.ids,
        options.num_ctx,
        num_keep=options.num_keep,
        begins_with_bos=loaded.engine.tokenizer.add_bos,
        shift=terms.shift,
        truncate=terms.truncate,
    )
    ask = Ask(
        prompt_ids=ids,
        sampling=options.sampling,
        stop=options.stop,
        num_predict=options.num_predict,
        num_ctx=options.num_ctx,
        num_keep=options.num_keep,
        shift=terms.shift,
        top_logprobs=terms.top_logprobs,
    )
    context = ids if turn.has_context else None
    answering = Answering(turn.shape, terms.stream, turn.started_ns, loaded_ns, context)
    async with loaded.engine.submit(ask) as events:
        return await reply(request, records(events, answering, reading), stream=terms.stream)


ROUTES = [
    web.post("/api/generate", generate),
    web.post("/api/chat", chat),
]

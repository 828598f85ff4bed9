"""`/api/generate` and `/api/chat`: decode, acquire, render, stream, reply.

The order of the checks is the contract's (ERR-050, ERR-051).
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from aiohttp import web

from ..answers import Answering, records
from ..context import fit_prompt
from ..engine.sequence import Ask, Grammar
from ..errors import ApiError, model_missing
from ..installed import InstalledModel
from ..messages import Think, Tool
from ..names import quote
from ..options import Options
from ..pool import Loaded, Wanted
from ..prompting import capabilities_of, prompting_of
from ..prompts import Prompt, Writer
from ..reading import Reading
from ..replies import object_reply, reply
from ..requests import ChatRequest, GenerateRequest, Terms
from ..state import STATE, State
from ..wire import ChatShape, GenerateShape, Shape
from .steps import LARGE, decoded, installed, off_loop, options_of, pictures_of, referred


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

    async def writer(self, loaded: Loaded, images: Sequence[bytes]) -> Writer:
        """What writes the prompt, with these images in it."""
        return Writer(
            self.model,
            prompting_of(self.model),
            loaded.engine.tokenizer,
            self.think,
            self.options.num_ctx,
            self.terms.truncate,
            await pictures_of(self.model, images),
        )

    def reading(self, prompt: Prompt, tools: Sequence[Tool] = ()) -> Reading:
        """What tells thoughts, answer and tool calls apart."""
        return Reading.of(prompting_of(self.model), prompt.text, self.think, tools)


async def generate(request: web.Request) -> web.StreamResponse:
    """`POST /api/generate`."""
    started_ns = time.monotonic_ns()
    asked = await decoded(request, GenerateRequest.decode)
    terms, state = asked.terms, request.app[STATE]
    if not terms.model.strip():
        raise model_missing(terms.model)
    model = await installed(state, referred(terms.model), model_missing(terms.model))
    shape = GenerateShape(terms.model)
    if not asked.prompt and terms.keep_alive_ns == 0:
        return _unloaded(state, model, shape)
    if asked.raw and (asked.template or asked.system or asked.context):
        raise ApiError(400, "raw mode does not support template, system, or context")
    think = _think(model, terms, "generate", ["insert"] if asked.suffix else [])
    options = options_of(state, model, terms.options)
    turn = Turn(terms, shape, model, options, think, started_ns, has_context=not asked.raw)
    async with state.pool.acquire(turn.wanted) as loaded:
        loaded_ns = time.monotonic_ns()
        if not asked.prompt:
            return object_reply(shape.without_text(time.time_ns(), "load"))
        writer = await turn.writer(loaded, asked.images)
        prompt = await off_loop(len(asked.prompt), writer.generate, asked)
        reading = Reading.plain() if asked.raw else turn.reading(prompt)
        return await _answered(request, turn, loaded, prompt, reading, loaded_ns)


async def chat(request: web.Request) -> web.StreamResponse:
    """`POST /api/chat`."""
    started_ns = time.monotonic_ns()
    asked = await decoded(request, ChatRequest.decode)
    terms, state = asked.terms, request.app[STATE]
    if not terms.model.strip():
        raise ApiError(400, "model is required")
    model = await installed(state, referred(terms.model), model_missing(terms.model))
    shape = ChatShape(terms.model)
    if not asked.messages and terms.keep_alive_ns == 0:
        return _unloaded(state, model, shape)
    think = _think(model, terms, "chat", ["tools"] if asked.tools else [])
    turn = Turn(terms, shape, model, options_of(state, model, terms.options), think, started_ns)
    async with state.pool.acquire(turn.wanted) as loaded:
        loaded_ns = time.monotonic_ns()
        if not asked.messages:
            return object_reply(shape.without_text(time.time_ns(), "load"))
        images = [image for message in asked.messages for image in message.images]
        writer = await turn.writer(loaded, images)
        size = sum(len(message.content) for message in asked.messages)
        prompt = await off_loop(size, writer.chat, asked)
        # a parser of calls may have to be imported first
        reading = await off_loop(LARGE * len(asked.tools), turn.reading, prompt, asked.tools)
        return await _answered(request, turn, loaded, prompt, reading, loaded_ns)


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
        shown = turn.shape.rendered(time.time_ns(), prompt.text, len(prompt.pictures))
        return object_reply(shown)
    schema = terms.schema()
    ids = fit_prompt(
        prompt.ids,
        options.num_ctx,
        num_keep=options.num_keep,
        begins_with_bos=loaded.engine.tokenizer.add_bos,
        shift=terms.shift,
        truncate=terms.truncate and not prompt.pictures,  # a picture is not cut
    )
    ask = Ask(
        prompt_ids=ids,
        sampling=options.sampling,
        stop=options.stop,
        num_predict=options.num_predict,
        num_ctx=options.num_ctx,
        num_keep=options.num_keep,
        shift=terms.shift and not prompt.pictures,
        top_logprobs=terms.top_logprobs,
        grammar=None if schema is None else Grammar(schema, reading.thought, reading.calls),
        shown=reading.shown,
        pictures=prompt.pictures,
        streams=terms.stream,
    )
    context = None
    if turn.has_context:
        context = prompt.context_ids if prompt.pictures else ids
    answering = Answering(turn.shape, terms.stream, turn.started_ns, loaded_ns, context)
    async with loaded.engine.submit(ask) as events:
        return await reply(request, records(events, answering, reading), stream=terms.stream)


ROUTES = [
    web.post("/api/generate", generate),
    web.post("/api/chat", chat),
]

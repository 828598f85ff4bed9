"""The loaded models: loaded when asked for, kept while idle for their `keep_alive`, evicted.

Event loop only; loading and closing run in threads. Nothing here interrupts a request that is
using a model: expiry, eviction, unloading and reloading wait for it (SCHED-011).
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Protocol

from .decode import Json
from .durations import NEVER_NS, SECOND_NS
from .engine.embedding_ask import EmbedAsk, Embeddings
from .engine.sequence import Ask, Event, LoadError, ModelSource
from .errors import ApiError, busy

DEFAULT_MAX_LOADED = 3


class Tokenizer(Protocol):
    """What the routes need of an engine's tokenizer."""

    @property
    def add_bos(self) -> bool:
        """Whether a prompt begins with `bos_id`."""

    @property
    def bos_id(self) -> int | None:
        """The token that begins a text."""

    @property
    def token_bytes(self) -> Sequence[bytes]:
        """What each token stands for."""

    def encode(self, text: str, special: bool = True) -> list[int]:
        """Token ids, without BOS; the text of a control token becomes that token."""


class Engine(Protocol):
    """What the routes need of a loaded model.

    Every one has the whole of it: what its model cannot do, it refuses.
    """

    @property
    def tokenizer(self) -> Tokenizer:
        """The model's tokenizer."""

    @property
    def size_bytes(self) -> int:
        """Weights and KV cache."""

    def submit(self, ask: Ask) -> AbstractAsyncContextManager[AsyncIterator[Event]]:
        """The events of one generation; leaving the block cancels it."""

    async def embed(self, ask: EmbedAsk) -> Embeddings:
        """The vectors of texts; raises `EmbedError`."""

    def close(self) -> None:
        """Stop the engine's thread and free its memory."""


Loader = Callable[[ModelSource, int], Engine]
"""Loads a model for a window of so many tokens; blocking, so called in a thread.

Raises `LoadError`.
"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A model as a request wants it; `digest` and `details` are for ps only."""

    name: str
    digest: str
    source: ModelSource
    num_ctx: int
    keep_alive_ns: int | None = None
    details: Mapping[str, Json] = field(default_factory=dict)


@dataclass(slots=True)
class Loaded:
    """One model in memory, or on its way there or out."""

    wanted: Wanted
    keep_alive_ns: int
    ready: asyncio.Task[Engine]
    users: int = 0
    is_leaving: bool = False
    idle_since_ns: int | None = None
    expiry: asyncio.TimerHandle | None = None
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def engine(self) -> Engine:
        """The engine; only once loaded."""
        return self.ready.result()

    @property
    def is_loaded(self) -> bool:
        """Whether loading is complete and succeeded."""
        done = self.ready.done() and not self.ready.cancelled()
        return done and self.ready.exception() is None

    def expires_ns(self, now_ns: int) -> int:
        """When it is unloaded if nobody asks for it, in nanoseconds since the epoch (PS-011)."""
        since_ns = now_ns if self.idle_since_ns is None else self.idle_since_ns
        return since_ns + self.keep_alive_ns


class Pool:
    """All loaded models of the server."""

    def __init__(
        self,
        load: Loader,
        *,
        keep_alive_ns: int,
        max_queue: int = 512,
        max_loaded: int = 0,
        load_timeout_ns: int = NEVER_NS,
    ) -> None:
        self._load = load
        self._keep_alive_ns = keep_alive_ns
        self._max_queue = max_queue
        self._max_loaded = max_loaded or DEFAULT_MAX_LOADED
        self._timeout_s = None if load_timeout_ns == NEVER_NS else load_timeout_ns / SECOND_NS
        self._models: dict[str, Loaded] = {}
        self._one_at_a_time = asyncio.Lock()
        self._waiting = 0
        self._closings: set[asyncio.Task[None]] = set()

    @property
    def loaded(self) -> list[Loaded]:
        """The models whose loading is complete, in no particular order."""
        return [model for model in self._models.values() if model.is_loaded]

    @asynccontextmanager
    async def acquire(self, wanted: Wanted) -> AsyncIterator[Loaded]:
        """The model, loaded, and safe from unloading inside the block.

        Raises `ApiError`: 503 when too many wait for a load, 500 when loading fails.
        """
        model = await self._claimed(wanted)
        try:
            if wanted.keep_alive_ns is not None:
                model.keep_alive_ns = wanted.keep_alive_ns
            model.wanted = wanted
            yield model
        finally:
            self._release(model)

    def unload(self, name: str) -> None:
        """Let go of a model as soon as nobody uses it; nothing if it is not loaded."""
        model = self._models.get(name)
        if model is not None:
            model.keep_alive_ns = 0
            if model.users == 0 and model.is_loaded:
                self._start_clock(model)

    async def close(self) -> None:
        """Unload everything, requests or not."""
        for model in list(self._models.values()):
            self._stop_clock(model)
            model.ready.cancel()
            await self._close_engine(model)
        await asyncio.gather(*self._closings, return_exceptions=True)

    async def _claimed(self, wanted: Wanted) -> Loaded:
        """The model, loaded, with this request counted among its users."""
        model = self._models.get(wanted.name)
        if model is not None and self._fits(model, wanted):
            self._claim(model)
            return model
        if self._waiting > self._max_queue:  # the one being loaded is not in the queue
            raise busy()
        self._waiting += 1
        try:
            return await self._claimed_in_turn(wanted)
        finally:
            self._waiting -= 1

    async def _claimed_in_turn(self, wanted: Wanted) -> Loaded:
        while True:
            model = self._models.get(wanted.name) or self._begin(wanted)
            if model.is_loaded and not self._fits(model, wanted):
                self._leave(model)
            if model.is_leaving:
                await model.gone.wait()
                continue
            self._claim(model)
            try:
                await asyncio.shield(model.ready)
            except LoadError as error:
                self._release(model)
                raise ApiError(500, f"cannot load {wanted.name}: {error}") from error
            except BaseException:
                self._release(model)
                raise
            if model.wanted.source == wanted.source:
                return model
            self._release(model)

    def _claim(self, model: Loaded) -> None:
        self._stop_clock(model)
        model.users += 1

    def _release(self, model: Loaded) -> None:
        model.users -= 1
        if model.users == 0 and model.is_loaded:
            self._start_clock(model)

    @staticmethod
    def _fits(model: Loaded, wanted: Wanted) -> bool:
        """Whether a model in memory serves the request: loaded, staying, of the same weights."""
        same = model.wanted.source == wanted.source
        return model.is_loaded and not model.is_leaving and same

    def _begin(self, wanted: Wanted) -> Loaded:
        keep_alive_ns = self._keep_alive_ns
        if wanted.keep_alive_ns is not None:
            keep_alive_ns = wanted.keep_alive_ns
        task = asyncio.create_task(self._load_in_turn(wanted), name=f"load {wanted.name}")
        model = Loaded(wanted, keep_alive_ns, task)
        self._models[wanted.name] = model
        task.add_done_callback(lambda _: self._loaded_for_nobody(model))
        return model

    def _loaded_for_nobody(self, model: Loaded) -> None:
        """Start the clock of a model whose askers all left while it was being loaded."""
        if model.is_loaded and model.users == 0:
            self._start_clock(model)

    async def _load_in_turn(self, wanted: Wanted) -> Engine:
        """Load one model after those asked for earlier, evicting others where there is no room."""
        try:
            async with self._one_at_a_time:
                if self._models[wanted.name].users == 0:
                    raise LoadError("nobody waits for it any more")
                while len(self._models_in_memory()) >= self._max_loaded:
                    victim = self._victim()
                    self._leave(victim)
                    await victim.gone.wait()
                return await self._load_in_thread(wanted)
        except BaseException:
            del self._models[wanted.name]
            raise

    async def _load_in_thread(self, wanted: Wanted) -> Engine:
        loading = asyncio.create_task(asyncio.to_thread(self._load, wanted.source, wanted.num_ctx))
        try:
            return await asyncio.wait_for(asyncio.shield(loading), self._timeout_s)
        except (TimeoutError, asyncio.CancelledError) as error:
            loading.add_done_callback(_discard)
            if isinstance(error, asyncio.CancelledError):
                raise
            raise LoadError(f"timed out after {self._timeout_s:g} s") from error

    def _models_in_memory(self) -> list[Loaded]:
        return [model for model in self._models.values() if model.is_loaded]

    def _victim(self) -> Loaded:
        """The idle model with the shortest `keep_alive`, else the shortest of all (SCHED-010)."""
        candidates = self._models_in_memory()
        return min(candidates, key=lambda m: (not m.is_leaving, m.users > 0, m.keep_alive_ns))

    def _leave(self, model: Loaded) -> None:
        """No new request gets the model; it is closed when the last one is done with it."""
        if not model.is_leaving:
            model.is_leaving = True
            if model.users == 0:
                self._close_soon(model)

    def _start_clock(self, model: Loaded) -> None:
        self._stop_clock(model)
        model.idle_since_ns = time.time_ns()
        if model.is_leaving or model.keep_alive_ns <= 0:
            model.is_leaving = True
            self._close_soon(model)
        elif model.keep_alive_ns < NEVER_NS:
            loop = asyncio.get_running_loop()
            delay_s = model.keep_alive_ns / SECOND_NS
            model.expiry = loop.call_later(delay_s, self._leave, model)

    @staticmethod
    def _stop_clock(model: Loaded) -> None:
        if model.expiry is not None:
            model.expiry.cancel()
            model.expiry = None

    def _close_soon(self, model: Loaded) -> None:
        self._stop_clock(model)
        closing = asyncio.create_task(self._close_engine(model))
        self._closings.add(closing)
        closing.add_done_callback(self._closings.discard)

    async def _close_engine(self, model: Loaded) -> None:
        try:
            if model.is_loaded:
                await asyncio.to_thread(model.engine.close)
        finally:
            if self._models.get(model.wanted.name) is model:
                del self._models[model.wanted.name]
            model.gone.set()


def _discard(loading: asyncio.Task[Engine]) -> None:
    """Close an engine that came too late."""
    with suppress(LoadError, asyncio.CancelledError):
        loading.result().close()

"""The loaded models: loaded when asked for, kept while idle for their `keep_alive`, evicted.

Event loop only; loading and closing run in threads. Nothing here interrupts a request that is
using a model: expiry, eviction, unloading and reloading wait for it (SCHED-011). What a model
may take is booked in the ledger before it is loaded; where there is no room, kept prompts go
first, then idle models.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

from .durations import NEVER_NS, SECOND_NS
from .engine.failures import is_out_of_memory
from .engine.sequence import LoadError, ModelSource
from .engine.tally import Tally
from .errors import ApiError, busy
from .loaded import Engine, Loaded, Loader, Tokenizer, Wanted
from .memory import Account, Footprint, Ledger, Use, shortage

__all__ = ["Engine", "Loaded", "Loader", "Pool", "Tokenizer", "Wanted"]

DEFAULT_MAX_LOADED = 3
UNBOUNDED_BYTES = 1 << 62

Estimate = Callable[[ModelSource, int], Footprint]
"""What a model with such a window will take; blocking, so called in a thread."""


def _unknown(source: ModelSource, num_ctx: int) -> Footprint:
    """Nothing is known before the model is loaded."""
    return Footprint()


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
        memory_bytes: int = UNBOUNDED_BYTES,
        estimate: Estimate = _unknown,
    ) -> None:
        self.ledger = Ledger(memory_bytes)
        self._load = load
        self._estimate = estimate
        self._keep_alive_ns = keep_alive_ns
        self._max_queue = max_queue
        self._max_loaded = max_loaded or DEFAULT_MAX_LOADED
        self._timeout_s = None if load_timeout_ns == NEVER_NS else load_timeout_ns / SECOND_NS
        self._models: dict[str, Loaded] = {}
        self._one_at_a_time = asyncio.Lock()
        self._waiting = 0
        self._closings: set[asyncio.Task[None]] = set()
        self._past: dict[str, Tally] = {}  # of models unloaded since

    @property
    def num_waiting(self) -> int:
        """Requests that wait for a model to be loaded."""
        return self._waiting

    @property
    def tallies(self) -> dict[str, Tally]:
        """What each model ever did, by name."""
        found = {name: Tally() for name in (*self._past, *(m.wanted.name for m in self.loaded))}
        for name, past in self._past.items():
            found[name].add(past)
        for model in self.loaded:
            found[model.wanted.name].add(model.engine.tally)
        return found

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
        if model is not None and model.serves(wanted) and model.account.widen(wanted.num_ctx):
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
            if model.is_loaded and not model.serves(wanted):
                self._leave(model)
            elif model.is_loaded and not model.account.widen(wanted.num_ctx):
                await self._widen(model, wanted.num_ctx)
            if model.is_leaving:
                await model.gone.wait()
                continue
            self._claim(model)
            try:
                await asyncio.shield(model.ready)
            except LoadError as error:
                self._release(model)
                why = "out of memory" if is_out_of_memory(error) else error
                raise ApiError(500, f"cannot load {wanted.name}: {why}") from error
            except BaseException:
                self._release(model)
                raise
            if model.serves(wanted) and model.account.widen(wanted.num_ctx):
                return model
            self._release(model)

    async def _widen(self, model: Loaded, num_ctx: int) -> None:
        """Find room for a larger window, else let the model go: it is loaded anew with it.

        Raises `ApiError` where there could never be room.
        """
        needed_bytes = model.account.smallest(num_ctx)
        if needed_bytes > self.ledger.budget_bytes:
            raise ApiError(500, shortage(needed_bytes, self.ledger.budget_bytes))
        await self._give_back(needed_bytes)
        if not model.account.widen(num_ctx):
            self._leave(model)

    def _claim(self, model: Loaded) -> None:
        self._stop_clock(model)
        model.users += 1

    def _release(self, model: Loaded) -> None:
        model.users -= 1
        if model.users == 0 and model.is_loaded:
            self._start_clock(model)

    def _begin(self, wanted: Wanted) -> Loaded:
        keep_alive_ns = self._keep_alive_ns
        if wanted.keep_alive_ns is not None:
            keep_alive_ns = wanted.keep_alive_ns
        task = asyncio.create_task(self._load_in_turn(wanted), name=f"load {wanted.name}")
        model = Loaded(wanted, keep_alive_ns, task, self.ledger.open())
        self._models[wanted.name] = model
        task.add_done_callback(lambda _: self._loaded_for_nobody(model))
        return model

    def _loaded_for_nobody(self, model: Loaded) -> None:
        """Start the clock of a model whose askers all left while it was being loaded."""
        if model.is_loaded and model.users == 0:
            self._start_clock(model)

    async def _load_in_turn(self, wanted: Wanted) -> Engine:
        """Load one model after those asked for earlier, once there is room for it."""
        try:
            async with self._one_at_a_time:
                model = self._models[wanted.name]
                if model.users == 0:
                    raise LoadError("nobody waits for it any more")
                num_ctx, account = wanted.num_ctx, model.account
                expected = await asyncio.to_thread(self._estimate, wanted.source, num_ctx)
                await self._make_room(expected.smallest(num_ctx))
                account.settle(expected, num_ctx)
                engine = await self._load_in_thread(wanted, account)
                found = replace(engine.footprint, activations=expected.activations)
                account.settle(found, num_ctx)
                engine.join(account)
                return engine
        except BaseException:
            del self._models[wanted.name]
            raise

    async def _load_in_thread(self, wanted: Wanted, account: Account) -> Engine:
        loading = asyncio.create_task(asyncio.to_thread(self._load, wanted.source, wanted.num_ctx))
        try:
            return await asyncio.wait_for(asyncio.shield(loading), self._timeout_s)
        except (TimeoutError, asyncio.CancelledError) as error:
            self._in_background(_discard(loading, account))
            if isinstance(error, asyncio.CancelledError):
                raise
            why = f"no progress in {self._timeout_s:g} s"  # ERR-038, as clients know it
            message = f"timed out waiting for llama-server to start - {why}"
            raise ApiError(500, message) from error
        except BaseException:
            account.close()
            raise

    async def _make_room(self, needed_bytes: int) -> None:
        """Wait until a model that takes so much may be loaded beside those that stay.

        Raises `ApiError` where it can never be (500, in the original's words).
        """
        if needed_bytes > self.ledger.budget_bytes:
            raise ApiError(500, shortage(needed_bytes, self.ledger.budget_bytes))
        may_give_back = True
        while True:
            others = self.loaded
            lacking_bytes = self.ledger.lacking(needed_bytes, beside_others=bool(others))
            if len(others) < self._max_loaded and not lacking_bytes:
                return
            if len(others) < self._max_loaded and may_give_back:
                await self._give_back(lacking_bytes)
                may_give_back = False
            elif others:
                victim = min(others, key=Loaded.eviction_order)
                self._leave(victim)
                await victim.gone.wait()
            else:
                raise ApiError(500, shortage(needed_bytes, self.ledger.free_bytes))

    async def _give_back(self, num_bytes: int) -> None:
        """Have kept prompts dropped until so much more is free, the idlest model's first."""
        for model in sorted(self.loaded, key=lambda m: (m.users > 0, m.idle_since_ns or 0)):
            before = model.account.booked(Use.PROMPT_CACHE)
            if before and num_bytes > 0:
                await model.engine.give_back(num_bytes)
                num_bytes -= before - model.account.booked(Use.PROMPT_CACHE)

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
        self._in_background(self._close_engine(model))

    def _in_background(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._closings.add(task)
        task.add_done_callback(self._closings.discard)

    async def _close_engine(self, model: Loaded) -> None:
        try:
            if model.is_loaded:
                await asyncio.to_thread(model.engine.close)
                self._past.setdefault(model.wanted.name, Tally()).add(model.engine.tally)
        finally:
            model.account.close()
            if self._models.get(model.wanted.name) is model:
                del self._models[model.wanted.name]
            model.gone.set()


async def _discard(loading: asyncio.Task[Engine], account: Account) -> None:
    """Close an engine that comes too late, and give back what it took."""
    try:
        with suppress(LoadError):
            await asyncio.to_thread((await loading).close)
    finally:
        account.close()

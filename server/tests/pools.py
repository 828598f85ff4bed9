"""Pools of fake engines, for tests."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from ..durations import NEVER_NS
from ..engine.sequence import LoadError, ModelSource
from ..memory import Footprint
from ..pool import Pool, Wanted
from .conftest import FakeEngine

Make = Callable[..., Pool]


def wanted(name: str, keep_alive_ns: int | None = None, weights: str = "") -> Wanted:
    """A request for a model."""
    source = ModelSource(Path(weights or name))
    return Wanted(name, "digest", source, num_ctx=4096, keep_alive_ns=keep_alive_ns)


class Loads:
    """Loads fake engines; keeps count, and waits while `gate` is closed."""

    def __init__(self) -> None:
        self.engines: list[FakeEngine] = []
        self.footprints: dict[str, Footprint] = {}
        self.sources: list[str] = []
        self.gate = threading.Event()
        self.gate.set()
        self.begun = threading.Event()

    def __call__(self, source: ModelSource, num_ctx: int) -> FakeEngine:
        assert source.gguf is not None
        self.sources.append(source.gguf.name)
        self.begun.set()
        assert self.gate.wait(10)
        if source.gguf.name == "bad":
            raise LoadError("it is bad")
        self.engines.append(FakeEngine())
        self.engines[-1].footprint = self.footprints.get(source.gguf.name, Footprint())
        return self.engines[-1]


async def settled() -> None:
    """Let everything happen that is due."""
    for _ in range(20):
        await asyncio.sleep(0)
    await asyncio.to_thread(lambda: None)
    for _ in range(20):
        await asyncio.sleep(0)


async def gone(pool: Pool, name: str) -> None:
    """Wait until a model is unloaded."""
    async with asyncio.timeout(10):
        while any(model.wanted.name == name for model in pool.loaded):
            await settled()


async def use(pool: Pool, what: Wanted) -> None:
    """Acquire a model and let it go."""
    async with pool.acquire(what):
        pass


def names(pool: Pool) -> set[str]:
    """The loaded models."""
    return {model.wanted.name for model in pool.loaded}


@asynccontextmanager
async def making(loads: Loads) -> AsyncIterator[Make]:
    """What makes pools, which are closed at the end."""
    made: list[Pool] = []

    def pool(*, keep_alive_ns: int = NEVER_NS, **rules: int) -> Pool:
        def estimate(source: ModelSource, num_ctx: int) -> Footprint:
            return loads.footprints.get(source.gguf.name if source.gguf else "", Footprint())

        made.append(Pool(loads, keep_alive_ns=keep_alive_ns, estimate=estimate, **rules))
        return made[-1]

    yield pool
    loads.gate.set()
    for each in made:
        await each.close()

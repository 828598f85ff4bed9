"""What the pool has: a model as a request wants it, an engine as the routes need it, and both.

Event loop only.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol

from .decode import Json
from .engine.embedding_ask import EmbedAsk, Embeddings
from .engine.sequence import Ask, Event, ModelSource
from .engine.tally import Tally
from .memory import Account, Footprint


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
    """What the routes and the pool need of a loaded model.

    Every one has the whole of it: what its model cannot do, it refuses.
    """

    @property
    def tokenizer(self) -> Tokenizer:
        """The model's tokenizer."""

    @property
    def footprint(self) -> Footprint:
        """What it takes; of activations it need not know."""

    @property
    def tally(self) -> Tally:
        """What it has done."""

    def submit(self, ask: Ask) -> AbstractAsyncContextManager[AsyncIterator[Event]]:
        """The events of one generation; leaving the block cancels it."""

    async def embed(self, ask: EmbedAsk) -> Embeddings:
        """The vectors of texts; raises `EmbedError`."""

    def join(self, account: Account) -> None:
        """Book in this account from now on; before the first request."""

    async def give_back(self, num_bytes: int) -> None:
        """Free so much of the prompt cache, or all of it."""

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
    """One model in memory, or on its way there or out. It has an account once it is loaded."""

    wanted: Wanted
    keep_alive_ns: int
    ready: asyncio.Task[Engine]
    account: Account
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

    def serves(self, wanted: Wanted) -> bool:
        """Whether a request may have it: loaded, staying, of the same weights."""
        return self.is_loaded and not self.is_leaving and self.wanted.source == wanted.source

    def expires_ns(self, now_ns: int) -> int:
        """When it is unloaded if nobody asks for it, in nanoseconds since the epoch (PS-011)."""
        since_ns = now_ns if self.idle_since_ns is None else self.idle_since_ns
        return since_ns + self.keep_alive_ns

    def eviction_order(self) -> tuple[bool, bool, int, int]:
        """The smallest goes first: one that leaves already, an idle one, that of the shortest
        `keep_alive` (SCHED-010), and of those the one unused for longest."""
        return not self.is_leaving, self.users > 0, self.keep_alive_ns, self.idle_since_ns or 0

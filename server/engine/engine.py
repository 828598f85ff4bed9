"""One loaded model behind one thread: asks go in, events come out.

Nothing here touches MLX: that happens on the thread, in `worker`.
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from ..memory import Account, Footprint
from .embedding_ask import REFUSAL, EmbedAsk, Embeddings, EmbedError
from .grammar import Grammars
from .json_schema import GrammarError
from .model_thread import UNLOADED, ModelThread
from .request import Request
from .sequence import Ask, EngineSettings, Event, Failed, LoadError, ModelSource
from .share import given_back
from .tally import Tally
from .worker import Cancel, Command, Summary, Worker

if TYPE_CHECKING:  # tokenizers is imported by the thread that loads
    from .tokenizer import Tokenizer

__all__ = ["Engine", "LoadError"]


class Engine:
    """One loaded model. Every method may be called from any thread."""

    tokenizer: Tokenizer
    context_length: int
    footprint: Footprint
    _grammars: Grammars

    def __init__(self, source: ModelSource, settings: EngineSettings) -> None:
        self._numbers = itertools.count()
        worker = Worker(source, settings)
        self.tally: Tally = worker.tally
        self._share = worker.share
        self._thread = ModelThread[Command, Summary](worker)

    @classmethod
    def load(cls, source: ModelSource, settings: EngineSettings) -> Engine:
        """A running engine; blocks while the weights are read.

        Raises LoadError, saying what is wrong with the model.
        """
        engine = cls(source, settings)
        summary = engine._thread.loaded()
        engine.tokenizer = summary.tokenizer
        engine.context_length = summary.context_length
        engine.footprint = summary.footprint
        engine._grammars = Grammars(summary.tokenizer)
        return engine

    @asynccontextmanager
    async def submit(self, ask: Ask) -> AsyncIterator[AsyncIterator[Event]]:
        """The events of one generation; leaving the block cancels it within one step.

        A request beyond the slots waits for its turn, in order of arrival.
        """
        request = Request(ask, next(self._numbers))
        self.tally.num_open += 1
        try:
            if ask.grammar is not None:
                request.matcher = await self._grammars.matcher(ask.grammar)
            if not self._thread.put(request):
                request.events.put_nowait(Failed(UNLOADED, 503))
        except GrammarError as error:
            request.events.put_nowait(Failed(f"JSON schema conversion failed: {error}", 400))
        try:
            yield request.read()
        finally:
            self.tally.num_open -= 1
            self._thread.put(Cancel(request.number))

    async def embed(self, ask: EmbedAsk) -> Embeddings:
        """Never: the model generates (EMBED-025)."""
        raise EmbedError(REFUSAL, 501)

    def join(self, account: Account) -> None:
        """Book in this account from now on; before the first request."""
        self._share.join(account)

    async def give_back(self, num_bytes: int) -> None:
        """Free so much of the prompt cache, or all of it."""
        await given_back(self._thread.put, num_bytes)

    def close(self) -> None:
        """End every generation, free the model and wait for the thread; again does nothing."""
        self._thread.close()

"""One loaded model behind one thread: asks go in, events come out.

Nothing here touches MLX: that happens on the thread, in `worker`.
"""

from __future__ import annotations

import itertools
import threading
from collections import deque
from collections.abc import AsyncIterator
from concurrent.futures import Future
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from .embedding_ask import REFUSAL, EmbedAsk, Embeddings, EmbedError
from .grammar import Grammars
from .json_schema import GrammarError
from .sequence import Ask, EngineSettings, Event, Failed, LoadError, ModelSource
from .worker import UNLOADED, Cancel, Close, Command, Request, Summary, Worker

if TYPE_CHECKING:  # tokenizers is imported by the thread that loads
    from .tokenizer import Tokenizer

__all__ = ["Engine", "LoadError"]


class Engine:
    """One loaded model. Every method may be called from any thread."""

    tokenizer: Tokenizer
    context_length: int
    size_bytes: int
    _grammars: Grammars

    def __init__(self, source: ModelSource, settings: EngineSettings) -> None:
        self._inbox: deque[Command] = deque()
        self._wake = threading.Event()
        self._lock = threading.Lock()
        self._closed = False
        self._numbers = itertools.count()
        self._summary: Future[Summary] = Future()
        worker = Worker(source, settings, self._inbox, self._wake)
        self._thread = threading.Thread(
            target=worker.main, args=(self._summary,), name="engine", daemon=True
        )
        self._thread.start()

    @classmethod
    def load(cls, source: ModelSource, settings: EngineSettings) -> Engine:
        """A running engine; blocks while the weights are read.

        Raises LoadError, saying what is wrong with the model.
        """
        engine = cls(source, settings)
        summary = engine._summary.result()
        engine.tokenizer = summary.tokenizer
        engine.context_length = summary.context_length
        engine.size_bytes = summary.size_bytes
        engine._grammars = Grammars(summary.tokenizer)
        return engine

    @asynccontextmanager
    async def submit(self, ask: Ask) -> AsyncIterator[AsyncIterator[Event]]:
        """The events of one generation; leaving the block cancels it within one step.

        A request beyond the slots waits for its turn, in order of arrival.
        """
        request = Request(ask, next(self._numbers))
        try:
            if ask.grammar is not None:
                request.matcher = await self._grammars.matcher(ask.grammar)
            if not self._put(request):
                request.events.put_nowait(Failed(UNLOADED, 503))
        except GrammarError as error:
            request.events.put_nowait(Failed(f"JSON schema conversion failed: {error}", 400))
        try:
            yield request.read()
        finally:
            self._put(Cancel(request.number))

    async def embed(self, ask: EmbedAsk) -> Embeddings:
        """Never: the model generates (EMBED-025)."""
        raise EmbedError(REFUSAL, 501)

    def close(self) -> None:
        """End every generation, free the model and wait for the thread; again does nothing."""
        with self._lock:
            if not self._closed:
                self._inbox.append(Close())
                self._closed = True
                self._wake.set()
        self._thread.join()

    def _put(self, command: Request | Cancel) -> bool:
        """Whether the command will be read."""
        with self._lock:
            if not self._closed:
                self._inbox.append(command)
                self._wake.set()
            return not self._closed

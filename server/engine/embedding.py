"""One loaded embedding model behind one thread: texts go in, vectors come out.

Nothing here touches MLX: that happens on the thread, in `embedding_worker`.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from ..memory import Account, Footprint
from .embedding_ask import EmbedAsk, Embeddings, EmbedError, Frame
from .embedding_worker import (
    Cancel,
    Command,
    EmbeddingWorker,
    Rows,
    Summary,
)
from .model_thread import UNLOADED, ModelThread
from .sequence import Ask, EngineSettings, Event, Failed, ModelSource
from .tally import Tally

if TYPE_CHECKING:  # tokenizers is imported by the thread that loads
    from .embedding_tokenizer import EmbeddingTokenizer
    from .tokenizer import Tokenizer

LARGE: Final = 2**12
"""Characters; more of them are tokenised in a thread."""


class EmbeddingEngine:
    """One loaded embedding model. `embed` is for event loops, the rest for any thread."""

    tokenizer: EmbeddingTokenizer | Tokenizer
    context_length: int
    footprint: Footprint
    _frame: Frame

    def __init__(self, source: ModelSource, settings: EngineSettings) -> None:
        self._numbers = itertools.count()
        self.tally = Tally()
        work = EmbeddingWorker(source, settings)
        self._thread = ModelThread[Command, Summary](work)

    @classmethod
    def load(cls, source: ModelSource, settings: EngineSettings) -> EmbeddingEngine:
        """A running engine; blocks while the weights are read.

        Raises LoadError, saying what is wrong with the model.
        """
        engine = cls(source, settings)
        summary = engine._thread.loaded()
        engine.tokenizer = summary.tokenizer
        engine._frame = summary.frame
        engine.context_length = summary.context_length
        engine.footprint = Footprint(weights=summary.weight_bytes)
        return engine

    async def embed(self, ask: EmbedAsk) -> Embeddings:
        """The vectors of all texts, or `EmbedError`; cancelling drops what has not been done."""
        if sum(map(len, ask.texts)) > LARGE:
            rows = await asyncio.to_thread(self._rows, ask)
        else:
            rows = self._rows(ask)
        if not rows:
            return Embeddings((), 0)
        request = Rows(next(self._numbers), rows, ask.dimensions)
        if not self._thread.put(request):
            raise EmbedError(UNLOADED, 503)
        self.tally.num_open += 1
        try:
            vectors = await request.done
        finally:
            self.tally.num_open -= 1
            self._thread.put(Cancel(request.number))
        self.tally.prompt_tokens += sum(map(len, rows))
        return Embeddings(tuple(vectors), sum(map(len, rows)))

    @asynccontextmanager
    async def submit(self, ask: Ask) -> AsyncIterator[AsyncIterator[Event]]:
        """The one event of a generation that such a model cannot do."""
        yield _refused()

    def join(self, account: Account) -> None:
        """Nothing: it takes no more than its weights and activations."""

    async def give_back(self, num_bytes: int) -> None:
        """Nothing: it keeps no prompts."""

    def close(self) -> None:
        """Fail every request, free the model and wait for the thread; again does nothing."""
        self._thread.close()

    def _rows(self, ask: EmbedAsk) -> list[tuple[int, ...]]:
        num_ctx = min(ask.num_ctx, self.context_length)
        return [
            self._frame.row(self._ids(text), num_ctx, truncate=ask.truncate) for text in ask.texts
        ]

    def _ids(self, text: str) -> list[int]:
        try:
            return self.tokenizer.encode(text)
        except BaseException as error:
            if type(error).__name__ != "PanicException":  # of Rust, and no Exception
                raise
            raise EmbedError("the tokenizer failed", 500) from None


async def _refused() -> AsyncIterator[Event]:
    yield Failed("the model only embeds", 400)

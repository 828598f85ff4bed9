"""What the thread of an embedding model does: load, then rows in, vectors out, until closed.

Every array lives and dies on this thread.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from .device import device
from .embedding_ask import EmbedError, Frame, unit
from .embedding_queue import Place, RowQueue
from .failures import failure_message
from .model_thread import UNLOADED
from .sequence import EngineSettings, ModelSource
from .wired import wire_loaded

if TYPE_CHECKING:  # MLX and numpy are imported by the thread that uses them
    import mlx.core as mx

    from .embedding_files import LoadedEmbedder
    from .embedding_tokenizer import EmbeddingTokenizer
    from .tokenizer import Tokenizer

log = logging.getLogger(__name__)

# Padded tokens of a batch: enough to fill the machine, and what a cancellation waits for. On a
# CPU 512 of them stay in its cache; 2048 took a third longer each (22 M weights, one thread).
GPU_TOKENS: Final = 16384
CPU_TOKENS: Final = 512

Vector = tuple[float, ...]


class Rows:
    """The rows of one request: the engine thread's side, and the future of its vectors.

    Made on the event loop that waits for it.
    """

    def __init__(self, number: int, rows: Sequence[tuple[int, ...]], dimensions: int) -> None:
        self.number = number
        self.rows = rows
        self.dimensions = dimensions
        self.vectors: list[Vector] = [()] * len(rows)
        self.num_left = len(rows)
        self._loop = asyncio.get_running_loop()
        self.done: asyncio.Future[list[Vector]] = self._loop.create_future()

    def finish(self, error: EmbedError | None = None) -> None:
        """Hand over the vectors, or the error; from any thread."""
        try:
            self._loop.call_soon_threadsafe(self._deliver, error)
        except RuntimeError:
            log.debug("the loop that asked is closed")

    def _deliver(self, error: EmbedError | None) -> None:
        if self.done.done():
            return
        if error is None:
            self.done.set_result(self.vectors)
        else:
            self.done.set_exception(error)


@dataclass(frozen=True, slots=True)
class Cancel:
    """Nobody waits for this request any more."""

    number: int


Command = Rows | Cancel


@dataclass(frozen=True, slots=True)
class Summary:
    """What others may know of a loaded model: nothing of MLX, so that unloading frees it."""

    tokenizer: EmbeddingTokenizer | Tokenizer
    frame: Frame
    context_length: int
    weight_bytes: int


class EmbeddingWorker:
    """The engine thread's state."""

    _loaded: LoadedEmbedder

    def __init__(self, source: ModelSource, settings: EngineSettings) -> None:
        self._source = source
        self._settings = settings
        self._queue = RowQueue(GPU_TOKENS if device().is_gpu else CPU_TOKENS)
        self._requests: dict[int, Rows] = {}

    def load(self) -> Summary:
        """Load the model; raises LoadError."""
        from .embedding_files import load_embedder

        loaded = self._loaded = load_embedder(self._source, self._settings.threads)
        wire_loaded()
        return Summary(loaded.tokenizer, loaded.frame, loaded.context_length, loaded.model.nbytes)

    def unload(self) -> None:
        """Fail every request and free the model."""
        import mlx.core as mx

        for request in self._requests.values():
            request.finish(EmbedError(UNLOADED, 503))
        self._requests.clear()
        del self._loaded
        mx.clear_cache()
        wire_loaded()

    def obey(self, command: Command) -> None:
        """Take a request, or drop one."""
        match command:
            case Rows() as request:
                self._requests[request.number] = request
                self._queue.add(request.number, [len(row) for row in request.rows])
            case Cancel(number):
                self._requests.pop(number, None)
                self._queue.drop(number)

    def turn(self) -> bool:
        """Put one batch through the model if any row waits."""
        if not self._queue.busy:
            return False
        self._step()
        return True

    def _step(self) -> None:
        """Put one batch through the model."""
        places = self._queue.next()
        try:
            vectors = self._run([self._row(place) for place in places])
        except Exception as error:
            log.exception("a batch failed")
            for number in {place.request for place in places}:
                self._fail(number, EmbedError(failure_message(error), 500))
            return
        for place, vector in zip(places, vectors, strict=True):
            self._keep(place, vector)

    def _row(self, place: Place) -> tuple[int, ...]:
        return self._requests[place.request].rows[place.index]

    def _run(self, rows: Sequence[tuple[int, ...]]) -> list[list[float]]:
        """The model's vectors of rows, the longest first."""
        import mlx.core as mx
        import numpy as np

        lengths = [len(row) for row in rows]
        ids = np.zeros((len(rows), lengths[0]), np.int32)
        for at, row in enumerate(rows):
            ids[at, : len(row)] = row
        vectors: mx.array = self._loaded.model(mx.array(ids), mx.array(lengths))
        found: list[list[float]] = np.array(vectors).tolist()
        return found

    def _keep(self, place: Place, vector: list[float]) -> None:
        request = self._requests.get(place.request)
        if request is None:  # another row of it has failed
            return
        try:
            request.vectors[place.index] = _short(unit(vector, request.dimensions))
        except EmbedError as error:
            self._fail(place.request, error)
            return
        request.num_left -= 1
        if not request.num_left:
            del self._requests[place.request]
            request.finish()

    def _fail(self, number: int, error: EmbedError) -> None:
        """A request fails as a whole (EMBED-023)."""
        self._queue.drop(number)
        request = self._requests.pop(number, None)
        if request is not None:
            request.finish(error)


def _short(vector: Vector) -> Vector:
    """The shortest decimals of numbers in single precision, which is all they have (EMBED-027)."""
    import numpy as np

    return tuple(float(str(each)) for each in np.array(vector, np.float32))

"""What a request for embeddings asks of an engine, and what it gets.

Pure. A row is the token ids of one text, with the special tokens around it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

REFUSAL: Final = "This server does not support embeddings. Start it with `--embeddings`"
"""What the original's runner says for a model that only generates (EMBED-025)."""

NOT_FINITE: Final = "embedding contains NaN or Inf values"


class EmbedError(Exception):
    """A request for embeddings that cannot be served, with its HTTP status."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class EmbedAsk:
    """Texts to embed.

    `num_ctx` bounds the tokens of each text, special ones included, beside what the model was
    trained for. `dimensions` of 0 or less asks for whole vectors.
    """

    texts: tuple[str, ...]
    num_ctx: int
    truncate: bool = True
    dimensions: int = 0


@dataclass(frozen=True, slots=True)
class Embeddings:
    """A unit vector for each text, in their order, and the tokens of all texts together."""

    vectors: tuple[tuple[float, ...], ...]
    num_tokens: int


@dataclass(frozen=True, slots=True)
class Frame:
    """The special tokens before and after every text of a model."""

    before: tuple[int, ...] = ()
    after: tuple[int, ...] = ()

    def row(self, ids: Sequence[int], num_ctx: int, *, truncate: bool) -> tuple[int, ...]:
        """The ids inside their frame, cut at the end to fit; raises `EmbedError`.

        The limits are those of EMBED-018 to EMBED-021.
        """
        room = num_ctx - len(self.before) - len(self.after)
        if room <= 0:
            raise EmbedError("input after truncation exceeds maximum context length")
        if len(ids) > room and not truncate:
            raise EmbedError("the input length exceeds the context length")
        row = (*self.before, *ids[:room], *self.after)
        if not row:  # EMBED-012
            raise EmbedError("input exceeds maximum context length and cannot be truncated further")
        return row


def unit(vector: Sequence[float], dimensions: int) -> tuple[float, ...]:
    """The first dimensions of a vector at length 1; zeros stay zeros (EMBED-015, EMBED-016).

    Raises `EmbedError` for a vector that is not finite.
    """
    if not all(map(math.isfinite, vector)):
        raise EmbedError(NOT_FINITE)
    kept = vector[:dimensions] if 0 < dimensions < len(vector) else vector
    length = math.hypot(*kept)
    return tuple(each / length for each in kept) if length else tuple(kept)

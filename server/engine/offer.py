"""What a step's graph makes of its logits, so that the host has little left to do.

Engine thread only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import mlx.core as mx
import numpy as np

from .drawing import Draw, Drawn, Outcome, draw_all
from .shortlist import DEPTH, TOP_DEPTH, Peaks, lanes, max_count

MIN_BLOCKS: Final = 16  # of logits, for which looking for the best one's block pays
FEW: Final = 2  # rows that are drawn one by one as fast as together


@dataclass(frozen=True, slots=True)
class Offer:
    """Each row's best token, and whatever else these rows are drawn from, on the device."""

    best: mx.array  # `(R,)`, the ids of the largest logits; made only if a row takes it
    logits: mx.array | None  # `(R, V)` float32
    peaks: tuple[mx.array, mx.array] | None  # as `Peaks`
    log_sums: mx.array | None  # `(R,)`
    takes_best: bool

    @property
    def arrays(self) -> list[mx.array]:
        """What has to be evaluated before a token is drawn."""
        made = (
            self.best if self.takes_best else None,
            self.logits,
            *(self.peaks or ()),
            self.log_sums,
        )
        return [one for one in made if one is not None]

    def draw(self, draws: Sequence[Draw]) -> list[Drawn]:
        """The tokens, by row; the host reads the arrays where they lie."""
        best: Any = self.best.tolist() if self.takes_best else []
        if self.logits is None:
            return draw_all(Outcome(best), draws)
        peaks = None if self.peaks is None else Peaks(*(np.asarray(one) for one in self.peaks))
        log_sums: Any = None if self.log_sums is None else self.log_sums.tolist()
        return draw_all(Outcome(best, np.asarray(self.logits), peaks, log_sums), draws)


def offered(logits: mx.array, draws: Sequence[Draw], on_gpu: bool) -> Offer:
    """What logits `(R, V)` of any type offer to these draws, of the same rows.

    Without a GPU numpy adds exponentials much faster than MLX.
    """
    best = mx.argmax(logits, axis=-1) if on_gpu else best_ids(logits)
    if not any(one.needs_logits for one in draws):
        return Offer(best, None, None, None, takes_best=True)
    logits = mx.contiguous(logits.astype(mx.float32))
    peaks = log_sums = None
    if sum(0 < one.num_listed <= max_count(logits.shape[1]) for one in draws) > FEW:
        of_logits = largest(logits, DEPTH)
        peaks = (of_logits, largest(of_logits, TOP_DEPTH))
    if on_gpu and any(one.num_top is not None for one in draws):
        log_sums = mx.logsumexp(logits, axis=-1)
    takes_best = any(one.on_device for one in draws)
    return Offer(best, logits, peaks, log_sums, takes_best)


def best_ids(logits: mx.array) -> mx.array:
    """The ids of the largest of logits `(R, V)`, the smaller among equals, as `mx.argmax`.

    On a CPU that looks at one number after the other; this finds the block first, by vectors.
    """
    num_rows, num_tokens = logits.shape
    width = lanes(num_tokens // DEPTH)
    num_blocks, rest = divmod(num_tokens, DEPTH * width)
    if rest or num_blocks < MIN_BLOCKS:
        return mx.argmax(logits, axis=-1)
    columns = mx.max(logits.reshape(num_rows, num_blocks, DEPTH, width), axis=2)
    block = mx.argmax(mx.max(columns, axis=2), axis=1)
    blocks = logits.reshape(num_rows * num_blocks, DEPTH * width)
    own = blocks[mx.arange(num_rows) * num_blocks + block]
    return block * (DEPTH * width) + mx.argmax(own, axis=1)


def largest(numbers: mx.array, depth: int) -> mx.array:
    """The largest of each column `(R, N / depth)` of numbers `(R, N)`."""
    num_columns = numbers.shape[1] // depth
    whole = numbers[:, : num_columns * depth]
    blocks = whole.reshape(len(numbers), -1, depth, lanes(num_columns))
    return mx.contiguous(mx.max(blocks, axis=2).reshape(len(numbers), num_columns))

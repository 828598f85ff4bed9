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
from .sampling import log_sums
from .shortlist import (
    DEPTH,
    FEW,
    TOP_DEPTH,
    Floats,
    Peaks,
    Shortlist,
    lanes,
    max_count,
    shortlist,
    sorted_lists,
)

MIN_BLOCKS: Final = 16  # of logits, for which looking for the best one's block pays
MIN_FETCHED: Final = 64  # tokens a row that a GPU lists; then by doubling, as kernels like it
GPU_COLUMNS: Final = 4096  # numbers that a GPU sorts in one block


@dataclass(frozen=True, slots=True)
class Offer:
    """Each row's best token, and whatever else these rows are drawn from, on the device."""

    best: mx.array  # `(R,)`, the ids of the largest logits; made only if a row takes it
    logits: mx.array | None  # `(R, V)`; float32 and contiguous without a GPU
    peaks: tuple[mx.array, mx.array] | None = None  # as `Peaks`, without a GPU
    fetched: tuple[mx.array, mx.array] | None = None  # ids and logits `(R, K)`, on a GPU
    log_sums: mx.array | None = None  # `(R,)`, on a GPU
    takes_best: bool = True
    on_gpu: bool = False

    @property
    def arrays(self) -> list[mx.array]:
        """What has to be evaluated before a token is drawn."""
        made = (
            self.best if self.takes_best else None,
            self.logits,
            *(self.peaks or ()),
            *(self.fetched or ()),
            self.log_sums,
        )
        return [one for one in made if one is not None]

    def draw(self, draws: Sequence[Draw]) -> list[Drawn]:
        """The tokens, by row."""
        return draw_all(self.read(draws), draws)

    def read(self, draws: Sequence[Draw]) -> Outcome:
        """What was made, where the host can get at it, once it is there.

        From a GPU it takes a few numbers a row. Without one all logits lie there already, and
        numpy adds their exponentials ten times as fast as MLX.
        """
        largest_ids: Any = self.best.tolist() if self.takes_best else []
        if self.logits is None:
            return Outcome(largest_ids)
        scored = [row for row, draw in enumerate(draws) if draw.num_top is not None]
        summed = [row for row, draw in enumerate(draws) if draw.needs_sum]
        if self.on_gpu:
            sums: Any = [] if self.log_sums is None else self.log_sums.tolist()
            alike = [row for row in summed if not draws[row].sampler.penalises]
            known = DeviceLogits(self.logits, self.fetched)
            return Outcome(largest_ids, known, _by_row(scored, sums), _by_row(alike, sums))
        peaks = None if self.peaks is None else Peaks(*(np.asarray(one) for one in self.peaks))
        logits = np.asarray(self.logits)
        changed = (draws[row].sampler.penalised(logits[row]) for row in summed)
        return Outcome(
            largest_ids,
            HostLogits(logits, peaks),
            dict(zip(scored, log_sums(logits[row] for row in scored), strict=True)),
            dict(zip(summed, log_sums(changed), strict=True)),
        )


def _by_row(rows: Sequence[int], values: Sequence[float]) -> dict[int, float]:
    return {row: values[row] for row in rows}


@dataclass(frozen=True, slots=True)
class HostLogits:
    """A step's logits `(R, V)` where the host can read them, with peaks if it lists many rows."""

    logits: Floats
    peaks: Peaks | None

    @property
    def num_tokens(self) -> int:
        """How many there are."""
        return int(self.logits.shape[1])

    @property
    def listed(self) -> bool:
        """Whether they have peaks."""
        return self.peaks is not None

    def row(self, row: int) -> Floats:
        """Those of one row, which stay as they are."""
        own: Floats = self.logits[row]
        return own

    def best(self, rows: Sequence[int], counts: Sequence[int]) -> Shortlist:
        """So many of the largest of each of these rows."""
        assert self.peaks is not None
        return shortlist(self.logits, self.peaks, rows, counts)


@dataclass(frozen=True, slots=True)
class DeviceLogits:
    """A step's logits `(R, V)` on a GPU, and `(R, K)` ids and values of K of the best, unordered.

    The host gets no row of the former unless it asks for it.
    """

    logits: mx.array
    fetched: tuple[mx.array, mx.array] | None

    @property
    def num_tokens(self) -> int:
        """How many there are."""
        return int(self.logits.shape[1])

    @property
    def listed(self) -> bool:
        """Whether some were fetched."""
        return self.fetched is not None

    def row(self, row: int) -> Floats:
        """Those of one row, copied to the host."""
        return np.array(self.logits[row].astype(mx.float32))

    def best(self, rows: Sequence[int], counts: Sequence[int]) -> Shortlist:
        """So many of the largest of each of these rows."""
        assert self.fetched is not None
        ids, values = (np.asarray(one)[rows] for one in self.fetched)
        return sorted_lists(ids.astype(np.intp), values, np.array(counts))


def offered(logits: mx.array, draws: Sequence[Draw], on_gpu: bool) -> Offer:
    """What logits `(R, V)` of any type offer to these draws, of the same rows."""
    if not any(one.needs_logits for one in draws):
        return Offer(mx.argmax(logits, axis=-1) if on_gpu else best_ids(logits), None)
    takes_best = any(one.on_device for one in draws)
    most = max_count(logits.shape[1])
    listed = [count for one in draws if (count := one.num_listed(most))]
    if on_gpu:
        largest_ids = mx.argmax(logits, axis=-1)
        fetched = most_likely(logits, max(listed)) if listed else None
        sums = any(one.num_top is not None or one.needs_sum for one in draws)
        log_sums = mx.logsumexp(logits.astype(mx.float32), axis=-1) if sums else None
        return Offer(largest_ids, logits, None, fetched, log_sums, takes_best, on_gpu)
    logits = mx.contiguous(logits.astype(mx.float32))
    if len(listed) <= FEW:
        return Offer(best_ids(logits), logits, takes_best=takes_best)
    of_logits = largest(logits, DEPTH)
    peaks = of_logits, largest(of_logits, TOP_DEPTH)
    return Offer(best_ids(logits, of_logits), logits, peaks, takes_best=takes_best)


def most_likely(logits: mx.array, count: int) -> tuple[mx.array, mx.array]:
    """Ids and float32 values of more than `count` of the largest of each row, `(R, K)`.

    No other is larger than the least of these; K doubles from `MIN_FETCHED`. Both sorts are of
    so few numbers that a GPU does a row in one block.
    """
    num_tokens = logits.shape[1]
    fetched = MIN_FETCHED
    while fetched <= count:
        fetched *= 2
    depth = 1
    while num_tokens // depth > GPU_COLUMNS:
        depth *= 2
    num_columns = num_tokens // depth
    if num_columns <= fetched:
        return _best_of(mx.broadcast_to(mx.arange(num_tokens), logits.shape), logits, fetched)
    columns = logits[:, : num_columns * depth].reshape(-1, depth, num_columns)
    peaks = mx.max(columns, axis=1)
    best = mx.argpartition(peaks, num_columns - fetched, axis=-1)[:, num_columns - fetched :]
    ids = (mx.arange(depth)[:, None] * num_columns + best[:, None]).flatten(1)
    rest = mx.arange(num_columns * depth, num_tokens)
    ids = mx.concatenate([ids, mx.broadcast_to(rest, (len(logits), len(rest)))], axis=1)
    return _best_of(ids, mx.take_along_axis(logits, ids, axis=1), fetched)


def _best_of(ids: mx.array, values: mx.array, count: int) -> tuple[mx.array, mx.array]:
    """The `count` largest of some values and their ids `(R, N)`, or all."""
    if (spare := values.shape[1] - count) > 0:
        best = mx.argpartition(values, spare, axis=-1)[:, spare:]
        ids, values = (mx.take_along_axis(one, best, axis=1) for one in (ids, values))
    return mx.contiguous(ids), mx.contiguous(values.astype(mx.float32))


def best_ids(logits: mx.array, peaks: mx.array | None = None) -> mx.array:
    """The ids of the largest of logits `(R, V)`, the smaller among equals, as `mx.argmax`.

    On a CPU that looks at one number after the other; this finds the block first, by vectors.
    `peaks` are the logits' own, if they are known.
    """
    num_rows, num_tokens = logits.shape
    width = lanes(num_tokens // DEPTH)
    num_blocks, rest = divmod(num_tokens, DEPTH * width)
    if rest or num_blocks < MIN_BLOCKS:
        return mx.argmax(logits, axis=-1)
    columns = (largest(logits, DEPTH) if peaks is None else peaks).reshape(num_rows, -1, width)
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

"""The best tokens of a step, which a GPU lists, and draws from where they are all it takes.

A token that is drawn there need not be seen by the host before the next step begins. The chain
is that of `sampling`, in float32. How many tokens a row is drawn from depends on nothing but its
own top_k, so it gets the same token in any company.

Engine thread only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import mlx.core as mx
import numpy as np

from .drawing import Draw
from .sampling import DEVICE_LIST
from .shortlist import Floats, Shortlist, max_count, sorted_lists

MIN_FETCHED: Final = 64  # tokens a row; then by doubling, as kernels like it
COLUMNS: Final = 4096  # numbers that a GPU sorts in one block


@dataclass(frozen=True, slots=True)
class DeviceLogits:
    """A step's logits `(R, V)` on a GPU, and `(R, K)` ids and values of K of the best, best first.

    The host gets no row of the former unless it asks for it.
    """

    logits: mx.array
    fetched: tuple[mx.array, mx.array] | None

    @property
    def most(self) -> int:
        """How many of a row's best can be had."""
        return most_fetched(self.logits.shape[1])

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
        ids, values = (np.asarray(one) for one in self.fetched)
        if len(rows) < len(ids):
            ids, values = ids[rows], values[rows]
        return sorted_lists(ids, values, counts)


def most_fetched(num_tokens: int) -> int:
    """The most tokens that a GPU lists, of so many."""
    return max(DEVICE_LIST, max_count(num_tokens))


def most_likely(logits: mx.array, count: int) -> tuple[mx.array, mx.array]:
    """Ids and float32 values of more than `count` of the largest of each row, `(R, K)`.

    They are best first, among equals the smaller id first, and no other is larger than the least
    of these. K doubles from `MIN_FETCHED`; for so few of them all sorts are of so few numbers
    that a GPU does a row in one block.
    """
    num_tokens, fetched = logits.shape[1], _size(count)
    depth = 1
    while num_tokens // depth > COLUMNS:
        depth *= 2
    num_columns = num_tokens // depth
    if num_columns <= fetched:
        return _best_of(mx.broadcast_to(mx.arange(num_tokens), logits.shape), logits, fetched)
    columns = logits[:, : num_columns * depth].reshape(-1, depth, num_columns)
    peaks = mx.max(columns, axis=1)
    best = mx.argpartition(peaks, num_columns - fetched, axis=-1)[:, num_columns - fetched :]
    best = mx.sort(best, axis=-1)  # then ids rise
    ids = (mx.arange(depth)[:, None] * num_columns + best[:, None]).flatten(1)
    rest = mx.arange(num_columns * depth, num_tokens)
    ids = mx.concatenate([ids, mx.broadcast_to(rest, (len(logits), len(rest)))], axis=1)
    return _best_of(ids, mx.take_along_axis(logits, ids, axis=1), fetched)


def _size(count: int) -> int:
    """How many tokens are fetched where so many are wanted."""
    size = MIN_FETCHED
    while size <= count:
        size *= 2
    return size


def _best_of(ids: mx.array, values: mx.array, count: int) -> tuple[mx.array, mx.array]:
    """The `count` largest of some values and their ids `(R, N)`, which rise, or all.

    Every sort of MLX is a merge sort that leaves equals as they were
    (`mlx/backend/metal/kernels/sort.h`, `mlx/backend/cuda/sort.cu`, `mlx/backend/cpu/sort.cpp`).
    """
    order = mx.argsort(-values, axis=-1)[:, :count]
    ids, values = (mx.take_along_axis(one, order, axis=1) for one in (ids, values))
    return mx.contiguous(ids), mx.contiguous(values.astype(mx.float32))


def drawn_ids(logits: mx.array, draws: Sequence[Draw], uniforms: mx.array | None) -> mx.array:
    """The token `(R,)` of each row of logits `(R, V)` that the device draws; any, of the others.

    `uniforms` `(R,)` are the numbers from 0 to 1 that decide; None where the largest logits do.
    """
    token_ids = mx.argmax(logits, axis=-1)  # made only where it is read
    if uniforms is None:
        return token_ids
    sizes = [_size(one.sampler.top_k) if one.is_sampled_there else 0 for one in draws]
    joined = np.frombuffer(b"".join([one.sampler.settings for one in draws]))
    settings = mx.array(joined.reshape(len(draws), -1).astype(np.float32))
    kinds = {*sizes}
    for size in kinds - {0}:
        drawn = _drawn(*most_likely(logits, size - 1), settings, uniforms)
        token_ids = mx.where(mx.array(sizes) == size, drawn, token_ids) if len(kinds) > 1 else drawn
    return token_ids


def _drawn(ids: mx.array, logits: mx.array, settings: mx.array, uniforms: mx.array) -> mx.array:
    """A token of each row `(R,)`, from its best ones `(R, K)`, best first."""
    top_k, _, top_p, min_p, temperature = (settings[:, one, None] for one in range(5))
    places = mx.arange(ids.shape[1])
    shifted = logits - logits[:, :1]
    rising = mx.cumsum(mx.where(places < top_k, mx.exp(shifted), 0.0), axis=1)
    left = mx.sum(rising < top_p * rising[:, -1:], axis=1, keepdims=True) + 1
    kept = (places < top_k) & (places < left) & (shifted >= -min_p)
    rising = mx.cumsum(mx.where(kept, mx.exp(shifted / temperature), 0.0), axis=1)
    place = mx.sum(rising <= uniforms[:, None] * rising[:, -1:], axis=1, keepdims=True)
    place = mx.minimum(place, mx.sum(kept, axis=1, keepdims=True) - 1)
    return mx.take_along_axis(ids, mx.maximum(place, 0), axis=1)[:, 0]

"""The KV cache of the running batch: one row a sequence, each at its own position.

Rows are packed at the front, so that a step touches nothing but running sequences; a row that
leaves is replaced by the last one. A row's tokens lie at 0, 1, 2, ... with no padding before
them. Engine thread only.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import mlx.core as mx
from mlx_lm.models.cache import KVCache

from .loader import KVShape

STEP_TOKENS: Final = 256  # how much a cache grows at a time, as mlx-lm's do


class Positions:
    """Where one step reads and writes: shared by all layers, made once a step."""

    def __init__(self, lengths: list[int]) -> None:
        self.end = max(lengths) + 1
        self.rows = mx.arange(len(lengths))
        self.offset = mx.array(lengths)
        self.mask: mx.array | None = None
        if min(lengths) + 1 < self.end:  # rows of one length see all there is
            seen = mx.arange(self.end) <= self.offset[:, None]
            self.mask = seen[:, None, None, :]


class LayerCache:
    """Keys and values of one layer, `(rows, heads, capacity, head_dim)`.

    Speaks the part of mlx-lm's cache protocol that a decode step of one token a row needs.
    """

    def __init__(self, keys: mx.array, values: mx.array) -> None:
        self.keys = keys
        self.values = values
        self.positions: Positions | None = None

    @property
    def offset(self) -> mx.array:
        """The position of each row's new token, for the rotary embedding."""
        assert self.positions is not None
        return self.positions.offset

    def make_mask(
        self, num_tokens: int, return_array: bool = False, window_size: int | None = None
    ) -> mx.array | None:
        """What each row may look at, `(B, 1, 1, end)`; None when that is everything."""
        assert self.positions is not None
        assert num_tokens == 1
        assert window_size is None
        return self.positions.mask

    def update_and_fetch(self, keys: mx.array, values: mx.array) -> tuple[mx.array, mx.array]:
        """Write one token a row, `(B, heads, 1, head_dim)`, and return all up to the longest."""
        at = self.positions
        assert at is not None
        # written in place: MLX reuses the buffer, since nothing else refers to it
        self.keys[at.rows, :, at.offset] = keys[:, :, 0]
        self.values[at.rows, :, at.offset] = values[:, :, 0]
        rows = keys.shape[0]
        return self.keys[:rows, :, : at.end], self.values[:rows, :, : at.end]


class BatchCache:
    """The rows of all running sequences, by slot."""

    def __init__(self, shape: KVShape) -> None:
        self._shape = shape
        self._row_of: dict[int, int] = {}  # slot to row
        self._lengths: list[int] = []  # by row
        self._capacity = (0, 0)  # rows, tokens
        self.layers: list[LayerCache] = []

    def __contains__(self, slot: int) -> bool:
        return slot in self._row_of

    def __len__(self) -> int:
        return len(self._lengths)

    def row(self, slot: int) -> int:
        """The row of the batch that a slot has now."""
        return self._row_of[slot]

    def length(self, slot: int) -> int:
        """How many tokens of a slot are cached."""
        return self._lengths[self._row_of[slot]]

    @property
    def nbytes(self) -> int:
        """The bytes of all keys and values, used or not."""
        return sum(int(layer.keys.nbytes) + int(layer.values.nbytes) for layer in self.layers)

    def part(self, slot: int, start: int, stop: int) -> list[tuple[mx.array, mx.array]]:
        """Views of a slot's keys and values, `(1, heads, tokens, head_dim)` a layer.

        Copy them before the next step, which would otherwise have to copy the whole cache.
        """
        row = self._row_of[slot]
        assert stop <= self._lengths[row]
        return [
            (layer.keys[row : row + 1, :, start:stop], layer.values[row : row + 1, :, start:stop])
            for layer in self.layers
        ]

    def join(self, slot: int, prefilled: Sequence[KVCache] | None) -> None:
        """Give a slot a row with its prefilled tokens; None when there are none."""
        row = len(self._lengths)
        length = 0 if prefilled is None else int(prefilled[0].offset)
        self._row_of[slot] = row
        self._lengths.append(length)
        self._reserve()
        if prefilled is None:
            return
        for layer, one in zip(self.layers, prefilled, strict=True):
            assert one.keys is not None
            assert one.values is not None
            layer.keys[row : row + 1, :, :length] = one.keys[..., :length, :]
            layer.values[row : row + 1, :, :length] = one.values[..., :length, :]
        self._evaluate()

    def leave_all(self, slots: Iterable[int]) -> None:
        """Drop the rows of these slots, the last ones first: they leave no gap to fill."""
        leaving = [slot for slot in slots if slot in self._row_of]
        for slot in sorted(leaving, key=self.row, reverse=True):
            self.leave(slot)

    def leave(self, slot: int) -> None:
        """Drop a slot's row; the last row takes its place, and an empty batch frees its bytes."""
        row = self._row_of.pop(slot)
        last = len(self._lengths) - 1
        if row != last:
            length = self._lengths[last]
            # copied first: a buffer that is read in the same step is not written in place
            moved_kv = [
                (
                    mx.contiguous(layer.keys[last, :, :length]),
                    mx.contiguous(layer.values[last, :, :length]),
                )
                for layer in self.layers
            ]
            mx.eval(moved_kv)
            for layer, (keys, values) in zip(self.layers, moved_kv, strict=True):
                layer.keys[row, :, :length] = keys
                layer.values[row, :, :length] = values
            self._evaluate()
            moved = next(one for one, at in self._row_of.items() if at == last)
            self._row_of[moved] = row
            self._lengths[row] = length
        self._lengths.pop()
        if not self._lengths:
            self.layers = []
            self._capacity = (0, 0)

    def begin_step(self) -> None:
        """Make room for one token more in every row, and tell the layers where it goes."""
        self._reserve()
        positions = Positions(self._lengths)
        for layer in self.layers:
            layer.positions = positions

    def end_step(self) -> None:
        """Count the token that every row got."""
        self._lengths = [length + 1 for length in self._lengths]

    def _reserve(self) -> None:
        """Grow until every row has room for one token more: rows double, tokens go in steps."""
        rows, tokens = self._capacity
        needed_rows, needed_tokens = len(self._lengths), max(self._lengths) + 1
        if needed_rows <= rows and needed_tokens <= tokens:
            return
        if needed_rows > rows:
            rows = max(needed_rows, 2 * rows)
        if needed_tokens > tokens:
            tokens = -(-needed_tokens // STEP_TOKENS) * STEP_TOKENS
        old_rows, old_tokens = self._capacity
        self._capacity = (rows, tokens)
        size = (rows, self._shape.num_heads, tokens, self._shape.head_dim)
        old, self.layers = self.layers, []
        for index in range(self._shape.num_layers):
            keys, values = mx.zeros(size, self._shape.dtype), mx.zeros(size, self._shape.dtype)
            if old:
                keys[:old_rows, :, :old_tokens] = old[index].keys
                values[:old_rows, :, :old_tokens] = old[index].values
                mx.eval(keys, values)
            self.layers.append(LayerCache(keys, values))
        self._evaluate()

    def _evaluate(self) -> None:
        mx.eval([array for layer in self.layers for array in (layer.keys, layer.values)])

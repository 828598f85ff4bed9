"""The KV cache of a sequence that is being filled, before it joins the batch.

Engine thread only.
"""

from __future__ import annotations

from typing import Any, Final

import mlx.core as mx
from mlx_lm.models.cache import create_attention_mask

from .kv_format import Arrays, Attended, attended, empty, stored
from .loader import KVShape

STEP_TOKENS: Final = 256  # how much a cache grows at a time, as mlx-lm's do


class FillingCache(Attended):
    """Keys and values of one layer while prompts are put into it, all rows at one position.

    Speaks mlx-lm's cache protocol, as its own `KVCache` does.
    """

    def __init__(self, shape: KVShape, arrays: Arrays = (), offset: int = 0) -> None:
        super().__init__(shape.packing)
        self._shape = shape
        self.arrays = arrays
        self.offset = offset

    @property
    def state(self) -> Arrays:
        """Every array."""
        return self.arrays

    @property
    def nbytes(self) -> int:
        """The bytes of all keys and values, used or not."""
        return sum(int(one.nbytes) for one in self.arrays)

    def make_mask(
        self, num_tokens: int, return_array: bool = False, window_size: int | None = None
    ) -> Any:  # noqa: ANN401 (an array, or MLX's "causal", or None)
        """What each of the next tokens may look at."""
        return create_attention_mask(num_tokens, self.offset, return_array, window_size)

    def update_and_fetch(self, keys: mx.array, values: mx.array) -> tuple[Any, Any]:
        """Write `(B, heads, L, head_dim)` behind what is there, and return all of it."""
        new = stored(keys, values, self._shape.packing)
        start, self.offset = self.offset, self.offset + keys.shape[2]
        if not self.arrays or self.offset > self.arrays[0].shape[2]:
            self._grow(keys.shape[0], start)
        for array, one in zip(self.arrays, new, strict=True):
            array[:, :, start : self.offset] = one
        return attended(self._beginning(self.offset), self._shape.packing)

    def row(self, row: int, num_tokens: int) -> FillingCache:
        """The cache of one sequence of several, with so many of its tokens."""
        own = tuple(one[row : row + 1, :, :num_tokens] for one in self.arrays)
        return FillingCache(self._shape, own, num_tokens)

    def part(self, start: int, stop: int) -> Arrays:
        """Views of some tokens."""
        return tuple(one[:, :, start:stop] for one in self.arrays)

    def _beginning(self, num_tokens: int) -> Arrays:
        return tuple(one[:, :, :num_tokens] for one in self.arrays)

    def _grow(self, num_rows: int, num_kept: int) -> None:
        num_added = -(-(self.offset - num_kept) // STEP_TOKENS) * STEP_TOKENS
        added = empty(self._shape, num_rows, num_added)
        if num_kept:
            pairs = zip(self._beginning(num_kept), added, strict=True)
            added = tuple(mx.concatenate([*pair], axis=2) for pair in pairs)
        self.arrays = added

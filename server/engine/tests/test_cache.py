"""Rows of the batch cache: joining, leaving, growing."""

from __future__ import annotations

import mlx.core as mx
import numpy as np
from mlx_lm.models.cache import KVCache

from ..cache import STEP_TOKENS, BatchCache
from ..loader import KVShape

SHAPE = KVShape(num_layers=2, num_heads=1, head_dim=2, dtype=mx.float32)


def filled(value: float, length: int) -> list[KVCache]:
    """Plain caches of a prompt whose every number is `value`."""
    caches: list[KVCache] = []
    for _ in range(SHAPE.num_layers):
        cache = KVCache()  # type: ignore[no-untyped-call]
        array = mx.full((1, 1, length, 2), value)
        cache.update_and_fetch(array, array)  # type: ignore[no-untyped-call]
        caches.append(cache)
    return caches


def step(
    cache: BatchCache, values: list[float]
) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Give every row one token of its value; the first layer's keys as attention sees them."""
    cache.begin_step()
    new = mx.array(values, mx.float32)[:, None, None, None] * mx.ones((1, 1, 1, 2))
    seen = [layer.update_and_fetch(new, new)[0] for layer in cache.layers]
    mx.eval(seen)
    cache.end_step()
    return np.array(seen[0][:, 0, :, 0])


def test_each_row_is_written_at_its_own_position() -> None:
    """Rows of 3 and 1 tokens get their fourth and second."""
    cache = BatchCache(SHAPE)
    cache.join(0, filled(1, 3))
    cache.join(1, filled(2, 1))
    np.testing.assert_array_equal(step(cache, [8, 9]), [[1, 1, 1, 8], [2, 9, 0, 0]])


def test_the_mask_hides_what_lies_behind_a_row() -> None:
    """A shorter row sees its own tokens and the new one."""
    cache = BatchCache(SHAPE)
    cache.join(0, filled(1, 2))
    cache.join(1, None)
    cache.begin_step()
    mask = cache.layers[0].make_mask(1)
    assert mask is not None
    np.testing.assert_array_equal(np.array(mask[:, 0, 0]), [[True] * 3, [True, False, False]])


def test_rows_of_one_length_need_no_mask() -> None:
    """A batch of one, too, takes the fast path of attention."""
    cache = BatchCache(SHAPE)
    cache.join(0, filled(1, 2))
    cache.begin_step()
    assert cache.layers[0].make_mask(1) is None


def test_the_last_row_takes_the_place_of_one_that_leaves() -> None:
    """Slot 2 moves to row 0 with its tokens, and the others stay."""
    cache = BatchCache(SHAPE)
    for slot in range(3):
        cache.join(slot, filled(slot + 1, slot + 1))
    cache.leave(0)
    assert [cache.row(slot) for slot in (1, 2)] == [1, 0]
    np.testing.assert_array_equal(step(cache, [7, 8]), [[3, 3, 3, 7], [2, 2, 8, 0]])


def test_a_cache_grows_and_keeps_its_tokens() -> None:
    """Past the first step of capacity the old tokens are still there."""
    cache = BatchCache(SHAPE)
    cache.join(0, filled(1, STEP_TOKENS - 1))
    for value in (5, 6):
        seen = step(cache, [value])
    assert seen.shape == (1, STEP_TOKENS + 1)
    assert seen[0, [0, -3, -2, -1]].tolist() == [1, 1, 5, 6]


def test_an_empty_batch_holds_no_bytes() -> None:
    """When the last row leaves everything is freed."""
    cache = BatchCache(SHAPE)
    cache.join(0, filled(1, 3))
    assert cache.nbytes == 2 * STEP_TOKENS * SHAPE.bytes_per_token // 2
    cache.leave(0)
    assert cache.nbytes == 0

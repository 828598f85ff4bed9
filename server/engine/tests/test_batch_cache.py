"""Rows of the batch cache: joining, leaving, growing from band to band."""

from __future__ import annotations

import mlx.core as mx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ..attention import Banded
from ..bands import SHORTEST, num_tokens_held
from ..batch_cache import BatchCache
from ..cache import FillingCache
from ..kv_format import shape_as
from ..loader import KVShape

PLAIN = KVShape(num_layers=2, num_heads=1, head_dim=32, dtype=mx.float32)


@pytest.fixture(params=["f16", "q8_0", "q4_0"])
def shape(request: pytest.FixtureRequest) -> KVShape:
    """Each type that a KV cache may have; all of them hold tokens of equal numbers exactly."""
    return shape_as(PLAIN, request.param)


def filled(shape: KVShape, value: float, length: int) -> list[FillingCache]:
    """The caches of a prompt whose every number is `value`."""
    array = mx.full((1, 1, length, 32), value, mx.float32)
    caches = [FillingCache(shape) for _ in range(shape.num_layers)]
    for cache in caches:
        cache.update_and_fetch(array, array)
    return caches


def step(
    cache: BatchCache, values: list[float]
) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Give every row one token of its value; the first layer's keys as attention sees them."""
    cache.begin_step()
    new = mx.array(values, mx.float32)[:, None, None, None] * mx.ones((1, 1, 1, 32))
    seen = [layer.update_and_fetch(new, new)[0] for layer in cache.layers]
    cache.end_step()
    mx.eval(seen)
    return np.array(seen[0][:, 0, :, 0])


def test_each_row_is_written_at_its_own_position(shape: KVShape) -> None:
    """Rows of 3 and 1 tokens get their fourth and second."""
    cache = BatchCache(shape)
    cache.join_all({0: filled(shape, 1, 3)})
    cache.join_all({1: filled(shape, 2, 1)})
    np.testing.assert_array_equal(step(cache, [8, 9]), [[1, 1, 1, 8], [2, 9, 0, 0]])


def test_the_mask_hides_what_lies_behind_a_row(shape: KVShape) -> None:
    """A shorter row sees its own tokens and the new one."""
    cache = BatchCache(shape)
    cache.join_all({0: filled(shape, 1, 2)})
    cache.join_all({1: ()})
    cache.begin_step()
    mask = cache.layers[0].make_mask(1)
    assert mask is not None
    np.testing.assert_array_equal(np.array(mask[:, 0, 0]), [[True] * 3, [True, False, False]])


def test_rows_of_one_length_need_no_mask(shape: KVShape) -> None:
    """A batch of one, too, takes the fast path of attention."""
    cache = BatchCache(shape)
    cache.join_all({0: filled(shape, 1, 2)})
    cache.begin_step()
    assert cache.layers[0].make_mask(1) is None


def test_the_last_row_takes_the_place_of_one_that_leaves(shape: KVShape) -> None:
    """Slot 2 moves to row 0 with its tokens, and the others stay."""
    cache = BatchCache(shape)
    for slot in range(3):
        cache.join_all({slot: filled(shape, slot + 1, slot + 1)})
    cache.leave_all([0])
    assert cache.slots == (2, 1)
    np.testing.assert_array_equal(step(cache, [7, 8]), [[3, 3, 3, 7], [2, 2, 8, 0]])


def test_a_cache_grows_and_keeps_its_tokens(shape: KVShape) -> None:
    """Past the first step of capacity the old tokens are still there."""
    cache = BatchCache(shape)
    cache.join_all({0: filled(shape, 1, SHORTEST - 1)})
    for value in (5, 6):
        seen = step(cache, [value])
    assert seen.shape == (1, SHORTEST + 1)
    assert seen[0, [0, -3, -2, -1]].tolist() == [1, 1, 5, 6]


def test_an_empty_batch_holds_no_bytes(shape: KVShape) -> None:
    """When the last row leaves everything is freed."""
    cache = BatchCache(shape)
    cache.join_all({0: filled(shape, 1, 3)})
    assert cache.nbytes == SHORTEST * shape.bytes_per_token
    cache.leave_all([0])
    assert cache.nbytes == 0


def test_an_abandoned_step_leaves_no_trace(shape: KVShape) -> None:
    """The tokens that it wrote are those of the step after it."""
    cache = BatchCache(shape)
    cache.join_all({0: filled(shape, 1, 2)})
    cache.begin_step()
    new = mx.full((1, 1, 1, 32), 9, mx.float32)
    for layer in cache.layers:
        layer.update_and_fetch(new, new)
    cache.abandon_step()
    assert cache.length(0) == 2
    np.testing.assert_array_equal(cache.part(0, 0, 2)[0][-1], filled(shape, 1, 2)[0].part(0, 2)[-1])
    np.testing.assert_array_equal(step(cache, [5]), [[1, 1, 5]])


def test_a_step_is_written_in_place(shape: KVShape) -> None:
    """No buffer is copied: each lies where it lay before."""
    cache = BatchCache(shape)
    for slot in range(8):
        cache.join_all({slot: filled(shape, 1, SHORTEST - 10)})
    step(cache, [1] * 8)
    before = pointers(cache)
    step(cache, [1] * 8)
    assert pointers(cache) == before


def pointers(cache: BatchCache) -> list[int]:
    """Where the arrays of all bands lie."""
    bands = cache._bands.values()
    arrays = (one for band in bands for layer in band.layers for one in layer)
    return [np.asarray(one).ctypes.data for one in arrays]


def test_a_long_row_leaves_short_ones_in_their_band(shape: KVShape) -> None:
    """What is held is that of each band, and each is attended over on its own."""
    cache = BatchCache(shape)
    cache.join_all({0: filled(shape, 1, 3 * SHORTEST)})
    cache.join_all({1: filled(shape, 2, 2)})
    assert cache.slots == (1, 0)
    assert cache.nbytes == (4 + 1) * SHORTEST * shape.bytes_per_token
    cache.begin_step()
    new = mx.array([8, 9], mx.float32)[:, None, None, None] * mx.ones((1, 1, 1, 32))
    keys, _ = cache.layers[0].update_and_fetch(new, new)
    assert isinstance(keys, Banded)
    assert keys.ends == (3, 3 * SHORTEST + 1)
    np.testing.assert_array_equal(keys.parts[0][0, 0, :, 0], [2, 2, 8])
    assert keys.parts[1][0, 0, -2:, 0].tolist() == [1, 9]
    cache.layers[1].update_and_fetch(new, new)
    cache.end_step()
    cache.leave_all([0])
    np.testing.assert_array_equal(step(cache, [7]), [[2, 2, 8, 7]])


@given(
    rows=st.lists(st.tuples(st.integers(0, 600), st.booleans()), min_size=1, max_size=6),
    num_steps=st.integers(0, 3),
)
def test_what_is_held_is_about_what_was_foretold(
    rows: list[tuple[int, bool]], num_steps: int
) -> None:
    """However long rows are, whichever of them leave before others join, and while they grow."""
    cache = BatchCache(PLAIN)
    for slot, (length, leaves) in enumerate(rows):
        cache.join_all({slot: filled(PLAIN, 1, length) if length else ()})
        for _ in range(num_steps):
            cache.begin_step()
            cache.end_step()
        if leaves:
            cache.leave_all([slot])
        foretold = num_tokens_held(cache.length(slot) + 1 for slot in cache.slots)
        assert cache.nbytes <= 2 * foretold * PLAIN.bytes_per_token


def test_one_row_takes_its_band(shape: KVShape) -> None:
    """With nothing left of those that left."""
    cache = BatchCache(shape)
    for slot in range(5):
        cache.join_all({slot: filled(shape, 1, 3)})
    cache.leave_all(range(4))
    assert cache.nbytes == num_tokens_held([4]) * shape.bytes_per_token

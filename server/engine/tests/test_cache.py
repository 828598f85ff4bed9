"""The cache of a sequence that is being filled."""

from __future__ import annotations

import mlx.core as mx
import numpy as np
import pytest

from ..cache import FillingCache
from ..kv_format import shape_as
from ..loader import KVShape

PLAIN = KVShape(num_layers=2, num_heads=1, head_dim=32, dtype=mx.float32)


@pytest.fixture(params=["f16", "q8_0", "q4_0"])
def shape(request: pytest.FixtureRequest) -> KVShape:
    """Each type that a KV cache may have; all of them hold tokens of equal numbers exactly."""
    return shape_as(PLAIN, request.param)


def test_a_filling_cache_holds_its_chunks_in_order(shape: KVShape) -> None:
    """Chunks of 3, 300 and 2 tokens, past its first room, and one row of two."""
    cache = FillingCache(shape)
    for value, length in ((1, 3), (2, 300), (3, 2)):
        rows = mx.array([value, -value], mx.float32)[:, None, None, None]
        array = rows * mx.ones((2, 1, length, 32))
        seen, _ = cache.update_and_fetch(array, array)
    expected = np.repeat([1, 2, 3], [3, 300, 2])
    np.testing.assert_array_equal(seen[:, 0, :, 0], [expected, -expected])
    own = cache.row(1, 4)
    seen, _ = own.update_and_fetch(array[1:], array[1:])
    np.testing.assert_array_equal(seen[0, 0, :, 0], [-1, -1, -1, -2, -3, -3])

"""The BLAS under MLX on Linux."""

from __future__ import annotations

import sys

import mlx.core as mx
import numpy as np
import pytest

from ..blas import use_fast_blas


@pytest.mark.skipif(sys.platform != "linux", reason="Apple silicon needs no other BLAS")
def test_products_are_right_with_the_blas_in_use() -> None:
    """Whichever BLAS answered the request, MLX's products agree with numpy's."""
    use_fast_blas(1)
    left = np.random.default_rng(1).standard_normal((5, 300), dtype=np.float32)
    right = np.random.default_rng(2).standard_normal((300, 17), dtype=np.float32)
    product = np.array(mx.array(left) @ mx.array(right))
    np.testing.assert_allclose(product, left @ right, atol=1e-3)


def test_asking_twice_gives_the_same_answer() -> None:
    """The patch is made once a process."""
    assert use_fast_blas(1) == use_fast_blas(1)

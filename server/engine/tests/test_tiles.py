"""Products of tiled weights."""

from __future__ import annotations

import mlx.core as mx
import numpy as np
import pytest

from .. import tiles as layout
from ..tiles import TILE_NUMBERS, UNPACKED, TiledEmbedding, TiledLinear, product, tiles

INPUTS = 40
EITHER = pytest.mark.usefixtures("either_layout")


@pytest.fixture(params=[64 * INPUTS, TILE_NUMBERS], ids=["tiles of 64", "one tile"])
def either_layout(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many numbers as a tile may have: a small weight is several, or one."""
    monkeypatch.setattr(layout, "TILE_NUMBERS", request.param)


def weight(outputs: int, inputs: int = INPUTS) -> mx.array:
    """Random weights of a linear layer."""
    return mx.random.normal((outputs, inputs), key=mx.random.key(3))


@EITHER
@pytest.mark.parametrize("outputs", [64, 128, 100, 7])
@pytest.mark.parametrize("rows", [1, 3, 500])
def test_a_tiled_layer_multiplies_as_a_plain_one(outputs: int, rows: int) -> None:
    """Whatever the numbers of rows and outputs, the bias included."""
    x = mx.random.normal((rows, INPUTS), key=mx.random.key(4))
    w, bias = weight(outputs), mx.arange(outputs)
    np.testing.assert_allclose(TiledLinear(w, bias)(x), x @ w.T + bias, atol=1e-4)


@EITHER
def test_leading_axes_are_kept() -> None:
    """As a linear layer keeps them."""
    x = mx.ones((2, 3, INPUTS))
    assert TiledLinear(weight(70))(x).shape == (2, 3, 70)


@EITHER
def test_rows_that_fill_no_portion_are_multiplied_too() -> None:
    """More rows than one small product takes, and not a multiple of that."""
    rows = UNPACKED // (INPUTS * 64) + 5
    x = mx.random.normal((rows, INPUTS), key=mx.random.key(5))
    w = weight(64)
    np.testing.assert_allclose(product(x, tiles(w), 64), x @ w.T, atol=1e-4)


def test_a_tile_of_many_inputs_is_narrower() -> None:
    """So that it stays in the second-level cache."""
    tiled = tiles(weight(64, 4096))
    assert tiled.shape == (2, 4096, 32)
    assert tiled[0].size <= TILE_NUMBERS


@EITHER
def test_a_tiled_embedding_finds_the_row_of_each_token() -> None:
    """In the first tile, the last one, and the one that was filled up."""
    w = weight(100)
    ids = mx.array([[0, 63, 64], [99, 7, 99]])
    np.testing.assert_array_equal(TiledEmbedding(w)(ids), w[ids])


@EITHER
def test_a_tiled_embedding_is_the_output_layer_too() -> None:
    """With one logit a token, none for what the last tile was filled up with."""
    x, w = mx.ones((2, 1, INPUTS)), weight(100)
    np.testing.assert_allclose(TiledEmbedding(w).as_linear(x), x @ w.T, atol=1e-4)

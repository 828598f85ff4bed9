"""What the end of a model passes on."""

from __future__ import annotations

from pathlib import Path

import mlx.core as mx
import numpy as np
import pytest
from mlx.nn.layers.normalization import RMSNorm

from ..ending import Ending
from ..loader import load
from ..sequence import ModelSource

PROMPTS = mx.array([[3, 1, 4, 1, 5], [9, 2, 6, 0, 0]])


@pytest.mark.parametrize("places", [(2, 2), (4, 1)], ids=["in a column", "anywhere"])
def test_only_one_token_a_row_passes(places: tuple[int, int]) -> None:
    """It comes as it would among all the others."""
    ending = Ending(RMSNorm(8))
    hidden = mx.random.normal((2, 5, 8), key=mx.random.key(0))
    whole = np.array(ending(hidden))
    with ending.only(places):
        some = np.array(ending(hidden))
    assert some.shape == (2, 1, 8)
    assert np.array_equal(some[:, 0], whole[[0, 1], list(places)])


def test_everything_passes_again_after_a_failure() -> None:
    """A forward pass that breaks leaves nothing behind for the next."""
    ending = Ending(RMSNorm(8))
    with pytest.raises(ZeroDivisionError), ending.only([0, 0]):
        _ = 1 // 0
    assert ending(mx.zeros((2, 5, 8))).shape == (2, 5, 8)


def test_the_logits_of_an_end_are_those_of_the_whole_model(tiny_gguf: Path) -> None:
    """Of rows of five and of three tokens, padded to one length."""
    loaded = load(ModelSource(gguf=tiny_gguf), 1)
    whole = np.array(loaded.model(PROMPTS, cache=None))
    with loaded.ending.only([4, 2]):
        ends = np.array(loaded.model(PROMPTS, cache=None))
    assert ends.shape[1] == 1
    np.testing.assert_allclose(ends[:, 0], whole[[0, 1], [4, 2]], rtol=1e-5, atol=1e-5)

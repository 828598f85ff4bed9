"""The CPU's layers against mlx-lm's."""

from __future__ import annotations

from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from mlx_lm.models import llama
from mlx_lm.models.cache import make_prompt_cache

from .. import host_math
from ..cpu_layers import lay_out
from ..rotary import ScaledRoPE, rotation


def model(**changes: Any) -> Any:  # noqa: ANN401
    """A small random llama of mlx-lm's."""
    config = {
        "model_type": "llama",
        "hidden_size": 48,
        "num_hidden_layers": 2,
        "intermediate_size": 72,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 12,
        "rms_norm_eps": 1e-5,
        "vocab_size": 90,
    }
    mx.random.seed(1)
    made: Any = llama.Model(llama.ModelArgs.from_dict(config | changes))  # type: ignore[no-untyped-call]
    mx.eval(made.parameters())
    return made


@pytest.mark.parametrize("tiled", [True, False])
@pytest.mark.parametrize(
    "changes",
    [
        {"tie_word_embeddings": True},
        {"tie_word_embeddings": False},
        {"attention_bias": True, "mlp_bias": True},
        {"rope_traditional": True},
        {
            "rope_scaling": {
                "rope_type": "llama3",
                "factor": 8.0,
                "low_freq_factor": 1.0,
                "high_freq_factor": 4.0,
                "original_max_position_embeddings": 16,
            }
        },
    ],
)
def test_the_logits_are_those_of_the_plain_model(tiled: bool, changes: dict[str, Any]) -> None:
    """For a prompt in two chunks, and the tokens after it."""
    plain, ours = model(**changes), model(**changes)
    lay_out(ours, tiled)
    caches = make_prompt_cache(plain), make_prompt_cache(ours)
    for ids in ([5, 80, 3, 3, 17], [9, 2], [11], [12]):
        tokens = mx.array([ids])
        expected, found = plain(tokens, cache=caches[0]), ours(tokens, cache=caches[1])
        np.testing.assert_allclose(found, expected, atol=2e-5)


def test_a_rotation_is_that_of_mlx_at_each_rows_own_position() -> None:
    """Positions of one step, one a row, and those of a later step after them."""
    periods = 100.0 ** (mx.arange(6) / 6)
    plain = ScaledRoPE(12, periods)
    ours = rotation(plain, 12)
    assert ours is not None
    x = mx.random.normal((3, 1, 2, 12), key=mx.random.key(2))
    for offset in (mx.array([0, 7, 300]), mx.array([1, 8, 301])):
        expected = plain(x.swapaxes(1, 2), offset).swapaxes(1, 2)
        np.testing.assert_allclose(ours(x, offset), expected, atol=1e-4)


@pytest.mark.parametrize("worth_it", [0, 10**9])
def test_activations_are_the_same_by_numpy_and_in_the_graph(
    monkeypatch: pytest.MonkeyPatch, worth_it: int
) -> None:
    """The logits are the plain model's, in a prompt and for one token of two rows."""
    monkeypatch.setattr(host_math, "WORTH_IT", worth_it)
    plain, ours = model(), model()
    lay_out(ours, tiled=True)
    caches = make_prompt_cache(plain), make_prompt_cache(ours)
    for ids in ([[5, 80, 3], [4, 1, 0]], [[7, 6], [1, 1]], [[9], [2]]):
        tokens = mx.array(ids)
        expected, found = plain(tokens, cache=caches[0]), ours(tokens, cache=caches[1])
        np.testing.assert_allclose(found, expected, atol=2e-5)


def test_a_gate_far_below_zero_lets_nothing_through() -> None:
    """Its exponential overflows, which is no error."""
    assert np.asarray(host_math.gated(mx.array([[-200.0, 3.0]]))).tolist() == [[0.0]]

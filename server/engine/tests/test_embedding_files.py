"""Files of encoders that lie, or that are of a kind that is not known."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ..embedding_files import load_embedder
from ..sequence import LoadError, ModelSource
from . import tiny, tiny_bert
from .tiny_bert import INNER, POSITIONS, VOCABULARY, WIDTH


def load(source: ModelSource) -> None:
    """Load a model, on this thread."""
    load_embedder(source, 1)


def weights() -> dict[str, tiny.Array]:
    """The weights of a random BERT, as safetensors have them."""
    return tiny_bert.hf_names(tiny_bert.weights())


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"bert__pooling_type": 0}, "pooling_type 0 is not supported"),
        ({"bert__pooling_type": "mean"}, "pooling_type 'mean' is not supported"),
        ({"bert__attention__causal": True}, "causal"),
        ({"bert__attention__head_count": 5}, "5 heads in a width of 32"),
        ({"bert__attention__head_count": 0}, "lying config"),
        ({"bert__attention__head_count_kv": 2}, "grouped keys"),
        ({"bert__block_count": 3}, r"16 tensors are missing|tensors are missing"),
        ({"bert__block_count": 1}, "has no place in this model"),
        ({"bert__block_count": 2_000_000}, "lying config"),
        ({"bert__block_count": None}, "bert.block_count is None"),
        ({"bert__embedding_length": 64}, "expected"),
        ({"bert__context_length": POSITIONS + 1}, "position_embd.weight"),
        ({"bert__attention__layer_norm_epsilon": "x"}, "layer_norm_epsilon is 'x'"),
        ({"bert__attention__layer_norm_epsilon": math.nan}, "layer_norm_epsilon is nan"),
        ({"tokenizer__ggml__model": "llama"}, "tokenizer 'llama'"),
        (
            {
                "tokenizer__ggml__tokens": [*VOCABULARY, "x"],
                "tokenizer__ggml__token_type": [1] * (len(VOCABULARY) + 1),
            },
            "the tokenizer has 21 tokens, the model 20",
        ),
        ({"general__architecture": "jina-bert-v2"}, "architecture 'jina-bert-v2'"),
    ],
)
def test_a_lying_gguf_is_refused(tmp_path: Path, changes: dict[str, Any], reason: str) -> None:
    """With what is wrong."""
    path = tmp_path / "model.gguf"
    path.write_bytes(tiny_bert.gguf(tiny_bert.weights(), **changes))
    with pytest.raises(LoadError, match=reason):
        load(ModelSource(path))


@pytest.mark.parametrize(
    ("name", "array", "reason"),
    [
        ("encoder.layer.0.attention.self.query.bias", (WIDTH + 1,), "expected"),
        ("encoder.layer.0.extra.weight", (WIDTH,), "no part of an encoder"),
        ("embeddings.word_embeddings.weight", (len(VOCABULARY), 8), "expected"),
        ("embeddings.token_type_embeddings.weight", (2, 8), "expected"),
        ("encoder.layer.9.output.dense.weight", (WIDTH, INNER), "has no place"),
    ],
)
def test_lying_safetensors_are_refused(
    tmp_path: Path, name: str, array: tuple[int, ...], reason: str
) -> None:
    """With what is wrong."""
    arrays = weights() | {name: np.zeros(array, np.float32)}
    with pytest.raises(LoadError, match=reason):
        load(ModelSource(None, tiny_bert.write_hf(tmp_path, arrays)))


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        (tiny_bert.config(hidden_size="x"), "hidden_size is 'x'"),
        (tiny_bert.config(hidden_act="relu"), "hidden_act 'relu'"),
        (tiny_bert.config(position_embedding_type="relative_key"), "absolute positions"),
        (tiny_bert.config(max_position_embeddings=0), "lying config"),
        (tiny_bert.nomic_config(prenorm=True), "prenorm True"),
        (tiny_bert.nomic_config(activation_function="gelu"), "activation_function 'gelu'"),
    ],
)
def test_a_lying_config_is_refused(tmp_path: Path, settings: dict[str, Any], reason: str) -> None:
    """With what is wrong."""
    with pytest.raises(LoadError, match=reason):
        load(ModelSource(None, tiny_bert.write_hf(tmp_path, weights(), settings)))


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"modules": [{"type": "sentence_transformers.models.Dense"}]}, "a Dense module"),
        ({"modules": [3]}, "a nameless module"),
        ({"1_Pooling__config": {"pooling_mode_max_tokens": True}}, "pooling max_tokens"),
        ({"1_Pooling__config": [1]}, "holds no JSON object"),
        (
            {"1_Pooling__config": {"pooling_mode_cls_token": True, "pooling_mode_lasttoken": True}},
            "pooling cls_token, lasttoken",
        ),
    ],
)
def test_pooling_that_is_not_known_is_refused(
    tmp_path: Path, files: dict[str, Any], reason: str
) -> None:
    """Rather than replaced."""
    with pytest.raises(LoadError, match=reason):
        load(ModelSource(None, tiny_bert.write_hf(tmp_path, weights(), **files)))

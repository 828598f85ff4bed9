"""Weights that MLX has packed, told from headers and config."""

from __future__ import annotations

from ..packed import parameter_count, quantization_name
from ..safetensors import StoredTensor


def tensor(name: str, dtype: str, *shape: int) -> StoredTensor:
    """A tensor somewhere."""
    return StoredTensor(name, dtype, shape, 0, 0)


PACKED = [
    tensor("a.weight", "U32", 10, 8),  # 8 of 4 bits in each
    tensor("a.scales", "BF16", 10, 1),
    tensor("a.biases", "BF16", 10, 1),
    tensor("b.weight", "U32", 10, 16),  # 4 of 8 bits in each
    tensor("b.scales", "BF16", 10, 1),
    tensor("b.biases", "BF16", 10, 1),
    tensor("b.bias", "BF16", 10),
    tensor("norm.weight", "BF16", 64),
]
CONFIG = {"quantization": {"group_size": 64, "bits": 4, "b": {"group_size": 64, "bits": 8}}}


def test_packed_weights_are_counted_one_by_one() -> None:
    """Their scales are not counted, the bias of a layer is."""
    assert parameter_count(PACKED, CONFIG) == 640 + 640 + 10 + 64


def test_a_quantised_model_is_named_by_its_fewest_bits() -> None:
    """As Ollama does."""
    assert quantization_name(PACKED, CONFIG) == "int4"


def test_plain_tensors_of_one_type_name_it() -> None:
    """Whole numbers beside them, of positions, do not count; two types are unknown."""
    plain = [tensor("a.weight", "BF16", 2, 3), tensor("positions", "I64", 4)]
    assert (parameter_count(plain, {}), quantization_name(plain, {})) == (10, "BF16")
    assert quantization_name([*plain, tensor("b", "F32", 1)], {}) == "unknown"

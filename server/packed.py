"""How many weights a safetensors model has, and of which kind, where MLX has packed them. Pure.

Packed weights lie several in a uint32 (`ml-explore/mlx-lm`, `quantization` in config.json); Ollama
counts them one by one and calls them by their bits (`ollama/ollama:x/server/show.go`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

from .safetensors import StoredTensor

_WORD_BITS: Final = 32
_SIDE_PARTS: Final = ("scales", "biases")  # of packed weights: they are no weights themselves


def parameter_count(tensors: Sequence[StoredTensor], config: Mapping[str, object]) -> int:
    """The number of weights, packed ones counted one by one."""
    packed = _packed(tensors, config)
    total = 0
    for tensor in tensors:
        module, _, part = tensor.name.rpartition(".")
        if module in packed and part in _SIDE_PARTS:
            continue
        count = math.prod(tensor.shape)
        is_packed = module in packed and part == "weight"
        total += count * _WORD_BITS // packed[module] if is_packed else count
    return total


def quantization_name(tensors: Sequence[StoredTensor], config: Mapping[str, object]) -> str:
    """`int4` and so on, by the fewest bits; else the one type of all tensors, or `unknown`."""
    packed = _packed(tensors, config)
    if packed:
        return f"int{min(packed.values())}"
    types = {tensor.dtype for tensor in tensors} - {"I64"}  # BERT's position numbers
    return types.pop() if len(types) == 1 else "unknown"


def _packed(tensors: Sequence[StoredTensor], config: Mapping[str, object]) -> dict[str, int]:
    """The bits of each packed module."""
    common = config.get("quantization")
    if not isinstance(common, Mapping):
        return {}
    words = {tensor.name for tensor in tensors if tensor.dtype == "U32"}
    modules = [
        tensor.name.removesuffix(".scales") for tensor in tensors if tensor.name.endswith(".scales")
    ]
    found = {}
    for module in modules:
        own = common.get(module)
        bits = (own if isinstance(own, Mapping) else common).get("bits")
        if f"{module}.weight" in words and type(bits) is int and 0 < bits <= _WORD_BITS:
            found[module] = bits
    return found

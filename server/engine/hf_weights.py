"""A folder of safetensors, in Hugging Face's or MLX's layout, as mlx-lm's config and arrays.

Headers are checked by `server/safetensors.py` before a byte of a weight is read. Engine thread
only.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import mlx.core as mx
import numpy as np

from ..safetensors import StoredTensor, read_safetensors_header
from .architectures import Architecture, of_config
from .sequence import LoadError
from .text_part import text_config, text_name
from .tokenizer import read_json
from .weights import Packing, Weights

_MAX_DIMENSION: Final = 1 << 24
_MAX_LAYERS: Final = 1024
_NUMPY: Final = {"F32": np.float32, "F16": np.float16, "BF16": np.uint16, "U32": np.uint32}
_WHOLE: Final = (
    "hidden_size",
    "num_hidden_layers",
    "intermediate_size",
    "num_attention_heads",
    "num_key_value_heads",
    "vocab_size",
    "max_position_embeddings",
)


def read_hf(files: Mapping[str, Path]) -> Weights:
    """The weights of a folder given as file names and paths; LoadError says what is wrong."""
    architecture, config = hf_config(text_config(read_json(files, "config.json")))
    arrays: dict[str, mx.array] = {}
    for name, path in sorted(files.items()):
        if name.endswith(".safetensors"):
            mapped = np.memmap(path, dtype=np.uint8, mode="r")
            for tensor in read_safetensors_header(path):
                own_name = text_name(tensor.name)
                if own_name is not None:
                    arrays[own_name] = tensor_array(mapped, tensor)
    if not arrays:
        raise LoadError("the model has no tensors")
    # old exports carry the frequencies; they follow from the config
    arrays = {name: one for name, one in arrays.items() if "rotary_emb.inv_freq" not in name}
    tied = config.setdefault("tie_word_embeddings", "lm_head.weight" not in arrays)
    if tied or architecture.always_tied:
        arrays = {name: one for name, one in arrays.items() if not name.startswith("lm_head.")}
    return Weights(
        architecture=architecture,
        config=config,
        arrays=arrays,
        packings={},  # by the names that the model gives them: `packings_of`
        context_length=config["max_position_embeddings"],
    )


def hf_config(read: Mapping[str, Any]) -> tuple[Architecture, dict[str, Any]]:
    """The architecture that a config names, and the config with its numbers within reason."""
    architecture = of_config(read.get("model_type"))
    config = {**architecture.usual, **read}
    config.setdefault("max_position_embeddings", 2048)  # LlamaConfig's default
    config.setdefault("rms_norm_eps", 1e-6)
    config["num_key_value_heads"] = config.get("num_key_value_heads") or config.get(
        "num_attention_heads"
    )
    for key in _WHOLE:
        if type(config.get(key)) is not int or not 0 < config[key] <= _MAX_DIMENSION:
            raise LoadError(f"config.json: {key} is {config.get(key)!r}")
    heads, kv_heads = config["num_attention_heads"], config["num_key_value_heads"]
    hidden = config["hidden_size"]
    head_dim = config["head_dim"] = config.get("head_dim") or hidden // heads
    if type(head_dim) is not int or head_dim <= 0 or head_dim % 2 or heads % kv_heads:
        raise LoadError(f"config.json: {heads} heads of {head_dim}, {kv_heads} KV heads")
    if architecture.square and head_dim * heads != hidden:
        raise LoadError(f"config.json: {heads} heads of {head_dim} in a width of {hidden}")
    if config["num_hidden_layers"] > _MAX_LAYERS:
        raise LoadError(f"config.json: {config['num_hidden_layers']} layers")
    _rope(architecture, config)
    for key in ("rms_norm_eps", "rope_theta"):
        value = config.setdefault(key, 10000.0)
        if type(value) not in (int, float) or not math.isfinite(value) or value <= 0:
            raise LoadError(f"config.json: {key} is {value!r}")
    return architecture, config


def _rope(architecture: Architecture, config: dict[str, Any]) -> None:
    """Put what the rotary embedding needs where mlx-lm reads it; refuse what it cannot do."""
    # a newer form keeps all of it together, and apart for layers that look back only so far
    rope = config.pop("rope_parameters", None)
    if isinstance(rope, dict):
        near, rope = rope.get("sliding_attention"), rope.get("full_attention", rope)
        if isinstance(near, dict) and "rope_theta" in near:
            config["rope_local_base_freq"] = near["rope_theta"]
    if isinstance(rope, dict):
        config["rope_theta"] = rope.get("rope_theta", config.get("rope_theta", 10000.0))
        config["rope_scaling"] = rope
    scaling = config.pop("rope_scaling", None)
    if not isinstance(scaling, dict):
        return
    kind = scaling.get("rope_type") or scaling.get("type") or "default"
    if kind == "default":
        return
    if kind not in architecture.scalings:
        known = ", ".join(architecture.scalings) or "none"
        raise LoadError(
            f"rope scaling {kind!r} is not supported: for {architecture.model_type} {known} is"
        )
    factor = scaling.get("factor")
    if kind != "longrope" and (not isinstance(factor, int | float) or not factor > 0):
        raise LoadError(f"config.json: rope scaling factor {factor!r}")
    config["rope_scaling"] = scaling | {"type": kind, "rope_type": kind}


def tensor_array(mapped: np.memmap[Any, Any], tensor: StoredTensor) -> mx.array:
    """The weights of one tensor, in the type that the file has."""
    dtype = _NUMPY.get(tensor.dtype)
    if dtype is None:
        known = ", ".join(_NUMPY)
        raise LoadError(f"tensor {tensor.name!r} of {tensor.dtype} is not supported: {known} are")
    raw = mapped[tensor.offset : tensor.offset + tensor.nbytes].tobytes()
    array = mx.array(np.frombuffer(raw, dtype).reshape(tensor.shape))
    return array.view(mx.bfloat16) if tensor.dtype == "BF16" else array


def packings_of(config: Mapping[str, Any], arrays: Mapping[str, mx.array]) -> dict[str, Packing]:
    """How each quantised module is packed: MLX's `quantization`, with exceptions by module."""
    packed = [name.removesuffix(".scales") for name in arrays if name.endswith(".scales")]
    common = config.get("quantization")
    if packed and not isinstance(common, dict):
        raise LoadError("config.json does not say how its weights are quantized")
    packings = {}
    for module in packed:
        assert isinstance(common, dict)
        own = common.get(module)
        chosen = own if isinstance(own, dict) else common
        if chosen.get("mode", "affine") != "affine" or module + ".biases" not in arrays:
            raise LoadError(f"{module} is not quantized in MLX's affine way")
        group, bits = chosen.get("group_size"), chosen.get("bits")
        if group not in (32, 64, 128) or bits not in (2, 3, 4, 5, 6, 8):
            raise LoadError(f"config.json: groups of {group!r}, {bits!r} bits")
        packings[module] = Packing(group, bits)
    return packings

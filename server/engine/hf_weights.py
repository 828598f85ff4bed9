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
from .sequence import LoadError
from .tokenizer import read_json
from .weights import Packing, Weights

_MAX_DIMENSION: Final = 1 << 24
_MAX_LAYERS: Final = 1024
_NUMPY: Final = {"F32": np.float32, "F16": np.float16, "BF16": np.uint16, "U32": np.uint32}
_WHOLE: Final = ("hidden_size", "num_hidden_layers", "intermediate_size", "num_attention_heads")
_ROPE_TYPES: Final = ("default", "linear", "llama3")


def read_hf(files: Mapping[str, Path]) -> Weights:
    """The weights of a folder given as file names and paths; LoadError says what is wrong."""
    config = llama_config(read_json(files, "config.json"))
    arrays: dict[str, mx.array] = {}
    for name, path in sorted(files.items()):
        if name.endswith(".safetensors"):
            tensors = read_safetensors_header(path)
            mapped = np.memmap(path, dtype=np.uint8, mode="r")
            arrays |= {tensor.name: tensor_array(mapped, tensor) for tensor in tensors}
    if not arrays:
        raise LoadError("the model has no tensors")
    # old exports carry the frequencies; they follow from the config
    arrays = {name: one for name, one in arrays.items() if "rotary_emb.inv_freq" not in name}
    tied = config.setdefault("tie_word_embeddings", "lm_head.weight" not in arrays)
    if tied:
        arrays = {name: one for name, one in arrays.items() if not name.startswith("lm_head.")}
    return Weights(
        config=config,
        arrays=arrays,
        packings=_packings(config, arrays),
        context_length=config["max_position_embeddings"],
    )


def llama_config(read: dict[str, Any]) -> dict[str, Any]:
    """The config with the numbers that a plain llama needs, each within reason."""
    if read.get("model_type") != "llama":
        raise LoadError(f"architecture {read.get('model_type')!r} is not supported: 'llama' is")
    config = dict(read)
    # a newer form keeps all of the rotary embedding together
    rope = config.pop("rope_parameters", None)
    if isinstance(rope, dict):
        config["rope_theta"] = rope.get("rope_theta", config.get("rope_theta", 10000.0))
        config["rope_scaling"] = rope
    config.setdefault("max_position_embeddings", 2048)  # LlamaConfig's default
    config.setdefault("rms_norm_eps", 1e-6)
    config["num_key_value_heads"] = config.get("num_key_value_heads") or config.get(
        "num_attention_heads"
    )
    for key in (*_WHOLE, "vocab_size", "num_key_value_heads", "max_position_embeddings"):
        if type(config.get(key)) is not int or not 0 < config[key] <= _MAX_DIMENSION:
            raise LoadError(f"config.json: {key} is {config.get(key)!r}")
    heads, kv_heads = config["num_attention_heads"], config["num_key_value_heads"]
    head_dim = config["head_dim"] = config.get("head_dim") or config["hidden_size"] // heads
    if type(head_dim) is not int or head_dim % 2 or heads % kv_heads:
        raise LoadError(f"config.json: {heads} heads of {head_dim}, {kv_heads} KV heads")
    if config["num_hidden_layers"] > _MAX_LAYERS:
        raise LoadError(f"config.json: {config['num_hidden_layers']} layers")
    if set(config.get("layer_types") or ()) - {"full_attention"}:
        raise LoadError("sliding-window layers are not supported")
    for key in ("rms_norm_eps", "rope_theta"):
        value = config.setdefault(key, 10000.0)
        if not isinstance(value, int | float) or not math.isfinite(value) or value <= 0:
            raise LoadError(f"config.json: {key} is {value!r}")
    _check_rope(config)
    return config


def _check_rope(config: dict[str, Any]) -> None:
    scaling = config.get("rope_scaling")
    if not isinstance(scaling, dict):
        config.pop("rope_scaling", None)
        return
    kind = scaling.get("rope_type", scaling.get("type", "default"))
    if kind not in _ROPE_TYPES:
        raise LoadError(f"rope scaling {kind!r} is not supported: these are: {_ROPE_TYPES}")
    if kind == "default":
        del config["rope_scaling"]
    elif not isinstance(scaling.get("factor"), int | float) or scaling["factor"] <= 0:
        raise LoadError(f"config.json: rope scaling factor {scaling.get('factor')!r}")


def tensor_array(mapped: np.memmap[Any, Any], tensor: StoredTensor) -> mx.array:
    """The weights of one tensor, in the type that the file has."""
    dtype = _NUMPY.get(tensor.dtype)
    if dtype is None:
        known = ", ".join(_NUMPY)
        raise LoadError(f"tensor {tensor.name!r} of {tensor.dtype} is not supported: {known} are")
    raw = mapped[tensor.offset : tensor.offset + tensor.nbytes].tobytes()
    array = mx.array(np.frombuffer(raw, dtype).reshape(tensor.shape))
    return array.view(mx.bfloat16) if tensor.dtype == "BF16" else array


def _packings(config: Mapping[str, Any], arrays: Mapping[str, mx.array]) -> dict[str, Packing]:
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

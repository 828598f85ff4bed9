"""A GGUF of the llama architecture as mlx-lm's config and arrays.

The header is checked by `server/gguf.py` before a byte of a weight is read; the weights are
read here from a memory map, not by MLX's own loader, which trusts the file. Engine thread only.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import mlx.core as mx
import numpy as np
from numpy.typing import NDArray

from ..gguf import GGUFHeader, TensorEntry, Value
from .sequence import LoadError
from .weights import Packing, Weights

SUPPORTED_TYPES: Final = ("F32", "F16", "Q8_0", "Q4_0", "Q4_1")
MAX_LAYERS: Final = 1024
_GROUP: Final = 32  # weights in a block of every quantised type that is supported

_LAYER_NAMES: Final = {
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
_OUTER_NAMES: Final = {
    "token_embd": "model.embed_tokens",
    "output_norm": "model.norm",
    "output": "lm_head",
}
_ROPE_FACTORS: Final = "rope_freqs.weight"


def read_gguf(path: Path, header: GGUFHeader) -> Weights:
    """The weights of a checked GGUF; raises LoadError for what is not a plain llama."""
    if header.architecture != "llama":
        raise LoadError(f"architecture {header.architecture!r} is not supported: 'llama' is")
    entries = {entry.name: entry for entry in header.tensors}
    for entry in header.tensors:
        if entry.type.name not in SUPPORTED_TYPES:
            raise LoadError(
                f"quantization {entry.type.name} (tensor {entry.name!r}) is not supported: "
                f"these are: {', '.join(SUPPORTED_TYPES)}"
            )
    config = llama_config(header.metadata, entries)
    mapped = np.memmap(path, dtype=np.uint8, mode="r")
    factors = entries.pop(_ROPE_FACTORS, None)
    arrays: dict[str, mx.array] = {}
    packings: dict[str, Packing] = {}
    for name, entry in entries.items():
        module = _module(name)
        parts = tensor_parts(mapped[entry.offset : entry.offset + entry.nbytes], entry)
        heads = _rotated_heads(module, config)
        for part, array in parts.items():
            arrays[f"{module}.{part}"] = mx.array(_unpermuted(array, heads) if heads else array)
        if "scales" in parts:
            packings[module] = Packing(_GROUP, 8 if entry.type.name == "Q8_0" else 4)
    return Weights(
        config=config,
        arrays=arrays,
        packings=packings,
        context_length=config["max_position_embeddings"],
        rope_factors=None if factors is None else _rope_factors(mapped, factors, config),
    )


def _module(name: str) -> str:
    """The mlx-lm module of a GGUF tensor."""
    match name.split("."):
        case [outer, "weight"] if outer in _OUTER_NAMES:
            return _OUTER_NAMES[outer]
        case ["blk", number, inner, "weight"] if number.isdecimal() and inner in _LAYER_NAMES:
            return f"model.layers.{int(number)}.{_LAYER_NAMES[inner]}"
    raise LoadError(f"tensor {name!r} is no part of a plain llama")


def llama_config(
    metadata: Mapping[str, Value], entries: Mapping[str, TensorEntry]
) -> dict[str, Any]:
    """The config of a GGUF llama under Hugging Face's keys, each number within reason."""
    embedding = entries.get("token_embd.weight")
    if embedding is None or len(embedding.shape) != 2:
        raise LoadError("the GGUF has no token_embd.weight of two dimensions")
    if _whole(metadata, "expert_count", 0):
        raise LoadError("a mixture of experts is not supported")
    hidden = _whole(metadata, "embedding_length")
    heads = _whole(metadata, "attention.head_count")
    kv_heads = _whole(metadata, "attention.head_count_kv", heads)
    layers = _whole(metadata, "block_count")
    if not 0 < layers <= MAX_LAYERS or not 0 < kv_heads <= heads or heads % kv_heads:
        raise LoadError(f"lying GGUF: {layers} layers, {heads} heads, {kv_heads} KV heads")
    head_dim = _whole(metadata, "attention.key_length", hidden // heads)
    rotated = _whole(metadata, "rope.dimension_count", head_dim)
    if head_dim <= 0 or head_dim % 2 or rotated != head_dim:
        raise LoadError(f"{rotated} rotated of {head_dim} dimensions are not supported")
    config: dict[str, Any] = {
        "model_type": "llama",
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "intermediate_size": _whole(metadata, "feed_forward_length"),
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "head_dim": head_dim,
        "rms_norm_eps": _real(metadata, "attention.layer_norm_rms_epsilon"),
        "rope_theta": _real(metadata, "rope.freq_base", 10000.0),
        "vocab_size": embedding.shape[0],
        "max_position_embeddings": _whole(metadata, "context_length"),
        "tie_word_embeddings": "output.weight" not in entries,
    }
    scaling = metadata.get("llama.rope.scaling.type", "none")
    if scaling == "linear":
        factor = _real(metadata, "rope.scaling.factor", 1.0)
        config["rope_scaling"] = {"rope_type": "linear", "factor": factor}
    elif scaling != "none":
        raise LoadError(f"rope scaling {scaling!r} is not supported: 'linear' is")
    return config


def _whole(metadata: Mapping[str, Value], name: str, default: int | None = None) -> int:
    value = metadata.get(f"llama.{name}", default)
    if type(value) is not int or not 0 <= value < 1 << 31:
        raise LoadError(f"lying GGUF: llama.{name} is {value!r}")
    return value


def _real(metadata: Mapping[str, Value], name: str, default: float | None = None) -> float:
    value = metadata.get(f"llama.{name}", default)
    if not isinstance(value, int | float) or not math.isfinite(value) or value <= 0:
        raise LoadError(f"lying GGUF: llama.{name} is {value!r}")
    return float(value)


def _rotated_heads(module: str, config: Mapping[str, Any]) -> int:
    """How many heads a module's rows are permuted for; 0 when they are not."""
    if module.endswith("q_proj"):
        return int(config["num_attention_heads"])
    return int(config["num_key_value_heads"]) if module.endswith("k_proj") else 0


def _unpermuted(rows: NDArray[Any], heads: int) -> NDArray[Any]:
    """Rows in Hugging Face's order: llama.cpp keeps the halves of a head interleaved."""
    if len(rows) % (2 * heads):
        raise LoadError(f"lying GGUF: {len(rows)} rows for {heads} heads")
    halves = rows.reshape(heads, len(rows) // heads // 2, 2, -1)
    return np.ascontiguousarray(halves.swapaxes(1, 2)).reshape(rows.shape)


def _rope_factors(
    mapped: NDArray[np.uint8], entry: TensorEntry, config: Mapping[str, Any]
) -> mx.array:
    if entry.type.name != "F32" or entry.shape != (config["head_dim"] // 2,):
        raise LoadError(f"lying GGUF: {_ROPE_FACTORS} is {entry.type.name} of {entry.shape}")
    raw = mapped[entry.offset : entry.offset + entry.nbytes]
    return mx.array(np.frombuffer(raw.tobytes(), np.float32))


def tensor_parts(raw: NDArray[np.uint8], entry: TensorEntry) -> dict[str, NDArray[Any]]:
    """The arrays that MLX keeps for one tensor: `weight`, and for a quantised one its scales.

    Quantised weights are repacked, never rounded: MLX's affine `scale * q + bias` holds each
    of these types exactly (`ggml-org/ggml:src/ggml-quants.c`).
    """
    kind = entry.type.name
    if kind in ("F32", "F16"):
        dtype = np.float32 if kind == "F32" else np.float16
        return {"weight": np.frombuffer(raw.tobytes(), dtype).reshape(entry.shape)}
    *outer, columns = entry.shape
    blocks = raw.reshape(*outer, columns // _GROUP, entry.type.block_bytes)
    scales = _halves(blocks[..., 0:2])
    if kind == "Q8_0":
        unsigned = blocks[..., 2:] ^ np.uint8(0x80)  # two's complement to offset 128
        return _packed(unsigned, scales, scales * np.float16(-128), entry.shape)
    first = 4 if kind == "Q4_1" else 2
    nibbles = blocks[..., first:]
    values = np.concatenate([nibbles & 0x0F, nibbles >> 4], axis=-1)
    pairs = values[..., 0::2] | values[..., 1::2] << 4
    biases = _halves(blocks[..., 2:4]) if kind == "Q4_1" else scales * np.float16(-8)
    return _packed(pairs, scales, biases, entry.shape)


def _halves(raw: NDArray[np.uint8]) -> NDArray[np.float16]:
    return np.ascontiguousarray(raw).view(np.float16)[..., 0]


def _packed(
    packed: NDArray[np.uint8],
    scales: NDArray[np.float16],
    biases: NDArray[np.float16],
    shape: tuple[int, ...],
) -> dict[str, NDArray[Any]]:
    rows = np.ascontiguousarray(packed).reshape(*shape[:-1], -1).view(np.uint32)
    return {"weight": rows, "scales": scales, "biases": biases}

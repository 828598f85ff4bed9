"""How much memory a model will take, told from the headers of its files before it is loaded.

An estimate: once it is loaded, the engine says what it has.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from .engine.device import Device, device
from .engine.scheduler import budget_of
from .engine.sequence import LoadError, ModelSource
from .engine.text_part import text_config
from .gguf import GGUFHeader, read_gguf_header
from .memory import Footprint
from .safetensors import StoredTensor, read_safetensors_header

# Arrays of one layer's width that are alive together, at the widest point of a layer.
LIVE_ARRAYS: Final = 4


@dataclass(frozen=True, slots=True)
class Dimensions:
    """The numbers of a transformer; 0 where the file does not say."""

    layers: int
    hidden: int
    feed_forward: int
    heads: int
    kv_heads: int
    head_dim: int
    vocabulary: int


def footprint_of(source: ModelSource, num_ctx: int, kind: Device | None = None) -> Footprint:
    """What a model will take on this device, or on one of another kind.

    Nothing where its files cannot be read: loading says why.
    """
    kind = kind or device()
    try:
        if source.gguf is not None:
            header = read_gguf_header(source.gguf)
            found, weight_bytes = _of_gguf(header), _gguf_weights(header, kind)
        else:
            found, weight_bytes = _of_safetensors(source, kind)
        if source.projector is not None:
            weight_bytes += 4 * read_gguf_header(source.projector).parameter_count
    except (LoadError, OSError, ValueError):
        return Footprint()
    item_bytes = 2 if kind.is_gpu else 4
    kv_numbers = 0 if source.embeds else 2 * found.layers * found.kv_heads * found.head_dim
    return Footprint(
        weights=weight_bytes,
        kv_bytes_per_token=kv_numbers * item_bytes,
        activations=activation_bytes(found, num_ctx, kind),
    )


def _of_safetensors(source: ModelSource, kind: Device) -> tuple[Dimensions, int]:
    files = source.safetensors or {}
    config = json.loads(files["config.json"].read_bytes()) if "config.json" in files else {}
    if not isinstance(config, dict):
        raise LoadError("config.json is no object")
    tensors = [
        tensor
        for name, path in files.items()
        if name.endswith(".safetensors")
        for tensor in read_safetensors_header(path)
    ]
    return _of_config(text_config(config)), _hf_weights(tensors, config, kind)


def activation_bytes(found: Dimensions, num_ctx: int, kind: Device) -> int:
    """What one prefill chunk at the end of a full window takes while it runs, at least 1 MiB."""
    tokens = min(budget_of(kind).alone, num_ctx)
    item_bytes = 2 if kind.is_gpu else 4
    width = max(found.hidden, found.feed_forward)
    # where attention is fused no scores are made; MLX's CPU makes all of them
    scores = 0 if kind.is_gpu else found.heads * tokens * num_ctx
    in_layer = tokens * width * LIVE_ARRAYS + 2 * scores
    return max(1 << 20, item_bytes * in_layer + 4 * found.vocabulary)


def _gguf_weights(header: GGUFHeader, kind: Device) -> int:
    """As they lie in the file on a GPU, each a float32 elsewhere."""
    if kind.is_gpu:
        return sum(tensor.nbytes for tensor in header.tensors)
    return 4 * header.parameter_count


def _hf_weights(tensors: list[StoredTensor], config: Mapping[str, object], kind: Device) -> int:
    if kind.is_gpu:
        return sum(tensor.nbytes for tensor in tensors)
    packing = config.get("quantization")
    bits = packing.get("bits") if isinstance(packing, Mapping) else None
    packed = 32 // bits if type(bits) is int and 0 < bits <= 32 else 1  # weights in one uint32
    return sum(4 * math.prod(one.shape) * (packed if one.dtype == "U32" else 1) for one in tensors)


def _of_gguf(header: GGUFHeader) -> Dimensions:
    prefix = header.architecture

    def number(key: str) -> int:
        value = header.metadata.get(f"{prefix}.{key}")
        if isinstance(value, tuple):  # one for each layer
            value = max((one for one in value if isinstance(one, int)), default=0)
        return value if isinstance(value, int) else 0

    tokens = header.metadata.get("tokenizer.ggml.tokens")
    hidden, heads = number("embedding_length"), number("attention.head_count")
    return Dimensions(
        layers=number("block_count"),
        hidden=hidden,
        feed_forward=number("feed_forward_length"),
        heads=heads,
        kv_heads=number("attention.head_count_kv") or heads,
        head_dim=number("attention.key_length") or (hidden // heads if heads else 0),
        vocabulary=len(tokens) if isinstance(tokens, tuple) else 0,
    )


def _of_config(config: Mapping[str, object]) -> Dimensions:
    text = config.get("text_config")  # of a model that also sees
    whole = {**config, **text} if isinstance(text, Mapping) else config

    def number(key: str) -> int:
        value = whole.get(key)
        return value if type(value) is int and value > 0 else 0

    hidden, heads = number("hidden_size"), number("num_attention_heads")
    return Dimensions(
        layers=number("num_hidden_layers"),
        hidden=hidden,
        feed_forward=number("intermediate_size"),
        heads=heads,
        kv_heads=number("num_key_value_heads") or heads,
        head_dim=number("head_dim") or (hidden // heads if heads else 0),
        vocabulary=number("vocab_size"),
    )

"""The config of a model, under Hugging Face's keys, from the metadata of its GGUF.

Each number is within reason, or LoadError says which is not. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from ..gguf import GGUFHeader, TensorEntry, Value
from .architectures import Architecture, Metadata, of_gguf
from .sequence import LoadError

MAX_LAYERS: Final = 1024
ROPE_FACTORS: Final = "rope_freqs.weight"
LONG_FACTORS: Final = ("rope_factors_long.weight", "rope_factors_short.weight")


class Numbers:
    """The numbers of one architecture in a GGUF's metadata, checked as they are asked for."""

    def __init__(
        self, metadata: Mapping[str, Value], prefix: str, architecture: Architecture | None = None
    ) -> None:
        self._metadata = metadata
        self._prefix = prefix
        self._older = architecture.older_keys if architecture else {}
        self._defaults = architecture.defaults if architecture else {}

    def get(self, key: str, default: Value | None = None) -> Value | None:
        """What is there; a list of one number for each layer is that number if all are equal."""
        names = [key, self._older[key]] if key in self._older else [key]
        found = (self._metadata.get(f"{self._prefix}.{name}") for name in names)
        value = next((one for one in found if one is not None), self._defaults.get(key, default))
        if isinstance(value, tuple) and len(set(value)) == 1:
            return value[0]
        return value

    def whole(self, key: str, default: int | None = None) -> int:
        """A whole number, at least 0."""
        value = self.get(key, default)
        if type(value) is not int or not 0 <= value < 1 << 31:
            raise self._lie(key, value)
        return value

    def real(self, key: str, default: float | None = None) -> float:
        """A number above 0."""
        value = self.get(key, default)
        if type(value) not in (int, float) or not math.isfinite(value) or value <= 0:  # type: ignore[arg-type,operator]
            raise self._lie(key, value)
        return float(value)  # type: ignore[arg-type]

    def _lie(self, key: str, value: object) -> LoadError:
        return LoadError(f"lying GGUF: {self._prefix}.{key} is {value!r}")


def gguf_config(header: GGUFHeader) -> tuple[Architecture, dict[str, Any]]:
    """The architecture of a GGUF and its config; raises LoadError for what does not run."""
    name = header.architecture
    has_experts = Numbers(header.metadata, name).whole("expert_count", 0) > 0
    architecture = of_gguf(name, has_experts)
    numbers = Numbers(header.metadata, name, architecture)
    entries = {entry.name: entry for entry in header.tensors}
    for key, meaning in architecture.refused.items():
        if numbers.get(key, 0):
            raise LoadError(f"{name} with {meaning} is not supported")
    config = _sizes(numbers, architecture, entries)
    config |= architecture.fixed
    for wanted, source in architecture.metadata.items():
        config[wanted] = _number(numbers, source, config)
    config |= _rope(numbers, architecture, config)
    if architecture.scaled_by_width:
        by_width = config["num_hidden_layers"] in architecture.scaled_by_width
        heads, hidden = config["num_attention_heads"], config["hidden_size"]
        config["query_pre_attn_scalar"] = hidden / heads if by_width else config["head_dim"]
    return architecture, config


def _sizes(
    numbers: Numbers, architecture: Architecture, entries: Mapping[str, TensorEntry]
) -> dict[str, Any]:
    embedding = entries.get("token_embd.weight")
    if embedding is None or len(embedding.shape) != 2:
        raise LoadError("the GGUF has no token_embd.weight of two dimensions")
    hidden = numbers.whole("embedding_length")
    heads = numbers.whole("attention.head_count")
    kv_heads = numbers.whole("attention.head_count_kv", heads)
    layers = numbers.whole("block_count")
    if not 0 < layers <= MAX_LAYERS or not 0 < kv_heads <= heads or heads % kv_heads:
        raise LoadError(f"lying GGUF: {layers} layers, {heads} heads, {kv_heads} KV heads")
    head_dim = numbers.whole("attention.key_length", hidden // heads)
    if numbers.whole("attention.value_length", head_dim) != head_dim:
        raise LoadError("keys and values of different sizes are not supported")
    if architecture.square and head_dim * heads != hidden:
        raise LoadError(f"{heads} heads of {head_dim} in a width of {hidden} are not supported")
    per_expert = numbers.whole("expert_feed_forward_length", 0) or None
    return {
        "model_type": architecture.model_type,
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "intermediate_size": numbers.whole("feed_forward_length", per_expert),
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "head_dim": head_dim,
        "rms_norm_eps": numbers.real("attention.layer_norm_rms_epsilon"),
        "vocab_size": embedding.shape[0],
        "max_position_embeddings": numbers.whole("context_length"),
        "tie_word_embeddings": "output.weight" not in entries,
        "attention_bias": "blk.0.attn_q.bias" in entries,
        "mlp_bias": "blk.0.ffn_up.bias" in entries,
    }


def _number(numbers: Numbers, source: Metadata, config: Mapping[str, Any]) -> float:
    default = source.default
    other: Any = config[default] if isinstance(default, str) else default
    return numbers.whole(source.key, other) if source.whole else numbers.real(source.key, other)


def _rope(
    numbers: Numbers, architecture: Architecture, config: Mapping[str, Any]
) -> dict[str, Any]:
    """How positions are turned into angles."""
    head_dim: int = config["head_dim"]
    turned = numbers.whole("rope.dimension_count", head_dim)
    if not 0 < turned <= head_dim or turned % 2:
        raise LoadError(f"lying GGUF: {turned} rotated of {head_dim} dimensions")
    if turned != head_dim and not architecture.partly_turned:
        raise LoadError(f"{turned} rotated of {head_dim} dimensions are not supported")
    found: dict[str, Any] = {"rope_theta": numbers.real("rope.freq_base", 10000.0)}
    if turned != head_dim:
        found["partial_rotary_factor"] = turned / head_dim
    factor = numbers.real("rope.scaling.factor", 1.0)
    # without a type it is linear: ggml-org/llama.cpp:src/llama-model.cpp
    kind = numbers.get("rope.scaling.type", "linear" if factor != 1.0 else "none")
    if kind == "none" or (kind == "linear" and factor == 1.0):
        return found
    if kind not in architecture.scalings:
        known = ", ".join(architecture.scalings) or "none"
        raise LoadError(
            f"rope scaling {kind!r} is not supported: for {config['model_type']} {known} is"
        )
    found["rope_scaling"] = {"type": kind, "rope_type": kind, "factor": factor}
    if kind == "yarn":
        if numbers.real("rope.scaling.attn_factor", 1.0) != 1.0:
            raise LoadError("rope scaling 'yarn' with an attention factor is not supported")
        found["rope_scaling"]["original_max_position_embeddings"] = numbers.whole(
            "rope.scaling.original_context_length", config["max_position_embeddings"]
        )
    return found

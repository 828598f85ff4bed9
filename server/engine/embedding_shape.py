"""The numbers of an encoder, from a GGUF's metadata or from a `config.json`; checked.

No array library is imported here.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from ..gguf import GGUFHeader
from .sequence import LoadError

Pooling = Literal["mean", "cls", "last"]

ENCODERS: Final = frozenset({"bert", "roberta", "xlm-roberta", "nomic_bert"})
"""The `model_type`s of `config.json` that embed and do nothing else."""

LARGEST: Final = 1 << 24  # of any dimension
MAX_LAYERS: Final = 1024


@dataclass(frozen=True, slots=True)
class EncoderShape:
    """The numbers of an encoder.

    `positions` is the number of tokens a text may have; `first_position` is the row of the
    position table that the first of them gets (RoBERTa's is not 0).
    """

    layers: int
    width: int
    heads: int
    inner: int
    vocabulary: int
    positions: int
    epsilon: float
    pooling: Pooling
    first_position: int = 0
    rope_base: float | None = None  # a number: nomic-bert
    tanh_gelu: bool = False

    def check(self) -> None:
        """Raise LoadError unless each number is within reason."""
        sizes = (self.layers, self.width, self.heads, self.inner, self.vocabulary, self.positions)
        if not all(0 < one <= LARGEST for one in sizes) or self.layers > MAX_LAYERS:
            raise LoadError(f"lying config: an encoder of {self}")
        if self.width % self.heads or (self.rope_base and self.width // self.heads % 2):
            raise LoadError(f"lying config: {self.heads} heads in a width of {self.width}")
        if not 0 < self.epsilon < 1:
            raise LoadError(f"lying config: a layer norm epsilon of {self.epsilon}")
        if self.rope_base is not None and not 0 < self.rope_base < math.inf:
            raise LoadError(f"lying config: a rotary base of {self.rope_base}")

    def tensors(self) -> dict[str, tuple[int, ...]]:
        """The shape of every tensor that must be there, by its name in a GGUF.

        Queries, keys and values are one tensor, `attn_qkv`.
        """
        wide = (self.width,)
        found: dict[str, tuple[int, ...]] = {
            "token_embd.weight": (self.vocabulary, self.width),
            "token_embd_norm.weight": wide,
            "token_embd_norm.bias": wide,
        }
        if self.rope_base is None:
            rows = self.first_position + self.positions
            found["position_embd.weight"] = (rows, self.width)
        for layer in range(self.layers):
            place = f"blk.{layer}."
            found[place + "attn_qkv.weight"] = (3 * self.width, self.width)
            found[place + "attn_output.weight"] = (self.width, self.width)
            found[place + "ffn_up.weight"] = (self.inner, self.width)
            found[place + "ffn_down.weight"] = (self.width, self.inner)
            if self.rope_base is not None:
                found[place + "ffn_gate.weight"] = (self.inner, self.width)
            for norm in ("attn_output_norm", "layer_output_norm"):
                found[f"{place}{norm}.weight"] = found[f"{place}{norm}.bias"] = wide
        return found

    def biases(self) -> dict[str, tuple[int, ...]]:
        """The shape of every tensor that may be there."""
        weights = self.tensors().items()
        return {
            name.removesuffix("weight") + "bias": shape[:1]
            for name, shape in weights
            if name.startswith("blk.") and name.endswith(".weight") and len(shape) == 2
        }


# ggml-org/llama.cpp:include/llama.h llama_pooling_type
_GGUF_POOLINGS: Final[Mapping[object, Pooling]] = {1: "mean", 2: "cls", 3: "last"}
_HF_POOLINGS: Final[Mapping[str, Pooling]] = {
    "mean": "mean",
    "mean_tokens": "mean",
    "cls": "cls",
    "cls_token": "cls",
    "lasttoken": "last",
}
_ACTIVATIONS: Final = ("gelu", "gelu_new", "gelu_pytorch_tanh")


def gguf_pooling(header: GGUFHeader) -> Pooling:
    """How a GGUF's model makes one vector of many."""
    declared = header.metadata.get(f"{header.architecture}.pooling_type")
    pooling = _GGUF_POOLINGS.get(declared)
    if pooling is None:
        raise LoadError(
            f"pooling_type {declared!r} is not supported: 1 (mean), 2 (CLS) and 3 (last) are"
        )
    return pooling


def gguf_shape(header: GGUFHeader) -> EncoderShape:
    """The numbers of a GGUF encoder."""
    arch = header.architecture
    numbers = _Numbers(header.metadata, f"{arch}.")
    if header.metadata.get(f"{arch}.attention.causal", False) is not False:
        raise LoadError("an encoder with causal attention is not supported")
    rows = {entry.name: entry.shape[0] for entry in header.tensors}
    heads = numbers.whole("attention.head_count")
    if numbers.whole("attention.head_count_kv", heads) != heads:
        raise LoadError("an encoder with grouped keys and values is not supported")
    shape = EncoderShape(
        layers=numbers.whole("block_count"),
        width=numbers.whole("embedding_length"),
        heads=heads,
        inner=numbers.whole("feed_forward_length"),
        vocabulary=rows.get("token_embd.weight", 0),
        positions=numbers.whole("context_length"),
        epsilon=numbers.real("attention.layer_norm_epsilon"),
        pooling=gguf_pooling(header),
        rope_base=numbers.real("rope.freq_base", 10000.0) if arch == "nomic-bert" else None,
    )
    shape.check()
    return shape


def hf_shape(files: Mapping[str, Path]) -> EncoderShape:
    """The numbers of a Hugging Face folder."""
    config = _read(files, "config.json")
    kind = config.get("model_type")
    shape = _nomic(config, files) if kind == "nomic_bert" else _bert(config, files)
    shape.check()
    return shape


def _bert(config: Mapping[str, Any], files: Mapping[str, Path]) -> EncoderShape:
    if config.get("position_embedding_type", "absolute") != "absolute" or config.get("is_decoder"):
        raise LoadError("config.json: only encoders with absolute positions are supported")
    activation = config.get("hidden_act", "gelu")
    if activation not in _ACTIVATIONS:
        raise LoadError(f"config.json: hidden_act {activation!r} is not supported: {_ACTIVATIONS}")
    numbers = _Numbers(config, "")
    is_roberta = config.get("model_type") in ("roberta", "xlm-roberta")
    first = numbers.whole("pad_token_id", 1) + 1 if is_roberta else 0
    return EncoderShape(
        layers=numbers.whole("num_hidden_layers"),
        width=numbers.whole("hidden_size"),
        heads=numbers.whole("num_attention_heads"),
        inner=numbers.whole("intermediate_size"),
        vocabulary=numbers.whole("vocab_size"),
        positions=numbers.whole("max_position_embeddings") - first,
        epsilon=numbers.real("layer_norm_eps", 1e-12),
        pooling=hf_pooling(files),
        first_position=first,
        tanh_gelu=activation != "gelu",
    )


def _nomic(config: Mapping[str, Any], files: Mapping[str, Path]) -> EncoderShape:
    """nomic-bert of `nomic-ai/nomic-embed-text-v1.5`; what others of its kind add is refused."""
    wanted = {
        "activation_function": ("swiglu",),
        "prenorm": (False,),
        "rotary_emb_fraction": (1.0,),
        "rotary_emb_interleaved": (False,),
        "rotary_emb_scale_base": (None,),
        "use_rms_norm": (None, False),
        "causal": (None, False),
        "moe_every_n_layers": (None, 0),
    }
    for key, allowed in wanted.items():
        if config.get(key, allowed[0]) not in allowed:
            raise LoadError(f"config.json: {key} {config[key]!r} is not supported")
    numbers = _Numbers(config, "")
    # beyond what it was trained for it needs another scaling of its rotation
    trained = numbers.whole("max_trained_positions", 2048)
    return EncoderShape(
        layers=numbers.whole("n_layer"),
        width=numbers.whole("n_embd"),
        heads=numbers.whole("n_head"),
        inner=numbers.whole("n_inner"),
        vocabulary=numbers.whole("vocab_size"),
        positions=min(numbers.whole("n_positions"), trained),
        epsilon=numbers.real("layer_norm_epsilon", 1e-12),
        pooling=hf_pooling(files),
        rope_base=numbers.real("rotary_emb_base", 10000.0),
    )


def hf_pooling(files: Mapping[str, Path]) -> Pooling:
    """How a folder's model makes one vector of many; the mean where it does not say.

    Layout and default: `UKPLab/sentence-transformers:sentence_transformers/models`.
    """
    modules = _read_any(files, "modules.json")
    folder = "1_Pooling"
    for module in modules if isinstance(modules, list) else ():
        kind = str(module.get("type", "")) if isinstance(module, dict) else ""
        name = kind.rpartition(".")[2]
        if name not in ("Transformer", "Pooling", "Normalize"):
            raise LoadError(f"modules.json: a {name or 'nameless'} module is not supported")
        if name == "Pooling":
            folder = str(module.get("path", folder))
    config = _read(files, f"{folder}/config.json")
    modes = {
        key.removeprefix("pooling_mode_")
        for key, on in config.items()
        if key.startswith("pooling_mode_") and on is True
    }
    if isinstance(config.get("pooling_mode"), str):
        modes = {config["pooling_mode"]}
    found = {_HF_POOLINGS.get(mode) for mode in modes or {"mean"}}
    pooling = found.pop()
    if pooling is None or found:
        listed = ", ".join(sorted(modes))
        raise LoadError(
            f"{folder}/config.json: pooling {listed} is not supported: one of mean, "
            "cls and lasttoken is"
        )
    return pooling


def _read(files: Mapping[str, Path], name: str) -> dict[str, Any]:
    found = _read_any(files, name)
    if not isinstance(found, dict):
        raise LoadError(f"{name} holds no JSON object")
    return found


def _read_any(files: Mapping[str, Path], name: str) -> object:
    path = files.get(name)
    if path is None:
        return {}
    try:
        return json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise LoadError(f"{name} is no JSON: {error}") from error


@dataclass(frozen=True, slots=True)
class _Numbers:
    """Readers of numbers that nobody has vouched for."""

    values: Mapping[str, Any]
    prefix: str

    def whole(self, name: str, default: int | None = None) -> int:
        """A whole number from 0 up."""
        value = self.values.get(self.prefix + name, default)
        if type(value) is not int or not 0 <= value < 1 << 31:
            raise LoadError(f"lying config: {self.prefix}{name} is {value!r}")
        return value

    def real(self, name: str, default: float | None = None) -> float:
        """A finite number."""
        value = self.values.get(self.prefix + name, default)
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not math.isfinite(value):
            raise LoadError(f"lying config: {self.prefix}{name} is {value!r}")
        return float(value)

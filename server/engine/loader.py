"""From files to a model that is ready to run on this machine.

The type of a model comes from its config or its GGUF header, never from its name. Engine
thread only: every array of the model belongs to the thread that loaded it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any, Final, Protocol

import mlx.core as mx
from mlx.nn.layers.positional_encoding import RoPE
from mlx.nn.layers.quantized import quantize
from mlx.utils import tree_flatten

from ..gguf import read_gguf_header
from . import tokenizer as vocabularies
from .attention import see_bands
from .blas import multiplies_unpacked, use_fast_blas
from .cpu_layers import lay_out, lay_out_linears
from .device import device
from .ending import Ending, with_ending
from .gemma2 import see_windows
from .gguf_weights import read_gguf
from .hf_weights import packings_of, read_hf
from .rotary import ScaledRoPE
from .sequence import LoadError, ModelSource
from .tokenizer import Tokenizer
from .vision import Vision, load_vision
from .weights import Packing, Weights, dequantised

# Tiles are multiplied by one thread: from three on, plain products on all of them are faster.
TILED_THREADS: Final = 2
GEMMA2_WINDOW: Final = 4096  # where a config does not say


class Model(Protocol):
    """What the engine needs of an mlx-lm model."""

    layers: list[Any]

    def __call__(
        self,
        inputs: mx.array,
        cache: Any,  # noqa: ANN401
        input_embeddings: mx.array | None = None,
    ) -> mx.array:
        """Logits `(B, L, V)` of token ids `(B, L)`, or of embeddings in their place."""

    def parameters(self) -> dict[str, Any]:
        """The arrays, as a tree."""

    def modules(self) -> list[Any]:
        """The model and everything in it."""

    def load_weights(self, weights: list[tuple[str, mx.array]]) -> object:
        """Put arrays in their places."""


@dataclass(frozen=True, slots=True)
class KVShape:
    """The KV cache of one token: `num_layers` times keys and values of `(heads, head_dim)`.

    With a `packing` they are packed, and `dtype` is that of scales and biases.
    """

    num_layers: int
    num_heads: int
    head_dim: int
    dtype: mx.Dtype
    packing: Packing | None = None

    @property
    def bytes_per_token(self) -> int:
        """What one token of one sequence takes."""
        head_bytes = self.head_dim * int(self.dtype.size)
        if self.packing is not None:
            num_groups = self.head_dim // self.packing.group_size
            scale_bytes = 2 * num_groups * int(self.dtype.size)
            head_bytes = self.head_dim * self.packing.bits // 8 + scale_bytes
        return 2 * self.num_layers * self.num_heads * head_bytes


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model on this machine, with what the engine must know about it."""

    model: Model
    ending: Ending
    tokenizer: Tokenizer
    kv: KVShape
    vocab_size: int
    context_length: int
    weight_bytes: int
    vision: Vision | None = None


def load(source: ModelSource, num_threads: int, own_layers: bool = True) -> Loaded:
    """The model of a GGUF or of a safetensors folder; raises LoadError, saying what is wrong.

    Without `own_layers` a CPU, too, gets mlx-lm's layers: what the benchmark compares with.
    """
    if source.gguf is not None:
        header = read_gguf_header(source.gguf)
        weights = read_gguf(source.gguf, header, pack=device().is_gpu)
        tokenizer = vocabularies.from_gguf(header.metadata)
    elif source.safetensors is not None:
        weights = read_hf(source.safetensors)
        tokenizer = vocabularies.from_json(source.safetensors)
    else:
        raise LoadError("a model needs a GGUF file or safetensors")
    vocab_size: int = weights.config["vocab_size"]
    if len(tokenizer.token_bytes) > vocab_size:
        raise LoadError(
            f"the tokenizer has {len(tokenizer.token_bytes)} tokens, the model {vocab_size}"
        )
    if not tokenizer.eos_ids:
        raise LoadError("the tokenizer names no token that ends a generation")
    model = _on_gpu(weights) if device().is_gpu else _on_cpu(weights, num_threads, own_layers)
    arrays = _arrays(model)
    config = weights.config
    kv = KVShape(
        num_layers=config["num_hidden_layers"],
        num_heads=config["num_key_value_heads"],
        head_dim=config["head_dim"],
        dtype=arrays["model.norm.weight"].dtype,
    )
    vision = load_vision(source, config["hidden_size"])
    return Loaded(
        model=model,
        ending=with_ending(model),
        tokenizer=tokenizer,
        kv=kv,
        vocab_size=vocab_size,
        context_length=weights.context_length,
        weight_bytes=sum(int(array.nbytes) for array in arrays.values())
        + (vision.weight_bytes if vision else 0),
        vision=vision,
    )


def _on_cpu(weights: Weights, num_threads: int, own_layers: bool) -> Model:
    """Everything as float32, laid out for a plain product: MLX's CPU has no other fast kernel."""
    use_fast_blas(num_threads)
    mx.disable_compile()  # fused kernels would call a C++ compiler, and gain nothing here
    model, weights = _empty(weights)
    _fill(model, dequantised(weights.arrays, weights.packings))
    _adapt(model, weights)
    if own_layers:
        tiled = num_threads <= TILED_THREADS and multiplies_unpacked()
        if weights.architecture.llama_layers:
            lay_out(model, tiled)
        else:
            lay_out_linears(model)
    return model


def _on_gpu(weights: Weights) -> Model:
    """Every weight in the type that the file has, quantised ones included."""
    model, weights = _empty(weights)
    if weights.packings:
        module: Any = model
        quantize(module, class_predicate=lambda path, _: _packing(weights, path))
    dtype = _dtype(weights)
    # norms are float32 in a GGUF, and would raise all that follows to float32
    arrays = {
        name: one if one.dtype == mx.uint32 else one.astype(dtype)
        for name, one in weights.arrays.items()
    }
    _fill(model, arrays)
    _adapt(model, weights)
    return model


def _dtype(weights: Weights) -> mx.Dtype:
    """What a model computes in: the type of its embedding, or of the scales of a packed one."""
    embedding = weights.arrays.get(
        "model.embed_tokens.scales", weights.arrays.get("model.embed_tokens.weight")
    )
    if embedding is None:
        raise LoadError("the model has no embedding of its tokens")
    overflows = embedding.dtype == mx.float16 and weights.architecture.overflows
    return mx.bfloat16 if overflows else embedding.dtype


def _packing(weights: Weights, path: str) -> bool | dict[str, int]:
    packing = weights.packings.get(path)
    return packing is not None and {"group_size": packing.group_size, "bits": packing.bits}


def _empty(weights: Weights) -> tuple[Model, Weights]:
    """A model whose arrays are lazy and never made, and the weights under its names.

    An export may have a tensor for each expert: the model's class joins them.
    """
    architecture, config = weights.architecture, weights.config
    module: Any = import_module(f"mlx_lm.models.{architecture.module}")
    try:
        model: Any = module.Model(module.ModelArgs.from_dict(config))
        caches = model.make_cache() if hasattr(model, "make_cache") else []
        join = getattr(model, "sanitize", dict)
        arrays: dict[str, mx.array] = join(dict(weights.arrays))
    except Exception as error:  # whatever an odd config makes mlx-lm raise
        reason = f"{type(error).__name__}: {error}"
        raise LoadError(f"no {architecture.model_type} can be made of this ({reason})") from error
    for owner in {type(one).__module__ for one in model.modules()}:
        see_bands(import_module(owner))
    # a window is a mask here, over plain keys and values
    others = sorted({type(one).__name__ for one in caches} - {"KVCache", "RotatingKVCache"})
    if others:
        raise LoadError(
            f"{architecture.model_type} with caches of type {', '.join(others)} is not supported"
        )
    return model, replace(
        weights, arrays=arrays, packings=weights.packings or packings_of(config, arrays)
    )


def _arrays(model: Model) -> dict[str, mx.array]:
    """Every array of a model by its dotted name."""
    flat: Any = tree_flatten(model.parameters())
    return dict(flat)


def _fill(model: Model, arrays: dict[str, mx.array]) -> None:
    """Put the arrays in their places, all of them and no other."""
    wanted = {name: tuple(one.shape) for name, one in _arrays(model).items()}
    for name, array in arrays.items():
        if name not in wanted:
            raise LoadError(f"tensor {name!r} has no place in this model")
        if tuple(array.shape) != wanted[name]:
            raise LoadError(f"tensor {name!r} is {tuple(array.shape)}, expected {wanted[name]}")
    missing = sorted(set(wanted) - set(arrays))
    if missing:
        raise LoadError(f"{len(missing)} tensors are missing, first {missing[0]!r}")
    model.load_weights(list(arrays.items()))
    mx.eval(model.parameters())


def _adapt(model: Model, weights: Weights) -> None:
    """What a file says that mlx-lm's class does not do."""
    if weights.architecture.model_type == "gemma2":
        see_windows(model, weights.config.get("sliding_window") or GEMMA2_WINDOW)
    if weights.rope_factors is None:
        return
    # the frequency factors that a GGUF of Llama 3.1 and later carries
    head_dim = weights.config["head_dim"]
    base: float = weights.config["rope_theta"]
    periods = base ** (mx.arange(0, head_dim, 2) / head_dim) * weights.rope_factors
    for layer in model.layers:
        if isinstance(layer.self_attn.rope, RoPE):
            layer.self_attn.rope = ScaledRoPE(head_dim, periods)

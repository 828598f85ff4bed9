"""From the files of an embedding model to a model that is ready to run on this machine.

Every name and shape is checked before a weight is read. Engine thread only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ..gguf import GGUFHeader, read_gguf_header
from ..safetensors import read_safetensors_header
from .device import device
from .embedding_ask import Frame
from .embedding_shape import EncoderShape, gguf_pooling, gguf_shape, hf_shape
from .sequence import LoadError, ModelSource

if TYPE_CHECKING:
    import mlx.core as mx

    from .embedding_encoder import Decoder, Encoder
    from .embedding_tokenizer import EmbeddingTokenizer
    from .tokenizer import Tokenizer

_GGUF_ENCODERS: Final = ("bert", "nomic-bert")
_PREFIXES: Final = ("bert.", "roberta.", "0.auto_model.", "model.")
_HEADS: Final = re.compile(r"(cls|lm_head|classifier|pooler)\.|embeddings\.position_ids$")
"""Tensors of other uses of an encoder, and the positions, which are 0, 1, 2 and so on."""

_OUTER: Final = {
    "embeddings.word_embeddings": "token_embd",
    "embeddings.position_embeddings": "position_embd",
    "embeddings.token_type_embeddings": "token_types",
    "embeddings.LayerNorm": "token_embd_norm",
    "emb_ln": "token_embd_norm",
}
_INNER: Final = {
    "attention.self.query": "attn_q",
    "attention.self.key": "attn_k",
    "attention.self.value": "attn_v",
    "attention.output.dense": "attn_output",
    "attention.output.LayerNorm": "attn_output_norm",
    "intermediate.dense": "ffn_up",
    "output.dense": "ffn_down",
    "output.LayerNorm": "layer_output_norm",
    "attn.Wqkv": "attn_qkv",
    "attn.out_proj": "attn_output",
    "norm1": "attn_output_norm",
    "mlp.fc11": "ffn_up",
    "mlp.fc12": "ffn_gate",
    "mlp.fc2": "ffn_down",
    "norm2": "layer_output_norm",
}
"""BERT's and nomic-bert's names of what a GGUF calls otherwise."""

_LAYER: Final = re.compile(r"encoder\.layers?\.(\d{1,4})\.(.+)")
_PLACE: Final = re.compile(r"blk\.\d{1,4}\.attn_(q|k|v)\.(weight|bias)")


@dataclass(frozen=True, slots=True)
class LoadedEmbedder:
    """An embedding model on this machine, with what the engine must know about it."""

    model: Encoder | Decoder
    tokenizer: EmbeddingTokenizer | Tokenizer
    frame: Frame
    context_length: int


def load_embedder(source: ModelSource, num_threads: int) -> LoadedEmbedder:
    """The embedding model of a GGUF or a safetensors folder; LoadError says what is wrong."""
    from . import embedding_tokenizer as tokenizers
    from .embedding_unigram import unigram

    if source.gguf is None:
        files = source.safetensors or {}
        shape = hf_shape(files)
        return _encoder(shape, tokenizers.from_json(files), _hf_arrays(files, shape), num_threads)
    header = read_gguf_header(source.gguf)
    if header.architecture == "llama":
        return _decoder(source, header, num_threads)
    if header.architecture not in _GGUF_ENCODERS:
        listed = ", ".join((*_GGUF_ENCODERS, "llama"))
        raise LoadError(
            f"embedding with architecture {header.architecture!r} is not supported: {listed} are"
        )
    shape = gguf_shape(header)
    is_unigram = header.metadata.get("tokenizer.ggml.model") == "t5"
    read = unigram if is_unigram else tokenizers.wordpiece
    tokenizer = read(header.metadata)
    return _encoder(shape, tokenizer, _gguf_arrays(source.gguf, header, shape), num_threads)


def _encoder(
    shape: EncoderShape,
    tokenizer: EmbeddingTokenizer,
    arrays: dict[str, mx.array],
    num_threads: int,
) -> LoadedEmbedder:
    import mlx.core as mx

    from .blas import use_fast_blas
    from .embedding_encoder import Encoder

    if tokenizer.num_tokens > shape.vocabulary:
        raise LoadError(
            f"the tokenizer has {tokenizer.num_tokens} tokens, the model {shape.vocabulary}"
        )
    if not device().is_gpu:
        use_fast_blas(num_threads)
        mx.disable_compile()  # fused kernels would call a C++ compiler
    dtype = arrays["token_embd.weight"].dtype if device().is_gpu else mx.float32
    model = Encoder(shape, {name: one.astype(dtype) for name, one in arrays.items()})
    return LoadedEmbedder(model, tokenizer, tokenizer.frame, shape.positions)


def _decoder(source: ModelSource, header: GGUFHeader, num_threads: int) -> LoadedEmbedder:
    """A llama that says how it is pooled."""
    from .embedding_encoder import Decoder
    from .loader import load

    if header.metadata.get("llama.attention.causal", True) is not True:
        raise LoadError("a llama whose attention is not causal is not supported")
    pooling = gguf_pooling(header)
    loaded = load(source, num_threads)
    tokenizer, model = loaded.tokenizer, loaded.model
    before = (tokenizer.bos_id,) if tokenizer.add_bos and tokenizer.bos_id is not None else ()
    ends = header.metadata.get("tokenizer.ggml.eos_token_id")
    adds_end = header.metadata.get("tokenizer.ggml.add_eos_token") is True
    frame = Frame(before, (ends,) if adds_end and type(ends) is int else ())
    hidden = model.model  # type: ignore[attr-defined]  # of mlx-lm: without the head
    decoder = Decoder(hidden, pooling, loaded.weight_bytes)
    return LoadedEmbedder(decoder, tokenizer, frame, loaded.context_length)


def _gguf_arrays(path: Path, header: GGUFHeader, shape: EncoderShape) -> dict[str, mx.array]:
    import numpy as np

    from .gguf_blocks import check_types, packing, read_tensor
    from .weights import Packing, dequantised

    entries = {entry.name: entry for entry in header.tensors if not _HEADS.match(entry.name)}
    check_types(tuple(entries.values()))
    _check({name: entry.shape for name, entry in entries.items()}, shape)
    mapped = np.memmap(path, dtype=np.uint8, mode="r")
    plain: dict[str, mx.array] = {}
    packed: dict[str, mx.array] = {}
    packings: dict[str, Packing] = {}
    for name, entry in entries.items():
        parts = read_tensor(mapped[entry.offset : entry.offset + entry.nbytes], entry)
        how = packing(entry)
        if how is None:
            plain[name] = parts["weight"]
        else:
            module = name.removesuffix(".weight")
            packings[module] = how
            packed |= {f"{module}.{part}": one for part, one in parts.items()}
    return _fused(plain | dequantised(packed, packings))


def _hf_arrays(files: Mapping[str, Path], shape: EncoderShape) -> dict[str, mx.array]:
    import numpy as np

    from .hf_weights import tensor_array

    found = {
        tensor.name: (path, tensor)
        for name, path in sorted(files.items())
        if name.endswith(".safetensors")
        for tensor in read_safetensors_header(path)
    }
    named = {ours: name for name in found if (ours := _renamed(name, found)) is not None}
    _check({ours: found[name][1].shape for ours, name in named.items()}, shape)
    mapped = {path: np.memmap(path, dtype=np.uint8, mode="r") for path, _ in found.values()}
    arrays = {
        ours: tensor_array(mapped[found[name][0]], found[name][1]) for ours, name in named.items()
    }
    return _fused(arrays)


def _renamed(name: str, names: Mapping[str, object]) -> str | None:
    """A GGUF's name of a Hugging Face tensor; None for one that embedding has no use for."""
    used = next(
        (one for one in _PREFIXES if f"{one}embeddings.word_embeddings.weight" in names), ""
    )
    inner = name.removeprefix(used)
    if _HEADS.match(inner):
        return None
    module, _, last = inner.replace("gamma", "weight").replace("beta", "bias").rpartition(".")
    if module in _OUTER:
        return f"{_OUTER[module]}.{last}"
    layer = _LAYER.fullmatch(module)
    if layer is None or layer[2] not in _INNER:
        raise LoadError(f"tensor {name!r} is no part of an encoder that is supported")
    return f"blk.{int(layer[1])}.{_INNER[layer[2]]}.{last}"


def _check(found: Mapping[str, tuple[int, ...]], shape: EncoderShape) -> None:
    """Raise LoadError unless the tensors are those of the shape, all of them and no other."""
    wanted = shape.tensors()
    allowed = wanted | shape.biases()
    third = {"weight": (shape.width, shape.width), "bias": (shape.width,)}
    for name, size in found.items():
        part = _PLACE.fullmatch(name)
        expected = third[part[2]] if part else allowed.get(name)
        if name == "token_types.weight":
            expected = (*size[:1], shape.width)
        if expected is None:
            raise LoadError(f"tensor {name!r} has no place in this model")
        if size != expected:
            raise LoadError(f"tensor {name!r} is {size}, expected {expected}")
    missing = sorted(name for name in wanted if not _is_there(name, found))
    if missing:
        raise LoadError(f"{len(missing)} tensors are missing, first {missing[0]!r}")


def _is_there(name: str, found: Mapping[str, object]) -> bool:
    """Whether a tensor is there, in one or in three."""
    thirds = (name.replace("attn_qkv", f"attn_{part}") for part in "qkv")
    return name in found or ("attn_qkv" in name and all(third in found for third in thirds))


def _fused(arrays: dict[str, mx.array]) -> dict[str, mx.array]:
    """The arrays with queries, keys and values in one."""
    import mlx.core as mx

    for name in [name for name in arrays if ".attn_q." in name]:
        thirds = [name.replace(".attn_q.", f".attn_{part}.") for part in "qkv"]
        if not all(third in arrays for third in thirds):
            raise LoadError(f"{name!r} is there without its keys or values")
        together = mx.concatenate([arrays.pop(third) for third in thirds])
        arrays[name.replace(".attn_q.", ".attn_qkv.")] = together
    return arrays

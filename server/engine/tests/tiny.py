"""Very small random llamas, written as the files that people have: GGUF and safetensors.

The GGUF writer is here, and not taken from PyPI, so that tests can make it lie.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

HIDDEN, HEADS, KV_HEADS, LAYERS, FFN = 64, 4, 2, 2, 96
HEAD_DIM = HIDDEN // HEADS
END, START = "<|end|>", "<|start|>"

Array = NDArray[Any]


def characters() -> list[str]:
    """The 256 characters that byte-level BPE writes for the bytes 0 to 255."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [one for one in range(256) if one not in printable]
    table = {one: chr(one) for one in printable}
    table |= {one: chr(256 + place) for place, one in enumerate(others)}
    return [table[one] for one in range(256)]


MERGES = ["t h", "th e", "Ġ the", "Ġ a", "i n"]
TOKENS = [*characters(), *(merge.replace(" ", "") for merge in MERGES), START, END]
END_ID = TOKENS.index(END)


def weights(seed: int = 0, vocab: int = len(TOKENS)) -> dict[str, Array]:
    """Random weights under Hugging Face's names; the likeliest token is an ASCII character."""
    random = np.random.default_rng(seed)

    def normal(*shape: int) -> Array:
        return random.standard_normal(shape).astype(np.float32) * np.float32(0.2)

    arrays = {"model.embed_tokens.weight": normal(vocab, HIDDEN)}
    for layer in range(LAYERS):
        place = f"model.layers.{layer}."
        arrays |= {
            place + "self_attn.q_proj.weight": normal(HIDDEN, HIDDEN),
            place + "self_attn.k_proj.weight": normal(KV_HEADS * HEAD_DIM, HIDDEN),
            place + "self_attn.v_proj.weight": normal(KV_HEADS * HEAD_DIM, HIDDEN),
            place + "self_attn.o_proj.weight": normal(HIDDEN, HIDDEN),
            place + "mlp.gate_proj.weight": normal(FFN, HIDDEN),
            place + "mlp.up_proj.weight": normal(FFN, HIDDEN),
            place + "mlp.down_proj.weight": normal(HIDDEN, FFN),
            place + "input_layernorm.weight": 1 + normal(HIDDEN),
            place + "post_attention_layernorm.weight": 1 + normal(HIDDEN),
        }
    arrays["model.norm.weight"] = 1 + normal(HIDDEN)
    head = normal(vocab, HIDDEN)
    head[128:256] = head[END_ID] = 0
    arrays["lm_head.weight"] = head
    return arrays


def config() -> dict[str, Any]:
    """The config.json of these models."""
    return {
        "model_type": "llama",
        "hidden_size": HIDDEN,
        "num_hidden_layers": LAYERS,
        "intermediate_size": FFN,
        "num_attention_heads": HEADS,
        "num_key_value_heads": KV_HEADS,
        "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0,
        "vocab_size": len(TOKENS),
        "max_position_embeddings": 512,
        "tie_word_embeddings": False,
        "eos_token_id": END_ID,
    }


def tokenizer_json() -> dict[str, Any]:
    """A byte-level tokenizer.json with the same tokens as the GGUF."""
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}
    return {
        "version": "1.0",
        "added_tokens": [
            {
                "id": TOKENS.index(text),
                "content": text,
                "single_word": False,
                "lstrip": False,
                "rstrip": False,
                "normalized": False,
                "special": True,
            }
            for text in (START, END)
        ],
        "normalizer": None,
        "pre_tokenizer": level | {"use_regex": True},
        "post_processor": None,
        "decoder": level | {"use_regex": True},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "vocab": {token: index for index, token in enumerate(TOKENS[:-2])},
            "merges": MERGES,
        },
    }


def write_safetensors(
    folder: Path,
    arrays: Mapping[str, Array],
    changes: Mapping[str, Any] | None = None,
    dtype: str | None = None,
) -> dict[str, Path]:
    """A Hugging Face folder; `dtype` names what 16-bit patterns in uint16 arrays mean."""
    names = {"float32": "F32", "float16": "F16", "uint32": "U32", "uint16": dtype}
    header, body = {}, b""
    for name, array in arrays.items():
        raw = array.tobytes()
        header[name] = {
            "dtype": names[str(array.dtype)],
            "shape": list(array.shape),
            "data_offsets": [len(body), len(body) + len(raw)],
        }
        body += raw
    text = json.dumps(header).encode()
    contents = {
        "model.safetensors": len(text).to_bytes(8, "little") + text + body,
        "config.json": json.dumps(config() | dict(changes or {})).encode(),
        "tokenizer.json": json.dumps(tokenizer_json()).encode(),
    }
    files = {}
    for name, content in contents.items():
        files[name] = folder / f"sha256-{name.replace('.', '-')}"  # blobs have no extension
        files[name].write_bytes(content)
    return files


@dataclass(frozen=True, slots=True)
class Stored:
    """One tensor as a GGUF has it: type code, shape outermost first, bytes."""

    code: int
    shape: tuple[int, ...]
    raw: bytes


def metadata() -> dict[str, Any]:
    """The metadata of these models."""
    return {
        "general.architecture": "llama",
        "llama.block_count": LAYERS,
        "llama.context_length": 512,
        "llama.embedding_length": HIDDEN,
        "llama.feed_forward_length": FFN,
        "llama.attention.head_count": HEADS,
        "llama.attention.head_count_kv": KV_HEADS,
        "llama.attention.layer_norm_rms_epsilon": 1e-5,
        "llama.rope.freq_base": 10000.0,
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "gpt-2",
        "tokenizer.ggml.tokens": TOKENS,
        "tokenizer.ggml.merges": MERGES,
        "tokenizer.ggml.token_type": [1] * (len(TOKENS) - 2) + [3, 3],
        "tokenizer.ggml.eos_token_id": END_ID,
    }


_RENAMED = {
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "lm_head": "output",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "model.layers": "blk",
}


def gguf_tensors(arrays: Mapping[str, Array], kind: str = "F32") -> dict[str, Stored]:
    """The tensors under GGUF's names, rows of q and k permuted as llama.cpp wants them."""
    tensors = {}
    for name, array in arrays.items():
        renamed = name
        for ours, theirs in _RENAMED.items():
            renamed = renamed.replace(ours, theirs)
        heads = {"attn_q": HEADS, "attn_k": KV_HEADS}.get(renamed.split(".")[-2])
        if heads:
            halves = array.reshape(heads, 2, len(array) // heads // 2, -1)
            array = np.ascontiguousarray(halves.swapaxes(1, 2)).reshape(array.shape)
        tensors[renamed] = stored(array, kind if array.ndim == 2 else "F32")
    return tensors


def stored(array: Array, kind: str) -> Stored:
    """An array as a tensor of that type; quantising follows ggml's reference routines."""
    if kind in ("F32", "F16"):
        dtype = np.float32 if kind == "F32" else np.float16
        return Stored(0 if kind == "F32" else 1, array.shape, array.astype(dtype).tobytes())
    blocks = array.reshape(-1, 32)
    if kind == "Q8_0":
        scale = (np.abs(blocks).max(1, keepdims=True) / 127).astype(np.float16)
        quants = np.rint(blocks / _divisor(scale)).astype(np.int8)
        raw = np.concatenate([scale.view(np.uint8), quants.view(np.uint8)], axis=1)
        return Stored(8, array.shape, raw.tobytes())
    if kind == "Q4_0":
        largest = np.take_along_axis(blocks, np.abs(blocks).argmax(1)[:, None], 1)
        scale = (largest / -8).astype(np.float16)
        head, low, code = scale.view(np.uint8), scale.astype(np.float32) * -8, 2
    else:
        assert kind == "Q4_1"
        low = blocks.min(1, keepdims=True).astype(np.float16)
        scale = ((blocks.max(1, keepdims=True) - low) / 15).astype(np.float16)
        head, code = np.concatenate([scale.view(np.uint8), low.view(np.uint8)], axis=1), 3
    steps = (blocks - low.astype(np.float32)) / _divisor(scale)
    quants = np.clip(np.rint(steps), 0, 15).astype(np.uint8)
    raw = np.concatenate([head, quants[:, :16] | quants[:, 16:] << 4], axis=1)
    return Stored(code, array.shape, raw.tobytes())


def _divisor(scale: Array) -> Array:
    """The scale, or anything but zero for a block of zeros."""
    return np.where(scale == 0, np.float32(1), scale.astype(np.float32))


def gguf_bytes(pairs: Mapping[str, Any], tensors: Mapping[str, Stored]) -> bytes:
    """A GGUF file of version 3."""
    out = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(pairs))
    for key, value in pairs.items():
        out += _text(key) + _value(value)
    body = b""
    for name, tensor in tensors.items():
        out += _text(name) + struct.pack("<I", len(tensor.shape))
        out += b"".join(struct.pack("<Q", one) for one in reversed(tensor.shape))
        out += struct.pack("<IQ", tensor.code, len(body))
        body += tensor.raw + b"\0" * (-len(tensor.raw) % 32)
    return out + b"\0" * (-len(out) % 32) + body


def _text(text: str) -> bytes:
    raw = text.encode()
    return struct.pack("<Q", len(raw)) + raw


def _value(value: object) -> bytes:
    match value:
        case bool():
            return struct.pack("<I?", 7, value)
        case int():
            return struct.pack("<II", 4, value)
        case float():
            return struct.pack("<If", 6, value)
        case str():
            return struct.pack("<I", 8) + _text(value)
        case [str(), *_]:
            return struct.pack("<IIQ", 9, 8, len(value)) + b"".join(
                _text(str(one)) for one in value
            )
        case [float(), *_]:
            return struct.pack(f"<IIQ{len(value)}f", 9, 6, len(value), *value)
        case [int(), *_]:
            return struct.pack(f"<IIQ{len(value)}i", 9, 5, len(value), *value)
    raise TypeError(value)


def write_gguf(
    path: Path, arrays: Mapping[str, Array], kind: str = "F32", **changes: object
) -> Path:
    """A GGUF file of these weights; `changes` replace metadata, dots written as two underscores."""
    renamed = {key.replace("__", "."): value for key, value in changes.items()}
    path.write_bytes(gguf_bytes(metadata() | renamed, gguf_tensors(arrays, kind)))
    return path


def write_wide_gguf(path: Path, kind: str = "F32") -> Path:
    """The same weights as two heads of 32 numbers and one of keys and values, to be packed."""
    heads = {"llama__attention__head_count": 2, "llama__attention__head_count_kv": 1}
    return write_gguf(path, weights(), kind, **heads)


def prompts(count: int, seed: int = 5) -> Sequence[tuple[int, ...]]:
    """Random prompts of 1 to 40 tokens."""
    random = np.random.default_rng(seed)
    sizes = random.integers(1, 41, count)
    return [tuple(int(one) for one in random.integers(0, 256, size)) for size in sizes]

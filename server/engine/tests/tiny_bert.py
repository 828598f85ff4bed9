"""Very small random encoders, written as the files that people have, and what they must answer.

The answers are computed here in float64 with NumPy, from the same weights.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from . import tiny
from .tiny import Array

WIDTH, HEADS, LAYERS, INNER, POSITIONS = 32, 4, 2, 64, 40
EPSILON = 1e-12

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = ["the", "sky", "is", "blue", "grass", "green", "a", "b", ".", "naive"]
INSIDE = ["##s", "##ing", "##a", "##b", "##n"]
VOCABULARY = [*SPECIAL, *WORDS, *INSIDE]
CLS, SEP = VOCABULARY.index("[CLS]"), VOCABULARY.index("[SEP]")

_NAMES = {
    "token_embd": "embeddings.word_embeddings",
    "position_embd": "embeddings.position_embeddings",
    "token_types": "embeddings.token_type_embeddings",
    "token_embd_norm": "embeddings.LayerNorm",
    "attn_q": "attention.self.query",
    "attn_k": "attention.self.key",
    "attn_v": "attention.self.value",
    "attn_output": "attention.output.dense",
    "attn_output_norm": "attention.output.LayerNorm",
    "ffn_up": "intermediate.dense",
    "ffn_down": "output.dense",
    "layer_output_norm": "output.LayerNorm",
}
_NOMIC_NAMES = {
    "token_embd_norm": "emb_ln",
    "attn_qkv": "attn.Wqkv",
    "attn_output": "attn.out_proj",
    "attn_output_norm": "norm1",
    "ffn_up": "mlp.fc11",
    "ffn_gate": "mlp.fc12",
    "ffn_down": "mlp.fc2",
    "layer_output_norm": "norm2",
}


def weights(seed: int = 0, *, nomic: bool = False, rows: int = POSITIONS) -> dict[str, Array]:
    """Random weights under a GGUF's names; nomic-bert's with queries, keys and values in one."""
    random = np.random.default_rng(seed)

    def normal(*shape: int) -> Array:
        return random.standard_normal(shape).astype(np.float32) * np.float32(0.3)

    arrays = {"token_embd.weight": normal(len(VOCABULARY), WIDTH)}
    arrays["token_types.weight"] = normal(2, WIDTH)
    arrays |= {"token_embd_norm.weight": 1 + normal(WIDTH), "token_embd_norm.bias": normal(WIDTH)}
    if not nomic:
        arrays["position_embd.weight"] = normal(rows, WIDTH)
    for layer in range(LAYERS):
        shapes = {"attn_output": (WIDTH, WIDTH)}
        shapes |= {"ffn_up": (INNER, WIDTH), "ffn_down": (WIDTH, INNER)}
        if nomic:
            shapes |= {"attn_qkv": (3 * WIDTH, WIDTH), "ffn_gate": (INNER, WIDTH)}
        else:
            shapes |= {f"attn_{part}": (WIDTH, WIDTH) for part in "qkv"}
        for name, shape in shapes.items():
            arrays[f"blk.{layer}.{name}.weight"] = normal(*shape)
            if not nomic:
                arrays[f"blk.{layer}.{name}.bias"] = normal(shape[0])
        for name in ("attn_output_norm", "layer_output_norm"):
            arrays[f"blk.{layer}.{name}.weight"] = 1 + normal(WIDTH)
            arrays[f"blk.{layer}.{name}.bias"] = normal(WIDTH)
    return arrays


def expected(
    arrays: Mapping[str, Array],
    ids: Sequence[int],
    *,
    pooling: str = "mean",
    rope_base: float | None = None,
    first_position: int = 0,
) -> Array:
    """The unit vector of one row of token ids, in float64."""
    exact = {name: array.astype(np.float64) for name, array in arrays.items()}
    x = exact["token_embd.weight"][list(ids)] + exact["token_types.weight"][0]
    if rope_base is None:
        x = x + exact["position_embd.weight"][first_position : first_position + len(ids)]
    x = _norm(exact, "token_embd_norm", x)
    for layer in range(LAYERS):
        place = f"blk.{layer}."
        x = _norm(exact, place + "attn_output_norm", x + _attention(exact, place, x, rope_base))
        up = _linear(exact, place + "ffn_up", x)
        if rope_base is None:
            up = up * 0.5 * (1 + np.vectorize(math.erf)(up / math.sqrt(2)))
        else:
            gate = _linear(exact, place + "ffn_gate", x)
            up = up * gate / (1 + np.exp(-gate))
        x = _norm(exact, place + "layer_output_norm", x + _linear(exact, place + "ffn_down", up))
    vector = {"mean": x.mean(0), "cls": x[0], "last": x[-1]}[pooling]
    return np.asarray(vector / np.linalg.norm(vector))


def _attention(arrays: Mapping[str, Array], place: str, x: Array, rope_base: float | None) -> Array:
    if rope_base is None:
        q, k, v = (_linear(arrays, f"{place}attn_{part}", x) for part in "qkv")
    else:
        q, k, v = np.split(_linear(arrays, place + "attn_qkv", x), 3, axis=-1)
    size = WIDTH // HEADS
    seen = []
    for head in range(HEADS):
        part = slice(head * size, (head + 1) * size)
        query, key = q[:, part], k[:, part]
        if rope_base is not None:
            query, key = _rotated(query, rope_base), _rotated(key, rope_base)
        scores = query @ key.T / math.sqrt(size)
        shares = np.exp(scores - scores.max(-1, keepdims=True))
        seen.append(shares / shares.sum(-1, keepdims=True) @ v[:, part])
    return _linear(arrays, place + "attn_output", np.concatenate(seen, -1))


def _rotated(x: Array, base: float) -> Array:
    """Rotary embedding of halves, as GPT-NeoX has it."""
    half = x.shape[-1] // 2
    angles = np.arange(len(x))[:, None] * base ** (-np.arange(half) / half)
    first, second = x[:, :half], x[:, half:]
    cos, sin = np.cos(angles), np.sin(angles)
    return np.concatenate([first * cos - second * sin, first * sin + second * cos], -1)


def _linear(arrays: Mapping[str, Array], name: str, x: Array) -> Array:
    product = x @ arrays[name + ".weight"].T
    return np.asarray(product + arrays.get(name + ".bias", 0.0))


def _norm(arrays: Mapping[str, Array], name: str, x: Array) -> Array:
    centred = x - x.mean(-1, keepdims=True)
    scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + EPSILON)
    return np.asarray(scaled * arrays[name + ".weight"] + arrays[name + ".bias"])


def config(**changes: object) -> dict[str, Any]:
    """The config.json of these models."""
    return {
        "model_type": "bert",
        "hidden_size": WIDTH,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "intermediate_size": INNER,
        "hidden_act": "gelu",
        "layer_norm_eps": EPSILON,
        "max_position_embeddings": POSITIONS,
        "type_vocab_size": 2,
        "vocab_size": len(VOCABULARY),
    } | changes


def nomic_config(**changes: object) -> dict[str, Any]:
    """The config.json of a nomic-bert."""
    return {
        "model_type": "nomic_bert",
        "n_embd": WIDTH,
        "n_layer": LAYERS,
        "n_head": HEADS,
        "n_inner": INNER,
        "n_positions": 8192,
        "max_trained_positions": POSITIONS,
        "layer_norm_epsilon": EPSILON,
        "rotary_emb_base": 1000,
        "rotary_emb_fraction": 1.0,
        "activation_function": "swiglu",
        "vocab_size": len(VOCABULARY),
    } | changes


def tokenizer_json() -> dict[str, Any]:
    """A WordPiece tokenizer.json that cuts at 7 tokens and pads, as many people's do."""
    special = {
        "single_word": False,
        "lstrip": False,
        "rstrip": False,
        "normalized": False,
        "special": True,
    }
    return {
        "version": "1.0",
        "truncation": {
            "max_length": 7,
            "strategy": "LongestFirst",
            "stride": 0,
            "direction": "Right",
        },
        "padding": {
            "strategy": {"Fixed": 7},
            "direction": "Right",
            "pad_to_multiple_of": None,
            "pad_id": 0,
            "pad_type_id": 0,
            "pad_token": "[PAD]",
        },
        "added_tokens": [
            {"id": index, "content": token} | special for index, token in enumerate(SPECIAL)
        ],
        "normalizer": {
            "type": "BertNormalizer",
            "clean_text": True,
            "handle_chinese_chars": True,
            "strip_accents": None,
            "lowercase": True,
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", SEP], "cls": ["[CLS]", CLS]},
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
        "model": {
            "type": "WordPiece",
            "unk_token": "[UNK]",
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
            "vocab": {token: index for index, token in enumerate(VOCABULARY)},
        },
    }


def hf_names(arrays: Mapping[str, Array], prefix: str = "") -> dict[str, Array]:
    """The weights under Hugging Face's names."""
    nomic = "blk.0.attn_qkv.weight" in arrays
    names = _NAMES | (_NOMIC_NAMES if nomic else {})
    renamed = {}
    for name, array in arrays.items():
        *outer, inner, last = name.split(".")
        layer = f"encoder.{'layers' if nomic else 'layer'}.{outer[1]}." if outer else ""
        renamed[f"{prefix}{layer}{names[inner]}.{last}"] = array
    return renamed


def write_hf(
    folder: Path,
    arrays: Mapping[str, Array],
    settings: Mapping[str, Any] | None = None,
    **others: object,
) -> dict[str, Path]:
    """A Hugging Face folder; `others` are JSON files, slashes written as two underscores."""
    found: dict[str, Any] = {
        "config.json": settings or config(),
        "tokenizer.json": tokenizer_json(),
    }
    found |= {f"{name.replace('__', '/')}.json": content for name, content in others.items()}
    contents = {name: json.dumps(content).encode() for name, content in found.items()}
    contents["model.safetensors"] = safetensors(arrays)
    files = {}
    for name, content in contents.items():
        files[name] = folder / f"sha256-{name.replace('.', '-').replace('/', '-')}"
        files[name].write_bytes(content)
    return files


def safetensors(arrays: Mapping[str, Array]) -> bytes:
    """A safetensors file of float32 or int64 arrays."""
    header, body = {}, b""
    for name, array in arrays.items():
        raw = array.tobytes()
        header[name] = {
            "dtype": "F32" if array.dtype == np.float32 else "I64",
            "shape": list(array.shape),
            "data_offsets": [len(body), len(body) + len(raw)],
        }
        body += raw
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + body


def metadata(architecture: str = "bert") -> dict[str, Any]:
    """The metadata of these models as Ollama's converter writes it."""
    tokens = [
        token if token in SPECIAL else token[2:] if token.startswith("##") else "▁" + token
        for token in VOCABULARY
    ]
    return {
        "general.architecture": architecture,
        f"{architecture}.attention.causal": False,
        f"{architecture}.attention.head_count": HEADS,
        f"{architecture}.attention.layer_norm_epsilon": EPSILON,
        f"{architecture}.block_count": LAYERS,
        f"{architecture}.context_length": POSITIONS,
        f"{architecture}.embedding_length": WIDTH,
        f"{architecture}.feed_forward_length": INNER,
        f"{architecture}.pooling_type": 1,
        f"{architecture}.rope.freq_base": 1000.0,
        "tokenizer.ggml.model": "bert",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": [3] * len(SPECIAL) + [1] * (len(tokens) - len(SPECIAL)),
        "tokenizer.ggml.cls_token_id": CLS,
        "tokenizer.ggml.seperator_token_id": SEP,
        "tokenizer.ggml.unknown_token_id": 1,
        "tokenizer.ggml.padding_token_id": 0,
        "tokenizer.ggml.mask_token_id": 4,
    }


def gguf(arrays: Mapping[str, Array], kind: str = "F32", **changes: object) -> bytes:
    """A GGUF of these weights; `changes` replace metadata, None removes, `__` stands for a dot."""
    arch = "nomic-bert" if "blk.0.attn_qkv.weight" in arrays else "bert"
    renamed = {key.replace("__", "."): value for key, value in changes.items()}
    pairs = {key: each for key, each in (metadata(arch) | renamed).items() if each is not None}
    tensors = {
        name: tiny.stored(array, kind if array.ndim == 2 else "F32")
        for name, array in arrays.items()
    }
    return tiny.gguf_bytes(pairs, tensors)

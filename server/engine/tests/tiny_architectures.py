"""A very small random model of every architecture that runs, as safetensors and as GGUF.

The GGUF is written by PyPI's `gguf`, with that project's own table of names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import gguf
import mlx.core as mx
import numpy as np
from mlx.nn.layers.quantized import quantize
from mlx.utils import tree_flatten

from ..architectures import ARCHITECTURES, Architecture
from . import tiny
from .tiny import Array

EMBEDDING = "model.embed_tokens"
WINDOW = 8  # of layers that look back only so far: less than most prompts


@dataclass(frozen=True, slots=True)
class Case:
    """One architecture, with what its config has besides the common sizes."""

    architecture: Architecture
    config: Mapping[str, Any] = field(default_factory=dict)
    keys: Mapping[str, Any] = field(default_factory=dict)  # of the GGUF, besides the common ones

    @property
    def whole_config(self) -> dict[str, Any]:
        """The config.json."""
        return tiny.config() | {"model_type": self.architecture.model_type} | dict(self.config)


_EXPERTS = {"expert_count": 4, "expert_used_count": 2}
_YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64}
_LONG = {
    "type": "longrope",
    "long_factor": [1.5, 2.0, 3.0, 4.0],
    "short_factor": [1.0, 1.1, 1.2, 1.3],
}
_GEMMA = {"head_dim": 32, "tie_word_embeddings": True}
_GEMMA_KEYS = {"attention.key_length": 32, "attention.value_length": 32}

_SPECIAL: dict[str, dict[str, Any]] = {
    "mixtral": {
        "config": {"num_local_experts": 4, "num_experts_per_tok": 2},
        "keys": _EXPERTS,
    },
    "qwen2": {"config": {"tie_word_embeddings": True}},
    "qwen3": {
        "config": {"head_dim": 32},
        "keys": {"attention.key_length": 32, "attention.value_length": 32},
    },
    "qwen3_moe": {
        "config": {
            "head_dim": 16,
            "num_experts": 4,
            "num_experts_per_tok": 2,
            "moe_intermediate_size": 32,
            "decoder_sparse_step": 1,
            "mlp_only_layers": [],
            "norm_topk_prob": True,
        },
        "keys": {**_EXPERTS, "expert_feed_forward_length": 32},
    },
    "gemma": {"config": _GEMMA, "keys": _GEMMA_KEYS},
    "gemma2": {
        "config": _GEMMA | {"query_pre_attn_scalar": 32, "sliding_window": 4096},
        "keys": _GEMMA_KEYS
        | {
            "attn_logit_softcapping": 50.0,
            "final_logit_softcapping": 30.0,
            "attention.sliding_window": 4096,
        },
    },
    "gemma3_text": {
        "config": _GEMMA
        | {
            "query_pre_attn_scalar": 32,
            "sliding_window": WINDOW,
            "sliding_window_pattern": 2,
            "rope_theta": 1e6,
            "rope_local_base_freq": 10000.0,
            "rope_scaling": {"rope_type": "linear", "factor": 8.0},
        },
        "keys": _GEMMA_KEYS
        | {
            "attention.sliding_window": WINDOW,
            "attention.sliding_window_pattern": 2,
            "rope.freq_base": 1e6,
            "rope.scaling.type": "linear",
            "rope.scaling.factor": 8.0,
        },
    },
    "granite": {
        "config": {
            "logits_scaling": 2.0,
            "attention_multiplier": 0.2,
            "embedding_multiplier": 3.0,
            "residual_multiplier": 0.5,
            "attention_bias": False,
            "mlp_bias": False,
            "tie_word_embeddings": True,
        },
        "keys": {
            "logit_scale": 2.0,
            "attention.scale": 0.2,
            "embedding_scale": 3.0,
            "residual_scale": 0.5,
        },
    },
    "olmoe": {
        "config": {"num_experts": 4, "num_experts_per_tok": 2, "num_key_value_heads": 4},
        "keys": _EXPERTS,
    },
    "smollm3": {"config": {"num_hidden_layers": 4}},
}

CASES = {one.model_type: Case(one, **_SPECIAL.get(one.model_type, {})) for one in ARCHITECTURES}
BY_TYPE = {one.model_type: one for one in ARCHITECTURES}
CASES |= {
    "qwen3-yarn": Case(
        BY_TYPE["qwen3"],
        {"rope_scaling": _YARN, "head_dim": 16},
        {
            "rope.scaling.type": "yarn",
            "rope.scaling.factor": 4.0,
            "rope.scaling.original_context_length": 64,
        },
    ),
    "phi3-longrope": Case(
        BY_TYPE["phi3"],
        {
            "rope_scaling": _LONG,
            "partial_rotary_factor": 0.5,
            "original_max_position_embeddings": 64,
        },
        {
            "rope.dimension_count": 8,
            "rope.scaling.original_context_length": 64,
            "rope.scaling.attn_factor": float(np.sqrt(1 + np.log(8) / np.log(64))),
        },
    ),
}
"""By a name for the test: every architecture, and some again with other rotary embeddings."""


def plain_model(case: Case) -> Any:  # noqa: ANN401 (of mlx-lm)
    """mlx-lm's own model with random weights, and nothing of ours."""
    module: Any = import_module(f"mlx_lm.models.{case.architecture.module}")
    model = module.Model(module.ModelArgs.from_dict(case.whole_config))
    if case.architecture.always_tied or case.whole_config["tie_word_embeddings"]:
        model.pop("lm_head", None)
        model.tie_word_embeddings = True  # as gemma3's `sanitize` does
    model.load_weights([(name, mx.array(one)) for name, one in weights(model).items()])
    return model


def weights(model: Any) -> dict[str, Array]:  # noqa: ANN401
    """Random weights by mlx-lm's names; the likeliest token is an ASCII character."""
    random = np.random.default_rng(7)
    flat: Any = tree_flatten(model.parameters())
    shapes = {name: one.shape for name, one in flat}
    arrays = {}
    for name, shape in sorted(shapes.items()):
        array = random.standard_normal(shape).astype(np.float32) * np.float32(0.2)
        arrays[name] = 1 + array if name.endswith("norm.weight") else array
    head = arrays.get("lm_head.weight", arrays["model.embed_tokens.weight"])
    head[128:256] = head[tiny.END_ID] = 0
    return arrays


def exported(case: Case) -> dict[str, Array]:
    """The weights under the names of Hugging Face's exports: a tensor for each expert."""
    found = {}
    for name, array in weights(plain_model(case)).items():
        if "switch_mlp" not in name:
            found[name] = array
            continue
        for expert, one in enumerate(array):
            own = name.replace("switch_mlp", f"experts.{expert}")
            if case.architecture.model_type == "mixtral":
                for theirs, ours in {"w1": "gate", "w2": "down", "w3": "up"}.items():
                    own = own.replace(f"{ours}_proj", theirs)
            found[own] = one
    return found


def write_folder(folder: Path, case: Case) -> dict[str, Path]:
    """The model as Hugging Face's files."""
    return tiny.write_safetensors(folder, exported(case), case.whole_config)


def packed_model(case: Case) -> Any:  # noqa: ANN401 (of mlx-lm)
    """mlx-lm's own model, quantised by mlx to four bits and its embedding to eight."""
    model = plain_model(case)

    def packing(path: str, module: Any) -> bool | dict[str, Any]:  # noqa: ANN401
        if not hasattr(module, "to_quantized"):
            return False
        return {"group_size": 32, "bits": 8 if path == EMBEDDING else 4}

    quantize(model, class_predicate=packing)
    return model


def write_packed(folder: Path, case: Case, model: Any) -> dict[str, Path]:  # noqa: ANN401
    """A quantised model as mlx-lm saves it."""
    flat: Any = tree_flatten(model.parameters())
    arrays = {name: np.array(one) for name, one in flat}
    own = {"group_size": 32, "bits": 8}
    changes = {"quantization": {"group_size": 32, "bits": 4, EMBEDDING: own}}
    return tiny.write_safetensors(folder, arrays, case.whole_config | changes)


def write_gguf(path: Path, case: Case, quantised: bool = False) -> Path:
    """The model as llama.cpp's converter would write it: float32, or matrices of Q8_0."""
    architecture, config = case.architecture, case.whole_config
    arrays = weights(plain_model(case))
    known = next(key for key, name in gguf.MODEL_ARCH_NAMES.items() if name == architecture.gguf)
    names = gguf.get_tensor_name_map(known, config["num_hidden_layers"])
    writer = gguf.GGUFWriter(path, architecture.gguf)
    _add_metadata(writer, case)
    for name, array in arrays.items():
        stored = _as_llama_cpp_wants(name, array, case)
        plain = np.ascontiguousarray(stored)
        if quantised and array.ndim > 1:
            kind = gguf.GGMLQuantizationType.Q8_0
            packed = gguf.quants.quantize(plain, kind)
            writer.add_tensor(_gguf_name(names, name), packed, raw_dtype=kind)
        else:
            writer.add_tensor(_gguf_name(names, name), plain)
    if "long_factor" in config.get("rope_scaling", {}):
        for length in ("long", "short"):
            factors = np.array(config["rope_scaling"][f"{length}_factor"], np.float32)
            writer.add_tensor(f"rope_factors_{length}.weight", factors)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _gguf_name(names: Any, name: str) -> str:  # noqa: ANN401 (of gguf)
    merged = re.sub(r"switch_mlp", "experts", name)
    merged = re.sub(r"block_sparse_moe.experts.(\w+)_proj", _mixtral_name, merged)
    found = names.get_name(merged, try_suffixes=(".weight", ".bias"))
    assert found, name
    return str(found)


def _mixtral_name(found: re.Match[str]) -> str:
    return "block_sparse_moe.experts." + {"gate": "w1", "down": "w2", "up": "w3"}[found[1]]


def _as_llama_cpp_wants(name: str, array: Array, case: Case) -> Array:
    config = case.whole_config
    heads = {"q_proj": "num_attention_heads", "k_proj": "num_key_value_heads"}
    module = name.split(".")[-2]
    if case.architecture.shifted_norms and module.endswith("norm"):
        return array + 1
    if not case.architecture.permuted or module not in heads:
        return array
    count = config[heads[module]]
    halves = array.reshape(count, 2, len(array) // count // 2, *array.shape[1:])
    return halves.swapaxes(1, 2).reshape(array.shape)


def _add_metadata(writer: gguf.GGUFWriter, case: Case) -> None:
    config, prefix = case.whole_config, case.architecture.gguf
    numbers = {
        "block_count": config["num_hidden_layers"],
        "context_length": config["max_position_embeddings"],
        "embedding_length": config["hidden_size"],
        "feed_forward_length": config["intermediate_size"],
        "attention.head_count": config["num_attention_heads"],
        "attention.head_count_kv": config["num_key_value_heads"],
        "attention.layer_norm_rms_epsilon": config["rms_norm_eps"],
        "rope.freq_base": config["rope_theta"],
        **case.keys,
    }
    for key, value in numbers.items():
        add: Any = {
            int: writer.add_uint32,
            float: writer.add_float32,
            str: writer.add_string,
        }[type(value)]
        add(f"{prefix}.{key}", value)
    tokens = {key: one for key, one in tiny.metadata().items() if key.startswith("tokenizer.")}
    for key, value in tokens.items():
        if isinstance(value, list):
            writer.add_array(key, value)
        elif isinstance(value, str):
            writer.add_string(key, value)
        else:
            writer.add_uint32(key, value)

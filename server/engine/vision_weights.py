"""The weights of a vision tower under mlx-vlm's names, from a projector GGUF or from safetensors.

All become float32: towers are small beside their models, and SigLIP overflows float16. Engine
thread only.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import mlx.core as mx
import numpy as np

from ..gguf import read_gguf_header
from ..safetensors import read_safetensors_header
from .gguf_blocks import tensor_parts
from .hf_weights import tensor_array
from .sequence import LoadError
from .sight import Sight, sight_of_config, sight_of_gguf
from .text_part import CONNECTOR, TOWER

_PARTS: Final = {
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_out": "self_attn.out_proj",
    "ln1": "layer_norm1",
    "ln2": "layer_norm2",
    "ffn_up": "mlp.fc1",
    "ffn_down": "mlp.fc2",
}
_OUTER: Final = {
    "v.patch_embd.weight": "tower.embeddings.patch_embedding.weight",
    "v.patch_embd.bias": "tower.embeddings.patch_embedding.bias",
    "v.position_embd.weight": "tower.embeddings.position_embedding.weight",
    "v.post_ln.weight": "tower.post_layernorm.weight",
    "v.post_ln.bias": "tower.post_layernorm.bias",
    "mm.model.fc.weight": "connector.modality_projection.proj.weight",
}
_GGUF_TYPES: Final = ("F32", "F16", "BF16")
_PATCH: Final = "tower.embeddings.patch_embedding.weight"


def read_projector(path: Path) -> tuple[Sight, dict[str, mx.array]]:
    """A projector GGUF; raises LoadError."""
    header = read_gguf_header(path)
    sight = sight_of_gguf(header.metadata)
    mapped = np.memmap(path, dtype=np.uint8, mode="r")
    arrays: dict[str, mx.array] = {}
    for entry in header.tensors:
        if entry.type.name not in _GGUF_TYPES:
            raise LoadError(
                f"projector tensor {entry.name!r} of {entry.type.name} is not supported: "
                f"these are: {', '.join(_GGUF_TYPES)}"
            )
        raw = mapped[entry.offset : entry.offset + entry.nbytes]
        if entry.type.name == "BF16":
            halves = np.frombuffer(raw.tobytes(), np.uint16).reshape(entry.shape)
            array = mx.array(halves).view(mx.bfloat16)
        else:
            array = mx.array(tensor_parts(raw, entry)["weight"])
        arrays[_gguf_module(entry.name)] = array.astype(mx.float32)
    return sight, _channels_last(arrays, sight)


def _gguf_module(name: str) -> str:
    """The place of a projector's tensor."""
    if name in _OUTER:
        return _OUTER[name]
    match name.split("."):
        case ["v", "blk", number, part, kind] if number.isdecimal() and part in _PARTS:
            return f"tower.encoder.layers.{int(number)}.{_PARTS[part]}.{kind}"
    raise LoadError(f"projector tensor {name!r} is no part of an idefics3")


def read_tower(
    files: Mapping[str, Path], config: Mapping[str, Any], preprocessor: Mapping[str, Any]
) -> tuple[Sight, dict[str, mx.array]]:
    """The tower and the connector of a safetensors folder; raises LoadError."""
    sight = sight_of_config(config, preprocessor)
    arrays: dict[str, mx.array] = {}
    for name, path in sorted(files.items()):
        if not name.endswith(".safetensors"):
            continue
        mapped = np.memmap(path, dtype=np.uint8, mode="r")
        for tensor in read_safetensors_header(path):
            place = TOWER.sub("tower.", CONNECTOR.sub("connector.", tensor.name))
            if not place.startswith(("tower.", "connector.")) or "position_ids" in place:
                continue
            if place.endswith(".scales"):
                raise LoadError("a quantized vision tower is not supported")
            arrays[place] = tensor_array(mapped, tensor).astype(mx.float32)
    return sight, _channels_last(arrays, sight)


def _channels_last(arrays: dict[str, mx.array], sight: Sight) -> dict[str, mx.array]:
    """The patches' kernel as MLX wants it, `(out, height, width, colours)`."""
    kernel = arrays.get(_PATCH)
    if kernel is not None and kernel.shape == (sight.hidden_size, 3, *[sight.patch_size] * 2):
        arrays[_PATCH] = mx.contiguous(kernel.transpose(0, 2, 3, 1))
    return arrays

"""A GGUF as mlx-lm's config and arrays.

The header is checked by `server/gguf.py` before a byte of a weight is read; the weights are
read here from a memory map, not by MLX's own loader, which trusts the file. Engine thread only.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
from numpy.typing import NDArray

from ..gguf import GGUFHeader, TensorEntry
from .architectures import OUTER_NAMES, Architecture
from .gguf_blocks import check_types, packing, read_tensor
from .gguf_config import LONG_FACTORS, ROPE_FACTORS, gguf_config
from .sequence import LoadError
from .weights import Packing, Weights


def read_gguf(path: Path, header: GGUFHeader, pack: bool = False) -> Weights:
    """The weights of a checked GGUF; raises LoadError for what does not run.

    With `pack` every quantised tensor stays so, those too whose form MLX has not.
    """
    architecture, config = gguf_config(header)
    check_types(header.tensors)
    entries = {entry.name: entry for entry in header.tensors}
    mapped = np.memmap(path, dtype=np.uint8, mode="r")
    factors: dict[str, mx.array] = {
        name: _factors(mapped, entries.pop(name))
        for name in (ROPE_FACTORS, *LONG_FACTORS)
        if name in entries
    }
    _check_factors(factors, architecture, config)
    arrays: dict[str, mx.array] = {}
    packings: dict[str, Packing] = {}
    for name, entry in entries.items():
        module, kind = _place(name, architecture)
        parts = read_tensor(mapped[entry.offset : entry.offset + entry.nbytes], entry, pack)
        heads = _rotated_heads(module, config) if architecture.permuted else 0
        if architecture.shifted_norms and module.endswith("norm"):
            parts = {part: array - 1 for part, array in parts.items()}
        for part, array in parts.items():
            place = f"{module}.{kind if part == 'weight' else part}"
            arrays[place] = _unpermuted(array, heads) if heads else array
        how = packing(entry, pack)
        if how is not None:
            packings[module] = how
    return Weights(
        architecture=architecture,
        config=config,
        arrays=arrays,
        packings=packings,
        context_length=config["max_position_embeddings"],
        rope_factors=factors.get(ROPE_FACTORS),
    )


def _place(name: str, architecture: Architecture) -> tuple[str, str]:
    """The mlx-lm module of a GGUF tensor, and whether it is its weight or bias."""
    match name.split("."):
        case [outer, "weight"] if outer in OUTER_NAMES:
            return OUTER_NAMES[outer], "weight"
        case ["blk", number, inner, ("weight" | "bias") as kind] if (
            number.isdecimal() and inner in architecture.names
        ):
            return f"model.layers.{int(number)}.{architecture.names[inner]}", kind
    raise LoadError(f"tensor {name!r} is no part of a plain {architecture.gguf}")


def _rotated_heads(module: str, config: Mapping[str, Any]) -> int:
    """How many heads a module's rows are permuted for; 0 when they are not."""
    if module.endswith("q_proj"):
        return int(config["num_attention_heads"])
    return int(config["num_key_value_heads"]) if module.endswith("k_proj") else 0


def _unpermuted(rows: mx.array, heads: int) -> mx.array:
    """Rows in Hugging Face's order: llama.cpp keeps the halves of a head interleaved."""
    if len(rows) % (2 * heads):
        raise LoadError(f"lying GGUF: {len(rows)} rows for {heads} heads")
    halves = rows.reshape(heads, len(rows) // heads // 2, 2, -1)
    return mx.contiguous(halves.swapaxes(1, 2)).reshape(rows.shape)


def _factors(mapped: NDArray[np.uint8], entry: TensorEntry) -> mx.array:
    if entry.type.name != "F32" or len(entry.shape) != 1:
        raise LoadError(f"lying GGUF: {entry.name} is {entry.type.name} of {entry.shape}")
    raw = mapped[entry.offset : entry.offset + entry.nbytes]
    return mx.array(np.frombuffer(raw.tobytes(), np.float32))


def _check_factors(
    factors: Mapping[str, mx.array], architecture: Architecture, config: dict[str, Any]
) -> None:
    """Refuse factors that do not fit; those for long texts go into the config."""
    turned = int(config["head_dim"] * config.get("partial_rotary_factor", 1.0))
    for name, found in factors.items():
        kind = "llama3" if name == ROPE_FACTORS else "longrope"
        if kind not in architecture.scalings:
            raise LoadError(f"tensor {name!r} is no part of a plain {architecture.gguf}")
        if found.shape != (turned // 2,):
            raise LoadError(f"lying GGUF: {name} has the shape {found.shape}")
    if any(name in factors for name in LONG_FACTORS):
        if not all(name in factors for name in LONG_FACTORS):
            raise LoadError(f"lying GGUF: {' and '.join(LONG_FACTORS)} belong together")
        long, short = (factors[name].tolist() for name in LONG_FACTORS)
        config["rope_scaling"] = {"type": "longrope", "long_factor": long, "short_factor": short}

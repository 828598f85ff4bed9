"""What a model file becomes before it is a model: a config and named MLX arrays.

Engine thread only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import mlx.core as mx

from .architectures import Architecture


@dataclass(frozen=True, slots=True)
class Packing:
    """How MLX packs a quantised weight: affine, `bits` each, one scale for `group_size`."""

    group_size: int
    bits: int


@dataclass(frozen=True, slots=True)
class Weights:
    """The arrays of a model under mlx-lm's names, and its config under Hugging Face's keys.

    A module in `packings` has `weight` (packed uint32), `scales` and `biases`.
    """

    architecture: Architecture
    config: dict[str, Any]
    arrays: dict[str, mx.array]
    packings: dict[str, Packing]
    context_length: int
    rope_factors: mx.array | None = None  # (head_dim / 2,) float32: divides each frequency


def dequantised(
    arrays: Mapping[str, mx.array], packings: Mapping[str, Packing]
) -> dict[str, mx.array]:
    """Every array as plain float32."""
    plain: dict[str, mx.array] = {}
    for name, array in arrays.items():
        module, _, part = name.rpartition(".")
        packing = packings.get(module)
        if packing is None or part == "bias":
            plain[name] = array.astype(mx.float32)
        elif part == "weight":
            plain[name] = mx.dequantize(
                array,
                arrays[module + ".scales"].astype(mx.float32),
                arrays[module + ".biases"].astype(mx.float32),
                group_size=packing.group_size,
                bits=packing.bits,
            )
    return plain

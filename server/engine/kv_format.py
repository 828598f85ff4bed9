"""How the keys and values of a layer are stored: as they come, or packed in 8 or 4 bits.

Plain ones are two arrays `(rows, heads, tokens, head_dim)`; packed ones are six, of which each
three are MLX's affine quantisation: words, scales and biases of the keys, then of the values.
They all have rows first and tokens third, so that whatever moves them need not know which.
Every token is packed before any query sees it, be it the same forward pass, so that no cut of a
prompt into chunks and no part of it that was kept changes what is seen. Yet packing rounds: where
a number is half way between two, the last bit of a sum, which depends on the company, decides.
Packed answers may part from those given alone where two tokens are nearly as likely.
Engine thread only.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import mlx.core as mx

from .device import Device, device
from .loader import KVShape
from .sequence import LoadError
from .weights import Packing

Arrays = tuple[mx.array, ...]

PLAIN_TYPE: Final = "f16"  # the model's own type, whatever it is
BITS: Final = {"q8_0": 8, "q4_0": 4}
GROUP_SIZES: Final = (64, 32)  # the first that divides a head: the fewest bytes
# Metal multiplies with packed keys and values as they are; MLX's CPU kernels for that take longer
# than to unpack them and multiply, and of its CUDA kernels nothing is known here.
ATTENDS_PACKED: Final = device() is Device.METAL


def shape_as(shape: KVShape, kv_type: str) -> KVShape:
    """The shape with its numbers stored as `kv_type` says; raises LoadError."""
    if kv_type == PLAIN_TYPE:
        return shape
    bits = BITS[kv_type]
    group_size = next((one for one in GROUP_SIZES if shape.head_dim % one == 0), None)
    if group_size is None:
        raise LoadError(
            f"a KV cache of type {kv_type} needs heads of a multiple of {GROUP_SIZES[-1]} numbers, "
            f"and this model's have {shape.head_dim}: set OLLAMA_KV_CACHE_TYPE to f16"
        )
    return replace(shape, packing=Packing(group_size, bits))


def empty(shape: KVShape, num_rows: int, num_tokens: int) -> Arrays:
    """Room for so many rows and tokens of one layer."""
    place = (num_rows, shape.num_heads, num_tokens)
    if shape.packing is None:
        return tuple(mx.zeros((*place, shape.head_dim), shape.dtype) for _ in range(2))
    num_words = shape.head_dim * shape.packing.bits // 32
    num_groups = shape.head_dim // shape.packing.group_size
    arrays = []
    for _ in range(2):
        arrays.append(mx.zeros((*place, num_words), mx.uint32))
        arrays += [mx.zeros((*place, num_groups), shape.dtype) for _ in range(2)]
    return tuple(arrays)


def stored(keys: mx.array, values: mx.array, packing: Packing | None) -> Arrays:
    """Keys and values `(rows, heads, tokens, head_dim)` as they are kept."""
    if packing is None:
        return keys, values
    group_size, bits = packing.group_size, packing.bits
    return (
        *mx.quantize(keys, group_size=group_size, bits=bits),
        *mx.quantize(values, group_size=group_size, bits=bits),
    )


def attended(arrays: Arrays, packing: Packing | None) -> tuple[Any, Any]:
    """Keys and values as attention takes them: packed where the cache has `bits`."""
    if packing is None:
        return arrays[0], arrays[1]
    if ATTENDS_PACKED:
        return arrays[:3], arrays[3:]
    return unpacked(arrays[:3], packing), unpacked(arrays[3:], packing)


def unpacked(packed: Arrays, packing: Packing) -> mx.array:
    """The numbers of words, scales and biases, exactly as `mx.dequantize` makes them."""
    words, scales, biases = packed
    group_size, bits = packing.group_size, packing.bits
    if bits != 8:
        return mx.dequantize(words, scales, biases, group_size=group_size, bits=bits)
    # less than half the time of MLX's CPU kernel
    shape = (*words.shape[:-1], words.shape[-1] * 4)
    numbers = words.view(mx.uint8).astype(scales.dtype)
    groups = numbers.reshape(*words.shape[:-1], -1, group_size)
    return (groups * scales[..., None] + biases[..., None]).reshape(shape)


class Attended:
    """A cache as mlx-lm's attention sees it: with `bits` where its keys and values are packed."""

    bits: int
    group_size: int

    def __init__(self, packing: Packing | None) -> None:
        if packing is not None and ATTENDS_PACKED:
            self.bits = packing.bits
            self.group_size = packing.group_size

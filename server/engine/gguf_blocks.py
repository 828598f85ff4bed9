"""The weights of GGUF tensors as MLX keeps them: packed where they are, plain where not.

A quantised type is blocks of whole numbers `q` in groups, each with a scale and a bias: a weight
is `scale * q + bias`. That is MLX's affine form, so groups of 32 are repacked and never rounded;
groups of 16, which MLX has not, become plain weights, or are packed anew. Layouts:
`ggml-org/llama.cpp:ggml/src/ggml-common.h`. Engine thread only.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

import mlx.core as mx
import numpy as np
from numpy.typing import NDArray

from ..gguf import TensorEntry
from .sequence import LoadError
from .weights import Packing

Bytes = NDArray[Any]  # uint8
# q `(n, groups, size)`, scales and biases `(n, groups)`
Groups = tuple[Bytes, NDArray[Any], NDArray[Any]]

GROUP: Final = 32  # the smallest that MLX has
_SLAB: Final = 1 << 26  # weights
_NIBBLES: Final = np.array([0, 4], np.uint8)[:, None]
_PAIRS: Final = np.array([0, 2, 4, 6], np.uint8)[:, None]
_BITS: Final = np.arange(8, dtype=np.uint8)[:, None]


def _half(blocks: Bytes, at: int) -> NDArray[np.float16]:
    """The number of two bytes that every block has there, `(n, 1)`."""
    return np.ascontiguousarray(blocks[:, at : at + 2]).view(np.float16)


def _nibbles(packed: Bytes) -> Bytes:
    """The low halves of all bytes `(n, k)`, then the high ones, `(n, 1, 2k)`."""
    return np.concatenate([packed & 0x0F, packed >> 4], axis=-1)[:, None]


def _q4_0(blocks: Bytes) -> Groups:
    scale = _half(blocks, 0)
    return _nibbles(blocks[:, 2:]), scale, scale * np.float16(-8)


def _q4_1(blocks: Bytes) -> Groups:
    return _nibbles(blocks[:, 4:]), _half(blocks, 0), _half(blocks, 2)


def _fifth_bits(packed: Bytes) -> Bytes:
    bits = np.unpackbits(np.ascontiguousarray(packed), axis=-1, bitorder="little")
    return bits[:, None] << 4


def _q5_0(blocks: Bytes) -> Groups:
    scale = _half(blocks, 0)
    return _nibbles(blocks[:, 6:]) | _fifth_bits(blocks[:, 2:6]), scale, scale * np.float16(-16)


def _q5_1(blocks: Bytes) -> Groups:
    numbers = _nibbles(blocks[:, 8:]) | _fifth_bits(blocks[:, 4:8])
    return numbers, _half(blocks, 0), _half(blocks, 2)


def _q8_0(blocks: Bytes) -> Groups:
    scale = _half(blocks, 0)
    numbers = blocks[:, None, 2:] ^ np.uint8(0x80)  # two's complement to offset 128
    return numbers, scale, scale * np.float16(-128)


def _scales_and_minima(blocks: Bytes) -> tuple[NDArray[Any], NDArray[Any]]:
    """Scales and biases of the 8 groups of Q4_K and Q5_K: 6 bits each, after two halves."""
    low, high, both = (blocks[:, at : at + 4] for at in (4, 8, 12))
    scales = np.concatenate([low & 0x3F, both & 0x0F | low >> 2 & 0x30], axis=-1)
    minima = np.concatenate([high & 0x3F, both >> 4 | high >> 2 & 0x30], axis=-1)
    scale, minimum = (_half(blocks, at).astype(np.float32) for at in (0, 2))
    return scale * scales, -minimum * minima


def _q4_k(blocks: Bytes) -> Groups:
    numbers = blocks[:, 16:].reshape(-1, 4, 1, 32) >> _NIBBLES & 0x0F
    return numbers.reshape(-1, 8, 32), *_scales_and_minima(blocks)


def _q5_k(blocks: Bytes) -> Groups:
    low = (blocks[:, 48:].reshape(-1, 4, 1, 32) >> _NIBBLES & 0x0F).reshape(-1, 8, 32)
    high = blocks[:, None, 16:48] >> _BITS & 1
    return low | high << 4, *_scales_and_minima(blocks)


def _q2_k(blocks: Bytes) -> Groups:
    numbers = (blocks[:, 16:80].reshape(-1, 2, 1, 32) >> _PAIRS & 3).reshape(-1, 16, 16)
    scale, minimum = (_half(blocks, at).astype(np.float32) for at in (80, 82))
    return numbers, scale * (blocks[:, :16] & 0x0F), -minimum * (blocks[:, :16] >> 4)


def _q3_k(blocks: Bytes) -> Groups:
    low = (blocks[:, 32:96].reshape(-1, 2, 1, 32) >> _PAIRS & 3).reshape(-1, 8, 32)
    high = blocks[:, None, :32] >> _BITS & 1
    nibbles, pairs = blocks[:, None, 96:104] >> _NIBBLES & 0x0F, blocks[:, None, 104:108] >> _PAIRS
    scales = nibbles.reshape(-1, 16) | (pairs & 3).reshape(-1, 16) << 4
    scale = _half(blocks, 108).astype(np.float32) * (scales.astype(np.float32) - 32)
    return (low | high << 2).reshape(-1, 16, 16), scale, scale * -4


def _q6_k(blocks: Bytes) -> Groups:
    low = (blocks[:, :128].reshape(-1, 2, 1, 64) >> _NIBBLES & 0x0F).reshape(-1, 8, 32)
    high = (blocks[:, 128:192].reshape(-1, 2, 1, 32) >> _PAIRS & 3).reshape(-1, 8, 32)
    scales = np.ascontiguousarray(blocks[:, 192:208]).view(np.int8)
    scale = _half(blocks, 208).astype(np.float32) * scales
    return (low | high << 4).reshape(-1, 16, 16), scale, scale * -32


@dataclass(frozen=True, slots=True)
class Quantised:
    """A quantised type: its numbers' bits, and those that it is packed in on Apple silicon."""

    bits: int
    read: Callable[[Bytes], Groups]
    packed_bits: int = 0  # groups of 16: MLX needs more bits where two of them share a scale


QUANTISED: Final = {
    "Q8_0": Quantised(8, _q8_0),
    "Q4_0": Quantised(4, _q4_0),
    "Q4_1": Quantised(4, _q4_1),
    "Q5_0": Quantised(5, _q5_0),
    "Q5_1": Quantised(5, _q5_1),
    "Q2_K": Quantised(2, _q2_k, packed_bits=4),
    "Q3_K": Quantised(3, _q3_k, packed_bits=5),
    "Q4_K": Quantised(4, _q4_k),
    "Q5_K": Quantised(5, _q5_k),
    "Q6_K": Quantised(6, _q6_k, packed_bits=8),
}
SUPPORTED_TYPES: Final = ("F32", "F16", "BF16", *QUANTISED)


def check_types(entries: tuple[TensorEntry, ...]) -> None:
    """Raise LoadError for a tensor of a type that cannot be read here."""
    for entry in entries:
        if entry.type.name not in SUPPORTED_TYPES:
            raise LoadError(
                f"quantization {entry.type.name} (tensor {entry.name!r}) is not supported: "
                f"these are: {', '.join(SUPPORTED_TYPES)}"
            )


def packing(entry: TensorEntry, anew: bool = False) -> Packing | None:
    """How the parts of a tensor are packed; None for plain weights.

    With `anew` those are packed, too, that MLX cannot hold as they are.
    """
    kind = QUANTISED.get(entry.type.name)
    if kind is None or (kind.packed_bits and not anew):
        return None
    return Packing(GROUP, kind.packed_bits or kind.bits)


def read_tensor(raw: Bytes, entry: TensorEntry, anew: bool = False) -> dict[str, mx.array]:
    """The parts of a tensor as MLX arrays, read in slabs so that little of it is there twice."""
    how = packing(entry, anew)
    columns = entry.shape[-1]
    num_rows = math.prod(entry.shape[:-1])
    slab = max(1, _SLAB // columns)
    found: list[dict[str, mx.array]] = []
    for start in range(0, num_rows, slab):
        stop = min(start + slab, num_rows)
        row_bytes = entry.nbytes // num_rows
        part = replace(entry, shape=(stop - start, columns))
        parts = tensor_parts(raw[start * row_bytes : stop * row_bytes], part)
        arrays = {name: mx.array(one) for name, one in parts.items()}
        if how is not None and anew:
            arrays = _half_precision(arrays, how)
        found.append(arrays)
    whole = found[0] if len(found) == 1 else _joined(found)
    return {name: one.reshape(*entry.shape[:-1], -1) for name, one in whole.items()}


def _half_precision(arrays: dict[str, mx.array], how: Packing) -> dict[str, mx.array]:
    """Packed parts with scales and biases of two bytes, as a GPU takes them."""
    if "scales" not in arrays:
        packed = mx.quantize(arrays["weight"], group_size=how.group_size, bits=how.bits)
        arrays = dict(zip(("weight", "scales", "biases"), packed, strict=True))
    halves = {part: arrays[part].astype(mx.float16) for part in ("scales", "biases")}
    found = {"weight": arrays["weight"], **halves}
    mx.eval(found)
    return found


def _joined(found: list[dict[str, mx.array]]) -> dict[str, mx.array]:
    joined = {name: mx.concatenate([one[name] for one in found]) for name in found[0]}
    mx.eval(joined)
    return joined


def tensor_parts(raw: Bytes, entry: TensorEntry) -> dict[str, NDArray[Any]]:
    """The arrays that MLX keeps for one tensor: `weight`, and for a packed one its scales."""
    kind = entry.type.name
    if kind == "BF16":
        wide = np.frombuffer(raw.tobytes(), np.uint16).astype(np.uint32) << 16
        return {"weight": wide.view(np.float32).reshape(entry.shape)}
    if kind in ("F32", "F16"):
        dtype = np.float32 if kind == "F32" else np.float16
        return {"weight": np.frombuffer(raw.tobytes(), dtype).reshape(entry.shape)}
    how = QUANTISED[kind]
    numbers, scales, biases = how.read(raw.reshape(-1, entry.type.block_bytes))
    if how.packed_bits:
        plain = scales[..., None] * numbers + biases[..., None]
        return {"weight": plain.astype(np.float32, copy=False).reshape(entry.shape)}
    grouped = (*entry.shape[:-1], -1)
    return {
        "weight": _packed(numbers.reshape(*grouped), how.bits),
        "scales": np.ascontiguousarray(scales).reshape(grouped),
        "biases": np.ascontiguousarray(biases).reshape(grouped),
    }


def _packed(numbers: Bytes, bits: int) -> NDArray[np.uint32]:
    """Numbers `(..., columns)` as MLX packs them: a stream of bits, the lowest first."""
    if bits == 8:
        stream = numbers
    elif bits == 4:
        stream = numbers[..., 0::2] | numbers[..., 1::2] << 4
    else:
        words = np.zeros((*numbers.shape[:-1], numbers.shape[-1] // 8), np.uint64)
        for place in range(8):
            words |= numbers[..., place::8].astype(np.uint64) << np.uint64(bits * place)
        octets = words[..., None].view(np.uint8)  # the machine is little-endian
        stream = octets[..., :bits].reshape(*numbers.shape[:-1], -1)
    return np.ascontiguousarray(stream).view(np.uint32)

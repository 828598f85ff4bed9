"""Safetensors headers: tensor places, read from a file that nobody has vouched for.

Layout: `huggingface/safetensors:README.md#format`. No weight is read here.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from .engine.sequence import LoadError

MAX_HEADER_BYTES: Final = 100_000_000  # the limit of the reference implementation
ITEM_BYTES: Final = {
    "BOOL": 1,
    "U8": 1,
    "I8": 1,
    "F8_E4M3": 1,
    "F8_E5M2": 1,
    "U16": 2,
    "I16": 2,
    "F16": 2,
    "BF16": 2,
    "U32": 4,
    "I32": 4,
    "F32": 4,
    "U64": 8,
    "I64": 8,
    "F64": 8,
}


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """Where one tensor lies; `offset` counts from the start of the file."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    offset: int
    nbytes: int


def read_safetensors_header(path: Path) -> tuple[StoredTensor, ...]:
    """The tensors of a file, in its order; raises LoadError, saying what is wrong."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > min(size - 8, MAX_HEADER_BYTES):
            raise LoadError(
                f"truncated safetensors: a header of {length} bytes in a file of {size} bytes"
            )
        try:
            header = json.loads(file.read(length))
        except (ValueError, RecursionError) as error:
            raise LoadError(f"not a safetensors file: its header is no JSON ({error})") from error
    if not isinstance(header, dict):
        raise LoadError("not a safetensors file: its header is no JSON object")
    entries = ((name, entry) for name, entry in header.items() if name != "__metadata__")
    return tuple(_stored(name, entry, 8 + length, size) for name, entry in entries)


def _stored(name: str, entry: object, start: int, size: int) -> StoredTensor:
    match entry:
        case {"dtype": str(dtype), "shape": list(shape), "data_offsets": [int(first), int(last)]}:
            pass
        case _:
            raise LoadError(f"lying safetensors: the entry of {name!r} is malformed")
    if dtype not in ITEM_BYTES:
        raise LoadError(f"tensor {name!r} has the unknown type {dtype!r}")
    if not all(type(one) is int and one >= 0 for one in shape):
        raise LoadError(f"lying safetensors: {name!r} has the shape {shape}")
    nbytes = math.prod(shape) * ITEM_BYTES[dtype]
    if first < 0 or last - first != nbytes:
        raise LoadError(
            f"lying safetensors: {name!r} has bytes {first} to {last}, its shape needs {nbytes}"
        )
    if start + last > size:
        raise LoadError(f"truncated safetensors: {name!r} ends at byte {start + last} of {size}")
    return StoredTensor(name, dtype, tuple(shape), start + first, nbytes)

"""GGUF headers: metadata and tensor places, read from a file that nobody has vouched for.

Every count, length, size and offset is checked against the bytes that are there before
anything is allocated for it. No array library is imported here, and no weight is read.
Layout: `ggml-org/ggml:docs/gguf.md`.
"""

from __future__ import annotations

import math
import mmap
import struct
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

from .engine.sequence import LoadError

MAGIC: Final = b"GGUF"
MAX_DIMENSIONS: Final = 4  # GGML_MAX_DIMS
MAX_NAME_BYTES: Final = 64  # GGML_MAX_NAME
MAX_KEY_BYTES: Final = 65535
MAX_ELEMENTS: Final = 8_000_000  # in all arrays together; the largest vocabularies hold 0.3 M
SMALLEST_TENSOR_ENTRY: Final = 8 + 4 + 8 + 4 + 8
SMALLEST_PAIR: Final = 8 + 4 + 1

Scalar = int | float | bool | str
Value = Scalar | tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class TensorType:
    """One way of storing weights: `block_bytes` hold `block_size` of them."""

    name: str
    block_size: int
    block_bytes: int


# ggml-org/ggml:src/ggml.c type_traits
TENSOR_TYPES: Final = {
    0: TensorType("F32", 1, 4),
    1: TensorType("F16", 1, 2),
    2: TensorType("Q4_0", 32, 18),
    3: TensorType("Q4_1", 32, 20),
    6: TensorType("Q5_0", 32, 22),
    7: TensorType("Q5_1", 32, 24),
    8: TensorType("Q8_0", 32, 34),
    9: TensorType("Q8_1", 32, 40),
    10: TensorType("Q2_K", 256, 84),
    11: TensorType("Q3_K", 256, 110),
    12: TensorType("Q4_K", 256, 144),
    13: TensorType("Q5_K", 256, 176),
    14: TensorType("Q6_K", 256, 210),
    15: TensorType("Q8_K", 256, 292),
    16: TensorType("IQ2_XXS", 256, 66),
    17: TensorType("IQ2_XS", 256, 74),
    18: TensorType("IQ3_XXS", 256, 98),
    19: TensorType("IQ1_S", 256, 50),
    20: TensorType("IQ4_NL", 32, 18),
    21: TensorType("IQ3_S", 256, 110),
    22: TensorType("IQ2_S", 256, 82),
    23: TensorType("IQ4_XS", 256, 136),
    24: TensorType("I8", 1, 1),
    25: TensorType("I16", 1, 2),
    26: TensorType("I32", 1, 4),
    27: TensorType("I64", 1, 8),
    28: TensorType("F64", 1, 8),
    29: TensorType("IQ1_M", 256, 56),
    30: TensorType("BF16", 1, 2),
    34: TensorType("TQ1_0", 256, 54),
    35: TensorType("TQ2_0", 256, 66),
    39: TensorType("MXFP4", 32, 17),
    40: TensorType("NVFP4", 64, 36),
    41: TensorType("Q1_0", 128, 18),
}

# ggml-org/llama.cpp:include/llama.h llama_ftype, named as Ollama names them (fs/ggml/type.go)
FILE_TYPES: Final = {
    0: "F32",
    1: "F16",
    2: "Q4_0",
    3: "Q4_1",
    7: "Q8_0",
    8: "Q5_0",
    9: "Q5_1",
    10: "Q2_K",
    11: "Q3_K_S",
    12: "Q3_K_M",
    13: "Q3_K_L",
    14: "Q4_K_S",
    15: "Q4_K_M",
    16: "Q5_K_S",
    17: "Q5_K_M",
    18: "Q6_K",
    19: "IQ2_XXS",
    20: "IQ2_XS",
    21: "Q2_K_S",
    22: "IQ3_XS",
    23: "IQ3_XXS",
    24: "IQ1_S",
    25: "IQ4_NL",
    26: "IQ3_S",
    27: "IQ3_M",
    28: "IQ2_S",
    29: "IQ2_M",
    30: "IQ4_XS",
    31: "IQ1_M",
    32: "BF16",
    36: "TQ1_0",
    37: "TQ2_0",
    38: "MXFP4",
}

_STRING: Final = 8
_ARRAY: Final = 9
_SCALARS: Final = {
    0: "B",
    1: "b",
    2: "H",
    3: "h",
    4: "I",
    5: "i",
    6: "f",
    7: "?",
    10: "Q",
    11: "q",
    12: "d",
}


@dataclass(frozen=True, slots=True)
class TensorEntry:
    """Where one tensor lies: `shape` outermost first, `offset` from the start of the file."""

    name: str
    shape: tuple[int, ...]
    type: TensorType
    offset: int
    nbytes: int


@dataclass(frozen=True, slots=True)
class GGUFHeader:
    """What a GGUF file says about itself, checked against its size."""

    version: int
    metadata: dict[str, Value]
    tensors: tuple[TensorEntry, ...]

    @property
    def architecture(self) -> str:
        """The `general.architecture` key, empty when absent or no text."""
        named = self.metadata.get("general.architecture")
        return named if isinstance(named, str) else ""

    @property
    def parameter_count(self) -> int:
        """The number of weights in all tensors."""
        return sum(math.prod(tensor.shape) for tensor in self.tensors)

    @property
    def quantization(self) -> str:
        """The name of `general.file_type`, or of the type that most bytes have."""
        declared = self.metadata.get("general.file_type")
        if isinstance(declared, int) and declared in FILE_TYPES:
            return FILE_TYPES[declared]
        weight: Counter[str] = Counter()
        for tensor in self.tensors:
            weight[tensor.type.name] += tensor.nbytes
        return weight.most_common(1)[0][0] if weight else "unknown"


class _Cursor:
    """A place in the file; each read says what it wanted when the file ends before it."""

    __slots__ = ("elements", "end", "file", "position")

    def __init__(self, file: mmap.mmap) -> None:
        self.file = file
        self.position = 0
        self.end = len(file)
        self.elements = 0

    def take(self, size: int, wanted: str) -> bytes:
        """The next `size` bytes."""
        if size > self.end - self.position:
            raise LoadError(
                f"truncated GGUF: {wanted} needs {size} bytes at offset {self.position}, "
                f"the file has {self.end} bytes"
            )
        self.position += size
        return self.file[self.position - size : self.position]

    def number(self, code: str, wanted: str) -> int | float | bool:
        """The next little-endian number of that struct code."""
        value: int | float | bool = struct.unpack(
            "<" + code, self.take(struct.calcsize("<" + code), wanted)
        )[0]
        return value

    def count(self, code: str, wanted: str, *, smallest: int) -> int:
        """The next number: so many things of at least `smallest` bytes could still follow."""
        number = int(self.number(code, wanted))
        room = (self.end - self.position) // smallest
        if number > room:
            raise LoadError(f"lying GGUF: {wanted} is {number}, the rest of the file holds {room}")
        return number

    def text(self, wanted: str, *, longest: int | None = None) -> str:
        """The next length-prefixed UTF-8 string; bytes that are no text are replaced."""
        size = self.count("Q", f"the length of {wanted}", smallest=1)
        if longest is not None and not 0 < size <= longest:
            raise LoadError(f"lying GGUF: {wanted} has {size} bytes, allowed are 1 to {longest}")
        return self.take(size, wanted).decode("utf-8", errors="replace")


def read_gguf_header(path: Path) -> GGUFHeader:
    """The header of a GGUF file.

    Raises LoadError, saying what is wrong, for a file that is truncated, that contradicts
    itself, or that is no GGUF of version 2 or 3.
    """
    with path.open("rb") as file:
        start = file.read(len(MAGIC))
        if start != MAGIC:
            raise LoadError(f"not a GGUF file: it starts with {start!r}, not {MAGIC!r}")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            return _header(_Cursor(mapped))


def _header(cursor: _Cursor) -> GGUFHeader:
    cursor.take(len(MAGIC), "the magic")
    version = int(cursor.number("I", "the version"))
    if version not in (2, 3):
        raise LoadError(f"GGUF version {version} is not supported: 2 and 3 are")
    num_tensors = cursor.count("Q", "the number of tensors", smallest=SMALLEST_TENSOR_ENTRY)
    num_pairs = cursor.count("Q", "the number of metadata pairs", smallest=SMALLEST_PAIR)
    metadata: dict[str, Value] = {}
    for _ in range(num_pairs):
        key = cursor.text("a metadata key", longest=MAX_KEY_BYTES)
        if key in metadata:
            raise LoadError(f"lying GGUF: the metadata key {key!r} appears twice")
        metadata[key] = _value(cursor, key)
    alignment = metadata.get("general.alignment", 32)
    if type(alignment) is not int or alignment <= 0 or alignment & (alignment - 1):
        raise LoadError(f"lying GGUF: the alignment {alignment!r} is no power of two")
    entries = [_tensor(cursor) for _ in range(num_tensors)]
    start = -(-cursor.position // alignment) * alignment
    tensors = tuple(_placed(entry, start, alignment, cursor.end) for entry in entries)
    _check_apart(tensors)
    return GGUFHeader(version=version, metadata=metadata, tensors=tensors)


def _value(cursor: _Cursor, key: str) -> Value:
    kind = int(cursor.number("I", f"the type of {key!r}"))
    if kind == _STRING:
        return cursor.text(f"the value of {key!r}")
    if kind == _ARRAY:
        return _array(cursor, key)
    if kind not in _SCALARS:
        raise LoadError(f"lying GGUF: {key!r} has the unknown type {kind}")
    return cursor.number(_SCALARS[kind], f"the value of {key!r}")


def _array(cursor: _Cursor, key: str) -> tuple[Scalar, ...]:
    kind = int(cursor.number("I", f"the element type of {key!r}"))
    if kind != _STRING and kind not in _SCALARS:
        raise LoadError(f"lying GGUF: {key!r} is an array of the unknown type {kind}")
    smallest = 8 if kind == _STRING else struct.calcsize("<" + _SCALARS[kind])
    size = cursor.count("Q", f"the number of elements of {key!r}", smallest=smallest)
    cursor.elements += size
    if cursor.elements > MAX_ELEMENTS:
        raise LoadError(f"lying GGUF: its metadata arrays hold more than {MAX_ELEMENTS} elements")
    if kind == _STRING:
        return tuple(cursor.text(f"an element of {key!r}") for _ in range(size))
    raw = cursor.take(size * smallest, f"the elements of {key!r}")
    return struct.unpack(f"<{size}{_SCALARS[kind]}", raw)


def _tensor(cursor: _Cursor) -> TensorEntry:
    """One entry of the tensor table, its offset still relative to the data."""
    name = cursor.text("a tensor name", longest=MAX_NAME_BYTES)
    num_dimensions = int(cursor.number("I", f"the number of dimensions of {name!r}"))
    if not 1 <= num_dimensions <= MAX_DIMENSIONS:
        raise LoadError(f"lying GGUF: tensor {name!r} has {num_dimensions} dimensions")
    innermost_first = [
        int(cursor.number("Q", f"a dimension of {name!r}")) for _ in range(num_dimensions)
    ]
    code = int(cursor.number("I", f"the type of tensor {name!r}"))
    stored = TENSOR_TYPES.get(code)
    if stored is None:
        raise LoadError(f"tensor {name!r} has the unknown type {code}")
    if 0 in innermost_first or innermost_first[0] % stored.block_size:
        raise LoadError(
            f"lying GGUF: tensor {name!r} of type {stored.name} has rows of {innermost_first[0]}"
            f" weights in the shape {innermost_first}; blocks hold {stored.block_size}"
        )
    return TensorEntry(
        name=name,
        shape=tuple(reversed(innermost_first)),
        type=stored,
        offset=int(cursor.number("Q", f"the offset of tensor {name!r}")),
        nbytes=math.prod(innermost_first) // stored.block_size * stored.block_bytes,
    )


def _placed(entry: TensorEntry, start: int, alignment: int, end: int) -> TensorEntry:
    """The entry with its offset in the file, checked to lie inside it."""
    if entry.offset % alignment:
        raise LoadError(
            f"lying GGUF: tensor {entry.name!r} lies at {entry.offset}, "
            f"which is not aligned to {alignment}"
        )
    offset = start + entry.offset
    if offset + entry.nbytes > end:
        raise LoadError(
            f"truncated GGUF: tensor {entry.name!r} needs bytes {offset} to "
            f"{offset + entry.nbytes}, the file has {end} bytes"
        )
    return TensorEntry(entry.name, entry.shape, entry.type, offset, entry.nbytes)


def _check_apart(tensors: tuple[TensorEntry, ...]) -> None:
    """Refuse tensors that share a name or bytes."""
    names = Counter(tensor.name for tensor in tensors)
    for name, times in names.items():
        if times > 1:
            raise LoadError(f"lying GGUF: the tensor {name!r} appears {times} times")
    ordered = sorted(tensors, key=lambda tensor: tensor.offset)
    for before, after in pairwise(ordered):
        if before.offset + before.nbytes > after.offset:
            raise LoadError(f"lying GGUF: tensors {before.name!r} and {after.name!r} overlap")

"""GGUF headers: read when true, refused with a reason when not."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ...gguf import FILE_TYPES, read_gguf_header
from ..sequence import LoadError
from . import tiny
from .tiny import Stored

WORD = "general.name"
SMALL = tiny.gguf_bytes(
    {"general.architecture": "llama", "general.file_type": 15, "n": [1, 2], "s": ["a", "b"]},
    {"a.weight": Stored(0, (2, 32), b"\0" * 256), "b.weight": Stored(8, (64,), b"\0" * 68)},
)


def header_of(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    read_gguf_header(path)


def test_a_header_says_what_the_file_holds(tmp_path: Path) -> None:
    """Architecture, parameters, quantisation by name, and tensors in the file's bytes."""
    path = tmp_path / "small"
    path.write_bytes(SMALL)
    header = read_gguf_header(path)
    assert (header.architecture, header.parameter_count, header.quantization) == (
        "llama",
        128,
        "Q4_K_M",
    )
    assert header.metadata["s"] == ("a", "b")
    first, second = header.tensors
    assert (first.shape, first.type.name, first.nbytes) == ((2, 32), "F32", 256)
    assert second.offset + second.nbytes <= len(SMALL)


def test_without_a_file_type_the_commonest_tensor_type_counts(tmp_path: Path) -> None:
    """Most bytes are F32 here."""
    path = tmp_path / "small"
    path.write_bytes(tiny.gguf_bytes({WORD: "x"}, {"a": Stored(0, (64,), b"\0" * 256)}))
    assert read_gguf_header(path).quantization == "F32"


def test_the_names_of_file_types_are_ollamas() -> None:
    """A few that people know."""
    assert [FILE_TYPES[one] for one in (0, 1, 3, 7, 15)] == ["F32", "F16", "Q4_1", "Q8_0", "Q4_K_M"]


def one_tensor(
    name: str = "a", code: int = 0, dimensions: tuple[int, ...] = (8,), offset: int = 0
) -> bytes:
    """A GGUF of one tensor of 32 bytes, with any claim about it."""
    raw = name.encode()
    out = b"GGUF" + struct.pack("<IQQ", 3, 1, 0) + struct.pack("<Q", len(raw)) + raw
    out += struct.pack("<I", len(dimensions))
    out += b"".join(struct.pack("<Q", one) for one in dimensions)
    out += struct.pack("<IQ", code, offset)
    return out + b"\0" * (-len(out) % 32) + b"\0" * 32


def pairs(count: int, rest: bytes) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", 3, 0, count) + rest


KEY = struct.pack("<Q", 1) + b"k"
HUGE = 1 << 60

LIES = {
    "empty": (b"", "not a GGUF"),
    "other": (b"PK\3\4 and so on", "not a GGUF"),
    "version": (b"GGUF" + struct.pack("<IQQ", 1, 0, 0), "version 1"),
    "short": (b"GGUF\3\0", "truncated"),
    "tensor count": (b"GGUF" + struct.pack("<IQQ", 3, HUGE, 0), "number of tensors"),
    "pair count": (b"GGUF" + struct.pack("<IQQ", 3, 0, HUGE), "metadata pairs"),
    "key length": (pairs(1, struct.pack("<Q", HUGE) + b"x" * 20), "length of a metadata key"),
    "empty key": (pairs(1, struct.pack("<Q", 0) + b"\0" * 20), "0 bytes"),
    "key twice": (pairs(2, (KEY + struct.pack("<IB", 0, 1)) * 2 + b"\0" * 20), "twice"),
    "value type": (pairs(1, KEY + struct.pack("<I", 99)), "unknown type 99"),
    "string": (pairs(1, KEY + struct.pack("<IQ", 8, HUGE)), "length of the value"),
    "array length": (pairs(1, KEY + struct.pack("<IIQ", 9, 5, HUGE)), "number of elements"),
    "string array": (pairs(1, KEY + struct.pack("<IIQ", 9, 8, HUGE)), "number of elements"),
    "nested array": (pairs(1, KEY + struct.pack("<IIQ", 9, 9, 1)), "array of the unknown type"),
    "alignment": (tiny.gguf_bytes({"general.alignment": 24}, {}), "power of two"),
    "no alignment": (tiny.gguf_bytes({"general.alignment": 0}, {}), "power of two"),
    "long name": (one_tensor(name="n" * 65), "65 bytes"),
    "no dimensions": (one_tensor(dimensions=()), "0 dimensions"),
    "many dimensions": (one_tensor(dimensions=(1,) * 5), "5 dimensions"),
    "zero dimension": (one_tensor(dimensions=(8, 0)), "shape"),
    "huge dimension": (one_tensor(dimensions=(HUGE, HUGE)), "truncated"),
    "overflowing size": (one_tensor(dimensions=(1 << 62, 1 << 62, 1 << 62, 32)), "truncated"),
    "unknown type": (one_tensor(code=77), "unknown type 77"),
    "partial block": (one_tensor(code=2, dimensions=(8,)), "blocks hold 32"),
    "offset": (one_tensor(offset=1 << 40), "truncated"),
    "huge offset": (one_tensor(offset=(1 << 64) - 32), "truncated"),
    "unaligned": (one_tensor(offset=3), "not aligned"),
    "overlap": (
        tiny.gguf_bytes({}, {"a": Stored(0, (16,), b"\0" * 32), "b": Stored(0, (8,), b"\0" * 32)}),
        "overlap",
    ),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_lying_gguf_is_refused_with_what_is_wrong(tmp_path: Path, lie: str) -> None:
    """Each lie is a LoadError whose message names it."""
    content, reason = LIES[lie]
    with pytest.raises(LoadError, match=reason):
        header_of(tmp_path / "lie", content)


def test_two_tensors_of_one_name_are_refused(tmp_path: Path) -> None:
    """The second would hide the first."""
    content = tiny.gguf_bytes(
        {}, {"a": Stored(0, (8,), b"\0" * 32), "b": Stored(0, (8,), b"\0" * 32)}
    )
    with pytest.raises(LoadError, match="appears 2 times"):
        header_of(
            tmp_path / "lie",
            content.replace(struct.pack("<Q", 1) + b"b", struct.pack("<Q", 1) + b"a"),
        )


def test_arrays_beyond_reason_are_refused_before_they_are_made(tmp_path: Path) -> None:
    """Nine million bytes as an array of bytes would be nine million Python objects."""
    rest = KEY + struct.pack("<IIQ", 9, 0, 9_000_000) + b"\0" * 9_000_000
    with pytest.raises(LoadError, match="more than 8000000 elements"):
        header_of(tmp_path / "lie", pairs(1, rest))


@given(st.integers(0, len(SMALL) - 1))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_every_truncation_is_refused(tmp_path: Path, size: int) -> None:
    """A file cut anywhere before the end of its last tensor is a LoadError."""
    if size >= len(SMALL) - 28:  # padding behind the last tensor
        return
    with pytest.raises(LoadError):
        header_of(tmp_path / "cut", SMALL[:size])


@given(st.lists(st.tuples(st.integers(0, len(SMALL) - 1), st.integers(0, 255)), max_size=8))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_a_mutation_is_read_or_refused(tmp_path: Path, changes: list[tuple[int, int]]) -> None:
    """Whatever bytes change, there is a header inside the file or a LoadError, and no other end."""
    content = bytearray(SMALL)
    for place, value in changes:
        content[place] = value
    path = tmp_path / "mutant"
    path.write_bytes(content)
    try:
        header = read_gguf_header(path)
    except LoadError:
        return
    assert all(one.offset + one.nbytes <= len(content) for one in header.tensors)

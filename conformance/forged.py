"""Files that lie: tiny GGUF, safetensors and zip files whose headers promise what is not there.

Each is a few hundred bytes; a reader that believes it allocates, seeks or divides by what it
read. Nothing here talks to a server.
"""

from __future__ import annotations

import io
import json
import struct
import zipfile
from functools import cache

U32, STRING, ARRAY = 4, 8, 9
F32 = 0
HUGE = 1 << 62
REST = b"\0" * 128


def text(value: bytes, length: int | None = None) -> bytes:
    """A GGUF string; its length may be another than it has."""
    return struct.pack("<Q", len(value) if length is None else length) + value


def entry(key: bytes, kind: int, value: bytes) -> bytes:
    """A key and its value."""
    return text(key) + struct.pack("<I", kind) + value


ARCHITECTURE = entry(b"general.architecture", STRING, text(b"llama"))


def gguf(
    entries: bytes = ARCHITECTURE,
    tensors: bytes = b"",
    *,
    entry_count: int = 1,
    tensor_count: int = 0,
    version: int = 3,
    content: bytes = b"",
) -> bytes:
    """A GGUF file of these parts, whatever its counts say."""
    head = b"GGUF" + struct.pack("<IQQ", version, tensor_count, entry_count)
    found = head + entries + tensors
    return found + b"\0" * (-len(found) % 32) + content


def tensor(
    name: bytes = b"blk.0.x", shape: tuple[int, ...] = (32,), kind: int = F32, offset: int = 0
) -> bytes:
    """A record of a tensor."""
    sizes = struct.pack(f"<I{len(shape)}Q", len(shape), *shape)
    return text(name) + sizes + struct.pack("<IQ", kind, offset)


@cache
def lying_gguf() -> dict[str, bytes]:
    """GGUF files that lie, each by what it lies about."""
    array = struct.pack("<IQ", U32, HUGE)
    nested = struct.pack("<IQ", ARRAY, 1) * 200
    return {
        "nothing but its magic": b"GGUF",
        "its version": gguf(version=99),
        "how many keys it has": gguf(entry_count=HUGE),
        "how many tensors it has": gguf(tensor_count=HUGE),
        "how many of both it has": gguf(entry_count=(1 << 64) - 1, tensor_count=(1 << 64) - 1),
        "the length of a key": gguf(text(b"general.architecture", HUGE)),
        "the length of a text": gguf(entry(b"general.architecture", STRING, text(b"llama", HUGE))),
        "the length of a list": gguf(ARCHITECTURE + entry(b"x.y", ARRAY, array), entry_count=2),
        "lists in lists": gguf(ARCHITECTURE + entry(b"x.y", ARRAY, nested), entry_count=2),
        "a type of value": gguf(ARCHITECTURE + entry(b"x.y", 77, b"\0" * 8), entry_count=2),
        "where a tensor ends": gguf(tensors=tensor(shape=(1 << 20,)), tensor_count=1, content=REST),
        "where a tensor begins": gguf(tensors=tensor(offset=HUGE), tensor_count=1, content=REST),
        "a size that overflows": gguf(
            tensors=tensor(shape=(1 << 32, 1 << 32)), tensor_count=1, content=b"\0" * 128
        ),
        "how many dimensions there are": gguf(
            tensors=text(b"x") + struct.pack("<I", 1 << 31), tensor_count=1, content=b"\0" * 128
        ),
        "a type of tensor": gguf(tensors=tensor(kind=250), tensor_count=1, content=b"\0" * 128),
        "its alignment": gguf(
            ARCHITECTURE + entry(b"general.alignment", U32, struct.pack("<I", 0)),
            tensor(shape=(1 << 20,)),
            entry_count=2,
            tensor_count=1,
        ),
    }  # fmt: skip


def safetensors(header: object, content: bytes = b"", length: int | None = None) -> bytes:
    """A safetensors file of this header, whatever its length says."""
    encoded = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(encoded) if length is None else length) + encoded + content


@cache
def lying_safetensors() -> dict[str, bytes]:
    """Safetensors files that lie, each by what it lies about."""

    def one(**given: object) -> dict[str, object]:
        return {
            "model.norm.weight": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16], **given}
        }

    return {
        "the length of its header": safetensors(one(), b"\0" * 16, length=HUGE),
        "being JSON": safetensors(b"{{{{", b"\0" * 16),
        "where a tensor ends": safetensors(one(data_offsets=[0, 1 << 40], shape=[1 << 38])),
        "an end before its beginning": safetensors(one(data_offsets=[16, 0]), b"\0" * 16),
        "nothing at all": b"",
    }


def zipped(name: str = "../../escaped.gguf") -> bytes:
    """A zip file that wants to be unpacked elsewhere."""
    into = io.BytesIO()
    with zipfile.ZipFile(into, "w") as archive:
        archive.writestr(name, b"GGUF")
    return into.getvalue()

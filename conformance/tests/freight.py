"""What the honest server thinks of the files that a model shall be made of."""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Mapping

MAX_ENTRIES = 10_000
LEAST_GGUF_BYTES = 900_000
DIGEST = re.compile(r"sha256[:-][0-9a-fA-F]{64}")


def strays(path: str) -> bool:
    """Whether a file name is no plain relative path."""
    return path != "." and any(part in ("", ".", "..") for part in path.split("/"))


def problem_of(files: Mapping[str, str], blobs: Mapping[str, bytes]) -> str | None:
    """Why no model can be made of these files; None where one can."""
    if not any(path.endswith((".gguf", ".safetensors")) for path in files) and not any(
        blobs.get(digest, b"")[:4] == b"GGUF" for digest in files.values()
    ):
        return "unknown type"
    for path, digest in files.items():
        if not DIGEST.fullmatch(digest):
            return "invalid digest format"
        if digest not in blobs:
            return f"open {digest}: no such file"
        content = blobs[digest]
        if path.endswith(".safetensors"):
            found = _of_safetensors(content)
        elif path.endswith(".gguf") or content[:4] == b"GGUF":
            found = _of_gguf(content)
        else:
            found = None
        if found is not None:
            return found
    return None


def _of_gguf(content: bytes) -> str | None:
    if content[:4] != b"GGUF":
        return "supplied file was not in GGUF format"
    if len(content) < LEAST_GGUF_BYTES:
        return "the file is cut short"
    if max(struct.unpack("<QQ", content[8:24])) > MAX_ENTRIES:
        return "it lies about its tensors"
    return None


def _of_safetensors(content: bytes) -> str | None:
    size = int.from_bytes(content[:8], "little")
    if len(content) < 8 or size > len(content) - 8:
        return "the header is longer than the file"
    try:
        header = json.loads(content[8 : 8 + size])
    except ValueError:
        return "the header is no JSON"
    places = [one["data_offsets"] for name, one in header.items() if name != "__metadata__"]
    if any(not 0 <= begin <= end <= len(content) - 8 - size for begin, end in places):
        return "a tensor lies outside the file"
    return None

"""How the honest server reads a request's body off the line."""

from __future__ import annotations

import json
from email.message import Message
from io import BufferedIOBase
from typing import NoReturn

from ..evidence import Json

CHUNKED = "chunked"


class BadLength(Exception):  # noqa: N818
    """The head contradicts itself about the length of its body."""


def read_body(headers: Message, line: BufferedIOBase) -> bytes:
    """The whole body. Raises BadLength."""
    lengths = {one.strip() for one in headers.get_all("Content-Length") or ()}
    if len(lengths) > 1 or not all(one.isdecimal() and len(one) < 18 for one in lengths):
        raise BadLength
    if (headers.get("Transfer-Encoding") or "").lower() == CHUNKED:
        return read_chunks(line)
    return line.read(int(next(iter(lengths), "0")))


def read_chunks(line: BufferedIOBase) -> bytes:
    """A body in chunks, with their extensions and its trailer. Raises BadLength."""
    parts = []
    while size := _size(line.readline()):
        parts.append(line.read(size))
        line.readline()
    while line.readline().strip():
        pass
    return b"".join(parts)


def _size(first: bytes) -> int:
    try:
        return int(first.partition(b";")[0], 16)
    except ValueError:
        raise BadLength from None


# -- what others do wrong -------------------------------------------------------------------------


def only_plain_chunks(headers: Message, line: BufferedIOBase) -> bytes:
    """Chunks without extensions or trailer."""
    if (headers.get("Transfer-Encoding") or "").lower() != CHUNKED:
        return read_body(headers, line)
    parts = []
    while size := int(line.readline(), 16):
        parts.append(line.read(size))
        line.readline()
    line.readline()
    return b"".join(parts)


def what_came_first(headers: Message, line: BufferedIOBase) -> bytes:
    """What one look at the line gives."""
    return line.read1(int(headers.get("Content-Length") or 0))


def by_exact_name(headers: Message, line: BufferedIOBase) -> bytes:
    """A body, if its length is spelled as most spell it."""
    length = dict(headers.items()).get("Content-Length")
    return line.read(int(length)) if length else b""


def by_first_length(headers: Message, line: BufferedIOBase) -> bytes:
    """A body by the first length there is, whatever else is said."""
    length = (headers.get("Content-Length") or "0").strip()
    return line.read(int(length)) if length.isdecimal() and len(length) < 18 else b""


def first_value(body: bytes) -> Json:
    """The first JSON value of a body; null is {}. Raises ValueError."""
    try:
        text = body.decode().lstrip(" \t\r\n")
        found, _ = json.JSONDecoder(parse_constant=_refuse).raw_decode(text)
    except RecursionError:
        raise ValueError("exceeded max depth") from None
    return {} if found is None else found


def _refuse(word: str) -> NoReturn:
    """NaN and its like are no JSON. Raises ValueError."""
    raise ValueError(f"invalid character {word[0]!r} looking for beginning of value")

"""An HTTP/1.1 response out of bytes: strict, incremental, without sockets or clocks.

Here lives what a response looks like on the wire and what is wrong with one. What its body
means lives in `evidence`; where the bytes come from in `wire`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache

STATUS_LINE = re.compile(rb"HTTP/(1\.[01]) ([1-9][0-9][0-9])(?: ([^\r\n]*))?")
FIELD_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]+)[ \t]*(;[^\r\n]*)?")
MAX_HEAD_BYTES = 256 * 1024


class FramingError(Exception):
    """These bytes are no HTTP/1.1 response; the message says why."""


@dataclass(frozen=True, slots=True)
class Head:
    """Status line and header fields, names as they were sent."""

    version: str
    status: int
    reason: str
    headers: tuple[tuple[str, str], ...]

    def header(self, name: str) -> str | None:
        """The value of a header, several joined by a comma; None where it is absent."""
        values = self.headers_named(name)
        return ", ".join(values) if values else None

    def headers_named(self, name: str) -> list[str]:
        """All values of a header, in order."""
        return [value for key, value in self.headers if key.lower() == name.lower()]


@dataclass(slots=True)
class ResponseParser:
    """Feed it bytes as they come; it keeps the head, and hands back the body's bytes."""

    method: str
    head: Head | None = None
    framing: str = "none"  # none, length, chunked or close
    complete: bool = False
    tail: bytes = b""  # what came after the end of the response
    interim: list[int] = field(default_factory=list)  # statuses of 1xx responses before it
    _buffer: bytearray = field(default_factory=bytearray)
    _remaining: int = 0  # bytes of the body or chunk still to come
    _state: str = "head"  # head, length, size, chunk, chunk-end, trailer, close, end

    def feed(self, received: bytes) -> bytes:
        """Take received bytes; the bytes of the body among them. Raises FramingError."""
        self._buffer += received
        body = bytearray()
        while self._advance(body):
            pass
        if self._state == "end":
            self.complete = True
            self.tail += bytes(self._buffer)
            self._buffer.clear()
        return bytes(body)

    def end(self) -> None:
        """The peer closed. Raises FramingError when the response was not at its end."""
        if self._state == "close":
            self.complete = True
        if not self.complete:
            raise FramingError(f"the connection was closed {_WHERE[self._state]}")

    def _advance(self, body: bytearray) -> bool:
        """One step; False when more bytes are needed or the response is at its end."""
        match self._state:
            case "head":
                return self._read_head()
            case "length" | "chunk":
                return self._read_counted(body)
            case "close":
                body += self._buffer
                self._buffer.clear()
                return False
            case "size":
                return self._read_size()
            case "chunk-end":
                return self._read_chunk_end()
            case "trailer":
                return self._read_trailer()
            case _:
                return False

    def _line(self) -> bytes | None:
        """The next line without its CRLF; None when it is not whole yet."""
        at = self._buffer.find(b"\n")
        if at < 0:
            if len(self._buffer) > MAX_HEAD_BYTES:
                raise FramingError("a line of the head is longer than 256 KiB")
            return None
        line = bytes(self._buffer[:at])
        if not line.endswith(b"\r"):
            raise FramingError(f"a line ends in LF without CR: {line[:60]!r}")
        del self._buffer[: at + 1]
        return line[:-1]

    def _read_head(self) -> bool:
        _refuse_no_http(bytes(self._buffer[:MAX_HEAD_BYTES]))
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > MAX_HEAD_BYTES:
                raise FramingError("the head is longer than 256 KiB")
            return False
        lines = bytes(self._buffer[:end]).split(b"\r\n")
        del self._buffer[: end + 4]
        head = _parse_head(lines)
        if head.status < 200 and head.status != 101:
            self.interim.append(head.status)
            return True
        self.head = head
        self._choose_framing(head)
        return self._state != "end"

    def _choose_framing(self, head: Head) -> None:
        coding = head.header("Transfer-Encoding")
        lengths = head.headers_named("Content-Length")
        if self.method == "HEAD" or head.status in (204, 304):
            self._state = "end"
        elif coding is not None:
            if coding.strip().lower() != "chunked":
                raise FramingError(f"Transfer-Encoding {coding!r} is not chunked")
            if lengths:
                raise FramingError("both Transfer-Encoding and Content-Length are given")
            self.framing, self._state = "chunked", "size"
        elif lengths:
            if len(set(lengths)) != 1 or not lengths[0].isdecimal():
                raise FramingError(f"Content-Length {', '.join(lengths)!r} is not a number")
            self.framing, self._remaining = "length", int(lengths[0])
            self._state = "length" if self._remaining else "end"
        else:
            self.framing, self._state = "close", "close"

    def _read_counted(self, body: bytearray) -> bool:
        taken = min(self._remaining, len(self._buffer))
        if not taken:
            return False
        body += self._buffer[:taken]
        del self._buffer[:taken]
        self._remaining -= taken
        if self._remaining:
            return False
        self._state = "end" if self._state == "length" else "chunk-end"
        return self._state != "end"

    def _read_size(self) -> bool:
        line = self._line()
        if line is None:
            return False
        size = CHUNK_SIZE.fullmatch(line)
        if size is None:
            raise FramingError(f"{line[:60]!r} is not the size of a chunk")
        self._remaining = int(size[1], 16)
        self._state = "chunk" if self._remaining else "trailer"
        return True

    def _read_chunk_end(self) -> bool:
        if len(self._buffer) < 2:
            return False
        if self._buffer[:2] != b"\r\n":
            raise FramingError(f"a chunk is followed by {bytes(self._buffer[:2])!r}, not by CRLF")
        del self._buffer[:2]
        self._state = "size"
        return True

    def _read_trailer(self) -> bool:
        line = self._line()
        if line is None:
            return False
        if not line:
            self._state = "end"
            return False
        _parse_field(line)
        return True


_WHERE = {
    "head": "before a whole response head",
    "length": "before Content-Length bytes had come",
    "size": "without the last chunk",
    "chunk": "within a chunk",
    "chunk-end": "at the end of a chunk",
    "trailer": "within the last chunk",
    "end": "at the end",
}


def _refuse_no_http(begun: bytes) -> None:
    """Raise as soon as the first bytes cannot become a response head."""
    if not b"HTTP/1.".startswith(begun[:7]):
        raise FramingError(f"the answer is not HTTP/1.1: it begins with {begun[:40]!r}")
    if b"\n\n" in begun.partition(b"\r\n\r\n")[0]:
        raise FramingError("lines of the head end in LF without CR")


def _parse_head(lines: list[bytes]) -> Head:
    first = STATUS_LINE.fullmatch(lines[0])
    if first is None:
        raise FramingError(f"{lines[0][:60]!r} is not a status line")
    headers = tuple(_parse_field(line) for line in lines[1:])
    return Head(first[1].decode(), int(first[2]), (first[3] or b"").decode("latin-1"), headers)


@lru_cache(maxsize=1024)  # answers of one server have many headers in common
def _parse_field(line: bytes) -> tuple[str, str]:
    name, colon, value = line.partition(b":")
    if not colon or not FIELD_NAME.fullmatch(name):
        raise FramingError(f"{line[:60]!r} is not a header field")
    if b"\n" in value or b"\r" in value or b"\0" in value:
        raise FramingError(f"the value of {name.decode()} holds a control character")
    return name.decode(), value.strip(b" \t").decode("latin-1")

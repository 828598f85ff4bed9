"""HTTP/1.1 answers and the lines in them, from bytes. Pure: no socket, no clock.

Fed as a whole, byte by byte or with a tail, it gives the same lines. It runs while nothing is
being measured: the client keeps bytes and stamps, and asks here only where an answer may end.
"""

from __future__ import annotations

MAX_HEAD_BYTES = 65536
MAX_CHUNK_LINE_BYTES = 1024
BODILESS = (204, 304)


class WireError(Exception):
    """The bytes are not an HTTP/1.1 answer."""


class Answer:
    """One HTTP answer, incrementally: feed bytes, get the lines of its body."""

    def __init__(self) -> None:
        self.status: int | None = None
        self.headers: dict[str, str] = {}
        self.complete = False
        self.keep_alive = True
        self._buffer = bytearray()
        self._line = bytearray()
        self._left: int | None = None
        """Bytes that the current chunk or the whole body still has; None: until closed."""
        self._state = "head"

    def feed(self, received: bytes) -> list[bytes]:
        """Take bytes; give the lines, without their ends, that are complete now.

        The text after the last line end is a line when the body is complete.
        """
        if self.complete and received:
            raise WireError("bytes after the end of the answer")
        self._buffer += received
        lines: list[bytes] = []
        while not self.complete and self._advance(lines):
            pass
        if self.complete and self._buffer:
            raise WireError("bytes after the end of the answer")
        return lines

    def close(self) -> list[bytes]:
        """Tell that the server closed the connection; give the line that this completes."""
        lines: list[bytes] = []
        if self._state == "body" and self._left is None:
            self._finish(lines)
        self.keep_alive = False
        return lines

    def _advance(self, lines: list[bytes]) -> bool:
        """Take one step with what is buffered; False when it needs more."""
        match self._state:
            case "head":
                return self._head(lines)
            case "size":
                return self._chunk_size()
            case "body" | "chunk":
                return self._body(lines)
            case "chunk-end":
                return self._chunk_end()
            case _:
                return self._trailer(lines)

    def _head(self, lines: list[bytes]) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > MAX_HEAD_BYTES:
                raise WireError("the headers do not end")
            return False
        head = bytes(self._buffer[:end]).decode("latin-1")
        del self._buffer[: end + 4]
        first, *fields = head.split("\r\n")
        version, status = status_line(first)
        if 100 <= status < 200:
            return True  # an interim answer; the real one follows
        self.status = status
        for field in fields:
            name, colon, value = field.partition(":")
            if not colon or not name or name != name.strip():
                raise WireError(f"not a header: {field[:80]!r}")
            self.headers[name.lower()] = value.strip()
        connection = self.headers.get("connection", "").lower()
        self.keep_alive = connection != "close" if version == "1.1" else connection == "keep-alive"
        self._choose_framing(lines)
        return True

    def _choose_framing(self, lines: list[bytes]) -> None:
        """RFC 9112, section 6.3, for answers to a POST or GET."""
        coding = self.headers.get("transfer-encoding", "").lower()
        length = self.headers.get("content-length")
        if self.status in BODILESS:
            self._finish(lines)
        elif coding == "chunked":
            self._state = "size"
        elif coding:
            raise WireError(f"transfer coding {coding[:40]!r}")
        elif length is None:
            self._state = "body"
        elif not (length.isascii() and length.isdigit()):
            raise WireError(f"content length {length[:40]!r}")
        else:
            self._state, self._left = "body", int(length)
            if not self._left:
                self._finish(lines)

    def _chunk_size(self) -> bool:
        line = self._take_line()
        if line is None:
            return False
        digits = line.partition(b";")[0].strip()
        try:
            if not digits or digits.strip(b"0123456789abcdefABCDEF"):
                raise ValueError
            self._left = int(digits, 16)
        except ValueError:
            raise WireError(f"not a chunk size: {line[:40]!r}") from None
        self._state = "chunk" if self._left else "trailer"
        return True

    def _body(self, lines: list[bytes]) -> bool:
        if not self._buffer:
            return False
        take = len(self._buffer) if self._left is None else min(self._left, len(self._buffer))
        self._line += self._buffer[:take]
        del self._buffer[:take]
        *whole, rest = self._line.split(b"\n")
        self._line = bytearray(rest)
        lines += map(bytes, whole)
        if self._left is not None:
            self._left -= take
            if not self._left and self._state == "chunk":
                self._state = "chunk-end"
            elif not self._left:
                self._finish(lines)
        return True

    def _chunk_end(self) -> bool:
        if len(self._buffer) < 2:
            return False
        if self._buffer[:2] != b"\r\n":
            raise WireError("a chunk is longer than its size says")
        del self._buffer[:2]
        self._state = "size"
        return True

    def _trailer(self, lines: list[bytes]) -> bool:
        line = self._take_line()
        if line is None:
            return False
        if not line:
            self._finish(lines)
        return True

    def _take_line(self) -> bytes | None:
        end = self._buffer.find(b"\r\n")
        if end < 0:
            if len(self._buffer) > MAX_CHUNK_LINE_BYTES:
                raise WireError("a chunk's size line does not end")
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        return line

    def _finish(self, lines: list[bytes]) -> None:
        self.complete = True
        if self._line:
            lines.append(bytes(self._line))
            self._line = bytearray()


def status_line(line: str) -> tuple[str, int]:
    """Version and status code of `HTTP/1.1 200 OK`."""
    protocol, _, rest = line.partition(" ")
    code = rest[:3]
    if protocol not in ("HTTP/1.0", "HTTP/1.1") or not (code.isascii() and code.isdigit()):
        raise WireError(f"not an HTTP answer: {line[:80]!r}")
    if len(code) != 3 or rest[3:4] not in ("", " "):
        raise WireError(f"not an HTTP answer: {line[:80]!r}")
    return protocol.removeprefix("HTTP/"), int(code)

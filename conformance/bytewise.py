"""Requests as bytes: sent in parts, several in one write, cut short, or never read.

`wire` sends one whole request and reads its answer; what lies here does what well-behaved
clients do not. Nothing here judges.
"""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Self

from .address import Address
from .evidence import Exchange, Piece, Request
from .framing import FramingError, ResponseParser
from .pasted import Sent
from .target import Target
from .wire import CONNECT_TIMEOUT_S, encode_head, exchange_of, trouble

SMALL_SEGMENT_BYTES = 536  # the least that every host takes: so little waits in buffers
SMALL_BUFFER_BYTES = 4096


@dataclass(slots=True)
class Line:
    """A connection on which bytes are sent as they are given; answers are read one by one."""

    address: Address
    silence_s: float
    narrow: bool = False  # takes so little at a time that the sender soon has to wait
    leave: Callable[[Sent, bool], None] = lambda sent, read: None  # what was hung up on
    _socket: socket.socket = field(init=False)
    _ahead: bytes = b""  # received, but of the next answer
    _sent: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._socket = socket.socket(_family(self.address), socket.SOCK_STREAM)
        if self.narrow:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER_BYTES)
            with contextlib.suppress(OSError):
                self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, SMALL_SEGMENT_BYTES)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.settimeout(CONNECT_TIMEOUT_S)
        try:
            self._socket.connect((self.address.host, self.address.port))
        except OSError:
            self._socket.close()
            raise
        self._socket.settimeout(self.silence_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Hang up."""
        with contextlib.suppress(OSError):
            self._socket.close()
        if self._sent:
            self.leave(Sent(tuple(self._sent)), not self.narrow)
            self._sent.clear()

    def patience(self, silence_s: float) -> None:
        """Wait for so long from now on, without one byte, before giving up."""
        self.silence_s = silence_s
        self._socket.settimeout(silence_s)

    def send(self, content: bytes) -> None:
        """Send these bytes now; a peer that no longer listens is no error, its answer tells."""
        self._sent.append(content)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError, TimeoutError):
            self._socket.sendall(content)

    def receive(self, size: int) -> bytes:
        """At most so many bytes; none when the peer has closed."""
        try:
            return self._socket.recv(size)
        except OSError:
            return b""

    def closes_within(self, wait_s: float) -> bool:
        """Whether the peer closes so soon, without another byte."""
        self.patience(wait_s)
        try:
            return self._socket.recv(1) == b""
        except ConnectionResetError:
            return True
        except OSError:
            return False

    def answer(self, request: Request) -> Exchange:
        """Read one answer; the request is what it is shown beside."""
        parser, pieces, started = ResponseParser(request.method), list[Piece](), time.monotonic()
        error: str | None = None
        received, self._ahead = self._ahead, b""
        try:
            while True:
                content = parser.feed(received) if received else b""
                if content:
                    pieces.append(Piece((time.monotonic() - started) * 1e3, content))
                if parser.complete:
                    break
                received = self._socket.recv(65536)
                if not received:
                    parser.end()
                    break
        except (FramingError, OSError) as problem:
            error = trouble(problem, self.silence_s)
        self._ahead = parser.tail
        elapsed_ms = (time.monotonic() - started) * 1e3
        sent = Sent(tuple(self._sent))
        self.leave = lambda sent, read: None  # it is answered
        got = exchange_of(self.address, request, parser, pieces, elapsed_ms, error, sent)
        return replace(got, tail=b"")  # what follows is of the next answer

    @property
    def ahead(self) -> bytes:
        """What came after the answers that were read."""
        return self._ahead


def _family(address: Address) -> socket.AddressFamily:
    found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    return found[0][0]


def line(target: Target, *, narrow: bool = False) -> Line:
    """A connection to the target."""
    return Line(target.address, target.patience.silence_s, narrow, target.leaving())


def encoded_bytes(target: Target, request: Request, version: str = "1.1") -> bytes:
    """A whole request as it goes over the line."""
    return encode_head(request, target.address, version) + (request.body or b"")


def send_parts(
    target: Target, request: Request, parts: Sequence[bytes], pause_s: float = 0.0
) -> Exchange:
    """Send one request in these parts, with a pause between them, and read its answer."""
    with line(target) as connection:
        for number, part in enumerate(parts):
            if number and pause_s:
                time.sleep(pause_s)
            connection.send(part)
        got = connection.answer(request)
    target.exchanges.append(got)
    return got


def pipelined(target: Target, requests: Sequence[Request]) -> list[Exchange]:
    """Send these requests in one write, and read as many answers."""
    with line(target) as connection:
        connection.send(b"".join(encoded_bytes(target, one) for one in requests))
        answers = [connection.answer(one) for one in requests]
    target.exchanges.extend(answers)
    return answers


def hang_up_at(target: Target, request: Request, sent: int | None, received: int) -> bytes:
    """Send so many bytes of a request (all if None), read so many bytes, and hang up."""
    whole = encoded_bytes(target, request)
    with line(target) as connection:
        connection.send(whole if sent is None else whole[:sent])
        got = b""
        while len(got) < received:
            part = connection.receive(received - len(got))
            if not part:
                break
            got += part
    return got

"""Sockets: sends a request as bytes and keeps every byte of the answer with its arrival time."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from .address import Address
from .evidence import Exchange, Piece, Request
from .framing import FramingError, ResponseParser
from .pasted import Sent, tells_all

CONNECT_TIMEOUT_S = 5.0
CLOSE_TIMEOUT_S = 0.05  # how long to wait for the close that we asked for
ANSWERED_S = 0.3  # for an answer, where a reader sends again what went over one connection


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for a target before calling it hung."""

    silence_s: float = 90.0  # without one byte
    total_s: float = 300.0


class Connection:
    """One connection to the target; `exchange` may be called again while it is kept alive."""

    def __init__(self, address: Address, patience: Patience) -> None:
        self.address = address
        self.patience = patience
        self.begun: threading.Event | None = None  # set when the first of an answer has come
        self._socket = _connect(address)
        self._sent: list[bytes] = []

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

    def exchange(
        self, request: Request, *, version: str = "1.1", hang_up_after: int | None = None
    ) -> Exchange:
        """Send a request and read its answer; with `hang_up_after` close after so many pieces."""
        parser = ResponseParser(request.method)
        pieces: list[Piece] = []
        sent_at = time.monotonic()
        error: str | None = None
        try:
            self._send(request, version)
            self._receive(parser, pieces, sent_at, hang_up_after)
        except (FramingError, OSError) as problem:
            error = trouble(problem, self.patience.silence_s)
        elapsed_ms = (time.monotonic() - sent_at) * 1e3
        if error is None and parser.complete and _closes(request, version):
            self._await_close(parser)
        alone = version == "1.1" and len(self._sent) == 1 and tells_all(request)
        sent = None if alone else Sent(tuple(self._sent), ANSWERED_S)
        return exchange_of(self.address, request, parser, pieces, elapsed_ms, error, sent)

    def _send(self, request: Request, version: str) -> None:
        """Send the request; an early answer that stops us from sending is still read."""
        self._socket.settimeout(self.patience.silence_s)
        head = encode_head(request, self.address, version)
        self._sent.append(head + (request.body or b""))
        try:
            if ("expect", "100-continue") in lowered(request.headers):
                self._socket.sendall(head)
                self._await_continue()
                self._socket.sendall(request.body or b"")
            else:
                self._socket.sendall(head + (request.body or b""))
        except (BrokenPipeError, ConnectionResetError):
            return

    def _await_continue(self) -> None:
        """Wait for 100 Continue without taking it; a second of patience, as curl has."""
        self._socket.settimeout(1.0)
        with contextlib.suppress(TimeoutError, OSError):
            self._socket.recv(1, socket.MSG_PEEK)
        self._socket.settimeout(self.patience.silence_s)

    def _receive(
        self, parser: ResponseParser, pieces: list[Piece], sent_at: float, hang_up_after: int | None
    ) -> None:
        while not parser.complete:
            if time.monotonic() - sent_at > self.patience.total_s:
                raise FramingError(f"the answer was not over after {self.patience.total_s:g} s")
            received = self._socket.recv(65536)
            at_ms = (time.monotonic() - sent_at) * 1e3
            if not received:
                parser.end()
                return
            content = parser.feed(received)
            if content:
                pieces.append(Piece(at_ms, content))
                if self.begun is not None:
                    self.begun.set()
            if hang_up_after is not None and len(pieces) >= hang_up_after:
                self.close()
                return

    def _await_close(self, parser: ResponseParser) -> None:
        """Collect what comes after the end, until the target closes as it was asked to."""
        self._socket.settimeout(CLOSE_TIMEOUT_S)
        with contextlib.suppress(OSError):
            while received := self._socket.recv(65536):
                parser.feed(received)


def _connect(address: Address) -> socket.socket:
    connection = socket.create_connection((address.host, address.port), CONNECT_TIMEOUT_S)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if address.scheme == "https":
        context = ssl.create_default_context()
        return context.wrap_socket(connection, server_hostname=address.host)
    return connection


def trouble(problem: FramingError | OSError, silence_s: float) -> str:
    """What kept us from reading an answer to its end."""
    if isinstance(problem, FramingError):
        return str(problem)
    if isinstance(problem, TimeoutError):
        return f"nothing came for {silence_s:g} s"
    return f"the connection broke: {problem.strerror or problem}"


def exchange_of(
    address: Address,
    request: Request,
    parser: ResponseParser,
    pieces: list[Piece],
    elapsed_ms: float,
    error: str | None,
    sent: Sent | None,
) -> Exchange:
    """What was asked, and what was read of the answer."""
    head = parser.head
    return Exchange(
        url=address.url,
        request=request,
        status=head.status if head else None,
        version=head.version if head else "1.1",
        headers=head.headers if head else (),
        framing=parser.framing,
        interim=tuple(parser.interim),
        pieces=tuple(pieces),
        elapsed_ms=elapsed_ms,
        tail=parser.tail,
        error=error,
        sent=sent,
        cut=not parser.complete,
    )


def encode_head(request: Request, address: Address, version: str) -> bytes:
    """The bytes of request line and headers; Host is added where it is not given."""
    headers = list(request.headers)
    if not any(name == "host" for name, _ in lowered(request.headers)):
        headers.insert(0, ("Host", address.authority))
    lines = [f"{request.method} {address.prefix}{request.path} HTTP/{version}"]
    lines += [f"{name}: {value}" for name, value in headers]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def lowered(headers: tuple[tuple[str, str], ...]) -> list[tuple[str, str]]:
    """Headers with names and values in lower case."""
    return [(name.lower(), value.lower()) for name, value in headers]


def _closes(request: Request, version: str) -> bool:
    return version == "1.0" or ("connection", "close") in lowered(request.headers)

"""The registry as an HTTP server on a port of its own; it only listens where it is told to."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from .ledger import Asked, Ledger, Reply, read_query

LARGE = 100_000  # bytes; what is smaller is never held, paced or cut
PIECES = 40
MAX_HOLD_S = 20.0
TLS_HANDSHAKE = 0x16
SILENCE_S = 20.0  # after which a connection that says nothing is closed


class Handler(BaseHTTPRequestHandler):
    """HTTP/1.1 around the ledger."""

    protocol_version = "HTTP/1.1"
    timeout = SILENCE_S
    disable_nagle_algorithm = True  # else every body waits 40 ms for the ACK of its head
    server: RegistryServer

    def setup(self) -> None:
        """Look at the first byte: what is not HTTP is noted and sent away."""
        super().setup()
        self.server.connections += 1
        self.server.open.add(self.connection)
        try:
            first = self.connection.recv(1, socket.MSG_PEEK)
        except OSError:
            first = b""
        if first and first[0] == TLS_HANDSHAKE:
            self.server.handshakes += 1
            self.close_connection = True
            self.handle = self.finish_nothing  # type: ignore[method-assign]

    def finish_nothing(self) -> None:
        """Nothing to say to TLS."""

    def finish(self) -> None:
        """Forget the connection."""
        with contextlib.suppress(OSError):
            super().finish()
        self.server.open.discard(self.connection)

    def handle_one_request(self) -> None:
        """Any method is the ledger's."""
        try:
            self.raw_requestline = self.rfile.readline(65537)
            if not self.raw_requestline or not self.parse_request():
                self.close_connection = True
                return
            self._serve()
        except (OSError, ValueError):
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        query = read_query(parts.query)
        asked = Asked(self.command, parts.path, query, headers, self._body(), self.path)
        with self.server.lock:
            reply = self.server.ledger.answer(asked)
            slow = reply.slow and len(self.server.ledger.blobs.get(asked.name, b"")) > LARGE
            cut = self._cut(asked) if slow else None
        self.send_response(reply.status)
        for name, value in reply.headers:
            self.send_header(name, value)
        length = len(reply.body) if reply.length is None else reply.length
        self.send_header("Content-Length", str(length))
        self.end_headers()
        if self.command != "HEAD":
            self._send(asked, reply, slow, cut)

    def _cut(self, asked: Asked) -> int | None:
        """How much of this body is sent, where it is the one that is cut."""
        before = any(one.cut for one in self.server.ledger.asked)
        after = self.server.ledger.manners.cut_after
        if after is None or before or "range" not in asked.headers:
            return None
        asked.cut = True
        return after

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            parts = []
            while size := int(self.rfile.readline().partition(b";")[0], 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _send(self, asked: Asked, reply: Reply, slow: bool, cut: int | None) -> None:
        body = reply.body if cut is None else reply.body[:cut]
        seconds = self.server.ledger.manners.seconds
        gate = self.server.gate
        slow = slow and "range" in asked.headers  # whoever looks for the way only is not kept
        size = max(1, -(-len(body) // PIECES)) if slow and (seconds or gate) else len(body) or 1
        for at in range(0, len(body), size):
            if slow and gate is not None and at <= len(body) // 2 < at + size:
                self._wait_at(gate)
            if slow and self._left(seconds / PIECES):
                asked.left = True
                raise ConnectionResetError
            try:
                self.wfile.write(body[at : at + size])
            except OSError:
                asked.left = True
                raise
            asked.sent += len(body[at : at + size])
        if cut is not None:
            self.close_connection = True

    def _wait_at(self, gate: threading.Event) -> None:
        """Until the gate is open, the target leaves, or patience ends."""
        self.server.held.set()
        until = time.monotonic() + MAX_HOLD_S
        while not gate.is_set() and time.monotonic() < until and not self._left(0.01):
            pass

    def _left(self, seconds: float) -> bool:
        """Wait so long; whether the target has hung up in it."""
        readable, _, _ = select.select([self.connection], [], [], seconds)
        return bool(readable) and not self.connection.recv(1, socket.MSG_PEEK)


class RegistryServer(ThreadingHTTPServer):
    """Threads around one ledger."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, bind: str, host: str, elsewhere: str) -> None:
        super().__init__((bind, 0), Handler)
        port = self.server_address[1]
        self.authority = f"{host}:{port}"
        self.ledger = Ledger(f"http://{self.authority}", f"http://{elsewhere}:{port}")
        self.lock = threading.Lock()
        self.connections = 0
        self.handshakes = 0  # TLS was tried
        self.open: set[socket.socket] = set()
        self.gate: threading.Event | None = None  # large blobs wait at their middle until it opens
        self.held = threading.Event()  # one of them waits

    def close(self) -> None:
        """Stop, and hang up on those who keep their connections."""
        if self.gate is not None:
            self.gate.set()
        self.shutdown()
        self.server_close()
        for connection in list(self.open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: object, client_address: object) -> None:
        """A target that leaves is no error of ours."""


@contextmanager
def registry_server(bind: str, host: str, elsewhere: str) -> Iterator[RegistryServer]:
    """A registry that listens on `bind` and is reached as `host`. Raises OSError."""
    server = RegistryServer(bind, host, elsewhere)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.close()
        thread.join()

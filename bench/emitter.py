"""A server without a model, whose answers come on a known schedule, in Ollama's NDJSON.

It proves the bench: what it sent when is known, so every figure has a right value. Each of its
models is a way to answer, the wrong ways among them. `python -m parallama.bench.emitter` serves
it and prints its URL; with `--journal FILE` it writes when each record left, by prompt, so that
the client's own error can be told.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import heapq
import itertools
import json
import selectors
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from .clock import ANCILLARY_BYTES, SO_TIMESTAMPNS, clock_offset, kernel_stamp

BATCH = 4
STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"
)
END = b"0\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Pace:
    """When records leave, in ns since the request came, and since the record before."""

    first_ns: int = 20_000_000
    gap_ns: int = 2_000_000
    stall_ns: int = 50_000_000
    """What the one long gap of the model `stall` adds."""


@dataclass(frozen=True, slots=True)
class Emission:
    """Bytes that leave at once, after a time since the request came; `records` have text."""

    after_ns: int
    payload: bytes
    records: int = 0


@dataclass(frozen=True, slots=True)
class Script:
    """A whole answer; afterwards the connection is kept, closed, or left without a word."""

    emissions: tuple[Emission, ...]
    closes: bool = False


def chunk(*lines: bytes) -> bytes:
    """Lines as one chunk of a chunked body."""
    body = b"".join(line + b"\n" for line in lines)
    return b"%x\r\n%b\r\n" % (len(body), body)


def record(model: str, **fields: object) -> bytes:
    """One record of /api/generate."""
    return json.dumps(
        {"model": model, "created_at": "2026-01-01T00:00:00Z", "response": "", "done": False}
        | fields
    ).encode()


def whole(status: str, body: bytes, kind: str = "application/json") -> bytes:
    """An answer with a length."""
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


@functools.cache
def steady(pace: Pace, model: str, tokens: int, batch: int = 1, stall_at: int = -1) -> Script:
    """One record a token, `batch` of them in one write, then the last record in a write of its
    own, a gap later."""
    emissions = []
    at_ns = pace.first_ns
    for start in range(0, tokens, batch):
        if start == stall_at:
            at_ns += pace.stall_ns
        count = min(batch, tokens - start)
        lines = [record(model, response=f" word{start + number}") for number in range(count)]
        head = STREAM_HEAD if not start else b""
        emissions.append(Emission(at_ns, head + chunk(*lines), count))
        at_ns += pace.gap_ns
    last = record(
        model,
        done=True,
        done_reason="length",
        total_duration=at_ns,
        load_duration=0,
        prompt_eval_count=10,
        prompt_eval_duration=pace.first_ns,
        eval_count=tokens,
        eval_duration=at_ns - pace.first_ns,
    )
    return Script((*emissions, Emission(at_ns, chunk(last) + END)))


def cut(script: Script, *more: bytes, closes: bool = False) -> Script:
    """The first half of an answer, then something else at the time of the next record."""
    half = len(script.emissions) // 2
    at_ns = script.emissions[half].after_ns
    return Script(
        (*script.emissions[:half], *(Emission(at_ns, payload) for payload in more)), closes
    )


def script(model: str, pace: Pace, tokens: int, turn: int) -> Script | None:
    """How a model answers its nth request; None for a model that there is not."""
    full = steady(pace, model, tokens)
    error = json.dumps({"error": "the model runner has stopped"}).encode()
    match model:
        case "steady":
            return full
        case "coalesced":
            return steady(pace, model, tokens, batch=BATCH)
        case "stall":
            return steady(pace, model, tokens, stall_at=tokens // 2)
        case "busy":
            body = b'{"error":"server busy, please try again"}'
            return Script((Emission(0, whole("503 Service Unavailable", body)),))
        case "truncated":
            return cut(full, closes=True)
        case "undone":
            return cut(full, END)
        case "in-stream":
            return cut(full, chunk(error) + END)
        case "malformed":
            return cut(full, chunk(b'{"response": "no e') + END)
        case "unframed":
            return cut(full, b"this is no chunk\r\n", closes=True)
        case "empty":
            last = record(model, done=True, done_reason="stop", eval_count=1)
            return Script((Emission(pace.first_ns, STREAM_HEAD + chunk(last) + END),))
        case "foreign":
            return Script((Emission(0, whole("200 OK", b"<p>Hello</p>\n", "text/html")),))
        case "silent":
            return Script(())
        case "flaky":
            return script(("steady", "busy", "truncated", "in-stream")[turn % 4], pace, tokens, 0)
        case _:
            return None


MODELS = (
    *("steady", "coalesced", "stall", "busy", "truncated", "undone", "in-stream"),
    *("malformed", "unframed", "empty", "foreign", "silent", "flaky"),
)


@dataclass(slots=True)
class Asked:
    """A request that is being answered, for the journal."""

    prompt: str
    received_ns: int
    sent: list[tuple[int, int, int]] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Peer:
    """A connection and the bytes that have come over it."""

    connection: socket.socket
    buffer: bytearray = field(default_factory=bytearray)


class Emitter:
    """The server: one thread, one loop, emissions in the order of their times."""

    def __init__(self, pace: Pace, journal: Path | None = None, port: int = 0) -> None:
        self.pace = pace
        self._journal: IO[str] | None = journal.open("w", buffering=1) if journal else None
        self._listener = socket.create_server(("127.0.0.1", port), backlog=256)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ, None)
        self._due: list[tuple[int, int, Peer, Asked, Iterator[Emission], Emission, bool]] = []
        self._order = itertools.count()
        self._turns = itertools.count()
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def serve(self) -> None:
        """Serve for ever."""
        while True:
            self.step()

    def step(self) -> None:
        """Wait for the next thing to do, and do it."""
        wait_s = max(0.0, (self._due[0][0] - time.monotonic_ns()) / 1e9) if self._due else None
        for key, _ in self._selector.select(wait_s):
            if key.data is None:
                connection, _ = self._listener.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if sys.platform == "linux":
                    connection.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
                self._selector.register(connection, selectors.EVENT_READ, Peer(connection))
            else:
                self._receive(key.data)
        while self._due and self._due[0][0] <= time.monotonic_ns():
            self._emit(*heapq.heappop(self._due)[2:])

    def _receive(self, peer: Peer) -> None:
        try:
            received, received_ns = receive(peer.connection)
        except OSError:
            received, received_ns = b"", 0
        peer.buffer += received
        if not received:
            self._drop(peer)
            return
        head, separator, body = bytes(peer.buffer).partition(b"\r\n\r\n")
        length = content_length(head)
        if separator and len(body) >= length:
            peer.buffer.clear()
            method, path, _ = head.split(b"\r\n")[0].decode().split(" ")
            self._answer(peer, method, path, body, received_ns)

    def _answer(self, peer: Peer, method: str, path: str, body: bytes, received_ns: int) -> None:
        asked = json.loads(body) if body else {}
        prompt = asked.get("prompt")
        if method == "POST" and path == "/api/generate" and prompt:
            tokens = asked.get("options", {}).get("num_predict", 16)
            told = script(asked["model"], self.pace, tokens, next(self._turns))
        else:
            told = Script((Emission(0, plain(path, asked)),))
        if told is None:
            told = Script((Emission(0, whole("404 Not Found", b'{"error":"model not found"}')),))
        digest = hashlib.sha256((prompt or "").encode()).hexdigest()
        emissions = iter(told.emissions)
        self._next(peer, Asked(digest, received_ns), emissions, told.closes)

    def _next(self, peer: Peer, asked: Asked, rest: Iterator[Emission], closes: bool) -> None:
        emission = next(rest, None)
        if emission is not None:
            due_ns = asked.received_ns + emission.after_ns
            entry = (due_ns, next(self._order), peer, asked, rest, emission, closes)
            heapq.heappush(self._due, entry)
            return
        if self._journal is not None:
            line = {"prompt_sha256": asked.prompt, "received_ns": asked.received_ns}
            self._journal.write(json.dumps(line | {"sent": asked.sent}) + "\n")
        if closes:
            self._drop(peer)

    def _emit(
        self, peer: Peer, asked: Asked, rest: Iterator[Emission], emission: Emission, closes: bool
    ) -> None:
        before_ns = time.monotonic_ns()
        try:
            peer.connection.sendall(emission.payload)
        except OSError:
            self._drop(peer)
            return
        asked.sent.append((before_ns, time.monotonic_ns(), emission.records))
        self._next(peer, asked, rest, closes)

    def _drop(self, peer: Peer) -> None:
        if peer.connection.fileno() >= 0:
            self._selector.unregister(peer.connection)
            peer.connection.close()


def receive(connection: socket.socket) -> tuple[bytes, int]:
    """What came, and when; by the kernel's stamp where there is one, because it takes this one
    thread milliseconds to notice the last of 64 requests that come at once."""
    if sys.platform != "linux":
        return connection.recv(65536), time.monotonic_ns()
    received, ancillary, _, _ = connection.recvmsg(65536, ANCILLARY_BYTES)
    offset = clock_offset()
    stamp = kernel_stamp(ancillary)
    return received, offset.at_ns if stamp is None else stamp - offset.offset_ns


def content_length(head: bytes) -> int:
    """The Content-Length of a request, 0 without one."""
    for header in head.lower().split(b"\r\n"):
        if header.startswith(b"content-length:"):
            return int(header.partition(b":")[2])
    return 0


def plain(path: str, asked: dict[str, Any]) -> bytes:
    """The answer to a request that generates nothing."""
    details = {"family": "emitter", "parameter_size": "0", "quantization_level": "none"}
    entries = [
        {"name": name, "model": name, "size": 1, "digest": "0" * 64, "details": details}
        for name in MODELS
    ]
    match path:
        case "/api/version":
            value: dict[str, Any] = {"version": "0.0.0-emitter"}
        case "/api/tags" | "/api/ps":
            value = {"models": entries}
        case "/api/generate":
            value = {"model": asked.get("model"), "response": "", "done": True}
        case _:
            return whole("404 Not Found", b'{"error":"not found"}')
    return whole("200 OK", json.dumps(value).encode())


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(prog="python -m parallama.bench.emitter")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--first-ms", type=float, default=Pace().first_ns / 1e6)
    parser.add_argument("--gap-ms", type=float, default=Pace().gap_ns / 1e6)
    parser.add_argument("--journal", type=Path)
    chosen = parser.parse_args()
    pace = Pace(round(chosen.first_ms * 1e6), round(chosen.gap_ms * 1e6))
    emitter = Emitter(pace, chosen.journal, chosen.port)
    print(emitter.url, flush=True)
    emitter.serve()


if __name__ == "__main__":
    main()

"""A server without a model, whose answers come on a known schedule.

It proves the bench: what it sent when is known, so every figure has a right value. Each of its
models is a way to answer (`scripts`). `python -m parallama.bench.emitter` serves it and prints its
URL; with `--journal FILE` it writes when each record left, by prompt, so that the client's own
error can be told.
"""

from __future__ import annotations

import argparse
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
from .scheduling import hurry
from .scripts import MODELS, Emission, Pace, Script, Voice, embedded, script, unstreamed, whole

APIS = {
    "/api/generate": "generate",
    "/api/chat": "chat",
    "/api/embed": "embed",
    "/v1/chat/completions": "openai-chat",
    "/v1/completions": "openai-completions",
    "/v1/embeddings": "openai-embeddings",
}
GOLDEN = 0.6180339887498949
MISSING = b'{"error":"model not found"}'


@dataclass(slots=True)
class Asked:
    """A request that is being answered, for the journal."""

    prompt: str
    received_ns: int
    begin_ns: int
    sent: list[tuple[int, int, int]] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Peer:
    """A connection and the bytes that have come over it."""

    connection: socket.socket
    buffer: bytearray = field(default_factory=bytearray)


class Emitter:
    """The server: one thread, one loop, emissions in the order of their times."""

    def __init__(
        self, pace: Pace, journal: Path | None = None, port: int = 0, spread: bool = False
    ) -> None:
        self.pace = pace
        self._spread = spread
        self._journal: IO[str] | None = journal.open("w", buffering=1) if journal else None
        self._listener = socket.create_server(("127.0.0.1", port), backlog=256)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ, None)
        self._due: list[tuple[int, int, Peer, Asked, Iterator[Emission], Emission, bool]] = []
        self._order = itertools.count()
        self._turns = itertools.count()
        self._phases = itertools.count()
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
        api = APIS.get(path, "") if method == "POST" else ""
        prompt = prompt_of(asked)
        told = self._told(api, asked) if api and prompt else plain(path, asked)
        digest = hashlib.sha256(prompt.encode()).hexdigest()
        self._next(peer, self._asked(digest, received_ns), iter(told.emissions), told.closes)

    def _asked(self, digest: str, received_ns: int) -> Asked:
        """Spread, requests that come together are answered at even parts of a gap from each
        other, as a server does that has no batch; else all at once, as one that steps a batch."""
        turn = next(self._phases)
        wait_ns = round(turn * GOLDEN * self.pace.gap_ns) % self.pace.gap_ns if self._spread else 0
        return Asked(digest, received_ns, received_ns + wait_ns)

    def _told(self, api: str, asked: dict[str, Any]) -> Script:
        """The answer to a request that has a prompt; each word of it is a token, and one BOS."""
        voice = Voice(api, str(asked.get("model")), 1 + len(prompt_of(asked).split()))
        if api in ("embed", "openai-embeddings"):
            texts = asked["input"]
            return embedded(voice, self.pace, 1 if isinstance(texts, str) else len(texts))
        options = asked.get("options", asked)
        tokens = options.get("num_predict", options.get("max_tokens")) or 16
        tokens = options.get("max_completion_tokens", tokens)
        if not asked.get("stream", api in ("generate", "chat")):
            return unstreamed(voice, self.pace, tokens)
        told = script(voice, self.pace, tokens, next(self._turns))
        return told or Script((Emission(0, whole("404 Not Found", MISSING)),))

    def _next(self, peer: Peer, asked: Asked, rest: Iterator[Emission], closes: bool) -> None:
        emission = next(rest, None)
        if emission is not None:
            due_ns = asked.begin_ns + emission.after_ns
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


def prompt_of(asked: dict[str, Any]) -> str:
    """The text by which a request is known again: the prompt, the last message, the inputs."""
    messages = asked.get("messages") or [{}]
    texts = asked.get("input", asked.get("prompt", messages[-1].get("content")))
    if isinstance(texts, list):  # of strings, or of the parts of a message
        texts = "\n".join(one if isinstance(one, str) else one.get("text", "") for one in texts)
    return texts or ""


def plain(path: str, asked: dict[str, Any]) -> Script:
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
        case "/v1/models":
            value = {"object": "list", "data": [{"id": name, "object": "model"} for name in MODELS]}
        case "/health" | "/":
            value = {"status": "ok"}
        case "/api/generate" | "/api/chat" | "/api/embed":
            value = {"model": asked.get("model"), "response": "", "done": True}
        case _:
            return Script((Emission(0, whole("404 Not Found", b'{"error":"not found"}')),))
    return Script((Emission(0, whole("200 OK", json.dumps(value).encode())),))


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(prog="python -m parallama.bench.emitter")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--first-ms", type=float, default=Pace().first_ns / 1e6)
    parser.add_argument("--gap-ms", type=float, default=Pace().gap_ns / 1e6)
    parser.add_argument("--journal", type=Path)
    parser.add_argument("--spread", action="store_true")
    chosen = parser.parse_args()
    pace = Pace(round(chosen.first_ms * 1e6), round(chosen.gap_ms * 1e6))
    emitter = Emitter(pace, chosen.journal, chosen.port, chosen.spread)
    print(emitter.url, flush=True)
    hurry()  # as its client does: whoever waits for a CPU is late
    emitter.serve()


if __name__ == "__main__":
    main()

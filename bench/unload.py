"""Unloading a model, so that the next request finds the server cold. Nothing here is timed.

Over the same gevent client that measures, because other users' answers may be coming in meanwhile.
"""

from __future__ import annotations

import json
import time
from typing import Any

import gevent

from .measure import Client, ConnectError
from .target import Address, entry_of
from .wire import Answer, WireError

PATIENCE_S = 60.0
LOOK_EVERY_S = 0.02


class UnloadError(Exception):
    """The model is loaded still; the message says why."""


def unload(address: Address, model: str, patience_s: float = PATIENCE_S) -> None:
    """Return when the server has let go of the model: keep_alive 0, then not in /api/ps
    (docs/faq.mdx#how-do-i-keep-a-model-loaded-in-memory-or-make-it-unload-immediately)."""
    client = Client(address, patience_s, kernel=False)
    try:
        body = json.dumps({"model": model, "keep_alive": 0, "stream": False}).encode()
        said = exchange(client, "POST", "/api/generate", body)
        if said.get("error"):
            raise UnloadError(f"unloading {model}: {said['error']}")
        until_s = time.monotonic() + patience_s
        while is_loaded(exchange(client, "GET", "/api/ps"), model):
            if time.monotonic() > until_s:
                raise UnloadError(f"{model} was not unloaded within {patience_s:g} s")
            gevent.sleep(LOOK_EVERY_S)
    except ConnectError as error:
        raise UnloadError(f"unloading {model}: {error}") from error
    finally:
        client.close()


def is_loaded(listing: dict[str, Any], model: str) -> bool:
    """Whether an answer of /api/ps has the model; raises UnloadError where it is no such answer."""
    entries = listing.get("models")
    if not isinstance(entries, list):
        raise UnloadError("/api/ps does not say which models are loaded")
    return entry_of(model, [entry for entry in entries if isinstance(entry, dict)]) is not None


def exchange(client: Client, method: str, path: str, body: bytes = b"") -> dict[str, Any]:
    """One request and the JSON object that answers it."""
    address = client.address
    head = (
        f"{method} {address.path}{path} HTTP/1.1\r\n"
        f"Host: {address.authority}\r\n"
        "User-Agent: parallama-bench\r\n"
        "Content-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    client.connect()
    talk = client.converse(head.encode("ascii") + body)
    if talk.failure is not None:
        raise UnloadError(f"{path}: {talk.message}")
    answer = Answer()
    try:
        lines = [line for read in talk.reads for line in answer.feed(read.received)]
        lines += answer.close() if talk.closed else []
        value = json.loads(b"\n".join(lines))
    except (WireError, ValueError) as error:
        raise UnloadError(f"{path} was not answered with JSON") from error
    if not isinstance(value, dict):
        raise UnloadError(f"{path} was not answered with a JSON object")
    return value

"""The two servers of the benchmark, as processes on free ports."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from .users import MODEL

START_S: Final = 120
PACKAGE: Final = __package__.rpartition(".")[0]


@contextlib.contextmanager
def ours(gguf: Path, num_users: int, scratch: Path) -> Iterator[str]:
    """The URL of this server with the model loaded."""
    port = _free_port()
    environment = {
        **os.environ,
        "OLLAMA_HOST": f"127.0.0.1:{port}",
        "OLLAMA_MODELS": str(scratch / "models"),
        "OLLAMA_NUM_PARALLEL": str(num_users),
    }
    with _running([sys.executable, "-m", PACKAGE, "serve"], environment, port, scratch) as url:
        digest = f"sha256:{hashlib.sha256(gguf.read_bytes()).hexdigest()}"
        _post(f"{url}/api/blobs/{digest}", gguf.read_bytes())
        made = {"model": MODEL, "files": {gguf.name: digest}, "stream": False}
        _post(f"{url}/api/create", json.dumps(made).encode())
        _post(f"{url}/api/generate", json.dumps({"model": MODEL, "keep_alive": -1}).encode())
        yield url


@contextlib.contextmanager
def rival(gguf: Path, num_users: int, scratch: Path) -> Iterator[str]:
    """The URL of mlx-lm's BatchGenerator with the model loaded."""
    port = _free_port()
    command = [sys.executable, "-m", f"{__package__}.rival", str(gguf), str(port), str(num_users)]
    with _running(command, dict(os.environ), port, scratch) as url:
        yield url


@contextlib.contextmanager
def _running(
    command: Sequence[str], environment: dict[str, str], port: int, scratch: Path
) -> Iterator[str]:
    url = f"http://127.0.0.1:{port}"
    log_path = scratch / f"{port}.log"
    with log_path.open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            _wait(process, url, log_path)
            yield url
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    end_s = time.monotonic() + START_S
    while process.poll() is None and time.monotonic() < end_s:
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=5):
            return
        time.sleep(0.1)
    raise RuntimeError(f"the server did not start:\n{log.read_text()}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _post(url: str, body: bytes) -> None:
    request = urllib.request.Request(url, body, method="POST")
    with urllib.request.urlopen(request, timeout=START_S) as response:
        response.read()

"""The servers of the benchmark: ours and BatchGenerator's as processes, and one that runs."""

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
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

START_S: Final = 120
PACKAGE: Final = __package__.rpartition(".")[0]
MODEL: Final = "bench"


@dataclass(frozen=True, slots=True)
class Server:
    """Where to ask, for which model, and the process if it is on this machine."""

    url: str
    model: str
    pid: int | None

    def cpu_s(self) -> float | None:
        """Seconds of CPU that the process and its children have taken; None if not known."""
        if self.pid is None:
            return None
        import psutil

        process = psutil.Process(self.pid)
        times = [one.cpu_times() for one in (process, *process.children(recursive=True))]
        return float(sum(one.user + one.system for one in times))


@contextlib.contextmanager
def ours(
    gguf: Path, num_users: int, scratch: Path, fields: Mapping[str, Any] | None = None
) -> Iterator[Server]:
    """This server with the model loaded; `fields` are more of what `/api/create` takes."""
    port = _free_port()
    environment = {
        **os.environ,
        "OLLAMA_HOST": f"127.0.0.1:{port}",
        "OLLAMA_MODELS": str(scratch / f"models-{port}"),
        "OLLAMA_NUM_PARALLEL": str(num_users),
        "OPENBLAS_NUM_THREADS": "1",
    }
    with _running([sys.executable, "-m", PACKAGE, "serve"], environment, port, scratch) as server:
        digest = f"sha256:{hashlib.sha256(gguf.read_bytes()).hexdigest()}"
        _post(f"{server.url}/api/blobs/{digest}", gguf.read_bytes())
        made = {"model": MODEL, "files": {gguf.name: digest}, "stream": False, **(fields or {})}
        _post(f"{server.url}/api/create", json.dumps(made).encode())
        wanted = {"model": MODEL, "keep_alive": -1}
        _post(f"{server.url}/api/generate", json.dumps(wanted).encode())
        yield server


@contextlib.contextmanager
def rival(
    gguf: Path, num_users: int, num_prompts: int, scratch: Path, layers: str
) -> Iterator[Server]:
    """mlx-lm's BatchGenerator with the model loaded, on layers of `ours` or of `mlx-lm`.

    It puts `num_prompts` prompts through the model together.
    """
    port = _free_port()
    arguments = [str(gguf), str(port), str(num_users), str(num_prompts), layers]
    command = [sys.executable, "-m", f"{__package__}.rival", *arguments]
    with _running(command, dict(os.environ), port, scratch) as server:
        yield server


def beside(url: str, model: str) -> Server:
    """A server that somebody else runs."""
    return Server(url.rstrip("/"), model, _listener(url))


def _listener(url: str) -> int | None:
    """The process of this machine that listens there, where one may know."""
    import psutil

    parts = urlsplit(url)
    if parts.hostname not in ("127.0.0.1", "localhost", "::1"):
        return None
    with contextlib.suppress(psutil.Error):
        for one in psutil.net_connections("tcp"):
            if one.status == psutil.CONN_LISTEN and one.laddr.port == parts.port:
                return None if one.pid is None else int(one.pid)
    return None


@contextlib.contextmanager
def _running(
    command: Sequence[str], environment: dict[str, str], port: int, scratch: Path
) -> Iterator[Server]:
    url = f"http://127.0.0.1:{port}"
    log_path = scratch / f"{port}.log"
    with log_path.open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            _wait(process, url, log_path)
            yield Server(url, MODEL, process.pid)
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

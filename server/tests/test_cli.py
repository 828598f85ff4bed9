"""The program `parallama`."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from click.testing import CliRunner

from ..cli import main
from ..version import VERSION


@contextmanager
def serving(folder: Path, host: str = "127.0.0.1:0") -> Iterator[subprocess.Popen[str]]:
    """A server process of its own."""
    package = __package__.rpartition(".")[0]
    process = subprocess.Popen(
        [sys.executable, "-m", package, "serve"],
        env={**os.environ, "OLLAMA_HOST": host, "OLLAMA_MODELS": str(folder)},
        cwd=Path(__file__).resolve().parents[2],
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_version_is_told() -> None:
    """In one line."""
    answer = CliRunner().invoke(main, ["--version"])
    assert answer.output == f"parallama version is {VERSION}\n"


def test_help_of_serve_names_the_environment() -> None:
    """All variables that are read."""
    answer = CliRunner().invoke(main, ["serve", "--help"])
    for name in ("HOST", "MODELS", "NUM_PARALLEL", "KEEP_ALIVE", "ORIGINS", "MAX_QUEUE", "DEBUG"):
        assert f"OLLAMA_{name}" in answer.output


def test_the_commands_import_nothing_heavy() -> None:
    """So that help comes at once."""
    package = __package__.rpartition(".")[0]
    heavy = ("aiohttp", "mlx", "numpy", "transformers", "structlog", "asyncio")
    code = f"import sys, {package}.cli; print([m for m in {heavy!r} if m in sys.modules])"
    root = Path(__file__).resolve().parents[2]
    told = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    assert told.stdout == "[]\n"


def test_a_signal_ends_the_server_well(tmp_path: Path) -> None:
    """It says where it listens, and exits 0."""
    with serving(tmp_path / "models") as process:
        assert process.stderr is not None
        told = process.stderr.readline()
        port = re.search(r"event=listening .*port=(\d+)", told)
        assert port, told
        socket.create_connection(("127.0.0.1", int(port[1]))).close()
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0


def test_an_address_in_use_is_told_in_one_line(tmp_path: Path) -> None:
    """With exit status 1."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        host = f"127.0.0.1:{taken.getsockname()[1]}"
        with serving(tmp_path / "models", host) as process:
            assert process.wait(20) == 1
            assert process.stderr is not None
            assert process.stderr.read().startswith(f"Error: listen tcp {host}: ")

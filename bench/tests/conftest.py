"""An emitter to measure, and runs of the program against it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ..calibrate import Emitting, emitting


class Serving(Emitting):
    """A running emitter."""

    @property
    def url(self) -> str:
        """Where it is."""
        return str(self.address)


@pytest.fixture(autouse=True, scope="session")
def interruptible() -> None:
    """The programs that tests start can be interrupted.

    Who was started in the background of a script ignores SIGINT, and so would they: an ignored
    signal is inherited, one that is handled is not.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Words are remembered for these tests alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def serving() -> Iterator[Serving]:
    """An emitter in a process of its own, quick enough for tests."""
    with emitting(first_ms=4, gap_ms=1) as emitter:
        yield Serving(emitter.address, emitter.journal)


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the program to its end."""
    program = [sys.executable, "-m", "parallama.bench", *arguments]
    return subprocess.run(program, capture_output=True, text=True, check=False, timeout=120)


def records(folder: Path, kind: str) -> list[dict[str, Any]]:
    """The records of one kind in a folder's samples.jsonl."""
    lines = (folder / "samples.jsonl").read_text(encoding="utf-8").splitlines()
    return [record for record in map(json.loads, lines) if record["kind"] == kind]


def summary(folder: Path) -> dict[str, Any]:
    """A folder's summary.json."""
    value: dict[str, Any] = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    return value

"""The spool: the file through which a load process hands on what it measured, as it goes.

One JSON object a line: `stamps` first, `phase` where a point begins or ends, `exchange` for each
request, `over` after each point.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .exchange import Exchange


class SpoolError(Exception):
    """The spool takes no more; the message says why, in a sentence."""


class Spool:
    """The writing end; every line is with the system when `write` returns."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("ab", buffering=0)

    def write(self, exchange: Exchange) -> None:
        """Add an exchange."""
        self.add(exchange.line())

    def note(self, kind: str, **fields: object) -> None:
        """Add a remark."""
        self.add(json.dumps({"kind": kind, "at_ns": time.monotonic_ns(), **fields}) + "\n")

    def add(self, line: str) -> None:
        """Add a line; raises SpoolError where the disk takes it not, or not whole."""
        rest = memoryview(line.encode("ascii"))
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            raise SpoolError(f"{self._path} takes no more: {error.strerror}") from error


class Tail:
    """The reading end: the whole lines of a file that another process is writing."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("rb")
        self._rest = b""

    def entries(self) -> Iterator[dict[str, Any]]:
        """What has been written since the last time."""
        *lines, self._rest = (self._rest + self._file.read()).split(b"\n")
        yield from map(json.loads, lines)

    def empty(self) -> None:
        """Give the space back that is taken by what has been read. Only while nothing is being
        measured: what would be written meanwhile were lost."""
        os.truncate(self._path, 0)
        self._file.seek(0)
        self._rest = b""

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

"""What the processes of a run heard, put together before the first law is judged.

One process needs nothing for it. Several write what each heard into a file of the run's own,
a line after each check; a law waits until all of them are there, so that a run of several
finds what a run of one finds.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from pathlib import Path

from .witness import Witness

POLL_S = 0.05
LOST_S = 1800.0  # without a line: no check takes so long, so whoever owes it is gone


class Gathering:
    """A witness, and the others of the same run."""

    def __init__(self) -> None:
        self.witness = Witness()
        self.expected = 0  # checks that come before the laws
        self.place: Path | None = None  # None: there are no others
        self.gathered = False
        self.lines: list[bytes] = []  # that all have told
        self.read_bytes = 0

    def open(self, token: str) -> None:
        """Make the file, before anybody needs it; once, however many processes there will be."""
        if self.place is None:
            self.share(token)
            assert self.place is not None
            self.place.touch()

    def share(self, token: str) -> None:
        """Let the others of this run know what is heard."""
        self.place = Path(tempfile.gettempdir()) / f"parallama-check-{token}-heard.jsonl"

    def close(self) -> None:
        """Let nobody wait for the others any longer: the run is over, or has lost one of them."""
        if self.place is not None:
            self.place.unlink(missing_ok=True)

    def tell(self) -> None:
        """Tell the others what was heard in one more check; nobody, where the run is over."""
        if self.place is None:
            return
        line = json.dumps(self.witness.news()).encode() + b"\n"
        try:
            there = os.open(self.place, os.O_WRONLY | os.O_APPEND)
        except FileNotFoundError:
            return
        with open(there, "ab", buffering=0) as told:
            told.write(line)

    def gather(self) -> None:
        """Wait until all have told what they heard, and learn it; once."""
        if self.place is None or self.gathered:
            return
        self.gathered = True
        since = time.monotonic()
        while self.place.exists() and time.monotonic() - since < LOST_S:
            if self._listen():
                since = time.monotonic()
            if len(self.lines) >= self.expected:
                break
            time.sleep(POLL_S)
        for line in self.lines:
            self.witness.learn(json.loads(line))

    def _listen(self) -> bool:
        """Whether anything was told since the last time."""
        assert self.place is not None
        try:
            with self.place.open("rb") as told:
                told.seek(self.read_bytes)
                whole, end, _ = told.read().rpartition(b"\n")
        except FileNotFoundError:
            return False
        self.lines += whole.split(b"\n") if end else []
        self.read_bytes += len(whole) + len(end)
        return bool(end)

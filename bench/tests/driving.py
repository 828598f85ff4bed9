"""Load processes that run points for a test, and what they spooled."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..exchange import Exchange
from ..load import Ask, Load, Point
from ..plan import PointPlan, RunPlan
from ..target import parse
from ..vocabulary import CANDIDATES

ASK = Ask(prompt_tokens=12, output_tokens=4)
PATIENCE_S = 60.0


def point_plan(url: str, load: Load, ask: Ask = ASK, model: str = "steady") -> PointPlan:
    """A load on a server."""
    return PointPlan(0, Point("users", "some", None, load, ask), parse(url), model, CANDIDATES, 2)


def run_plan(spool: Path, timeout_s: float = 5.0) -> RunPlan:
    """What all points of a run share."""
    return RunPlan(str(spool), "nonce", 7, timeout_s)


@dataclass(frozen=True, slots=True)
class Driven:
    """A load process, and its spool."""

    process: subprocess.Popen[str]
    spool: Path

    def tell(self, line: str) -> None:
        """Write it a line."""
        assert self.process.stdin is not None
        self.process.stdin.write(line)
        self.process.stdin.flush()

    def entries(self) -> list[dict[str, Any]]:
        """Everything that it has spooled."""
        text = self.spool.read_text(encoding="ascii") if self.spool.exists() else ""
        return [json.loads(line) for line in text.splitlines(keepends=True) if line[-1] == "\n"]

    def wait_for(self, kind: str, times: int = 1) -> list[dict[str, Any]]:
        """The entries of a kind, once there are so many."""
        until_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < until_s:
            found = [entry for entry in self.entries() if entry["kind"] == kind]
            if len(found) >= times:
                return found
            assert self.process.poll() is None, self.process.communicate()
            try:
                self.process.wait(0.02)
            except subprocess.TimeoutExpired:
                continue
        raise AssertionError(f"no {kind} in {self.entries()}")

    def end(self) -> int:
        """End it, if it has not ended; its exit status."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.process.wait(PATIENCE_S)

    def last_words(self) -> str:
        """What it says when it ends by itself."""
        assert self.process.stdout is not None
        self.process.wait(PATIENCE_S)
        return str(json.loads(self.process.stdout.readline())["because"])


@contextmanager
def driving(spool: Path, *arguments: str, timeout_s: float = 5.0) -> Iterator[Driven]:
    """A load process that has been told the run; ended afterwards."""
    program = [sys.executable, "-m", "parallama.bench.drive", *arguments]
    with subprocess.Popen(
        program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        driven = Driven(process, spool)
        try:
            driven.tell(run_plan(spool, timeout_s).line())
            yield driven
        finally:
            driven.end()


def spooled(
    spool: Path, plans: Sequence[PointPlan], *arguments: str, timeout_s: float = 5.0
) -> list[dict[str, Any]]:
    """Everything that a load process spools for some points, which come one at a time."""
    with driving(spool, *arguments, timeout_s=timeout_s) as driven:
        for number, plan in enumerate(plans, start=1):
            driven.tell(plan.line())
            driven.wait_for("over", number)
    return driven.entries()


def exchanges(entries: Sequence[dict[str, Any]]) -> list[Exchange]:
    """The exchanges among entries."""
    return [Exchange.parse(entry) for entry in entries if entry["kind"] == "exchange"]

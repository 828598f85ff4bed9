"""A run, as the front sees it: the load process beside us, its spool read as it grows.

This process understands, samples memory and draws; the load process only measures.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from . import machine, target
from .document import Writer, now
from .exchange import Exchange
from .outcome import sample
from .plan import Plan
from .resources import Watch, find_server
from .sample import Resource
from .target import Description
from .terminal import Progress

POLL_S = 0.05
SAMPLE_EVERY_NS = 200_000_000
GRACE_S = 5.0
SAMPLES = "samples.jsonl"


class DriveError(Exception):
    """The load process died; the message is the last that it said."""


class Run:
    """One run into a folder; `samples.jsonl` is whole when `execute` returns."""

    def __init__(
        self, plan: Plan, description: Description, folder: Path, progress: Progress
    ) -> None:
        self._plan = plan
        self._description = description
        self._progress = progress
        self._path = folder / SAMPLES
        self._anchor_ns = time.monotonic_ns()
        self._started_at = now()
        self._writer: Writer | None = None
        self._watch = Watch(find_server(plan.address))
        self._declared: int | None = None
        self._phase = "idle"
        self._sampled_ns = 0
        self._over = False

    def execute(self) -> bool:
        """Run the plan; True when it was interrupted. What was measured is kept either way."""
        interrupted = False
        try:
            with spool_of(self._plan) as spool, drive(self._plan) as process:
                try:
                    self._follow(process, spool)
                except KeyboardInterrupt:
                    interrupted = True
                    stop(process)
                    self._take(spool)
        finally:
            self._document("user").finish(interrupted or not self._over)
        return interrupted

    def _follow(self, process: subprocess.Popen[str], spool: Tail) -> None:
        while True:
            running = process.poll() is None
            self._take(spool)
            if not running:
                break
            self._sample(every_ns=SAMPLE_EVERY_NS)
            time.sleep(POLL_S)
        if not self._over:
            raise DriveError(f"the load process ended with status {process.returncode}")

    def _take(self, spool: Tail) -> None:
        """Understand what has been spooled since the last time."""
        for entry in spool.entries():
            match entry["kind"]:
                case "stamps":
                    self._document(entry["stamps"])
                    self._sample()
                case "phase":
                    self._enter(entry["phase"], entry["point"])
                case "exchange":
                    tokens = self._plan.profile.output_tokens
                    one = sample(Exchange.parse(entry), self._anchor_ns, tokens)
                    self._document("user").sample(one)
                    self._progress.sample(one)
                case "end":
                    self._over = True

    def _enter(self, phase: str, point: int | None) -> None:
        """Go on to another phase, with a memory sample on either side."""
        self._sample()
        self._phase = phase
        self._progress.phase(phase, point)
        self._declared = target.declared_bytes(self._plan.address, self._plan.model)
        self._sample()

    def _sample(self, every_ns: int = 0) -> None:
        at_ns = time.monotonic_ns()
        if self._writer is None or at_ns - self._sampled_ns < every_ns:
            return
        self._sampled_ns = at_ns
        tree = self._watch.look()
        self._writer.resource(
            Resource(
                at_ns=at_ns - self._anchor_ns,
                phase=self._phase,
                processes=tree.processes,
                rss_bytes=tree.rss_bytes,
                pss_bytes=tree.pss_bytes,
                declared_bytes=self._declared,
            )
        )

    def _document(self, stamps: str) -> Writer:
        """samples.jsonl, begun with the first thing that is known of the stamps."""
        if self._writer is None:
            profile = asdict(self._plan.profile) | {"nonce": self._plan.nonce}
            header: dict[str, Any] = {
                "bench_version": machine.version(),
                "started_at": self._started_at,
                "profile": profile,
                "target": asdict(self._description),
                "machine": machine.describe(),
                "stamps": stamps,
            }
            self._writer = Writer(self._path, header)
        return self._writer


class Tail:
    """The whole lines of a file that another process is writing."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self._rest = ""

    def entries(self) -> Iterator[dict[str, Any]]:
        """What has been written since the last time."""
        *lines, self._rest = (self._rest + self._file.read()).split("\n")
        yield from map(json.loads, lines)


@contextmanager
def spool_of(plan: Plan) -> Iterator[Tail]:
    """The spool, empty at first; removed when all in it has been understood."""
    path = Path(plan.spool)
    path.write_text("", encoding="ascii")  # not what a run that died has left
    with path.open(encoding="ascii") as file:
        yield Tail(file)
    path.unlink()


@contextmanager
def drive(plan: Plan) -> Iterator[subprocess.Popen[str]]:
    """The load process. In a session of its own, so that Ctrl-C reaches us alone; it stops when
    its input ends, and so also when we die."""
    process = subprocess.Popen(
        [sys.executable, "-m", "parallama.bench.drive"],
        stdin=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdin is not None
    try:
        process.stdin.write(plan.line())
        process.stdin.flush()
        yield process
    finally:
        stop(process)


def stop(process: subprocess.Popen[str]) -> None:
    """End the load process, and wait until it has gone."""
    if process.stdin is not None and not process.stdin.closed:
        process.stdin.close()
    try:
        process.wait(GRACE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()

"""A run, as the front sees it: the load process beside us, its spool read as it grows.

This process understands, chooses, samples memory and draws; the load process only measures.
"""

from __future__ import annotations

import json
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from . import machine
from .course import Course
from .exchange import Exchange
from .load import Point, Result
from .observe import Observer
from .outcome import sample
from .plan import PointPlan, RunPlan
from .power import Power, find_meter
from .profiles import Profile
from .sample import Sample
from .spool import Tail
from .summary import result
from .target import Arm
from .terminal import Progress
from .workload import lengths_of
from .writer import DiskError, Writer, now

POLL_S = 0.05
OBSERVE_EVERY_NS = 200_000_000
LIVE_EVERY_NS = 1_000_000_000
GRACE_S = 5.0
SAMPLES = "samples.jsonl"
SPOOL = "spool.jsonl"
INTERRUPTED = "interrupted"
STOPPED = "stopped from the live page"


class DriveError(Exception):
    """The run ended early by no one's wish; the message says why, in a sentence."""


class Stopped(Exception):  # noqa: N818 - no error: somebody wants no more
    """Somebody pressed Ctrl-C, or stop on the live page; the message says which."""


@dataclass(frozen=True, slots=True)
class Driving:
    """Which load processes there are."""

    processes: int = 1
    remote: int = 0
    """Workers that come from elsewhere (`parallama-bench worker`)."""
    bind: str = "127.0.0.1:0"
    """Where they find the master."""
    web: bool = False
    """Serve Locust's live page."""
    kernel: bool = True
    """Take the kernel's receive stamps where it gives them."""

    def arguments(self) -> list[str]:
        """As the load process's command line has it."""
        counts = ["--processes", str(self.processes), "--remote", str(self.remote)]
        return [*counts, "--bind", self.bind, *(["--web"] if self.web else [])]


class Run:
    """One run into a folder; `samples.jsonl` is whole when `execute` returns or raises, unless
    the disk does not take so much as its footer."""

    def __init__(
        self,
        profile: Profile,
        course: Course,
        arms: Sequence[Arm],
        folder: Path,
        progress: Progress,
        driving: Driving = Driving(),
        calibration: dict[str, Any] | None = None,
    ) -> None:
        self._profile = profile
        self._course = course
        self._arms = arms
        self._progress = progress
        self._driving = driving
        self._calibration = calibration
        self._samples_path = folder / SAMPLES
        self._plan = RunPlan(
            str(folder / SPOOL),
            secrets.token_hex(8),
            profile.seed,
            profile.timeout_s,
            driving.kernel,
        )
        self._anchor_ns = time.monotonic_ns()
        self._started_at = now()
        self._observers = [
            Observer(number, arm.address, arm.description.model, Power(find_meter()))
            for number, arm in enumerate(arms)
        ]
        self._writer: Writer | None = None
        self._pending: deque[dict[str, Any]] = deque()
        self._asked: PointPlan | None = None
        self._samples: list[Sample] = []
        self._phase = "idle"
        self._over = True
        self._interrupted = False
        self._cpu_ns = 0
        self._wall_ns = 0
        self._observed_ns = 0
        self._shown_ns = 0

    def execute(self) -> bool:
        """Run the course; True when it was interrupted. What was measured is kept in every case;
        raises DriveError where it was cut short by a fault."""
        because: str | None = None
        fault = False
        with spool_of(Path(self._plan.spool)) as spool, self._listening():
            try:
                with drive(self._plan, self._driving) as process:
                    self._go(process, spool)
            except Stopped as stopped:
                because = str(stopped)
            except (DriveError, DiskError) as error:
                because, fault = str(error), True
            except Exception as error:  # a fault of this program: what was understood is kept
                self._pending.clear()
                self._finish(spool, f"{type(error).__name__}: {error}")
                raise
            because = self._finish(spool, because)
        if fault:
            raise DriveError(because)
        return because is not None

    @contextmanager
    def _listening(self) -> Iterator[None]:
        """Hear Ctrl-C, and who ends us kindly, between moments only: raised in the midst of one,
        a line could be written and not counted, or written twice. Who ignores them still does."""

        def heard(*_: object) -> None:
            self._interrupted = True

        numbers = (signal.SIGINT, signal.SIGTERM)
        ours = [one for one in numbers if signal.getsignal(one) is signal.default_int_handler]
        for one in ours:
            signal.signal(one, heard)
        try:
            yield
        finally:
            for one in ours:
                signal.signal(one, signal.default_int_handler)

    def _go(self, process: Process, spool: Tail) -> None:
        """All points, one after another."""
        results: list[Result] = []
        while self._writer is None:
            self._follow(process, spool)
        while (point := self._course.next(results)) is not None:
            self._ask(process, len(results), point)
            while not self._over:
                self._follow(process, spool)
            results.append(result(point, self._samples))
            self._progress.result(results[-1])
            spool.empty()

    def _ask(self, process: Process, number: int, point: Point) -> None:
        """Have the load process run a point."""
        arm = self._arms[point.arm]
        model = point.model or arm.description.model
        words = arm.words
        self._samples, self._over = [], False
        self._asked = PointPlan(
            number, point, arm.address, model, words.words, words.overhead(point.ask.api)
        )
        process.tell(self._asked.line())

    def _follow(self, process: Process, spool: Tail) -> None:
        """Understand what has come, look at memory, show; a moment at a time."""
        if self._interrupted:
            raise Stopped(INTERRUPTED)
        running = process.running
        self._take(spool)
        if not running:
            raise DriveError(process.last_words())
        self._observe(every_ns=OBSERVE_EVERY_NS)
        if self._driving.web and time.monotonic_ns() - self._shown_ns > LIVE_EVERY_NS:
            self._shown_ns = time.monotonic_ns()
            at_s = (self._shown_ns - self._anchor_ns) / 1e9
            process.tell(json.dumps({"kind": "live", **self._progress.figures(at_s)}) + "\n")
        if not self._pending:
            time.sleep(POLL_S)

    def _take(self, spool: Tail) -> None:
        """Understand what has been spooled since the last time. What is not written for want of
        room stays pending."""
        self._pending.extend(spool.entries())
        while self._pending:
            self._understand(self._pending[0])
            self._pending.popleft()

    def _understand(self, entry: dict[str, Any]) -> None:
        match entry["kind"]:
            case "crew":
                self._progress.waiting(entry["there"], entry["wanted"], entry.get("place"))
            case "stamps":
                client = {"scheduling": entry["scheduling"], "workers": entry["workers"]}
                self._begin(entry["stamps"], client)
                self._progress.page = entry["page"]
            case "phase":
                assert self._asked is not None
                self._enter(entry["phase"], self._asked, entry["at_ns"] - self._anchor_ns)
            case "exchange":
                assert self._asked is not None
                exchange = Exchange.parse(entry)
                one = sample(exchange, self._anchor_ns, lengths_of(self._asked, exchange.user))
                self._document().sample(one)
                self._samples.append(one)
                self._progress.sample(one)
            case "over":
                self._cpu_ns += entry["cpu_ns"]
                self._wall_ns += entry["wall_ns"]
                self._leave()
            case "stopped":
                raise Stopped(STOPPED)

    def _enter(self, phase: str, asked: PointPlan, at_ns: int) -> None:
        """A point begins, with a memory sample on either side."""
        self._document().point(asked.number, asked.point, asked.model, at_ns)
        self._observe()
        self._phase = phase
        self._progress.phase(phase, asked.point)
        self._observe()

    def _leave(self) -> None:
        """A point has ended."""
        self._observe()
        self._phase = "idle"
        self._over = True
        self._observe()

    def _observe(self, every_ns: int = 0) -> None:
        """Look at the server under load; at all of them where a point begins or ends."""
        at_ns = time.monotonic_ns()
        if self._writer is None or at_ns - self._observed_ns < every_ns:
            return
        self._observed_ns = at_ns
        for number, observer in enumerate(self._observers):
            if not every_ns or (self._asked and number == self._asked.point.arm):
                one = observer.look(at_ns - self._anchor_ns, self._phase, ask=not every_ns)
                self._writer.resource(one)

    def _begin(self, stamps: str, client: dict[str, Any]) -> None:
        """Begin the document with what is known of the load processes."""
        secure = any(arm.address.scheme == "https" for arm in self._arms)
        header = {
            "bench_version": machine.version(),
            "started_at": self._started_at,
            "profile": asdict(self._profile) | {"nonce": self._plan.nonce},
            "arms": [
                {
                    "name": arm.name,
                    "target": asdict(arm.description),
                    "conformance": arm.conformance,
                }
                for arm in self._arms
            ],
            "machine": machine.describe() | {"client": client},
            "stamps": "user" if secure or not self._driving.kernel else stamps,
            "calibration": self._calibration,
        }
        self._writer = Writer(self._samples_path, header)
        self._observe()

    def _document(self) -> Writer:
        assert self._writer is not None, "the load process says its stamps first"
        return self._writer

    def _finish(self, spool: Tail, because: str | None) -> str | None:
        """Write what is left and the footer; why the run ended early, None where it did not."""
        try:
            if self._writer is None:
                self._begin("user", {})
            self._take_rest(spool)
        except DiskError as error:
            because = because or str(error)
            if self._writer is None:
                raise DriveError(because) from error
            self._pending.extend(spool.entries())
            spool.empty()
            self._document().relieve()
            with suppress(DiskError):  # then without those that were not written yet
                self._take_rest(spool)
        share = self._cpu_ns / self._wall_ns if self._wall_ns else None
        try:
            self._document().finish(because, share)
        except DiskError as error:
            raise DriveError(f"{error}; it has no footer and cannot be read") from error
        return because

    def _take_rest(self, spool: Tail) -> None:
        """Understand what came last; who pressed stop has been heard already."""
        while True:
            try:
                return self._take(spool)
            except Stopped:
                self._pending.popleft()


class Process:
    """The load process, as long as it lives."""

    def __init__(self, popen: subprocess.Popen[str], complaints: IO[bytes]) -> None:
        self._popen = popen
        self._complaints = complaints

    @property
    def running(self) -> bool:
        """Whether it lives."""
        return self._popen.poll() is None

    def tell(self, line: str) -> None:
        """Write it a line; nobody reads it when the process has died, which will be noticed."""
        assert self._popen.stdin is not None
        with suppress(BrokenPipeError):
            self._popen.stdin.write(line)
            self._popen.stdin.flush()

    def last_words(self) -> str:
        """Why it ended, in its own words where it left some."""
        assert self._popen.stdout is not None
        with suppress(ValueError, KeyError):
            return str(json.loads(self._popen.stdout.readline())["because"])
        self._complaints.seek(0)
        said = self._complaints.read().decode(errors="replace").strip().splitlines()[-1:]
        ended = f"the load process ended with status {self._popen.returncode}"
        return ": ".join([ended, *said])

    def stop(self) -> None:
        """End it, and wait until it has gone."""
        if self._popen.stdin is not None:
            with suppress(OSError):
                self._popen.stdin.close()
        try:
            self._popen.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self._popen.wait()


@contextmanager
def spool_of(path: Path) -> Iterator[Tail]:
    """The spool, empty at first; removed when all in it has been understood."""
    path.write_bytes(b"")  # not what a run that died has left
    spool = Tail(path)
    try:
        yield spool
    finally:
        spool.close()
        path.unlink(missing_ok=True)


@contextmanager
def drive(plan: RunPlan, driving: Driving) -> Iterator[Process]:
    """The load process. In a session of its own, so that Ctrl-C reaches us alone; it stops when
    its input ends, and so also when we die."""
    program = [sys.executable, "-m", "parallama.bench.drive", *driving.arguments()]
    with tempfile.TemporaryFile() as complaints:
        popen = subprocess.Popen(
            program,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=complaints,
            text=True,
            start_new_session=True,
        )
        with popen:
            process = Process(popen, complaints)
            try:
                process.tell(plan.line())
                yield process
            finally:
                process.stop()

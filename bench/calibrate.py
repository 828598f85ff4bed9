"""The client's own error: what it saw of an emitter against what the emitter did.

The emitter writes a journal of when each record left, so every latency has a right value. The
comparison is pure; `emitting` runs an emitter beside us for as long as it is needed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import target
from .course import Course
from .load import Ask, Closed, Open, Point
from .profiles import Profile, Steps
from .sample import Sample
from .summary import percentile
from .target import Address, Arm, Description
from .words import Words

if TYPE_CHECKING:
    from .run import Driving, Run

GROUP = "calibration"
MODEL = "steady"
FIRST_MS = 20.0
SECONDS = 1.0
"""How long an answer of the calibration takes; two are measured after one of warm-up."""
STREAMS, TOKENS_PER_S = 64, 1000.0
LATENESS_GAP_MS = 50.0
WORDS = ("the", "old", "mill", "by", "a", "river", "stood", "still", "and", "so", "did", "we")


@dataclass(frozen=True, slots=True)
class Emission:
    """What an emitter did with one prompt, on CLOCK_MONOTONIC."""

    received_ns: int
    sent: tuple[tuple[int, int, int], ...]
    """Before and after each write, and how many records with text it had."""

    @property
    def left_ns(self) -> list[int]:
        """When each record with text left: the middle of its write."""
        return [(before + after) // 2 for before, after, held in self.sent for _ in range(held)]


@dataclass(frozen=True, slots=True)
class Emitting:
    """An emitter that runs beside us."""

    address: Address
    journal: Path

    def emissions(self) -> dict[str, Emission]:
        """What it has done so far, by the SHA-256 of the prompt."""
        records = map(json.loads, self.journal.read_text(encoding="utf-8").splitlines())
        return {
            record["prompt_sha256"]: Emission(
                record["received_ns"], tuple((one[0], one[1], one[2]) for one in record["sent"])
            )
            for record in records
        }


@contextmanager
def emitting(first_ms: float, gap_ms: float, spread: bool = False) -> Iterator[Emitting]:
    """An emitter in a process of its own, on a free port of loopback."""
    with tempfile.TemporaryDirectory(prefix="parallama-") as folder:
        journal = Path(folder) / "journal.jsonl"
        pace = ("--first-ms", str(first_ms), "--gap-ms", str(gap_ms), "--journal", str(journal))
        program = [sys.executable, "-m", "parallama.bench.emitter", *pace]
        program += ["--spread"] if spread else []
        with subprocess.Popen(
            program, stdout=subprocess.PIPE, text=True, start_new_session=True
        ) as process:
            assert process.stdout is not None
            try:
                yield Emitting(target.parse(process.stdout.readline().strip()), journal)
            finally:
                process.kill()


def gap_ms(streams: int, tokens_per_s: float) -> float:
    """The time between two records of a stream, when so many streams make this rate together."""
    return 1000.0 * streams / tokens_per_s


def point(streams: int, tokens_per_s: float, api: str = "generate") -> Point:
    """The load under which the client's error is taken."""
    tokens = max(2, round(SECONDS * 1000 / gap_ms(streams, tokens_per_s)))
    ask = Ask(api, prompt_tokens=16, output_tokens=tokens)
    return Point(GROUP, f"{streams} streams", float(streams), Closed(streams, 2), ask)


def measure(
    streams: int = STREAMS,
    tokens_per_s: float = TOKENS_PER_S,
    driving: Driving | None = None,
    spread: bool = False,
    api: str = "generate",
) -> dict[str, Any]:
    """Run the load against an emitter and compare; raises DriveError where that fails."""
    with emitting(FIRST_MS, gap_ms(streams, tokens_per_s), spread) as emitter:
        records = run(emitter.address, point(streams, tokens_per_s, api), driving)
        share = records[-1].get("client_cpu_share")
        emissions = emitter.emissions()
    return calibration(streams, records[0]["stamps"], samples_of(records), emissions, share)


def lateness(rate_per_s: float, requests: int) -> dict[str, float | None]:
    """How late an open loop sends, in ms, while streams of two seconds are being answered."""
    load = Open(rate_per_s, requests, warmup=round(rate_per_s))
    ask = Ask(prompt_tokens=16, output_tokens=round(2 * SECONDS * 1000 / LATENESS_GAP_MS))
    with emitting(FIRST_MS, LATENESS_GAP_MS, spread=True) as emitter:
        records = run(emitter.address, Point(GROUP, "open loop", rate_per_s, load, ask), None)
    measured = [sample for sample in samples_of(records) if not sample.warmup]
    return spread_of([(one.sent_ns - one.planned_ns) / 1e6 for one in measured])


def run(address: Address, load: Point, driving: Driving | None) -> list[dict[str, Any]]:
    """Put one point on an emitter; the records of its samples.jsonl."""
    from .run import SAMPLES

    with tempfile.TemporaryDirectory(prefix="parallama-") as folder:
        if run_into(Path(folder), address, load, driving).execute():
            raise KeyboardInterrupt
        text = (Path(folder) / SAMPLES).read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def run_into(folder: Path, address: Address, load: Point, driving: Driving | None = None) -> Run:
    """A run of one point on an emitter, in silence."""
    from rich.console import Console

    from .run import Driving, Run
    from .terminal import Progress

    profile = Profile("calibration", "an emitter with a known schedule", Steps((load,)))
    described = Description(str(address), MODEL, None, None, None, None, None)
    arm = Arm("emitter", address, described, None, Words(WORDS, 1, True))
    silent = Progress(Console(stderr=True, force_terminal=False), None)
    return Run(profile, Course(profile), [arm], folder, silent, driving or Driving())


def samples_of(records: Sequence[dict[str, Any]]) -> list[Sample]:
    """The samples among the records of a document."""
    return [Sample.parse(record) for record in records if record["kind"] == "sample"]


def errors(
    samples: Sequence[Sample], emissions: Mapping[str, Emission]
) -> tuple[list[float], list[float], int, int]:
    """How wrong each TTFT and each gap was, in ms, and how many records were lost or doubled.

    A latency's error is the client's figure minus the emitter's own, without its sign.
    """
    ttft_ms: list[float] = []
    itl_ms: list[float] = []
    lost = doubled = 0
    for sample in samples:
        emission = emissions.get(sample.prompt_sha256)
        if emission is None or sample.warmup:
            continue
        left = emission.left_ns
        seen = [arrival.at_ns for arrival in sample.arrivals]
        lost += max(0, len(left) - len(seen))
        doubled += max(0, len(seen) - len(left))
        if not left or not seen:
            continue
        true_ns = left[0] - emission.received_ns
        ttft_ms.append(abs(seen[0] - sample.sent_ns - true_ns) / 1e6)
        for (one, two), (first, second) in zip(pairwise(seen), pairwise(left), strict=False):
            itl_ms.append(abs((two - one) - (second - first)) / 1e6)
    return ttft_ms, itl_ms, lost, doubled


def calibration(
    streams: int,
    stamps: str,
    samples: Sequence[Sample],
    emissions: Mapping[str, Emission],
    cpu_share: float | None,
) -> dict[str, Any]:
    """What reports print of the client's own error; the rate is the one that was reached."""
    measured = [sample for sample in samples if not sample.warmup]
    ttft_ms, itl_ms, lost, doubled = errors(measured, emissions)
    late_ms = [(sample.sent_ns - sample.planned_ns) / 1e6 for sample in measured]
    return {
        "streams": streams,
        "tokens_per_s": rate(measured),
        "stamps": stamps,
        "ttft_error_ms": spread_of(ttft_ms),
        "itl_error_ms": spread_of(itl_ms),
        "dispatch_late_ms": spread_of(late_ms),
        "cpu_share": cpu_share,
        "lost": lost,
        "doubled": doubled,
    }


def rate(samples: Sequence[Sample]) -> float:
    """Records by second, from the first request to the last record."""
    ends = [sample.arrivals[-1].at_ns for sample in samples if sample.arrivals]
    if not ends:
        return 0.0
    elapsed_ns = max(ends) - min(sample.sent_ns for sample in samples)
    return sum(len(sample.arrivals) for sample in samples) / max(elapsed_ns, 1) * 1e9


def spread_of(values: Sequence[float]) -> dict[str, float | None]:
    """Median and 99th percentile, by nearest rank."""
    ordered = sorted(values)
    return {f"p{one}": percentile(ordered, one) if ordered else None for one in (50, 99)}


def main(arguments: Sequence[str]) -> int:
    """`parallama-bench calibrate`: print the client's own error; the exit status."""
    chosen = parser().parse_args(arguments)
    from .run import DriveError

    try:
        found = measure(chosen.streams, chosen.rate, spread=chosen.spread)
    except DriveError as error:
        print(f"parallama-bench calibrate: {error}", file=sys.stderr)
        return 4
    if chosen.json:
        print(json.dumps(found, indent=2))
    else:
        print("\n".join(sentences(found)))
    return 0


def parser() -> argparse.ArgumentParser:
    """The command line of `calibrate`."""
    made = argparse.ArgumentParser(
        prog="parallama-bench calibrate",
        description="The client's own error on this machine, against an emitter with a known "
        "schedule.",
    )
    made.add_argument("--streams", metavar="N", type=int, default=STREAMS)
    made.add_argument(
        "--rate", metavar="TOKENS", type=float, default=TOKENS_PER_S, help="tokens/s, all together"
    )
    made.add_argument(
        "--spread",
        action="store_true",
        help="streams at even distances; else all at once, as a server that steps a batch",
    )
    made.add_argument("--json", action="store_true", help="for programs")
    return made


def sentences(found: Mapping[str, Any]) -> list[str]:
    """A calibration in words."""
    rows = [
        f"{found['streams']} streams, {found['tokens_per_s']:.0f} tokens/s, "
        f"stamps of the {'kernel' if found['stamps'] == 'kernel' else 'client'}"
    ]
    for name, words in (
        ("ttft_error_ms", "TTFT error"),
        ("itl_error_ms", "ITL error"),
        ("dispatch_late_ms", "sent late"),
    ):
        p50, p99 = found[name]["p50"], found[name]["p99"]
        rows.append(
            f"{words}: no samples" if p50 is None else f"{words}: {p50:.3f} ms, p99 {p99:.3f} ms"
        )
    if found["cpu_share"] is not None:
        rows.append(f"client: {found['cpu_share']:.0%} of a core")
    return [*rows, f"lost {found['lost']}, doubled {found['doubled']}"]

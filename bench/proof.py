"""The bench proves itself: `python -m parallama.bench.proof` (nox -s benchproof), in one run.

Every claim has a limit, what was measured, and whether that keeps it. Exit status 1 where one does
not. Rivals are measured on the same emitter, in the same run, where their programs are named.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from . import calibrate, machine, rivals, simulation
from .calibrate import FIRST_MS, MODEL, emitting, gap_ms
from .crowd import write_run
from .report import conclude
from .run import Driving

STREAMS, TOKENS_PER_S, MANY_TOKENS_PER_S = 64, 1000.0, 10_000.0
RIVAL_TOKENS, RIVAL_REQUESTS = 64, 4
AHEAD = 10.0
REQUESTS = 100_000
WIDTH = 100


@dataclass(frozen=True, slots=True)
class Claim:
    """A figure, its limit, and what was measured; None where nothing could be."""

    name: str
    limit: str
    measured: float | None
    unit: str
    kept: bool


def at_most(name: str, measured: float | None, limit: float, unit: str) -> Claim:
    """A claim that a figure is not above its limit."""
    return Claim(name, f"<= {limit:g}", measured, unit, measured is not None and measured <= limit)


def at_least(name: str, measured: float | None, limit: float, unit: str) -> Claim:
    """A claim that a figure is not below its limit."""
    return Claim(name, f">= {limit:g}", measured, unit, measured is not None and measured >= limit)


def between(name: str, measured: float, low: float, high: float, unit: str) -> Claim:
    """A claim that a figure lies between two limits."""
    return Claim(name, f"{low:g} to {high:g}", measured, unit, low <= measured <= high)


def clock() -> Iterator[Claim]:
    """How wrong the client is, and what it costs."""
    lost = doubled = 0
    for name, driving, spread, limits in (
        ("kernel stamps, all at once", Driving(), False, (0.05, 0.2)),
        ("kernel stamps, spread", Driving(), True, (0.05, 0.2)),
        ("client stamps, spread", Driving(kernel=False), True, (0.2, 3.0)),
    ):
        found = calibrate.measure(STREAMS, TOKENS_PER_S, driving, spread)
        lost, doubled = lost + found["lost"], doubled + found["doubled"]
        for share, limit in zip(("p50", "p99"), limits, strict=True):
            error_ms = found["ttft_error_ms"][share]
            yield at_most(f"TTFT error {share}, {name}", error_ms, limit, "ms")
        if driving.kernel:
            yield at_most(f"client, {name}", found["cpu_share"], 0.25, "of a core")
    found = calibrate.measure(STREAMS, MANY_TOKENS_PER_S, Driving(), spread=True)
    lost, doubled = lost + found["lost"], doubled + found["doubled"]
    yield at_least("tokens/s of the next line", found["tokens_per_s"], 9_000.0, "tokens/s")
    yield at_most("TTFT error p99, kernel stamps", found["ttft_error_ms"]["p99"], 5.0, "ms")
    yield at_most("tokens lost", float(lost), 0.0, "tokens")
    yield at_most("tokens counted twice", float(doubled), 0.0, "tokens")


def dispatch() -> Iterator[Claim]:
    """How late an open loop sends."""
    late_ms = calibrate.lateness(rate_per_s=20.0, requests=200)
    yield at_most("dispatch late p99, 20 requests/s", late_ms["p99"], 3.0, "ms")


def statistics(runs: int) -> Iterator[Claim]:
    """What the intervals and verdicts are worth, on runs whose truth is known."""
    found = simulation.proof(runs)
    for noise, by_method in found["ratio_coverage"].items():
        yield between(f"intervals of ratios hold, {noise}", by_method["t"], 0.93, 0.97, "of runs")
    for name in ("rate", "goodput"):
        yield between(f"intervals of {name} hold", found[f"{name}_coverage"], 0.93, 0.97, "of runs")
    different = max(found["aa_different"].values())
    yield at_most("A/A called different", different, 0.05, "of runs")
    seen = min(found["difference_found"].values())
    yield at_least("3 % found, 10 pairs, 2 % noise", seen, 0.8, "of runs")


def speed() -> Iterator[Claim]:
    """How long people wait for the bench itself."""
    with emitting(FIRST_MS, 2.0) as emitter, tempfile.TemporaryDirectory() as folder:
        program = [sys.executable, "-m", "parallama.bench", "smoke"]
        program += ["--url", str(emitter.address), "--model", MODEL, "-o", folder]
        yield at_most("smoke", timed(lambda: run(program)), 20.0, "s")
    with tempfile.TemporaryDirectory() as folder:
        write_run(Path(folder), REQUESTS)
        took_s = timed(lambda: conclude(Path(folder)))
        yield at_most(f"report of {REQUESTS:,} requests", took_s, 5.0, "s")


def run(program: list[str]) -> None:
    """Run a program that must succeed."""
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1:] or f"status {done.returncode}")


def timed(work: Callable[[], object]) -> float:
    """How many seconds it takes."""
    begun_s = time.monotonic()
    work()
    return time.monotonic() - begun_s


def beside(programs: Mapping[str, Path]) -> Iterator[Claim]:
    """Rivals on the same emitter and our client over the same API."""
    if not programs:
        return
    gap = gap_ms(STREAMS, TOKENS_PER_S)
    ours = calibrate.measure(STREAMS, TOKENS_PER_S, api="openai-chat")["ttft_error_ms"]
    for share in ("p50", "p99"):
        yield at_most(f"TTFT error {share}, ours over openai-chat", ours[share], 0.2, "ms")
    for name, program in programs.items():
        with emitting(FIRST_MS, gap) as emitter, tempfile.TemporaryDirectory() as folder:
            order = rivals.Order(
                str(emitter.address), MODEL, STREAMS, RIVAL_REQUESTS, RIVAL_TOKENS, Path(folder)
            )
            theirs = rivals.measured(
                name, program, order, lambda: list(emitter.emissions().values())
            )
        for share in ("p50", "p99"):
            error_ms, own_ms = theirs[share], ours[share]
            ratio = error_ms / own_ms if error_ms is not None and own_ms else None
            said = "no samples" if error_ms is None else f"{error_ms:.2f} ms"
            yield at_least(f"{name} {share} ({said}) by ours", ratio, AHEAD, "times")


def main() -> int:
    """Print every claim; 1 where one is not kept."""
    made = argparse.ArgumentParser(prog="python -m parallama.bench.proof")
    for name in rivals.RIVALS:
        made.add_argument(f"--{name}", metavar="PROGRAM", type=Path)
    made.add_argument("--runs", type=int, default=2000, help="simulated runs")
    made.add_argument("--json", metavar="FILE", type=Path)
    chosen = made.parse_args()
    programs = {name: path for name in rivals.RIVALS if (path := getattr(chosen, name))}
    table = Table("claim", "limit", "measured", "", box=SIMPLE_HEAD)
    claims = []
    for part in (clock(), dispatch(), statistics(chosen.runs), speed(), beside(programs)):
        for claim in part:
            claims.append(claim)
            table.add_row(*shown(claim))
            print(" ".join(shown(claim)), file=sys.stderr, flush=True)
    Console(width=WIDTH).print(table)
    if chosen.json:
        written: dict[str, Any] = {
            "machine": machine.describe(),
            "claims": [asdict(claim) for claim in claims],
        }
        chosen.json.write_text(json.dumps(written, indent=2) + "\n", encoding="utf-8")
    return 0 if all(claim.kept for claim in claims) else 1


def shown(claim: Claim) -> tuple[str, str, str, str]:
    """A claim as a row."""
    figure = "not measured" if claim.measured is None else f"{claim.measured:.4g}"
    return claim.name, f"{claim.limit} {claim.unit}", figure, "kept" if claim.kept else "NOT KEPT"


if __name__ == "__main__":
    raise SystemExit(main())

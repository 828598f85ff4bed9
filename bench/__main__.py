"""The front of the bench: `parallama-bench PROFILE --url URL --model NAME [-o DIR]`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from .command import parser

if TYPE_CHECKING:
    import argparse

    from .profiles import Profile
    from .target import Arm

MEASURED, FINDINGS, USAGE, UNREACHABLE, OUR_FAULT, INTERRUPTED = 0, 1, 2, 3, 4, 130
DOCUMENTS = (
    *("samples.jsonl", "summary.json", "report.html", "samples.csv", "points.csv", "bench.txt"),
)
USUAL_TOKENS_PER_S = 50.0
"""Of one stream, when the client is calibrated."""


def fail(status: int, message: str) -> NoReturn:
    """Say why in one line, and leave."""
    print(f"parallama-bench: {message}", file=sys.stderr)
    raise SystemExit(status)


def main() -> None:
    """Run the command line; leaves with the exit status that --help explains."""
    match sys.argv[1:2]:
        case ["worker"]:
            worker(sys.argv[2:])
        case ["calibrate"]:
            from .calibrate import main as calibrate

            raise SystemExit(calibrate(sys.argv[2:]))
        case _:
            raise SystemExit(bench(parser().parse_args()))


def bench(chosen: argparse.Namespace) -> int:
    """Measure; the exit status."""
    from .prepare import PrepareError, arms_of, profile_of

    try:
        profile = profile_of(chosen)
        writable(chosen.folder)
        profile, arms = arms_of(chosen, profile)
    except PrepareError as error:
        fail(error.status, str(error))
    except KeyboardInterrupt:
        fail(INTERRUPTED, "interrupted before anything was measured")
    return measure(profile, arms, chosen)


def measure(profile: Profile, arms: list[Arm], chosen: argparse.Namespace) -> int:
    """Run the profile and write its documents; the exit status."""
    import signal

    from rich.console import Console

    from .course import Course
    from .report import conclude
    from .run import DriveError, Driving, Run
    from .terminal import Progress

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    folder: Path = chosen.folder
    clear(folder)
    course = Course(profile, len(arms))
    announce(profile, course.bounds)
    driving = Driving(chosen.processes, chosen.workers, chosen.bind, chosen.web)
    interrupted, fault = False, None
    calibration = calibrated(profile, chosen)
    with Progress(Console(stderr=True), course.planned) as progress:
        try:
            interrupted = Run(
                profile, course, arms, folder, progress, driving, calibration
            ).execute()
        except DriveError as error:
            fault = str(error)
        except KeyboardInterrupt:
            fail(INTERRUPTED, "interrupted before anything was measured")
    if fault is not None and not (folder / DOCUMENTS[0]).exists():
        fail(OUR_FAULT, fault)
    summary = conclude(folder)
    if fault is not None:
        fail(OUR_FAULT, fault)
    if interrupted:
        return INTERRUPTED
    return FINDINGS if not summary["valid"] or hopeless(summary) else MEASURED


def calibrated(profile: Profile, chosen: argparse.Namespace) -> dict[str, Any] | None:
    """The client's own error at the most streams of the profile; None where it is not taken."""
    wanted = chosen.calibrate
    if wanted is False or (wanted is None and profile.name == "smoke"):
        return None
    from . import calibrate
    from .fitting import streams
    from .run import DriveError, Driving

    count = streams(profile)
    rate = min(calibrate.TOKENS_PER_S, count * USUAL_TOKENS_PER_S)
    print(f"calibrating the client with {count} stream{'s' * (count != 1)}", file=sys.stderr)
    try:
        return calibrate.measure(count, rate, Driving(chosen.processes))
    except DriveError as error:
        fail(OUR_FAULT, f"the client cannot be calibrated: {error}")
    except KeyboardInterrupt:
        fail(INTERRUPTED, "interrupted before anything was measured")


def announce(profile: Profile, bounds: tuple[int, int]) -> None:
    """Say how many points are expected, and what must be known of them."""
    least, most = bounds
    count = f"{most} point{'s' * (most != 1)}" if least == most else f"{least} to {most} points"
    print(f"{profile.name}: {count}", file=sys.stderr)
    for note in profile.notes:
        print(f"note: {note}", file=sys.stderr)


def writable(folder: Path) -> None:
    """Leave unless documents can be written into the folder, which need not be there yet."""
    there = next(one for one in (folder, *folder.absolute().parents) if one.exists())
    if not there.is_dir():
        fail(USAGE, f"{folder} cannot be written to: {there} is no folder")
    if not os.access(there, os.W_OK | os.X_OK):
        fail(USAGE, f"{folder} cannot be written to: no permission in {there}")


def clear(folder: Path) -> None:
    """Have the folder, without documents of an earlier run in it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for stale in DOCUMENTS:
            (folder / stale).unlink(missing_ok=True)
    except OSError as error:
        fail(USAGE, f"{folder} cannot be written to: {error.strerror}")


def hopeless(summary: dict[str, Any]) -> bool:
    """Whether every request of some point failed."""
    return any(point["failures"] == point["requests"] for point in summary["points"])


def worker(arguments: list[str]) -> NoReturn:
    """Become a load process for a run on another machine."""
    import argparse

    made = argparse.ArgumentParser(prog="parallama-bench worker")
    made.add_argument("--master", metavar="HOST:PORT", required=True, help="as the run prints it")
    chosen = made.parse_args(arguments)
    host, separator, port = chosen.master.rpartition(":")
    if not (host and separator and port.isdigit()):
        fail(USAGE, f"--master {chosen.master}: say HOST:PORT, as the run prints it")
    program = [sys.executable, "-m", "parallama.bench.drive", "--worker", chosen.master]
    os.execv(sys.executable, program)


if __name__ == "__main__":
    main()

"""The front of the bench: `parallama-bench PROFILE --url URL --model NAME [-o DIR]`."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from . import target
from .profiles import PROFILES, Profile, altered

if TYPE_CHECKING:
    from .target import Address, Description

MEASURED, FINDINGS, USAGE, UNREACHABLE, OUR_FAULT, INTERRUPTED = 0, 1, 2, 3, 4, 130
EPILOG = """\
profiles:
{profiles}

written to DIR: samples.jsonl (every request, raw), summary.json (the figures), report.html

exit status: 0 measured; 1 every request of some point failed, or the client could not keep up
(summary.json says valid: false); 2 usage, an unknown profile or model; 3 the target cannot be
reached; 4 our own fault; 130 interrupted, with what was measured until then kept
"""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    profiles = "\n".join(f"  {one.name:<12}{one.about}" for one in PROFILES.values())
    made = argparse.ArgumentParser(
        prog="parallama-bench",
        description="Measure how fast an Ollama server is.",
        epilog=EPILOG.format(profiles=profiles),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("profile", metavar="PROFILE", help="what load to put on it: see below")
    made.add_argument(
        "--url",
        default=os.environ.get("OLLAMA_HOST", ""),
        help="the server; OLLAMA_HOST without it, else http://127.0.0.1:11434",
    )
    made.add_argument("--model", metavar="NAME", help="a model that the server has")
    made.add_argument("-o", dest="folder", metavar="DIR", type=Path, default=Path("out/bench"))
    made.add_argument(
        "--concurrency", metavar="N,N", type=counts, help="other numbers of users, in turn"
    )
    made.add_argument("--requests", metavar="N", type=positive, help="measured requests a user")
    made.add_argument(
        "--output-tokens", metavar="N", type=positive, help="tokens asked for in each request"
    )
    return made


def positive(text: str) -> int:
    """A count from the command line."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def counts(text: str) -> tuple[int, ...]:
    """Counts with commas between them, each once."""
    numbers = tuple(positive(part) for part in text.split(","))
    if len(set(numbers)) < len(numbers):
        raise argparse.ArgumentTypeError("names a number of users twice")
    return numbers


def fail(status: int, message: str) -> NoReturn:
    """Say why in one line, and leave."""
    print(f"parallama-bench: {message}", file=sys.stderr)
    raise SystemExit(status)


def main() -> None:
    """Run the command line; leaves with the exit status that --help explains."""
    chosen = parser().parse_args()
    profile = PROFILES.get(chosen.profile)
    if profile is None:
        fail(USAGE, f"there is no profile {chosen.profile!r}; there are: {', '.join(PROFILES)}")
    profile = altered(profile, chosen.concurrency, chosen.requests, chosen.output_tokens)
    try:
        address = target.parse(chosen.url)
    except ValueError as error:
        fail(USAGE, str(error))
    try:
        description = acquaint(address, chosen.model)
    except target.TargetError as error:
        fail(UNREACHABLE, f"{address} cannot be reached: {error}")
    raise SystemExit(measure(profile, address, description, chosen.folder))


def acquaint(address: Address, model: str | None) -> Description:
    """Ask the target what it is; leaves when it does not have the model."""
    entries = target.models(address)
    names = ", ".join(sorted(str(entry.get("name")) for entry in entries or [])) or "none"
    if model is None:
        fail(USAGE, f"say which model, with --model; {address} has: {names}")
    entry = target.entry_of(model, entries or [])
    if entry is None and entries is not None:
        fail(USAGE, f"{address} has no model {model!r}; it has: {names}")
    return target.describe(address, model, entry)


def measure(profile: Profile, address: Address, description: Description, folder: Path) -> int:
    """Run the profile and write its documents; the exit status."""
    import secrets
    import signal

    from rich.console import Console

    from .plan import Plan
    from .report import conclude
    from .run import DriveError, Run
    from .terminal import Progress

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    clear(folder)
    plan = Plan(
        address, description.model, profile, secrets.token_hex(8), str(folder / "spool.jsonl")
    )
    interrupted, fault = False, None
    with Progress(Console(stderr=True), profile) as progress:
        try:
            complaint = target.load(address, description.model)
            if complaint is not None:
                print(f"the model did not load: {complaint}", file=sys.stderr)
            interrupted = Run(plan, description, folder, progress).execute()
        except DriveError as error:
            fault = str(error)
        except KeyboardInterrupt:
            fail(INTERRUPTED, "interrupted before anything was measured")
    summary = conclude(folder)
    if fault is not None:
        fail(OUR_FAULT, fault)
    if interrupted:
        return INTERRUPTED
    return FINDINGS if not summary["valid"] or hopeless(summary) else MEASURED


def clear(folder: Path) -> None:
    """Have the folder, without an earlier run's documents in it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for stale in ("samples.jsonl", "summary.json", "report.html"):
            (folder / stale).unlink(missing_ok=True)
    except OSError as error:
        fail(USAGE, f"{folder} cannot be written to: {error.strerror}")


def hopeless(summary: dict[str, Any]) -> bool:
    """Whether every request of some point failed."""
    return any(point["failures"] == point["requests"] for point in summary["points"])


if __name__ == "__main__":
    main()

"""The command line of `parallama-bench`, as text and values; what it asks for is done elsewhere."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from .fitting import Changes
from .load import APIS
from .profiles import PROFILES

EPILOG = """\
profiles:
{profiles}

other commands:
  calibrate    the client's own error, against an emitter with a known schedule
  worker       make load for a run on another machine (--master HOST:PORT)

written to DIR: samples.jsonl (every request, raw), summary.json (the figures), report.html

exit status: 0 measured; 1 every request of some point failed, or the client could not keep up
(summary.json says valid: false); 2 usage, an unknown profile or model, a file that cannot be used;
3 the target cannot be reached, or is no Ollama; 4 our own fault; 130 interrupted, with what was
measured until then kept
"""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    profiles = "\n".join(f"  {one.name:<13}{one.about}" for one in PROFILES.values())
    made = argparse.ArgumentParser(
        prog="parallama-bench",
        description="Measure how fast an Ollama server is.",
        epilog=EPILOG.format(profiles=profiles),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("profile", metavar="PROFILE", nargs="?", help="what load: see below")
    made.add_argument(
        "--url",
        default=os.environ.get("OLLAMA_HOST", ""),
        help="the server; OLLAMA_HOST without it, else http://127.0.0.1:11434",
    )
    made.add_argument(
        "--model", metavar="NAME", help="a model that the server has; NAME,NAME for `models`"
    )
    made.add_argument("-o", dest="folder", metavar="DIR", type=Path, default=Path("out/bench"))
    made.add_argument("--pull", action="store_true", help="fetch a model that the server lacks")
    made.add_argument("--api", choices=APIS, metavar="API", help=f"one of {', '.join(APIS)}")
    add_files(made)
    add_sizes(made)
    add_pairs(made)
    add_driving(made)
    return made


def add_files(made: argparse.ArgumentParser) -> None:
    """What is read."""
    group = made.add_argument_group("files")
    group.add_argument(
        "--profile-file",
        metavar="TOML",
        type=Path,
        help="a profile of your own, instead of PROFILE",
    )
    group.add_argument("--trace", metavar="JSONL", type=Path, help="what `replay` replays")
    group.add_argument(
        "--conformance",
        metavar="RUN.jsonl",
        type=Path,
        action="append",
        default=[],
        help="a run of parallama-conformance on this target, to stand beside the figures",
    )
    group.add_argument(
        "--conformance-anyway",
        action="store_true",
        help="also where that run was of another URL",
    )


def add_sizes(made: argparse.ArgumentParser) -> None:
    """How much is measured; the profiles are small, so that they end soon on a slow server."""
    group = made.add_argument_group("how much, where the profile has it")
    group.add_argument("--concurrency", metavar="N,N", type=counts, help="numbers of users")
    group.add_argument("--requests", metavar="N", type=positive, help="measured requests a user")
    group.add_argument("--prompt-tokens", metavar="N,N", type=counts, help="lengths of prompts")
    group.add_argument("--output-tokens", metavar="N", type=positive, help="length of answers")
    group.add_argument("--rate", metavar="R,R", type=rates, help="requests/s, instead of shares")
    group.add_argument("--minutes", metavar="M", type=minutes, help="of a soak, or of a trace")
    group.add_argument(
        *("--pairs", "--blocks"),
        metavar="N",
        type=positive,
        help="how often points are gone through",
    )
    group.add_argument("--seed", metavar="N", type=int, help="of prompts, samples and order")


def add_pairs(made: argparse.ArgumentParser) -> None:
    """What `ab` compares."""
    group = made.add_argument_group("ab")
    group.add_argument("--against", metavar="URL", help="the other server")
    group.add_argument("--against-model", metavar="NAME", help="its model, where it differs")
    group.add_argument("--aa", action="store_true", help="the same server twice, as a test of us")


def add_driving(made: argparse.ArgumentParser) -> None:
    """From where the load comes."""
    group = made.add_argument_group("load processes")
    group.add_argument("--processes", metavar="N", type=positive, default=1, help="on this machine")
    group.add_argument(
        "--workers", metavar="N", type=int, default=0, help="on others: parallama-bench worker"
    )
    group.add_argument("--bind", metavar="HOST:PORT", default="127.0.0.1:0", help="for workers")
    group.add_argument(
        "--calibrate",
        action=argparse.BooleanOptionalAction,
        help="take the client's own error before the run (8 s); without either all but smoke do",
    )
    group.add_argument("--web", action="store_true", help="Locust's live page, with our charts")


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
        raise argparse.ArgumentTypeError("names a number twice")
    return numbers


def rates(text: str) -> tuple[float, ...]:
    """Rates with commas between them; whether they can be is for the profile to say."""
    return tuple(float(part) for part in text.split(","))


def minutes(text: str) -> float:
    """A length of time."""
    number = float(text)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError("must be greater than 0")
    return number


def changes(chosen: argparse.Namespace) -> Changes:
    """What the command line changes in a profile."""
    return Changes(
        api=chosen.api,
        concurrency=chosen.concurrency,
        requests=chosen.requests,
        output_tokens=chosen.output_tokens,
        prompt_tokens=chosen.prompt_tokens,
        pairs=chosen.pairs,
        minutes=chosen.minutes,
        rate=chosen.rate,
    )

"""The commands that read what runs left: compare, matrix, baseline."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from .baseline import baseline_text
from .comparison import Change, Comparison, Run, RunError, compare, read_run
from .document import REPORTS
from .judgement import FINDINGS

USAGE = 2
MAX_WHY = 120
TOLERATED_DAYS = 90


def main(name: str, arguments: Sequence[str]) -> int:
    """One command; its exit status."""
    made = {"compare": _compare, "matrix": _matrix, "baseline": _baseline}[name]
    try:
        return made(list(arguments))
    except RunError as error:
        sys.stderr.write(f"parallama-conformance {name}: {error}\n")
        return USAGE


def _compare(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="parallama-conformance compare",
        description="What changed from one run to the next.",
        epilog="Exit status: 0 nothing is worse, 1 something is, 2 usage.",
    )
    parser.add_argument("before", metavar="RUN", type=Path, help="run.jsonl, the earlier one")
    parser.add_argument("after", metavar="RUN", type=Path, help="run.jsonl, the later one")
    asked = parser.parse_args(arguments)
    before, after = read_run(asked.before), read_run(asked.after)
    found = compare(before, after)
    for line in told(before, after, found):
        print(line)
    return 1 if found.worse else 0


def told(before: Run, after: Run, found: Comparison) -> list[str]:
    """A comparison in lines."""
    lines = [f"before  {_name(before)}", f"after   {_name(after)}"]
    for title, changes in (
        ("Newly failing", found.failing),
        ("No longer passing", found.lost),
        ("Newly passing", found.passing),
        ("Failing in another way", found.reasons),
    ):
        if changes:
            lines += ["", f"{title} ({len(changes)})", *(_line(one) for one in changes)]
    for title, ids in (("Only before", found.gone), ("Only after", found.come)):
        if ids:
            lines += ["", f"{title} ({len(ids)}): {', '.join(ids)}"]
    if not (found.worse or found.passing or found.reasons):
        lines += ["", "No check came out differently."]
    return lines


def _name(run: Run) -> str:
    target = run.header["target"]
    version = f" {target['version']}" if target["version"] else ""
    return f"{target['url']}{version}  {run.footer['headline']}  {run.header['started_at']}"


def _line(change: Change) -> str:
    why = "".join(one if one.isprintable() else " " for one in change.why)
    why = why if len(why) <= MAX_WHY else f"{why[: MAX_WHY - 1]}…"
    moved = f"{change.before} -> {change.after}".replace("_", " ")
    return f"  {change.level:6} {change.id}: {moved}{f': {why}' if why else ''}"


def _matrix(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="parallama-conformance matrix",
        description="Servers by classes: one page from several runs, which opens offline.",
    )
    parser.add_argument("runs", metavar="[NAME=]RUN", nargs="+", help="run.jsonl, and its name")
    parser.add_argument("-o", dest="out", metavar="FILE", type=Path, required=True, help="the page")
    asked = parser.parse_args(arguments)
    command = [sys.executable, "-m", REPORTS, "--matrix", *asked.runs, "-o", str(asked.out)]
    return subprocess.run(command, check=False).returncode


def _baseline(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="parallama-conformance baseline",
        description="Print a baseline (TOML) that tolerates what failed in a run.",
    )
    today = datetime.now(UTC).date()
    parser.add_argument("run", metavar="RUN", type=Path, help="run.jsonl")
    parser.add_argument("--reason", default="not looked at yet", help="why it is tolerated")
    parser.add_argument("--expires", metavar="DAY", type=date.fromisoformat,
                        default=today + timedelta(days=TOLERATED_DAYS),
                        help=f"until when, such as 2027-02-01 ({TOLERATED_DAYS} days)")  # fmt: skip
    asked = parser.parse_args(arguments)
    verdicts = read_run(asked.run).verdicts
    failed = [id for id, line in verdicts.items() if line["verdict"] in FINDINGS]
    sys.stdout.write(baseline_text(failed, asked.reason, today, asked.expires))
    return 0

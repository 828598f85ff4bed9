"""Two runs beside each other: what fails newly, what passes newly, what fails for another reason.

Pure but for `read_run`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .judgement import FINDINGS

Line = dict[str, Any]
APART = ("not_offered", "unstable", "errored")


class RunError(ValueError):
    """Why a document is no whole run, as a sentence."""


@dataclass(frozen=True, slots=True)
class Run:
    """A document of one run."""

    header: Line
    verdicts: Mapping[str, Line]
    footer: Line


@dataclass(frozen=True, slots=True)
class Change:
    """One check that came out differently."""

    id: str
    level: str
    before: str
    after: str
    why: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """All of them, by what they mean."""

    failing: tuple[Change, ...]  # passed before, or was not there
    passing: tuple[Change, ...]
    reasons: tuple[Change, ...]  # fails as before, but shows something else
    lost: tuple[Change, ...]  # passed before, and is not judged as passed any more
    gone: tuple[str, ...]  # ids of the first run that the second lacks
    come: tuple[str, ...]

    @property
    def worse(self) -> bool:
        """Whether anything that held before does not hold now."""
        return bool(self.failing or self.lost)


def compare(before: Run, after: Run) -> Comparison:
    """What changed from one run to another."""
    failing, passing, reasons, lost = [], [], [], []
    for id, now in after.verdicts.items():
        was = before.verdicts.get(id)
        change = _change(was, now)
        red = now["verdict"] in FINDINGS
        if red and (was is None or was["verdict"] not in FINDINGS):
            failing.append(change)
        elif was is None:
            continue
        elif now["verdict"] == "passed" and was["verdict"] != "passed":
            passing.append(change)
        elif red and (was["expected"], was["actual"]) != (now["expected"], now["actual"]):
            reasons.append(change)
        elif was["verdict"] == "passed" and now["verdict"] in APART:
            lost.append(change)
    return Comparison(
        tuple(failing),
        tuple(passing),
        tuple(reasons),
        tuple(lost),
        gone=tuple(id for id in before.verdicts if id not in after.verdicts),
        come=tuple(id for id in after.verdicts if id not in before.verdicts),
    )


def _change(was: Line | None, now: Line) -> Change:
    before = was["verdict"] if was is not None else "absent"
    return Change(now["id"], now["level"], before, now["verdict"], _why(now))


def _why(line: Line) -> str:
    """What came, in short."""
    if line["verdict"] not in FINDINGS:
        return line["reason"] or ""
    actual = line["actual"]
    return actual if isinstance(actual, str) else json.dumps(actual, ensure_ascii=False)


def read_run(path: Path) -> Run:
    """A run document, whole. Raises RunError."""
    try:
        lines = [json.loads(one) for one in path.read_text(encoding="utf-8").split("\n") if one]
    except OSError as error:
        raise RunError(f"{path}: cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise RunError(f"{path}: is no run.jsonl: {error}") from error
    if not lines or not all(isinstance(one, dict) for one in lines):
        raise RunError(f"{path}: is no run.jsonl")
    if lines[0].get("schema") != "parallama/run/1":
        raise RunError(f"{path}: is no run.jsonl: it lacks its header")
    if lines[-1].get("kind") != "footer":
        raise RunError(f"{path}: has no footer: that run was cut short")
    return Run(lines[0], {one["id"]: one for one in lines[1:-1]}, lines[-1])

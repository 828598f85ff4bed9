"""The verdict of the conformance suite on a target, to stand beside its figures.

A document between rooms: the header and the footer of run.jsonl are read, nothing else.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from . import target
from .target import Description

TAIL_BYTES = 1 << 20
KEPT = ("headline", "exit_status", "finished_at")


class JudgedError(Exception):
    """A conformance run cannot be put beside this target; the message says why."""


def read(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and footer of a run; raises JudgedError where it is none, or incomplete."""
    try:
        with path.open("rb") as file:
            first = file.readline()
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - TAIL_BYTES))
            last = (file.read().splitlines() or [b""])[-1]
    except OSError as error:
        raise JudgedError(f"{path} cannot be read: {error.strerror}") from error
    header, footer = record(first), record(last)
    if header.get("kind") != "header" or not str(header.get("schema")).startswith("parallama/run/"):
        raise JudgedError(f"{path} is no run of the conformance suite (run.jsonl)")
    if footer.get("kind") != "footer":
        raise JudgedError(f"{path} has no footer: the conformance run did not end")
    if not all(name in footer for name in KEPT):
        raise JudgedError(f"{path} has a footer without a verdict")
    return header, footer


def record(line: bytes) -> dict[str, Any]:
    """A line's object; an empty one for anything else."""
    try:
        value = json.loads(line)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def verdict(
    path: Path, descriptions: list[Description], anyway: bool
) -> list[dict[str, Any] | None]:
    """For each target what the run found of it, None where it is of another one.

    Raises JudgedError where it is of none of them, unless it is to count anyway.
    """
    header, footer = read(path)
    judged = header.get("target")
    judged = judged if isinstance(judged, dict) else {}
    found = {name: footer[name] for name in KEPT}
    found["suite_version"] = str(header.get("suite_version", "unknown"))
    fits = [anyway or same(judged, one) for one in descriptions]
    if not any(fits):
        raise JudgedError(
            f"{path} is about {judged.get('url')}, not {descriptions[0].url}; "
            "--conformance-anyway has it count all the same"
        )
    return [found if fit else None for fit in fits]


def same(judged: dict[str, Any], description: Description) -> bool:
    """Whether a run was about this target: the same URL, or the same model by its digest."""
    digest = judged.get("digest")
    if digest is not None and digest == description.digest:
        return True
    try:
        return str(target.parse(str(judged.get("url")))) == description.url
    except ValueError:
        return False

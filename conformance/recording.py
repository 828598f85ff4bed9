"""A recording: what the suite asked and a server answered, as goldens or as a reference for later.

It is written whole or not at all, and read only where it is whole and valid by its schema.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .script import FIXTURES

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator

SCHEMA = "parallama/exchanges/1"
KINDS = ("header", "check", "footer")


class RecordingError(ValueError):
    """Why a recording cannot be used, as a sentence."""


@cache
def validator(kind: str) -> Draft202012Validator:
    """A validator for a line of this kind."""
    from jsonschema import Draft202012Validator

    path = FIXTURES / "schemas" / "exchanges.schema.json"
    schema = json.loads(path.read_text(encoding="utf-8"))
    return Draft202012Validator({"$defs": schema["$defs"], "$ref": f"#/$defs/{kind}"})


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The lines of a recording, header and footer too. Raises RecordingError."""
    try:
        lines = [json.loads(one) for one in path.read_text(encoding="utf-8").split("\n") if one]
    except (OSError, ValueError) as error:
        raise RecordingError(f"{path}: cannot be read: {error}") from error
    if not lines or not isinstance(lines[0], dict) or lines[0].get("schema") != SCHEMA:
        raise RecordingError(f"{path}: is no recording of `parallama-conformance record`")
    for number, line in enumerate(lines, 1):
        wrong = _wrong(line)
        if wrong is not None:
            raise RecordingError(f"{path}:{number}: {wrong}")
    kinds = [line["kind"] for line in lines]
    if kinds[-1] != "footer":
        raise RecordingError(f"{path}: has no footer: the recording was cut short")
    if set(kinds[1:-1]) - {"check"}:
        raise RecordingError(f"{path}: has more than one header or footer")
    counted = {"kind": "footer", **_counted(lines[1:-1])}
    if lines[-1] != counted:
        raise RecordingError(f"{path}: the footer counts other lines than there are")
    return lines


def _wrong(line: object) -> str | None:
    """What is wrong with a line, and where in it; None where it is valid."""
    from jsonschema.exceptions import best_match

    if not isinstance(line, dict) or line.get("kind") not in KINDS:
        return f"a line is of the kind {' or '.join(KINDS)}"
    problem = best_match(validator(line["kind"]).iter_errors(line))
    if problem is None:
        return None
    place = problem.json_path.removeprefix("$").lstrip(".")
    return f"{place}: {problem.message[:200]}" if place else problem.message[:200]


def _counted(checks: list[dict[str, Any]]) -> dict[str, int]:
    """How much there is of it."""
    return {"checks": len(checks), "exchanges": sum(len(one["exchanges"]) for one in checks)}


class Recorder:
    """Listens to a run and writes down what was said."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines: list[dict[str, Any]] = []
        self.header: dict[str, Any] = {}

    def pytest_parallama_started(self, header: dict[str, Any]) -> None:
        """Keep who is asked."""
        self.header = header

    def pytest_parallama_exchanges(
        self, verdict: dict[str, Any], exchanges: list[dict[str, Any]]
    ) -> None:
        """Keep what was said, each thing once."""
        once = {json.dumps(one, sort_keys=True): one for one in exchanges}
        told = {"kind": "check", "id": verdict["id"], "verdict": verdict["verdict"]}
        self.lines.append({**told, "exchanges": list(once.values())})

    def pytest_parallama_finished(self, footer: dict[str, Any]) -> None:
        """Write it whole, or not at all where the run was interrupted."""
        if footer["interrupted"]:
            return
        head = {key: self.header[key] for key in ("suite_version", "started_at", "target")}
        end = {"kind": "footer", **_counted(self.lines)}
        whole = [{"kind": "header", "schema": SCHEMA, **head}, *self.lines, end]
        self.path.parent.mkdir(parents=True, exist_ok=True)
        text = "".join(json.dumps(line) + "\n" for line in whole)
        self.path.write_text(text, encoding="utf-8")

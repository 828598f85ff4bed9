"""A second server, or what one said once: the same checks, and where its answers part from ours."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .address import parse_address
from .check import Check
from .normal import normal, partings
from .run import judge_whole, prepare
from .setup import Setup, read_setup

SCHEMA = "parallama/exchanges/1"
MAX_PARTINGS = 5  # kept of one check


class RecordingError(ValueError):
    """Why a recording cannot be used, as a sentence."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What came of one check, and what was said."""

    verdict: str
    exchanges: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Reference:
    """A server that is asked beside the target, or a recording of one."""

    name: str
    version: str | None
    setup: Setup | None = None
    recorded: dict[str, Recorded] = field(default_factory=dict)

    def said(self, check: Check, claims: Iterable[str]) -> Recorded | None:
        """What it says to one check; None where it was never asked."""
        if self.setup is None:
            return self.recorded.get(check.id)
        line, exchanges = judge_whole(check, self.setup, claims)
        return Recorded(line["verdict"], normal(exchanges, self.setup.token))

    def beside(
        self, check: Check, pairs: list[dict[str, Any]], claims: Iterable[str]
    ) -> dict[str, Any] | None:
        """Its verdict, and the requests that it answers in another way than `pairs` say."""
        said = self.said(check, claims)
        if said is None:
            return None
        parted = [one.document() for one in partings(said.exchanges, pairs)]
        return {"verdict": said.verdict, "partings": parted[:MAX_PARTINGS], "parted": len(parted)}

    def document(self) -> dict[str, Any]:
        """Itself as JSON values; a recording travels by its name."""
        setup = self.setup.document() if self.setup else None
        return {"name": self.name, "version": self.version, "setup": setup}


def find_reference(name: str, model: str | None) -> Reference:
    """The recording in a file of this name, else the server at this URL, prepared.

    Raises RecordingError, ValueError, Unreachable and NoSuchModel.
    """
    if "://" not in name and Path(name).is_file():
        return read_recording(Path(name))
    setup = prepare(parse_address(name), model)
    return Reference(setup.url, setup.version, setup)


def read_reference(document: dict[str, Any]) -> Reference:
    """The inverse of `Reference.document`."""
    if document["setup"] is None:
        return read_recording(Path(document["name"]))
    return Reference(document["name"], document["version"], read_setup(document["setup"]))


def read_recording(path: Path) -> Reference:
    """What `record` wrote. Raises RecordingError."""
    try:
        lines = [json.loads(one) for one in path.read_text(encoding="utf-8").split("\n") if one]
    except (OSError, ValueError) as error:
        raise RecordingError(f"{path}: cannot be read: {error}") from error
    if not lines or not isinstance(lines[0], dict) or lines[0].get("schema") != SCHEMA:
        raise RecordingError(f"{path}: is no recording of `parallama-conformance record`")
    if lines[-1].get("kind") != "footer":
        raise RecordingError(f"{path}: has no footer: the recording was cut short")
    recorded = {
        one["id"]: Recorded(one["verdict"], one["exchanges"])
        for one in lines
        if one["kind"] == "check"
    }
    return Reference(str(path), lines[0]["target"]["version"], None, recorded)


class Recorder:
    """Listens to a run and writes down what was said: goldens, or a reference for later."""

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
        said = sum(len(line["exchanges"]) for line in self.lines)
        end = {"kind": "footer", "checks": len(self.lines), "exchanges": said}
        whole = [{"kind": "header", "schema": SCHEMA, **head}, *self.lines, end]
        self.path.parent.mkdir(parents=True, exist_ok=True)
        text = "".join(json.dumps(line) + "\n" for line in whole)
        self.path.write_text(text, encoding="utf-8")

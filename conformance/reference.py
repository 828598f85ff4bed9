"""A second server, or what one said once: the same checks, and where its answers part from ours."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .address import parse_address
from .check import Check
from .normal import normal, partings
from .recording import read_lines
from .run import judge_whole, prepare
from .setup import Setup, read_setup
from .witness import Witness

MAX_PARTINGS = 5  # kept of one check


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
    witness: Witness = field(default_factory=Witness)

    def said(self, check: Check, claims: Iterable[str]) -> Recorded | None:
        """What it says to one check; None where it was never asked."""
        if self.setup is None:
            return self.recorded.get(check.id)
        line, exchanges = judge_whole(check, self.setup, claims, self.witness)
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
    header, *checks, _ = read_lines(path)
    recorded = {one["id"]: Recorded(one["verdict"], one["exchanges"]) for one in checks}
    return Reference(str(path), header["target"]["version"], None, recorded)

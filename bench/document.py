"""JSON-lines documents: header, records, footer. One without its footer is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .sample import Resource, Sample

SCHEMA = "parallama/samples/1"


class DocumentError(Exception):
    """A document cannot be used; the message says why."""


@dataclass(frozen=True, slots=True)
class Document:
    """All of samples.jsonl."""

    header: dict[str, Any]
    samples: tuple[Sample, ...]
    resources: tuple[Resource, ...]
    footer: dict[str, Any]


class Writer:
    """Writes samples.jsonl, a line at a time."""

    def __init__(self, path: Path, header: dict[str, Any]) -> None:
        self._file = path.open("w", encoding="utf-8", buffering=1)
        self._samples = 0
        self._write({"kind": "header", "schema": SCHEMA, **header})

    def sample(self, sample: Sample) -> None:
        """Add a sample."""
        self._samples += 1
        self._write(sample.record())

    def resource(self, resource: Resource) -> None:
        """Add a resource sample."""
        self._write(resource.record())

    def finish(self, interrupted: bool) -> None:
        """Add the footer, which makes the document whole."""
        footer = {"finished_at": now(), "samples": self._samples, "interrupted": interrupted}
        self._write({"kind": "footer", **footer})
        self._file.close()

    def _write(self, record: dict[str, Any]) -> None:
        self._file.write(json.dumps(record) + "\n")


def read(path: Path) -> Document:
    """Read samples.jsonl; raises DocumentError where it is not whole."""
    records = list(lines(path))
    if not records or records[0].get("kind") != "header" or records[0].get("schema") != SCHEMA:
        raise DocumentError(f"{path} does not begin with a {SCHEMA} header")
    if records[-1].get("kind") != "footer":
        raise DocumentError(f"{path} has no footer: it is incomplete")
    samples = tuple(Sample.parse(record) for record in records if record["kind"] == "sample")
    if records[-1]["samples"] != len(samples):
        raise DocumentError(f"{path} has {len(samples)} samples, not {records[-1]['samples']}")
    resources = tuple(
        Resource(**{name: value for name, value in record.items() if name != "kind"})
        for record in records
        if record["kind"] == "resource"
    )
    return Document(records[0], samples, resources, records[-1])


def lines(path: Path) -> Iterator[dict[str, Any]]:
    """The records of a document; raises DocumentError at a line that is none."""
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            try:
                record = json.loads(line)
            except ValueError:
                raise DocumentError(f"{path}, line {number} is not JSON") from None
            if not isinstance(record, dict) or "kind" not in record:
                raise DocumentError(f"{path}, line {number} is not a record")
            yield record


def now() -> str:
    """This moment, as documents write it."""
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")

"""samples.jsonl as it is written: header, points, samples, resources, and the footer that makes it
whole. It stays whole lines even where the disk fills up in the middle of one."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .load import Closed, Load, Point
from .sample import Resource, Sample
from .workload import LENGTHS

SCHEMA = "parallama/samples/2"
RESERVE_BYTES = 65536
"""Kept free for the footer by a file of that size beside the document."""


class DiskError(Exception):
    """The document takes no more; the message says why, in a sentence."""


class Writer:
    """Writes the document, a line at a time; every line is with the system when a call returns."""

    def __init__(self, path: Path, header: dict[str, Any]) -> None:
        self._path = path
        self._reserve = path.with_name(f".{path.name}.reserve")
        self._samples = 0
        self._length = 0
        try:
            self._reserve.write_bytes(bytes(RESERVE_BYTES))
            self._file = path.open("wb", buffering=0)
        except OSError as error:
            self.relieve()
            raise DiskError(f"{path} cannot be written: {error.strerror}") from error
        self._write({"kind": "header", "schema": SCHEMA, **header})

    def point(self, number: int, point: Point, model: str, at_ns: int) -> None:
        """Add a point, which begins."""
        self._write(
            {
                "kind": "point",
                "point": number,
                "group": point.group,
                "label": point.label,
                "value": point.value,
                "arm": point.arm,
                "block": point.block,
                "model": model,
                "load": load_fields(point.load),
                "ask": ask_fields(point),
                "at_ns": at_ns,
            }
        )

    def sample(self, sample: Sample) -> None:
        """Add a sample."""
        self._write(sample.record())
        self._samples += 1

    def resource(self, resource: Resource) -> None:
        """Add a resource sample."""
        self._write(resource.record())

    def finish(self, because: str | None, client_cpu_share: float | None) -> None:
        """Add the footer; `because` says why the run ended early, where it did."""
        self.relieve()
        self._write(
            {
                "kind": "footer",
                "finished_at": now(),
                "samples": self._samples,
                "interrupted": because is not None,
                "because": because,
                "client_cpu_share": client_cpu_share,
            }
        )
        self._file.close()

    def relieve(self) -> None:
        """Give the reserve back, for what is to be written still."""
        self._reserve.unlink(missing_ok=True)

    def _write(self, record: dict[str, Any]) -> None:
        """Write a line or nothing of it; raises DiskError with the reason."""
        line = json.dumps(record).encode() + b"\n"
        rest = memoryview(line)
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            os.ftruncate(self._file.fileno(), self._length)
            self._file.seek(self._length)
            raise DiskError(f"{self._path} takes no more: {error.strerror}") from error
        self._length += len(line)


def load_fields(load: Load) -> dict[str, Any]:
    """A load as documents have it; the times of a trace are those of its samples."""
    fields = asdict(load)
    fields.pop("times_s", None)
    return {"kind": "closed" if isinstance(load, Closed) else "open", **fields}


def ask_fields(point: Point) -> dict[str, Any]:
    """An ask as documents have it, without what each arrival of a trace has for itself."""
    fields = asdict(point.ask)
    fields["fields"] = {name: one for name, one in fields["fields"].items() if name != LENGTHS}
    return fields


def now() -> str:
    """This moment, as documents write it."""
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")

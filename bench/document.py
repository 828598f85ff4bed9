"""samples.jsonl as it is read: header, points, samples as columns, resources. One without its
footer is refused. `writer` writes it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from .frame import Builder, Frame
from .sample import Resource
from .writer import SCHEMA


class DocumentError(Exception):
    """A document cannot be used; the message says why."""


@dataclass(frozen=True, slots=True, eq=False)
class Document:
    """All of samples.jsonl. `frames` has the requests of each point, by its number."""

    header: dict[str, Any]
    points: tuple[dict[str, Any], ...]
    frames: dict[int, Frame]
    resources: tuple[Resource, ...]
    footer: dict[str, Any]


def read(path: Path) -> Document:
    """Read samples.jsonl; raises DocumentError where it is not whole."""
    header: dict[str, Any] | None = None
    footer: dict[str, Any] | None = None
    points: dict[int, dict[str, Any]] = {}
    builders: dict[int, Builder] = {}
    resources = []
    for number, record in enumerate(lines(path), start=1):
        if footer is not None:
            raise DocumentError(f"{path}, line {number} comes after the footer")
        kind = record["kind"]
        if (kind == "header") is not (number == 1):
            break
        try:
            if kind == "sample":
                builders[record["point"]].add(record)
            elif kind == "resource":
                resources.append(Resource.parse(record))
            elif kind == "point":
                points[record["point"]] = record
                builders[record["point"]] = Builder()
            elif kind == "header":
                header = record
            elif kind == "footer":
                footer = record
        except (KeyError, ValueError, TypeError) as error:
            raise DocumentError(f"{path}, line {number} is no {kind}: {error!r}") from None
    if header is None or header.get("schema") != SCHEMA:
        raise DocumentError(f"{path} does not begin with a {SCHEMA} header")
    if footer is None:
        raise DocumentError(f"{path} has no footer: it is incomplete")
    frames = {point: builder.frame() for point, builder in builders.items()}
    held = sum(len(frame) for frame in frames.values())
    if footer.get("samples") != held:
        raise DocumentError(f"{path} has {held} samples, not {footer.get('samples')}")
    return Document(header, tuple(points.values()), frames, tuple(resources), footer)


def lines(path: Path) -> Iterator[dict[str, Any]]:
    """The records of a document; raises DocumentError at a line that is none.

    orjson, because reading is most of the work: 200 MB take it a third of json's time.
    """
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                record = orjson.loads(line)
            except ValueError:
                raise DocumentError(f"{path}, line {number} is not JSON") from None
            if not isinstance(record, dict) or "kind" not in record:
                raise DocumentError(f"{path}, line {number} is not a record")
            yield record

"""Documents from files: which of ours it is, by content, and whether it is whole.

JSON-lines documents are streamed. One without its footer is a run that was cut short, and is
refused: half a run must not look like a whole one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, TextIO

from .benches import Summary
from .documents import Run, Verdict, run_of, verdict_of
from .fields import DocumentError, Fields
from .read_bench import summary_of

Document = Run | Summary

RUN, SAMPLES, SUMMARY = "parallama/run/1", "parallama/samples/", "parallama/summary/2"
MAX_LINE_CHARS = 64 * 2**20  # far above a verdict with its evidence; bounds what a wrong file costs


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    text: str

    @property
    def whole(self) -> bool:
        return self.text.endswith("\n")


def read(path: Path) -> Document:
    """The document in that file.

    :raises DocumentError: where there is none, it is not one of ours, or it is not whole.
    """
    try:
        # Only \n ends a line: text may hold U+2028 and its kin.
        with path.open(encoding="utf-8", newline="\n") as file:
            return _read(file, str(path))
    except OSError as error:
        raise DocumentError(f"{path}: cannot be read: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise DocumentError(
            f"{path}: is not UTF-8 text: it is cut off inside a character, "
            "or not a document of parallama."
        ) from error


def _read(file: TextIO, name: str) -> Document:
    first = next(_lines(file, name), None)
    if first is None:
        raise DocumentError(f"{name}: is empty.")
    try:
        header = _object(first.text)
    except ValueError:
        header = {}  # a summary may be printed over several lines
    if header.get("kind") != "header":
        return _read_summary(first.text + file.read(MAX_LINE_CHARS), name)
    if header.get("schema") == RUN:
        return _read_run(Fields(header, f"{name}, line 1"), file, name)
    if str(header.get("schema")).startswith(SAMPLES):
        raise DocumentError(
            f"{name}: is the raw record of a bench run; give the summary.json beside it."
        )
    raise _unknown_schema(header, name)


def _read_summary(text: str, name: str) -> Summary:
    try:
        record = _object(text)
    except ValueError as error:
        raise DocumentError(
            f"{name}: is neither a JSON object nor JSON lines with a header ({error})."
        ) from error
    if record.get("schema") != SUMMARY:
        raise _unknown_schema(record, name)
    return summary_of(Fields(record, name))


def _read_run(header: Fields, file: TextIO, name: str) -> Run:
    verdicts: list[Verdict] = []
    for record, where in _records(file, name):
        match record.get("kind"):
            case "verdict":
                verdicts.append(verdict_of(Fields(record, where)))
            case "footer":
                return run_of(header, tuple(verdicts), _last(record, where, file, name))
            case other:
                raise DocumentError(f"{where}: {other!r} is no kind of record in a run.")
    raise _without_footer(name)


def _last(record: dict[str, object], where: str, file: TextIO, name: str) -> Fields:
    if next(_lines(file, name), None) is not None:
        raise DocumentError(f"{where}: the document goes on after its footer.")
    return Fields(record, where)


def _records(file: TextIO, name: str) -> Iterator[tuple[dict[str, object], str]]:
    """The records after the header, each with its place."""
    for line in _lines(file, name, first_number=2):
        where = f"{name}, line {line.number}"
        try:
            yield _object(line.text), where
        except ValueError as error:
            if not line.whole:
                raise _without_footer(name) from error
            raise DocumentError(f"{where}: is not a JSON object ({error}).") from error


def _lines(file: TextIO, name: str, first_number: int = 1) -> Iterator[_Line]:
    """The lines that are not blank."""
    number = first_number
    while text := file.readline(MAX_LINE_CHARS):
        if len(text) == MAX_LINE_CHARS:
            raise DocumentError(f"{name}, line {number}: is too long for a document of parallama.")
        if not text.isspace():
            yield _Line(number, text)
        number += 1


def _object(text: str) -> dict[str, object]:
    try:
        value = json.loads(text, parse_constant=_no_constant)
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error
    if not isinstance(value, dict):
        raise ValueError("it is JSON, but not an object")
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _unknown_schema(record: dict[str, object], name: str) -> DocumentError:
    schema = record.get("schema")
    found = "it names no schema" if schema is None else f"its schema is {schema!r}"
    return DocumentError(f"{name}: {found}; this version reads {RUN} and {SUMMARY}.")


def _without_footer(name: str) -> DocumentError:
    return DocumentError(
        f"{name}: has no footer: the run that wrote it was cut short, or is still going on. "
        "An incomplete document is not rendered."
    )

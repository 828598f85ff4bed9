"""The document as it is read, and its refusals."""

from __future__ import annotations

from pathlib import Path

import pytest

from ..document import DocumentError, read
from ..load import Ask, Closed, Point
from ..sample import Resource
from ..writer import Writer
from .points import HEADER, request

HEAD = {name: one for name, one in HEADER.items() if name not in ("kind", "schema")}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A document with a point, a sample and a resource."""
    path = tmp_path / "samples.jsonl"
    writer = Writer(path, HEAD)
    writer.point(0, Point("users", "1 user", 1, Closed(1, 1), Ask()), "tiny", 5)
    writer.sample(request())
    writer.resource(Resource(1, "idle", rss_bytes=2))
    writer.finish(None, 0.25)
    return path


def test_document_is_read_as_it_was_written(path: Path) -> None:
    """Header, point, columns of samples, resources and footer come back."""
    document = read(path)
    assert document.header["profile"]["name"] == "by-hand"
    assert document.points[0]["label"] == "1 user"
    assert document.frames[0].at_ns.tolist() == [one.at_ns for one in request().arrivals]
    assert document.resources == (Resource(1, "idle", rss_bytes=2),)
    assert document.footer["client_cpu_share"] == 0.25


def test_document_without_footer_is_refused(path: Path) -> None:
    """A document whose writer died is refused."""
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]), encoding="utf-8")
    with pytest.raises(DocumentError, match="no footer"):
        read(path)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda lines: lines[1:], "does not begin"),
        (lambda lines: [lines[0].replace("samples/2", "samples/1"), *lines[1:]], "does not begin"),
        (lambda lines: [*lines[:2], *lines[3:]], "0 samples, not 1"),
        (lambda lines: [lines[0], *lines[2:]], "line 2 is no sample: KeyError"),
        (lambda lines: [*lines[:2], "{", lines[-1]], "line 3 is not JSON"),
        (lambda lines: [*lines[:2], "[]", lines[-1]], "line 3 is not a record"),
        (lambda lines: [*lines[:2], lines[2].replace(": [[", ": [7, ["), *lines[3:]], "line 3"),
        (lambda lines: [*lines, lines[2]], "line 6 comes after the footer"),
        (lambda lines: [], "does not begin"),
    ],
)
def test_damaged_document_is_refused(path: Path, change: object, why: str) -> None:
    """A document with a line missing or broken is refused, and the reason names it."""
    assert callable(change)
    path.write_text("\n".join(change(path.read_text().splitlines())), encoding="utf-8")
    with pytest.raises(DocumentError, match=why):
        read(path)

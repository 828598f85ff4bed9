"""The document and its refusals."""

from __future__ import annotations

from pathlib import Path

import pytest

from ..document import DocumentError, Writer, read
from ..sample import Resource
from .exchanges import understood


def written(path: Path, *, whole: bool) -> Path:
    """A document with one sample and one resource."""
    writer = Writer(path, {"stamps": "user"})
    writer.sample(understood("steady"))
    writer.resource(Resource(1, "idle", 1, 2, None, None))
    if whole:
        writer.finish(interrupted=False)
    return path


def test_document_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Samples and resources come back equal."""
    document = read(written(tmp_path / "samples.jsonl", whole=True))
    assert document.samples == (understood("steady"),)
    assert document.resources == (Resource(1, "idle", 1, 2, None, None),)


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_document_without_footer_is_refused(tmp_path: Path) -> None:
    """A document whose writer died is refused."""
    with pytest.raises(DocumentError, match="no footer"):
        read(written(tmp_path / "samples.jsonl", whole=False))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda lines: lines[1:], "does not begin"),
        (lambda lines: [lines[0], *lines[2:]], "0 samples, not 1"),
        (lambda lines: [*lines[:2], "{", lines[-1]], "line 3 is not JSON"),
        (lambda lines: [*lines[:2], "[]", lines[-1]], "line 3 is not a record"),
        (lambda lines: [], "does not begin"),
    ],
)
def test_damaged_document_is_refused(tmp_path: Path, change: object, why: str) -> None:
    """A document with a line missing or broken is refused, and the reason names it."""
    path = written(tmp_path / "samples.jsonl", whole=True)
    assert callable(change)
    path.write_text("\n".join(change(path.read_text().splitlines())), encoding="utf-8")
    with pytest.raises(DocumentError, match=why):
        read(path)

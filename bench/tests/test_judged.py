"""The conformance verdict beside the figures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ..judged import JudgedError, read, verdict
from ..target import Description

HEADER = {
    "kind": "header",
    "schema": "parallama/run/1",
    "suite_version": "0.1.0",
    "target": {"url": "http://localhost:11434", "model": "tiny"},
}
FOOTER = {
    "kind": "footer",
    "headline": "118/118 MUST",
    "exit_status": 0,
    "finished_at": "2026-11-21T00:00:00Z",
    "counts": {},
}
SAME = Description("http://localhost:11434", "tiny", None, "abc", None, None, None)
OTHER = Description("http://localhost:9", "tiny", None, "abc", None, None, None)


def run(path: Path, *records: dict[str, Any]) -> Path:
    """A document with these records."""
    file = path / "run.jsonl"
    file.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return file


def test_verdict_of_the_target_is_taken(tmp_path: Path) -> None:
    """Header and footer tell what the report shows; what is between is not even understood."""
    path = run(tmp_path, HEADER, {"kind": "verdict", "long": "x" * 3_000_000}, FOOTER)
    assert verdict(path, [SAME], anyway=False) == [
        {
            "headline": "118/118 MUST",
            "exit_status": 0,
            "finished_at": "2026-11-21T00:00:00Z",
            "suite_version": "0.1.0",
        }
    ]


def test_verdict_goes_to_the_arm_that_it_is_about(tmp_path: Path) -> None:
    """Of two servers the judged one has it."""
    first, second = verdict(run(tmp_path, HEADER, FOOTER), [OTHER, SAME], anyway=False)
    assert first is None
    assert second is not None


def test_run_of_another_url_is_refused(tmp_path: Path) -> None:
    """A verdict does not pass from one server to another, unless somebody says so."""
    path = run(tmp_path, HEADER, FOOTER)
    with pytest.raises(
        JudgedError, match="is about http://localhost:11434, not http://localhost:9"
    ):
        verdict(path, [OTHER], anyway=False)
    assert verdict(path, [OTHER], anyway=True) != [None]


def test_run_of_the_same_digest_is_taken(tmp_path: Path) -> None:
    """The same model under another address is the same model."""
    header = HEADER | {"target": {"url": "http://elsewhere", "digest": "abc"}}
    assert verdict(run(tmp_path, header, FOOTER), [OTHER], anyway=False) != [None]


@pytest.mark.parametrize(
    ("records", "complaint"),
    [
        ((HEADER, {"kind": "verdict"}), "has no footer"),
        ((FOOTER, FOOTER), "is no run of the conformance suite"),
        ((HEADER | {"schema": "parallama/samples/2"}, FOOTER), "is no run of the conformance"),
        ((HEADER, {"kind": "footer"}), "without a verdict"),
        ((), "is no run of the conformance suite"),
    ],
)
def test_document_that_is_no_run_is_refused(
    tmp_path: Path, records: tuple[dict[str, Any], ...], complaint: str
) -> None:
    """What is wrong with the file is said."""
    with pytest.raises(JudgedError, match=complaint):
        read(run(tmp_path, *records))


def test_missing_file_is_said(tmp_path: Path) -> None:
    """A path that leads nowhere is named."""
    with pytest.raises(JudgedError, match="nowhere cannot be read: No such file"):
        read(tmp_path / "nowhere")

"""Recordings: what is written is valid by the schema, and nothing else is read."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from ..recording import Recorder, RecordingError, read_lines
from ..reference import read_recording
from ..script import FIXTURES
from .honest import serving
from .test_main import run

SCHEMA = json.loads((FIXTURES / "schemas" / "exchanges.schema.json").read_text(encoding="utf-8"))
TARGET = {"url": "http://x", "version": "0.12.3", "server": None, "model": "m", "scripted": True}
HEADER = {"suite_version": "1", "started_at": "2026-11-21T10:00:00.000Z", "target": TARGET}
EXCHANGE = {
    "request": {"method": "GET", "path": "/api/version"},
    "answer": {"status": 200, "type": "application/json", "body": {"version": "0.12.3"}},
}

Lines = list[dict[str, Any]]


def recorded(path: Path, *, interrupted: bool = False) -> Path:
    """A recording of one check and one exchange that was said twice."""
    recorder = Recorder(path)
    recorder.pytest_parallama_started({**HEADER, "machine": {}})
    recorder.pytest_parallama_exchanges(
        {"id": "core/version", "verdict": "passed", "title": "It holds."}, [EXCHANGE, EXCHANGE]
    )
    recorder.pytest_parallama_finished({"interrupted": interrupted})
    return path


def changed(path: Path, change: Callable[[Lines], object]) -> Path:
    """A recording that somebody has had in hand."""
    lines = read_lines(recorded(path))
    change(lines)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_schema_is_a_schema() -> None:
    """JSON Schema 2020-12, named as its documents are."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$id"] == "parallama/exchanges/1"


def test_what_is_recorded_of_a_server_is_valid(tmp_path: Path) -> None:
    """Whole: objects, streams, errors, text, bodies that are no JSON, blobs, pulls."""
    path = tmp_path / "exchanges.jsonl"
    with serving() as url:
        asked = "chat/ or core/ or errors/ or blobs/ or pull/stream or fuzz/no-json"
        done = run("record", url, "-k", asked, "-o", str(path))
    assert done.returncode == 0, done.stderr
    validator = jsonschema.Draft202012Validator(SCHEMA)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for line in lines:
        validator.validate(line)
    assert len(read_recording(path).recorded) == len(lines) - 2


def test_what_was_said_twice_is_recorded_once(tmp_path: Path) -> None:
    """And the footer counts it so."""
    header, check, footer = read_lines(recorded(tmp_path / "a"))
    assert (header["target"], check["exchanges"]) == (TARGET, [EXCHANGE])
    assert footer == {"kind": "footer", "checks": 1, "exchanges": 1}


def test_interrupted_recording_is_not_written(tmp_path: Path) -> None:
    """Nor does it touch an older one."""
    path = recorded(tmp_path / "a")
    before = path.read_text()
    recorded(path, interrupted=True)
    assert path.read_text() == before


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda lines: lines.pop(), "has no footer"),
        (lambda lines: lines.pop(1), "counts other lines"),
        (lambda lines: lines[1].pop("verdict"), r":2: 'verdict' is a required property"),
        (lambda lines: lines[1].update(verdict="fine"), r":2: verdict: 'fine' is not one of"),
        (lambda lines: lines[1].update(id="no words"), ":2: id: "),
        (lambda lines: lines[1]["exchanges"][0].pop("answer"), r":2: exchanges\[0\]: "),
        (lambda lines: lines[1]["exchanges"][0]["answer"].update(status="200"), ":2: .*status: "),
        (lambda lines: lines[1].update(more=1), ":2: Additional properties"),
        (lambda lines: lines[0]["target"].pop("version"), ":1: target: 'version'"),
        (lambda lines: lines[1].update(kind="verdict"), ":2: a line is of the kind"),
        (lambda lines: lines.insert(1, lines[0]), "more than one header"),
        (lambda lines: lines[2].update(exchanges=7), "counts other lines"),
        (lambda lines: lines[0].update(schema="parallama/run/1"), "is no recording"),
    ],
)
def test_what_is_no_recording_is_refused(
    tmp_path: Path, change: Callable[[Lines], object], said: str
) -> None:
    """With the place, and what is wrong there."""
    with pytest.raises(RecordingError, match=said):
        read_recording(changed(tmp_path / "a", change))

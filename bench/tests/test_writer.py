"""samples.jsonl as it is written, on disks that fill up."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from ..load import Ask, Closed, Open, Point
from ..sample import Resource
from ..workload import LENGTHS
from ..writer import RESERVE_BYTES, DiskError, Writer, ask_fields, load_fields
from .conftest import Serving
from .exchanges import understood

SCHEMA = Path(__file__).parents[2] / "fixtures" / "schemas" / "samples.schema.json"
TARGET = {"url": "http://127.0.0.1:1", "model": "tiny", "version": None}
HEADER = {
    "bench_version": "0",
    "started_at": "2026-01-01T00:00:00Z",
    "profile": {"name": "smoke", "about": "short", "seed": 7},
    "arms": [{"name": "a", "target": TARGET, "conformance": None}],
    "machine": {"system": "Linux", "architecture": "x86_64", "python": "3.11"},
    "stamps": "kernel",
    "calibration": None,
}


def lines(path: Path) -> list[dict[str, Any]]:
    """The records of a document."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("load", [Closed(2, 3), Open(1.5, 4), Open(1, 1, 0, "replay", (0.0,))])
def test_document_follows_its_schema(tmp_path: Path, load: Closed | Open) -> None:
    """Every kind of record is as the schema has it."""
    writer = Writer(tmp_path / "samples.jsonl", HEADER)
    writer.point(0, Point("users", "some", 2, load, Ask()), "tiny", 5)
    writer.sample(understood("steady"))
    writer.sample(understood("busy"))
    writer.resource(Resource(1, "point 0", rss_bytes=7))
    writer.finish(None, 0.1)
    schema = Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))
    written = lines(tmp_path / "samples.jsonl")
    for record in written:
        schema.validate(record)
    kinds = [record["kind"] for record in written]
    assert kinds == ["header", "point", "sample", "sample", "resource", "footer"]
    assert (written[-1]["samples"], written[-1]["interrupted"]) == (2, False)


def test_trace_is_not_repeated_in_its_point() -> None:
    """Times and lengths of each arrival are in the samples, not in the point once more."""
    load = Open(1.0, 2, arrivals="replay", times_s=(0.0, 1.0))
    ask = Ask(fields={LENGTHS: [[1, 2], [3, 4]], "think": False})
    assert "times_s" not in load_fields(load)
    assert ask_fields(Point("replay", "r", None, load, ask))["fields"] == {"think": False}


def test_nothing_but_the_document_is_left(tmp_path: Path) -> None:
    """What was kept free for the footer is given back."""
    Writer(tmp_path / "samples.jsonl", HEADER).finish("interrupted", None)
    assert [path.name for path in tmp_path.iterdir()] == ["samples.jsonl"]


def limited(size: int) -> Callable[[], None]:
    """No file may be larger: the nearest thing to a full disk that needs no privileges."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def test_line_that_does_not_fit_is_not_there_at_all(tmp_path: Path) -> None:
    """A document whose disk filled up in the middle of a line has whole lines, and goes on where
    there is room again."""
    code = f"""
import resource
from pathlib import Path
from parallama.bench.writer import DiskError, Writer
from parallama.bench.tests.test_writer import HEADER, understood
path = Path({str(tmp_path / "samples.jsonl")!r})
whole = resource.getrlimit(resource.RLIMIT_FSIZE)
writer = Writer(path, HEADER)
resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 2000, whole[1]))
try:
    for _ in range(9):
        writer.sample(understood("steady"))
except DiskError as error:
    print(error)
resource.setrlimit(resource.RLIMIT_FSIZE, whole)
writer.sample(understood("steady"))
writer.finish("the disk was full", None)
"""
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert ended.stdout.strip().endswith("samples.jsonl takes no more: File too large")
    written = lines(tmp_path / "samples.jsonl")
    assert written[-1]["samples"] == sum(one["kind"] == "sample" for one in written) > 1


def test_folder_that_takes_nothing_is_said(tmp_path: Path) -> None:
    """Where a document cannot even be begun the reason is a sentence."""
    with pytest.raises(DiskError, match=r"samples\.jsonl cannot be written: No such file"):
        Writer(tmp_path / "absent" / "samples.jsonl", HEADER)


def test_full_disk_ends_a_run_with_what_was_measured(serving: Serving, tmp_path: Path) -> None:
    """The run ends with one sentence and status 4; samples.jsonl is whole and says why."""
    arguments = ("latency", "--url", serving.url, "--model", "steady", "-o", str(tmp_path))
    ended = subprocess.run(
        [sys.executable, "-m", "parallama.bench", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        preexec_fn=limited(RESERVE_BYTES + 500),
    )
    assert ended.returncode == 4, ended.stderr
    assert "spool.jsonl takes no more: File too large" in ended.stderr.splitlines()[-1]
    written = lines(tmp_path / "samples.jsonl")
    assert written[-1]["kind"] == "footer"
    assert "spool.jsonl takes no more" in written[-1]["because"]
    assert written[-1]["samples"] == sum(one["kind"] == "sample" for one in written) > 0
    assert not (tmp_path / "spool.jsonl").exists()

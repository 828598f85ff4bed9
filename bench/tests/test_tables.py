"""The figures for other programs."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

from ..document import Document
from ..frame import Frame
from ..summary import summary
from ..tables import benchstat, write
from .points import HEADER, record, request

BENCHMARK = re.compile(r"Benchmark[A-Z]\S* 1( [0-9.e+-]+ \S+)+")


@pytest.fixture
def document() -> Document:
    """Two blocks of one load, with a failure."""
    frames = {
        0: Frame.of([request(warmup=True), request(1, sent_ms=50), request(2, sent_ms=100)]),
        1: Frame.of([request(1), request(2, sent_ms=60, error="busy-503")]),
    }
    points = (record(), record(point=1, block=1))
    footer = {"finished_at": "2026-11-21T12:01:00Z", "samples": 5, "interrupted": False}
    return Document(HEADER, points, frames, (), footer)


@pytest.fixture
def folder(tmp_path: Path, document: Document) -> Path:
    """The folder in which the tables are."""
    write(tmp_path, summary(document), document)
    return tmp_path


def rows(path: Path) -> list[dict[str, str]]:
    """A table as its reader sees it."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_points_are_a_line_each(folder: Path) -> None:
    """With the figures of summary.json; what is not known is empty."""
    first, second = rows(folder / "points.csv")
    assert (first["ttft_ms_p50"], first["ttft_ms_p99"]) == ("20.0", "")
    assert (second["block"], second["failures"], second["goodput_share"]) == ("1", "1", "0.5")


def test_samples_are_a_line_each(folder: Path) -> None:
    """Warm-up and failures too, with their times in ns and their latencies where they have some."""
    found = rows(folder / "samples.csv")
    assert [row["warmup"] for row in found] == ["1", "0", "0", "0", "0"]
    assert (found[1]["sent_ns"], found[1]["ttft_ms"], found[1]["tpot_ms"]) == (
        "50000000",
        "20.0",
        "2.0",
    )
    assert (found[4]["error"], found[4]["ttft_ms"], found[4]["first_ns"]) == ("busy-503", "", "")


def test_benchstat_has_a_line_a_block(document: Document) -> None:
    """Both blocks under one name, so that benchstat takes them as samples of one benchmark."""
    lines = [line for line in benchstat(summary(document)) if line.startswith("Benchmark")]
    assert len(lines) == 2
    assert all(BENCHMARK.fullmatch(line) for line in lines)
    assert len({line.split()[0] for line in lines}) == 1
    assert lines[0].startswith("BenchmarkBy-hand/users=1-user/arm=A/model=tiny 1 ")
    assert " 20 ms/ttft-p50" in lines[0]


def test_benchstat_knows_what_is_better(document: Document) -> None:
    """Every unit that is used says whether higher is better."""
    lines = list(benchstat(summary(document)))
    told = {line.split()[1] for line in lines if line.startswith("Unit ")}
    used = {word for line in lines if line.startswith("Benchmark") for word in line.split()[3::2]}
    assert used <= told

"""Runs are kept once, whole but for what is drawn, and compared only where they can be."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from ..__main__ import main
from ..fields import DocumentError
from ..history import History, record_of, trends
from . import bench_examples as bench
from . import examples


def run(version: str, minute: int, **changed: object) -> bench.Record:
    """A run of that version, begun in that minute."""
    arm = {**bench.ARM, "target": {**bench.TARGET, "version": version}}
    started = f"2026-11-21T11:{minute:02}:00+00:00"
    points = [bench.point(0, output_tokens_per_s=20.0 + minute)]
    record = {"arms": [arm], "started_at": started, "knees": [], **changed}
    return bench.summary(points, **record)


@pytest.fixture
def history(tmp_path: Path) -> History:
    """A history of two runs, the later one added first."""
    made = History(tmp_path / "new" / "history.sqlite")
    made.add(run("0.9.2", 30))
    made.add(run("0.9.1", 10))
    return made


def test_runs_come_back_in_the_order_of_their_times(history: History) -> None:
    """With all their figures; what was drawn is not kept."""
    first, second = history.runs()
    assert first.summary.arms[0].target["version"] == "0.9.1"
    assert second.summary.points[0].output_tokens_per_s == 50.0
    assert second.summary.drawn.curves == ()


def test_run_kept_twice_is_kept_once(history: History) -> None:
    """Adding a folder again does no harm."""
    assert not history.add(run("0.9.1", 10))
    assert len(history.runs()) == 2


def test_run_can_be_forgotten(history: History) -> None:
    """By its number; one that is not there is said."""
    (first, _) = history.runs()
    assert history.remove(first.number)
    assert not history.remove(first.number)
    assert len(history.runs()) == 1


def test_trend_has_a_figure_for_each_run(history: History) -> None:
    """Named by the version of the server."""
    (trend,) = trends(history.runs())
    rate = trend.charts[0]
    assert [dot.y for dot in rate.series[0].dots] == [30.0, 50.0]
    assert [tick.label for tick in rate.x.ticks] == ["0.9.1 #2", "0.9.2 #1"]


def test_runs_that_cannot_be_compared_have_trends_of_their_own(history: History) -> None:
    """Another machine is another trend."""
    history.add(run("0.9.3", 40, machine={**examples.MACHINE, "cores": 64}))
    assert len(trends(history.runs())) == 2


def test_invalid_run_enters_no_trend(history: History) -> None:
    """It is listed, and not drawn."""
    history.add(run("0.9.3", 40, valid=False, invalid_because=["late"]))
    (trend,) = trends(history.runs())
    assert len(trend.runs) == 2


def test_file_that_is_no_history_is_refused(tmp_path: Path) -> None:
    """And left as it is."""
    path = tmp_path / "notes.txt"
    path.write_text("these are my notes, and long enough to be read as a header of a page" * 20)
    before = path.read_bytes()
    with pytest.raises(DocumentError, match="is no history"):
        History(path).runs()
    assert path.read_bytes() == before


def test_history_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    """Rather than half understood."""
    path = tmp_path / "h.sqlite"
    with sqlite3.connect(path) as database:
        database.execute("pragma user_version = 99")
    database.close()
    with pytest.raises(DocumentError, match="newer version"):
        History(path).runs()


def test_summary_that_is_none_is_refused(tmp_path: Path) -> None:
    """A conformance run has no place among benches."""
    path = examples.write_lines(tmp_path / "run.jsonl", examples.run_records()[:1])
    with pytest.raises(DocumentError, match="is no summary"):
        record_of(path)


def test_command_keeps_lists_and_draws(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The whole way, as people type it."""
    store = ["--store", str(tmp_path / "h.sqlite")]
    summary = examples.write_json(tmp_path / "summary.json", run("0.9.1", 10))
    assert main(["history", "add", str(summary), *store]) == 0
    assert main(["history", *store]) == 0
    assert main(["history", "page", "-o", str(tmp_path / "out"), *store]) == 0
    told = capsys.readouterr().out
    assert "throughput" in told
    assert "30.0" in told
    assert "0.9.1 #1" in (tmp_path / "out" / "history.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["add"], "name a summary.json"),
        (["add", "/nowhere"], "no summary of a bench run"),
        (["remove", "seven"], "no number of a run"),
        (["remove", "7"], "there is no run 7"),
        (["page"], "with -o DIR"),
    ],
)
def test_wrong_usage_is_a_sentence_and_status_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    """Nothing is kept, drawn or lost."""
    assert main(["history", *arguments, "--store", str(tmp_path / "h.sqlite")]) == 2
    assert said in capsys.readouterr().err


def test_empty_history_says_how_to_fill_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Instead of a table without rows."""
    assert main(["history", "--store", str(tmp_path / "h.sqlite")]) == 0
    assert "history add SUMMARY" in capsys.readouterr().out

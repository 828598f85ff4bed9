"""`parallama-report` as people start it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ..__main__ import main
from ..files import write
from . import bench_examples, examples

ROOM = Path(__file__).resolve().parents[1]


@pytest.fixture
def run_path(tmp_path: Path) -> Path:
    return examples.write_lines(tmp_path / "run.jsonl", examples.run_records())


def test_page_is_written_and_named(
    tmp_path: Path, run_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Into a folder that need not be there."""
    target = tmp_path / "new" / "folder"
    assert main([str(run_path), "-o", str(target)]) == 0
    assert capsys.readouterr().out == f"{target / 'report.html'}\n"
    assert [path.name for path in target.iterdir()] == ["report.html"]


def test_refused_document_is_a_sentence_and_status_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And no page."""
    path = examples.write_lines(tmp_path / "run.jsonl", examples.run_records()[:-1])
    assert main([str(path), "-o", str(tmp_path / "out")]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(f"parallama-report: {path}: has no footer")
    assert said.err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_one_refused_document_of_two_gives_no_page(tmp_path: Path, run_path: Path) -> None:
    """Half of what was asked for is not what was asked for."""
    assert main([str(run_path), str(tmp_path / "none"), "-o", str(tmp_path / "out")]) == 2
    assert not (tmp_path / "out").exists()


def test_folder_that_cannot_be_made_is_status_2(
    tmp_path: Path, run_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Such as one inside a file."""
    assert main([str(run_path), "-o", str(run_path / "out")]) == 2
    assert "cannot be written" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["-o", "out"], ["run.jsonl"], ["--nonsense"]])
def test_wrong_usage_is_status_2(arguments: list[str]) -> None:
    """As with every command of ours."""
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2


def test_page_that_fails_halfway_leaves_the_old_one(tmp_path: Path) -> None:
    """And nothing beside it."""
    write("old", tmp_path / "page.html")
    with pytest.raises(UnicodeEncodeError):
        write("\ud800", tmp_path / "page.html")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]


def test_matrix_names_its_page_and_its_servers(
    tmp_path: Path, run_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """NAME=DOCUMENT, and without a name the address."""
    target = tmp_path / "servers.html"
    assert main(["--matrix", f"mine={run_path}", str(run_path), "-o", str(target)]) == 0
    assert capsys.readouterr().out == f"{target}\n"
    page = target.read_text()
    assert ">mine</a>" in page
    assert ">localhost:11434</a>" in page


def test_matrix_of_no_run_is_status_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A bench is no server by classes."""
    path = examples.write_json(tmp_path / "summary.json", bench_examples.summary())
    assert main(["--matrix", str(path), "-o", str(tmp_path)]) == 2
    assert "is no run of the conformance suite" in capsys.readouterr().err


def test_module_runs_by_its_name(tmp_path: Path, run_path: Path) -> None:
    """Other rooms start it so."""
    command = [sys.executable, "-m", ROOM.name, str(run_path), "-o", str(tmp_path / "out")]
    done = subprocess.run(command, cwd=ROOM.parent, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "out" / "report.html").exists()


def test_help_needs_neither_template_engine_nor_charts() -> None:
    """So that it is there at once."""
    code = (
        "import sys\n"
        "from reports.__main__ import main\n"
        "try:\n    main(['--help'])\n"
        "except SystemExit as done:\n    assert done.code == 0\n"
        "assert not {'jinja2', 'plotly', 'numpy'} & set(sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOM.parent, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "run.jsonl" in done.stdout

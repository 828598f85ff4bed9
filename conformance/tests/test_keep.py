"""What a run leaves on the target: nothing, unless it is to be kept, and then it says what."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from argparse import Namespace
from pathlib import Path

import pytest

from .. import plugin
from ..address import parse_address
from ..run import dismiss, prepare
from ..settings import Settings
from ..setup import Setup
from ..target import Target
from .honest import serving, serving_server
from .lies import refuses
from .test_main import PROGRAM, ROOT, lines, run

SOME = ("-k", "copy/copies or embeddings/one")
WORDS = ("copy", "embedding", "plain", "scripted")  # the copy is what a check made


def test_kept_models_are_there_and_told(tmp_path: Path) -> None:
    """Those of the run and those of its checks, in the terminal and in the document."""
    with serving_server() as server:
        done = run(server.url, *SOME, "--keep", "-o", str(tmp_path))
        there = sorted(server.house.models)
    kept = lines(tmp_path)[-1]["kept"]
    assert done.returncode == 0, done.stdout
    assert kept["models"] == there
    assert [name.rpartition("/")[2] for name in there] == [f"{word}:latest" for word in WORDS]
    assert "Kept: 4 models" in done.stdout
    assert all(f"  {name}\n" in done.stdout for name in there)
    assert kept["delete"] in done.stdout


def test_kept_models_are_deleted_by_what_is_printed(tmp_path: Path) -> None:
    """The line can be pasted into a shell."""
    with serving_server() as server:
        run(server.url, *SOME, "--keep", "-o", str(tmp_path))
        command = lines(tmp_path)[-1]["kept"]["delete"]
        assert server.house.models
        subprocess.run(["bash", "-c", command], check=True, capture_output=True, timeout=30)
        assert server.house.models == {}


def test_nothing_is_kept_unasked(tmp_path: Path) -> None:
    """Nor told."""
    with serving_server() as server:
        run(server.url, *SOME, "-o", str(tmp_path))
        assert server.house.models == {}
    assert "kept" not in lines(tmp_path)[-1]


def test_models_of_the_reference_are_never_kept(tmp_path: Path) -> None:
    """It is not what is judged."""
    with serving_server() as reference, serving_server() as target:
        asked = (*SOME, "--keep", "--reference", reference.url, "-o", str(tmp_path))
        run(target.url, *asked)
        assert reference.house.models == {}
        assert target.house.models


def test_what_a_broken_off_check_left_is_deleted() -> None:
    """The target is asked what there is of this run; nothing else is touched."""
    with serving_server() as server:
        setup = prepare(parse_address(server.url), None)
        target = Target(setup)
        mine = f"{setup.url.removeprefix('http://')}/parallama-check-{setup.token}/pulled"
        for name in (f"parallama-check-{setup.token}/left", mine, "somebody/else"):
            target.post("/api/copy", source=setup.model, destination=name).ok.body  # noqa: B018
        assert dismiss(setup) == []
        assert list(server.house.models) == ["somebody/else:latest"]


def test_failed_preparation_leaves_the_reference_clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """Though the run never began."""

    def interrupted(*_: object) -> Setup:
        raise KeyboardInterrupt

    with serving_server() as reference, serving() as url:
        settings = Settings(parse_address(url), reference=reference.url)
        judge = plugin.Judge(Namespace(), settings)  # type: ignore[arg-type]
        monkeypatch.setattr(plugin, "prepare", interrupted)
        with pytest.raises(KeyboardInterrupt):
            judge._prepare()
        assert judge.reference is not None
        assert reference.house.models == {}


def test_deleting_goes_on_where_nothing_is_listed() -> None:
    """A server that refuses to list has its models deleted by their known names."""
    lie = refuses("/api/tags", lambda fields: True, 500)
    with serving_server(lie) as server:
        setup = prepare(parse_address(server.url), None)
        assert server.house.models
        dismiss(setup)
        assert server.house.models == {}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_several_processes_clean_up_when_interrupted(
    tmp_path: Path, number: signal.Signals
) -> None:
    """Ctrl-C reaches all of them; what their checks were at is deleted, too."""
    with serving_server() as server:
        command = [*PROGRAM, server.url, "-n", "2", "-o", str(tmp_path)]
        program = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        document = tmp_path / "run.jsonl"
        while not (document.exists() and document.read_text().count("\n") > 5):
            assert program.poll() is None
            time.sleep(0.02)
        group = number is signal.SIGINT  # a terminal sends it to every process of the run
        (os.killpg if group else os.kill)(program.pid, number)
        assert program.wait(30) == 2
        deadline = time.monotonic() + 10
        while server.house.models and time.monotonic() < deadline:
            time.sleep(0.05)
        assert server.house.models == {}

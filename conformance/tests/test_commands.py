"""The commands and the options around a run, as people start them."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from .honest import Lie, serving, serving_server
from .lies import values
from .test_main import lines, run

OLD = values(lambda value: {"version": "0.1.0"}, "/api/version")
WORDLESS: Lie = values(lambda value: {"version": 1}, "/api/version")
SOME = ("-k", "core/version")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Short runs: against an honest server, and against one that gives its version as a number."""
    folder = tmp_path_factory.mktemp("runs")
    for name, lie in (("honest", Lie()), ("wordless", WORDLESS)):
        with serving(lie) as url:
            run(url, *SOME, "-o", str(folder / name))
    return {name: folder / name / "run.jsonl" for name in ("honest", "wordless")}


def test_compare_is_red_when_worse(runs: dict[str, Path]) -> None:
    """0 the other way round, and for twice the same."""
    worse = run("compare", str(runs["honest"]), str(runs["wordless"]))
    assert worse.returncode == 1
    assert "core/version: passed -> failed" in worse.stdout.partition("Newly failing")[2]
    better = run("compare", str(runs["wordless"]), str(runs["honest"]))
    assert (better.returncode, "Newly passing" in better.stdout) == (0, True)
    same = run("compare", str(runs["honest"]), str(runs["honest"]))
    assert (same.returncode, "No check came out differently." in same.stdout) == (0, True)


def test_compare_refuses_what_is_no_run(tmp_path: Path, runs: dict[str, Path]) -> None:
    """Usage, with a sentence."""
    done = run("compare", str(runs["honest"]), str(tmp_path / "none"))
    assert (done.returncode, "cannot be read" in done.stderr) == (2, True)


def test_matrix_is_a_page(tmp_path: Path, runs: dict[str, Path]) -> None:
    """Made by the reports room, a program of its own."""
    page = tmp_path / "servers.html"
    done = run("matrix", f"good={runs['honest']}", f"bad={runs['wordless']}", "-o", str(page))
    assert (done.returncode, done.stderr) == (0, "")
    assert page.read_text().index(">good</a>") < page.read_text().index(">bad</a>")


def test_baseline_makes_a_red_run_green_until_it_is_fixed(
    tmp_path: Path, runs: dict[str, Path]
) -> None:
    """Printed from a run; tolerated in the next; red once the server is mended."""
    printed = run("baseline", str(runs["wordless"]), "--reason", "issue 12")
    assert printed.returncode == 0
    path = tmp_path / "known.toml"
    path.write_text(printed.stdout)
    asked = (*SOME, "--baseline", str(path), "-o", str(tmp_path))
    with serving(WORDLESS) as url:
        known = run(url, *asked)
    with serving() as url:
        fixed = run(url, *asked)
    assert (known.returncode, "known)" in known.stdout) == (0, True)
    assert (fixed.returncode, "take them out" in fixed.stdout) == (1, True)
    lines(tmp_path)  # valid by the schema


def test_baseline_that_is_none_is_usage(tmp_path: Path) -> None:
    """Before anything is asked of the target."""
    done = run("http://127.0.0.1:1", "--baseline", str(tmp_path / "none"))
    assert (done.returncode, "cannot be read" in done.stderr) == (2, True)


def test_reference_shows_where_answers_part(tmp_path: Path) -> None:
    """Two servers are asked the same; both are left as they were."""
    with serving_server() as reference, serving_server(OLD) as target:
        done = run(target.url, *SOME, "--reference", reference.url, "-o", str(tmp_path))
        assert reference.house.models == {}
        assert target.house.models == {}
    assert f"Beside {reference.url}" in done.stdout
    assert "core/version-is-recent  passed there, failed here" in done.stdout
    assert "GET /api/version: body.version" in done.stdout
    found = {line["id"]: line for line in lines(tmp_path) if line["kind"] == "verdict"}
    assert found["core/version"]["reference"]["parted"] == 1
    assert "Beside" in (tmp_path / "report.html").read_text()


def test_recording_serves_as_reference(tmp_path: Path) -> None:
    """What one server said once, compared with another; a honest one does not part."""
    recording = tmp_path / "exchanges.jsonl"
    with serving() as url:
        made = run("record", url, "-k", "core/version or tags/ or chat/", "-o", str(recording))
        assert made.returncode == 0, made.stderr
        assert made.stdout.endswith(f"{recording}\n")
        same = run(url, *SOME, "-k", "core/version or tags/ or chat/",
                   "--reference", str(recording), "-o", str(tmp_path))  # fmt: skip
    head, *checks, foot = map(json.loads, recording.read_text().splitlines())
    assert (head["schema"], foot["checks"]) == ("parallama/exchanges/1", len(checks))
    assert "Beside" in same.stdout
    assert ": 0 of" in same.stdout


@pytest.mark.parametrize("text", ["", "{}\n", '{"schema": "parallama/exchanges/1"}\n'])
def test_recording_that_is_none_is_usage(tmp_path: Path, text: str) -> None:
    """A file that is there and is not whole."""
    path = tmp_path / "exchanges.jsonl"
    path.write_text(text)
    done = run("http://127.0.0.1:1", "--reference", str(path))
    assert (done.returncode, str(path) in done.stderr) == (2, True)


def test_reference_that_is_not_there_is_unreachable(tmp_path: Path) -> None:
    """As the target itself would be."""
    with serving() as url:
        done = run(url, "--reference", "http://127.0.0.1:1", "-o", str(tmp_path / "none"))
    assert (done.returncode, "127.0.0.1:1 cannot be judged" in done.stderr) == (3, True)


def test_first_finding_ends_the_run_and_last_failed_runs_it_again(tmp_path: Path) -> None:
    """-x and --lf as in pytest; JUnit goes where --junitxml says."""
    junit = tmp_path / "elsewhere" / "junit.xml"
    asked = (*SOME, "-o", str(tmp_path), "--junitxml", str(junit))
    with serving(WORDLESS) as url:
        first = run(url, *asked, "-x")
        counted = lines(tmp_path)[-1]["counts"]
        again = run(url, *asked, "--lf")
    assert (first.returncode, counted["failed"]) == (1, 1)
    assert again.returncode == 1
    ids = [line["id"] for line in lines(tmp_path) if line["kind"] == "verdict"]
    assert ids == ["core/version"]
    assert len(ElementTree.parse(junit).getroot().findall(".//testcase")) == 1


def test_several_processes_judge_together(tmp_path: Path) -> None:
    """-n as in pytest-xdist: the verdicts are those of one."""
    with serving_server() as server:
        done = run(server.url, *SOME, "-n", "2", "-o", str(tmp_path))
        assert server.house.models == {}
    assert done.returncode == 0, done.stderr
    assert lines(tmp_path)[-1]["counts"]["passed"] == 4


def test_consequences_are_told(tmp_path: Path) -> None:
    """What the clients do over it, in the terminal and in the document."""
    with serving(OLD) as url:
        done = run(url, "-k", "core/version-is-recent", "-o", str(tmp_path))
    assert "VS Code Copilot refuses the server as too old" in done.stdout
    (told,) = [line for line in lines(tmp_path) if line["kind"] == "verdict"]
    does = {"client": "VS Code Copilot", "does": "refuses the server as too old"}
    assert told["consequences"] == [does]


def test_every_client_is_in_the_footer(runs: dict[str, Path]) -> None:
    """Those of which nothing was judged are not known to work."""
    from ..clients import NEEDS

    footer = json.loads(runs["honest"].read_text().splitlines()[-1])
    found = {one["client"]: one["works"] for one in footer["clients"]}
    assert set(NEEDS) <= set(found)
    assert found["Claude Code"] is None
    assert footer["identical"]["verdict"] is None

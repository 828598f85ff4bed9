"""The program: its documents, its sentences, its exit statuses."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema
import pytest

from ..evidence import Json
from ..run import load_checks
from .honest import Lie, serving, serving_server
from .lies import statuses, values
from .test_run import RUN

PROGRAM = [sys.executable, "-m", __package__.rpartition(".")[0]]
ROOT = Path(__file__).resolve().parents[2]


def run(*arguments: str, **more: Json) -> subprocess.CompletedProcess[str]:
    """The program, run to its end."""
    command = [*PROGRAM, *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=60, **more)


def lines(out: Path) -> list[dict[str, Any]]:
    """run.jsonl, each line valid by its schema."""
    validator = jsonschema.Draft202012Validator(RUN)
    found = [json.loads(line) for line in (out / "run.jsonl").read_text().splitlines()]
    for line in found:
        validator.validate(line)
    return found


@pytest.fixture(scope="module")
def honest_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, int]:
    """A short run against an honest server: where its documents are, what it said, its status."""
    out = tmp_path_factory.mktemp("run")
    with serving() as url:
        done = run(url, "--class", "core", "-k", "version or shape", "-o", str(out))
    assert done.stderr == ""
    return out, done.stdout, done.returncode


def test_honest_server_ends_with_zero(honest_run: tuple[Path, str, int]) -> None:
    """The headline is the last word before the documents."""
    _, said, status = honest_run
    assert status == 0
    assert "3/3 of 3 MUST" in said


def test_document_is_whole(honest_run: tuple[Path, str, int]) -> None:
    """Header, a verdict each, footer."""
    found = lines(honest_run[0])
    assert [line["kind"] for line in found] == ["header", *["verdict"] * 5, "footer"]
    assert found[0]["target"]["scripted"] is True
    assert found[-1]["counts"]["passed"] == 5


def test_junit_counts(honest_run: tuple[Path, str, int]) -> None:
    """JUnit has a case for each verdict."""
    root = ElementTree.parse(honest_run[0] / "junit.xml").getroot()
    assert len(root.findall(".//testcase")) == 5
    assert [suite.get("failures") for suite in root] == ["0"]


def test_badge_says_the_headline(honest_run: tuple[Path, str, int]) -> None:
    """The badge is an SVG of the headline."""
    badge = ElementTree.parse(honest_run[0] / "badge.svg").getroot()
    assert "3/3 of 3 MUST" in "".join(badge.itertext())
    assert json.loads((honest_run[0] / "badge.json").read_text()) == {
        "schemaVersion": 1, "label": "ollama api", "message": "3/3 of 3 MUST", "color": "success",
    }  # fmt: skip


def test_liar_is_told(tmp_path: Path) -> None:
    """A failed MUST: status 1, expected, actual, curl and clients; evidence in the document."""
    with serving(values(lambda value: {"version": 1}, "/api/version")) as url:
        done = run(url, "-k", "core/version", "-o", str(tmp_path))
    assert done.returncode == 1
    for said in (
        "core/version",
        "a non-empty string",
        f"curl -sS -i -N {url}/api/version",
        "breaks",
    ):
        assert said in done.stdout
    failed = [line for line in lines(tmp_path) if line.get("verdict") == "failed"]
    assert failed[0]["evidence"][-1]["body"] == '{"version":1}'


def test_failed_should_counts_when_strict(tmp_path: Path) -> None:
    """Without --strict it is shown, and the status is 0."""
    with serving(statuses(405, 404)) as url:
        asked = (url, "-k", "wrong-method-is", "-o", str(tmp_path))
        assert (run(*asked).returncode, run(*asked, "--strict").returncode) == (0, 1)


def test_class_that_is_absent(tmp_path: Path) -> None:
    """Not offered is no finding; claimed, it is one."""
    absent = Lie(say=lambda heard, one: absent_route if heard.path == "/api/ps" else one)
    from .honest import Answer

    absent_route = Answer(404, "text/plain", "404 page not found")
    with serving(absent) as url:
        asked = (url, "--class", "lifecycle", "-o", str(tmp_path))
        quiet, claimed = run(*asked), run(*asked, "--claim", "lifecycle")
    assert quiet.returncode == 0
    must = sum(one.group == "lifecycle" and one.level == "MUST" for one in load_checks().values())
    assert f"0/0 of {must} MUST ({must} not offered)" in quiet.stdout
    assert claimed.returncode == 1


def test_ordinary_model(tmp_path: Path) -> None:
    """A model of the user's own: nothing is created, words are not judged."""
    from .test_liars import provided

    with serving_server() as server:
        provided(server)
        server.house.models["mine:latest"] = server.house.models.popitem()[1]
        server.house.reciter.known.clear()
        done = run(server.url, "--model", "mine", "-k", "chat/", "-o", str(tmp_path))
    assert done.returncode == 0, done.stdout
    found = lines(tmp_path)
    assert found[0]["target"] | {"url": "", "server": ""} == {
        "url": "", "server": "", "version": "0.12.3", "model": "mine", "scripted": False,
    }  # fmt: skip
    assert found[-1]["counts"]["not_judged"] > 0
    assert found[-1]["counts"]["passed"] > 0


def test_model_that_is_not_there(tmp_path: Path) -> None:
    """Usage: a sentence that lists the models there are."""
    from .test_liars import provided

    with serving_server() as server:
        provided(server)
        done = run(server.url, "--model", "nope", "-o", str(tmp_path / "none"))
    assert done.returncode == 2
    assert "has no model 'nope'; there are: " in done.stderr
    assert "parallama-check-liar/plain:latest, " in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["--class", "nope"],
            "--class 'nope' is not known; there are: concurrency, context, core, create",
        ),
        (["--claim", "nope"], "--claim 'nope' is not known; there are: "),
        (["--level", "high"], "--level 'high' is not known; there are: must, should, may"),
        (["ftp://example.com"], "only http:// and https:// can be asked"),
        (["--nope"], "unrecognized arguments: --nope"),
    ],
)
def test_usage(arguments: list[str], said: str) -> None:
    """A sentence that lists what there is, and status 2."""
    done = run(*arguments)
    assert (done.returncode, said in done.stderr) == (2, True), done.stderr


@pytest.mark.parametrize("expression", ["no-such-check", "core and and"])
def test_expression_that_selects_nothing(tmp_path: Path, expression: str) -> None:
    """-k that matches nothing, or is none, is usage."""
    with serving() as url:
        done = run(url, "-k", expression, "-o", str(tmp_path))
    assert done.returncode == 2
    assert expression in done.stderr


def test_unreachable(tmp_path: Path) -> None:
    """Status 3, and the reason in one line."""
    done = run("http://127.0.0.1:1", "-o", str(tmp_path / "none"))
    assert done.returncode == 3
    said = "http://127.0.0.1:1 cannot be judged: no connection: Connection refused\n"
    assert done.stderr == f"parallama-conformance: {said}"
    assert not (tmp_path / "none").exists()


def test_environment_names_the_target(tmp_path: Path) -> None:
    """With no URL it is OLLAMA_HOST."""
    with serving() as url:
        host = url.removeprefix("http://")
        done = run("-k", "core/version", "-o", str(tmp_path), env={"OLLAMA_HOST": host})
    assert (done.returncode, url in done.stdout) == (0, True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_run_cleans_up(tmp_path: Path, number: signal.Signals) -> None:
    """Ctrl-C and SIGTERM: the models are deleted, the footer says interrupted, status 2."""
    with serving_server() as server:
        command = [*PROGRAM, server.url, "-o", str(tmp_path)]
        program = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
        document = tmp_path / "run.jsonl"
        while not (document.exists() and document.read_text().count("\n") > 5):
            assert program.poll() is None
            time.sleep(0.02)
        program.send_signal(number)
        assert program.wait(20) == 2
        assert server.house.models == {}
    assert lines(tmp_path)[-1]["interrupted"] is True


def test_list_for_programs_has_a_line_a_check() -> None:
    """Id, level, class, sentence and rows, with tabs between; nothing is asked for it."""
    done = run("--list", "http://127.0.0.1:1", env={"COLUMNS": "40"})
    assert done.returncode == 0
    listed = [line.split("\t") for line in done.stdout.splitlines()]
    assert sorted(listed) == sorted(
        [one.id, one.level, one.group, one.title, " ".join(one.covers)]
        for one in load_checks().values()
    )


def test_list_for_tools_is_json() -> None:
    """The keys of a verdict, as far as they are known before one."""
    done = run("--list", "--json", "-k", "core/version-is-numeric")
    (only,) = json.loads(done.stdout)
    assert (only["id"], only["level"], only["class"]) == ("core/version-is-numeric", "MUST", "core")
    assert "CLIENT-VSC-01" in only["covers"]


def test_every_check_is_written_as_it_should_be() -> None:
    """An id in words, a sentence that ends, a source, a row, and a class in use."""
    for check in load_checks().values():
        assert check.title.endswith("."), check.id
        assert check.source, check.id
        assert check.covers, check.id
        jsonschema.validate(check.id, RUN["$defs"]["verdict"]["properties"]["id"])


def pytest_program(url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """pytest with the plugin, as a user would run it."""
    plugin = f"{PROGRAM[-1]}.plugin"
    command = [sys.executable, "-m", "pytest", "-p", plugin, "--target", url, *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=100)


def test_plugin_runs_checks_as_items(tmp_path: Path) -> None:
    """-k and --junitxml mean what they mean in pytest; a failure is told without a traceback."""
    report = tmp_path / "junit.xml"
    with serving(values(lambda value: {"version": "x"}, "/api/version")) as url:
        done = pytest_program(
            url, "-k", "core/version", f"--junitxml={report}", "-p", "no:cacheprovider"
        )
    assert done.returncode == 1
    assert "3 passed" in done.stdout or "2 passed" in done.stdout
    assert "expected: dotted numbers such as 0.12.3" in done.stdout
    assert "Traceback" not in done.stdout
    assert len(ElementTree.parse(report).getroot().findall(".//testcase")) == 4


def test_plugin_stops_at_the_first(tmp_path: Path) -> None:
    """-x ends the run, and the models are deleted all the same."""
    with serving_server(statuses(404, 400)) as server:
        done = pytest_program(
            server.url, "-x", "-p", "no:cacheprovider", "--target-out", str(tmp_path)
        )
        assert done.returncode == 1
        assert server.house.models == {}
    found = lines(tmp_path)
    assert [line["verdict"] for line in found if line["kind"] == "verdict"].count("failed") == 1


def test_plugin_runs_in_company(tmp_path: Path) -> None:
    """With xdist the workers judge, and the verdicts arrive in one document."""
    with serving_server() as server:
        done = pytest_program(server.url, "-n", "2", "-k", "core/ or lifecycle/sizes", "-p",
                              "no:cacheprovider", "--target-out", str(tmp_path))  # fmt: skip
        assert server.house.models == {}
    assert done.returncode == 0, done.stdout
    assert lines(tmp_path)[-1]["counts"]["passed"] == 22

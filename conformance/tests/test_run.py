"""Running one check: every way to end has its outcome, and no check breaks a run."""

from __future__ import annotations

import itertools
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import jsonschema
import pytest

from .. import run
from ..address import parse_address
from ..check import MUST, Check, Outcome, Verdict, expect, not_judged, not_testable
from ..run import UNKNOWING, NoSuchModel, Unreachable, judge, prepare, selected
from ..schema import SCHEMAS
from ..setup import Setup
from ..target import Target
from .honest import TRUTH, Answer, Lie, serving
from .lies import forgets, refuses

RUN = json.loads((SCHEMAS.parent / "run.schema.json").read_text())
valid = jsonschema.Draft202012Validator(RUN).validate


def setup(url: str = "http://127.0.0.1:9", **more: object) -> Setup:
    """A target that nobody has looked at."""
    given = {"silence_s": 0.3, **more}
    return Setup(url, "test", None, None, False, UNKNOWING, **given)  # type: ignore[arg-type]


def checking(run: object, *, race: bool = False) -> Check:
    """A check of this function."""
    return Check("test/check", MUST, "core", "It holds.", "test", (), (), race, False, run)  # type: ignore[arg-type]


def _formats(fields: dict[str, object]) -> bool:
    return bool(fields.get("format"))


@contextmanager
def answering(answer: bytes | None) -> Iterator[str]:
    """A server that says these bytes to everybody and closes; None: it says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        held = []

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                held.append(connection)
                if answer is not None:
                    connection.recv(65536)
                    connection.sendall(answer)
                    connection.close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}"
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()
            for connection in held:
                connection.close()


def version(target: Target) -> Verdict:
    """Any check that asks."""
    return expect(target.get("/api/version").ok.object["version"], "1")


@pytest.mark.parametrize(
    "answer",
    [
        None,
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{",
        b"hello\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n\xff\xff",
        b'HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n{"version": 1.0}extra',
    ],
    ids=["hangs", "closes", "cut", "no-http", "cut-chunk", "odd", "list", "no-key", "utf8", "tail"],
)
def test_target_that_is_broken_fails(answer: bytes | None) -> None:
    """Hung, closed, malformed: the target is wrong, and the line is valid by the schema."""
    with answering(answer) as url:
        line = judge(checking(version), setup(url))
    valid(line)
    assert line["verdict"] == "failed"
    assert line["curl"].startswith("curl ")


def test_check_that_raises_is_errored() -> None:
    """Our own fault is told as such."""

    def breaks(target: Target) -> Verdict:
        raise RuntimeError("oops")

    line = judge(checking(breaks), setup())
    valid(line)
    assert (line["verdict"], "oops" in line["actual"]) == ("errored", True)


@pytest.mark.parametrize(
    ("end", "outcome"), [(not_judged, "not_judged"), (not_testable, "not_testable")]
)
def test_undecided_check(end: object, outcome: str) -> None:
    """A check may end without a judgement, and says why."""
    line = judge(checking(lambda target: end("because")), setup())  # type: ignore[operator]
    valid(line)
    assert (line["verdict"], line["reason"]) == (outcome, "because")


def test_absent_class_is_not_offered_unless_claimed() -> None:
    """Listed apart; a claim makes it a finding."""
    absent = setup(absent={"core": "nobody answers"})
    assert judge(checking(version), absent)["verdict"] == "not_offered"
    claimed = judge(checking(version), absent, ["core"])
    assert (claimed["verdict"], "claimed" in claimed["reason"]) == ("failed", True)


@pytest.mark.parametrize(
    "lie",
    [forgets("format"), refuses("/api/generate", _formats), refuses("/api/chat", _formats)],
    ids=["ignored", "chat-only", "generate-only"],
)
def test_format_is_offered_where_any_route_has_it(lie: Lie) -> None:
    """A server that takes no notice of it does not offer it."""
    with serving(lie) as url:
        prepared = prepare(parse_address(url), None, silence_s=5.0)
    assert ("format" in prepared.absent) is (lie.hear is not TRUTH.hear)


def race(*outcomes: Outcome) -> dict[str, object]:
    """The line of a race with these outcomes, the last one for ever."""
    told = itertools.chain(outcomes, itertools.repeat(outcomes[-1]))
    return judge(checking(lambda target: Verdict(next(told)), race=True), setup())


def test_race_won_at_once_is_passed() -> None:
    """Nothing is repeated."""
    assert "attempts" not in race(Outcome.PASSED)


def test_race_always_lost_is_failed() -> None:
    """Five times."""
    line = race(Outcome.FAILED)
    assert (line["verdict"], line["attempts"]) == ("failed", ["failed"] * 5)


def test_race_lost_by_far_is_not_run_again() -> None:
    """No busy machine explains it."""
    lost = Verdict(Outcome.FAILED, sure=True)
    assert "attempts" not in judge(checking(lambda target: lost, race=True), setup())


def test_slow_race_is_run_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """What disturbs a clock is short beside it."""
    monkeypatch.setattr(run, "RACE_S", -1.0)
    assert race(Outcome.FAILED)["attempts"] == ["failed"] * 2


def test_race_sometimes_lost_is_unstable() -> None:
    """Never a pass."""
    line = race(Outcome.FAILED, Outcome.PASSED)
    assert (line["verdict"], line["reason"]) == ("unstable", "failed 1 of 5 times")


def test_nobody_there_is_unreachable() -> None:
    """The reason is one line."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(Unreachable) as why:
        prepare(parse_address(f"127.0.0.1:{port}"), None)
    assert (
        str(why.value)
        == f"http://127.0.0.1:{port} cannot be judged: no connection: Connection refused"
    )


def test_something_else_there_is_unreachable() -> None:
    """Not HTTP: it cannot be judged."""
    with answering(b"SSH-2.0-x\r\n") as url, pytest.raises(Unreachable, match="not HTTP"):
        prepare(parse_address(url), None)


def test_levels_select_downwards() -> None:
    """`should` includes must."""
    found = {one.level.value for one in selected([], "should")}
    assert found == {"MUST", "SHOULD"}
    assert {one.group for one in selected(["tools"], "must")} == {"tools"}


def absent_at(*paths: str) -> Lie:
    """An honest server without these routes."""
    gone = Answer(404, "text/plain", "404 page not found")
    return Lie(say=lambda heard, one: gone if heard.path.startswith(paths) else one)


def version_and_tags(target: Target) -> Verdict:
    """Any check that asks for what it is about, and on its way for something else."""
    target.get("/api/tags")
    return version(target)


@pytest.mark.parametrize(
    ("paths", "check", "outcome"),
    [
        (("/api/version",), version, "failed"),
        (("/api/version",), version_and_tags, "not_testable"),
        (("/api/chat", "/api/generate"), lambda target: read_greeting(target), "not_offered"),
        (("/api/chat",), lambda target: read_greeting(target), "failed"),
    ],
    ids=["itself", "on-the-way", "all-of-its-kind", "one-of-its-kind"],
)
def test_missing_route_is_told_as_the_cause(
    paths: tuple[str, ...], check: object, outcome: str
) -> None:
    """What only shows that a route is missing says so, whatever it was meant to show."""
    with serving(absent_at(*paths)) as url:
        line = judge(checking(check), prepare(parse_address(url), None, silence_s=5.0))
    valid(line)
    assert (line["verdict"], "is answered like an unknown route: 404" in line["reason"]) == (
        outcome,
        True,
    )


def read_greeting(target: Target) -> Verdict:
    """Any check that has something generated."""
    return expect(target.chat().ok.object["done"], True)


def test_model_that_is_listed_is_there() -> None:
    """A mock that has no answer for a prompt says 404, too; that says nothing of the model."""
    told = {
        "/api/generate": Answer(404, value={"error": "no fixture matches"}),
        "/api/tags": Answer(value={"models": [{"name": "mocked:latest"}]}),
    }
    with serving(Lie(say=lambda heard, one: told.get(heard.path, one))) as url:
        assert prepare(parse_address(url), "mocked", silence_s=5.0).model == "mocked"
        with pytest.raises(NoSuchModel, match="there are: mocked:latest"):
            prepare(parse_address(url), "other", silence_s=5.0)

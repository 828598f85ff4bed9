"""Laws: what is heard, what is nothing to them, and what several processes make of it."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ..check import CHECKS, Outcome, Undecided
from ..evidence import Exchange, Json, Piece, Request
from ..gathering import Gathering
from ..heeding import Seen
from ..run import UNKNOWING, load_checks
from ..said import said_of
from ..schema import violation
from ..setup import Setup
from ..witness import Witness
from .honest import serving, serving_server
from .lies import finals
from .test_main import lines, pytest_program

load_checks()
SETUP = Setup("http://127.0.0.1:1", "t", "m", None, True, UNKNOWING)
SAME, ECHO = "always/same-question-same-answer", "always/model-is-echoed"
FINAL: dict[str, Any] = {
    "model": "m", "created_at": "2026-01-01T00:00:00Z", "response": "Hi", "done": True,
    "done_reason": "stop", "total_duration": 3, "load_duration": 1, "prompt_eval_count": 1,
    "prompt_eval_duration": 1, "eval_count": 2, "eval_duration": 1,
}  # fmt: skip


def exchange(told: Json, **more: Json) -> Exchange:
    """An answer to a greedy request, one object."""
    asked = {"model": "m", "prompt": "x", "stream": False, "options": {"temperature": 0}}
    request = Request("POST", "/api/generate", (), json.dumps(asked).encode())
    return Exchange(
        SETUP.url, request, 200, headers=(("Content-Type", "application/json"),),
        pieces=(Piece(1.0, json.dumps(told).encode()),), elapsed_ms=5.0, **more,
    )  # fmt: skip


def hearing(*told: Json) -> Witness:
    """Who heard these answers."""
    witness = Witness()
    witness.hear("a/check", SETUP, [exchange(one) for one in told])
    return witness


def test_first_breach_is_told() -> None:
    """A law fails with the answer that broke it first, and says for which check it came."""
    verdict = hearing(FINAL, {**FINAL, "model": "n"}).verdict(ECHO)
    assert verdict.outcome is Outcome.FAILED
    assert verdict.reason == "in an answer that a/check got"
    assert verdict.evidence is not None
    assert json.loads(verdict.evidence.body)["model"] == "n"


def test_honest_answers_break_nothing() -> None:
    """What is right is right however often it is said."""
    assert hearing(FINAL, FINAL).breaches == {}


def test_other_answer_to_the_same_question() -> None:
    """The second of two answers that differ is the breach."""
    assert list(hearing(FINAL, {**FINAL, "response": "Ho"}).breaches)[:1] == [SAME]


def test_null_agrees_with_null() -> None:
    """What is told as null each time stays what it is, whatever else is wrong with it."""
    body = json.dumps({"models": [{"name": "m:latest", "digest": None, "details": None}]}).encode()
    asked = Request("GET", "/api/tags", (), None)
    typed = (("Content-Type", "application/json"),)
    listed = Exchange(SETUP.url, asked, 200, headers=typed, pieces=(Piece(1.0, body),))
    witness = Witness()
    witness.hear("a/check", SETUP, [listed, listed])
    assert "always/models-stay-what-they-are" not in witness.breaches


def test_law_never_passes_on_nothing() -> None:
    """What was about nothing that was heard is not judged."""
    with pytest.raises(Undecided):
        Witness().verdict(ECHO)


@pytest.mark.parametrize("more", [{"cut": True}, {"error": "broke"}, {"tail": b"x"}])
def test_what_was_broken_off_is_nothing_to_laws(more: dict[str, Json]) -> None:
    """Neither where we hung up nor where the connection broke."""
    assert said_of(exchange(FINAL, **more), SETUP, "a/check") is None


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff"])
def test_what_was_no_request_is_nothing_to_laws(body: bytes) -> None:
    """Bodies that are no JSON object have their own checks."""
    got = exchange(FINAL)
    assert said_of(replace(got, request=replace(got.request, body=body)), SETUP, "a") is None


def test_keys_in_capitals_name_no_model_to_laws() -> None:
    """Fields that are not read as the target reads them are no ground for a law."""
    got = exchange(FINAL)
    spelt = replace(got, request=replace(got.request, body=b'{"Model": "mine", "Prompt": "a"}'))
    said = said_of(spelt, replace(SETUP, plain=None), "a/check")
    assert said is not None
    assert not said.lasting


def test_odd_shapes_break_only_what_they_are_about() -> None:
    """An answer that no law can read is the schema's affair, and breaks nothing in us."""
    odd = {**FINAL, "eval_count": [], "logprobs": 5, "created_at": {}, "context": {"a": 1}}
    assert "always/answers-by-schema" in hearing(odd).breaches


def test_breach_travels() -> None:
    """What one process heard is a breach in another, with what was said."""
    here, there = Witness(), hearing({**FINAL, "model": "n"})
    here.learn(json.loads(json.dumps(there.news())))
    told = here.verdict(ECHO).evidence
    assert told is not None
    assert told.object["model"] == "n"
    assert json.loads(told.request.body or b"")["prompt"] == "x"


def test_two_processes_compare() -> None:
    """What two processes were answered has to agree, too."""
    here, there = hearing(FINAL), hearing({**FINAL, "response": "Ho"})
    assert here.breaches == there.breaches == {}
    here.learn(json.loads(json.dumps(there.news())))
    assert SAME in here.breaches


def test_news_is_told_once() -> None:
    """What was told is not told again."""
    witness = hearing(FINAL)
    assert witness.news()["known"]
    assert witness.news()["known"] == []


@pytest.mark.parametrize(
    "spoilt",
    [{"done": "true"}, {"eval_count": 0}, {"eval_count": 1.5}, {"created_at": "1 May"},
     {"done_reason": "eos"}, {"response": None}, {"context": []}, {"error": ""}, {"model": ""}],
    ids=str,
)  # fmt: skip
def test_likeness_hides_no_fault(spoilt: dict[str, Json]) -> None:
    """What the schema tells apart is not taken for the same."""
    seen, wrong = Seen(), {**FINAL, **spoilt}
    assert seen.violation(FINAL, "generate", "record") is None
    found = seen.violation(wrong, "generate", "record")
    assert found == violation(wrong, "generate", "record") is not None


def test_lines_that_differ_in_words_are_alike() -> None:
    """A record of a stream is looked at once, whatever it says."""
    seen, record = Seen(), {"model": "m", "created_at": "2026-01-01T00:00:00.5Z", "done": False}
    for text in ("a", 'b"\\', "\n"):
        told = {**record, "response": text}
        assert seen.violation(told, "generate", "record", json.dumps(told)) is None
    assert len(seen.found) == 1


def test_law_waits_for_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who judges a law first hears what every other process has to tell."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    first, second = Gathering(), Gathering()
    first.open("t")
    second.share("t")
    first.expected = 2
    first.tell()
    waiting = threading.Thread(target=first.gather)
    waiting.start()
    second.witness.hear("a/check", SETUP, [exchange({**FINAL, "model": "n"})])
    second.tell()
    waiting.join(10)
    first.close()
    assert ECHO in first.witness.breaches
    assert list(tmp_path.iterdir()) == []


def test_nobody_waits_for_a_run_that_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the file is gone, so are the others."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    gathering = Gathering()
    gathering.open("t")
    gathering.expected = 9
    gathering.close()
    gathering.tell()
    gathering.gather()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["alone", "in-company"])
def test_run_finds_what_breaks_a_law(tmp_path: Path, workers: list[str]) -> None:
    """One or several processes: the law is red, and the checks that met it are green."""
    shorter = finals(lambda one: one.update(total_duration=1) if "context" in one else None)
    with serving_server(shorter) as server:
        done = pytest_program(server.url, *workers, "-k", "usage/reasons or always/durations",
                              "-p", "no:cacheprovider", "--target-out", str(tmp_path))  # fmt: skip
        assert server.house.models == {}
    assert done.returncode == 1, done.stdout
    found = {one["id"]: one for one in lines(tmp_path) if one["kind"] == "verdict"}
    assert found["usage/reasons"]["verdict"] == "passed"
    assert found["always/durations-fit"]["verdict"] == "failed"
    assert found["always/durations-fit"]["reason"] == "in an answer that usage/reasons got"


def test_laws_alone_have_something_to_judge(tmp_path: Path) -> None:
    """Where no other check is run, laws ask for themselves."""
    with serving() as url:
        done = pytest_program(url, "-n", "2", "-k", "always/", "-p", "no:cacheprovider",
                              "--target-out", str(tmp_path))  # fmt: skip
    assert done.returncode == 0, done.stdout
    laws = [one.id for one in CHECKS.values() if one.law]
    passed = [one["id"] for one in lines(tmp_path) if one.get("verdict") == "passed"]
    assert sorted(passed) == sorted(laws)

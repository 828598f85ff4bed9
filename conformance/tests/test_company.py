"""Beside other workers a check finds what it finds alone."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from ..address import parse_address
from ..check import Outcome, Verdict
from ..plugin import Judge
from ..settings import Settings
from .test_run import checking, setup, valid

PASSED, FAILED = Outcome.PASSED, Outcome.FAILED


def judged(*outcomes: Outcome, alone: bool = False, actual: str = "") -> dict[str, Any]:
    """What a worker says of a check with these outcomes, one after the other."""
    left = iter(outcomes)
    judge = Judge(SimpleNamespace(workerinput={}), Settings(parse_address("127.0.0.1:9")))  # type: ignore[arg-type]
    judge.setup = setup()
    check = checking(lambda target: Verdict(next(left), actual=actual))
    return judge.verdict(replace(check, alone=alone))


def test_what_passes_is_not_repeated() -> None:
    """Company may only disturb."""
    assert "attempts" not in judged(PASSED)


def test_what_fails_in_company_only_is_passed() -> None:
    """It is judged again, alone; and the run says so."""
    line = judged(FAILED, PASSED)
    valid(line)
    assert (line["verdict"], line["attempts"]) == ("passed", ["failed", "passed"])
    assert line["reason"].startswith("only beside other checks: ")


def test_what_fails_alone_too_is_failed() -> None:
    """Once is as good as twice."""
    line = judged(FAILED, FAILED)
    assert (line["verdict"], "attempts" in line) == ("failed", False)


@pytest.mark.parametrize("given", [{"alone": True}, {"actual": "nothing came for 90 s"}])
def test_what_was_alone_or_hung_is_not_repeated(given: dict[str, Any]) -> None:
    """There was no company; or it would hang again."""
    assert judged(FAILED, **given)["verdict"] == "failed"

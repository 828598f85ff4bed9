"""A baseline tolerates what it names, for as long as it says, and no longer than it is true."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from ..baseline import Baseline, BaselineError, Known, baseline_text, read_baseline
from ..document import junit
from ..judgement import judge_run

TODAY = date(2026, 11, 21)
YESTERDAY = date(2026, 11, 20)


def line(verdict: str, level: str = "MUST") -> dict[str, Any]:
    """The verdict of core/a."""
    return {"id": "core/a", "verdict": verdict, "level": level, "class": "core", "breaks": [],
            "duration_ms": 1.0, "reason": "why", "title": "t", "expected": 1, "actual": 2,
            "curl": None}  # fmt: skip


def known(expires: date = TODAY) -> Baseline:
    """A baseline that knows core/a."""
    return Baseline({"core/a": Known("core/a", "issue 12", YESTERDAY, expires)}, TODAY)


@pytest.mark.parametrize(
    ("verdict", "expires", "status", "word"),
    [
        ("failed", TODAY, 0, "known"),
        ("not_testable", TODAY, 0, "known"),
        ("failed", YESTERDAY, 1, "expired"),
        ("passed", TODAY, 1, "fixed"),
        ("passed", YESTERDAY, 1, "fixed"),
        ("not_offered", TODAY, 0, None),
        ("unstable", TODAY, 0, None),
        ("errored", TODAY, 4, None),
    ],
)
def test_known_is_tolerated_until_it_expires_or_passes(
    verdict: str, expires: date, status: int, word: str | None
) -> None:
    """New is red, fixed but listed is red, expired is red."""
    footer = judge_run([line(verdict)], baseline=known(expires))
    assert footer["exit_status"] == status
    found = [name for name, entries in footer["baseline"].items() if entries]
    assert found == ([word] if word else [])


def test_failure_that_is_not_listed_is_red() -> None:
    """Whatever else is known."""
    other = {**line("failed"), "id": "core/b"}
    assert judge_run([line("failed"), other], baseline=known())["exit_status"] == 1


def test_headline_says_what_is_tolerated() -> None:
    """Never a bare yes."""
    assert judge_run([line("failed")], baseline=known())["headline"] == "0/1 of 1 MUST (1 known)"


@pytest.mark.parametrize(("verdict", "counted"), [("failed", ("0", "1")), ("passed", ("1", "0"))])
def test_junit_skips_the_known_and_fails_the_fixed(verdict: str, counted: tuple[str, str]) -> None:
    """As the exit status has it."""
    footer = judge_run([line(verdict)], baseline=known())
    (suite,) = junit([line(verdict)], footer["baseline"]).getroot()
    assert (suite.get("failures"), suite.get("skipped")) == counted


def test_text_is_read_back(tmp_path: Path) -> None:
    """What `baseline` prints is a baseline."""
    path = tmp_path / "known.toml"
    path.write_text(baseline_text(["core/a", "core/b"], 'a "reason"', YESTERDAY, TODAY))
    read = read_baseline(path, ["core/a", "core/b"], TODAY)
    assert read.known["core/b"] == Known("core/b", 'a "reason"', YESTERDAY, TODAY)


ENTRY = '[[known]]\nid = "core/a"\nreason = "r"\ndate = 2026-11-20\nexpires = 2026-11-21\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("known = [", "is not TOML"),
        ("knwon = []", "is a list of tables"),
        (ENTRY.replace("core/a", "core/nope"), "there is no check 'core/nope'"),
        (ENTRY + ENTRY, "listed twice"),
        (ENTRY.replace('"r"', '" "'), "entry 1: reason has to be a text"),
        (ENTRY.replace("2026-11-21", '"soon"'), "entry 1: expires has to be a day"),
        (ENTRY.replace("date = 2026-11-20\n", ""), "entry 1: needs exactly id, reason, date"),
        (ENTRY + 'why = "x"\n', "needs exactly"),
    ],
)
def test_baseline_that_is_none_is_refused(tmp_path: Path, text: str, said: str) -> None:
    """A sentence with the file and the entry; a name that is no check is a mistake."""
    path = tmp_path / "known.toml"
    path.write_text(text)
    with pytest.raises(BaselineError, match=said):
        read_baseline(path, ["core/a"], TODAY)


def test_baseline_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """Not taken for an empty one."""
    with pytest.raises(BaselineError, match="cannot be read"):
        read_baseline(tmp_path / "none", [], TODAY)

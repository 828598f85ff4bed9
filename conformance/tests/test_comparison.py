"""Two runs beside each other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ..comparison import Run, RunError, compare, read_run


def run(**verdicts: str) -> Run:
    """A run of these verdicts; a word after a colon is what came."""
    lines = {}
    for id, told in verdicts.items():
        verdict, _, actual = told.partition(":")
        line: dict[str, Any] = {"id": id, "level": "MUST", "verdict": verdict, "expected": "x",
                                "actual": actual, "reason": "r"}  # fmt: skip
        lines[id] = line
    return Run({}, lines, {})


@pytest.mark.parametrize(
    ("before", "after", "where", "worse"),
    [
        ("passed", "failed", "failing", True),
        ("not_offered", "failed", "failing", True),
        ("passed", "not_testable", "failing", True),
        ("passed", "not_offered", "lost", True),
        ("passed", "unstable", "lost", True),
        ("passed", "not_judged", None, False),
        ("failed", "passed", "passing", False),
        ("not_offered", "passed", "passing", False),
        ("failed:a", "failed:b", "reasons", False),
        ("failed:a", "failed:a", None, False),
        ("passed", "passed", None, False),
    ],
)
def test_change_is_named(before: str, after: str, where: str | None, worse: bool) -> None:
    """Worse is what held and holds no longer; an ordinary model in place of ours is not."""
    found = compare(run(a=before), run(a=after))
    named = [name for name in ("failing", "passing", "reasons", "lost") if getattr(found, name)]
    assert named == ([where] if where else [])
    assert found.worse is worse


def test_checks_that_come_and_go_are_listed() -> None:
    """A new check that fails is worse; one that is gone is only told."""
    found = compare(run(a="passed"), run(b="failed"))
    assert (found.gone, found.come, found.worse) == (("a",), ("b",), True)
    assert compare(run(a="passed"), run()).worse is False


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is no run.jsonl"),
        ("{", "is no run.jsonl"),
        ('{"kind": "header"}\n', "lacks its header"),
        ('{"kind": "header", "schema": "parallama/run/1"}\n', "has no footer"),
    ],
)
def test_half_a_run_is_refused(tmp_path: Path, text: str, said: str) -> None:
    """It must not look like a whole one."""
    path = tmp_path / "run.jsonl"
    path.write_text(text)
    with pytest.raises(RunError, match=said):
        read_run(path)

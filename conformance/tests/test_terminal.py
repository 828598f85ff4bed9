"""What is shown: a table that adds up, and findings of one cause once."""

from __future__ import annotations

import io
from typing import Any

from rich.console import Console

from ..judgement import judge_run
from ..terminal import Terminal, alike


def line(
    id: str, verdict: str = "failed", level: str = "MUST", actual: object = "b"
) -> dict[str, Any]:
    """A verdict, as far as it is shown."""
    return {"id": id, "level": level, "class": id.partition("/")[0], "title": "It holds.",
            "verdict": verdict, "expected": "a", "actual": actual, "reason": "it does not hold",
            "breaks": ["Zed"], "curl": "curl http://x"}  # fmt: skip


def shown(lines: list[dict[str, Any]]) -> str:
    """The end of a run on a terminal of 100 columns."""
    console = Console(file=io.StringIO(), width=100, soft_wrap=True)
    terminal = Terminal(console, None)
    terminal.verdicts = lines
    terminal.pytest_parallama_finished({**judge_run(lines), "kind": "footer"})
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_one_cause_is_shown_once() -> None:
    """What failed alike is listed, not told again."""
    told = shown([line("core/a"), line("core/b"), line("core/c", actual="c")])
    assert told.count("expected") == 2
    assert "same in   core/b" in told


def test_alike_means_expected_and_actual() -> None:
    """Another actual value is another cause."""
    groups = alike([line("core/a"), line("core/b", actual=1), line("core/c")])
    assert [[one["id"] for one in group] for group in groups] == [["core/a", "core/c"], ["core/b"]]


def test_table_has_classes_by_level() -> None:
    """Passed of judged, and what stands apart."""
    lines = [line("core/a", "passed"), line("core/b"), line("tools/c", "not_offered")]
    told = [row.split() for row in shown(lines).splitlines()]
    assert ["core", "1/2", "-", "-"] in told
    assert ["tools", "-", "-", "-", "1", "not", "offered"] in told


def test_broken_client_is_told_with_its_checks() -> None:
    """Why a client will not work."""
    assert "Zed: broken by core/a" in shown([line("core/a")])


def test_control_characters_are_written_out() -> None:
    """A target cannot move our cursor."""
    assert "\\x1b[31m" in shown([line("core/a", actual="\x1b[31mred")])

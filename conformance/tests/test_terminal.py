"""What is shown: a table that adds up, and findings of one cause once."""

from __future__ import annotations

import io
from datetime import date
from typing import Any

from rich.console import Console

from ..baseline import Baseline, Known
from ..judgement import judge_run
from ..terminal import Terminal, side_by_side


def line(
    id: str, verdict: str = "failed", level: str = "MUST", actual: object = "b"
) -> dict[str, Any]:
    """A verdict, as far as it is shown."""
    return {"id": id, "level": level, "class": id.partition("/")[0], "title": "It holds.",
            "verdict": verdict, "expected": "a", "actual": actual, "reason": "it does not hold",
            "breaks": ["Zed"], "curl": "curl http://x"}  # fmt: skip


def shown(
    lines: list[dict[str, Any]],
    baseline: Baseline | None = None,
    reference: str | None = None,
    needs: dict[str, tuple[str, ...]] | None = None,
) -> str:
    """The end of a run on a terminal of 100 columns."""
    console = Console(file=io.StringIO(), width=100, soft_wrap=True)
    terminal = Terminal(console, None)
    terminal.verdicts = lines
    terminal.reference = reference
    footer = judge_run(lines, baseline=baseline, needs=needs or {}, absent=("openai",))
    terminal.pytest_parallama_finished({**footer, "kind": "footer"})
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_one_cause_is_shown_once() -> None:
    """What failed alike is listed, not told again."""
    told = shown([line("core/a"), line("core/b"), line("core/c", actual="c")])
    assert told.count("expected") == 2
    assert "same in   core/b" in told


def test_long_texts_are_shown_from_where_they_part() -> None:
    """What both begin with is not read twice."""
    expected, actual = side_by_side("a" * 400 + "b", "a" * 400 + "c")
    assert (expected, actual) == (f"…{'a' * 30}b", f"…{'a' * 30}c")


def test_what_a_client_does_is_told() -> None:
    """A name alone says little; the others that break follow it."""
    does = [{"client": "Roo Code", "does": "rejects the whole list"}]
    told = shown([{**line("tags/a"), "consequences": does}])
    assert "breaks    Roo Code rejects the whole list; Zed" in told


def test_known_failures_stand_apart() -> None:
    """They are no findings; what is fixed or over is red."""
    today = date(2026, 11, 21)
    known = {id: Known(id, "issue 12", today, until) for id, until in
             (("core/a", today), ("core/b", date(2026, 1, 1)), ("core/c", today))}  # fmt: skip
    lines = [line("core/a"), line("core/b"), line("core/c", "passed")]
    told = shown(lines, Baseline(known, today))
    assert "core/a  issue 12 (until 2026-11-21)" in told.partition("Known failures")[2]
    assert "core/b  issue 12" in told.partition("no longer tolerated")[2]
    assert "core/c  issue 12" in told.partition("take them out")[2]
    assert told.count("expected") == 1


def test_parting_from_the_reference_is_told() -> None:
    """Both outcomes, and the first place where the answers differ."""
    parting = {"request": {"method": "GET", "path": "/api/tags"},
               "reference": {"status": 200}, "actual": {"status": 404}}  # fmt: skip
    beside = {"verdict": "passed", "partings": [parting], "parted": 1}
    told = shown([{**line("tags/a"), "reference": beside}], reference="there")
    assert "Beside there: 1 of 1 checks part" in told
    assert "tags/a  passed there, failed here" in told
    assert "GET /api/tags: status" in told


def test_two_verdicts_end_it() -> None:
    """Will clients work, and is it Ollama."""
    told = shown([line("core/a", "passed"), line("tools/b", "not_offered")])
    assert "Clients will work: 1 of 1" in told
    assert "Identical to Ollama: no, tools not offered" in told


def test_table_has_classes_by_level() -> None:
    """Passed of judged, and what stands apart."""
    lines = [line("core/a", "passed"), line("core/b"), line("tools/c", "not_offered")]
    told = [row.split() for row in shown(lines).splitlines()]
    assert ["core", "1/2", "-", "-"] in told
    assert ["tools", "-", "-", "-", "1", "not", "offered"] in told


def test_broken_client_is_told_with_its_checks() -> None:
    """Why a client will not work."""
    assert "breaks: Zed in core (core/a)" in shown([line("core/a")])


def test_client_that_lacks_what_it_needs_is_told() -> None:
    """Neither working nor broken: those that lack the same together."""
    needs = {"Zed": ("core",), "Codex": ("openai",), "Copilot": ("openai", "core"),
             "Roo": ("core", "tools")}  # fmt: skip
    told = shown([line("core/a", "passed")], needs=needs)
    assert "Clients will work: 1 of 1" in told
    assert "not offered: Codex, Copilot (openai)" in told
    assert "not judged: Roo (core, tools)" in told


def test_control_characters_are_written_out() -> None:
    """A target cannot move our cursor."""
    assert "\\x1b[31m" in shown([line("core/a", actual="\x1b[31mred")])

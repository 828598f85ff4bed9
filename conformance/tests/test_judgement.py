"""What a run amounts to: one table, from verdicts to headline, clients and exit status."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ..check import Level, Outcome
from ..judgement import judge_run

OUTCOMES = [outcome.value for outcome in Outcome]


def line(verdict: str, level: str = "MUST", group: str = "core", *breaks: str) -> dict[str, Any]:
    """A verdict, as far as it matters here."""
    return {"id": f"{verdict}/{level}", "verdict": verdict, "level": level, "class": group,
            "breaks": list(breaks)}  # fmt: skip


verdicts = st.lists(
    st.builds(line, st.sampled_from(OUTCOMES), st.sampled_from(list(Level)), st.just("core"))
)


@pytest.mark.parametrize(
    ("lines", "strict", "status"),
    [
        ([], False, 0),
        ([line("passed")], False, 0),
        ([line("failed")], False, 1),
        ([line("not_testable")], False, 1),
        ([line("failed", "SHOULD")], False, 0),
        ([line("failed", "SHOULD")], True, 1),
        ([line("not_testable", "SHOULD")], True, 1),
        ([line("failed", "MAY")], True, 0),
        ([line("unstable")], True, 0),
        ([line("not_offered"), line("not_judged")], True, 0),
        ([line("errored")], False, 4),
        ([line("errored", "MAY")], False, 4),
        ([line("errored"), line("failed")], False, 1),
    ],
)
def test_exit_status(lines: list[dict[str, Any]], strict: bool, status: int) -> None:
    """Findings come before our own faults; a SHOULD counts only when strict; a MAY never."""
    assert judge_run(lines, strict=strict)["exit_status"] == status


def test_claimed_class_that_is_missing_is_a_finding() -> None:
    """Whatever the verdicts say."""
    assert judge_run([line("passed")], missing_claims=["tools"])["exit_status"] == 1


def test_interrupted_run_ends_as_pytest_does() -> None:
    """Ctrl-C is 2, findings or not."""
    footer = judge_run([line("failed")], interrupted=True)
    assert (footer["exit_status"], footer["interrupted"]) == (2, True)


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ([line("passed")] * 3, "3/3 of 3 MUST"),
        ([line("passed"), line("failed")], "1/2 of 2 MUST"),
        ([line("passed"), line("not_offered")], "1/1 of 2 MUST (1 not offered)"),
        ([line("unstable"), line("not_judged")], "0/0 of 2 MUST (1 not judged, 1 unstable)"),
        ([line("not_testable")], "0/1 of 1 MUST"),
        ([line("failed", "SHOULD")], "0/0 of 0 MUST"),
        ([], "0/0 of 0 MUST"),
    ],
)
def test_headline(lines: list[dict[str, Any]], told: str) -> None:
    """Passed of judged of all; what stands apart is said."""
    assert judge_run(lines)["headline"] == told


def test_what_is_absent_in_part_is_told_as_that() -> None:
    """A class of which something was judged is not called absent."""
    lines = [line("not_offered", "MUST", "tools"), line("not_offered", "MUST", "manage"),
             line("passed", "MUST", "manage")]  # fmt: skip
    because = judge_run(lines)["identical"]["because"]
    assert because == "tools not offered; parts of manage not offered"


def test_missing_route_is_one_cause() -> None:
    """Whatever was asked of it, and whether it failed or could not be tested for its sake."""
    why = "/api/version is answered with 501"
    lines = [{**line("failed"), "reason": why, "expected": "status 200"},
             {**line("not_testable"), "reason": why, "expected": 403}]  # fmt: skip
    assert len(judge_run(lines)["causes"]) == 1


def test_client_works_unless_a_check_breaks_it() -> None:
    """Failed breaks, not judged says nothing."""
    lines = [line("passed", "MUST", "core", "A", "B"), line("failed", "SHOULD", "core", "B"),
             line("not_offered", "MUST", "tools", "C")]  # fmt: skip
    found = {one["client"]: one["works"] for one in judge_run(lines)["clients"]}
    assert found == {"A": True, "B": False, "C": None}


@pytest.mark.parametrize(
    ("lines", "absent", "verdict", "lacks"),
    [
        ([line("passed", "MUST", "core", "A"), line("passed", "MUST", "openai", "A")], (),
         "works", []),
        ([line("passed", "MUST", "core", "A")], ("openai",), "not_offered", ["openai"]),
        ([line("passed", "MUST", "core", "A"), line("not_offered", "MUST", "openai", "A")], (),
         "not_offered", ["openai"]),
        ([line("passed", "MUST", "core", "A")], (), "not_judged", ["openai"]),
        ([line("failed", "MUST", "core", "A")], ("openai",), "breaks", ["openai"]),
        ([line("passed", "MUST", "core", "A"), line("passed", "MUST", "openai", "A"),
          line("not_offered", "MUST", "vision", "A")], ("vision",), "works", []),
        ([], ("openai", "core"), "not_offered", ["core", "openai"]),
        ([line("failed", "MUST", "openai", "A")], ("openai",), "breaks", []),
    ],
)  # fmt: skip
def test_client_needs_what_it_cannot_do_without(
    lines: list[dict[str, Any]], absent: tuple[str, ...], verdict: str, lacks: list[str]
) -> None:
    """It works only where all of that is offered and judged; what fails comes first."""
    footer = judge_run(lines, needs={"A": ("core", "openai")}, absent=absent)
    (only,) = footer["clients"]
    works = {"works": True, "breaks": False}.get(verdict)
    assert (only["verdict"], only["lacks"], only["works"]) == (verdict, lacks, works)


@given(verdicts)
def test_counts_add_up(lines: list[dict[str, Any]]) -> None:
    """Whole, by level and by class: every verdict once."""
    footer = judge_run(lines)
    assert sum(footer["counts"].values()) == len(lines)
    for key in ("by_level", "by_class"):
        total = {name: sum(one[name] for one in footer[key].values()) for name in OUTCOMES}
        assert total == footer["counts"]


@given(verdicts)
def test_status_zero_means_nothing_red(lines: list[dict[str, Any]]) -> None:
    """0 is said only where no MUST failed and nothing of ours broke."""
    if judge_run(lines)["exit_status"] == 0:
        red = {("failed", "MUST"), ("not_testable", "MUST")}
        assert not red & {(one["verdict"], one["level"]) for one in lines}
        assert all(one["verdict"] != "errored" for one in lines)

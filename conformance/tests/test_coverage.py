"""Rows, checks and reasons are complete, and the page that says so is current."""

from __future__ import annotations

import pytest

from ..check import MUST, PASSED, Check
from ..contract import NOT_YET, Row, left_out_text, load_left_out, load_rows
from ..coverage import PAGE, Coverage, measured, page

AGAIN = "nox -s coverage settles it"


def row(id: str, level: str = "MUST") -> Row:
    """A row of the contract."""
    return Row(id, level, "inference", "a topic", False, "")


def covering(*rows: str) -> Check:
    """A check that covers these rows."""
    return Check(
        "core/a", MUST, "core", "It | holds.", "s", rows, (), False, False, lambda _: PASSED
    )


def test_every_row_is_covered_or_left_out_with_a_reason(capsys: pytest.CaptureFixture[str]) -> None:
    """Checks name rows that exist; each MUST and SHOULD has a check or a reason, never both."""
    coverage = measured()
    with capsys.disabled():
        print(f"\n{coverage.sentence}")
    assert coverage.faults == [], AGAIN


def test_page_is_current() -> None:
    """docs/coverage.md is what the checks and the rows make of it."""
    assert PAGE.read_text(encoding="utf-8") == page(measured()), AGAIN


def test_contract_is_whole() -> None:
    """As many rows as the contract counts, and a topic for each."""
    rows = load_rows().values()
    inference = [one for one in rows if one.part == "inference"]
    counted = [sum(one.level == level for one in inference) for level in ("MUST", "SHOULD", "MAY")]
    assert counted == [225, 160, 69]
    assert all(one.topic for one in rows)


def test_reasons_are_written_as_they_are_read() -> None:
    """Settling changes nothing but what it settles."""
    from ..contract import LEFT_OUT

    assert left_out_text(load_left_out()) == LEFT_OUT.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("covers", "reasons", "fault"),
    [
        (("A-1", "B-2"), {}, "B-2 is covered by core/a, but there is no such row"),
        (("A-1",), {"internal": ("A-1",)}, "A-1 is left out, but core/a covers it"),
        ((), {"x": ("A-1",), "y": ("A-1",)}, "A-1 is left out twice"),
        ((), {}, "A-1 is neither covered nor left out"),
        (("A-1",), {"x": ("C-3",)}, "C-3 is left out, but there is no such row"),
    ],
)
def test_fault_is_told(
    covers: tuple[str, ...], reasons: dict[str, tuple[str, ...]], fault: str
) -> None:
    """Whatever is incomplete is a sentence."""
    rows = {"A-1": row("A-1"), "M-1": row("M-1", "MAY")}
    assert Coverage(rows, (covering(*covers),), reasons).faults == [fault]


def test_row_that_is_covered_by_now_is_settled() -> None:
    """It leaves its reason; one that was forgotten waits for a check."""
    rows = {id: row(id) for id in ("A-1", "B-1", "C-1")}
    reasons: dict[str, tuple[str, ...]] = {"internal": ("A-1", "B-1")}
    assert Coverage(rows, (covering("A-1"),), reasons).settled == {
        "internal": ("B-1",), NOT_YET: ("C-1",),
    }  # fmt: skip


def test_bar_in_a_sentence_stays_in_its_cell() -> None:
    """A table holds whatever a sentence says."""
    told = page(Coverage({"A-1": row("A-1")}, (covering("A-1"),), {}))
    assert "| `core/a` | MUST | It \\| holds. | A-1 |" in told

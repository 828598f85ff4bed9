"""Servers by classes: who is first, what a cell says, where it leads."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ..documents import Run
from ..matrix import Server, classes, ranked, state
from ..page import render_matrix
from ..read import read
from . import examples
from .test_page import EVIL, Elements


def server(folder: Path, name: str, *judged: examples.Record, **target: object) -> Server:
    """A server of these verdicts."""
    path = examples.write_lines(folder / name, examples.run_records(judged, **target))
    run = read(path)
    assert isinstance(run, Run)
    return Server(name, run)


def good(id: str = "core/a", **changed: object) -> examples.Record:
    """A passed MUST."""
    return examples.verdict(id, "MUST", "It holds.", **changed)


def bad(id: str = "core/a", **changed: object) -> examples.Record:
    """A failed MUST."""
    told = {"verdict": "failed", "expected": "x", "actual": "y", "reason": "z", "curl": "curl u"}
    return good(id, **{**told, **changed})


def test_more_passed_musts_come_first(tmp_path: Path) -> None:
    """So a short run, or one that offers little, does not lead."""
    short = server(tmp_path, "short", good())
    whole = server(tmp_path, "whole", good(), good("core/b"), bad("core/c"))
    assert [one.name for one in ranked([short, whole])] == ["whole", "short"]


def test_cells_are_passed_of_judged(tmp_path: Path) -> None:
    """What is not offered is neither."""
    absent = good("tools/a", verdict="not_offered", reason="r")
    one = server(tmp_path, "one", good(), bad("core/b"), absent)
    assert classes([one]) == ("core", "tools")
    assert (one.cells["core"].passed, one.cells["core"].judged) == (1, 2)
    assert state(one.cells["tools"]) == state(None) == "absent"


def test_cell_is_red_where_a_must_failed(tmp_path: Path) -> None:
    """A SHOULD, however many, does not make it so; and red is darker where nothing passed."""
    should = [{**bad(f"core/{n}"), "level": "SHOULD"} for n in "abc"]
    judged = {
        "all": [good()],
        "fine": [good(), *should],
        "some": [good(), bad("core/d")],
        "none": [bad()],
    }
    servers = {name: server(tmp_path, name, *records) for name, records in judged.items()}
    found = {name: state(one.cells["core"], one.broken["core"]) for name, one in servers.items()}
    assert found == {name: name for name in judged}


def test_classes_stand_in_one_order(tmp_path: Path) -> None:
    """Whichever check came first; those that nobody here knows come last."""
    one = server(tmp_path, "one", good("novel/a"), good("tools/a"), good("core/a"))
    assert classes([one]) == ("core", "tools", "novel")


def test_findings_of_one_cause_are_told_once(tmp_path: Path) -> None:
    """With the names of the others: a reader need not open each to see that it is the same."""
    judged = server(tmp_path, "one", bad("core/a"), bad("core/b"), bad("core/c"))
    causes = (("core/a", "core/b", "core/c"),)
    one = Server("one", replace(judged.run, causes=causes))
    assert [[len(group) for group in groups] for groups in one.findings.values()] == [[3]]
    page = render_matrix([one])
    assert Elements(page).count("details") == 1
    assert "and 2 more" in page


def test_cell_that_is_not_whole_leads_to_its_findings(tmp_path: Path) -> None:
    """And the place is there; a whole one leads nowhere."""
    page = render_matrix([server(tmp_path, "one", bad(), good("tools/a"))])
    elements = Elements(page)
    assert elements.count("a", href="#s1-core") == 1
    assert elements.count("h3", id="s1-core") == 1
    assert elements.count("a", href="#s1-tools") == 0


def test_matrix_loads_nothing_and_trusts_nothing(tmp_path: Path) -> None:
    """Names, versions and answers are text, whatever they say."""
    judged = {**bad(), **dict.fromkeys(("title", "reason", "expected", "actual", "curl"), EVIL)}
    evil = server(tmp_path, "evil", judged, version=EVIL)
    elements = Elements(render_matrix([Server(EVIL, evil.run)]))
    assert (elements.count("script"), elements.count("img"), elements.count("b")) == (1, 0, 0)
    assert elements.text.count(EVIL) >= 6
    for _, attributes in elements.found:
        assert (attributes.get("href") or "#").startswith("#")

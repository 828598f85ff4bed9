"""Figures against their targets."""

import io
import json

from rich.console import Console

from ..figures import Figure, at_least, at_most, document, table

FIGURES = [
    Figure("speed", "32 users", 0.94, at_least(0.95), ("94.0 / 100.0",)),
    Figure("speed", "8 users", 0.95, at_least(0.95)),
    Figure("waiting", "the same prompt", 0.03, at_most(0.04)),
    Figure("waiting", "last of a crowd", 0.9),
]


def test_target_is_met_from_its_bound_on() -> None:
    """At least 0.95 is missed by 0.94 and met by 0.95; without a target there is no verdict."""
    assert [one.met for one in FIGURES] == [False, True, True, None]


def test_table_names_target_measure_and_verdict() -> None:
    """Every figure has a line with its target, its number and whether it is met."""
    console = Console(file=io.StringIO(), width=80)
    console.print(table(FIGURES))
    assert isinstance(console.file, io.StringIO)
    lines = [line.split() for line in console.file.getvalue().splitlines()]
    assert ["32", "users", ">=", "0.95", "0.94", "missed"] in lines
    assert ["the", "same", "prompt", "<=", "0.04", "0.03", "met"] in lines
    assert ["last", "of", "a", "crowd", "0.9"] in lines


def test_document_is_json_with_the_runs() -> None:
    """The document keeps what each figure was made of."""
    made = json.loads(json.dumps(document(FIGURES, {"cores": 2})))
    assert made["machine"] == {"cores": 2}
    assert made["figures"][0] == {
        "part": "speed",
        "name": "32 users",
        "target": ">= 0.95",
        "measured": 0.94,
        "met": False,
        "runs": ["94.0 / 100.0"],
    }

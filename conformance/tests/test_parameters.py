"""The parameter support matrix, from verdicts, and of servers that refuse or ignore."""

from __future__ import annotations

from typing import Any

import pytest
from rich.console import Console

from ..check import CHECKS, Level
from ..parameter_table import parameter_table
from ..parameters import PARAMETERS, Parameter, judged, support
from ..run import judge, load_checks
from .honest import TRUTH, Lie, serving_server
from .lies import forgets_option, refuses
from .test_liars import provided

load_checks()
ONE = PARAMETERS[0]


def line(id: str, verdict: str) -> dict[str, Any]:
    """A verdict, as far as it matters here."""
    return {"id": id, "verdict": verdict}


@pytest.mark.parametrize(
    ("accepted", "heeded", "told"),
    [
        ("passed", "passed", "effective"),
        ("passed", "failed", "accepted but ignored"),
        ("failed", "failed", "refused"),
        ("failed", "passed", "refused"),
        ("passed", "not_judged", "unknown"),
        ("not_testable", "not_testable", "unknown"),
        ("passed", "errored", "unknown"),
        ("passed", "unstable", "unknown"),
        (None, None, "unknown"),
    ],
)
def test_two_verdicts_decide(accepted: str | None, heeded: str | None, told: str) -> None:
    """Accepted and heeded; what was not judged is not known."""
    given = [(ONE.accepts, accepted), (ONE.heeds, heeded)]
    lines = [line(id, verdict) for id, verdict in given if verdict]
    assert support(lines)[0]["support"] == told


def test_matrix_has_a_row_for_each_option() -> None:
    """In their order, judged or not."""
    assert [row["option"] for row in support([])] == [one.name for one in PARAMETERS]
    assert not judged(support([]))


def test_what_failed_beside_is_told() -> None:
    """An option that is heeded, but wrongly."""
    beside = [ONE.checks[1], ONE.of_the_model]
    lines = [line(id, "passed") for id in (ONE.accepts, ONE.heeds)]
    row = support([*lines, *(line(id, "failed") for id in beside)])[0]
    assert (row["support"], row["failed"]) == ("effective", beside)


def test_models_own_value_of_each_option_is_judged() -> None:
    """By a check of its name, or by one that judges more."""
    without = {one.name for one in PARAMETERS if one.of_the_model not in CHECKS}
    assert without == {"stop", "num_keep"}


@pytest.mark.parametrize("one", PARAMETERS, ids=lambda one: one.name)
def test_checks_of_an_option_are_there(one: Parameter) -> None:
    """And are of its row's level."""
    assert not [id for id in (one.accepts, one.heeds, *one.checks) if id not in CHECKS]
    assert (CHECKS[one.heeds].level is Level.MUST) == one.must
    assert one.row in CHECKS[one.heeds].covers


def told_of(one: Parameter, lie: Lie) -> str:
    """What the matrix says of an option on a server."""
    with serving_server(lie) as server:
        setup = provided(server)
        lines = [judge(CHECKS[id], setup) for id in (one.accepts, one.heeds)]
    row = next(row for row in support(lines) if row["option"] == one.name)
    return str(row["support"])


@pytest.mark.parametrize("one", PARAMETERS, ids=lambda one: one.name)
def test_matrix_of_servers(one: Parameter) -> None:
    """Honest, deaf and strict ones are told apart by every option."""
    deaf = forgets_option(one.name)
    strict = refuses("/api/chat", lambda fields: one.name in fields.get("options", {}))
    found = [told_of(one, lie) for lie in (TRUTH, deaf, strict)]
    assert found == ["effective", "accepted but ignored", "refused"]


def test_table_shows_every_option() -> None:
    """With its word."""
    console = Console(record=True, width=120)
    console.print(parameter_table(support([line(ONE.accepts, "failed")])))
    text = console.export_text()
    assert all(one.name in text for one in PARAMETERS)
    assert "refused" in text

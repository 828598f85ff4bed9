"""The clients: each is known, has needs, and is judged by checks that ask what it asks."""

from __future__ import annotations

import pytest

from ..check import CLASSES
from ..clients import NEEDS, OF_ROWS
from ..contract import load_rows
from ..evidence import Exchange, Json, Piece, Request, Wrong
from ..run import load_checks
from ..suites._apps import (
    CHAT,
    EMBED,
    LISTED,
    SHOWN,
    Shape,
    failure,
    odd_one,
    of_javascript,
)

ASK = Request("POST", "/api/chat", (), b"{}")
ROWS = [id for id in load_rows() if id.startswith("CLIENT-")]
TIME = "2026-11-21T17:14:31.123456789Z"


def said(body: str, status: int = 200) -> Exchange:
    """An answer with this body."""
    return Exchange("http://x", ASK, status, pieces=(Piece(1.0, body.encode()),))


def test_every_client_that_breaks_is_known() -> None:
    """By the one name that it has."""
    assert {name for one in load_checks().values() for name in one.breaks} <= set(NEEDS)


def test_every_client_needs_classes_that_there_are() -> None:
    """At least one."""
    assert all(needs and set(needs) <= set(CLASSES) for needs in NEEDS.values())


def test_every_row_of_a_client_has_its_client() -> None:
    """So that what it does over a failure is told."""
    unknown = [id for id in ROWS if not any(id.startswith(prefix) for prefix in OF_ROWS)]
    assert unknown == []
    assert set(OF_ROWS.values()) <= set(NEEDS)


def test_what_a_client_needs_is_judged_by_checks_that_break_it() -> None:
    """Where there are checks of a class at all, else it is not known to work."""
    checks = load_checks().values()
    there = {one.group for one in checks}
    for client, needs in NEEDS.items():
        for group in set(needs) & there:
            mine = [one for one in checks if client in one.breaks and one.group == group]
            assert mine, (client, group)


def test_checks_of_a_client_cover_its_rows() -> None:
    """A check that asks what a client asks names the rows, and the client."""
    for id, one in load_checks().items():
        if id.startswith("clients/"):
            rows = [row for row in one.covers if row.startswith("CLIENT-")]
            assert rows, id
            names = {next(name for prefix, name in OF_ROWS.items() if row.startswith(prefix))
                     for row in rows}  # fmt: skip
            assert names <= set(one.breaks), id


@pytest.mark.parametrize(
    ("value", "shape", "required", "odd"),
    [
        ({"message": {"role": "assistant", "content": ""}}, CHAT, ("message",), None),
        ({"message": {"content": ""}}, CHAT, ("message",), "message"),
        ({}, CHAT, ("message",), "message"),
        ({"eval_count": 5.0}, CHAT, (), None),
        ({"eval_count": 5.5}, CHAT, (), "eval_count"),
        ({"eval_count": True}, CHAT, (), "eval_count"),
        ({"eval_count": None, "unknown": object}, CHAT, (), None),
        ({"message": {"role": "a", "tool_calls": [{"function": {"name": "f", "arguments": {}}}]}},
         CHAT, ("message",), None),
        ({"message": {"role": "a", "tool_calls": [{"function": {"name": "f", "arguments": ""}}]}},
         CHAT, ("message",), "message"),
        ({"embeddings": [[1, 0.5]]}, EMBED, ("embeddings",), None),
        ({"embeddings": None}, EMBED, ("embeddings",), "embeddings"),
        ({"embeddings": [1, 0.5]}, EMBED, ("embeddings",), "embeddings"),
        ({"modified_at": TIME}, LISTED, (), None),
        ({"modified_at": "yesterday"}, LISTED, (), "modified_at"),
        ({"model_info": {}}, SHOWN, ("model_info",), None),
    ],
)  # fmt: skip
def test_python_types(
    value: dict[str, Json], shape: Shape, required: tuple[str, ...], odd: str | None
) -> None:
    """The key over which the Python client raises, if any."""
    found = odd_one(value, shape, *required)
    assert (found and found.partition(":")[0]) == odd


def test_javascript_stops_at_the_first_end() -> None:
    """What comes after `done` is not read, blank lines are passed over."""
    told = of_javascript(said('{"a": 1}\n\n{"done": true}\n{"error": "late"}\n'))
    assert told == [{"a": 1}, {"done": True}]


@pytest.mark.parametrize(
    "body", ['{"a": 1}\n', '{"error": null, "done": true}\n', '{"done": false}\n', ""]
)
def test_javascript_throws(body: str) -> None:
    """Over a stream without an end, and over any key `error`."""
    with pytest.raises(Wrong):
        of_javascript(said(body))


def test_python_raises_with_the_servers_words() -> None:
    """Where the status is not 2xx, and the body is an object."""
    assert failure(said('{"error": "no"}', 404)) == "no"
    for got in (said('{"error": "no"}'), said('["no"]', 400), said("no", 500)):
        with pytest.raises(Wrong):
            failure(got)

"""Normalised exchanges: what differs from run to run is gone, what servers differ in is left."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ..evidence import Exchange, Json, Piece, Request
from ..normal import first_difference, normal, partings

GREEDY = {"options": {"temperature": 0}}


def exchange(
    body: str,
    asked: Json = None,
    path: str = "/api/chat",
    status: int = 200,
    error: str | None = None,
) -> Exchange:
    """An answer to something."""
    sent = None if asked is None else json.dumps(asked).encode()
    return Exchange(
        "http://x", Request("POST", path, (), sent), status,
        headers=(("Content-Type", "application/x-ndjson"),),
        pieces=(Piece(1.0, body.encode()),), error=error,
    )  # fmt: skip


def answer(body: str, asked: Json = None, path: str = "/api/chat") -> Any:  # noqa: ANN401
    """What is left of an answer's body."""
    (pair,) = normal([exchange(body, asked, path)], "ab12")
    return pair["answer"]["body"]


def test_records_of_an_answer_become_one() -> None:
    """Two servers may cut the same words in different places."""
    whole = '{"message":{"role":"assistant","content":"Hello"},"done":true}\n'
    pieces = (
        '{"message":{"role":"assistant","content":"Hel"},"done":false}\n'
        '{"message":{"role":"assistant","content":"lo"},"done":true}\n'
    )
    assert answer(whole, GREEDY) == answer(pieces, GREEDY)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('{"created_at":"2026-01-01T00:00:00Z"}', '{"created_at":"2027-01-01T00:00:00Z"}'),
        ('{"total_duration":1}', '{"total_duration":2}'),
        ('{"model":"parallama-check-ab12/scripted"}', '{"model":"parallama-check-TOKEN/scripted"}'),
        (f'{{"digest":"{"0" * 64}"}}', f'{{"digest":"{"1" * 64}"}}'),
        (json.dumps(f"FROM /a/blobs/sha256-{'0' * 64}"),
         json.dumps(f"FROM /b/blobs/sha256-{'1' * 64}")),
        ('{"tool_calls":[{"id":"call_abc"}]}', '{"tool_calls":[{"id":"call_xyz"}]}'),
        ('{"status":"creating new layer"}', '{"status":"using existing layer"}'),
        ('{"logprob":-0.12345}', '{"logprob":-0.12399}'),
    ],
)  # fmt: skip
def test_what_is_a_runs_own_does_not_part(one: str, other: str) -> None:
    """Times, durations, our names, digests, paths, ids, the last digits."""
    assert answer(one, GREEDY) == answer(other, GREEDY)


def test_time_of_another_type_parts() -> None:
    """Only a time that is a text is taken for one."""
    assert answer('{"created_at":5}') != answer('{"created_at":"2026-01-01T00:00:00Z"}')


def test_words_left_to_chance_do_not_part() -> None:
    """Without temperature 0 two servers say different things, and are both right."""
    one, other = (json.dumps({"message": {"content": word}}) for word in "ab")
    assert answer(one, {}) == answer(other, {})
    assert answer(one, GREEDY) != answer(other, GREEDY)


def test_models_of_others_are_left_out() -> None:
    """What else a server holds is its user's."""
    listed = {"models": [{"name": "llama3:latest"}, {"name": "parallama-check-ab12/plain:latest"},
                         {"name": "parallama-check-ff00/plain:latest"}]}  # fmt: skip
    found = answer(json.dumps(listed), path="/api/tags")
    assert found == {"models": [{"name": "parallama-check-TOKEN/plain:latest"}]}


def test_progress_that_says_the_same_again_is_one_record() -> None:
    """Some servers report more often."""
    assert answer('{"status":"a"}\n{"status":"a"}\n{"status":"b"}\n', path="/api/pull") == [
        {"status": "a"}, {"status": "b"},
    ]  # fmt: skip


def test_answer_that_broke_is_not_compared() -> None:
    """Half an answer says nothing."""
    assert normal([exchange("{", error="the connection broke")], "ab12") == []


def test_partings_are_by_request() -> None:
    """Whatever the order; a request that only one was asked does not part."""

    def pair(path: str, status: int) -> dict[str, Any]:
        return {"request": {"method": "GET", "path": path}, "answer": {"status": status}}

    there = [pair("/a", 200), pair("/b", 200), pair("/c", 200)]
    here = [pair("/b", 404), pair("/a", 200), pair("/d", 200)]
    (found,) = partings(there, here)
    assert (found.request["path"], found.reference, found.actual) == (
        "/b", {"status": 200}, {"status": 404},
    )  # fmt: skip


def test_first_difference_names_its_place() -> None:
    """As people write it."""
    there = {"status": 200, "body": {"models": [{"a": 1}, {"a": 2}]}}
    here = {"status": 200, "body": {"models": [{"a": 1}, {"a": 3}]}}
    assert first_difference(there, here) == ("body.models[1].a", 2, 3)
    assert first_difference({"a": 1}, {"a": 1, "b": 2}) == ("b", None, 2)


def test_blob_that_is_there_or_not_is_not_compared() -> None:
    """It depends on what a server was asked before."""
    path = f"/api/blobs/sha256:{'0' * 64}"
    asked = [exchange("", path=path, status=status) for status in (200, 201, 404, 400)]
    (kept,) = normal(asked, "ab12")
    assert kept["answer"]["status"] == 400
    assert kept["request"]["path"] == "/api/blobs/<digest>"

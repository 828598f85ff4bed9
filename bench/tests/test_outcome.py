"""Every way to answer gets its class."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ..exchange import Read
from ..outcome import sample
from .exchanges import BLANK, SENT_NS, TOKENS, heard, understood


@pytest.mark.parametrize(
    ("model", "error"),
    [
        ("steady", None),
        ("coalesced", None),
        ("stall", None),
        ("busy", "busy-503"),
        ("truncated", "truncated"),
        ("undone", "truncated"),
        ("in-stream", "in-stream"),
        ("malformed", "malformed"),
        ("unframed", "malformed"),
        ("empty", "empty"),
        ("foreign", "wrong-content"),
    ],
)
def test_each_way_to_answer_has_its_class(model: str, error: str | None) -> None:
    """What the emitter does wrong on purpose is named, and what it does right is no error."""
    assert understood(model).error == error


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        ("404 Not Found", '{"error":"model not found"}', "http-4xx"),
        ("500 Internal Server Error", '{"error":"no"}', "http-5xx"),
        ("302 Found", "", "wrong-content"),
        ("200 OK", "[1]", "wrong-content"),
        ("200 OK", '{"choices":[]}', "wrong-content"),
        ("200 OK", '{"response":1,"done":true}', "wrong-content"),
        ("200 OK", '{"response":"a","done":true,"eval_count":9}', "wrong-content"),
        ("200 OK", '{"response":"a","done":true}\n{}', "malformed"),
    ],
)
def test_whole_answers_that_are_wrong_have_their_class(status: str, body: str, error: str) -> None:
    """A status, a foreign JSON or too many tokens is classed, not measured."""
    answer = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
    exchange = replace(BLANK, reads=(Read(SENT_NS + 1, None, answer),))
    assert sample(exchange, SENT_NS, TOKENS).error == error


def test_error_keeps_what_the_server_said() -> None:
    """The message of a 503 is the server's own."""
    assert understood("busy").message == "503: server busy, please try again"


def test_truncated_answer_keeps_its_arrivals_and_has_no_end() -> None:
    """The raw record of a truncated answer stays, without a time for its last byte."""
    truncated = understood("truncated")
    assert len(truncated.arrivals) == TOKENS // 2
    assert truncated.finished_ns is None


def test_failure_that_the_client_saw_comes_before_the_rest() -> None:
    """A timeout in the middle of a stream is a timeout, not a truncated stream."""
    exchange = replace(heard("truncated"), failure="timeout-idle", message="nothing came for 1 s")
    assert sample(exchange, SENT_NS, TOKENS).error == "timeout-idle"


def test_counts_durations_and_reason_are_the_servers() -> None:
    """What the last record declares is in the sample."""
    steady = understood("steady")
    assert (steady.prompt_tokens, steady.output_tokens, steady.done_reason) == (10, 8, "length")
    assert steady.server_ns["prompt_eval_duration"] == 20_000_000


def test_records_of_one_read_are_counted() -> None:
    """Each arrival says how many records its read held."""
    assert [arrival.records for arrival in understood("coalesced").arrivals] == [4] * 8


def test_thinking_is_text_too() -> None:
    """A record whose text is in `thinking` is a record with text."""
    body = '{"response":"","thinking":"hm","done":false}\n{"response":"","done":true}\n'
    answer = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
    exchange = replace(BLANK, reads=(Read(SENT_NS + 1, None, answer),))
    assert [one.text_bytes for one in sample(exchange, SENT_NS, TOKENS).arrivals] == [2]

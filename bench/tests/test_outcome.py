"""Every way to answer gets its class."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ..exchange import Read
from ..load import Ask
from ..outcome import sample, text_of
from ..scripts import Voice, embedded, unstreamed
from .exchanges import BLANK, PACE, SENT_NS, TOKENS, asked, heard, received, understood


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
    assert sample(exchange, SENT_NS, asked()).error == error


@pytest.mark.parametrize("api", ["chat", "openai-chat", "openai-completions"])
@pytest.mark.parametrize(
    ("model", "error"),
    [
        ("steady", None),
        ("coalesced", None),
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
def test_each_api_has_the_same_classes(api: str, model: str, error: str | None) -> None:
    """What goes wrong has one name, whichever way the answer is written down."""
    assert understood(model, api=api).error == error


@pytest.mark.parametrize("api", ["generate", "chat", "openai-chat", "openai-completions"])
def test_streams_of_every_api_say_the_same(api: str) -> None:
    """Arrivals, counts and their times do not depend on the API."""
    steady = understood("steady", api=api)
    assert [one.at_ns for one in steady.arrivals] == [
        20_000_000 + 2_000_000 * number for number in range(TOKENS)
    ]
    assert (steady.prompt_tokens, steady.output_tokens) == (10, 8)
    assert steady.output_sha256 == understood("steady").output_sha256


@pytest.mark.parametrize("api", ["generate", "chat", "openai-chat", "openai-completions"])
def test_unstreamed_answer_has_one_arrival_and_the_same_text(api: str) -> None:
    """A whole answer counts as one record with all the text of the stream."""
    exchange = received(unstreamed(Voice(api, "steady"), PACE, TOKENS))
    whole = sample(exchange, SENT_NS, asked(api, stream=False))
    assert (len(whole.arrivals), whole.error, whole.output_tokens) == (1, None, TOKENS)
    assert whole.output_sha256 == understood("steady").output_sha256


@pytest.mark.parametrize("api", ["embed", "openai-embeddings"])
@pytest.mark.parametrize(("inputs", "error"), [(3, None), (2, "wrong-content")])
def test_embeddings_are_counted(api: str, inputs: int, error: str | None) -> None:
    """An answer has a vector for each text, else it is not the answer to this request."""
    exchange = received(embedded(Voice(api, "steady"), PACE, 3))
    one = sample(exchange, SENT_NS, Ask(api, inputs=inputs))
    assert (one.error, one.prompt_tokens) == (error, 10 if error is None else None)


def test_text_of_an_answer_is_what_was_generated() -> None:
    """The next turn of a conversation gets the text, without framing."""
    assert text_of(heard("steady", 2, "chat"), asked("chat", 2)) == " word0 word1"


def test_tool_calls_are_text_too() -> None:
    """A model that answers with a call alone has answered."""
    call = '{"message":{"content":"","tool_calls":[{"function":{"name":"f"}}]},"done":true}'
    answer = f"HTTP/1.1 200 OK\r\nContent-Length: {len(call)}\r\n\r\n{call}".encode()
    exchange = replace(BLANK, reads=(Read(SENT_NS + 1, None, answer),))
    assert sample(exchange, SENT_NS, asked("chat")).error is None


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
    assert sample(exchange, SENT_NS, asked()).error == "timeout-idle"


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
    assert [one.text_bytes for one in sample(exchange, SENT_NS, asked()).arrivals] == [2]

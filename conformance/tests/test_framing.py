"""Framing: a response is read the same however its bytes come, and what is wrong is named."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ..framing import FramingError, ResponseParser

bodies = st.lists(st.binary(min_size=1, max_size=40), max_size=6)


def parse(raw: bytes, cuts: list[int] | None = None, method: str = "GET") -> tuple[bytes, bytes]:
    """Body and tail of a response that comes in pieces cut at these places."""
    parser = ResponseParser(method)
    places = sorted({0, *(cut % (len(raw) + 1) for cut in cuts or []), len(raw)})
    parts = [parser.feed(raw[start:end]) for start, end in pairwise(places)]
    if not parser.complete:
        parser.end()
    return b"".join(parts), parser.tail


def chunked(chunks: list[bytes]) -> bytes:
    """A response with these chunks."""
    body = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body + b"0\r\n\r\n"


@given(bodies, st.lists(st.integers(0, 500), max_size=8))
@settings(max_examples=200)
def test_chunks_are_the_same_however_they_come(chunks: list[bytes], cuts: list[int]) -> None:
    """Whole or in any pieces: the same body, no tail."""
    raw = chunked(chunks)
    assert parse(raw, cuts) == parse(raw) == (b"".join(chunks), b"")


@given(bodies)
def test_chunks_byte_by_byte(chunks: list[bytes]) -> None:
    """One byte at a time: the same body."""
    raw = chunked(chunks)
    assert parse(raw, list(range(len(raw)))) == (b"".join(chunks), b"")


@given(st.binary(max_size=60), st.binary(max_size=20), st.lists(st.integers(0, 200), max_size=5))
def test_counted_body_and_tail(body: bytes, tail: bytes, cuts: list[int]) -> None:
    """Content-Length ends the body; what comes after it is the tail."""
    raw = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    parser = ResponseParser("GET")
    assert parser.feed(raw) == body
    parser.feed(tail)
    assert (parser.complete, parser.tail) == (True, tail)
    assert parse(raw, cuts)[0] == body


@given(bodies, st.binary(min_size=1, max_size=20))
def test_bytes_after_the_last_chunk_are_the_tail(chunks: list[bytes], tail: bytes) -> None:
    """Nothing after the end is lost or taken for body."""
    assert parse(chunked(chunks) + tail) == (b"".join(chunks), tail)


@given(bodies, st.integers(1, 400))
def test_cut_stream_is_not_complete(chunks: list[bytes], cut: int) -> None:
    """A stream that is cut anywhere is noticed."""
    raw = chunked(chunks)
    with pytest.raises(FramingError):
        parse(raw[: -(cut % len(raw)) or -1])


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"SSH-2.0-x\r\n\r\n", "not HTTP/1.1"),
        (b"HTTP/2 200\r\n\r\n", "not HTTP/1.1"),
        (b"HTTP/1.1 OK\r\n\r\n", "not a status line"),
        (b"HTTP/1.1 200 OK\n\n", "LF without CR"),
        (b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "not a header field"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", "not a number"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "both"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", "not chunked"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "size of a chunk"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n", "not by CRLF"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\na\n", "LF without CR"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", "before Content-Length"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "without the last chunk"),
        (b"", "before a whole response head"),
    ],
)
def test_what_is_wrong_is_named(raw: bytes, said: str) -> None:
    """Each fault of framing has its own words."""
    with pytest.raises(FramingError, match=said):
        parse(raw)


def test_interim_responses_are_kept_apart() -> None:
    """100 Continue is not the response."""
    parser = ResponseParser("POST")
    parser.feed(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n")
    assert parser.head is not None
    assert (parser.interim, parser.head.status, parser.complete) == ([100], 204, True)


def test_head_has_no_body() -> None:
    """The length that HEAD tells is not awaited."""
    raw = b"HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n"
    assert parse(raw, method="HEAD") == (b"", b"")


def test_body_until_close() -> None:
    """Without length or chunks the close ends the body."""
    assert parse(b"HTTP/1.1 200 OK\r\n\r\nall of it") == (b"all of it", b"")


def test_trailers_are_read() -> None:
    """Fields after the last chunk are no tail."""
    raw = chunked([b"a"])[:-2] + b"X-Sum: 1\r\n\r\n"
    assert parse(raw) == (b"a", b"")

"""HTTP framing, fed in every way."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ..wire import Answer, WireError

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\n"
LINES = st.lists(st.binary(max_size=20).map(lambda line: line.replace(b"\n", b"")), max_size=8)


def chunked(body: bytes, sizes: list[int]) -> bytes:
    """An answer whose body goes out in chunks of these sizes, then as one."""
    framed = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
    for size in [*sizes, len(body)]:
        piece, body = body[:size], body[size:]
        if piece:
            framed += b"%x;note=1\r\n%b\r\n" % (len(piece), piece)
    return framed + b"0\r\n\r\n"


def fed(pieces: list[bytes]) -> tuple[list[bytes], Answer]:
    """All lines of an answer that comes in pieces."""
    answer = Answer()
    return [line for piece in pieces for line in answer.feed(piece)], answer


@given(LINES, st.lists(st.integers(1, 9), max_size=8), st.lists(st.integers(0, 400), max_size=6))
def test_chunked_answer_gives_same_lines_however_it_is_cut(
    lines: list[bytes], sizes: list[int], cuts: list[int]
) -> None:
    """Whole, byte by byte and cut anywhere, a chunked body has the lines that were sent."""
    sent = chunked(b"".join(line + b"\n" for line in lines), sizes)
    edges = sorted({0, *(cut for cut in cuts if cut < len(sent)), len(sent)})
    anyhow = [sent[start:end] for start, end in pairwise(edges)]
    for pieces in ([sent], [sent[at : at + 1] for at in range(len(sent))], anyhow):
        given_lines, answer = fed(pieces)
        assert given_lines == lines
        assert answer.complete
        assert answer.status == 200


@given(LINES)
def test_body_with_a_length_ends_with_its_last_byte(lines: list[bytes]) -> None:
    """An answer with Content-Length is complete exactly when that many bytes came."""
    body = b"".join(line + b"\n" for line in lines)
    sent = HEAD + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
    answer = Answer()
    got = [line for at in range(len(sent) - 1) for line in answer.feed(sent[at : at + 1])]
    assert not answer.complete
    got += answer.feed(sent[-1:])
    assert answer.complete
    assert got == lines


def test_text_after_last_line_end_is_a_line() -> None:
    """A JSON body without a line end is one line."""
    lines, answer = fed([HEAD + b"Content-Length: 2\r\n\r\n{}"])
    assert lines == [b"{}"]
    assert answer.complete


def test_body_without_length_ends_when_connection_closes() -> None:
    """Closing completes an answer that has neither length nor chunks."""
    lines, answer = fed([HEAD + b"\r\n", b"{}\n{", b"}"])
    assert not answer.complete
    assert [*lines, *answer.close()] == [b"{}", b"{}"]
    assert answer.complete
    assert not answer.keep_alive


def test_close_inside_a_chunked_body_does_not_complete_it() -> None:
    """A connection closed before the last chunk leaves the answer incomplete."""
    lines, answer = fed([HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\n{}\n\r\n"])
    assert [*lines, *answer.close()] == [b"{}"]
    assert not answer.complete


def test_interim_answer_is_skipped() -> None:
    """A 100 Continue before the answer is not the answer."""
    _, answer = fed([b"HTTP/1.1 100 Continue\r\n\r\n" + HEAD + b"Content-Length: 0\r\n\r\n"])
    assert answer.status == 200


def test_trailers_are_read_past() -> None:
    """Header fields after the last chunk belong to the answer."""
    _, answer = fed([HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX-Done: yes\r\n\r\n"])
    assert answer.complete


@pytest.mark.parametrize(
    ("head", "kept"),
    [
        (b"HTTP/1.1 200 OK\r\n", True),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\n", False),
        (b"HTTP/1.0 200 OK\r\n", False),
        (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n", True),
    ],
)
def test_connection_is_kept_as_the_server_says(head: bytes, kept: bool) -> None:
    """HTTP/1.1 keeps the connection unless told otherwise, HTTP/1.0 the other way round."""
    _, answer = fed([head + b"Content-Length: 0\r\n\r\n"])
    assert answer.keep_alive is kept


@pytest.mark.parametrize(
    "sent",
    [
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 OK\r\n\r\n",
        HEAD + b"no header\r\n\r\n",
        HEAD + b"Content-Length: -1\r\n\r\n",
        HEAD + b"Content-Length: 1\r\n\r\nxy",
        HEAD + b"Transfer-Encoding: gzip\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n0x3\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\n{}\nX\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"1" * 2000,
        b"HTTP/1.1 200 OK\r\n" + b"X" * 70000,
    ],
)
def test_what_is_no_http_is_refused(sent: bytes) -> None:
    """Bytes that break HTTP/1.1 raise WireError."""
    with pytest.raises(WireError):
        fed([sent])


@given(st.binary(max_size=200))
def test_any_bytes_are_lines_or_refused(received: bytes) -> None:
    """Nothing that a server may send raises anything but WireError."""
    answer = Answer()
    try:
        answer.feed(received)
        answer.close()
    except WireError:
        assert not answer.complete or received

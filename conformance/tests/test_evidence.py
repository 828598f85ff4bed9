"""The command line that shows a finding sends what was sent, byte for byte."""

from __future__ import annotations

import shlex
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ..evidence import Exchange, Piece, Request, Wrong
from ..pasted import MAX_PASTED

URL = "http://127.0.0.1:1"


def curl(body: bytes | None, method: str = "POST") -> str:
    """The line for a request with this body."""
    return Exchange(URL, Request(method, "/api/chat", (), body)).curl


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20))
def test_text_is_an_argument(text: str) -> None:
    """Quoted for the shell."""
    assert shlex.split(curl(text.encode()))[-1] == text


@given(st.binary(max_size=30))
def test_bytes_come_through_a_pipe(body: bytes) -> None:
    """NUL and what is no UTF-8 cannot be an argument."""
    line = curl(body + b"\0")
    command, _, rest = line.partition(" | ")
    assert rest.endswith("--data-binary @-")
    assert subprocess.run(["sh", "-c", command], capture_output=True, check=True).stdout == (
        body + b"\0"
    )


@pytest.mark.parametrize(
    ("method", "body", "words"),
    [("GET", None, []), ("GET", b"x", ["-X", "GET"]), ("POST", None, ["-X", "POST"])],
)
def test_method_is_told_where_curl_would_choose_another(
    method: str, body: bytes | None, words: list[str]
) -> None:
    """A body makes curl POST."""
    assert ("-X" in curl(body, method)) == bool(words)


def test_body_that_is_a_file_name_to_curl_is_not_one() -> None:
    """`-d @x` would send a file."""
    assert "--data-raw @x" in curl(b"@x")


@pytest.mark.parametrize(
    "body",
    [
        b'{"prompt": "' + b"x" * 70_000 + b'"}',
        b'{"model":' + b"[" * 20_000 + b"]" * 20_000 + b"}",
        b'{"a":' * 9_000 + b"'%\\" + b"}" * 9_000,
    ],
    ids=["long", "deep", "of-words"],
)
def test_large_body_that_repeats_itself_is_made(body: bytes) -> None:
    """What nobody could paste is a line that anybody can."""
    line = curl(body)
    command, _, rest = line.rpartition(" | ")
    assert (len(line) < 500, rest.endswith("--data-binary @-")) == (True, True)
    done = subprocess.run(["sh", "-c", command], capture_output=True, check=True)
    assert done.stdout == body


def test_other_large_body_is_left_out() -> None:
    """Nobody pastes it."""
    body = bytes(range(256)) * (MAX_PASTED // 256 + 1)
    assert curl(body).endswith("@FILE")


def test_body_without_a_type_is_not_called_a_form() -> None:
    """Left to itself, curl says that what it sends is a form."""
    assert shlex.split(curl(b"{}"))[-4:] == ["-H", "Content-Type:", "-d", "{}"]


def test_chunks_are_left_to_curl() -> None:
    """It makes its own: the framing is no part of the body."""
    request = Request("POST", "/", (("Transfer-Encoding", "chunked"),), b"2;a=b\r\n{}\r\n0\r\n\r\n")
    words = shlex.split(Exchange(URL, request).curl)
    assert ("Transfer-Encoding: chunked" in words, words[-1]) == (True, "{}")


def test_what_is_wrong_tells_where() -> None:
    """Of several exchanges the one that shows it is known, down to a key that is missing."""
    body = Piece(1.0, b'{"message": {}}')
    got = Exchange(URL, Request("GET", "/", (), None), status=200, pieces=(body,))
    with pytest.raises(Wrong) as wrong:
        _ = got.object["message"]["content"]
    assert wrong.value.evidence is got

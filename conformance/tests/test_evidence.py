"""The command line that shows a finding sends what was sent, byte for byte."""

from __future__ import annotations

import shlex
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ..evidence import MAX_CURL_BODY, Exchange, Request

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


def test_large_body_is_left_out() -> None:
    """Nobody pastes it."""
    assert curl(b"x" * (MAX_CURL_BODY + 1)).endswith("@FILE")

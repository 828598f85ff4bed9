"""Where the target is: OLLAMA_HOST as every Ollama tool reads it."""

from __future__ import annotations

import pytest

from ..address import parse_address


@pytest.mark.parametrize(
    ("text", "url"),
    [
        (None, "http://127.0.0.1:11434"),
        ("", "http://127.0.0.1:11434"),
        ("example.com", "http://example.com:11434"),
        ("example.com:1234", "http://example.com:1234"),
        (":1234", "http://127.0.0.1:1234"),
        ("0.0.0.0", "http://127.0.0.1:11434"),
        ("0.0.0.0:80", "http://127.0.0.1:80"),
        ("http://example.com", "http://example.com:80"),
        ("https://example.com", "https://example.com:443"),
        ("HTTPS://example.com:9/ollama/", "https://example.com:9/ollama"),
        ("http://127.0.0.1:1/", "http://127.0.0.1:1"),
        ("[::1]", "http://[::1]:11434"),
        ("[::1]:9", "http://[::1]:9"),
        ("::1", "http://[::1]:11434"),
        ("[::]:9", "http://[::1]:9"),
        (' "127.0.0.1:5" ', "http://127.0.0.1:5"),
    ],
)
def test_address(text: str | None, url: str) -> None:
    """Scheme, host, port and path prefix, with the defaults that each scheme has."""
    assert parse_address(text).url == url


@pytest.mark.parametrize("text", ["ftp://a", "a:b", "a:70000", "http://a:0", "a b"])
def test_no_address(text: str) -> None:
    """What is none is refused with a sentence."""
    with pytest.raises(ValueError, match=r"\S"):
        parse_address(text)

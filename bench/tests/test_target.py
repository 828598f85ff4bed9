"""Addresses as Ollama reads them."""

from __future__ import annotations

import pytest

from ..target import entry_of, parse


@pytest.mark.parametrize(
    ("value", "url"),
    [
        ("", "http://127.0.0.1:11434"),
        ("1.2.3.4", "http://1.2.3.4:11434"),
        (":1234", "http://127.0.0.1:1234"),
        ("1.2.3.4:1234", "http://1.2.3.4:1234"),
        ("example.com", "http://example.com:11434"),
        ("localhost:8080", "http://localhost:8080"),
        (":66000", "http://127.0.0.1:11434"),
        (":-1", "http://127.0.0.1:11434"),
        (' " 1.2.3.4 " ', "http://1.2.3.4:11434"),
        ("::1", "http://[::1]:11434"),
        ("[::1]:1337", "http://[::1]:1337"),
        ("[::]", "http://[::1]:11434"),
        ("0.0.0.0", "http://127.0.0.1:11434"),
        ("http://0.0.0.0:99", "http://127.0.0.1:99"),
        ("http://1.2.3.4", "http://1.2.3.4:80"),
        ("https://1.2.3.4", "https://1.2.3.4:443"),
        ("https://example.com/ollama", "https://example.com:443/ollama"),
        ("example.com:1234/", "http://example.com:1234"),
        ("ollama.com", "https://ollama.com:443"),
    ],
)
def test_address_is_read_by_ollamas_rules(value: str, url: str) -> None:
    """OLLAMA_HOST means here what it means to Ollama, with loopback for unspecified hosts."""
    assert str(parse(value)) == url


def test_foreign_scheme_is_refused() -> None:
    """An address that is neither http nor https is refused."""
    with pytest.raises(ValueError, match="no http or https"):
        parse("ftp://example.com")


def test_model_without_tag_is_the_latest() -> None:
    """A name without a tag finds the entry with the tag `latest`."""
    entry = {"name": "tiny:latest"}
    assert entry_of("tiny", [{"name": "tiny:other"}, entry]) is entry
    assert entry_of("tin", [entry]) is None

"""Hosts and origins."""

import pytest

from ..access import Hosts, Origins

HOSTS = Hosts("thisbox", frozenset({"203.0.113.5"}))


@pytest.mark.parametrize(
    "header",
    [
        *(
            "",
            "localhost",
            "LocalHost:11434",
            "thisbox:1",
            "a.internal",
            "mac.local",
            "x.localhost",
        ),
        *("127.0.0.1", "10.1.2.3:80", "192.168.1.7", "172.16.0.1", "0.0.0.0", "[::1]:11434"),
        *("203.0.113.5", "[fd00::1]:1"),
    ],
)
def test_this_machine_is_a_host(header: str) -> None:
    """By a name of its own, a local one or a private address."""
    assert HOSTS.allow(header)


@pytest.mark.parametrize(
    "header",
    [
        *("evil.example", "8.8.8.8", "169.254.1.1", "localhost.", "[::1]", "203.0.113.6"),
        *("local", "localhost.evil.example", "172.32.0.1", "[2001:db8::1]:1"),
    ],
)
def test_another_host_is_refused(header: str) -> None:
    """A page that rebound its name to 127.0.0.1 still sends the name."""
    assert not HOSTS.allow(header)


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("http://localhost", True),
        ("https://localhost:3000", True),
        ("http://127.0.0.1:5173", True),
        ("vscode-webview://abc", True),
        ("app://x", True),
        ("http://evil.example", False),
        ("null", False),
        ("chrome-extension://abc", False),
        ("http://[::1]:3000", False),
    ],
)
def test_default_origins(origin: str, allowed: bool) -> None:
    """Local pages and applications only."""
    assert Origins.of(()).allow(origin) is allowed


def test_configured_origins_come_in_addition() -> None:
    """A star stands for anything."""
    origins = Origins.of(("https://*.example.com", "chrome-extension://*"))
    assert origins.allow("https://a.example.com")
    assert origins.allow("chrome-extension://abc")
    assert origins.allow("http://localhost")
    assert not origins.allow("https://example.com")


def test_a_lone_star_allows_all_and_is_answered_with_a_star() -> None:
    """Without `Vary`, since the answer is the same for all."""
    origins = Origins.of(("*",))
    assert origins.answer_headers("http://evil") == {"Access-Control-Allow-Origin": "*"}


@pytest.mark.parametrize("entry", ["example.com", "http://*.a.*", " http://b"])
def test_an_entry_that_cannot_be_meant_is_refused(entry: str) -> None:
    """Guessing would open or close the server."""
    with pytest.raises(ValueError, match="OLLAMA_ORIGINS"):
        Origins.of((entry,))

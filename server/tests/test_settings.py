"""The environment."""

from pathlib import Path

import pytest

from ..durations import NEVER_NS, SECOND_NS
from ..settings import Settings


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("", "http://127.0.0.1:11434"),
        ("1.2.3.4", "http://1.2.3.4:11434"),
        (":1234", "http://:1234"),
        ("1.2.3.4:1234", "http://1.2.3.4:1234"),
        ("example.com", "http://example.com:11434"),
        (":0", "http://:0"),
        (":66000", "http://:11434"),
        (":-1", "http://:11434"),
        (' " 1.2.3.4 " ', "http://1.2.3.4:11434"),
        ("::1", "http://[::1]:11434"),
        ("[::1]:1337", "http://[::1]:1337"),
        ("[::]", "http://[::]:11434"),
        ("http://1.2.3.4", "http://1.2.3.4:80"),
        ("https://1.2.3.4", "https://1.2.3.4:443"),
        ("https://example.com/ollama", "https://example.com:443"),
        ("example.com:1234/", "http://example.com:1234"),
        ("ollama.com", "https://ollama.com:443"),
    ],
)
def test_ollama_host_is_read_as_the_contract_says(text: str, url: str) -> None:
    """The table of 7.1."""
    assert Settings.read({"OLLAMA_HOST": text}).address.url == url


@pytest.mark.parametrize("name", ["OLLAMA_NUM_PARALLEL", "OLLAMA_MAX_QUEUE", "OLLAMA_HOST"])
def test_a_value_not_understood_falls_back_with_a_warning(name: str) -> None:
    """The server starts all the same."""
    settings = Settings.read({name: ":banana"})
    assert (settings.num_parallel, settings.max_queue, settings.address.port) == (4, 512, 11434)
    assert len(settings.warnings) == 1
    assert name in settings.warnings[0]


@pytest.mark.parametrize(
    ("text", "length_ns"),
    [
        ("", 300 * SECOND_NS),
        ("10m", 600 * SECOND_NS),
        ("30", 30 * SECOND_NS),
        ("0", 0),
        ("-1", NEVER_NS),
        ("-1s", NEVER_NS),
        ("soon", 300 * SECOND_NS),
    ],
)
def test_keep_alive_is_a_duration_or_seconds(text: str, length_ns: int) -> None:
    """Negative is for ever; what is not understood is five minutes."""
    assert Settings.read({"OLLAMA_KEEP_ALIVE": text}).keep_alive_ns == length_ns


def test_blanks_and_quotes_around_a_value_are_dropped() -> None:
    """As people write them in service files."""
    assert Settings.read({"OLLAMA_MODELS": " '/x/y' "}).models == Path("/x/y")


@pytest.mark.parametrize(
    ("text", "expected"), [("1", True), ("0", False), ("", False), ("yes", True), ("-1", False)]
)
def test_debug_is_a_flag_or_a_level(text: str, expected: bool) -> None:
    """Levels below zero log less."""
    assert Settings.read({"OLLAMA_DEBUG": text}).debug is expected


def test_parallel_is_at_least_one() -> None:
    """None at all would serve nobody."""
    assert Settings.read({"OLLAMA_NUM_PARALLEL": "0"}).num_parallel == 1


def test_the_blas_takes_one_thread_unless_told_otherwise() -> None:
    """More threads than idle cores slow it down, so more are asked for."""
    assert Settings.read({}).blas_threads == 1
    assert Settings.read({"OPENBLAS_NUM_THREADS": "2"}).blas_threads == 2

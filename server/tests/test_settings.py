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


HOUR = 3600 * SECOND_NS
LENGTHS = {  # envconfig/config_test.go:TestKeepAlive, TestLoadTimeout
    "": 300 * SECOND_NS,
    "1s": SECOND_NS,
    "10m": 600 * SECOND_NS,
    "1h": HOUR,
    "5m0s": 300 * SECOND_NS,
    "1h2m3s": HOUR + 123 * SECOND_NS,
    "1.5h": HOUR * 3 // 2,
    "30": 30 * SECOND_NS,
    "3600": HOUR,
    "+5": 5 * SECOND_NS,
    "-1": NEVER_NS,
    "-1m": NEVER_NS,
    "9999999h": NEVER_NS,  # no 64-bit count of nanoseconds holds it (LIFE-022)
    " ": 300 * SECOND_NS,
    "???": 300 * SECOND_NS,
    "1d": 300 * SECOND_NS,
    "1y": 300 * SECOND_NS,
    "soon": 300 * SECOND_NS,
}


@pytest.mark.parametrize(("text", "length_ns"), [*LENGTHS.items(), ("0", 0), ("-0", 0), ("0s", 0)])
def test_keep_alive_is_a_duration_or_seconds(text: str, length_ns: int) -> None:
    """Negative is for ever, nothing is at once; what is not understood is five minutes."""
    assert Settings.read({"OLLAMA_KEEP_ALIVE": text}).keep_alive_ns == length_ns


@pytest.mark.parametrize(
    ("text", "length_ns"), [*LENGTHS.items(), ("0", NEVER_NS), ("-0", NEVER_NS), ("0s", NEVER_NS)]
)
def test_a_load_may_take_so_long(text: str, length_ns: int) -> None:
    """For ever where it is nothing or less (SCHED-015)."""
    assert Settings.read({"OLLAMA_LOAD_TIMEOUT": text}).load_timeout_ns == length_ns


@pytest.mark.parametrize(
    ("name", "field", "default"),
    [
        ("OLLAMA_MAX_QUEUE", "max_queue", 512),
        ("OLLAMA_MAX_LOADED_MODELS", "max_loaded_models", 0),
        ("OLLAMA_GPU_OVERHEAD", "kept_free_bytes", 0),
        ("PARALLAMA_MEMORY_LIMIT", "memory_limit_bytes", 0),
    ],
)
def test_a_count_is_a_decimal_number(name: str, field: str, default: int) -> None:
    """What is negative, or no number, is the default (TestUint)."""
    wanted = {"7": 7, "0": 0, " '12' ": 12, "": default, "-1": default, "1.5": default}
    assert {text: getattr(Settings.read({name: text}), field) for text in wanted} == wanted


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


@pytest.mark.parametrize(
    ("text", "kv_type", "num_warnings"),
    [
        ("", "f16", 0),
        ("F16", "f16", 0),
        (" Q8_0 ", "q8_0", 0),
        ("q4_0", "q4_0", 0),
        ("q5", "f16", 1),
    ],
)
def test_the_type_of_the_kv_cache_is_a_word(text: str, kv_type: str, num_warnings: int) -> None:
    """In any case (ENV-09); one that is not known is f16, with a warning."""
    settings = Settings.read({"OLLAMA_KV_CACHE_TYPE": text})
    assert settings.kv_cache_type == kv_type
    assert len(settings.warnings) == num_warnings

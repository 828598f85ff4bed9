"""Records to bytes."""

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ..decode import Json
from ..framing import encode, go_number, line, stored


@given(st.dictionaries(st.text(), st.text() | st.integers() | st.none()))
def test_a_record_is_one_line_for_every_reader(record: dict[str, Json]) -> None:
    """Python's `splitlines` sees one line too, and it reads as the record."""
    written = line(record)
    assert written.endswith(b"\n")
    assert len(written.decode().splitlines()) == 1
    assert json.loads(written) == record


def test_unicode_line_ends_are_escaped() -> None:
    """U+0085, U+2028 and U+2029 never reach the client as they are."""
    assert encode({"a": "\x85\u2028\u2029"}) == b'{"a":"\\u0085\\u2028\\u2029"}'


def test_half_a_surrogate_pair_stays_an_escape() -> None:
    """It could not be encoded as UTF-8."""
    assert encode({"a": "\ud83d"}) == b'{"a":"\\ud83d"}'


@pytest.mark.parametrize(
    ("value", "digest"),
    [
        (
            {"stop": ["USER:", "ASSISTANT:"], "temperature": 1.0, "top_k": 10},
            "1d0ad71299d48c2fb7ae2b98e683643e771f8a5b72be34942af90d97a91c1e37",
        ),
        (
            {"stop": ["USER:", "ASSISTANT:"], "temperature": 0.6, "top_k": 10, "top_p": 0.7},
            "e29a7b3c47287a2489c895d21fe413c20f859a85d20e749492f52a838e36e1ba",
        ),
        (
            {"stop": ["<|endoftext|>"], "temperature": 0.6, "top_k": 10, "top_p": 0.7},
            "12f58bb75cb3042d69a7e013ab87fb3c3c7088f50ddc62f0c77bd332f0d44d35",
        ),
        (
            [
                {"role": "assistant", "content": "What is my purpose?"},
                {"role": "user", "content": "You run tests."},
                {"role": "assistant", "content": "Oh, my god."},
            ],
            "298baeaf6928a60cf666d88d64a1ba606feb43a2865687c39e40652e407bffc4",
        ),
    ],
)
def test_stored_json_has_the_digest_that_ollama_gives_it(value: Json, digest: str) -> None:
    """The vectors V7 to V10 of the management contract."""
    assert hashlib.sha256(stored(value)).hexdigest() == digest


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "1"),
        (0.7, "0.7"),
        (1e-5, "0.00001"),
        (1e-7, "1e-7"),
        (1.5e-7, "1.5e-7"),
        (1e21, "1e+21"),
        (1e20, "100000000000000000000"),
        (-2.5, "-2.5"),
        (0.0, "0"),
    ],
)
def test_numbers_are_written_as_go_writes_them(value: float, text: str) -> None:
    """Exponents only for the very small and the very large."""
    assert go_number(value) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_written_number_reads_as_itself(value: float) -> None:
    """No digit is lost."""
    assert float(go_number(value)) == value

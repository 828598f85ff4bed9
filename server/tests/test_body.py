"""Bytes to JSON values."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ..body import MAX_DEPTH, fields_of, parse
from ..decode import DecodeError

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@pytest.mark.parametrize("body", [b"", b" \r\n\t"])
def test_empty_body_is_said_to_be_missing(body: bytes) -> None:
    """White space is no body either."""
    with pytest.raises(DecodeError, match="missing request body"):
        parse(body)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"model":"x"', "unexpected EOF"),
        (b'{"model":"x', "unexpected EOF"),
        (b"{bad", "invalid character 'b' looking for beginning of object key string"),
        (b"\xef\xbb\xbf{}", "invalid character '\\ufeff' looking for beginning of value"),
    ],
)
def test_malformed_json_is_explained(body: bytes, message: str) -> None:
    """The commonest faults are told in Go's words."""
    with pytest.raises(DecodeError) as refused:
        parse(body)
    assert str(refused.value) == message


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 1_000_000,
        b'{"a":' * 100_000,
        b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1),
        b"9" * 100_000,
        b"1e999",
        b"NaN",
        b"-Infinity",
        b"{,}",
    ],
)
def test_hostile_json_is_refused(body: bytes) -> None:
    """Nesting and numbers without bound, and constants that are no JSON, are errors."""
    with pytest.raises(DecodeError):
        parse(body)


def test_bytes_after_the_first_value_are_ignored() -> None:
    """As Go's decoder reads one value and stops."""
    assert parse(b'{"a":1} garbage') == {"a": 1}


def test_invalid_utf8_becomes_the_replacement_character() -> None:
    """The text around it is kept."""
    assert parse(b'"a\xffb"') == "a\ufffdb"


@given(JSON)
def test_what_json_writes_is_read_again(value: object) -> None:
    """Parsing is the inverse of `json.dumps`."""
    assert parse(json.dumps(value).encode()) == value


@given(st.binary(max_size=40))
def test_any_bytes_give_a_value_or_a_decode_error(body: bytes) -> None:
    """Nothing else ever comes out."""
    with suppress(DecodeError):
        parse(body)


def test_field_names_match_in_any_case_and_the_last_wins() -> None:
    """Go matches names without regard to case."""
    assert fields_of({"MODEL": "a", "model": "b"}, ["model"], "T") == {"model": "b"}


def test_null_is_an_object_without_fields() -> None:
    """`null` decodes to all defaults."""
    assert fields_of(None, ["model"], "T") == {}


def test_another_value_is_no_request() -> None:
    """The error names the type that was wanted."""
    with pytest.raises(DecodeError, match="cannot unmarshal array into Go value of type X"):
        fields_of([1], [], "X")

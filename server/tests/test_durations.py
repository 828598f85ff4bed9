"""Durations and `keep_alive`."""

import pytest

from ..decode import DecodeError, Json
from ..durations import NEVER_NS, SECOND_NS, keep_alive, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("1h30m", 5400),
        ("1.5h", 5400),
        ("-1m", -60),
        ("0", 0),
        (".5s", 0.5),
        ("2ms", 0.002),
    ],
)
def test_duration_is_read_as_go_reads_it(text: str, seconds: float) -> None:
    """Units may be combined and numbers may have fractions."""
    assert parse_duration(text) == seconds * SECOND_NS


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("5", 'time: missing unit in duration "5"'),
        ("-1", 'time: missing unit in duration "-1"'),
        ("soon", 'time: invalid duration "soon"'),
        ("", 'time: invalid duration ""'),
        ("5x", 'time: unknown unit "x" in duration "5x"'),
        ("1s garbage", 'time: unknown unit "s garbage" in duration "1s garbage"'),
    ],
)
def test_other_text_is_refused_in_gos_words(text: str, message: str) -> None:
    """The error says what is missing."""
    with pytest.raises(DecodeError) as refused:
        parse_duration(text)
    assert str(refused.value) == message


@pytest.mark.parametrize(
    ("value", "length_ns"),
    [
        (None, None),
        (0, 0),
        (0.0, 0),
        ("0s", 0),
        (42.5, 42_500_000_000),
        (-1, NEVER_NS),
        ("-1m", NEVER_NS),
        (1e12, NEVER_NS),
        (10**400, NEVER_NS),
        ("9999999h", NEVER_NS),
    ],
)
def test_keep_alive_takes_seconds_and_durations(value: Json, length_ns: int | None) -> None:
    """Numbers are seconds, negative is for ever, and so is what no clock can count."""
    assert keep_alive(value) == length_ns


@pytest.mark.parametrize(
    ("value", "kind"), [(True, "bool"), ([], "[]interface {}"), ({}, "map[string]interface {}")]
)
def test_keep_alive_of_another_type_is_refused(value: Json, kind: str) -> None:
    """The error names the type as Go does."""
    with pytest.raises(DecodeError) as refused:
        keep_alive(value)
    assert str(refused.value) == f"Unsupported type: '{kind}'"

"""What a check says with few words."""

from __future__ import annotations

import pytest

from ..check import Outcome, expect


@pytest.mark.parametrize(
    ("actual", "expected"),
    [
        (1, 1),
        (1.0, 1.0),
        (True, True),
        ({"a": [1, {"b": None}]}, {"a": [1, {"b": None}]}),
        ([1.0], [1]),  # JSON has one kind of number
        ((1, "a"), (1, "a")),
    ],
)
def test_equal_values_pass(actual: object, expected: object) -> None:
    """What is equal as JSON passes."""
    assert expect(actual, expected).outcome is Outcome.PASSED


@pytest.mark.parametrize(
    ("actual", "expected"),
    [
        (1, True),
        ([1], [True]),
        ({"a": {"b": [0]}}, {"a": {"b": [False]}}),
        ([1, 2], [1]),
        ({"a": 1}, {"a": 1, "b": 2}),
        ([1], (1,)),
        ([[1]], [(1,)]),
        ("1", 1),
        (None, False),
    ],
)
def test_other_values_fail(actual: object, expected: object) -> None:
    """Another type fails, also deep inside: true is not 1."""
    assert expect(actual, expected).outcome is Outcome.FAILED

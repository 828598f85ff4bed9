"""What is marked between expected and actual."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ..difference import Line, sides

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=12,
)


def marked(lines: tuple[Line, ...]) -> list[str]:
    return [span.text for line in lines for span in line.spans if span.marked]


def differing(lines: tuple[Line, ...]) -> list[str]:
    return ["".join(span.text for span in line.spans).strip() for line in lines if line.differs]


def test_word_that_differs_is_marked() -> None:
    """And only it."""
    both = sides("one two three", "one 2 three")
    assert (marked(both.expected), marked(both.actual)) == (["two"], ["2"])


def test_member_that_only_one_side_has_is_a_differing_line() -> None:
    """The comma that it puts behind its neighbour is no difference."""
    both = sides({"a": 1}, {"a": 1, "b": 2})
    assert (differing(both.expected), differing(both.actual)) == ([], ['"b": 2'])


def test_values_of_different_kinds_are_not_compared() -> None:
    """A sentence beside a number needs no marks."""
    both = sides("A number above zero.", 0)
    assert differing(both.expected) + differing(both.actual) == []


def test_sentences_that_share_little_are_not_marked() -> None:
    """Marks all over are noise."""
    both = sides("At least 3 arrivals.", "42 records at once, late.")
    assert differing(both.expected) + differing(both.actual) == []


def test_texts_that_only_look_the_same_show_why() -> None:
    """A combining accent is written out beside a composed one."""
    both = sides("café", "cafe\u0301")
    assert "\\u0301" in "".join(span.text for line in both.actual for span in line.spans)


@pytest.mark.parametrize(("text", "shown"), [("5", '"5"'), ("", '""'), (" a", '" a"'), ("a", "a")])
def test_string_has_quotes_where_it_could_mislead(text: str, shown: str) -> None:
    """Such as the string 5 beside the number 5."""
    assert sides(text, 5).expected[0].spans[0].text == shown


def test_long_value_is_cut_and_says_so() -> None:
    """The page stays small; the document keeps all."""
    both = sides("word " * 10_000, None)
    assert "characters more, in the document" in both.expected[-1].spans[0].text


@given(JSON, JSON)
def test_any_two_values_have_two_sides(expected: object, actual: object) -> None:
    """Equal values have no difference, and every value has a line."""
    both = sides(expected, actual)
    assert both.expected
    assert both.actual
    assert not differing(sides(actual, actual).actual)

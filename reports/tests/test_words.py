"""How values are written."""

from __future__ import annotations

import pytest

from .. import words


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (None, "no samples"),
        (0, "0"),
        (0.0404, "0.040"),
        (1.234, "1.23"),
        (12.34, "12.3"),
        (99.97, "100"),
        (12345.6, "12,346"),
    ],
)
def test_figure_has_three_digits(number: float | None, text: str) -> None:
    """And nothing measured is never 0."""
    assert words.figure(number) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [(None, "no samples"), (512, "512 B"), (634 * 2**20, "634 MiB"), (3 * 2**30, "3.00 GiB")],
)
def test_size_has_a_binary_unit(number: int | None, text: str) -> None:
    """The largest that leaves a digit before the point."""
    assert words.size(number) == text


@pytest.mark.parametrize(
    "hidden",
    ["\x00", "\x1b", "\x85", "\u2028", "\u202e", "\u2066", "\ufeff", "\ud800", "\U000e0041"],
)
def test_hidden_character_is_shown(hidden: str) -> None:
    """As an escape, since it can reorder, hide or break what is around it."""
    assert words.visible(f"a{hidden}b").isprintable()


@pytest.mark.parametrize("text", ["👩‍👩‍👧", "naïve café", "你好", "a\n\tb"])
def test_ordinary_text_is_left_alone(text: str) -> None:
    """Emoji keep their joiners, and lines their ends."""
    assert words.visible(text) == text


def test_moment_names_its_zone() -> None:
    """A time without zone says nothing."""
    assert words.moment("2026-11-21T11:00:00+00:00") == "2026-11-21 11:00:00 UTC"


def test_moment_that_is_none_is_left_alone() -> None:
    """A page is no place to fail over a date."""
    assert words.moment("yesterday") == "yesterday"


@pytest.mark.parametrize(
    ("end", "text"),
    [
        ("2026-01-01T00:00:05+00:00", "5.00 s"),
        ("2026-01-01T00:02:05+00:00", "2 min 5 s"),
        ("2026-01-01T02:00:00+00:00", "2 h 0 min"),
        ("2026-01-01T00:00:05", None),
        (None, None),
    ],
)
def test_lasted_is_the_time_between(end: str | None, text: str | None) -> None:
    """Or nothing, where it cannot be said."""
    assert words.lasted("2026-01-01T00:00:00+00:00", end) == text

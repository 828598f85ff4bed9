"""What people see."""

from __future__ import annotations

import pytest

from ..sample import Sample
from ..summary import figure
from ..terminal import left_s, number, reading, remarks, spread
from .exchanges import understood


@pytest.mark.parametrize(
    ("value", "shown"), [(None, "-"), (0.0, "0"), (12.345, "12.3"), (1234.5, "1234")]
)
def test_figures_have_three_digits_and_a_dash_for_none(value: float | None, shown: str) -> None:
    """A missing figure is a dash, never 0."""
    assert number(value) == shown


def test_spread_without_samples_is_a_dash() -> None:
    """No samples, no spread."""
    assert spread(figure([])) == "-"
    assert spread(figure([1500.0]), unit=1e3) == "1.5/1.5"


def test_progress_shows_speed_first_token_and_errors() -> None:
    """8 tokens in 36 ms, a first token after 20 ms, and one error."""
    samples: list[Sample] = [understood("steady"), understood("busy")]
    assert reading(4, samples) == "users 4   tok/s 222.2   TTFT p50 20 ms   errors 1"


def test_progress_before_the_first_answer_has_dashes() -> None:
    """Before anything is known nothing is claimed."""
    assert reading(1, []) == "users 1   tok/s -   TTFT p50 -   errors 0"
    assert left_s(1.0, 0, 10) is None


def test_time_left_follows_the_pace_so_far() -> None:
    """A quarter in 2 s leaves 6 s."""
    assert left_s(2.0, 25, 100) == 6.0


def test_remarks_name_errors_and_reasons() -> None:
    """Failures by class and reasons against the run are said beside the table."""
    summary = {
        "points": [{"concurrency": 4, "errors": {"busy-503": 2}}, {"concurrency": 1, "errors": {}}],
        "invalid_because": ["late"],
    }
    assert remarks(summary) == [
        "at concurrency 4 requests failed: busy-503 2",
        "not valid: late",
    ]

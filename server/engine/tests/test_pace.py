"""The pace of prefill beside running sequences, led by what it costs."""

from __future__ import annotations

import pytest

from ..pace import FIRST_TOKENS, MIN_TOKENS, STALL_STEPS, Pace


def led(pace: Pace, fixed_s: float, token_s: float, share: float = 1.0) -> float:
    """What a chunk costs after a while, where `fixed_s` comes on top of the tokens."""
    for _ in range(60):
        size = int(pace.tokens * share)
        pace.prefilled(size, fixed_s + size * token_s)
    return fixed_s + int(pace.tokens * share) * token_s


@pytest.mark.parametrize("fixed_s", [0.0, 0.03])
def test_a_chunk_costs_what_its_neighbours_can_wait(fixed_s: float) -> None:
    """Whatever a chunk costs beyond its tokens, it comes to so many steps."""
    pace = Pace()
    pace.decoded(0.05)
    assert led(pace, fixed_s, 0.001) == pytest.approx(STALL_STEPS * 0.05, rel=0.05)


def test_nothing_changes_before_a_step_was_measured() -> None:
    """The first chunk beside a sequence has a size of its own."""
    pace = Pace()
    pace.prefilled(100, 10.0)
    assert pace.tokens == FIRST_TOKENS


def test_dear_tokens_still_go_on() -> None:
    """Where one token costs more than may be spent, a few go in all the same."""
    pace = Pace()
    pace.decoded(0.01)
    led(pace, 1.0, 1.0)
    assert pace.tokens == MIN_TOKENS


def test_a_short_chunk_gives_no_cause_for_longer_ones() -> None:
    """The end of a prompt is cheap because it is short."""
    pace = Pace()
    pace.decoded(0.05)
    pace.prefilled(2, 0.001)
    assert pace.tokens == FIRST_TOKENS


def test_several_prompts_at_once_may_cost_more() -> None:
    """Three times the tokens at three times the cost leave the pace as it is."""
    pace = Pace()
    pace.decoded(0.05)
    led(pace, 0.0, 0.001)
    before = pace.tokens
    pace.prefilled(3 * before, 3 * before * 0.001)
    assert pace.tokens == pytest.approx(before, abs=1)


def test_the_pace_follows_the_step() -> None:
    """Slower steps leave room for longer chunks."""
    pace = Pace()
    pace.decoded(0.05)
    led(pace, 0.0, 0.001)
    before = pace.tokens
    for _ in range(20):
        pace.decoded(0.1)
    led(pace, 0.0, 0.001)
    assert pace.tokens == pytest.approx(2 * before, rel=0.05)

"""How many prompt tokens a decode step can stand."""

from __future__ import annotations

from ..pace import MIN_TOKENS, STALL_STEPS, Pace


def test_a_chunk_takes_no_longer_than_its_neighbours_can_wait() -> None:
    """With tokens at 1 ms a step of 100 ms affords its share of them."""
    pace = Pace()
    pace.prefilled(50, 0.05)
    pace.decoded(0.1)
    assert pace.tokens == int(STALL_STEPS * 100)


def test_nothing_is_known_before_both_were_measured() -> None:
    """A first chunk beside running sequences is a small one."""
    pace = Pace()
    pace.prefilled(50, 0.05)
    assert pace.tokens == MIN_TOKENS


def test_dear_tokens_still_go_on() -> None:
    """However slow a prompt is, it gets some tokens into every step."""
    pace = Pace()
    pace.prefilled(1, 10.0)
    pace.decoded(0.001)
    assert pace.tokens == MIN_TOKENS


def test_the_pace_follows_what_is_measured() -> None:
    """As a prompt grows its tokens cost more, and fewer are taken."""
    pace = Pace()
    pace.decoded(0.1)
    pace.prefilled(100, 0.1)
    before = pace.tokens
    for _ in range(20):
        pace.prefilled(100, 0.4)
    assert pace.tokens <= before // 3

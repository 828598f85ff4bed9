"""How answers are compared, and what was recorded."""

import pytest

from ..parity import AGAIN, END, FIRST, SOURCES, Answer, agreement, prompts


def answer(*ids: int) -> Answer:
    """An answer whose log probabilities do not matter."""
    return Answer(ids, tuple(-1.0 for one in ids if one != END))


def test_prefix_ends_at_the_first_other_token() -> None:
    """Tokens behind a difference do not count, even where they are the same again."""
    found = agreement(answer(1, 2, 3, 4), answer(1, 2, 9, 4))
    assert (found.num_agreed, found.differs) == (2, True)


def test_end_of_one_answer_differs_from_a_token_of_the_other() -> None:
    """That one ends where the other goes on is a difference."""
    assert agreement(answer(1, END), answer(1, 2)).differs


def test_answer_that_is_only_longer_does_not_differ() -> None:
    """What was cut at its length says nothing about the next token."""
    assert not agreement(answer(1, 2), answer(1, 2, 3)).differs


def test_short_equal_answers_agree_on_more_tokens_than_they_have() -> None:
    """An answer of two tokens and its end agrees on the first 16."""
    assert agreement(answer(1, 2, END), answer(1, 2, END)).on_first(FIRST)


def test_differences_are_of_the_common_prefix_and_known() -> None:
    """Log probabilities of other tokens and of parts of characters are left out."""
    one = Answer((1, 2, 3), (-1.0, -2.0, -3.0))
    two = Answer((1, 2, 4), (-1.25, None, -9.0))
    assert agreement(one, two).differences == pytest.approx((0.25,))


def test_every_prompt_was_answered_by_every_source() -> None:
    """41 prompts, each with the answers of the real server in all its forms."""
    asked = prompts()
    assert len(asked) == 41
    assert all(set(one.answers) == {*SOURCES, AGAIN} for one in asked)


def test_recorded_answers_have_a_log_probability_for_each_token() -> None:
    """Only the end of an answer has none."""
    for prompt in prompts():
        for one in prompt.answers.values():
            num_tokens = sum(each != END for each in one.ids)
            assert len(one.logprobs) == len(one.margins) == num_tokens

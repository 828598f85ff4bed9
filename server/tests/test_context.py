"""Making prompts fit."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ..context import fit_prompt, keep_newest
from ..errors import ApiError
from ..messages import Message


def letters(messages: Sequence[Message]) -> int:
    """A rendering of one token a letter."""
    return sum(len(message.content) for message in messages)


def conversation(*turns: str) -> list[Message]:
    """Messages, those that begin with S from the system."""
    return [Message("system" if turn.startswith("S") else "user", turn) for turn in turns]


def test_a_conversation_that_fits_is_whole() -> None:
    """Exactly as many tokens as the window are not too many."""
    messages = conversation("aaa", "bbb")
    assert keep_newest(messages, 6, letters) == messages


def test_the_oldest_messages_go_first() -> None:
    """Until the rest fits."""
    messages = conversation("aaa", "bbb", "ccc", "d")
    assert keep_newest(messages, 4, letters) == conversation("ccc", "d")


def test_system_messages_stay_in_front() -> None:
    """Also those from the dropped range."""
    messages = conversation("Sss", "aaa", "S2", "bbb", "c")
    assert keep_newest(messages, 9, letters) == conversation("Sss", "S2", "bbb", "c")


def test_the_last_message_stays_whatever_its_length() -> None:
    """There would be nothing to answer."""
    assert keep_newest(conversation("a", "bbbbbb"), 2, letters) == conversation("bbbbbb")


@given(
    st.lists(st.text("Sabc", min_size=1, max_size=5), min_size=1, max_size=12), st.integers(0, 30)
)
def test_bisection_finds_what_a_scan_would(turns: list[str], limit: int) -> None:
    """Dropping one by one from the front gives the same."""
    messages = conversation(*turns)
    for start in range(len(messages)):
        kept = [m for m in messages[:start] if m.role == "system"] + messages[start:]
        if letters(kept) <= limit or start == len(messages) - 1:
            break
    assert keep_newest(messages, limit, letters) == kept


def cut(size: int, **changes: bool | int) -> tuple[int, ...]:
    """A prompt of 0, 1, 2, ... fitted into 16 tokens."""
    rules = {"num_keep": 4, "begins_with_bos": False, "shift": True, "truncate": True}
    rules |= changes
    return fit_prompt(
        range(size),
        16,
        num_keep=int(rules["num_keep"]),
        begins_with_bos=bool(rules["begins_with_bos"]),
        shift=bool(rules["shift"]),
        truncate=bool(rules["truncate"]),
    )


def test_a_prompt_that_leaves_room_is_whole() -> None:
    """One token fewer than the window."""
    assert cut(15) == tuple(range(15))


def test_a_longer_prompt_loses_its_middle() -> None:
    """The first `num_keep` and the newest stay: 16 - (16 - 4) / 2 = 10 in all."""
    assert cut(100) == (0, 1, 2, 3, 94, 95, 96, 97, 98, 99)


def test_bos_is_kept_in_addition() -> None:
    """With BOS five tokens stay in front."""
    assert cut(100, begins_with_bos=True)[:6] == (0, 1, 2, 3, 4, 94)


def test_all_is_kept_that_fits_where_num_keep_is_negative() -> None:
    """At most the window less one."""
    assert cut(100, num_keep=-1) == tuple(range(15))


def test_without_shift_a_longer_prompt_is_refused() -> None:
    """The message is the original's."""
    with pytest.raises(ApiError, match="the prompt is longer than the context length"):
        cut(16, shift=False)


def test_without_truncate_a_longer_prompt_is_refused() -> None:
    """The message names the context size."""
    with pytest.raises(ApiError, match="exceeds the available context size"):
        cut(16, truncate=False)


@given(st.integers(0, 60), st.integers(-2, 40), st.booleans())
def test_a_fitted_prompt_always_leaves_room(size: int, num_keep: int, bos: bool) -> None:
    """And ends as the prompt ended, unless all of it is to be kept."""
    fitted = cut(size, num_keep=num_keep, begins_with_bos=bos)
    assert len(fitted) < 16
    assert len(set(fitted)) == len(fitted)

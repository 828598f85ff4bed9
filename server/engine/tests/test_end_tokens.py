"""Which tokens end a generation."""

from __future__ import annotations

import pytest

from ..end_tokens import DECLARED_ENDS, END_TEXTS, ends_of, seen_anyway


def ends(*texts: str, **declared: int | None) -> set[str]:
    """The texts of the tokens that end in a vocabulary of these."""
    vocabulary = {text: index for index, text in enumerate(texts)}
    return {texts[one] for one in ends_of(vocabulary, declared)}


def test_llama_3_has_two_ends_and_one_of_messages() -> None:
    """Whichever of them the file declares."""
    three = ("<|eot_id|>", "<|end_of_text|>", "<|eom_id|>")
    assert ends("a", *three, eos=1) == set(three)


@pytest.mark.parametrize("role", DECLARED_ENDS)
def test_what_the_file_declares_ends(role: str) -> None:
    """By whatever role, and whatever its text."""
    assert ends("a", "b", **{role: 1}) == {"b"}


@pytest.mark.parametrize("text", sorted(END_TEXTS))
def test_known_texts_end(text: str) -> None:
    """Though nothing declares them."""
    assert ends("a", text) == {text}


def test_tokens_behind_filled_in_code_end() -> None:
    """The first known one of each kind, unless the file declares another."""
    assert ends("<|fim_pad|>", "<|repo_name|>", "<|file_sep|>") == {
        "<|fim_pad|>",
        "<|repo_name|>",
        "<|file_sep|>",
    }
    assert ends("<|fim_pad|>", "x", fim_pad=1) == {"x"}
    assert ends("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>") == set()


def test_gpt_oss_goes_on_behind_a_message() -> None:
    """There `<|end|>` is the end of one message; elsewhere it is one of a turn."""
    assert ends("<|return|>", "<|call|>", "<|end|>", eos=0) == {"<|return|>", "<|call|>"}
    assert ends("<|call|>", "<|end|>") == {"<|call|>", "<|end|>"}
    assert ends("<|flush|>", "<|calls|>", "<|end|>") == {"<|flush|>", "<|calls|>"}


def test_gemma_4_has_a_token_that_only_looks_like_an_end() -> None:
    """Its vocabulary has `</s>` as text."""
    assert ends("</s>", "<eos>", "<turn|>", "<|tool_response>") == {
        "<eos>",
        "<turn|>",
        "<|tool_response>",
    }


def test_the_end_of_a_message_is_seen_where_it_ends_nothing() -> None:
    """It tells the channels apart."""
    assert "<|end|>" in seen_anyway(["<|return|>", "<|call|>", "<|end|>"])
    assert "<|end|>" not in seen_anyway(["<|end|>"])

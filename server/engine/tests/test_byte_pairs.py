"""Merges of characters, as Gemma 4 has them: spaces have a sign, other characters are bytes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ..sequence import LoadError
from ..tokenizer import from_gguf

BYTES = tuple(f"<0x{one:02X}>" for one in range(256))
LINES = tuple("\n" * count for count in range(1, 5))
TOKENS = ("<eos>", "<bos>", *BYTES, *LINES, *"▁abhet", "he", "▁t", "▁the", "<|tool>", "<unused0>")
TYPES = (3, 3, *[6] * 256, *[1] * (len(TOKENS) - 260), 4, 5)
MERGES = ("h e", "▁ t", "▁t he")
IDS = {token: place for place, token in enumerate(TOKENS)}


def metadata(**changes: Any) -> dict[str, Any]:  # noqa: ANN401
    """A GGUF's metadata with these tokens."""
    return {
        "tokenizer.ggml.model": "gemma4",
        "tokenizer.ggml.tokens": TOKENS,
        "tokenizer.ggml.token_type": TYPES,
        "tokenizer.ggml.merges": MERGES,
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 0,
    } | {f"tokenizer.ggml.{key}": value for key, value in changes.items()}


TOKENIZER = from_gguf(metadata())


def test_spaces_are_part_of_the_pieces() -> None:
    """None is put before the text; a run of line ends is one token, though no merge says so."""
    found = [TOKENS[one] for one in TOKENIZER.encode("the the\n\n\na<|tool>é")]
    assert found == [*["t", "he", "▁the", "\n\n\n", "a", "<|tool>", "<0xC3>", "<0xA9>"]]


@given(st.text(st.characters(exclude_characters="▁", exclude_categories=["Cs"])))
def test_decoding_undoes_encoding(text: str) -> None:
    """Any text comes back from its bytes."""
    assert TOKENIZER.decode(TOKENIZER.encode(text, special=False)) == text


def test_gemma_4_begins_with_bos() -> None:
    """Its name says so, be it that of the vocabulary or of the pre-tokenizer; the flag may lie."""
    assert TOKENIZER.add_bos
    assert from_gguf(metadata(add_bos_token=False)).add_bos
    assert from_gguf(metadata(model="gpt2", pre="gemma4")).add_bos
    assert not from_gguf(metadata(model="gpt2", pre="sarvam-moe")).add_bos


def test_unused_tokens_show_nothing() -> None:
    """Nor do control tokens; user-defined ones show their text."""
    assert [TOKENIZER.decode([IDS[one]]) for one in ("<unused0>", "<bos>", "<|tool>")] == [
        "",
        "",
        "<|tool>",
    ]


@pytest.mark.parametrize("merge", ["ab", "a ", " ", "x y"])
def test_merges_that_are_none_are_refused(merge: str) -> None:
    """Two tokens of the vocabulary with a space between them are a merge."""
    with pytest.raises(LoadError, match="lying GGUF"):
        from_gguf(metadata(merges=(merge,)))

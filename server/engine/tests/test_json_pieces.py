"""SentencePiece in a `tokenizer.json`, in the shapes that Llama, Mistral, Phi-3 and Gemma have."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ..sequence import LoadError
from ..text import TextStream, TokenText
from ..tokenizer import Tokenizer, from_json

BYTES = tuple(f"<0x{one:02X}>" for one in range(256))
PIECES = (*"▁abhetin\n", "he", "▁t", "▁the", "▁a", "in")
TOKENS = ("<unk>", "<s>", "</s>", *BYTES, *PIECES, "▁▁", "<|user|>")
MERGES = [["h", "e"], ["▁", "t"], ["▁t", "he"], ["▁", "a"], ["i", "n"]]
REPLACE = {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}
PREPEND = {"type": "Prepend", "prepend": "▁"}
DECODER = [
    {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
    {"type": "ByteFallback"},
    {"type": "Fuse"},
]
STRIP = {"type": "Strip", "content": " ", "start": 1, "stop": 0}
SHAPES: dict[str, dict[str, Any]] = {
    "llama": {
        "normalizer": {"type": "Sequence", "normalizers": [PREPEND, REPLACE]},
        "pre_tokenizer": None,
        "decoder": {"type": "Sequence", "decoders": [*DECODER, STRIP]},
    },
    "mistral": {
        "normalizer": None,
        "pre_tokenizer": {
            "type": "Metaspace",
            "replacement": "▁",
            "prepend_scheme": "first",
            "split": False,
        },
        "decoder": {"type": "Sequence", "decoders": [*DECODER, STRIP]},
    },
    "gemma": {
        "normalizer": REPLACE,
        "pre_tokenizer": {
            "type": "Split",
            "pattern": {"String": " "},
            "behavior": "MergedWithPrevious",
            "invert": False,
        },
        "decoder": {"type": "Sequence", "decoders": DECODER},
    },
}
PREFIXED = ("llama", "mistral")


def written(folder: Path, shape: str, **changes: object) -> Tokenizer:
    """A tokenizer.json of one of these shapes, read back."""
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    added = [("<unk>", True), ("<s>", True), ("</s>", True), ("▁▁", False), ("<|user|>", True)]
    content = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {"id": TOKENS.index(text), "content": text, "special": special} | flags
            for text, special in added
        ],
        "post_processor": None,
        "model": {
            "type": "BPE",
            "unk_token": "<unk>",
            "fuse_unk": True,
            "byte_fallback": True,
            "vocab": {token: place for place, token in enumerate(TOKENS)},
            "merges": MERGES,
        },
    }
    path = folder / "tokenizer.json"
    path.write_text(json.dumps(content | SHAPES.get(shape, {}) | changes))
    return from_json({"tokenizer.json": path})


@pytest.fixture(scope="module", params=SHAPES)
def shaped(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Tokenizer, str]:
    """A tokenizer of each shape, and what goes before a text."""
    shape: str = request.param
    tokenizer = written(tmp_path_factory.mktemp("pieces"), shape)
    return tokenizer, " " if shape in PREFIXED else ""


@given(text=st.text(st.characters(exclude_characters="▁", exclude_categories=["Cs"]), min_size=1))
def test_the_streamed_bytes_are_the_text(shaped: tuple[Tokenizer, str], text: str) -> None:
    """Whole or one after another; a space goes before where the file says so."""
    tokenizer, before = shaped
    ids = tokenizer.encode(text, special=False)
    stream = TextStream(TokenText(tokenizer.token_bytes), ())
    pieces = [*(stream.feed(one, None) for one in ids), stream.flush()]
    joined = "".join(piece.text for piece in pieces if piece is not None)
    assert joined == tokenizer.decode(ids)
    # a Metaspace puts no second space before one that is there
    assert joined in (before + text, text if text.startswith(" ") else before + text)


def test_the_first_space_of_an_answer_is_kept(shaped: tuple[Tokenizer, str]) -> None:
    """Though the decoder would strip it: llama.cpp does not."""
    tokenizer, _ = shaped
    assert tokenizer.decode([TOKENS.index("▁the"), TOKENS.index("▁a")]) == " the a"


def test_an_added_run_of_spaces_shows_spaces(shaped: tuple[Tokenizer, str]) -> None:
    """Gemma has such tokens; those that are special show nothing."""
    tokenizer, _ = shaped
    assert tokenizer.decode([TOKENS.index("▁▁"), TOKENS.index("<|user|>")]) == "  "


def test_pieces_without_bytes_are_read(tmp_path: Path) -> None:
    """A decoder of Metaspace alone is SentencePiece, too: <0x41> is text there."""
    tokenizer = written(tmp_path, "mistral", decoder={"type": "Metaspace", "replacement": "▁"})
    assert tokenizer.decode([TOKENS.index("▁the"), TOKENS.index("<0x41>")]) == " the<0x41>"


def test_no_prompt_is_cut_or_padded(tmp_path: Path) -> None:
    """Some files keep the limits of their training."""
    limits: dict[str, object] = {
        "truncation": {
            "direction": "Right",
            "max_length": 4,
            "strategy": "LongestFirst",
            "stride": 0,
        },
        "padding": {
            "strategy": {"Fixed": 9},
            "direction": "Right",
            "pad_to_multiple_of": None,
            "pad_id": 0,
            "pad_type_id": 0,
            "pad_token": "<unk>",
        },
    }
    tokenizer = written(tmp_path, "gemma", **limits)
    assert tokenizer.decode(tokenizer.encode("the thin the")) == "the thin the"
    assert len(tokenizer.encode("a")) == 1


def test_a_word_piece_decoder_is_refused(tmp_path: Path) -> None:
    """It loses what was between the words."""
    with pytest.raises(LoadError, match="neither byte-level nor SentencePiece"):
        written(tmp_path, "gemma", decoder={"type": "WordPiece", "prefix": "##", "cleanup": True})

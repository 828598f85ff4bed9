"""The tokenizers of encoders."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ..embedding_ask import Frame
from ..embedding_tokenizer import EmbeddingTokenizer, from_json, wordpiece
from ..embedding_unigram import unigram
from ..sequence import LoadError
from . import tiny_bert
from .tiny_bert import VOCABULARY


@pytest.fixture(params=["gguf", "json"])
def tokenizer(request: pytest.FixtureRequest, tmp_path: Path) -> EmbeddingTokenizer:
    """The same vocabulary from either file."""
    if request.param == "gguf":
        return wordpiece(as_read(tiny_bert.metadata()))
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(tiny_bert.tokenizer_json()))
    return from_json({"tokenizer.json": path})


def as_read(metadata: dict[str, Any]) -> dict[str, Any]:
    """Metadata with its arrays as the header reader gives them."""
    return {key: tuple(v) if isinstance(v, list) else v for key, v in metadata.items()}


def tokens(tokenizer: EmbeddingTokenizer, text: str) -> list[str]:
    """The tokens of a text."""
    return [VOCABULARY[one] for one in tokenizer.encode(text)]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("The sky is blue.", ["the", "sky", "is", "blue", "."]),
        ("abas", ["a", "##b", "##a", "##s"]),
        ("NAÏVE grassing", ["naive", "grass", "##ing"]),
        ("unknown sky", ["[UNK]", "sky"]),
        ("sky[SEP]sky", ["sky", "[SEP]", "sky"]),
        ("", []),
        (" \n\t", []),
        ("a" + "b" * 150, ["a"] + ["##b"] * 150),
        ("b" * 150 + "[MASK] sky " + "x" * 200, ["b", *["##b"] * 149, "[MASK]", "sky", "[UNK]"]),
        ("the sky " * 20, ["the", "sky"] * 20),
    ],
)
def test_a_text_becomes_tokens(tokenizer: EmbeddingTokenizer, text: str, wanted: list[str]) -> None:
    """The longest ones first, without limit to the text or to a word."""
    assert tokens(tokenizer, text) == wanted


def test_the_frame_is_cls_and_sep(tokenizer: EmbeddingTokenizer) -> None:
    """Around every text."""
    assert tokenizer.frame == Frame((tiny_bert.CLS,), (tiny_bert.SEP,))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"tokenizer.ggml.model": "llama"}, "tokenizer 'llama'"),
        ({"tokenizer.ggml.tokens": ()}, "has no tokenizer.ggml.tokens"),
        ({"tokenizer.ggml.tokens": (1, 2)}, "differ in length"),
        ({"tokenizer.ggml.tokens": tuple(range(len(VOCABULARY)))}, "something else than strings"),
        ({"tokenizer.ggml.tokens": ("▁a",) * len(VOCABULARY)}, "names a token twice"),
        ({"tokenizer.ggml.token_type": (1,)}, "differ in length"),
        ({"tokenizer.ggml.cls_token_id": 99999}, "the token cls is 99999"),
        ({"tokenizer.ggml.cls_token_id": "x"}, "the token cls is 'x'"),
    ],
)
def test_a_lying_vocabulary_is_refused(changes: dict[str, object], reason: str) -> None:
    """With what is wrong."""
    with pytest.raises(LoadError, match=reason):
        wordpiece(as_read(tiny_bert.metadata() | changes))


@pytest.mark.parametrize(
    ("part", "changes"),
    [
        ("model", {"vocab": {**tiny_bert.tokenizer_json()["model"]["vocab"], "far": 999}}),
        ("post_processor", {"sep": ["[SEP]", 999]}),
    ],
)
def test_the_largest_id_counts(tmp_path: Path, part: str, changes: dict[str, Any]) -> None:
    """Wherever the file has it: one beyond the model's rows must be seen (a model checks)."""
    content = tiny_bert.tokenizer_json()
    content[part] |= changes
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(content))
    assert from_json({"tokenizer.json": path}).num_tokens == 1000


def test_a_vocabulary_without_its_unknown_token_is_refused(tmp_path: Path) -> None:
    """It could not split every text."""
    content = tiny_bert.tokenizer_json()
    content["model"]["unk_token"] = "[NONE]"
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(content))
    with pytest.raises(LoadError, match=r"lacks its own '\[NONE\]'"):
        from_json({"tokenizer.json": path})


def test_a_damaged_tokenizer_json_is_refused(tmp_path: Path) -> None:
    """With what the library says."""
    path = tmp_path / "tokenizer.json"
    path.write_text("{}")
    with pytest.raises(LoadError, match=r"tokenizer\.json cannot be read"):
        from_json({"tokenizer.json": path})


PIECES = ["<s>", "<pad>", "</s>", "<unk>", "▁", "▁the", "▁sky", "s", "▁s", "k", "y", "ky"]


def pieces(**changes: object) -> dict[str, Any]:
    """The metadata of XLM-R's tokenizer, as llama.cpp's converter writes it."""
    found: dict[str, Any] = {
        "model": "t5",
        "tokens": tuple(PIECES),
        "scores": (0.0,) * 4 + (-2.0, -3.0, -3.5, -4.0, -5.0, -6.0, -6.0, -7.0),
        "token_type": (3, 3, 3, 2) + (1,) * 8,
        "bos_token_id": 0,
        "eos_token_id": 2,
        "unknown_token_id": 3,
        "add_bos_token": True,
        "add_eos_token": True,
        "add_space_prefix": True,
        "remove_extra_whitespaces": True,
    } | changes
    return {f"tokenizer.ggml.{name}": value for name, value in found.items()}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("the  sky", ["▁the", "▁sky"]),
        (" skyky ", ["▁sky", "ky"]),
        ("skys", ["▁sky", "s"]),
        ("sky zz", ["▁sky", "▁", "<unk>"]),
        ("sky</s>the", ["▁sky", "</s>", "▁the"]),
        ("", []),
    ],
)
def test_a_text_becomes_the_likeliest_pieces(text: str, wanted: list[str]) -> None:
    """Of XLM-R's kind; the answers are those of llama.cpp."""
    assert [PIECES[one] for one in unigram(pieces()).encode(text)] == wanted


def test_a_gguf_says_what_is_around_its_pieces() -> None:
    """By flags; only the end where it does not."""
    assert unigram(pieces()).frame == Frame((0,), (2,))
    assert unigram(pieces(add_bos_token=None, add_eos_token=True)).frame == Frame((), (2,))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"add_space_prefix": False}, "without add_space_prefix"),
        ({"scores": None}, "with scores"),
        ({"scores": (0.0,)}, "differ in number"),
        ({"scores": ("x",) * 12}, "has the score 'x'"),
        ({"scores": (float("nan"),) * 12}, "has the score nan"),
        ({"tokens": ("a",) * 12}, "names a token twice"),
        ({"tokens": ("",) * 12}, "the token ''"),
        ({"unknown_token_id": 12}, "unknown_token_id is 12"),
        ({"eos_token_id": -1}, "eos_token_id is -1"),
        ({"precompiled_charsmap": "x"}, "no array of bytes"),
        ({"precompiled_charsmap": (1, 2, 3)}, "the precompiled_charsmap: "),
    ],
)
def test_lying_pieces_are_refused(changes: dict[str, object], reason: str) -> None:
    """With what is wrong."""
    with pytest.raises(LoadError, match=reason):
        unigram(pieces(**changes))

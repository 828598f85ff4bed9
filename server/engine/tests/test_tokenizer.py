"""Vocabularies: how text is cut, what tokens show, which end a generation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ..sequence import LoadError
from ..tokenizer import Tokenizer, from_gguf, from_json
from . import tiny


def gguf(**changes: object) -> Tokenizer:
    renamed = {"tokenizer.ggml." + key: value for key, value in changes.items()}
    read: dict[str, Any] = tiny.metadata() | renamed
    return from_gguf({k: tuple(v) if isinstance(v, list) else v for k, v in read.items()})


def with_digits(pre: str) -> Tokenizer:
    """A vocabulary that has 12 and 123 as tokens."""
    merges = ["1 2", "12 3"]
    tokens = [*tiny.characters(), "12", "123", tiny.END]
    types = [1] * (len(tokens) - 1) + [3]
    end = len(tokens) - 1
    return gguf(pre=pre, tokens=tokens, merges=merges, token_type=types, eos_token_id=end)


@pytest.mark.parametrize(
    ("pre", "parts"),
    [("gpt-2", ["123", "12"]), ("smollm", [*"12312"]), ("llama-bpe", ["123", "12"])],
)
def test_digits_are_cut_as_the_pre_tokenizer_says(pre: str, parts: list[str]) -> None:
    """One by one for smollm, up to three for llama, any number for GPT-2."""
    tokenizer = with_digits(pre)
    ids = tokenizer.encode("12312")
    assert [tokenizer.decode([one]) for one in ids] == parts


def test_control_text_becomes_its_token_and_shows_nothing() -> None:
    """Unless specials are off: then it is text like any other."""
    tokenizer = gguf()
    assert tokenizer.encode(tiny.END) == [tiny.END_ID]
    assert tokenizer.decode([tiny.END_ID]) == ""
    assert tokenizer.decode(tokenizer.encode(tiny.END, special=False)) == tiny.END


def test_a_user_defined_token_shows_its_text() -> None:
    """Type 4 is cut like a control token but is seen."""
    types = [1] * (len(tiny.TOKENS) - 2) + [4, 3]
    tokenizer = gguf(token_type=types)
    assert tokenizer.decode(tokenizer.encode(tiny.START)) == tiny.START
    assert len(tokenizer.encode(tiny.START)) == 1


def test_bos_is_declared_and_never_added() -> None:
    """Llama's vocabularies want one, the flag outranks them, and encode leaves it to the caller."""
    assert gguf(pre="llama-bpe", bos_token_id=5).add_bos
    assert not gguf(pre="llama-bpe", bos_token_id=5, add_bos_token=False).add_bos
    assert not gguf(pre="llama-bpe").add_bos
    assert gguf(pre="llama-bpe", bos_token_id=5).encode("a") == [97]


def test_all_known_end_tokens_end() -> None:
    """Whatever eos_token_id says, <|end|> ends too."""
    assert gguf(eos_token_id=65).eos_ids == {65, tiny.END_ID}


def test_control_tokens_are_shown_by_their_text() -> None:
    """But for those that end: nothing comes behind them."""
    types = [1] * (len(tiny.TOKENS) - 2) + [3, 3]
    tokens = [*tiny.TOKENS[:-2], "[CALL]", tiny.END]
    tokenizer = gguf(tokens=tokens, token_type=types)
    assert tokenizer.shown(["[CALL]", tiny.END, "[OTHER]"]) == {tiny.END_ID - 1: b"[CALL]"}


def test_channels_are_text_in_either_form(tmp_path: Path) -> None:
    """llama.cpp shows the tokens of gpt-oss whatever the file says of them."""
    for tokenizer in (gguf(), from_json(folder(tmp_path))):
        assert tokenizer.decode(tokenizer.encode(tiny.START)) == tiny.START
        assert len(tokenizer.encode(tiny.START, special=False)) == 1


@given(st.text())
def test_decoding_undoes_encoding(text: str) -> None:
    """Any text comes back from its bytes."""
    tokenizer = _TINY
    assert tokenizer.decode(tokenizer.encode(text, special=False)) == text


_TINY = gguf()


def folder(path: Path, **changes: object) -> dict[str, Path]:
    files = tiny.write_safetensors(path, {})
    for name, content in changes.items():
        files[name + ".json"] = path / name
        files[name + ".json"].write_text(json.dumps(content))
    return files


def test_tokenizer_config_names_bos_and_eos(tmp_path: Path) -> None:
    """As text or as an object with its content."""
    config = {"bos_token": {"content": tiny.START}, "eos_token": "the", "add_bos_token": True}
    tokenizer = from_json(folder(tmp_path, tokenizer_config=config))
    assert (tokenizer.bos_id, tokenizer.add_bos) == (tiny.TOKENS.index(tiny.START), True)
    assert tiny.TOKENS.index("the") in tokenizer.eos_ids


def test_generation_config_lists_ends(tmp_path: Path) -> None:
    """A list of ids is taken whole."""
    tokenizer = from_json(folder(tmp_path, generation_config={"eos_token_id": [7, 8]}))
    assert {7, 8, tiny.END_ID} == tokenizer.eos_ids


def test_ends_may_stand_in_the_part_of_the_text(tmp_path: Path) -> None:
    """Configs of models that see have one inside another; one id alone is no list."""
    configs = {"text_config": {"eos_token_id": 9}, "eos_token_id": 8}
    tokenizer = from_json(folder(tmp_path, config=configs, generation_config={"eos_token_id": 7}))
    assert tokenizer.eos_ids == {7, 8, 9, tiny.END_ID}


@pytest.mark.parametrize("decoder", [None, {"type": "WordPiece"}, "ByteLevel"])
def test_an_unknown_kind_of_tokenizer_is_refused(tmp_path: Path, decoder: object) -> None:
    """Without a decoder that tells the bytes of a token there is no text to stream."""
    with pytest.raises(LoadError, match=r"tokenizer\.json"):
        from_json(folder(tmp_path, tokenizer=tiny.tokenizer_json() | {"decoder": decoder}))


def test_a_missing_tokenizer_is_refused() -> None:
    """A folder without tokenizer.json cannot be served."""
    with pytest.raises(LoadError, match=r"no tokenizer\.json"):
        from_json({})

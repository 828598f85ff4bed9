"""The table of pre-tokenizers: every row cuts, none loses a byte, none takes for ever."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Regex, pre_tokenizers

from ..sequence import LoadError
from ..splittings import SPLITTINGS, splitting_of
from ..tokenizer import Tokenizer, from_gguf
from . import tiny

ROWS = sorted({row.patterns: name for name, row in SPLITTINGS.items()}.values())


def named(pre: str | None, **changes: object) -> Tokenizer:
    """The tiny vocabulary of bytes under the name of a pre-tokenizer."""
    read: dict[str, Any] = {k: v for k, v in tiny.metadata().items() if k != "tokenizer.ggml.pre"}
    if pre is not None:
        read["tokenizer.ggml.pre"] = pre
    read |= {"tokenizer.ggml." + key: value for key, value in changes.items()}
    return from_gguf({k: tuple(v) if isinstance(v, list) else v for k, v in read.items()})


def parts(name: str, text: str) -> list[str]:
    """What a row makes of a text."""
    steps = [
        pre_tokenizers.Split(Regex(one), behavior="isolated") for one in SPLITTINGS[name].patterns
    ]
    return [part for part, _ in pre_tokenizers.Sequence(steps).pre_tokenize_str(text)]


CUTS = {  # what llama.cpp makes of them
    "gpt-2": ("I'LL x123  y", ["I", "'", "LL", " x", "123", " ", " y"]),
    "llama-bpe": ("I'LL x1234\n\n", ["I", "'LL", " x", "123", "4", "\n\n"]),
    "qwen2": ("x12 ", ["x", "1", "2", " "]),
    "qwen35": ("e\u0301a", ["e\u0301a"]),
    "deepseek-llm": ("ab\n12 中文", ["ab", "\n", "12", " ", "中文"]),
    "deepseek-coder": ("a_b 12", ["a", "_", "b", " ", "1", "2"]),
    "deepseek-v3": ("~a 1234", ["~a", " ", "123", "4"]),
    "falcon": ("1234-a", ["123", "4", "-", "a"]),
    "starcoder": ("a 12", ["a", " ", "1", "2"]),
    "tekken": ("iPhone HTTPServer's", ["i", "Phone", " HTTPServer", "'s"]),
    "gpt-4o": ("iPhone's 1234", ["i", "Phone's", " ", "123", "4"]),
    "kimi-k2": ("中文ab's", ["中文", "ab's"]),
    "tiny_aya": ("a 12345", ["a", " ", "12", "345"]),
    "superbpe": ("a b 12345", ["a b ", "12", "345"]),
    "bloom": ("a, b.", ["a", ",", " b", "."]),
    "gemma4": ("a b\n\nc", ["a b", "\n\n", "c"]),
    "exaone-moe": ("a b c1", ["a b c", "1"]),
    "default": ("a1234", ["a", "123", "4"]),
}


@pytest.mark.parametrize("name", CUTS)
def test_text_is_cut_as_the_name_says(name: str) -> None:
    """Words, digits and signs, each in its own way."""
    text, cut = CUTS[name]
    assert parts(name, text) == cut


@pytest.mark.parametrize("name", [name for name in ROWS if not SPLITTINGS[name].raw])
@settings(max_examples=20)
@given(st.text())
def test_no_row_loses_a_byte(name: str, text: str) -> None:
    """Cutting is no more than cutting: any text comes back from its tokens."""
    tokenizer = _NAMED.setdefault(name, named(name))
    assert tokenizer.decode(tokenizer.encode(text, special=False)) == text


_NAMED: dict[str, Tokenizer] = {}


@pytest.mark.parametrize("name", ROWS)
def test_long_runs_of_anything_are_cut_quickly(name: str) -> None:
    """No pattern goes back and forth: 20,000 characters take milliseconds, not minutes."""
    began = time.perf_counter()
    for run in ("a", "A", "1", " ", "\n", "~!", "aA", "e\u0301", "中"):
        assert "".join(parts(name, run * (20_000 // len(run)))) == run * (20_000 // len(run))
    assert time.perf_counter() - began < 10


def test_a_file_without_a_name_gets_the_default() -> None:
    """As in llama.cpp, which warns of it; an empty name is none."""
    assert splitting_of(None) is splitting_of("") is splitting_of("default")
    assert named(None).encode("the") == named("default").encode("the")


def test_an_unknown_name_is_refused() -> None:
    """The sentence names it, and those that are known."""
    with pytest.raises(LoadError, match=r"pre-tokenizer 'elvish' is not supported.*qwen2"):
        named("elvish")


@pytest.mark.parametrize("kind", ["t5", "rwkv", "plamo2", "bert", None])
def test_other_kinds_of_vocabularies_are_refused(kind: str | None) -> None:
    """A model that writes text has byte pairs or pieces."""
    with pytest.raises(LoadError, match=f"tokenizer {kind!r} is not supported"):
        named("gpt-2", model=kind)


def test_missing_merges_are_refused_but_for_kimi() -> None:
    """Whose vocabulary has none in some files."""
    with pytest.raises(LoadError, match="has no tokenizer"):
        named("gpt-2", merges=None)
    silent = {k: v for k, v in tiny.metadata().items() if k != "tokenizer.ggml.merges"}
    pre = {"tokenizer.ggml.pre": "kimi-k2"}
    read = {k: tuple(v) if isinstance(v, list) else v for k, v in (silent | pre).items()}
    assert from_gguf(read).encode("ab") == [97, 98]

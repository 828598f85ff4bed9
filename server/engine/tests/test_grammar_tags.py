"""Structured output beside tags: thoughts before it, calls of tools instead of it."""

from __future__ import annotations

import numpy as np
import pytest

from ..grammar import Grammars, Matcher
from ..sequence import Grammar, Thought
from ..tokenizer import Tokenizer, from_gguf
from . import tiny

THOUGHT = Thought("<think>", "</think>", inside=False)
SCHEMA = {"type": "object"}
BOTH = Grammar(SCHEMA, THOUGHT, "<call>")
INSIDE = Grammar(SCHEMA, Thought("<think>", "</think>", inside=True), "<call>")


def tokenizer_with(*texts: str, control: bool = False) -> Tokenizer:
    """The tiny vocabulary with these tokens at its end, as text or as control tokens."""
    tokens = [*tiny.TOKENS[:-2], *texts, tiny.END]
    types = [1] * (len(tiny.TOKENS) - 2) + [3 if control else 4] * len(texts) + [3]
    changes = {
        "tokens": tuple(tokens),
        "token_type": tuple(types),
        "eos_token_id": len(tokens) - 1,
        "merges": (),
    }
    renamed = {f"tokenizer.ggml.{key}": value for key, value in changes.items()}
    return from_gguf(tiny.metadata() | renamed)


BYTES = tokenizer_with("<t")


def wants(matcher: Matcher, tokenizer: Tokenizer, token_id: int) -> int:
    """The token that is drawn where the model wants this one."""
    matcher.fill()
    wanted = np.zeros(len(tokenizer.token_bytes), np.float32)
    wanted[token_id] = 1
    drawn = int(matcher.masked(wanted).argmax())
    matcher.advance(drawn)
    return drawn


def says(grammar: Grammar, tokenizer: Tokenizer, *texts: str) -> str:
    """The tokens that are drawn where the model wants these, up to where it is told otherwise."""
    matcher = Grammars(tokenizer).build(grammar)
    said = b""
    for token_id in (one for text in texts for one in tokenizer.encode(text)):
        if matcher.finished:
            break
        drawn = wants(matcher, tokenizer, token_id)
        if drawn != token_id:
            break
        said += tokenizer.token_bytes[drawn] or b"[%d]" % drawn
    return said.decode()


@pytest.mark.parametrize("text", ["<call>{not json", "\n<call>", '{"a": 1}'])
def test_calls_may_come_instead_of_the_content(text: str) -> None:
    """What stands behind the tag is for the parser of calls."""
    assert says(BOTH, BYTES, text) == text
    assert says(INSIDE, BYTES, f"so</think>{text}") == f"so</think>{text}"


def test_without_thoughts_there_are_no_calls() -> None:
    """The constraint holds from the first token on (FMT-011)."""
    assert says(Grammar(SCHEMA, None, "<call>"), BYTES, "<call>") == ""


def test_a_token_that_begins_both_tags_decides_nothing() -> None:
    """The model that begins a call with it is not made to think."""
    assert says(BOTH, BYTES, "<", "call>{}") == "<call>{}"
    assert says(BOTH, BYTES, "<", 'think>x</think>{"a": 1}') == '<think>x</think>{"a": 1}'
    assert says(BOTH, BYTES, "<think>x</think>\n<call>f()") == "<think>x</think>\n<call>f()"


def test_nothing_else_is_let_through() -> None:
    """Neither other text nor other tags."""
    assert says(BOTH, BYTES, "<tool>") == "<t"
    assert says(BOTH, BYTES, "Eight") == ""
    assert says(BOTH, BYTES, "<think>x</think>Eight") == "<think>x</think>"


def test_tags_may_be_control_tokens() -> None:
    """They have no text of their own, so the grammar goes by their ids."""
    tags = ("[CALL]", "[THINK]", "[/THINK]")
    tokenizer = tokenizer_with(*tags, control=True)
    grammar = Grammar(SCHEMA, Thought("[THINK]", "[/THINK]", inside=False), "[CALL]")
    call, opening, closing = (tokenizer.control_ids[tag] for tag in tags)
    assert says(grammar, tokenizer, "[THINK]so[/THINK]{}") == f"[{opening}]so[{closing}]{{}}"
    assert says(grammar, tokenizer, "[CALL]f[THINK]x") == f"[{call}]f[{opening}]x"
    assert says(grammar, tokenizer, "[/THINK]") == ""

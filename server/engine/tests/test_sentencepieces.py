"""Scored pieces: the same tokens as llama.cpp's way of merging them, and the same bytes."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ..grammar import Grammars
from ..sequence import Grammar, LoadError
from ..text import TextStream, TokenText
from ..tokenizer import Tokenizer, from_gguf

WORDS = (
    "▁t",
    "▁a",
    "he",
    "▁the",
    "in",
    "▁in",
    "ing",
    "▁thing",
    "ab",
    "ba",
    "aba",
    "aab",
    "▁▁",
    "\n\n",
)
CHARACTERS = ("▁", *"abcdefghint.,é\n")
BYTES = tuple(f"<0x{one:02X}>" for one in range(256))
TOKENS = ("<unk>", "<s>", "</s>", *BYTES, *CHARACTERS, *WORDS, "<|user|>", "<|mark|>")
TYPES = (2, 3, 3, *(6 for _ in BYTES), *(1 for _ in (*CHARACTERS, *WORDS)), 3, 4)
SCORES = tuple(-float(place) for place in range(len(TOKENS)))
IDS = {token: place for place, token in enumerate(TOKENS)}


def metadata(**changes: Any) -> dict[str, Any]:  # noqa: ANN401
    """A GGUF's metadata with these pieces."""
    return {
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": TOKENS,
        "tokenizer.ggml.scores": SCORES,
        "tokenizer.ggml.token_type": TYPES,
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 2,
    } | {f"tokenizer.ggml.{key}": value for key, value in changes.items()}


def merged(text: str, prefix: str = "▁") -> list[int]:
    """llama.cpp's way: again and again the two neighbours that make the piece of highest score."""
    parts = list(prefix + text.replace(" ", "▁"))
    while True:
        pairs = [
            (-SCORES[IDS[left + right]], place)
            for place, (left, right) in enumerate(pairwise(parts))
            if left + right in IDS
        ]
        if not pairs:
            break
        _, place = min(pairs)
        parts[place : place + 2] = ["".join(parts[place : place + 2])]
    ids: list[int] = []
    for part in parts:
        ids += [IDS[part]] if part in IDS else [3 + byte for byte in part.encode()]
    return ids


@given(st.text(alphabet="abtheing .,é🦙x\n", min_size=1, max_size=40))
def test_pieces_are_merged_as_llama_cpp_merges_them(text: str) -> None:
    """Highest score first, from the left, and bytes for what is in no piece."""
    assert from_gguf(metadata()).encode(text) == merged(text)


@given(st.text(alphabet="abtheing .,é🦙x\n▁", max_size=40))
def test_the_bytes_of_the_tokens_are_the_text(text: str) -> None:
    """With the space that goes before it; the sign for a space comes out as one."""
    tokenizer = from_gguf(metadata())
    found = b"".join(tokenizer.token_bytes[one] for one in tokenizer.encode(text)).decode()
    assert found == (" " + text if text else "").replace("▁", " ")


def test_control_tokens_are_recognised_and_show_nothing() -> None:
    """Only where they are asked for; user-defined ones always are, and are shown."""
    tokenizer = from_gguf(metadata(add_space_prefix=False))
    text = "<|user|>the<|mark|>"
    assert tokenizer.encode(text)[0] == IDS["<|user|>"]
    assert IDS["<|user|>"] not in tokenizer.encode(text, special=False)
    assert IDS["<|mark|>"] in tokenizer.encode(text, special=False)
    assert tokenizer.decode(tokenizer.encode(text)) == "the<|mark|>"
    assert (tokenizer.bos_id, tokenizer.add_bos, tokenizer.eos_ids) == (1, True, frozenset({2}))


def test_phi_3_drops_the_space_behind_its_control_tokens() -> None:
    """Other models keep it."""
    text = "<|user|>\n\nthe"
    kept = from_gguf(metadata(add_space_prefix=False))
    phi3 = from_gguf(metadata(add_space_prefix=False) | {"general.name": "Phi-3 mini"})
    assert kept.encode(text)[1] == IDS["\n\n"]
    assert phi3.encode(text) == [IDS["<|user|>"], *kept.encode("the")]


def streamed(tokenizer: Tokenizer, ids: list[int]) -> str:
    """What a client sees of these tokens, one after another."""
    stream = TextStream(TokenText(tokenizer.token_bytes), ())
    pieces = [*(stream.feed(one, None) for one in ids), stream.flush()]
    return "".join(piece.text for piece in pieces if piece is not None)


NO_PREFIX = from_gguf(metadata(add_space_prefix=False))


@given(st.text(st.characters(exclude_characters="▁", exclude_categories=["Cs"])))
def test_decoding_undoes_encoding(text: str) -> None:
    """Any text comes back, whole or streamed, where no space is put before it."""
    ids = NO_PREFIX.encode(text, special=False)
    assert NO_PREFIX.decode(ids) == text
    assert streamed(NO_PREFIX, ids) == text


def test_the_first_space_of_an_answer_is_streamed() -> None:
    """llama.cpp's server leaves it there, and so does the original."""
    assert streamed(from_gguf(metadata()), [IDS["▁the"], IDS["▁"], IDS["in"]]) == " the in"


def test_a_character_out_of_bytes_is_streamed_whole() -> None:
    """Its bytes wait for one another."""
    ids = NO_PREFIX.encode("🦙")
    assert [TOKENS[one] for one in ids] == ["<0xF0>", "<0x9F>", "<0xA6>", "<0x99>"]
    stream = TextStream(TokenText(NO_PREFIX.token_bytes), ())
    assert [piece and piece.text for piece in (stream.feed(one, None) for one in ids)] == [
        *[None] * 3,
        "🦙",
    ]


def test_a_space_goes_before_every_text_behind_a_control_token() -> None:
    """Before the first one, too."""
    user = IDS["<|user|>"]
    assert from_gguf(metadata()).encode("the<|user|>a") == [IDS["▁the"], user, IDS["▁a"]]
    assert NO_PREFIX.encode("the<|user|>a")[-2:] == [user, IDS["a"]]


def test_overlapping_pairs_of_one_piece_are_merged_from_the_left() -> None:
    """llama.cpp knows no order but the score and the place: "ab" "a" goes before "a" "ba"."""
    assert NO_PREFIX.encode("xababaa") == merged("xababaa", "")
    assert NO_PREFIX.encode("ababa") == merged("ababa", "")


def test_text_becomes_no_token_that_shows_nothing() -> None:
    """The name of a byte is text, though its parts are pieces."""
    tokens = (*TOKENS, "<0x", "0A>", "<u", "nk>")
    types, scores = (*TYPES, 1, 1, 1, 1), (*SCORES, *[-900.0] * 4)
    changes = {"tokens": tokens, "token_type": types, "scores": scores, "add_space_prefix": False}
    tokenizer = from_gguf(metadata(**changes))
    assert tokenizer.decode(tokenizer.encode("<0x0A>")) == "<0x0A>"


def test_tokens_without_a_text_and_unused_ones_show_nothing_of_text() -> None:
    """Several tokens may be empty: each keeps its id."""
    tokens = (*TOKENS, "", "", "<unused1>", "▁▁▁")
    types, scores = (*TYPES, 1, 1, 5, 4), (*SCORES, *[-900.0] * 4)
    tokenizer = from_gguf(metadata(tokens=tokens, token_type=types, scores=scores))
    assert tokenizer.token_bytes[-2:] == [b"", b"   "]
    assert len(tokenizer.token_bytes) == len(tokens)


def test_bos_and_eos_are_the_first_tokens_where_the_file_is_silent() -> None:
    """As in Llama's own vocabulary; a BOS is added unless the file says no."""
    silent = {k: v for k, v in metadata().items() if not k.endswith("_token_id")}
    tokenizer = from_gguf(silent)
    assert (tokenizer.bos_id, tokenizer.add_bos, tokenizer.eos_ids) == (1, True, frozenset({2}))
    assert not from_gguf(metadata(add_bos_token=False)).add_bos


def test_a_grammar_is_followed_byte_by_byte() -> None:
    """Pieces with spaces, bytes and a schema: only what fits is let through."""
    text = '{"é🦙":"in the"}'
    pieces = ('{"', '":"', '"}', '"')
    tokens, count = (*TOKENS, *pieces), len(pieces)
    types, scores = (*TYPES, *[1] * count), (*SCORES, *[-900.0] * count)
    changes = {"tokens": tokens, "token_type": types, "scores": scores, "add_space_prefix": False}
    tokenizer = from_gguf(metadata(**changes))
    schema = {
        "type": "object",
        "properties": {"é🦙": {"const": "in the"}},
        "required": ["é🦙"],
        "additionalProperties": False,
    }
    matcher = Grammars(tokenizer).build(Grammar(schema))
    ids = tokenizer.encode(text)
    assert {IDS["<0xF0>"], IDS["é"], IDS["▁the"]} < set(ids)
    for one in ids:
        matcher.fill()
        logits = np.zeros(len(tokens), np.float32)
        assert matcher.masked(logits)[one] == 0
        assert matcher.masked(logits)[IDS["ab"]] == -np.inf
        matcher.advance(one)
    assert matcher.finished


LIES: dict[str, tuple[dict[str, Any], str]] = {
    "scores": ({"scores": (1.0,)}, "1 scores between them"),
    "types": ({"token_type": (1,)}, "differ in length"),
    "twice": (
        {"tokens": ("a", "a"), "scores": (0.0, 0.0), "token_type": (1, 1)},
        "names a token twice",
    ),
    "end": ({"eos_token_id": 70_000}, "70000"),
}


@pytest.mark.parametrize("lie", LIES)
def test_pieces_that_contradict_themselves_are_refused(lie: str) -> None:
    """Each is a LoadError whose message says what is wrong."""
    changes, reason = LIES[lie]
    with pytest.raises(LoadError, match=reason):
        from_gguf(metadata(**changes))

"""Tokens to text: characters whole, stop strings withheld, nothing lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ..sampling import Scores
from ..sequence import Piece
from ..text import StopStrings, TextStream, TokenText

BYTES = [bytes([one]) for one in range(256)]
SCORES = Scores(-0.5, ((65, -0.5), (200, -2.0)))


def stream(tokens: list[bytes], *stop: str) -> tuple[list[Piece], bool]:
    """The pieces of these tokens, up to a stop string."""
    text = TextStream(TokenText(tokens), stop)
    pieces: list[Piece | None] = []
    for index in range(len(tokens)):
        pieces.append(text.feed(index, SCORES))
        if text.stopped:
            break
    pieces.append(text.flush())
    return [piece for piece in pieces if piece is not None], text.stopped


def texts(tokens: list[bytes], *stop: str) -> list[str]:
    return [piece.text for piece in stream(tokens, *stop)[0]]


def test_a_character_of_several_tokens_comes_whole() -> None:
    """The four bytes of an emoji in four tokens make one piece with four ids."""
    pieces, _ = stream([bytes([one]) for one in "🦙".encode()])
    assert [(piece.text, piece.ids) for piece in pieces] == [("🦙", (0, 1, 2, 3))]


def test_an_unfinished_character_is_dropped() -> None:
    """Half of a character at the end is never shown."""
    assert texts([b"a", "é".encode()[:1]]) == ["a"]


def test_bytes_that_are_no_text_become_replacement_characters() -> None:
    """A byte that can begin nothing does not hold back what follows."""
    assert "".join(texts([b"a", b"\xff", b"b"])) == "a�b"


def test_a_stop_string_in_one_token_cuts_the_token() -> None:
    """Text before the match is delivered, the match and the rest are not."""
    assert stream([b"one", b" STOP two"], "STOP")[0][-1].text == " "


def test_stop_string_split_across_tokens_is_withheld() -> None:
    """No part of a stop string is shown, though its tokens come one by one."""
    pieces, stopped = stream([b"a ro", b"b", b"ot!"], "robot")
    assert ([piece.text for piece in pieces], stopped) == (["a "], True)


def test_text_is_released_as_soon_as_it_cannot_match() -> None:
    """What looked like a stop string comes with the token that decides."""
    assert texts([b"ro", b"ad", b"s"], "robot") == ["road", "s"]


def test_text_withheld_at_the_end_is_delivered() -> None:
    """An answer that ends with the beginning of a stop string loses nothing."""
    assert texts([b"a ro"], "robot") == ["a ", "ro"]


def test_the_first_match_wins_whatever_the_order() -> None:
    """Two stop strings in one text: the earlier place counts."""
    assert texts([b"a cat and a dog"], "dog", "cat") == ["a "]


def test_an_empty_stop_string_is_ignored() -> None:
    """It stops nothing."""
    assert texts([b"a", b"b"], "") == ["a", "b"]


def test_a_piece_carries_the_log_probabilities_of_its_tokens() -> None:
    """Withheld tokens bring theirs with the text that is released."""
    pieces, _ = stream([b"ro", b"ad"], "robot")
    assert [one.token for one in pieces[0].logprobs] == ["ro", "ad"]


def test_the_tokens_of_a_stop_string_leave_no_trace() -> None:
    """Neither log probabilities nor ids, as with the original; a cut token shows what is left."""
    pieces, stopped = stream([b"a", b"b ro", b"bo", b"t!"], "robot")
    assert stopped
    assert [one.token for piece in pieces for one in piece.logprobs] == ["a", "b ro"]
    (piece,), _ = stream([b"me", b"dia robot"], "robot", "media!")
    assert [(one.token, one.token_bytes) for one in piece.logprobs] == [
        ("me", b"me"),
        ("dia ", b"dia "),
    ]
    (piece,), _ = stream([b"a ", b"ro", b"bot"], "robot", "a robin")
    assert (piece.text, piece.ids, [one.token for one in piece.logprobs]) == ("a ", (0,), ["a "])


def test_control_tokens_are_seen_where_they_are_asked_for() -> None:
    """Parsers look for some of them; other answers do not show them."""
    hidden = TokenText([b"a", b""])
    stream_of = TextStream(hidden.showing({1: b"[CALL]"}), ())
    assert [stream_of.feed(one, None) for one in (0, 1)] == [
        Piece("a", (0,), ()),
        Piece("[CALL]", (1,), ()),
    ]
    assert TextStream(hidden, ()).feed(1, None) is None


def test_a_part_of_a_character_has_no_log_probability() -> None:
    """Neither half of a split character has an entry."""
    pieces, _ = stream([b"a", *(bytes([one]) for one in "é".encode())])
    assert [len(piece.logprobs) for piece in pieces] == [1, 0]


def test_alternatives_that_are_no_text_show_the_replacement_character() -> None:
    """A top alternative of one stray byte is shown as U+FFFD with its byte."""
    record = TokenText(BYTES).logprob(65, SCORES)
    assert record.top == (("A", b"A", -0.5), ("�", b"\xc8", -2.0))


def test_an_id_beyond_the_vocabulary_shows_nothing() -> None:
    """A padded vocabulary has ids without bytes."""
    assert TokenText(BYTES).of(300) == b""


@given(st.text(max_size=40), st.lists(st.integers(1, 5), min_size=1))
def test_any_cutting_of_the_bytes_gives_the_text(text: str, sizes: list[int]) -> None:
    """Whole, byte by byte or in any parts: the pieces joined are the text."""
    raw = text.encode()
    tokens: list[bytes] = []
    while raw:
        size = sizes[len(tokens) % len(sizes)]
        tokens.append(raw[:size])
        raw = raw[size:]
    assert "".join(texts(tokens)) == text


@given(
    st.lists(st.text("ab", min_size=1, max_size=3), max_size=12),
    st.lists(st.text("ab", min_size=1, max_size=4), min_size=1, max_size=3),
)
def test_stop_strings_cut_where_a_search_of_the_whole_text_would(
    parts: list[str], stops: list[str]
) -> None:
    """In parts or whole, the text ends before the first occurrence."""
    found = StopStrings(stops)
    shown, stopped = "", False
    for part in parts:
        text, stopped = found.feed(part)
        shown += text
        if stopped:
            break
    shown += found.flush()
    whole = "".join(parts)
    ends = [whole.find(stop) + len(stop) for stop in stops if stop in whole]
    if not ends:
        assert (shown, stopped) == (whole, False)
    else:
        assert stopped
        assert not any(stop in shown for stop in stops)
        assert whole.startswith(shown)


@pytest.mark.parametrize("held", ["r", "ro", "rob", "robo"])
def test_no_more_than_the_possible_beginning_is_withheld(held: str) -> None:
    """Before a beginning of the stop string everything is shown at once."""
    assert StopStrings(["robot"]).feed("a " + held) == ("a ", False)

"""Finding words that are one token each, by asking."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from ..target import parse
from ..vocabulary import CANDIDATES
from ..words import (
    MAX_QUESTIONS,
    Counter,
    Words,
    confirmed,
    find,
    joined,
    remember,
    remembered,
    search,
)
from .conftest import Serving


def tokenizer(long: set[str], overhead: int = 3) -> Callable[[str], int | None]:
    """A server's count, where some words take two tokens."""

    def count(text: str) -> int:
        return overhead - 1 + len(text.split()) + sum(word in long for word in text.split())

    return count


def test_all_words_are_found_with_few_questions() -> None:
    """A model that has all common words as one token is known after five questions."""
    counter = Counter(tokenizer(set()))
    words = search(counter, CANDIDATES)
    assert words == Words(CANDIDATES, overhead_tokens=3, exact=True)
    assert counter.left == MAX_QUESTIONS - 5


@given(st.sets(st.sampled_from(CANDIDATES), max_size=6), st.integers(0, 40))
def test_no_word_of_several_tokens_is_taken(long: set[str], overhead: int) -> None:
    """Whatever words are longer, those found are one token each, and the overhead is right."""
    words = search(Counter(tokenizer(long, overhead + 1)), CANDIDATES)
    assert words.exact
    assert not set(words.words) & long
    assert words.overhead_tokens == overhead + 1


def test_questions_are_few_whatever_the_model_has() -> None:
    """A model with hardly any whole word is not asked for ever."""
    asked: list[str] = []

    def count(text: str) -> int:
        asked.append(text)
        return sum(map(len, text.split()))

    assert not search(Counter(count), CANDIDATES).exact
    assert len(asked) <= MAX_QUESTIONS + 1


def test_server_that_does_not_count_is_said_to_be_so() -> None:
    """Without counts all common words serve, and lengths are not exact."""
    words = search(Counter(lambda _: None), CANDIDATES)
    assert (words.words, words.exact) == (CANDIDATES, False)
    assert words.because == "the server does not count prompt tokens"


def test_server_that_always_says_the_same_is_not_believed() -> None:
    """A count that does not grow with the prompt is none."""
    assert not search(Counter(lambda _: 10), CANDIDATES).exact


def test_server_that_counts_only_what_it_had_not_cached_is_asked_afresh() -> None:
    """No question begins as the one before, so that none is found in a prompt cache."""
    asked: list[str] = []

    def count(text: str) -> int:
        asked.append(text)
        return 2 + len(text.split())

    search(Counter(count), CANDIDATES)
    assert all(one[0] != other[0] for one, other in pairwise(asked))


def test_count_that_is_not_the_sum_of_words_is_not_exact() -> None:
    """Where words melt together the trial does not come out."""
    asked = []

    def count(text: str) -> int:
        asked.append(text)
        words = text.split()
        return len(words) + 1 - (len(asked) == 5)

    words = search(Counter(count), CANDIDATES)
    assert not words.exact
    assert "not the sum" in str(words.because)


def test_found_words_are_remembered(tmp_path: Path) -> None:
    """What was found is read back; of other keys nothing is known."""
    cache = tmp_path / "deep" / "words.json"
    remember(cache, "one", Words(("the", "a"), 4, exact=True))
    remember(cache, "two", Words(("a", "the"), 5, exact=True))
    assert remembered(cache, "one") == Words(("the", "a"), 4, exact=True)
    assert remembered(cache, "other") is None


def test_broken_cache_is_no_cache(tmp_path: Path) -> None:
    """What another program left there is passed over, and written anew."""
    cache = tmp_path / "words.json"
    for junk in ("no json", "[]", '{"one": 3}', '{"one": {"words": [1, 2], "overhead_tokens": 1}}'):
        cache.write_text(junk, encoding="utf-8")
        assert remembered(cache, "one") is None
    remember(cache, "one", Words(("the", "a"), 4, exact=True))
    assert list(json.loads(cache.read_text(encoding="utf-8"))) == ["one"]


def test_remembered_words_are_believed_only_when_confirmed() -> None:
    """One question tells whether the server still counts so."""
    known = Words(CANDIDATES[:9], 3, exact=True)
    assert confirmed(known, Counter(tokenizer(set(), overhead=3)))
    assert not confirmed(known, Counter(tokenizer(set(), overhead=4)))


def test_words_of_two_apis_are_those_of_both() -> None:
    """A run over two APIs has common words, and an overhead for each."""
    both = joined(
        {
            "generate": Words(("a", "the", "and"), 1, exact=True),
            "chat": Words(("the", "and"), 9, exact=True),
        }
    )
    assert both.words == ("the", "and")
    assert (both.overhead("generate"), both.overhead("chat")) == (1, 9)
    assert both.exact


def test_words_are_found_over_every_api(serving: Serving, tmp_path: Path) -> None:
    """The emitter counts words over each API; the cache then saves all questions but one."""
    address = parse(serving.url)
    for api in ("generate", "chat", "embed", "openai-chat", "openai-completions"):
        words = find(address, "steady", api, "identity", tmp_path / "words.json")
        assert (words.words, words.overhead_tokens, words.exact) == (CANDIDATES, 2, True), api
        again = find(address, "steady", api, "identity", tmp_path / "words.json")
        assert again.words == words.words

"""Sampling by arithmetic, and the exact test of draws."""

from __future__ import annotations

import math
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ..arithmetic import OTHER, Sampling, chances, fit, load_logits, penalised

STEEP = load_logits()["steep"]
AFTER_A = load_logits()["after-a"]
shares = st.floats(0, 1)
samplings = st.builds(
    Sampling,
    temperature=st.just(0.0) | st.floats(0.01, 5),
    top_k=st.integers(-1, 600),
    top_p=shares,
    min_p=shares,
    typical_p=shares,
    repeat_penalty=st.floats(0.5, 2),
    repeat_last_n=st.integers(0, 70),
    presence_penalty=st.floats(-2, 2),
    frequency_penalty=st.floats(-2, 2),
)


@given(samplings)
def test_chances_are_chances(given_: Sampling) -> None:
    """Whatever the options, something is drawn."""
    found = chances(AFTER_A, given_)
    assert math.isclose(sum(found.values()), 1.0)
    assert all(0 <= one <= 1 for one in found.values())


@pytest.mark.parametrize(
    ("given_", "texts"),
    [
        (Sampling(temperature=0), "a"),
        (Sampling(top_k=2), "ab"),
        (Sampling(top_p=0.59), "a"),
        (Sampling(top_p=0.61), "ab"),
        (Sampling(top_k=2, top_p=0.65), "a"),
        (Sampling(min_p=0.4), "ab"),
        (Sampling(min_p=0.51), "a"),
        (Sampling(typical_p=0.25), "b"),
        (Sampling(temperature=4, top_p=0.8), "ab"),
    ],
)
def test_filters_leave_what_is_known(given_: Sampling, texts: str) -> None:
    """Of 0.6, 0.3 and 0.1."""
    assert {text for text in chances(STEEP, given_) if text != OTHER} == set(texts)


def test_temperature_lets_the_rest_grow() -> None:
    """From one in a hundred million to a quarter."""
    assert chances(STEEP, Sampling())[OTHER] < 1e-7
    assert chances(STEEP, Sampling(temperature=4))[OTHER] > 0.2


def test_repeat_penalty_makes_likely_less_so_on_both_sides_of_zero() -> None:
    """A negative logit is multiplied, a positive one divided."""
    for known, text in ((AFTER_A, "a"), (load_logits()["loop"], " w")):
        id = known.named[text]
        assert penalised(known, Sampling(repeat_penalty=1.5))[id] < known.values[id]


def test_window_is_the_last_tokens_of_the_prompt() -> None:
    """The eighth from the end is in a window of eight, not in one of seven."""
    id = AFTER_A.named["a"]
    for size, touched in ((7, False), (8, True)):
        logits = penalised(AFTER_A, Sampling(presence_penalty=1.0, repeat_last_n=size))
        assert (logits[id] != AFTER_A.values[id]) == touched


@pytest.mark.parametrize("heads", range(11))
def test_fit_is_the_exact_binomial_of_two_texts(heads: int) -> None:
    """The sum over all outcomes that are no likelier."""
    weigh = [comb(10, n) * 0.3**n * 0.7 ** (10 - n) for n in range(11)]
    wanted = sum(one for one in weigh if one <= weigh[heads] * (1 + 1e-9))
    assert math.isclose(fit({"a": heads, "b": 10 - heads}, {"a": 0.3, "b": 0.7}), wanted)


def test_fit_of_what_cannot_be_is_none() -> None:
    """A text that is not expected, and no room for others."""
    assert fit({"a": 9, "x": 1}, {"a": 0.5, "b": 0.5}) == 0.0


def test_fit_counts_the_unexpected_as_others() -> None:
    """Where others are expected."""
    assert math.isclose(fit({"a": 5, "x": 3, "y": 2}, {"a": 0.5, OTHER: 0.5}), 1.0)

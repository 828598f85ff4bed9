"""The sampling chain against arithmetic."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ..sampling import Sampler, best, candidates, scores
from ..sequence import Sampling
from ..shortlist import Floats

OPEN = Sampling(temperature=1, top_k=0, top_p=1, min_p=0, typical_p=1, seed=1)


def logits(*probabilities: float) -> Floats:
    return np.log(np.array(probabilities, np.float32))


FOUR = logits(0.1, 0.4, 0.3, 0.2)


def left(sampling: Sampling, row: Floats = FOUR) -> list[int]:
    return [int(one) for one in candidates(row, sampling).ids]


def draws(sampling: Sampling, count: int, row: Floats = FOUR) -> list[int]:
    sampler = Sampler(sampling, ())
    return [sampler.draw(row) for _ in range(count)]


@pytest.mark.parametrize(
    ("change", "kept"),
    [
        ({}, [0, 1, 2, 3]),
        ({"top_k": 2}, [1, 2]),
        ({"top_k": -3}, [0, 1, 2, 3]),
        ({"top_k": 40}, [1, 2, 3, 0]),
        ({"top_p": 0.65}, [1, 2]),
        ({"top_p": 0.75}, [1, 2, 3]),
        ({"top_p": 0.0}, [1]),
        ({"min_p": 0.6}, [1, 2]),
        ({"min_p": 1.0}, [1]),
        ({"min_p": 3.0}, [1]),
        ({"typical_p": 0.2}, [2]),
        ({"typical_p": 0.4}, [2, 3]),
        ({"typical_p": 0.6}, [1, 2, 3]),
        ({"top_k": 3, "top_p": 0.76}, [1, 2]),
    ],
)
def test_each_transform_leaves_what_arithmetic_says(
    change: dict[str, Any], kept: list[int]
) -> None:
    """Of 0.1, 0.4, 0.3, 0.2; best first, all by id; top_p counts the renormalised rest."""
    assert left(replace(OPEN, **change)) == kept


def test_among_equals_the_smaller_id_is_kept() -> None:
    """top_k over a tie is the same every time."""
    assert left(replace(OPEN, top_k=2), logits(0.25, 0.25, 0.25, 0.25)) == [0, 1]


@given(
    st.lists(st.floats(-30, 30, width=32), min_size=1, max_size=30),
    st.integers(-1, 40),
    st.floats(0, 1),
    st.floats(0, 1),
    st.floats(0, 1),
)
def test_the_best_token_always_survives_top_k_top_p_and_min_p(
    values: list[float], top_k: int, top_p: float, min_p: float, typical: float
) -> None:
    """Nothing leaves no candidates, and without typical_p the best is among them."""
    row = np.array(values, np.float32)
    assert int(row.argmax()) in left(Sampling(top_k=top_k, top_p=top_p, min_p=min_p), row)
    assert left(Sampling(top_k=top_k, top_p=top_p, min_p=min_p, typical_p=typical), row)


def test_draws_follow_the_probabilities() -> None:
    """Of 4000 seeded draws each token has its share within three standard deviations."""
    counts = Counter(draws(OPEN, 4000))
    for token, share in enumerate((0.1, 0.4, 0.3, 0.2)):
        assert abs(counts[token] - 4000 * share) < 3 * math.sqrt(4000 * share * (1 - share))


def test_temperature_sharpens_after_the_cuts() -> None:
    """At temperature 0.5 the shares of 0.4 and 0.3 are as their squares."""
    counts = Counter(draws(replace(OPEN, temperature=0.5, top_k=2), 4000))
    assert counts[1] / 4000 == pytest.approx(0.16 / 0.25, abs=0.03)


@pytest.mark.parametrize("change", [{"temperature": 0}, {"temperature": -5}, {"top_k": 1}])
def test_greedy_takes_the_largest_logit(change: dict[str, Any]) -> None:
    """Temperature 0 and below and top_k 1 draw nothing, and need no logits on the host."""
    greedy = replace(OPEN, **change)
    assert draws(greedy, 5) == [1] * 5
    assert Sampler(greedy, ()).by_largest


def test_each_token_has_a_number_of_its_own() -> None:
    """The one of the next token is known before this one is, and asking again changes nothing."""
    sampler = Sampler(replace(OPEN, seed=5), ())
    ahead, numbers = [], []
    for _ in range(100):
        numbers.append(sampler.uniform())
        ahead.append(sampler.uniform(1))
        assert sampler.uniform() == numbers[-1]
        sampler.accept(0)
    assert numbers[1:] == ahead[:-1]
    assert len(set(numbers)) == 100


def test_a_tiny_temperature_is_greedy_without_a_warning() -> None:
    """Logits divided by 1e-30 do not overflow into nonsense."""
    assert draws(replace(OPEN, temperature=1e-30), 3) == [1] * 3


def test_the_same_seed_draws_the_same_tokens() -> None:
    """And another seed draws others."""
    assert draws(OPEN, 50) == draws(OPEN, 50) != draws(replace(OPEN, seed=2), 50)


@pytest.mark.parametrize("seed", [None, -1, 4294967295])
def test_these_seeds_mean_a_random_one(seed: int | None) -> None:
    """None, -1 and the low 32 bits all set draw differently each time."""
    assert draws(replace(OPEN, seed=seed), 60) != draws(replace(OPEN, seed=seed), 60)


def test_a_seed_keeps_its_low_32_bits() -> None:
    """2^32 is the seed 0."""
    assert draws(replace(OPEN, seed=1 << 32), 50) == draws(replace(OPEN, seed=0), 50)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"repeat_penalty": 2.0}, [1.0, -2.0, 3.0]),
        ({"presence_penalty": 0.5}, [1.5, -1.5, 3.0]),
        ({"frequency_penalty": 0.5}, [1.0, -1.5, 3.0]),
        ({"repeat_penalty": 2.0, "repeat_last_n": 0}, [2.0, -1.0, 3.0]),
        ({"repeat_penalty": 2.0, "repeat_last_n": 1}, [2.0, -2.0, 3.0]),
    ],
)
def test_penalties_change_the_logits_of_recent_tokens(
    change: dict[str, Any], expected: list[float]
) -> None:
    """Token 0 came twice and token 1 last: negative logits are multiplied, others divided."""
    sampler = Sampler(replace(OPEN, **change), (0, 0, 1))
    row = np.array([2.0, -1.0, 3.0], np.float32)
    np.testing.assert_allclose(sampler.penalised(row), expected)


def test_generated_tokens_are_penalised_too() -> None:
    """A presence penalty makes a greedy choice leave the token it has just taken."""
    sampler = Sampler(Sampling(temperature=0, presence_penalty=2), ())
    assert [sampler.draw(FOUR) for _ in range(3)] == [1, 2, 3]


def test_drawing_leaves_the_logits_alone() -> None:
    """Log probabilities may be read from the same row afterwards."""
    row = FOUR.copy()
    Sampler(replace(OPEN, repeat_penalty=2.0), (1, 2)).draw(row)
    np.testing.assert_array_equal(row, FOUR)


def test_scores_are_natural_logarithms_of_the_model_s_probabilities() -> None:
    """Of an unnormalised row, best first."""
    got = scores(FOUR + np.float32(5), 3, 2)
    assert got.logprob == pytest.approx(math.log(0.2), abs=1e-5)
    assert [token for token, _ in got.top] == [1, 2]
    assert [value for _, value in got.top] == pytest.approx(
        [math.log(0.4), math.log(0.3)], abs=1e-5
    )


def test_no_alternatives_when_none_are_asked_for() -> None:
    """top_logprobs 0 gives the token's own value alone."""
    assert scores(FOUR, 1, 0).top == ()


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=20), st.integers(1, 25))
def test_best_is_the_head_of_a_stable_sort(values: list[int], count: int) -> None:
    """For any ties."""
    row = np.array(values, np.float32)
    expected = sorted(range(len(values)), key=lambda one: (-values[one], one))[:count]
    assert best(row, count).ids.tolist() == expected


@pytest.mark.parametrize("size", [5, 64, 130, 4097, 49152])
@pytest.mark.parametrize("count", [1, 2, 40, 700])
def test_the_best_are_those_of_a_sort(size: int, count: int) -> None:
    """Whatever the size of the vocabulary, with equal logits among them and most ruled out."""
    logits = np.random.default_rng(size).standard_normal(size, dtype=np.float32).round(1)
    for one in (logits, np.where(logits > 1, logits, np.float32(-np.inf)), np.zeros_like(logits)):
        expected = np.argsort(-one, kind="stable")[:count]
        assert best(one, count).ids.tolist() == expected.tolist()

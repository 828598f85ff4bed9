"""Rows drawn together against the same rows drawn one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import mlx.core as mx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from .. import chain
from ..device_lists import DeviceLogits, most_likely
from ..drawing import Draw, Drawn
from ..grammar import Matcher
from ..offer import HostLogits, Offer, best_ids, largest, offered
from ..sampling import Sampler, best, scores
from ..sequence import Sampling
from ..shortlist import DEPTH, FEW, TOP_DEPTH, Floats, Peaks, max_count, shortlist

SIZES = (5120, 6000, 8197, 16384)  # of vocabularies, with a rest in no column and without

samplings = st.builds(
    Sampling,
    seed=st.integers(0, 9),
    temperature=st.sampled_from((0.0, 1e-30, 0.3, 0.8, 5.0)),
    top_k=st.sampled_from((0, 1, 2, 7, 20, 40, 9000)),
    top_p=st.sampled_from((0.0, 0.3, 0.9, 1.0, 5.0)),
    min_p=st.sampled_from((0.0, 0.02, 0.5, 2.0)),
    typical_p=st.sampled_from((0.0, 0.4, 0.95, 1.0)),
    repeat_penalty=st.sampled_from((1.0, 1.0, 1.2)),
    presence_penalty=st.sampled_from((0.0, 0.0, 1.5)),
)
asked = st.tuples(samplings, st.sampled_from((None, None, 0, 3, 20)))


def rows_of(seed: int, num_rows: int, num_tokens: int) -> Floats:
    """Logits with a few equal ones, of which some rows have many, and some impossible tokens."""
    random = np.random.default_rng(seed)
    logits = 3 * random.standard_normal((num_rows, num_tokens), dtype=np.float32)
    for row in range(num_rows):
        match random.integers(6):
            case 0:
                logits[row] = logits[row].round(1)
            case 1:
                logits[row] = np.sign(logits[row])
            case 2:
                logits[row, random.integers(0, num_tokens, num_tokens)] = -np.inf
            case 3:
                logits[row] -= 100
    return logits


def peaks_of(logits: Floats) -> Peaks:
    of_logits = largest(mx.array(logits), DEPTH)
    return Peaks(np.array(of_logits), np.array(largest(of_logits, TOP_DEPTH)))


def step(logits: Floats, draws: Sequence[Draw], *, on_gpu: bool = False) -> list[Drawn]:
    offer: Offer = offered(mx.array(logits), draws, on_gpu=on_gpu)
    offer.start(draws, 0)
    mx.eval(offer.arrays)
    return offer.draw(draws)


def drawn_alone(logits: Floats, draw: Draw) -> Drawn:
    token_id = draw.sampler.draw(logits)
    said = None if draw.num_top is None else scores(logits, token_id, draw.num_top)
    return Drawn(token_id, said)


@given(st.integers(0, 1 << 30), st.sampled_from(SIZES), st.data())
@settings(max_examples=60, deadline=None)
def test_listed_are_the_best_of_each_row(seed: int, num_tokens: int, data: st.DataObject) -> None:
    """For any rows and counts, in the order of `best`; a row may be left undecided."""
    logits = rows_of(seed, data.draw(st.integers(1, 70)), num_tokens)
    rows = data.draw(st.sets(st.integers(0, len(logits) - 1), min_size=1).map(sorted))
    count = st.integers(1, max_count(num_tokens))
    counts = data.draw(st.lists(count, min_size=len(rows), max_size=len(rows)))
    got = shortlist(logits, peaks_of(logits), rows, counts)
    for place, (row, count_of_row) in enumerate(zip(rows, counts, strict=True)):
        size = int(got.sizes[place])
        assert size in (0, count_of_row)
        expected = best(logits[row], size)
        assert got.ids[place, :size].tolist() == expected.ids.tolist()
        assert got.logits[place, :size].tolist() == expected.logits.tolist()
        assert np.isneginf(got.logits[place, size:]).all()


@pytest.mark.parametrize("num_tokens", SIZES)
def test_ordinary_rows_are_decided(num_tokens: int) -> None:
    """Logits that are not equal leave no row to be drawn by itself."""
    logits = np.random.default_rng(0).standard_normal((80, num_tokens), dtype=np.float32)
    counts = [1 + row % max_count(num_tokens) for row in range(80)]
    assert shortlist(logits, peaks_of(logits), range(80), counts).sizes.tolist() == counts


def test_a_row_of_no_numbers_is_undecided() -> None:
    """And its neighbours are not."""
    logits = np.random.default_rng(0).standard_normal((3, 5120), dtype=np.float32)
    logits[1] = np.nan
    assert shortlist(logits, peaks_of(logits), range(3), [9] * 3).sizes.tolist() == [9, 0, 9]


@given(st.lists(asked, min_size=1, max_size=9), st.integers(0, 1 << 30), st.sampled_from(SIZES))
@settings(max_examples=100, deadline=None)
def test_together_equals_one_by_one(
    requests: list[tuple[Sampling, int | None]], seed: int, num_tokens: int
) -> None:
    """Token for token, over several steps, with their log probabilities."""
    together, apart = (
        [Draw(Sampler(sampling, (1, 2, 3)), num_top) for sampling, num_top in requests]
        for _ in range(2)
    )
    for number in range(3):
        logits = rows_of(seed + number, len(requests), num_tokens)
        assert step(logits, together) == [
            drawn_alone(*one) for one in zip(logits, apart, strict=True)
        ]


@given(st.lists(asked, min_size=1, max_size=9), st.integers(0, 1 << 30))
@settings(max_examples=60, deadline=None)
def test_few_rows_are_drawn_as_many_are(
    requests: list[tuple[Sampling, int | None]], seed: int
) -> None:
    """With sums in Python or in numpy, over several steps; lists of a GPU, which any row has."""
    drawn = []
    for few in (0, 99):
        draws = [Draw(Sampler(sampling, (1, 2, 3)), num_top) for sampling, num_top in requests]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(chain, "FEW", few)
            rows = (rows_of(seed + number, len(requests), 6000) for number in range(3))
            drawn.append([step(logits, draws, on_gpu=True) for logits in rows])
    assert drawn[0] == drawn[1]


@given(st.lists(asked, min_size=2, max_size=14), st.integers(0, 1 << 30), st.booleans())
@settings(max_examples=100, deadline=None)
def test_a_row_gets_the_same_token_in_any_company(
    requests: list[tuple[Sampling, int | None]], seed: int, on_gpu: bool
) -> None:
    """Other neighbours and another place in the batch change nothing."""
    logits = rows_of(seed, len(requests), 6000)

    def drawn(rows: Sequence[int]) -> list[Drawn]:
        draws = [
            Draw(Sampler(requests[row][0], ()), requests[row][1], on_gpu=on_gpu) for row in rows
        ]
        return step(logits[list(rows)], draws, on_gpu=on_gpu)

    before = drawn(range(len(requests)))
    chosen = list(np.random.default_rng(seed).permutation(len(requests)))[: len(requests) // 2 + 1]
    assert [one.token_id for one in drawn(chosen)] == [before[row].token_id for row in chosen]
    if not on_gpu:  # which adds the exponentials of more rows in another order
        assert drawn(chosen) == [before[row] for row in chosen]


def test_a_failing_row_fails_alone() -> None:
    """Its neighbours get the tokens that they get without it."""

    class Broken:
        fault = None

        def masked(self, logits: Floats) -> Floats:
            raise ValueError("broken")

    logits = rows_of(0, 6, 6000)
    sampling = Sampling(seed=1, top_k=9)
    expected = step(logits, [Draw(Sampler(sampling, ()), None) for _ in logits])
    draws = [Draw(Sampler(sampling, ()), None) for _ in logits]
    draws[2] = replace(draws[2], matcher=cast(Matcher, Broken()))
    got = step(logits, draws)
    assert str(got[2].fault) == "broken"
    assert got[:2] + got[3:] == expected[:2] + expected[3:]


@given(st.integers(0, 1 << 30), st.sampled_from((*SIZES, 49152)))
@settings(max_examples=30, deadline=None)
def test_the_best_is_found_by_blocks(seed: int, num_tokens: int) -> None:
    """Among equals the smaller id."""
    logits = rows_of(seed, 5, num_tokens)
    assert np.array(best_ids(mx.array(logits))).tolist() == logits.argmax(axis=1).tolist()


def test_greedy_rows_bring_no_logits_to_the_host() -> None:
    """The step's graph ends with the ids of the largest."""
    greedy = [Draw(Sampler(Sampling(temperature=0), ()), None)] * 3
    offer = offered(mx.array(rows_of(0, 3, 6000)), greedy, on_gpu=False)
    assert len(offer.arrays) == 1


def test_sums_made_by_the_device_give_the_same_log_probabilities() -> None:
    """To the precision of float32."""
    logits = rows_of(0, 4, 6000)
    draws = [Draw(Sampler(Sampling(temperature=0), ()), 3)] * 4
    offer = offered(mx.array(logits), draws, on_gpu=True)
    for got, expected in zip(offer.draw(draws), step(logits, draws), strict=True):
        assert got.token_id == expected.token_id
        assert got.scores is not None
        assert expected.scores is not None
        assert got.scores.logprob == pytest.approx(expected.scores.logprob, abs=1e-3)


penalties = st.builds(
    Sampling,
    seed=st.integers(0, 9),
    temperature=st.sampled_from((0.0, 0.8)),
    top_k=st.sampled_from((0, 2, 40)),
    repeat_last_n=st.sampled_from((1, 9, 64)),
    repeat_penalty=st.sampled_from((1.0, 1.1, 3.0, 0.5)),
    presence_penalty=st.sampled_from((0.0, 0.5, -0.5)),
    frequency_penalty=st.sampled_from((0.0, 0.3)),
)


@given(st.lists(penalties, min_size=1, max_size=6), st.integers(0, 1 << 30), st.integers(0, 60))
@settings(max_examples=60, deadline=None)
def test_penalised_lists_equal_penalised_rows(
    samplings: list[Sampling], seed: int, num_likely: int
) -> None:
    """Where the best tokens were there before, and those drawn stay likely; raised ones, too."""
    logits = rows_of(seed, len(samplings), 16384)
    prompts = [best(row, num_likely).ids.tolist() * 2 for row in logits]
    together, apart = (
        [Draw(Sampler(*one), None) for one in zip(samplings, prompts, strict=True)]
        for _ in range(2)
    )
    for _ in range(5):
        expected = [drawn_alone(*one) for one in zip(logits, apart, strict=True)]
        assert step(logits, together) == expected


@pytest.mark.parametrize(
    ("sampling", "num_top"),
    [
        (Sampling(seed=1), None),
        (Sampling(seed=1, typical_p=0.7, min_p=0.05), 5),
        (Sampling(seed=1, repeat_penalty=1.2), None),
        (Sampling(temperature=0, presence_penalty=1), 3),
        (Sampling(temperature=0), 0),
        (Sampling(seed=1, top_k=0), None),
        (Sampling(seed=1, top_k=0, top_p=1, min_p=0.1), 2),
    ],
)
@pytest.mark.parametrize("num_rows", [1, 2, 9])
def test_lists_decide_what_is_usual(
    sampling: Sampling, num_top: int | None, num_rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None of many rows is looked at whole on a CPU, and none at all is copied from a GPU."""
    random = np.random.default_rng(0)
    logits = 6 * random.standard_normal((num_rows, 49152), dtype=np.float32)
    for kind in (HostLogits, DeviceLogits) if num_rows > FEW else (DeviceLogits,):
        monkeypatch.setattr(kind, "row", lambda *_: pytest.fail("looked at a whole row"))
    draws = [Draw(Sampler(sampling, range(99)), num_top) for _ in logits]
    expected = [Draw(Sampler(sampling, range(99)), num_top) for _ in logits]
    for _ in range(3):
        found = step(logits, draws, on_gpu=True)
        assert [one.token_id for one in found] == [one.token_id for one in step(logits, expected)]


@pytest.mark.parametrize("on_gpu", [False, True])
def test_two_hundred_likely_tokens_are_decided_by_lists(
    on_gpu: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without top_k: a text that a small model reads has such rows."""
    logits = np.random.default_rng(0).standard_normal((9, 49152), dtype=np.float32)
    logits[:, ::256] += 20
    for kind in (HostLogits, DeviceLogits):
        monkeypatch.setattr(kind, "row", lambda *_: pytest.fail("looked at a whole row"))
    draws = [Draw(Sampler(Sampling(seed=1, top_k=0, top_p=0.99), ()), None) for _ in logits]
    for one in step(logits, draws, on_gpu=on_gpu):
        assert one.token_id % 256 == 0


@given(st.lists(asked, min_size=1, max_size=9), st.integers(0, 1 << 30), st.sampled_from(SIZES))
@settings(max_examples=60, deadline=None)
def test_a_gpu_s_lists_give_the_same_tokens(
    requests: list[tuple[Sampling, int | None]], seed: int, num_tokens: int
) -> None:
    """But for the last bits of its sums, which top_p of all tokens hangs on."""
    logits = rows_of(seed, len(requests), num_tokens)
    on_gpu, here = (
        [Draw(Sampler(sampling, (1, 2, 3)), num_top) for sampling, num_top in requests]
        for _ in range(2)
    )
    found = zip(step(logits, on_gpu, on_gpu=True), step(logits, here), here, strict=True)
    for one, other, draw in found:
        assert one.fault is None
        assert one.token_id == other.token_id or draw.needs_sum


@given(samplings, st.integers(0, 1 << 30), st.sampled_from((*SIZES, 300)))
@settings(max_examples=150, deadline=None)
def test_a_gpu_draws_what_the_host_would(sampling: Sampling, seed: int, num_tokens: int) -> None:
    """But where float32 cannot tell the number, or the end of top_p, from the next token's."""
    logits = rows_of(seed, 6, num_tokens)
    for row in logits:  # among equals any may be listed
        row += np.random.default_rng(seed).standard_normal(num_tokens, dtype=np.float32) / 100
    draws = [Draw(Sampler(sampling, ()), None, on_gpu=True) for _ in logits]
    uniform = draws[0].sampler.uniform()
    for row, one in zip(logits, step(logits, draws, on_gpu=True), strict=True):
        near = {
            Numbered(replace(sampling, top_p=sampling.top_p + 1e-6 * shift), number).draw(row)
            for shift in (-1, 0, 1)
            for number in (uniform - 1e-5, uniform, uniform + 1e-5)
        }
        assert one.token_id in near


class Numbered(Sampler):
    """A sampler with a number that is given."""

    def __init__(self, sampling: Sampling, number: float) -> None:
        super().__init__(sampling, ())
        self._number = min(max(number, 0.0), 1.0)

    def uniform(self, num_in_flight: int = 0) -> float:
        return self._number


@given(st.integers(0, 1 << 30))
@settings(max_examples=20, deadline=None)
def test_numbers_of_tokens_ahead_are_drawn_by_later(seed: int) -> None:
    """A step that goes out with a token in flight draws as it does when that one is known."""
    sampling = Sampling(seed=seed, temperature=3.0, top_p=1.0)
    logits = rows_of(seed, 3, 6000)
    ahead, known = ([Draw(Sampler(sampling, ()), None, on_gpu=True) for _ in "123"] for _ in "12")
    step(logits, known, on_gpu=True)
    offer = offered(mx.array(logits), ahead, on_gpu=True)
    offer.start(ahead, 1)
    mx.eval(offer.arrays)
    assert offer.draw(ahead) == step(logits, known, on_gpu=True)


@given(st.integers(0, 1 << 30), st.sampled_from((*SIZES, 300, 49152)), st.integers(1, 200))
@settings(max_examples=40, deadline=None)
def test_a_gpu_lists_more_than_are_wanted(seed: int, num_tokens: int, count: int) -> None:
    """In order, among equals the smaller id first, and no other is better than the least."""
    logits = rows_of(seed, 5, num_tokens)
    ids, values = (np.array(one) for one in most_likely(mx.array(logits), count))
    assert ids.shape[1] > min(count, num_tokens - 1)
    for row, own, found in zip(logits, ids, values, strict=True):
        assert row[own].tolist() == found.tolist()
        in_order = sorted(own.tolist(), key=lambda one: (-row[one], one))
        assert own.tolist() == in_order
        assert len(set(in_order)) == len(in_order)
        assert np.delete(row, own).max(initial=-np.inf) <= found.min()

"""Which rows go through an embedding model together."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from ..embedding_queue import FILL, SLACK, Place, RowQueue

LENGTHS = st.lists(st.integers(1, 512), min_size=1, max_size=40)


def drained(queue: RowQueue) -> list[list[Place]]:
    """All batches, to the last."""
    batches = []
    while queue.busy:
        batches.append(queue.next())
    return batches


@given(st.lists(LENGTHS, min_size=1, max_size=5), st.integers(1, 4096))
def test_every_row_goes_once(requests: list[list[int]], max_tokens: int) -> None:
    """Whatever the lengths and the bound."""
    queue = RowQueue(max_tokens)
    for number, lengths in enumerate(requests):
        queue.add(number, lengths)
    went = Counter(place for batch in drained(queue) for place in batch)
    wanted = Counter(
        Place(length, number, index)
        for number, lengths in enumerate(requests)
        for index, length in enumerate(lengths)
    )
    assert went == wanted


@given(st.lists(LENGTHS, min_size=1, max_size=5), st.integers(1, 4096))
def test_padding_and_size_are_bounded(requests: list[list[int]], max_tokens: int) -> None:
    """A batch has rows of nearly one length, and no more padded tokens than allowed."""
    queue = RowQueue(max_tokens)
    for number, lengths in enumerate(requests):
        queue.add(number, lengths)
    for batch in drained(queue):
        longest = batch[0].length
        assert len(batch) == 1 or len(batch) * longest <= max_tokens
        assert all(
            place.length >= FILL * longest - 1 or longest - place.length <= SLACK for place in batch
        )
        assert batch == sorted(batch, reverse=True)


def test_a_short_request_does_not_wait_for_a_long_one() -> None:
    """It leads the second batch at the latest."""
    queue = RowQueue(512)
    queue.add(1, [512] * 100)
    queue.add(2, [3])
    batches = [queue.next(), queue.next()]
    assert any(place.request == 2 for batch in batches for place in batch)


def test_rows_of_several_requests_go_together() -> None:
    """When they are of nearly one length."""
    queue = RowQueue(512)
    for number in range(8):
        queue.add(number, [10])
    assert len(queue.next()) == 8
    assert not queue.busy


def test_a_dropped_request_waits_no_longer() -> None:
    """And dropping it again does nothing."""
    queue = RowQueue(512)
    queue.add(1, [5])
    queue.drop(1)
    queue.drop(1)
    assert not queue.busy

"""The tree of kept prefixes, with payloads that know what they should hold."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from weakref import WeakSet

from hypothesis import given
from hypothesis import strategies as st

from ..prompt_cache import MIN_TOKENS, PromptCache

BYTES = 3


@dataclass(eq=False)
class Text:
    """A payload that is its own tokens."""

    token_ids: tuple[int, ...]
    alive: WeakSet[Text]

    def __post_init__(self) -> None:
        self.alive.add(self)

    def cut(self, start: int, stop: int) -> Text:
        return Text(self.token_ids[start:stop], self.alive)


def cache(max_tokens: int = 1000) -> PromptCache[Text]:
    return PromptCache(max_tokens * BYTES, BYTES)


def insert(
    one: PromptCache[Text], token_ids: tuple[int, ...], alive: WeakSet[Text] | None = None
) -> None:
    """Keep a sequence; `alive` gets its payloads, as long as anything refers to them."""
    every = WeakSet[Text]() if alive is None else alive
    one.insert(token_ids, lambda start, stop: Text(token_ids[start:stop], every))


def found(one: PromptCache[Text], token_ids: tuple[int, ...]) -> tuple[int, ...]:
    """The tokens whose KV `find` gives."""
    parts = one.find(token_ids)
    return tuple(token for part in parts for token in part.payload.token_ids[: part.num_tokens])


HEAD = tuple(range(40))


def test_the_longest_common_prefix_is_found() -> None:
    """A prompt that leaves a kept sequence half way gets the first half."""
    one = cache()
    insert(one, HEAD)
    asked = (*HEAD[:35], 99, 98)
    assert one.num_kept(asked) == 35
    assert found(one, asked) == HEAD[:35]


def test_a_longer_prompt_gets_the_whole_of_a_shorter_one() -> None:
    """What is behind the end of the kept sequence is computed."""
    one = cache()
    insert(one, HEAD)
    assert found(one, (*HEAD, 1, 2, 3)) == HEAD


def test_fewer_tokens_than_are_worth_it_are_no_hit() -> None:
    """31 common tokens count as none, 32 as 32."""
    one = cache()
    insert(one, HEAD)
    assert [one.num_kept(HEAD[:count]) for count in (31, 32)] == [0, 32]


def test_a_short_sequence_is_not_kept() -> None:
    """31 tokens take no bytes."""
    one = cache()
    insert(one, HEAD[: MIN_TOKENS - 1])
    assert one.num_bytes == 0


def test_a_shared_prefix_is_held_once() -> None:
    """Two sequences that part after 40 tokens take the bytes of 40 and of both tails."""
    one = cache()
    insert(one, (*HEAD, 50, 51))
    insert(one, (*HEAD, 60, 61, 62))
    assert one.num_bytes == (40 + 2 + 3) * BYTES
    assert found(one, (*HEAD, 50, 51)) == (*HEAD, 50, 51)
    assert found(one, (*HEAD, 60, 61, 62)) == (*HEAD, 60, 61, 62)


def test_only_new_tokens_are_taken() -> None:
    """A conversation's next turn asks for what follows the last one, the same turn for nothing."""
    one = cache()
    taken = []

    def take(start: int, stop: int) -> Text:
        taken.append((start, stop))
        return Text(longer[start:stop], WeakSet())

    longer = (*HEAD, 1, 2, 3)
    insert(one, HEAD)
    one.insert(longer, take)
    one.insert(longer, take)
    assert taken == [(40, 43)]


def test_the_sequence_unused_for_longest_goes_first() -> None:
    """Of three sequences in room for two, the one that was found again stays."""
    one = cache(max_tokens=80)
    first, second, third = (tuple(range(start, start + 40)) for start in (100, 200, 300))
    insert(one, first)
    insert(one, second)
    one.find(first)
    insert(one, third)
    assert [one.num_kept(each) for each in (first, second, third)] == [40, 0, 40]


def test_asking_how_much_is_kept_is_no_use_of_it() -> None:
    """Only `find` counts."""
    one = cache(max_tokens=80)
    first, second, third = (tuple(range(start, start + 40)) for start in (100, 200, 300))
    insert(one, first)
    insert(one, second)
    one.num_kept(first)
    insert(one, third)
    assert [one.num_kept(each) for each in (first, second, third)] == [0, 40, 40]


def test_a_shared_prefix_stays_while_one_of_its_branches_is_used() -> None:
    """Room is made by the other branch alone."""
    one = cache(max_tokens=100)
    insert(one, (*HEAD, *range(50, 70)))
    insert(one, (*HEAD, *range(70, 90)))
    insert(one, tuple(range(200, 240)))
    assert one.num_kept((*HEAD, *range(50, 70))) == 40
    assert one.num_kept((*HEAD, *range(70, 90))) == 60
    assert one.num_bytes == 100 * BYTES


def test_of_a_sequence_larger_than_the_budget_the_beginning_is_kept() -> None:
    """50 of 60 tokens, in the place of what was there."""
    one = cache(max_tokens=50)
    insert(one, HEAD)
    insert(one, tuple(range(100, 160)))
    assert one.num_kept(tuple(range(100, 160))) == 50
    assert one.num_bytes == 50 * BYTES


def test_a_budget_of_nothing_keeps_nothing() -> None:
    """Nothing is taken either."""
    one = cache(max_tokens=0)
    insert(one, HEAD)
    assert (one.num_kept(HEAD), one.num_bytes) == (0, 0)


def test_a_payload_that_cannot_be_taken_leaves_the_others() -> None:
    """Running out of memory in the middle of an insertion changes no answer."""
    one = cache()
    insert(one, (*HEAD, 50, 51))

    def explode(start: int, stop: int) -> Text:
        raise MemoryError

    with suppress(MemoryError):
        one.insert((*HEAD, 60), explode)
    assert found(one, (*HEAD, 50, 51)) == (*HEAD, 50, 51)
    assert one.num_bytes == 42 * BYTES


def test_forgetting_leaves_nothing() -> None:
    """No bytes, no payloads that wait for the garbage collector, no hits."""
    one, alive = cache(), WeakSet[Text]()
    insert(one, (*HEAD, 50, 51), alive)
    insert(one, (*HEAD, 60, 61), alive)
    one.clear()
    assert (one.num_bytes, len(alive), one.num_kept(HEAD)) == (0, 0, 0)


@st.composite
def families(draw: st.DrawFn) -> list[tuple[bool, tuple[int, ...]]]:
    """Sequences that share beginnings, each to insert or only to find."""
    made: list[tuple[int, ...]] = [()]
    steps = []
    for _ in range(draw(st.integers(1, 20))):
        base = draw(st.sampled_from(made))
        start = base[: draw(st.integers(0, len(base)))]
        tail = draw(st.lists(st.integers(0, 1), min_size=0 if start else 1, max_size=60))
        made.append((*start, *tail))
        steps.append((draw(st.booleans()), made[-1]))
    return steps


@given(steps=families(), max_tokens=st.integers(0, 300))
def test_books_are_exact_and_what_is_found_is_right(
    steps: list[tuple[bool, tuple[int, ...]]], max_tokens: int
) -> None:
    """In any order: within the budget, every byte counted, every prefix the true one.

    A sequence just inserted is kept as far as there is room, and one that was never inserted
    finds no more than its common beginning with one that was. Nothing evicted is referred to.
    """
    one, alive = cache(max_tokens), WeakSet[Text]()
    inserted: list[tuple[int, ...]] = []
    for inserts, token_ids in steps:
        if inserts:
            insert(one, token_ids, alive)
            inserted.append(token_ids)
            fitting = min(len(token_ids), max_tokens)
            assert one.num_kept(token_ids) >= (fitting if fitting >= MIN_TOKENS else 0)
        kept = found(one, token_ids)
        assert kept == token_ids[: len(kept)]
        assert one.num_kept(token_ids) == (len(kept) if len(kept) >= MIN_TOKENS else 0)
        assert not kept or any(each[: len(kept)] == kept for each in inserted)
        held = sum(len(each.token_ids) for each in alive)
        assert one.num_bytes == held * BYTES <= max_tokens * BYTES


@given(steps=families())
def test_with_room_for_all_the_longest_common_beginning_is_found(
    steps: list[tuple[bool, tuple[int, ...]]],
) -> None:
    """Of every sequence that was long enough to be kept."""
    one = cache(max_tokens=10_000)
    inserted: list[tuple[int, ...]] = []
    for _, token_ids in steps:
        common = max((_common(each, token_ids) for each in inserted), default=0)
        assert len(found(one, token_ids)) == common
        insert(one, token_ids)
        inserted += [token_ids] if len(token_ids) >= MIN_TOKENS else []


def _common(one: tuple[int, ...], other: tuple[int, ...]) -> int:
    count = 0
    while count < min(len(one), len(other)) and one[count] == other[count]:
        count += 1
    return count

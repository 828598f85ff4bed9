"""Plans and commits, without a model: token n + 1 follows token n."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ..scheduler import (
    Budget,
    Limits,
    Plan,
    Scheduler,
    Sequence,
    Token,
    bounded_output,
)

BUDGET = Budget(beside_decode=4, alone=16)
FREE = Limits(max_output=1000, window=1000, keep=0, shift=False)
STOP = 7


def scheduler(num_slots: int = 2) -> Scheduler:
    return Scheduler(num_slots, BUDGET, frozenset({STOP}))


def sequence(number: int, length: int = 3, limits: Limits = FREE) -> Sequence:
    return Sequence(number, [1] * length, limits)


def step(one: Scheduler, token_id: int = 1) -> tuple[Plan, list[Token]]:
    plan = one.plan()
    return plan, one.commit(plan, [token_id] * len(plan.decode))


def test_the_last_prompt_token_is_decoded_not_prefilled() -> None:
    """A prompt of three prefills two tokens and decodes the third in the same step."""
    one = scheduler()
    one.submit(sequence(0))
    plan, tokens = step(one)
    assert [chunk.token_ids for chunk in plan.prefill] == [(1, 1)]
    assert [decode.position for decode in plan.decode] == [2]
    assert tokens == [Token(0, 1, None)]


def test_a_long_prompt_is_prefilled_in_chunks() -> None:
    """Alone, a prompt of 40 takes chunks of the larger budget, then decodes its last token."""
    one = scheduler()
    one.submit(sequence(0, length=40))
    plans = [step(one)[0] for _ in range(3)]
    assert [len(chunk.token_ids) for plan in plans for chunk in plan.prefill] == [16, 16, 7]
    assert [len(plan.decode) for plan in plans] == [0, 0, 1]


def test_prefill_beside_a_running_sequence_is_short() -> None:
    """A sequence that decodes waits for the small budget only."""
    one = scheduler()
    one.submit(sequence(0))
    step(one)
    one.submit(sequence(1, length=40))
    plan, _ = step(one)
    assert [len(chunk.token_ids) for chunk in plan.prefill] == [4]
    assert len(plan.decode) == 1


def test_short_prompts_share_a_step() -> None:
    """Prompts that fit the budget together are prefilled in one step."""
    one = scheduler(num_slots=4)
    for number in range(4):
        one.submit(sequence(number, length=4))
    plan, _ = step(one)
    assert len(plan.prefill) == 4


def test_slots_go_in_order_of_arrival() -> None:
    """With one slot the second sequence starts when the first has ended."""
    one = scheduler(num_slots=1)
    for number in range(2):
        one.submit(sequence(number, limits=Limits(2, 1000, 0, False)))
    order = [token.sequence_id for _ in range(4) for token in step(one)[1]]
    assert order == [0, 0, 1, 1]


def test_the_end_token_is_the_last() -> None:
    """A stop id ends a sequence with reason stop and frees its slot at once."""
    one = scheduler()
    one.submit(sequence(0))
    _, tokens = step(one, STOP)
    assert tokens == [Token(0, STOP, "stop")]
    assert one.num_free_slots == 2


def test_the_limit_is_the_last() -> None:
    """max_output 2 ends with the second token and reason length."""
    one = scheduler()
    one.submit(sequence(0, limits=Limits(2, 1000, 0, False)))
    assert [step(one)[1][0].last for _ in range(2)] == [None, "length"]


def test_a_full_window_without_shift_ends() -> None:
    """Prompt 3 and window 5 leave two tokens."""
    one = scheduler()
    one.submit(sequence(0, limits=Limits(1000, 5, 0, False)))
    assert [step(one)[1][0].last for _ in range(2)] == [None, "length"]


def test_a_full_window_with_shift_drops_half_after_what_is_kept() -> None:
    """Window 10, keep 2: of ten tokens, four after the first two go, and six are run again."""
    one = scheduler()
    one.submit(Sequence(0, [20, 21, 22, 23, 24, 25, 26, 27, 28], Limits(1000, 10, 2, True)))
    step(one, 29)
    plan = one.plan()
    assert plan.release == (plan.decode[0].slot,)
    assert plan.prefill[0].start == 0
    assert plan.prefill[0].token_ids == (20, 21, 26, 27, 28)
    assert [(decode.position, decode.token_id) for decode in plan.decode] == [(5, 29)]


def test_cancelling_a_running_sequence_releases_its_slot_in_the_next_plan() -> None:
    """The slot is free at once; the runner hears of it before anything else."""
    one = scheduler(num_slots=1)
    one.submit(sequence(0))
    plan, _ = step(one)
    one.finish(0)
    one.submit(sequence(1))
    assert one.plan().release == (plan.decode[0].slot,)
    assert set(one.slots().values()) == {1}


def test_cancelling_a_waiting_sequence_means_it_never_runs() -> None:
    """It is gone from the queue, and the next in line is served."""
    one = scheduler(num_slots=1)
    for number in range(3):
        one.submit(sequence(number))
    step(one)
    one.finish(1)
    one.finish(0)
    assert [token.sequence_id for token in step(one)[1]] == [2]


def test_a_long_prompt_is_not_starved_by_short_ones() -> None:
    """While short prompts keep arriving, a long one still gets through."""
    one = scheduler(num_slots=3)
    one.submit(sequence(0))  # keeps the budget small
    step(one)
    one.submit(sequence(1, length=200))
    served = []
    for number in range(2, 400):
        one.submit(sequence(number, length=5, limits=Limits(1, 1000, 0, False)))
        served += [token.sequence_id for token in step(one)[1]]
    assert 1 in served


def test_a_limit_of_zero_or_less_is_ten_windows() -> None:
    """As Ollama bounds it; a larger explicit limit is cut to the same."""
    assert [bounded_output(one, 100) for one in (-2, -1, 0, 5, 5000)] == [1000, 1000, 1000, 5, 1000]


@given(
    slots=st.integers(1, 4),
    asks=st.lists(
        st.tuples(st.integers(1, 30), st.integers(1, 30), st.integers(31, 40), st.booleans()),
        min_size=1,
        max_size=8,
    ),
    cancelled=st.dictionaries(st.integers(0, 60), st.integers(0, 7), max_size=4),
)
def test_every_sequence_gets_all_its_tokens_once(
    slots: int, asks: list[tuple[int, int, int, bool]], cancelled: dict[int, int]
) -> None:
    """However sequences join, shift and leave, positions stay whole and slots come back.

    A model of the runner's caches checks each plan: what is decoded at a position has exactly
    that many tokens before it.
    """
    one = scheduler(slots)
    for number, (length, most, window, shift) in enumerate(asks):
        one.submit(Sequence(number, [1] * length, Limits(most, window, 2, shift)))
    cached: dict[int, int] = {}
    ended: set[int] = set()
    for now in range(4000):
        if now in cancelled:
            one.finish(cancelled[now])
            ended.add(cancelled[now])
        if not one.busy:
            break
        plan = one.plan()
        for slot in plan.release:
            cached.pop(slot, None)
        for chunk in plan.prefill:
            assert cached.get(chunk.slot, 0) == chunk.start
            cached[chunk.slot] = chunk.start + len(chunk.token_ids)
        for decode in plan.decode:
            assert cached.get(decode.slot, 0) == decode.position
            cached[decode.slot] = decode.position + 1
        assert len({decode.slot for decode in plan.decode}) == len(plan.decode)
        for token in one.commit(plan, [1] * len(plan.decode)):
            assert token.sequence_id not in ended
            if token.last:
                ended.add(token.sequence_id)
    assert one.num_free_slots == slots
    assert set(range(len(asks))) <= ended

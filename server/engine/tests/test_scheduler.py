"""Plans and commits, without a model: token n + 1 follows token n."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from ..plan import Chunk, Decode, Plan, Prefix, together
from ..scheduler import Budget, Limits, Scheduler, Sequence, Token, bounded_output

BUDGET = Budget(beside_decode=4, alone=16)
FREE = Limits(max_output=1000, window=1000, keep=0, shift=False)
STOP = 7


def scheduler(num_slots: int = 2) -> Scheduler:
    return Scheduler(num_slots, BUDGET, frozenset({STOP}))


def sequence(number: int, length: int = 3, limits: Limits = FREE) -> Sequence:
    return Sequence(number, [1] * length, limits)


def step(one: Scheduler, token_id: int = 1) -> tuple[Plan, list[Token]]:
    plan = one.plan()
    return plan, one.commit(dict.fromkeys(plan.draws, token_id))


def test_a_prompt_is_prefilled_whole_and_draws_its_first_token() -> None:
    """A prompt of three is one chunk; the token drawn behind it is decoded in the next step."""
    one = scheduler()
    one.submit(sequence(0))
    plan, tokens = step(one)
    assert plan == Plan((), (), (Chunk(0, 0, (1, 1, 1), draws=True),), ())
    assert tokens == [Token(0, 0, 1, None)]
    assert one.plan() == Plan((), (), (), (Decode(0, 3, 1),))


def test_a_prompt_of_one_token_is_decoded() -> None:
    """Nothing comes before it that would have to be prefilled."""
    one = scheduler()
    one.submit(sequence(0, length=1))
    assert one.plan() == Plan((), (), (), (Decode(0, 0, 1),))


def test_a_long_prompt_is_prefilled_in_chunks() -> None:
    """Alone, a prompt of 40 takes chunks of the larger budget, and draws from the last."""
    one = scheduler()
    one.submit(sequence(0, length=40))
    plans = [step(one)[0] for _ in range(3)]
    assert [len(chunk.token_ids) for plan in plans for chunk in plan.prefill] == [16, 16, 8]
    assert [plan.draws for plan in plans] == [(), (), (0,)]


def test_a_single_token_behind_the_budget_is_decoded_in_the_same_step() -> None:
    """A prompt of 17 fills the budget of 16; no chunk is made for the one token left."""
    one = scheduler()
    one.submit(sequence(0, length=17))
    plan = one.plan()
    assert [chunk.size for chunk in plan.prefill] == [16]
    assert plan.decode == (Decode(0, 16, 1),)
    assert plan.draws == (0,)


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
    assert tokens == [Token(0, 0, STOP, "stop")]
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
    assert plan.release == (plan.prefill[0].slot,)
    assert plan.prefill == (Chunk(0, 0, (20, 21, 26, 27, 28, 29), draws=True),)
    assert plan.decode == ()


def test_cancelling_a_running_sequence_releases_its_slot_in_the_next_plan() -> None:
    """The slot is free at once; the runner hears of it before anything else."""
    one = scheduler(num_slots=1)
    one.submit(sequence(0))
    plan, _ = step(one)
    one.finish(0)
    one.submit(sequence(1))
    assert one.plan().release == plan.draws
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


def keeper(num_kept: int, num_slots: int = 2) -> Scheduler:
    """A scheduler beside a prompt cache that has so many of any sequence's first tokens."""
    return Scheduler(
        num_slots, BUDGET, frozenset({STOP}), lambda token_ids: min(num_kept, len(token_ids))
    )


def test_kept_tokens_are_not_prefilled() -> None:
    """A prompt of 45 with 40 kept ones prefills five."""
    one = keeper(40)
    one.submit(sequence(0, length=45))
    assert one.plan() == Plan((), (Prefix(0, (1,) * 40),), (Chunk(0, 40, (1,) * 5, True),), ())


def test_one_token_is_always_computed() -> None:
    """A prompt that is kept whole reuses all but its last token and prefills nothing."""
    one = keeper(1000)
    one.submit(sequence(0, length=45))
    plan = one.plan()
    assert [len(each.token_ids) for each in plan.reuse] == [44]
    assert plan.prefill == ()
    assert plan.decode == (Decode(plan.reuse[0].slot, 44, 1),)


def test_a_few_kept_tokens_are_not_worth_copying() -> None:
    """31 are prefilled."""
    one = keeper(31)
    one.submit(sequence(0, length=45))
    assert one.plan().reuse == ()


def test_a_prompt_that_is_kept_meanwhile_is_reused_half_way() -> None:
    """Of two equal prompts the second is prefilled from the first's tokens, once they are kept."""
    kept: list[int] = []
    one = Scheduler(2, Budget(64, 64), frozenset({STOP}), lambda _: sum(kept))
    for number in range(2):
        one.submit(sequence(number, length=300))
    for _ in range(5):
        step(one)
        kept += [len(each.token_ids) for each in one.worth_keeping()]
    assert kept == [300]
    plan = one.plan()
    assert [len(each.token_ids) for each in plan.reuse] == [299]
    assert len(plan.decode) == 2


def test_one_of_many_equal_prompts_is_computed_and_the_others_wait_for_it() -> None:
    """Beside a decode with a small budget, too: no ageing makes the others compute it as well."""
    kept: list[int] = []
    one = Scheduler(4, BUDGET, frozenset({STOP}), lambda _: max(kept, default=0))
    one.submit(Sequence(0, [2, 3], FREE))
    step(one)
    for number in range(1, 4):
        one.submit(sequence(number, length=200))
    computed = 0
    for _ in range(60):
        plan, _ = step(one)
        kept += [len(each.token_ids) for each in one.worth_keeping()]
        computed += sum(len(chunk.token_ids) for chunk in plan.prefill)
    assert computed == 200
    assert len(one.plan().decode) == 4


def test_without_a_prompt_cache_equal_prompts_do_not_wait_for_each_other() -> None:
    """Both are prefilled in one step."""
    one = Scheduler(2, Budget(100, 100), frozenset({STOP}))
    for number in range(2):
        one.submit(sequence(number, length=50))
    assert len(one.plan().prefill) == 2


def test_a_slot_that_shifts_and_ends_is_released_once() -> None:
    """A stop string may come with the token that fills the window."""
    one = scheduler()
    one.submit(Sequence(0, [20, 21, 22], Limits(1000, 4, 2, True)))
    step(one, 29)
    one.finish(0)
    assert len(one.plan().release) == 1


def test_many_hits_do_not_stall_a_running_sequence() -> None:
    """Copying counts as prefill: of eight whole hits of 300 tokens two fit beside a decode."""
    one = keeper(300, num_slots=9)
    one.submit(sequence(0))
    step(one)
    for number in range(1, 9):
        one.submit(sequence(number, length=300))
    assert len(one.plan().reuse) == 2


def test_a_prompt_is_worth_keeping_at_its_first_token_and_a_sequence_at_its_end() -> None:
    """The last token of an answer is in no KV cache, so it is not kept."""
    one = scheduler()
    one.submit(Sequence(0, [1, 2, 3], Limits(3, 1000, 0, False)))
    kept = []
    for token_id in (4, 5, 6):
        step(one, token_id)
        kept += [each.token_ids for each in one.worth_keeping()]
    assert kept == [(1, 2, 3), (1, 2, 3, 4, 5)]


def test_a_cancelled_prompt_is_worth_keeping_as_far_as_it_came() -> None:
    """Sixteen of forty tokens, before its slot is released."""
    one = scheduler()
    one.submit(sequence(0, length=40))
    step(one)
    one.finish(0)
    assert [each.token_ids for each in one.worth_keeping()] == [(1,) * 16]
    assert one.worth_keeping() == ()
    assert len(one.plan().release) == 1


def test_a_limit_of_zero_or_less_is_ten_windows() -> None:
    """As Ollama bounds it; a larger explicit limit is cut to the same."""
    assert [bounded_output(one, 100) for one in (-2, -1, 0, 5, 5000)] == [1000, 1000, 1000, 5, 1000]


@given(
    slots=st.integers(1, 4),
    asks=st.lists(
        st.tuples(st.integers(1, 90), st.integers(1, 30), st.integers(91, 100), st.booleans()),
        min_size=1,
        max_size=8,
    ),
    cancelled=st.dictionaries(st.integers(0, 60), st.integers(0, 7), max_size=4),
    num_kept=st.lists(st.integers(0, 100), min_size=1, max_size=5),
    stops=st.sets(st.integers(0, 60), max_size=4),
    queues=st.booleans(),
)
def test_every_sequence_gets_all_its_tokens_once(
    slots: int,
    asks: list[tuple[int, int, int, bool]],
    cancelled: dict[int, int],
    num_kept: list[int],
    stops: set[int],
    queues: bool,
) -> None:
    """However sequences join, hit, shift and leave, positions stay whole and slots come back.

    Steps are made ahead wherever that is allowed, and run before or after the tokens of the one
    in flight are known.
    """
    kept = itertools.cycle(num_kept)
    one = Scheduler(slots, BUDGET, frozenset({STOP}), lambda ids: min(next(kept), len(ids)))
    for number, (length, most, window, shift) in enumerate(asks):
        one.submit(Sequence(number, [1] * length, Limits(most, window, 2, shift)))
    caches, ended = Caches(), set[int]()
    in_flight: Plan | None = None
    for now in range(4000):
        if now in cancelled:
            one.finish(cancelled[now])
            ended.add(cancelled[now])
        if not one.busy and in_flight is None:
            break
        caches.check_kept(one.worth_keeping())
        plan = in_flight or caches.ran(one.plan())
        ahead = one.ahead()
        if ahead and queues:
            caches.ran(ahead)
        token_id = STOP if now in stops else 1
        for token in one.commit(dict.fromkeys(plan.draws, token_id)):
            assert token.sequence_id not in ended
            if token.last:
                ended.add(token.sequence_id)
        if ahead and not queues:
            ahead = caches.ran(ahead) if one.keeps else None
        in_flight = ahead
    assert one.num_free_slots == slots
    assert set(range(len(asks))) <= ended


class Caches:
    """How many tokens each slot has, as the runner would: checks the plans that it runs."""

    def __init__(self) -> None:
        self._lengths: dict[int, int] = {}

    def ran(self, plan: Plan) -> Plan:
        """What is decoded at a position has exactly that many tokens before it."""
        for slot in plan.release:
            self._lengths.pop(slot, None)
        for prefix in plan.reuse:
            self._lengths[prefix.slot] = len(prefix.token_ids)
        for chunk in plan.prefill:
            assert self._lengths.get(chunk.slot, 0) == chunk.start
            self._lengths[chunk.slot] = chunk.start + len(chunk.token_ids)
        for decode in plan.decode:
            assert self._lengths.get(decode.slot, 0) == decode.position
            self._lengths[decode.slot] = decode.position + 1
        started = {chunk.slot for chunk in plan.prefill} | {each.slot for each in plan.decode}
        assert {prefix.slot for prefix in plan.reuse} <= started
        assert len({decode.slot for decode in plan.decode}) == len(plan.decode)
        return plan

    def check_kept(self, prefixes: tuple[Prefix, ...]) -> None:
        """What is to be kept is there."""
        for prefix in prefixes:
            assert self._lengths.get(prefix.slot, 0) >= len(prefix.token_ids)


def test_a_step_ahead_is_that_of_all_running_sequences() -> None:
    """While one token is on its way, the next one's place is known."""
    one = scheduler()
    one.submit(sequence(0))
    step(one)
    plan = one.plan()
    assert one.ahead() == Plan((), (), (), (Decode(0, 4, None),))
    one.commit(dict.fromkeys(plan.draws, 1))
    assert one.keeps


def test_no_step_is_made_ahead_of_what_comes_first() -> None:
    """One that just drew from its prompt, that waits, has a prompt left or is full is seen to."""
    one = scheduler()
    one.submit(sequence(0))
    step(one)
    assert one.plan().draws
    one.submit(sequence(1, length=40))
    assert one.ahead() is None
    one.plan()
    assert one.ahead() is None
    drawing = scheduler()
    drawing.submit(sequence(0))
    assert drawing.plan().draws
    assert drawing.ahead() is None
    full = scheduler()
    limits = Limits(max_output=1, window=10, keep=0, shift=False)
    full.submit(sequence(0, length=1, limits=limits))
    full.plan()
    assert full.ahead() is None


def test_an_end_makes_the_step_ahead_the_wrong_one() -> None:
    """The row of a sequence that got its end token must leave first."""
    one = scheduler()
    one.submit(sequence(0))
    step(one)
    plan = one.plan()
    assert one.ahead() is not None
    one.commit(dict.fromkeys(plan.draws, STOP))
    assert not one.keeps


@given(st.lists(st.tuples(st.sampled_from([0, 0, 64]), st.integers(1, 300)), max_size=12))
def test_chunks_that_share_a_pass_are_beginnings_of_nearly_one_length(
    wanted: list[tuple[int, int]],
) -> None:
    """Every chunk is in one pass; what is padded is little, and what goes on goes alone."""
    chunks = [Chunk(slot, start, (1,) * size) for slot, (start, size) in enumerate(wanted)]
    passes = together(chunks)
    assert sorted(one.slot for group in passes for one in group) == list(range(len(chunks)))
    for group in passes:
        sizes = [one.size for one in group]
        assert len(group) == 1 or all(one.start == 0 for one in group)
        assert max(sizes) - min(sizes) <= max(8, max(sizes) / 4)


def test_prompts_of_one_length_share_a_pass() -> None:
    """Eight short prompts read the weights once."""
    chunks = [Chunk(slot, 0, (1,) * (20 + slot)) for slot in range(8)]
    assert len(together(chunks)) == 1

"""Kept prefixes, seen through the engine: a hit is a cold run that took less time."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import mlx.core as mx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ..drawing import Draw
from ..engine import Engine
from ..kept_kv import KeptKV
from ..kv_format import shape_as
from ..loader import load
from ..plan import Plan
from ..runner import Runner
from ..sampling import Sampler
from ..scheduler import Budget, Limits, Scheduler, Sequence
from ..sequence import Ask, EngineSettings, Failed, Finished, ModelSource, Piece, Sampling
from . import tiny

GREEDY = Sampling(temperature=0)
WARM = Sampling(temperature=1.5, top_k=0, top_p=1.0, seed=11)
LONG = tuple(range(100)) + tuple(range(50, 150))


@pytest.fixture(scope="module")
def cold(tiny_gguf: Path) -> Iterator[Engine]:
    """The tiny model without a prompt cache."""
    settings = EngineSettings(num_parallel=4, prompt_cache_bytes=0)
    engine = Engine.load(ModelSource(gguf=tiny_gguf), settings)
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def tight(tiny_gguf: Path) -> Iterator[Engine]:
    """The tiny model with room for some 300 tokens, so that prefixes come and go."""
    settings = EngineSettings(num_parallel=4, prompt_cache_bytes=300 * 512)
    engine = Engine.load(ModelSource(gguf=tiny_gguf), settings)
    yield engine
    engine.close()


@pytest.fixture
def plans(monkeypatch: pytest.MonkeyPatch) -> list[Plan]:
    """Every plan that any engine runs during the test."""
    return _recorded(monkeypatch)


def _recorded(monkeypatch: pytest.MonkeyPatch) -> list[Plan]:
    ran: list[Plan] = []
    launch = Runner.launch

    def record(self: Runner, plan: Plan, *rest: object, **more: object) -> object:
        ran.append(plan)
        return launch(self, plan, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(Runner, "launch", record)
    return ran


async def say(engine: Engine, ask: Ask) -> tuple[str, str, int, int]:
    """The text, and how it ended: reason, prompt tokens, output tokens."""
    async with engine.submit(ask) as events:
        *pieces, last = [event async for event in events]
    assert isinstance(last, Finished)
    text = "".join(piece.text for piece in pieces if isinstance(piece, Piece))
    return text, last.reason, last.prompt_tokens, last.output_tokens


def computed(plans: list[Plan]) -> int:
    """The prompt tokens that were prefilled; one alone is decoded, and not counted."""
    return sum(len(chunk.token_ids) for plan in plans for chunk in plan.prefill)


def reused(plans: list[Plan]) -> list[int]:
    """The lengths of the hits."""
    return [len(prefix.token_ids) for plan in plans for prefix in plan.reuse]


async def test_the_same_prompt_again_computes_one_token(engine: Engine, plans: list[Plan]) -> None:
    """Nothing is prefilled, and all prompt tokens are counted as before."""
    ask = Ask(LONG, GREEDY, num_predict=10)
    first = await say(engine, ask)
    plans.clear()
    assert await say(engine, ask) == first
    assert (computed(plans), reused(plans)) == (0, [len(LONG) - 1])
    assert first[2] == len(LONG)


async def test_the_next_turn_computes_only_what_is_new(engine: Engine, plans: list[Plan]) -> None:
    """Prompt and answer are kept: what follows them is prefilled."""
    prompt = tuple(range(60, 120))
    text, _, _, num_output = await say(engine, Ask(prompt, GREEDY, num_predict=20))
    answer = tuple(engine.tokenizer.encode(text))
    kept = await _kept(engine, prompt)
    plans.clear()
    await say(engine, Ask((*prompt, *kept, 7, 8, 9), GREEDY, num_predict=1))
    assert len(kept) == num_output - 1
    assert answer[:3] == kept[:3]
    assert computed(plans) == 3


async def _kept(engine: Engine, prompt: tuple[int, ...]) -> tuple[int, ...]:
    """The answer's tokens but the last, which was never computed."""
    async with engine.submit(Ask(prompt, GREEDY, num_predict=20)) as events:
        pieces = [event async for event in events if isinstance(event, Piece)]
    return tuple(one for piece in pieces for one in piece.ids)[:-1]


async def test_prompts_that_share_a_beginning_share_its_kv(
    engine: Engine, plans: list[Plan]
) -> None:
    """The second of two prompts that part after 100 tokens starts there."""
    shared = tuple(reversed(range(100)))
    await say(engine, Ask((*shared, 1, 2, 3), GREEDY, num_predict=1))
    plans.clear()
    await say(engine, Ask((*shared, 4, 5, 6), GREEDY, num_predict=1))
    assert reused(plans) == [100]
    assert computed(plans) == 3


async def test_a_cancelled_prompt_is_not_computed_twice(engine: Engine, plans: list[Plan]) -> None:
    """What a client that left had computed serves the next one."""
    prompt = tuple(range(10, 90))
    async with engine.submit(Ask(prompt, GREEDY, num_predict=100_000)) as events:
        await anext(events)
    plans.clear()
    await say(engine, Ask(prompt, GREEDY, num_predict=1))
    assert reused(plans) == [len(prompt) - 1]


async def test_a_budget_of_nothing_reuses_nothing(cold: Engine, plans: list[Plan]) -> None:
    """Each time all of the prompt is computed."""
    for _ in range(2):
        await say(cold, Ask(LONG, GREEDY, num_predict=1))
    assert (reused(plans), computed(plans)) == ([], 2 * len(LONG))


@pytest.mark.parametrize("sampling", [GREEDY, WARM], ids=["greedy", "sampled"])
async def test_sharers_together_equal_sharers_apart(
    engine: Engine, cold: Engine, sampling: Sampling
) -> None:
    """Twelve requests with one beginning, at once in four slots, and each alone without a cache."""
    shared = tuple(range(30, 160))
    asks = [Ask((*shared, *tail), sampling, num_predict=20) for tail in tiny.prompts(12)]
    apart = [await say(cold, ask) for ask in asks]
    together = await asyncio.gather(*(say(engine, ask) for ask in asks))
    again = await asyncio.gather(*(say(engine, ask) for ask in asks))
    assert [*together] == [*again] == apart


@st.composite
def families(draw: st.DrawFn) -> list[list[Ask]]:
    """Rounds of requests whose prompts share beginnings; those of a round arrive together."""
    made: list[tuple[int, ...]] = [tuple(range(64))]
    rounds = []
    for _ in range(draw(st.integers(1, 4))):
        asks = []
        for _ in range(draw(st.integers(1, 3))):
            base = draw(st.sampled_from(made))
            start = base[: draw(st.integers(1, len(base)))]
            made.append((*start, *draw(st.lists(st.integers(0, 255), max_size=60))))
            window = draw(st.sampled_from([200, len(made[-1]) + 5]))
            ask = Ask(
                prompt_ids=made[-1][:150],
                sampling=draw(st.sampled_from([GREEDY, WARM])),
                num_predict=draw(st.integers(1, 12)),
                num_ctx=window,
                shift=draw(st.booleans()),
            )
            asks.append(ask)
        rounds.append(asks)
    return rounds


# the same examples each time: two nearly equal logits may come out the other way round
@settings(derandomize=True, deadline=None, max_examples=60)
@given(rounds=families(), leaves=st.integers(0, 3))
def test_a_hit_says_what_a_cold_run_says(
    engine: Engine, cold: Engine, tight: Engine, rounds: list[list[Ask]], leaves: int
) -> None:
    """In any order and company, with room for all prefixes or for few, shifts and departures."""

    async def depart(one: Engine, ask: Ask) -> None:
        async with one.submit(ask) as events:
            for _ in range(leaves):
                await anext(events, None)

    async def compare() -> None:
        for asks in rounds:
            expected = [await say(cold, ask) for ask in asks]
            for one in (engine, tight):
                *_, said = await asyncio.gather(
                    depart(one, asks[0]), asyncio.gather(*(say(one, ask) for ask in asks))
                )
                assert said == expected

    asyncio.run(compare())


def test_a_hit_has_nearly_the_logits_of_a_cold_run(tiny_gguf: Path) -> None:
    """What differs is the last bits: other products of the same numbers."""
    source = ModelSource(gguf=tiny_gguf)

    async def score(engine: Engine) -> list[float]:
        ask = Ask(LONG, GREEDY, num_predict=1, top_logprobs=5)
        async with engine.submit(ask) as events:
            pieces = [event async for event in events if isinstance(event, Piece)]
        return [value for *_, value in pieces[0].logprobs[0].top]

    async def compare() -> tuple[list[float], list[float]]:
        engine = await asyncio.to_thread(Engine.load, source, EngineSettings())
        try:
            return await score(engine), await score(engine)
        finally:
            await asyncio.to_thread(engine.close)

    cold, hit = asyncio.run(compare())
    assert hit == pytest.approx(cold, abs=1e-4)


@pytest.fixture
def exact_memory() -> Iterator[None]:
    """No freed buffer is used again for a little less, so that active memory is what is held."""
    limit = mx.set_cache_limit(0)
    yield
    mx.set_cache_limit(limit)


@pytest.mark.usefixtures("exact_memory")
@pytest.mark.parametrize("kv_type", ["f16", "q8_0", "q4_0"])
def test_kept_prefixes_take_the_memory_that_is_counted(tmp_path: Path, kv_type: str) -> None:
    """Two prompts that share 100 tokens: 203 tokens in MLX's memory, and none after a reset."""
    loaded = load(ModelSource(gguf=tiny.write_wide_gguf(tmp_path / "wide.gguf")), 1)
    loaded = replace(loaded, kv=shape_as(loaded.kv, kv_type))
    runner = Runner(loaded, 1 << 20)
    _run_alone(runner, (1, 2, 3))  # the model's own constants are made at its first use
    gc.collect()
    before = mx.get_active_memory()
    for prompt in (LONG, (*LONG[:100], 7, 8, 9)):
        _run_alone(runner, prompt)
    kept = mx.get_active_memory() - before
    runner.reset()
    assert kept == pytest.approx((len(LONG) + 3) * loaded.kv.bytes_per_token, abs=1000)
    assert mx.get_active_memory() == before


def _run_alone(runner: Runner, prompt: tuple[int, ...]) -> None:
    """One token of one sequence, and the step after it, which releases its slot."""
    scheduler = Scheduler(1, Budget(256, 256), frozenset(), runner.num_kept)
    scheduler.submit(Sequence(0, [*prompt], Limits(1, 512, 0, False)))
    draw = Draw(Sampler(GREEDY, prompt), None)
    while scheduler.busy:
        for prefix in scheduler.worth_keeping():
            runner.keep(prefix)
        step = runner.launch(scheduler.plan(), dict.fromkeys(range(1), draw))
        if step is not None:
            drawn = runner.collect(step)
            scheduler.commit({slot: one.token_id for slot, one in drawn.items()})


async def test_unloading_frees_the_kept_prefixes(tiny_gguf: Path) -> None:
    """After close MLX holds what it held before the load."""
    gc.collect()
    before = mx.get_active_memory()
    engine = await asyncio.to_thread(Engine.load, ModelSource(gguf=tiny_gguf), EngineSettings())
    await say(engine, Ask(LONG, GREEDY, num_predict=1))
    await say(engine, Ask(LONG, GREEDY, num_predict=1))
    await asyncio.to_thread(engine.close)
    gc.collect()
    assert mx.get_active_memory() == before


def test_a_cut_holds_no_bytes_of_the_rest() -> None:
    """After the whole is dropped MLX holds the cut only."""
    gc.collect()
    before = mx.get_active_memory()
    part = KeptKV.copied([(mx.ones((1, 2, 4096, 16)), mx.ones((1, 2, 4096, 16)))]).cut(10, 20)
    assert [one.shape for one in part.arrays] == [(1, 2, 10, 16)] * 2
    assert mx.get_active_memory() - before < 2 * sum(one.nbytes for one in part.arrays)


async def test_after_a_failed_step_nothing_is_kept(
    tiny_gguf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory may have been what failed: the kept prefixes go, and the same prompt runs cold."""
    engine = await asyncio.to_thread(Engine.load, ModelSource(gguf=tiny_gguf), EngineSettings())
    try:
        expected = await say(engine, Ask(LONG, GREEDY, num_predict=5))
        with monkeypatch.context() as patch:
            patch.setattr(Runner, "launch", _explode)
            async with engine.submit(Ask(LONG, GREEDY, num_predict=5)) as events:
                assert isinstance(await anext(events), Failed)
        ran = _recorded(monkeypatch)
        assert await say(engine, Ask(LONG, GREEDY, num_predict=5)) == expected
    finally:
        await asyncio.to_thread(engine.close)
    assert reused(ran) == []


def _explode(*_: object) -> None:
    raise RuntimeError("out of memory")

"""The memory of requests: what they may take together, and what becomes of a lack of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import mlx.core as mx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ...memory import Account, Ledger, Use
from ..batch_cache import BatchCache
from ..cache import FillingCache
from ..drawing import Draw
from ..engine import Engine
from ..failures import failure_message, is_out_of_memory
from ..loader import KVShape
from ..runner import Runner
from ..sequence import Ask, EngineSettings, Event, Failed, Finished, ModelSource, Piece, Sampling
from ..share import most_held
from ..text import TextStream
from . import tiny

GREEDY = Sampling(temperature=0)
WARM = Sampling(temperature=1.5, top_k=0, seed=11)
PROMPT = (1, 2, 3, 70, 80, 90)
OOM = "[malloc] Unable to allocate 12345 bytes."


@pytest.fixture
async def engine(tiny_gguf: Path) -> AsyncIterator[Engine]:
    """An engine of four slots."""
    settings = EngineSettings(num_parallel=4)
    loaded = await asyncio.to_thread(Engine.load, ModelSource(gguf=tiny_gguf), settings)
    yield loaded
    await asyncio.to_thread(loaded.close)


def joined(engine: Engine, budget_bytes: int, num_ctx: int = 256) -> Account:
    """The engine's account under a budget."""
    account = Ledger(budget_bytes).open()
    account.settle(engine.footprint, num_ctx)
    engine.join(account)
    return account


async def answer(engine: Engine, ask: Ask) -> tuple[str, Event]:
    """The text and the last event of a generation."""
    async with engine.submit(ask) as events:
        read = [event async for event in events]
    return "".join(one.text for one in read if isinstance(one, Piece)), read[-1]


GROWTH = st.tuples(st.integers(1, 2000), st.integers(0, 1000), st.integers(1, 700), st.booleans())


@settings(deadline=None, max_examples=25)
@given(st.lists(GROWTH, min_size=1, max_size=8))
def test_the_batch_takes_no_more_than_was_booked(rows: list[tuple[int, int, int, bool]]) -> None:
    """Within a tenth, however its rows grow, and whichever of them leave before others join."""
    shape = KVShape(num_layers=1, num_heads=1, head_dim=1, dtype=mx.float32)
    batch = BatchCache(shape)
    limits: dict[int, int] = {}
    for slot, (most, length, num_steps, leaves) in enumerate(rows):
        limits[slot] = most
        booked = max(batch.nbytes, most_held([*limits.values()]) * shape.bytes_per_token)
        cache = FillingCache(shape)
        if length := min(length, most - 1):
            keys = mx.zeros((1, 1, length, 1))
            cache.update_and_fetch(keys, keys)
        batch.join_all({slot: [cache] if length else []})
        for _ in range(num_steps):
            if any(batch.length(each) + 1 >= limit for each, limit in limits.items()):
                break
            batch.begin_step()
            batch.end_step()
            assert batch.nbytes <= 1.1 * booked
        if leaves:
            batch.leave_all([slot])
            del limits[slot]


async def test_requests_wait_where_their_kv_would_not_fit(engine: Engine) -> None:
    """Under a budget for one of them at a time, all four get what they get alone."""
    asks = [Ask(one, GREEDY, num_predict=20, num_ctx=256) for one in tiny.prompts(4)]
    apart = [(await answer(engine, ask))[0] for ask in asks]
    account = joined(engine, engine.footprint.smallest(256))
    together = await asyncio.gather(*(answer(engine, ask) for ask in asks))
    assert [text for text, _ in together] == apart
    assert account.booked(Use.KV) == engine.footprint.window(256)


async def test_kept_prompts_make_room_for_a_request(engine: Engine) -> None:
    """Two run at once only when what was kept is given up."""
    two = engine.footprint.smallest(256) + engine.footprint.window(256)
    account = joined(engine, two)
    await answer(engine, Ask(PROMPT * 20, GREEDY, num_predict=20, num_ctx=256))
    before = account.booked(Use.PROMPT_CACHE)
    asks = [Ask(one, GREEDY, num_predict=100, num_ctx=256) for one in tiny.prompts(2)]
    await asyncio.gather(*(answer(engine, ask) for ask in asks))
    assert before > 0
    assert account.total_bytes <= two


async def test_what_is_given_back_is_free(engine: Engine) -> None:
    """Kept prompts leave the account and the machine's memory."""
    account = joined(engine, 1 << 40)
    await answer(engine, Ask(PROMPT * 20, GREEDY, num_predict=5, num_ctx=256))
    for _ in range(2):
        await engine.give_back(0)  # between the two lies the step that keeps the whole of it
    kept, active = account.booked(Use.PROMPT_CACHE), mx.get_active_memory()
    await engine.give_back(kept)
    assert kept > 0
    assert account.booked(Use.PROMPT_CACHE) == 0
    async with asyncio.timeout(5):  # MLX's own thread lets go of an array a moment later
        while mx.get_active_memory() > active - kept:
            await asyncio.sleep(0.001)


async def test_out_of_memory_fails_the_request_that_came_last(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one that ran goes on as if nothing had been, and the next one is answered."""
    first, second = (Ask(one, WARM, num_predict=60, num_ctx=256) for one in tiny.prompts(2, seed=9))
    alone = await answer(engine, first)
    collect = Runner.collect
    failed = False

    def collect_or_fail(self: Runner, step: object) -> object:
        nonlocal failed
        if len(step.slots) == 2 and not failed:  # type: ignore[attr-defined]
            failed = True
            raise RuntimeError(OOM)
        return collect(self, step)  # type: ignore[arg-type]

    monkeypatch.setattr(Runner, "collect", collect_or_fail)
    async with engine.submit(first) as events:
        pieces = [await anext(events)]
        late = await answer(engine, second)
        pieces += [event async for event in events]
    assert late[1] == Failed(failure_message(RuntimeError(OOM)), 500)
    assert "".join(one.text for one in pieces if isinstance(one, Piece)) == alone[0]
    assert isinstance((await answer(engine, second))[1], Finished)


async def test_a_row_whose_sampler_fails_fails_alone(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its neighbours get what they get alone."""
    asks = [Ask(one, WARM, num_predict=30) for one in tiny.prompts(3)]
    apart = [(await answer(engine, ask))[0] for ask in asks]
    bad = Ask(PROMPT, WARM, num_predict=30, top_logprobs=7)
    choose = Draw.choose

    def choose_or_fail(self: Draw, *arguments: object) -> int:
        if self.num_top == 7:
            raise ValueError("no token is left")
        return choose(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Draw, "choose", choose_or_fail)
    got = await asyncio.gather(*(answer(engine, ask) for ask in [bad, *asks]))
    assert got[0][1] == Failed(failure_message(ValueError("no token is left")), 500)
    assert [text for text, _ in got[1:]] == apart


async def test_a_row_whose_text_fails_fails_alone(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its neighbours get what they get alone."""
    asks = [Ask(one, GREEDY, num_predict=30) for one in tiny.prompts(3)]
    apart = [(await answer(engine, ask))[0] for ask in asks]
    feed = TextStream.feed
    victim: list[TextStream] = []

    def feed_or_fail(self: TextStream, *arguments: object) -> object:
        if not victim:
            victim.append(self)
        if self is victim[0]:
            raise ValueError("no such token")
        return feed(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(TextStream, "feed", feed_or_fail)
    got = await asyncio.gather(*(answer(engine, ask) for ask in [*asks, asks[0]]))
    failed = [last for _, last in got if isinstance(last, Failed)]
    assert len(failed) == 1
    assert {text for text, last in got if isinstance(last, Finished)} <= set(apart)


async def test_a_request_that_cannot_begin_fails_alone(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine's thread goes on."""
    with monkeypatch.context() as patch:
        patch.setattr(TextStream, "__init__", lambda *_: 1 / 0)
        _, last = await answer(engine, Ask(PROMPT, GREEDY, num_predict=5))
    assert isinstance(last, Failed)
    assert isinstance((await answer(engine, Ask(PROMPT, GREEDY, num_predict=5)))[1], Finished)


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError(OOM),
        RuntimeError("[metal::malloc] Attempting to allocate 7 bytes which is greater than ..."),
        RuntimeError("[METAL] Command buffer execution failed: Insufficient Memory (00000008:...)"),
        RuntimeError("cudaMalloc failed: out of memory"),
        MemoryError(),
    ],
)
def test_a_lack_of_memory_is_told_in_one_way(error: Exception) -> None:
    """Whatever allocator found it; clients look for these words (llm/status.go)."""
    assert is_out_of_memory(error)
    assert failure_message(error) == (
        "an error was encountered while running the model: out of memory"
    )


def test_another_failure_is_told_as_it_is() -> None:
    """After the original's words (ERR-037)."""
    told = failure_message(ValueError("no"))
    assert told == "an error was encountered while running the model: no"

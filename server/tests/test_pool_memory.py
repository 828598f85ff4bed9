"""Which models are loaded where memory is short."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from ..errors import ApiError
from ..memory import Footprint, Use
from .pools import Loads, Make, gone, making, names, settled, use, wanted


@pytest.fixture
def loads() -> Loads:
    """What the pool loads with."""
    return Loads()


@pytest.fixture
async def make(loads: Loads) -> AsyncIterator[Make]:
    """Makes a pool."""
    async with making(loads) as make:
        yield make


async def test_a_model_that_does_not_fit_beside_another_takes_its_place(
    make: Make, loads: Loads
) -> None:
    """Memory is booked before it is taken."""
    pool = make(memory_bytes=100)
    loads.footprints = {"a": Footprint(60), "b": Footprint(60)}
    await use(pool, wanted("a"))
    await use(pool, wanted("b"))
    assert names(pool) == {"b"}
    assert pool.ledger.booked_bytes == 60


async def test_a_newcomer_takes_four_fifths_of_what_is_free_at_most(
    make: Make, loads: Loads
) -> None:
    """As the original has it: 40 are free, 33 are more than 80 % of them (SCHED-009)."""
    pool = make(memory_bytes=100)
    loads.footprints = {"a": Footprint(60), "b": Footprint(33), "c": Footprint(32)}
    await use(pool, wanted("a"))
    await use(pool, wanted("c"))
    assert names(pool) == {"a", "c"}
    pool.unload("c")
    await gone(pool, "c")
    await use(pool, wanted("b"))
    assert names(pool) == {"b"}


async def test_a_model_that_can_never_fit_is_refused_and_evicts_nobody(
    make: Make, loads: Loads
) -> None:
    """In the words that clients look for."""
    pool = make(memory_bytes=3 * 2**30)
    loads.footprints = {"a": Footprint(2**30), "big": Footprint(4 * 2**30, 1000)}
    await use(pool, wanted("a"))
    with pytest.raises(ApiError) as refused:
        await use(pool, wanted("big"))
    assert str(refused.value) == (
        "model requires more system memory (4.0 GiB) than is available (3.0 GiB)"
    )
    assert refused.value.status == 500
    assert (names(pool), loads.sources) == ({"a"}, ["a"])


async def test_kept_prompts_are_given_back_before_a_model_is_unloaded(
    make: Make, loads: Loads
) -> None:
    """As much of them as is needed, and no more."""
    pool = make(memory_bytes=100)
    loads.footprints = {"a": Footprint(40), "b": Footprint(40)}
    async with pool.acquire(wanted("a")) as loaded:
        assert loaded.account.book_prompt_cache(30) == 30
    await use(pool, wanted("b"))
    assert names(pool) == {"a", "b"}
    assert loaded.account.booked(Use.PROMPT_CACHE) == 10


async def test_a_newcomer_waits_for_a_busy_model_in_its_place(make: Make, loads: Loads) -> None:
    """Requests in flight are not interrupted for lack of memory."""
    pool = make(memory_bytes=100)
    loads.footprints = {"a": Footprint(60), "b": Footprint(60)}
    async with pool.acquire(wanted("a")):
        other = asyncio.create_task(use(pool, wanted("b")))
        await settled()
        assert not other.done()
    await other
    assert names(pool) == {"b"}


async def test_a_failed_load_gives_its_memory_back(make: Make, loads: Loads) -> None:
    """Nothing stays booked."""
    pool = make(memory_bytes=100)
    loads.footprints = {"bad": Footprint(60)}
    with pytest.raises(ApiError):
        await use(pool, wanted("bad"))
    assert pool.ledger.booked_bytes == 0


async def test_a_larger_window_is_reserved_where_there_is_room(make: Make, loads: Loads) -> None:
    """The model stays, and takes more."""
    pool = make(memory_bytes=10_000)
    loads.footprints = {"a": Footprint(10, 1)}
    await use(pool, replace(wanted("a"), num_ctx=256))
    await use(pool, replace(wanted("a"), num_ctx=1024))
    assert loads.sources == ["a"]
    assert pool.loaded[0].account.booked(Use.KV) == 1024


async def test_a_window_that_can_never_fit_is_refused_and_the_model_stays(
    make: Make, loads: Loads
) -> None:
    """It serves smaller ones."""
    pool = make(memory_bytes=1000)
    loads.footprints = {"a": Footprint(10, 1)}
    await use(pool, replace(wanted("a"), num_ctx=256))
    with pytest.raises(ApiError, match="model requires more system memory"):
        await use(pool, replace(wanted("a"), num_ctx=1024))
    assert names(pool) == {"a"}


async def test_a_larger_window_that_needs_anothers_room_reloads_the_model(
    make: Make, loads: Loads
) -> None:
    """As the original does for any other window (SCHED-012)."""
    pool = make(memory_bytes=1000)
    loads.footprints = {"a": Footprint(10, 1), "b": Footprint(500)}
    await use(pool, replace(wanted("a"), num_ctx=256))
    await use(pool, wanted("b"))
    async with asyncio.timeout(10):
        await use(pool, replace(wanted("a"), num_ctx=512))
    assert loads.sources == ["a", "b", "a"]
    assert names(pool) == {"a"}

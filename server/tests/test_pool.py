"""Loading, keeping and unloading models."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from ..durations import NEVER_NS, SECOND_NS
from ..errors import ApiError
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


async def test_a_model_is_loaded_once_for_all(make: Make, loads: Loads) -> None:
    """Requests for a loading model wait together."""
    pool = make()
    await asyncio.gather(*(use(pool, wanted("a")) for _ in range(5)))
    assert loads.sources == ["a"]


async def test_a_model_stays_while_its_keep_alive_lasts(make: Make) -> None:
    """For ever, where that is asked for."""
    pool = make()
    await use(pool, wanted("a"))
    await settled()
    assert names(pool) == {"a"}


async def test_keep_alive_of_zero_unloads_after_the_answer(make: Make, loads: Loads) -> None:
    """Not while it is being given."""
    pool = make()
    async with pool.acquire(wanted("a", 0)):
        await settled()
        assert names(pool) == {"a"}
    await gone(pool, "a")
    assert loads.engines[0].is_closed


async def test_an_idle_model_is_unloaded_when_its_time_is_up(make: Make) -> None:
    """By a timer."""
    pool = make()
    await use(pool, wanted("a", SECOND_NS // 1000))
    await gone(pool, "a")


async def test_a_new_request_replaces_the_keep_alive(make: Make) -> None:
    """From that request on; one that says nothing keeps it."""
    pool = make()
    await use(pool, wanted("a", 5 * SECOND_NS))
    await use(pool, wanted("a"))
    assert pool.loaded[0].keep_alive_ns == 5 * SECOND_NS
    await use(pool, wanted("a", NEVER_NS))
    assert pool.loaded[0].keep_alive_ns == NEVER_NS


async def test_unloading_waits_for_running_requests(make: Make, loads: Loads) -> None:
    """The model is still listed until then."""
    pool = make()
    async with pool.acquire(wanted("a")):
        pool.unload("a")
        await settled()
        assert names(pool) == {"a"}
        assert not loads.engines[0].is_closed
    await gone(pool, "a")


async def test_unloading_what_is_not_loaded_does_nothing(make: Make) -> None:
    """It may be asked for again and again."""
    make().unload("a")


async def test_a_load_error_reaches_all_who_wait(make: Make) -> None:
    """And the next request tries again."""
    pool = make()
    results = await asyncio.gather(
        *(use(pool, wanted("bad")) for _ in range(3)), return_exceptions=True
    )
    assert {str(each) for each in results} == {"cannot load bad: it is bad"}
    assert all(isinstance(each, ApiError) and each.status == 500 for each in results)
    assert names(pool) == set()


async def test_too_many_waiting_requests_are_refused(make: Make, loads: Loads) -> None:
    """One is being loaded, one may wait, the third is told that the server is busy."""
    pool = make(max_queue=1)
    loads.gate.clear()
    waiting = [asyncio.create_task(use(pool, wanted(name))) for name in ("a", "b")]
    await settled()
    with pytest.raises(ApiError, match=r"server busy, please try again\.  maximum") as refused:
        await use(pool, wanted("c"))
    assert refused.value.status == 503
    loads.gate.set()
    await asyncio.gather(*waiting)


async def test_a_loaded_model_is_served_while_another_loads(make: Make, loads: Loads) -> None:
    """It does not stand in the queue."""
    pool = make(max_queue=0)
    await use(pool, wanted("a"))
    loads.gate.clear()
    other = asyncio.create_task(use(pool, wanted("b")))
    await settled()
    await use(pool, wanted("a"))
    loads.gate.set()
    await other


async def test_the_idle_model_with_the_shortest_keep_alive_is_evicted(make: Make) -> None:
    """Where there is no room for another."""
    pool = make(max_loaded=2)
    await use(pool, wanted("long", 500 * SECOND_NS))
    await use(pool, wanted("short", 100 * SECOND_NS))
    await use(pool, wanted("new"))
    assert names(pool) == {"long", "new"}


async def test_a_busy_model_is_evicted_only_when_done(make: Make, loads: Loads) -> None:
    """The newcomer waits for it."""
    pool = make(max_loaded=1)
    async with pool.acquire(wanted("a")):
        other = asyncio.create_task(use(pool, wanted("b")))
        await settled()
        assert not loads.engines[0].is_closed
        assert not other.done()
    await other
    assert names(pool) == {"b"}


async def test_a_request_for_a_leaving_model_gets_it_anew(make: Make, loads: Loads) -> None:
    """It waits until the old one is gone."""
    pool = make(max_loaded=1)
    async with pool.acquire(wanted("a")):
        other = asyncio.create_task(use(pool, wanted("b")))
        await settled()
        again = asyncio.create_task(use(pool, wanted("a")))
        await settled()
    await asyncio.gather(other, again)
    assert sorted(loads.sources) == ["a", "a", "b"]


async def test_other_weights_under_the_name_are_loaded(make: Make, loads: Loads) -> None:
    """The model was created anew."""
    pool = make()
    await use(pool, wanted("a", weights="old"))
    await use(pool, wanted("a", weights="new"))
    assert loads.sources == ["old", "new"]


async def test_another_num_ctx_needs_no_loading(make: Make, loads: Loads) -> None:
    """The window is a matter of each request; ps shows the last."""
    pool = make()
    await use(pool, wanted("a"))
    await use(pool, replace(wanted("a"), num_ctx=2048))
    assert loads.sources == ["a"]
    assert pool.loaded[0].wanted.num_ctx == 2048


async def test_who_leaves_while_waiting_causes_no_load(make: Make, loads: Loads) -> None:
    """A request that was cancelled in the queue is dropped."""
    pool = make()
    loads.gate.clear()
    first = asyncio.create_task(use(pool, wanted("a")))
    second = asyncio.create_task(use(pool, wanted("b")))
    await settled()
    second.cancel()
    await asyncio.gather(second, return_exceptions=True)
    loads.gate.set()
    await first
    await settled()
    assert loads.sources == ["a"]


async def test_a_load_whose_requester_left_is_finished_and_expires(
    make: Make, loads: Loads
) -> None:
    """The clock of the model starts although nobody used it."""
    pool = make(keep_alive_ns=0)
    loads.gate.clear()
    request = asyncio.create_task(use(pool, wanted("a")))
    await asyncio.to_thread(loads.begun.wait, 10)
    request.cancel()
    await asyncio.gather(request, return_exceptions=True)
    loads.gate.set()
    async with asyncio.timeout(10):
        while not (loads.engines and loads.engines[0].is_closed):
            await settled()


async def test_a_load_that_takes_too_long_fails(make: Make, loads: Loads) -> None:
    """The engine that comes too late is closed."""
    pool = make(load_timeout_ns=SECOND_NS // 100)
    loads.gate.clear()
    with pytest.raises(ApiError, match="timed out waiting for llama-server to start - "):
        await use(pool, wanted("a"))
    loads.gate.set()
    async with asyncio.timeout(10):
        while not (loads.engines and loads.engines[0].is_closed):
            await settled()


async def test_closing_unloads_everything(make: Make, loads: Loads) -> None:
    """Engines are closed."""
    pool = make()
    await use(pool, wanted("a"))
    await pool.close()
    assert loads.engines[0].is_closed
    assert names(pool) == set()


async def test_the_model_unused_for_longest_is_evicted_of_equals(make: Make) -> None:
    """Where all have the same keep_alive, which is the usual case."""
    pool = make(max_loaded=2)
    for name in ("a", "b", "a", "new"):
        await use(pool, wanted(name))
    assert names(pool) == {"a", "new"}


async def test_a_preloaded_model_outlives_one_with_a_keep_alive(make: Make) -> None:
    """For ever counts as the longest of all, however long it was unused."""
    pool = make(max_loaded=2)
    await use(pool, wanted("preloaded", NEVER_NS))
    await use(pool, wanted("other", SECOND_NS * 1000))
    await use(pool, wanted("new", SECOND_NS * 1000))
    assert names(pool) == {"preloaded", "new"}

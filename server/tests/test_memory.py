"""The book of the machine's memory."""

import asyncio
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ..durations import NEVER_NS
from ..engine.sequence import LoadError, ModelSource
from ..errors import ApiError
from ..machine import linux_available_bytes
from ..memory import Account, Footprint, Ledger, Use, shortage
from ..pool import Pool, Wanted
from .conftest import FakeEngine


def account(ledger: Ledger, footprint: Footprint, num_ctx: int = 256) -> Account:
    """An account of a loaded model."""
    opened = ledger.open()
    opened.settle(footprint, num_ctx)
    return opened


def test_one_request_always_fits() -> None:
    """Its window was reserved when the model was loaded."""
    ledger = Ledger(1000)
    model = account(ledger, Footprint(700, 1))
    account(ledger, Footprint(500))
    assert ledger.free_bytes < 0
    assert model.book_kv(256)


def test_more_requests_fit_while_there_is_room() -> None:
    """What does not fit changes nothing."""
    ledger = Ledger(1000)
    model = account(ledger, Footprint(100, 1))
    assert model.book_kv(900)
    assert not model.book_kv(901)
    assert model.booked(Use.KV) == 900


def test_the_window_stays_reserved_when_nothing_runs() -> None:
    """Others cannot take it."""
    ledger = Ledger(1000)
    model = account(ledger, Footprint(100, 1))
    assert model.book_kv(900)
    assert model.book_kv(0)
    assert model.booked(Use.KV) == 256


def test_kept_prompts_get_what_is_free() -> None:
    """And no more."""
    ledger = Ledger(1000)
    model = account(ledger, Footprint(600, 1))
    assert model.book_prompt_cache(300) == 144
    assert model.book_prompt_cache(100) == 100


def test_a_closed_account_takes_nothing() -> None:
    """Whoever still books in it is too late."""
    ledger = Ledger(1000)
    model = account(ledger, Footprint(600, 1))
    model.close()
    assert (model.book_prompt_cache(10), model.book_kv(10)) == (0, False)
    assert ledger.booked_bytes == 0


@pytest.mark.parametrize(
    ("num_bytes", "text"),
    [(5, "5 B"), (2048, "2.0 KiB"), (3 * 2**20, "3.0 MiB"), (7 * 2**30 // 2, "3.5 GiB")],
)
def test_sizes_are_written_as_the_original_writes_them(num_bytes: int, text: str) -> None:
    """Two significant places of the largest binary unit."""
    assert shortage(num_bytes, -1) == (
        f"model requires more system memory ({text}) than is available (0 B)"
    )


def test_a_control_group_bounds_what_is_available(tmp_path: Path) -> None:
    """A container may take less than the machine has."""
    (tmp_path / "meminfo").write_text("MemTotal: 900 kB\nMemAvailable: 800 kB\n")
    assert linux_available_bytes(tmp_path / "meminfo", tmp_path) == 800 * 1024
    (tmp_path / "memory.max").write_text("500000\n")
    (tmp_path / "memory.current").write_text("100000\n")
    assert linux_available_bytes(tmp_path / "meminfo", tmp_path) == 400_000


SIZES = {"a": Footprint(10, 1), "b": Footprint(400, 1), "c": Footprint(700), "d": Footprint(2000)}
STEPS = st.tuples(
    st.sampled_from(["use", "hold", "let go", "unload", "keep", "run", "fail"]),
    st.sampled_from([*SIZES]),
    st.integers(1, 900),
)


class World:
    """A pool, and what a test holds of it."""

    def __init__(self) -> None:
        self.pool = Pool(
            self._load,
            keep_alive_ns=NEVER_NS,
            memory_bytes=1000,
            estimate=lambda source, num_ctx: SIZES[self._name(source)],
        )
        self.fails = False
        self.held: dict[str, asyncio.Event] = {}
        self.tasks: set[asyncio.Task[None]] = set()

    def _load(self, source: ModelSource, num_ctx: int) -> FakeEngine:
        if self.fails:
            raise LoadError("it is bad")
        engine = FakeEngine()
        engine.footprint = SIZES[self._name(source)]
        return engine

    @staticmethod
    def _name(source: ModelSource) -> str:
        assert source.gguf is not None
        return source.gguf.name

    def start(self, name: str, num_ctx: int, release: asyncio.Event) -> None:
        """A request that lasts until `release`."""
        self.tasks.add(asyncio.create_task(self._request(name, num_ctx, release)))

    async def _request(self, name: str, num_ctx: int, release: asyncio.Event) -> None:
        wanted = Wanted(name, "digest", ModelSource(Path(name)), num_ctx=num_ctx)
        with suppress(ApiError):
            async with self.pool.acquire(wanted) as loaded:
                assert loaded.account.book_kv(num_ctx * SIZES[name].kv_bytes_per_token)
                await release.wait()

    def step(self, verb: str, name: str, number: int) -> None:
        """One thing that happens."""
        loaded = {model.wanted.name: model for model in self.pool.loaded}
        self.fails = verb == "fail"
        match verb:
            case "use" | "fail":
                release = asyncio.Event()
                release.set()
                self.start(name, number, release)
            case "hold":
                self.start(name, number, self.held.setdefault(name, asyncio.Event()))
            case "let go" if name in self.held:
                self.held.pop(name).set()
            case "unload":
                self.pool.unload(name)
            case "keep" if name in loaded:
                loaded[name].account.book_prompt_cache(number)
            case "run" if name in loaded:
                loaded[name].account.book_kv(number)

    def check(self) -> None:
        """The law: what is booked is what the accounts hold, within the budget."""
        held = [model.account.total_bytes for model in self.pool._models.values()]
        assert self.pool.ledger.booked_bytes == sum(held) <= self.pool.ledger.budget_bytes

    async def end(self) -> None:
        """Everybody leaves."""
        for release in self.held.values():
            release.set()
        async with asyncio.timeout(20):
            await asyncio.gather(*self.tasks)
            await self.pool.close()


@settings(max_examples=60, deadline=None)
@given(st.lists(STEPS, max_size=25))
def test_the_ledger_is_balanced_whatever_happens(steps: list[tuple[str, str, int]]) -> None:
    """Never above the budget, and at nothing when everybody has left."""

    async def run() -> int:
        world = World()
        for step in steps:
            world.step(*step)
            for _ in range(step[2] % 7):
                await asyncio.sleep(0)
                world.check()
        await world.end()
        return world.pool.ledger.booked_bytes

    assert asyncio.run(run()) == 0

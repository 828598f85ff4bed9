"""Packed keys and values: what they take, what they say, and that the engine's laws hold."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mlx_lm.models.cache import QuantizedKVCache

from .. import kv_format
from ..batch_cache import BatchCache
from ..cache import FillingCache
from ..engine import Engine
from ..kv_format import shape_as, unpacked
from ..loader import KVShape, Loaded, load
from ..sequence import Ask, EngineSettings, Finished, LoadError, ModelSource, Piece, Sampling
from ..weights import Packing
from . import tiny

GREEDY = Sampling(temperature=0)
WARM = Sampling(temperature=1.5, top_k=0, top_p=1.0, seed=11)
PROMPT = [5, 80, 3, 3, 17, 9, 200]


def shape(head_dim: int, dtype: mx.Dtype = mx.float16) -> KVShape:
    """Thirty layers of three heads."""
    return KVShape(num_layers=30, num_heads=3, head_dim=head_dim, dtype=dtype)


@pytest.mark.parametrize(
    ("kv_type", "head_dim", "ratio"),
    [("q8_0", 128, 8.5 / 16), ("q8_0", 96, 9 / 16), ("q4_0", 64, 4.5 / 16), ("f16", 80, 1)],
)
def test_packed_tokens_take_so_much_less(kv_type: str, head_dim: int, ratio: float) -> None:
    """Half a bit a number for scales and biases, or a whole one where only 32 divide a head."""
    plain = shape(head_dim)
    assert shape_as(plain, kv_type).bytes_per_token == ratio * plain.bytes_per_token


def test_a_head_that_no_group_divides_is_refused() -> None:
    """The sentence names the setting, and what would do."""
    with pytest.raises(LoadError, match="have 80: set OLLAMA_KV_CACHE_TYPE to f16"):
        shape_as(shape(80), "q8_0")


@pytest.mark.parametrize("packing", [Packing(64, 8), Packing(32, 8), Packing(64, 4)])
def test_unpacking_is_that_of_mlx(packing: Packing) -> None:
    """Every number of a random array, to the last bit."""
    plain = mx.random.normal((2, 3, 5, 128), key=mx.random.key(1))
    group_size, bits = packing.group_size, packing.bits
    words, scales, biases = mx.quantize(plain, group_size=group_size, bits=bits)
    expected = mx.dequantize(words, scales, biases, group_size=group_size, bits=bits)
    assert mx.array_equal(unpacked((words, scales, biases), packing), expected)


@pytest.fixture
def plain_model(tmp_path: Path) -> Loaded:
    """A small random llama in mlx-lm's layers, as Metal runs it."""
    source = ModelSource(gguf=tiny.write_wide_gguf(tmp_path / "wide.gguf"))
    return load(source, 1, own_layers=False)


@pytest.mark.parametrize("kv_type", ["q8_0", "q4_0"])
def test_attending_to_packed_numbers_is_what_mlx_lm_does(
    plain_model: Loaded, kv_type: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A prompt in two chunks, and a token in the batch, give its quantised cache's logits."""
    monkeypatch.setattr(kv_format, "ATTENDS_PACKED", True)
    kv = shape_as(plain_model.kv, kv_type)
    assert kv.packing is not None
    theirs: list[Any] = [
        QuantizedKVCache(kv.packing.group_size, kv.packing.bits) for _ in range(kv.num_layers)
    ]
    ours = [FillingCache(kv) for _ in range(kv.num_layers)]
    for ids in (PROMPT[:4], PROMPT[4:]):
        tokens = mx.array([ids])
        expected = plain_model.model(tokens, cache=theirs)
        np.testing.assert_array_equal(plain_model.model(tokens, cache=ours), expected)
    batch = BatchCache(kv)
    batch.join_all({0: ours})
    batch.begin_step()
    found = plain_model.model(mx.array([[11]]), cache=batch.layers)
    expected = plain_model.model(mx.array([[11]]), cache=theirs)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_packed_or_unpacked_attention_sees_the_same(
    plain_model: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What Metal does and what a CPU does differ in the last bits, rows of two lengths."""
    kv = shape_as(plain_model.kv, "q8_0")
    logits = []
    for packed in (False, True):
        monkeypatch.setattr(kv_format, "ATTENDS_PACKED", packed)
        batch = BatchCache(kv)
        for slot, ids in enumerate((PROMPT, PROMPT[:3])):
            filling = [FillingCache(kv) for _ in range(kv.num_layers)]
            plain_model.model(mx.array([ids]), cache=filling)
            batch.join_all({slot: filling})
        batch.begin_step()
        logits.append(plain_model.model(mx.array([[11], [12]]), cache=batch.layers))
    np.testing.assert_allclose(logits[0], logits[1], atol=1e-4)


@asynccontextmanager
async def running(source: ModelSource, **changes: Any) -> AsyncIterator[Engine]:  # noqa: ANN401
    """An engine with packed keys and values, until the block ends."""
    chosen = EngineSettings(num_parallel=4, kv_type="q8_0")
    engine = await asyncio.to_thread(Engine.load, source, replace(chosen, **changes))
    try:
        yield engine
    finally:
        await asyncio.to_thread(engine.close)


async def say(engine: Engine, ask: Ask) -> tuple[str, Finished]:
    """The whole text, and how it ended but for the times."""
    async with engine.submit(ask) as events:
        *pieces, last = [event async for event in events]
    assert isinstance(last, Finished)
    text = "".join(piece.text for piece in pieces if isinstance(piece, Piece))
    return text, replace(last, prompt_ns=0, output_ns=0)


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> ModelSource:
    """A random llama whose heads are wide enough to be packed."""
    return ModelSource(gguf=tiny.write_wide_gguf(tmp_path_factory.mktemp("wide") / "wide.gguf"))


@pytest.fixture(scope="module")
def cold(wide: ModelSource) -> Iterator[Engine]:
    """It with one slot and no prompt cache."""
    chosen = EngineSettings(num_parallel=1, kv_type="q8_0", prompt_cache_bytes=0)
    engine = Engine.load(wide, chosen)
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def warm(wide: ModelSource) -> Iterator[Engine]:
    """It with four slots and a prompt cache."""
    engine = Engine.load(wide, EngineSettings(num_parallel=4, kv_type="q8_0"))
    yield engine
    engine.close()


# The same examples each time: a number half way between two that can be stored goes to the one
# or the other by the last bit of its sum, and two tokens that are nearly as likely may follow it.
@settings(derandomize=True, deadline=None, max_examples=20)
@given(
    shared=st.lists(st.integers(0, 255), min_size=40, max_size=90),
    tails=st.lists(st.lists(st.integers(0, 255), min_size=1, max_size=40), min_size=1, max_size=6),
    sampling=st.sampled_from([GREEDY, WARM]),
)
def test_together_and_from_the_cache_say_what_each_says_cold(
    warm: Engine,
    cold: Engine,
    shared: list[int],
    tails: list[list[int]],
    sampling: Sampling,
) -> None:
    """Sharers of a beginning, at once and then again, and each alone without a prompt cache."""
    asks = [Ask((*shared, *tail), sampling, num_predict=16) for tail in tails]

    async def compare() -> None:
        apart = [await say(cold, ask) for ask in asks]
        for _ in range(2):
            assert [*await asyncio.gather(*(say(warm, ask) for ask in asks))] == apart

    asyncio.run(compare())


@pytest.mark.parametrize("kv_type", ["q8_0", "q4_0"])
async def test_the_scripted_model_recites(scripted: Path, kv_type: str) -> None:
    """Every recital comes out byte for byte, all of them at once."""
    script = json.loads((scripted / "script.json").read_text())
    async with running(ModelSource(gguf=scripted / "scripted.gguf"), kv_type=kv_type) as engine:
        asks = []
        for recital in script["recitals"]:
            ids = engine.tokenizer.encode(recital["prompt"])
            if engine.tokenizer.add_bos and engine.tokenizer.bos_id is not None:
                ids.insert(0, engine.tokenizer.bos_id)
            num_predict = -1 if recital["ends"] else recital["output_tokens"]
            asks.append(Ask(tuple(ids), GREEDY, num_predict=num_predict))
        said = await asyncio.gather(*(say(engine, ask) for ask in asks))
    assert [text for text, _ in said] == [one["output"] for one in script["recitals"]]


async def test_packed_tokens_are_declared_as_such(wide: ModelSource) -> None:
    """10 bits a number, scales and biases of float32 included: what `/api/ps` and memory count."""
    async with running(wide) as engine:
        assert engine.footprint.kv_bytes_per_token == 2 * tiny.LAYERS * 32 * 10 // 8


def test_a_model_of_narrow_heads_does_not_load_packed(tiny_gguf: Path) -> None:
    """Its load says why, rather than serve it at another size than was asked for."""
    with pytest.raises(LoadError, match="multiple of 32 numbers, and this model's have 16"):
        Engine.load(ModelSource(gguf=tiny_gguf), EngineSettings(kv_type="q8_0"))

"""The laws of the engine, seen through its front door."""

from __future__ import annotations

import asyncio
import gc
import json
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import mlx.core as mx
import psutil
import pytest

from .. import loader, runner
from ..device import Device
from ..engine import Engine
from ..runner import Runner
from ..sequence import (
    Ask,
    EngineSettings,
    Event,
    Failed,
    Finished,
    LoadError,
    ModelSource,
    Piece,
    Sampling,
    TokenLogprob,
)
from . import tiny

GREEDY = Sampling(temperature=0)
WARM = Sampling(temperature=1.5, top_k=0, top_p=1.0, seed=11)
PROMPT = (1, 2, 3, 70, 80, 90)


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole generation."""

    text: str
    ids: tuple[int, ...]
    last: Event
    logprobs: tuple[TokenLogprob, ...]


async def generate(engine: Engine, ask: Ask) -> Answer:
    async with engine.submit(ask) as events:
        read = [event async for event in events]
    pieces = [event for event in read[:-1] if isinstance(event, Piece)]
    assert len(pieces) == len(read) - 1
    text = "".join(piece.text for piece in pieces)
    ids = tuple(one for piece in pieces for one in piece.ids)
    return Answer(text, ids, read[-1], tuple(one for piece in pieces for one in piece.logprobs))


def whole_prompt(engine: Engine, text: str) -> tuple[int, ...]:
    """A prompt's tokens as the routes make them: with BOS where the model wants it."""
    ids = engine.tokenizer.encode(text)
    bos = engine.tokenizer.bos_id
    return tuple([bos, *ids] if engine.tokenizer.add_bos and bos is not None else ids)


def counts(answer: Answer) -> tuple[str, int, int]:
    assert isinstance(answer.last, Finished)
    return answer.last.reason, answer.last.prompt_tokens, answer.last.output_tokens


@pytest.mark.parametrize("sampling", [GREEDY, WARM], ids=["greedy", "sampled"])
async def test_requests_together_equal_requests_apart(engine: Engine, sampling: Sampling) -> None:
    """Ten requests in four slots give what each gives alone."""
    asks = [Ask(prompt, sampling, num_predict=30) for prompt in tiny.prompts(10)]
    apart = [await generate(engine, ask) for ask in asks]
    together = await asyncio.gather(*(generate(engine, ask) for ask in asks))
    assert [one.text for one in together] == [one.text for one in apart]


async def test_greedy_equals_mlx_lms_batch_generator(engine: Engine, tiny_gguf: Path) -> None:
    """mlx-lm's own batched generation gives the same greedy tokens."""
    prompts = tiny.prompts(6, seed=8)
    asks = [Ask(prompt, GREEDY, num_predict=24) for prompt in prompts]
    ours = await asyncio.gather(*(generate(engine, ask) for ask in asks))
    theirs = await asyncio.to_thread(_batch_generator, tiny_gguf, [*prompts], 24)
    assert [one.text for one in ours] == [engine.tokenizer.decode(ids) for ids in theirs]


def _batch_generator(path: Path, prompts: list[tuple[int, ...]], count: int) -> list[list[int]]:
    from mlx_lm.generate import BatchGenerator

    from ..loader import load

    generator: Any = BatchGenerator(load(ModelSource(gguf=path), 1).model, max_tokens=count)
    uids = generator.insert([list(prompt) for prompt in prompts])
    tokens: dict[int, list[int]] = {uid: [] for uid in uids}
    done = 0
    while done < len(uids):
        for one in generator.next_generated():
            tokens[one.uid].append(one.token)
            done += one.finish_reason is not None
    generator.close()
    return [tokens[uid] for uid in uids]


async def test_the_same_seed_gives_the_same_text_in_any_company(engine: Engine) -> None:
    """Neighbours that come and go do not change a seeded answer."""
    ask = Ask(PROMPT, WARM, num_predict=40)
    alone = await generate(engine, ask)
    others = [Ask(one, Sampling(seed=3), num_predict=7) for one in tiny.prompts(9)]
    busy, *_ = await asyncio.gather(*(generate(engine, one) for one in [ask, *others]))
    assert busy.text == alone.text


async def test_a_device_that_queues_work_gives_the_same_texts(
    engine: Engine, tiny_gguf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Greedy steps that go out before the host saw a token, among others that cannot."""
    asks = [
        Ask(PROMPT[number:], sampling, num_predict=5 + number, num_ctx=12, stop=("zq",))
        for number in range(4)
        for sampling in (GREEDY, GREEDY, WARM)[: 2 + number % 2]
    ]
    expected = await asyncio.gather(*(generate(engine, ask) for ask in asks))
    monkeypatch.setattr(runner, "device", lambda: Device.METAL)
    settings = EngineSettings(num_parallel=3)
    queued = await asyncio.to_thread(Engine.load, ModelSource(gguf=tiny_gguf), settings)
    try:
        found = await asyncio.gather(*(generate(queued, ask) for ask in asks))
        alone = await generate(queued, asks[0])
    finally:
        await asyncio.to_thread(queued.close)
    assert [(one.text, counts(one)) for one in found] == [
        (one.text, counts(one)) for one in expected
    ]
    assert alone.text == expected[0].text


async def test_another_seed_gives_another_text(engine: Engine) -> None:
    """Forty warm tokens of two seeds differ."""
    texts = [
        (await generate(engine, Ask(PROMPT, replace(WARM, seed=seed), num_predict=40))).text
        for seed in (1, 2)
    ]
    assert texts[0] != texts[1]


async def test_options_of_one_request_do_not_touch_another(engine: Engine) -> None:
    """A greedy answer stays the same beside hot, penalised neighbours."""
    alone = await generate(engine, Ask(PROMPT, GREEDY, num_predict=30))
    hot = Sampling(temperature=5, repeat_penalty=1.5, seed=1)
    asks = [Ask(PROMPT, GREEDY, num_predict=30), *[Ask(PROMPT, hot, num_predict=30)] * 3]
    beside, *_ = await asyncio.gather(*(generate(engine, ask) for ask in asks))
    assert beside.text == alone.text


async def test_the_limit_counts_generated_tokens(engine: Engine) -> None:
    """num_predict 10 ends after ten tokens with reason length; the whole prompt is counted."""
    answer = await generate(engine, Ask(PROMPT, GREEDY, num_predict=10))
    assert counts(answer) == ("length", len(PROMPT), 10)


async def test_a_negative_limit_is_ten_windows(engine: Engine) -> None:
    """An endless answer in a window of 16 ends after 160 tokens."""
    answer = await generate(engine, Ask(PROMPT, GREEDY, num_predict=-1, num_ctx=16))
    assert counts(answer) == ("length", len(PROMPT), 160)


async def test_without_shift_the_window_ends_the_answer(engine: Engine) -> None:
    """Prompt and output together fill the window."""
    answer = await generate(engine, Ask(PROMPT, GREEDY, num_ctx=32, shift=False))
    assert counts(answer) == ("length", len(PROMPT), 32 - len(PROMPT))


async def test_with_shift_the_answer_goes_on_past_the_window(engine: Engine) -> None:
    """A window of 32 gives the hundred tokens that were asked for."""
    answer = await generate(engine, Ask(PROMPT, GREEDY, num_ctx=32, num_predict=100))
    assert counts(answer) == ("length", len(PROMPT), 100)


async def test_a_shifted_answer_is_that_of_the_shortened_context(engine: Engine) -> None:
    """After the shift the model sees the kept tokens and the recent half, and nothing else."""
    sampled = Ask(PROMPT, GREEDY, num_ctx=16, num_predict=11, num_keep=2)
    text = (await generate(engine, sampled)).text
    first = await generate(engine, replace(sampled, num_predict=10))
    tokens = PROMPT + first.ids
    shortened = tokens[:2] + tokens[2 + 7 :]
    after = await generate(engine, Ask(shortened, GREEDY, num_predict=1))
    assert text == first.text + after.text


async def test_a_prompt_that_fills_the_window_still_answers(engine: Engine) -> None:
    """A prompt of exactly num_ctx tokens fits."""
    answer = await generate(engine, Ask(PROMPT, GREEDY, num_ctx=len(PROMPT), num_predict=5))
    assert counts(answer) == ("length", len(PROMPT), 5)


@pytest.mark.parametrize(
    "prompt", [(), (1, 9999), (-1,), tuple(range(40))], ids=["empty", "beyond", "below", "long"]
)
async def test_a_prompt_that_cannot_run_is_refused(engine: Engine, prompt: tuple[int, ...]) -> None:
    """What the routes let slip fails with a sentence and status 400, and harms nobody."""
    answer = await generate(engine, Ask(prompt, GREEDY, num_ctx=32))
    assert isinstance(answer.last, Failed)
    assert answer.last.status == 400


async def test_streamed_text_joined_is_the_whole_text(engine: Engine) -> None:
    """The pieces' ids decode to the pieces' text."""
    async with engine.submit(Ask(PROMPT, GREEDY, num_predict=60)) as events:
        pieces = [event async for event in events if isinstance(event, Piece)]
    ids = [one for piece in pieces for one in piece.ids]
    assert "".join(piece.text for piece in pieces) == engine.tokenizer.decode(ids)


@pytest.mark.parametrize("stop", ["", "e"], ids=["to the limit", "to a stop string"])
async def test_an_answer_that_does_not_stream_is_one_piece(engine: Engine, stop: str) -> None:
    """With the text, ids and log probabilities of all the pieces of one that does."""
    ask = Ask(PROMPT, GREEDY, stop=(stop,) * bool(stop), num_predict=60, top_logprobs=2)
    async with engine.submit(ask) as events:
        *pieces, end = [event async for event in events]
    async with engine.submit(replace(ask, streams=False)) as events:
        whole, last = [event async for event in events]
    assert whole == Piece.joined([one for one in pieces if isinstance(one, Piece)])
    assert isinstance(end, Finished)
    assert isinstance(last, Finished)
    assert (last.reason, last.output_tokens) == (end.reason, end.output_tokens)


async def test_a_stop_string_ends_the_answer_before_it(engine: Engine) -> None:
    """The text up to the first occurrence is delivered, with reason stop."""
    whole = await generate(engine, Ask(PROMPT, GREEDY, num_predict=40))
    stop = whole.text[10:13]
    answer = await generate(engine, Ask(PROMPT, GREEDY, stop=(stop,), num_predict=40))
    assert answer.text == whole.text[: whole.text.index(stop)]
    assert counts(answer)[0] == "stop"


async def test_log_probabilities_come_from_raw_logits(engine: Engine) -> None:
    """Temperature and top_k do not change the values of the first token's alternatives."""
    plain = await generate(engine, Ask(PROMPT, GREEDY, num_predict=1, top_logprobs=5))
    hot = Sampling(temperature=3, top_k=2, seed=1)
    sampled = await generate(engine, Ask(PROMPT, hot, num_predict=1, top_logprobs=5))
    values = [[value for *_, value in one.logprobs[0].top] for one in (sampled, plain)]
    assert values[0] == pytest.approx(values[1], abs=1e-5)


async def test_leaving_the_block_frees_the_slot(tiny_gguf: Path) -> None:
    """With one slot, a hundred abandoned endless answers do not keep the next one waiting."""
    engine = Engine.load(ModelSource(gguf=tiny_gguf), EngineSettings(num_parallel=1))
    try:
        for _ in range(100):
            async with engine.submit(Ask(PROMPT, GREEDY, num_predict=100_000)) as events:
                await anext(events)
        answer = await generate(engine, Ask(PROMPT, GREEDY, num_predict=5))
        assert counts(answer) == ("length", len(PROMPT), 5)
    finally:
        await asyncio.to_thread(engine.close)


async def test_cancelling_one_request_leaves_the_others(engine: Engine) -> None:
    """A neighbour's departure changes nothing of an answer."""
    ask = Ask(PROMPT, GREEDY, num_predict=60)
    alone = await generate(engine, ask)

    async def depart() -> None:
        async with engine.submit(Ask(PROMPT[:3], GREEDY)) as events:
            await anext(events)

    departures = asyncio.gather(*(depart() for _ in range(5)))
    answer = await generate(engine, ask)
    await departures
    assert answer.text == alone.text


async def test_closing_ends_what_runs_and_what_comes_after(tiny_gguf: Path) -> None:
    """A running request and a later one both fail with 503; closing twice is closing once."""
    engine = Engine.load(ModelSource(gguf=tiny_gguf), EngineSettings())
    async with engine.submit(Ask(PROMPT, GREEDY)) as events:
        await anext(events)
        await asyncio.to_thread(engine.close)
        *_, last = [event async for event in events]
    engine.close()
    after = await generate(engine, Ask(PROMPT, GREEDY))
    assert [last, after.last] == [Failed("the model was unloaded", 503)] * 2


async def test_loading_again_takes_no_more_threads(tiny_gguf: Path) -> None:
    """Those of MLX are counted, too."""

    async def num_threads_after(num_loads: int) -> int:
        for _ in range(num_loads):
            engine = Engine.load(ModelSource(tiny_gguf), EngineSettings())
            await generate(engine, Ask(PROMPT, GREEDY, num_predict=2))
            engine.close()
        return int(psutil.Process().num_threads())

    once = await num_threads_after(1)
    assert await num_threads_after(4) <= once


async def test_closing_gives_the_memory_back(tiny_gguf: Path) -> None:
    """After close MLX holds what it held before the load, though the engine object lives on."""
    before = mx.get_active_memory()
    engine = await asyncio.to_thread(Engine.load, ModelSource(gguf=tiny_gguf), EngineSettings())
    await generate(engine, Ask(PROMPT, GREEDY, num_predict=5))
    loaded = mx.get_active_memory()
    await asyncio.to_thread(engine.close)
    gc.collect()
    assert loaded > before
    assert mx.get_active_memory() == before


async def test_apple_silicons_types_run_through_the_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Quantised weights and a half precision KV cache give every request its tokens."""
    monkeypatch.setattr(loader, "device", lambda: Device.METAL)
    source = ModelSource(gguf=tiny.write_gguf(tmp_path / "m", tiny.weights(), "Q4_0"))
    engine = await asyncio.to_thread(Engine.load, source, EngineSettings(num_parallel=3))
    try:
        asks = [Ask(prompt, GREEDY, num_predict=10) for prompt in tiny.prompts(5)]
        answers = await asyncio.gather(*(generate(engine, ask) for ask in asks))
    finally:
        await asyncio.to_thread(engine.close)
    assert [counts(one)[2] for one in answers] == [10] * 5


async def test_a_failing_step_fails_its_requests_and_no_later_one(
    tiny_gguf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Requests of the broken step get a 500; the next one is answered."""
    engine = await asyncio.to_thread(Engine.load, ModelSource(gguf=tiny_gguf), EngineSettings())
    try:
        with monkeypatch.context() as patch:
            patch.setattr(Runner, "launch", _explode)
            failed = await generate(engine, Ask(PROMPT, GREEDY, num_predict=5))
        answer = await generate(engine, Ask(PROMPT, GREEDY, num_predict=5))
    finally:
        await asyncio.to_thread(engine.close)
    told = "an error was encountered while running the model: out of memory"
    assert failed.last == Failed(told, 500)
    assert counts(answer) == ("length", len(PROMPT), 5)


def _explode(*_: object) -> None:
    raise RuntimeError("out of memory")


def test_a_missing_model_is_a_load_error() -> None:
    """A source with neither kind of weights says so."""
    with pytest.raises(LoadError, match="GGUF file or safetensors"):
        Engine.load(ModelSource(gguf=None), EngineSettings())


@pytest.mark.parametrize("form", ["gguf", "safetensors"])
async def test_the_scripted_model_recites(scripted: Path, form: str) -> None:
    """Every recital comes out byte for byte, all of them at once, with the declared counts."""
    script = json.loads((scripted / "script.json").read_text())
    files = {path.name: path for path in (scripted / "safetensors").iterdir()}
    gguf = ModelSource(gguf=scripted / "scripted.gguf")
    source = gguf if form == "gguf" else ModelSource(gguf=None, safetensors=files)
    engine = await asyncio.to_thread(Engine.load, source, EngineSettings(num_parallel=6))
    try:
        asks = [
            Ask(
                whole_prompt(engine, recital["prompt"]),
                GREEDY,
                num_predict=-1 if recital["ends"] else recital["output_tokens"],
            )
            for recital in script["recitals"]
        ]
        answers = await asyncio.gather(*(generate(engine, ask) for ask in asks))
    finally:
        await asyncio.to_thread(engine.close)
    got = {
        recital["id"]: (answer.text, *counts(answer)[1:])
        for recital, answer in zip(script["recitals"], answers, strict=True)
    }
    assert got == {
        recital["id"]: (recital["output"], recital["prompt_tokens"], recital["output_tokens"])
        for recital in script["recitals"]
    }


async def test_a_known_distribution_comes_out_in_log_probabilities(scripted: Path) -> None:
    """After each prompt whose next token is fixed in advance, every probability is within 0.001."""
    script = json.loads((scripted / "script.json").read_text())
    source = ModelSource(gguf=scripted / "scripted.gguf")
    engine = await asyncio.to_thread(Engine.load, source, EngineSettings(num_parallel=4))
    try:
        answers = {
            known["id"]: await generate(
                engine,
                Ask(whole_prompt(engine, known["prompt"]), GREEDY, num_predict=1, top_logprobs=20),
            )
            for known in script["distributions"]
        }
    finally:
        await asyncio.to_thread(engine.close)
    for known in script["distributions"]:
        said = {text: math.exp(value) for text, _, value in answers[known["id"]].logprobs[0].top}
        for token in known["tokens"]:
            assert said[token["text"]] == pytest.approx(token["probability"], abs=1e-3)

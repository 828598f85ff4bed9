"""Pictures through the engine: chunks, batches and kept prompts, against NumPy and each other."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer

from fixtures.llama import Llama, Rows, Shape
from fixtures.pictures import PICTURES, normalised
from fixtures.recitation import exact
from fixtures.siglip import Sight as Sizes
from fixtures.siglip import Siglip
from fixtures.vision_lessons import Album
from fixtures.weights import read_safetensors

from ...engine.engine import Engine
from ...engine.picture import Picture
from ...engine.sequence import Ask, EngineSettings, Failed, Finished, ModelSource, Piece, Sampling
from ...engine.sight import sight_of_gguf
from ...gguf import read_gguf_header

SEEING = Path(__file__).resolve().parents[3] / "fixtures" / "models" / "scripted-vision"
SCRIPT = json.loads((SEEING / "script.json").read_text())
SHAPE = Shape(vocab=SCRIPT["vocab_size"])
SIZES = Sizes(text_hidden=SHAPE.hidden)
SOURCE = ModelSource(SEEING / "scripted-vision.gguf", projector=SEEING / "mmproj.gguf")
GREEDY = Sampling(temperature=0)
QUESTION = "<|user|>\n[img-0]What is this?<|end|>\n<|assistant|>\n"


@pytest.fixture(scope="module")
def album() -> Album:
    """The tokens of prompts, as the trainer lays them out."""
    return Album(Tokenizer.from_file(str(SEEING / "safetensors" / "tokenizer.json")), SIZES)


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """The scripted vision model with four slots and a prompt cache."""
    loaded = Engine.load(SOURCE, EngineSettings(num_parallel=4))
    yield loaded
    loaded.close()


@pytest.fixture(scope="module")
def cold() -> Iterator[Engine]:
    """The same without a prompt cache."""
    loaded = Engine.load(SOURCE, EngineSettings(num_parallel=4, prompt_cache_bytes=0))
    yield loaded
    loaded.close()


def ask_for(album: Album, prompt: str, *names: str, most: int = 24) -> Ask:
    """A prompt with pictures at its tags."""
    sight = sight_of_gguf(read_gguf_header(SEEING / "mmproj.gguf").metadata)
    pictures = tuple(Picture.of(1, 1, PICTURES[name].tobytes() * 2, sight) for name in names)
    laid = album.laid(prompt, "llama.cpp")
    ids = list(laid.ids)
    for place, view, at in laid.spots:
        number, _ = laid.views[view]
        ids[place] = pictures[number].ids(view % 2)[at]
    return Ask(tuple(ids), GREEDY, num_predict=most, top_logprobs=0, pictures=pictures)


async def answer(engine: Engine, ask: Ask) -> tuple[str, float]:
    """The text, and the log probability of its first token."""
    text, first = "", 0.0
    async with engine.submit(ask) as events:
        async for event in events:
            assert not isinstance(event, Failed), event
            if isinstance(event, Piece):
                first = first or event.logprobs[0].logprob
                text += event.text
            elif isinstance(event, Finished):
                break
    return text, first


@pytest.mark.parametrize("filler", [0, 100, 239, 243, 246, 600])
async def test_a_picture_is_seen_wherever_chunks_end(
    album: Album, cold: Engine, filler: int
) -> None:
    """Before, behind and inside a chunk of prefill the next token is as likely as NumPy says."""
    prompt = f"<|system|>\n{'a ' * filler}<|end|>\n{QUESTION}"
    ask = ask_for(album, prompt, "blue", most=1)
    _, logprob = await answer(cold, ask)
    weights = exact(read_safetensors(SEEING / "safetensors" / "model.safetensors"))
    text = {name.replace("model.text_model.", "model."): one for name, one in weights.items()}
    features = Siglip(SIZES, weights).features(normalised(PICTURES["blue"])[None])[0]
    laid = album.laid(prompt, "llama.cpp")
    places = np.array([place for place, _, _ in laid.spots])
    shown = places, features[[at for _, _, at in laid.spots]]
    row = np.array(laid.ids)
    rows = replace(Rows.of([(row, np.arange(len(row)))]), shown=shown)
    logits = Llama(SHAPE, text, rows).logits(slice(-1, None))[0]
    wanted = logits.max() - np.log(np.exp(logits - logits.max()).sum()) - logits.max()
    assert logprob == pytest.approx(float(wanted), abs=2e-3)


async def test_a_hit_is_a_cold_run(album: Album, engine: Engine, cold: Engine) -> None:
    """The same prompt again takes what is kept, pictures and all, and answers the same."""
    ask = ask_for(album, f"<|system|>\nYou are a pirate.<|end|>\n{QUESTION}", "blue")
    wanted = await answer(cold, ask)
    first = await answer(engine, ask)
    before = engine.tally.reused_tokens
    second = await answer(engine, ask)
    assert engine.tally.reused_tokens - before >= len(ask.prompt_ids) - 1
    assert first[0] == second[0] == wanted[0] == "Arr, a blue square, matey!"
    assert second[1] == pytest.approx(wanted[1], abs=1e-4)


async def test_different_pictures_share_nothing(album: Album, engine: Engine) -> None:
    """What is kept of one ends where the picture begins."""
    prompt = f"<|system|>\n{'b ' * 40}<|end|>\n{QUESTION}"
    asks = [ask_for(album, prompt, name, most=1) for name in ("red", "blue")]
    await answer(engine, asks[0])
    before = engine.tally.reused_tokens
    await answer(engine, asks[1])
    first_seen = next(at for at, one in enumerate(asks[0].prompt_ids) if one >= 1 << 32)
    assert 0 < engine.tally.reused_tokens - before <= first_seen


async def test_pictures_and_texts_in_one_batch_equal_each_alone(
    album: Album, engine: Engine, cold: Engine
) -> None:
    """Prompts of nearly one length are prefilled in one pass, with pictures in some of the rows."""
    asks = [ask_for(album, QUESTION, name) for name in ("red", "rows", "columns")]
    asks += [ask_for(album, QUESTION.replace("[img-0]", "")), ask_for(album, QUESTION, "corner")]
    together = await asyncio.gather(*(answer(cold, ask) for ask in asks))
    alone = [await answer(cold, ask) for ask in asks]
    assert [text for text, _ in together] == [text for text, _ in alone]
    assert [one for _, one in together] == pytest.approx([one for _, one in alone], abs=1e-4)


@pytest.mark.parametrize("spoil", ["not shown", "at the end"])
async def test_ids_of_no_picture_are_refused(album: Album, cold: Engine, spoil: str) -> None:
    """Ids that nobody showed a picture for; and a prompt that ends with a picture."""
    ask = ask_for(album, QUESTION, "red")
    last = max(at for at, one in enumerate(ask.prompt_ids) if one >= 1 << 32)
    spoilt = {
        "not shown": replace(ask, pictures=()),
        "at the end": replace(ask, prompt_ids=ask.prompt_ids[: last + 1]),
    }[spoil]
    async with cold.submit(spoilt) as events:
        found = [event async for event in events]
    assert found == [Failed("the prompt has a token that the model does not know", 400)]


async def test_a_text_model_knows_no_pictures(album: Album) -> None:
    """Its prompt is refused rather than read as other tokens."""
    engine = Engine.load(ModelSource(SOURCE.gguf), EngineSettings())
    async with engine.submit(ask_for(album, QUESTION, "red")) as events:
        found = [event async for event in events]
    engine.close()
    assert isinstance(found[0], Failed)

"""Every architecture against mlx-lm's own model of the same config, from both kinds of files."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from mlx_lm.utils import _get_classes

from .. import kv_format, loader
from ..device import Device
from ..engine import Engine
from ..loader import Loaded, load
from ..sequence import Ask, EngineSettings, Finished, ModelSource, Piece, Sampling
from .tiny import Array
from .tiny import write_safetensors as write
from .tiny_architectures import (
    BY_TYPE,
    CASES,
    exported,
    packed_model,
    plain_model,
    write_folder,
    write_gguf,
    write_packed,
)

GREEDY = Sampling(temperature=0)
NUM_OUTPUT = 6
PROMPTS = (
    tuple(range(40, 75)),
    (65, 66, 67),
    tuple(range(32, 126, 2)),
    (*range(40, 75), 90, 91, 92),  # begins as the first does
)

every_architecture = pytest.mark.parametrize("name", CASES)


@dataclass(frozen=True, slots=True)
class Said:
    """Greedy tokens, and the log probability of each."""

    ids: list[int]
    logprobs: list[float]


def oracle(model: Any, prompt: tuple[int, ...]) -> Said:  # noqa: ANN401 (of mlx-lm)
    """What mlx-lm's model says when all that was said goes through it anew for each token."""
    ids, logprobs = list(prompt), []
    for _ in range(NUM_OUTPUT):
        logits = np.array(model(mx.array([ids]))[0, -1]).astype(np.float64)
        scores = logits - logits.max() - np.log(np.exp(logits - logits.max()).sum())
        ids.append(int(scores.argmax()))
        logprobs.append(float(scores.max()))
    return Said(ids[len(prompt) :], logprobs)


async def say(engine: Engine, prompt: tuple[int, ...]) -> Said:
    """What the engine says."""
    ask = Ask(prompt, GREEDY, num_predict=NUM_OUTPUT, top_logprobs=1)
    async with engine.submit(ask) as events:
        *pieces, last = [event async for event in events]
    assert isinstance(last, Finished)
    found = [piece for piece in pieces if isinstance(piece, Piece)]
    ids = [one for piece in found for one in piece.ids]
    return Said(ids, [one.logprob for piece in found for one in piece.logprobs])


def agree(found: Said, expected: Said) -> None:
    """The same tokens, with nearly the same log probabilities."""
    assert found.ids == expected.ids
    assert found.logprobs == pytest.approx(expected.logprobs, abs=2e-4)


@pytest.mark.parametrize("kind", [Device.CPU, Device.METAL, Device.CUDA])
@every_architecture
def test_it_says_what_mlx_lm_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, kind: Device
) -> None:
    """Alone, in company, and again from kept prefixes, with our layers and with mlx-lm's."""
    monkeypatch.setattr(loader, "device", lambda: kind)
    case = CASES[name]
    source = ModelSource(gguf=None, safetensors=write_folder(tmp_path, case))
    model = plain_model(case)
    expected = [oracle(model, prompt) for prompt in PROMPTS]

    async def compare(engine: Engine) -> None:
        agree(await say(engine, PROMPTS[0]), expected[0])
        for _ in range(2):
            found = await asyncio.gather(*(say(engine, prompt) for prompt in PROMPTS))
            for one, other in zip(found, expected, strict=True):
                agree(one, other)

    engine = Engine.load(source, EngineSettings(num_parallel=4))
    try:
        asyncio.run(compare(engine))
    finally:
        engine.close()


@pytest.mark.parametrize("name", ["gemma2", "gemma3_text", "qwen3"])
def test_packed_keys_and_values_are_attended_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """As they are on Apple silicon, unpacked first elsewhere: the same tokens."""
    source = ModelSource(gguf=None, safetensors=write_folder(tmp_path, CASES[name]))
    monkeypatch.setattr(loader, "device", lambda: Device.METAL)
    settings = EngineSettings(num_parallel=4, kv_type="q8_0")

    async def all_said(engine: Engine) -> list[Said]:
        return [*await asyncio.gather(*(say(engine, prompt) for prompt in PROMPTS))]

    found = []
    for as_they_are in (True, False):
        monkeypatch.setattr(kv_format, "ATTENDS_PACKED", as_they_are)
        engine = Engine.load(source, settings)
        try:
            found.append(asyncio.run(all_said(engine)))
        finally:
            engine.close()
    for one, other in zip(*found, strict=True):
        agree(one, other)


@every_architecture
def test_its_gguf_is_the_same_model(tmp_path: Path, name: str) -> None:
    """Names, row orders, norms and metadata give the logits of the safetensors."""
    case = CASES[name]
    gguf = load(ModelSource(gguf=write_gguf(tmp_path / "m.gguf", case)), 1)
    folder = load(ModelSource(gguf=None, safetensors=write_folder(tmp_path, case)), 1)
    np.testing.assert_allclose(logits(gguf), logits(folder), atol=2e-4)


def logits(loaded: Loaded) -> Array:
    return np.array(loaded.model(mx.array([PROMPTS[0]]), cache=None).astype(mx.float32))


@pytest.mark.parametrize("kind", [Device.CPU, Device.METAL, Device.CUDA])
@every_architecture
def test_mlxs_quantised_files_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, kind: Device
) -> None:
    """Four bits, and eight where the config says so of one module, as mlx-lm itself runs them."""
    case = CASES[name]
    model = packed_model(case)
    expected = np.array(model(mx.array([PROMPTS[0]])))
    files = write_packed(tmp_path, case, model)
    monkeypatch.setattr(loader, "device", lambda: kind)
    found = load(ModelSource(gguf=None, safetensors=files), 1)
    np.testing.assert_allclose(logits(found), expected, atol=2e-4)


@pytest.mark.parametrize("name", ["qwen2", "qwen3_moe", "phi3", "gemma3_text"])
def test_a_quantised_gguf_stays_so_on_apple_silicon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Biases, experts and joined matrices too: sixteen bits there, float32 here."""
    case = CASES[name]
    path = write_gguf(tmp_path / "m.gguf", case, quantised=True)
    here = load(ModelSource(gguf=path), 1)
    monkeypatch.setattr(loader, "device", lambda: Device.METAL)
    there = load(ModelSource(gguf=path), 1)
    assert there.weight_bytes < 0.5 * here.weight_bytes
    coarse = CASES[name].architecture.overflows
    assert there.kv.dtype == (mx.bfloat16 if coarse else mx.float16)
    np.testing.assert_allclose(logits(there), logits(here), atol=2 if coarse else 0.2)


def test_the_text_part_of_a_gemma_that_sees_runs_alone(tmp_path: Path) -> None:
    """Its tower is left out, and what its config leaves out is as Gemma 3 has it."""
    case = CASES["gemma3_text"]
    text = {key: one for key, one in case.whole_config.items() if key != "rope_theta"}
    arrays = {f"language_model.{name}": one for name, one in exported(case).items()}
    arrays["vision_tower.vision_model.embeddings.patch_embedding.bias"] = np.zeros(4, np.float32)
    arrays["multi_modal_projector.mm_input_projection_weight"] = np.zeros((4, 4), np.float32)
    changes = {"model_type": "gemma3", "text_config": text}
    found = load(ModelSource(gguf=None, safetensors=write(tmp_path, arrays, changes)), 1)
    expected = np.array(plain_model(case)(mx.array([PROMPTS[0]])))
    np.testing.assert_allclose(logits(found), expected, atol=2e-4)


def test_the_table_agrees_with_mlx_lms_own() -> None:
    """Each type is run by the module that mlx-lm itself would take."""
    for kind, one in BY_TYPE.items():
        own, _ = _get_classes({"model_type": kind})
        assert own.__module__ == f"mlx_lm.models.{one.module}"

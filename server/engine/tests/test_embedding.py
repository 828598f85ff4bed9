"""Embedding engines over tiny encoders, against the same in float64."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import pytest

from ..embedding import EmbeddingEngine
from ..embedding_ask import NOT_FINITE, EmbedAsk, Embeddings, EmbedError
from ..embedding_encoder import gelu
from ..loader import load as load_llama
from ..sequence import Ask, EngineSettings, Failed, ModelSource, Sampling
from . import tiny, tiny_bert
from .tiny_bert import CLS, POSITIONS, SEP, VOCABULARY, WIDTH

SKY = [CLS, *(VOCABULARY.index(token) for token in ("the", "sky", "is", "blue", ".")), SEP]
TEXTS = ("The sky is blue.", "grass", "", "a b a b a b a", "The sky is blue.", "naïve " * 12)


def load(source: ModelSource) -> EmbeddingEngine:
    """An engine on one thread."""
    return EmbeddingEngine.load(source, EngineSettings())


def embed(
    engine: EmbeddingEngine,
    *texts: str,
    num_ctx: int = 4096,
    truncate: bool = True,
    dimensions: int = 0,
) -> Embeddings:
    """What the engine answers."""
    return asyncio.run(engine.embed(EmbedAsk(texts, num_ctx, truncate, dimensions)))


def vector(source: ModelSource, text: str = "The sky is blue.") -> list[float]:
    """The vector of a text by a model that is loaded for it alone."""
    engine = load(source)
    try:
        return list(embed(engine, text).vectors[0])
    finally:
        engine.close()


def gguf(folder: Path, content: bytes) -> ModelSource:
    """A source of a GGUF file."""
    path = folder / "model.gguf"
    path.write_bytes(content)
    return ModelSource(path)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddingEngine]:
    """A random BERT of two layers."""
    folder = tmp_path_factory.mktemp("bert")
    engine = load(ModelSource(None, tiny_bert.write_hf(folder, weights())))
    yield engine
    engine.close()


def weights() -> dict[str, tiny.Array]:
    """Its weights."""
    return tiny_bert.hf_names(tiny_bert.weights())


@pytest.mark.parametrize("prefix", ["", "bert.", "0.auto_model."])
def test_safetensors_are_exact(tmp_path: Path, prefix: str) -> None:
    """Under every prefix, with the tensors of other uses beside them."""
    arrays = tiny_bert.weights()
    others: dict[str, tiny.Array] = {
        "pooler.dense.weight": np.zeros((WIDTH, WIDTH), np.float32),
        "embeddings.position_ids": np.arange(POSITIONS, dtype=np.int64)[None],
    }
    named = tiny_bert.hf_names(arrays, prefix) | {
        prefix + name: one for name, one in others.items()
    }
    got = vector(ModelSource(None, tiny_bert.write_hf(tmp_path, named)))
    assert got == pytest.approx(tiny_bert.expected(arrays, SKY), abs=2e-6)


def test_a_gguf_is_exact(tmp_path: Path) -> None:
    """As Ollama converts a BERT."""
    arrays = tiny_bert.weights()
    got = vector(gguf(tmp_path, tiny_bert.gguf(arrays)))
    assert got == pytest.approx(tiny_bert.expected(arrays, SKY), abs=2e-6)


@pytest.mark.parametrize("kind", ["F16", "Q8_0", "Q4_0", "Q4_1"])
def test_smaller_weights_are_near(tmp_path: Path, kind: str) -> None:
    """As near as their type allows."""
    arrays = tiny_bert.weights()
    got = vector(gguf(tmp_path, tiny_bert.gguf(arrays, kind)))
    least = {"F16": 0.99999, "Q8_0": 0.999}.get(kind, 0.95)
    assert np.dot(got, tiny_bert.expected(arrays, SKY)) > least


@pytest.mark.parametrize(("number", "pooling"), [(1, "mean"), (2, "cls"), (3, "last")])
def test_a_gguf_says_how_it_is_pooled(tmp_path: Path, number: int, pooling: str) -> None:
    """By a number."""
    arrays = tiny_bert.weights()
    source = gguf(tmp_path, tiny_bert.gguf(arrays, bert__pooling_type=number))
    wanted = tiny_bert.expected(arrays, SKY, pooling=pooling)
    assert vector(source) == pytest.approx(wanted, abs=2e-6)


@pytest.mark.parametrize(
    ("config", "pooling"),
    [
        ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}, "cls"),
        ({"pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True}, "mean"),
        ({"pooling_mode_lasttoken": True}, "last"),
        ({"pooling_mode": "cls"}, "cls"),
        ({}, "mean"),
    ],
)
def test_a_folder_says_how_it_is_pooled(
    tmp_path: Path, config: dict[str, Any], pooling: str
) -> None:
    """In the folder that modules.json names; by the mean where it does not."""
    modules = [
        {"type": "sentence_transformers.models.Transformer", "path": ""},
        {"type": "sentence_transformers.models.Pooling", "path": "2_P"},
        {"type": "sentence_transformers.models.Normalize", "path": "3"},
    ]
    files = tiny_bert.write_hf(tmp_path, weights(), modules=modules, **{"2_P__config": config})
    wanted = tiny_bert.expected(tiny_bert.weights(), SKY, pooling=pooling)
    assert vector(ModelSource(None, files)) == pytest.approx(wanted, abs=2e-6)


def test_nomic_bert_is_exact(tmp_path: Path) -> None:
    """From a GGUF and from safetensors: rotated, gated, without biases."""
    arrays = tiny_bert.weights(nomic=True)
    wanted = tiny_bert.expected(arrays, SKY, rope_base=1000.0)
    assert vector(gguf(tmp_path, tiny_bert.gguf(arrays))) == pytest.approx(wanted, abs=2e-6)
    named = tiny_bert.hf_names(arrays)
    files = tiny_bert.write_hf(tmp_path, named, tiny_bert.nomic_config())
    assert vector(ModelSource(None, files)) == pytest.approx(wanted, abs=2e-6)


def test_positions_of_roberta_begin_after_its_padding(tmp_path: Path) -> None:
    """And it can have as many tokens fewer."""
    arrays = tiny_bert.weights()
    settings = tiny_bert.config(model_type="xlm-roberta", pad_token_id=1)
    named = tiny_bert.hf_names(arrays, "roberta.")
    source = ModelSource(None, tiny_bert.write_hf(tmp_path, named, settings))
    wanted = tiny_bert.expected(arrays, SKY, first_position=2)
    assert vector(source) == pytest.approx(wanted, abs=2e-6)
    engine = load(source)
    assert engine.context_length == POSITIONS - 2
    engine.close()


def test_a_gguf_of_xlm_r_is_exact(tmp_path: Path) -> None:
    """A BERT with a unigram vocabulary, whose positions the converter has cut."""
    arrays = tiny_bert.weights()
    pieces = ["<s>", "<pad>", "</s>", "<unk>", "▁", "▁the", "▁sky", *"abcdefghijklm"]
    content = tiny_bert.gguf(
        arrays,
        tokenizer__ggml__model="t5",
        tokenizer__ggml__tokens=pieces,
        tokenizer__ggml__scores=[-float(place) for place in range(len(pieces))],
        tokenizer__ggml__token_type=[3, 3, 3, 2] + [1] * (len(pieces) - 4),
        tokenizer__ggml__bos_token_id=0,
        tokenizer__ggml__eos_token_id=2,
        tokenizer__ggml__unknown_token_id=3,
        tokenizer__ggml__add_bos_token=True,
        tokenizer__ggml__add_space_prefix=True,
        tokenizer__ggml__remove_extra_whitespaces=True,
    )
    wanted = tiny_bert.expected(arrays, [0, 5, 6, 7, 2])
    assert vector(gguf(tmp_path, content), "the skya") == pytest.approx(wanted, abs=2e-6)


@pytest.mark.parametrize(("number", "place"), [(1, slice(None)), (3, slice(-1, None))])
def test_a_llama_that_embeds_gives_its_last_hidden_states(
    tmp_path: Path, number: int, place: slice
) -> None:
    """Pooled, of rows of several lengths together."""
    path = tiny.write_gguf(tmp_path / "llama.gguf", tiny.weights(), llama__pooling_type=number)
    engine = load(ModelSource(path))
    texts = [text or "x" for text in TEXTS]
    found = embed(engine, *texts)
    rows = [engine.tokenizer.encode(text) for text in texts]
    engine.close()
    assert found.num_tokens == sum(map(len, rows))
    model: Any = load_llama(ModelSource(path), 1).model
    for row, got in zip(rows, found.vectors, strict=True):
        hidden = np.array(model.model(mx.array([row])))[0]
        vector = hidden[place].mean(0)
        assert got == pytest.approx(vector / np.linalg.norm(vector), abs=1e-5)


def test_together_is_as_alone(engine: EmbeddingEngine) -> None:
    """In the order of the texts, whatever their lengths."""
    together = embed(engine, *TEXTS)
    for text, got in zip(TEXTS, together.vectors, strict=True):
        assert np.dot(got, embed(engine, text).vectors[0]) >= 0.9999
    backwards = embed(engine, *reversed(TEXTS))
    for one, other in zip(together.vectors, reversed(backwards.vectors), strict=True):
        assert np.dot(one, other) >= 0.9999


async def test_requests_at_once_are_as_alone(engine: EmbeddingEngine) -> None:
    """Rows of several requests share batches."""
    asks = [EmbedAsk((text,) * 3, 4096) for text in TEXTS]
    found = await asyncio.gather(*map(engine.embed, asks))
    alone = [(await engine.embed(EmbedAsk((text,), 4096))).vectors[0] for text in TEXTS]
    for answer, wanted in zip(found, alone, strict=True):
        assert all(np.dot(each, wanted) >= 0.9999 for each in answer.vectors)


def test_vectors_are_of_unit_length_in_single_precision(engine: EmbeddingEngine) -> None:
    """With no more digits than they have."""
    for each in embed(engine, *TEXTS).vectors:
        assert math.hypot(*each) == pytest.approx(1, abs=1e-6)
        assert [float(str(np.float32(number))) for number in each] == list(each)


@pytest.mark.parametrize("dimensions", [1, 8, WIDTH - 1])
def test_fewer_dimensions_are_the_first_at_unit_length(
    engine: EmbeddingEngine, dimensions: int
) -> None:
    """In the direction of the whole vector's."""
    whole = np.array(embed(engine, "The sky is blue.").vectors[0][:dimensions])
    (cut,) = embed(engine, "The sky is blue.", dimensions=dimensions).vectors
    assert cut == pytest.approx(whole / np.linalg.norm(whole), abs=1e-6)


@pytest.mark.parametrize("dimensions", [0, -1, WIDTH, 9999])
def test_other_numbers_of_dimensions_give_the_whole(
    engine: EmbeddingEngine, dimensions: int
) -> None:
    """Without an error."""
    assert len(embed(engine, "sky", dimensions=dimensions).vectors[0]) == WIDTH


@pytest.mark.parametrize(("num_ctx", "num_tokens"), [(3, 3), (7, 7), (4096, POSITIONS)])
def test_a_text_that_is_too_long_is_cut(
    engine: EmbeddingEngine, num_ctx: int, num_tokens: int
) -> None:
    """At its end, inside its frame, to what was asked for or to what the model was trained for."""
    found = embed(engine, "sky " * 100, num_ctx=num_ctx)
    fitting = embed(engine, "sky " * (num_tokens - 2))
    assert found.num_tokens == num_tokens
    assert np.dot(found.vectors[0], fitting.vectors[0]) >= 0.9999


@pytest.mark.parametrize(
    ("terms", "reason"),
    [
        ({"truncate": False}, "the input length exceeds the context length"),
        ({"num_ctx": 2}, "input after truncation exceeds maximum context length"),
    ],
)
def test_a_text_that_does_not_fit_fails_the_request(
    engine: EmbeddingEngine, terms: dict[str, Any], reason: str
) -> None:
    """As a whole, however short the others."""
    with pytest.raises(EmbedError, match=reason) as failed:
        embed(engine, "sky", "sky " * 100, **terms)
    assert failed.value.status == 400


def test_tokens_are_counted_after_cutting(engine: EmbeddingEngine) -> None:
    """With those of the frame."""
    assert embed(engine, "sky", "", "sky " * 100).num_tokens == 3 + 2 + POSITIONS


def test_no_texts_give_no_vectors(engine: EmbeddingEngine) -> None:
    """At once."""
    assert embed(engine) == Embeddings((), 0)


def test_a_vector_that_is_not_finite_fails_the_request(tmp_path: Path) -> None:
    """And the engine goes on."""
    arrays = tiny_bert.weights()
    arrays["token_embd.weight"][VOCABULARY.index("sky")] = np.nan
    engine = load(gguf(tmp_path, tiny_bert.gguf(arrays)))
    with pytest.raises(EmbedError, match=NOT_FINITE):
        embed(engine, "grass", "sky")
    assert len(embed(engine, "grass").vectors) == 1
    engine.close()


async def test_a_cancelled_request_leaves_nothing(engine: EmbeddingEngine) -> None:
    """The next one is served."""
    task = asyncio.create_task(engine.embed(EmbedAsk(("sky " * 40,) * 500, 4096)))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len((await engine.embed(EmbedAsk(("sky",), 4096))).vectors) == 1


async def test_closing_fails_what_waits(tmp_path: Path) -> None:
    """And what comes later; closing again does nothing."""
    engine = load(gguf(tmp_path, tiny_bert.gguf(tiny_bert.weights())))
    task = asyncio.create_task(engine.embed(EmbedAsk(("sky " * 40,) * 2000, 4096)))
    await asyncio.sleep(0)
    await asyncio.to_thread(engine.close)
    engine.close()
    for waiting in (task, engine.embed(EmbedAsk(("sky",), 4096))):
        with pytest.raises(EmbedError, match="unloaded"):
            await waiting


async def test_a_tokenizer_that_panics_fails_its_request_alone(
    engine: EmbeddingEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rust's panics are no exceptions, and would end more than a request."""

    class PanicException(BaseException):
        pass

    def panic(text: str) -> list[int]:
        raise PanicException("index out of bounds")

    with monkeypatch.context() as patched:
        patched.setattr(engine.tokenizer, "encode", panic)
        with pytest.raises(EmbedError, match="the tokenizer failed"):
            await engine.embed(EmbedAsk(("sky",), 4096))
    assert len((await engine.embed(EmbedAsk(("sky",), 4096))).vectors) == 1


async def test_it_generates_nothing(engine: EmbeddingEngine) -> None:
    """And says so."""
    async with engine.submit(Ask((1,), Sampling())) as events:
        assert [event async for event in events] == [Failed("the model only embeds", 400)]


def test_gelu_is_exact_to_single_precision() -> None:
    """From far below zero to far above."""
    x = np.concatenate([np.linspace(-30, 30, 3001), np.linspace(-5, 5, 3001)]).astype(np.float32)
    wanted = [one * 0.5 * (1 + math.erf(one / math.sqrt(2))) for one in x.tolist()]
    assert np.array(gelu(mx.array(x))) == pytest.approx(wanted, abs=1e-6, rel=1e-6)

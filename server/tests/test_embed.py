"""`/api/embed` and `/api/embeddings`."""

import asyncio
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ..engine.embedding import EmbeddingEngine
from ..engine.embedding_ask import NOT_FINITE, REFUSAL, EmbedAsk, EmbedError
from ..engine.engine import Engine
from ..engine.sequence import EngineSettings, LoadError, ModelSource
from ..engine.tests import tiny_bert
from ..pool import Engine as AnyEngine
from ..settings import Settings
from .conftest import SCRIPTED, Client, FakeEngine, Serve, ask, create, error, send, upload

VECTOR = [0.017878470942378044, 0.0, 1.0]


@pytest.fixture
async def client(serve: Serve) -> Client:
    """A server with the model `m`."""
    started = await serve()
    await create(started)
    return started


async def test_each_text_gets_a_vector(client: Client) -> None:
    """With the counts of the whole request."""
    status, answer = await ask(client, "/api/embed", model="M:latest", input=["abc", "d"])
    assert status == 200
    assert list(answer) == [
        *("model", "embeddings", "total_duration", "load_duration", "prompt_eval_count")
    ]
    assert answer["model"] == "M:latest"
    assert answer["embeddings"] == [VECTOR, VECTOR]
    assert answer["prompt_eval_count"] == 4
    assert answer["total_duration"] >= answer["load_duration"] > 0


@pytest.mark.parametrize(
    ("texts", "wanted"),
    [("a", ("a",)), (["a", ""], ("a", "")), (" ", (" ",)), ("\ud83d", ("�",))],
)
async def test_texts_reach_the_engine(
    client: Client, engine: FakeEngine, texts: object, wanted: tuple[str, ...]
) -> None:
    """An empty one too, in a list."""
    await ask(client, "/api/embed", model="m", input=texts)
    assert engine.embed_asks == [EmbedAsk(wanted, 4096)]


@pytest.mark.parametrize("fields", [{}, {"input": None}, {"input": ""}, {"input": []}])
async def test_no_input_loads_the_model(client: Client, fields: dict[str, object]) -> None:
    """And gives no vectors; a `prompt` is not known."""
    status, answer = await ask(client, "/api/embed", model="m", prompt="x", **fields)
    assert (status, answer) == (200, {"model": "m", "embeddings": []})
    _, running = await send(client, "GET", "/api/ps")
    assert [each["name"] for each in running["models"]] == ["m:latest"]


async def test_the_older_route_gives_one_vector(client: Client, engine: FakeEngine) -> None:
    """And nothing else; it never cuts a text."""
    status, answer = await ask(client, "/api/embeddings", model="m", prompt="abc")
    assert (status, answer) == (200, {"embedding": VECTOR})
    assert engine.embed_asks == [EmbedAsk(("abc",), 4096, truncate=False)]


@pytest.mark.parametrize("fields", [{}, {"prompt": None}, {"prompt": ""}, {"input": "x"}])
async def test_no_prompt_loads_the_model(client: Client, fields: dict[str, object]) -> None:
    """And gives an empty vector; an `input` is not known."""
    assert await ask(client, "/api/embeddings", model="m", **fields) == (200, {"embedding": []})


@pytest.mark.parametrize(
    ("options", "num_ctx"),
    [
        (None, 4096),
        ({"num_ctx": 2}, 2),
        ({"num_ctx": None}, 4096),
        ({"num_ctx": 0}, 4096),
        ({"num_ctx": 64.9, "mirostat": 1}, 64),
    ],
)
async def test_the_window_is_the_one_asked_for(
    client: Client, engine: FakeEngine, options: object, num_ctx: int
) -> None:
    """However small."""
    await ask(client, "/api/embed", model="m", input="x", options=options)
    assert engine.embed_asks[0].num_ctx == num_ctx


async def test_the_server_sets_the_window_too(
    serve: Serve, engine: FakeEngine, models: Path
) -> None:
    """Where the request does not, nor the model."""
    client = await serve(settings=Settings(models=models, context_length=77))
    await create(client)
    await create(client, "n", **{"from": "m", "parameters": {"num_ctx": 33}})
    for name in ("m", "n"):
        await ask(client, "/api/embed", model=name, input="x")
    assert [each.num_ctx for each in engine.embed_asks] == [77, 33]


async def test_terms_reach_the_engine(client: Client, engine: FakeEngine) -> None:
    """Of `/api/embed`."""
    await ask(client, "/api/embed", model="m", input="x", truncate=False, dimensions=8)
    assert engine.embed_asks == [EmbedAsk(("x",), 4096, truncate=False, dimensions=8)]


@pytest.mark.parametrize("path", ["/api/embed", "/api/embeddings"])
async def test_keep_alive_of_zero_unloads_after_the_answer(
    client: Client, engine: FakeEngine, path: str
) -> None:
    """There is no other way to unload through these routes."""
    fields = {"model": "m", "input": "x", "prompt": "x"}
    assert (await ask(client, path, **fields, keep_alive=0))[0] == 200
    async with asyncio.timeout(10):
        while not engine.is_closed:
            await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("path", "fields", "status", "message"),
    [
        ("/api/embed", {}, 404, "model '' not found"),
        ("/api/embed", {"model": " ", "input": 5}, 404, "model ' ' not found"),
        ("/api/embed", {"model": "bad name!"}, 400, "invalid model name"),
        ("/api/embed", {"model": "nope", "input": 5}, 400, "invalid input type"),
        ("/api/embed", {"model": "nope", "input": [1, 2]}, 400, "invalid input type"),
        ("/api/embed", {"model": "nope", "input": ["a", None]}, 400, "invalid input type"),
        ("/api/embed", {"model": "nope", "input": {"a": "b"}}, 400, "invalid input type"),
        ("/api/embed", {"model": "nope", "input": False}, 400, "invalid input type"),
        (
            "/api/embed",
            {"model": "nope", "options": {"num_ctx": "x"}},
            404,
            'model "nope" not found, try pulling it first',
        ),
        (
            "/api/embed",
            {"model": "m", "options": {"num_ctx": "x"}},
            400,
            'option "num_ctx" must be of type integer',
        ),
        (
            "/api/embed",
            {"model": "m", "dimensions": "x"},
            400,
            "json: cannot unmarshal string into Go struct field EmbedRequest.dimensions of"
            " type int",
        ),
        (
            "/api/embed",
            {"model": "x:cloud"},
            403,
            "ollama cloud is disabled: remote model is unavailable",
        ),
        ("/api/embeddings", {}, 400, "model is required"),
        ("/api/embeddings", {"model": "bad name!"}, 400, "invalid model name"),
        (
            "/api/embeddings",
            {"model": "nope"},
            404,
            'model "nope" not found, try pulling it first',
        ),
        (
            "/api/embeddings",
            {"model": "nope", "prompt": ["a"]},
            400,
            "json: cannot unmarshal array into Go struct field EmbeddingRequest.prompt of"
            " type string",
        ),
    ],
)
async def test_what_is_wrong_first_is_said(
    client: Client, path: str, fields: dict[str, Any], status: int, message: str
) -> None:
    """In the order of the original."""
    assert await error(client, path, **fields) == (status, message)


@pytest.mark.parametrize(
    ("failure", "status"), [(EmbedError(REFUSAL, 501), 501), (EmbedError(NOT_FINITE), 400)]
)
async def test_failures_of_the_engine_are_told(
    client: Client, engine: FakeEngine, failure: EmbedError, status: int
) -> None:
    """With their own status, by the older route with 500."""
    engine.embed_error = failure
    told = await error(client, "/api/embed", model="m", input="x")
    assert told == (status, str(failure))
    older = await error(client, "/api/embeddings", model="m", prompt="x")
    assert older == (500, str(failure))


def load(source: ModelSource, num_ctx: int) -> AnyEngine:
    """The real engines."""
    kind = EmbeddingEngine if source.embeds else Engine
    return kind.load(source, EngineSettings(num_ctx=num_ctx))


@pytest.fixture(params=["gguf", "safetensors"])
async def real(request: pytest.FixtureRequest, serve: Serve) -> Client:
    """A server with a tiny BERT, `bert`, made from either kind of file."""
    client = await serve(load)
    arrays = tiny_bert.weights()
    if request.param == "gguf":
        files = {"model.gguf": await upload(client, tiny_bert.gguf(arrays))}
    else:
        contents = {
            "model.safetensors": tiny_bert.safetensors(tiny_bert.hf_names(arrays)),
            "config.json": json.dumps(tiny_bert.config()).encode(),
            "tokenizer.json": json.dumps(tiny_bert.tokenizer_json()).encode(),
            "1_Pooling/config.json": b'{"pooling_mode_mean_tokens": true}',
        }
        files = {name: await upload(client, content) for name, content in contents.items()}
    await create(client, "bert", files=files)
    return client


async def test_a_created_bert_embeds(real: Client) -> None:
    """From upload to vector, as in float64."""
    texts = ["The sky is blue.", "grass"]
    status, answer = await ask(real, "/api/embed", model="bert", input=texts, dimensions=8)
    assert (status, answer["prompt_eval_count"]) == (200, 7 + 3)
    assert [math.hypot(*each) for each in answer["embeddings"]] == pytest.approx([1, 1])
    _, older = await ask(real, "/api/embeddings", model="bert", prompt=texts[1])
    ids = [tiny_bert.CLS, tiny_bert.VOCABULARY.index("grass"), tiny_bert.SEP]
    wanted = tiny_bert.expected(tiny_bert.weights(), ids)
    assert older["embedding"] == pytest.approx(wanted, abs=2e-6)


async def test_a_created_bert_only_embeds(real: Client) -> None:
    """And every route knows."""
    _, shown = await ask(real, "/api/show", model="bert")
    assert shown["capabilities"] == ["embedding"]
    assert shown["details"]["family"] == "bert"
    assert shown["model_info"]["general.architecture"] == "bert"
    (listed,) = (await send(real, "GET", "/api/tags"))[1]["models"]
    assert listed["capabilities"] == ["embedding"]
    assert listed["details"]["embedding_length"] == tiny_bert.WIDTH
    told = await error(real, "/api/generate", model="bert", prompt="x")
    assert told == (400, '"bert" does not support generate')
    chat = [{"role": "user", "content": "x"}]
    told = await error(real, "/api/chat", model="bert", messages=chat)
    assert told == (400, '"bert" does not support chat')


async def test_position_numbers_are_no_quantization(serve: Serve) -> None:
    """A BERT of float32 is one, though old exports number its positions in int64."""
    client = await serve(load)
    arrays = tiny_bert.hf_names(tiny_bert.weights())
    arrays["embeddings.position_ids"] = np.arange(tiny_bert.POSITIONS, dtype=np.int64)[None]
    files = {
        "model.safetensors": await upload(client, tiny_bert.safetensors(arrays)),
        "config.json": await upload(client, json.dumps(tiny_bert.config()).encode()),
    }
    await create(client, "bert", files=files)
    _, shown = await ask(client, "/api/show", model="bert")
    assert shown["details"]["quantization_level"] == "F32"


async def test_a_nomic_bert_says_its_lengths(serve: Serve) -> None:
    """Under the names that its config has for them."""
    client = await serve(load)
    arrays = tiny_bert.hf_names(tiny_bert.weights(nomic=True))
    files = {
        "model.safetensors": await upload(client, tiny_bert.safetensors(arrays)),
        "config.json": await upload(client, json.dumps(tiny_bert.nomic_config()).encode()),
    }
    await create(client, "nomic", files=files)
    (listed,) = (await send(client, "GET", "/api/tags"))[1]["models"]
    assert listed["details"]["context_length"] == tiny_bert.POSITIONS
    assert listed["details"]["embedding_length"] == tiny_bert.WIDTH


async def test_a_bert_is_unloaded_through_generate(real: Client) -> None:
    """As the command line's stop does (LIFE-005)."""
    await ask(real, "/api/embed", model="bert", input="", keep_alive=-1)
    (running,) = (await send(real, "GET", "/api/ps"))[1]["models"]
    assert (running["name"], running["size"] > 0) == ("bert:latest", True)
    assert running["context_length"] == tiny_bert.POSITIONS
    _, answer = await ask(real, "/api/generate", model="bert", keep_alive=0)
    assert answer["done_reason"] == "unload"


async def test_a_text_that_is_too_long_is_told(real: Client) -> None:
    """By the one route as a client's error, by the other as a server's."""
    message = "the input length exceeds the context length"
    long = "sky " * 100
    told = await error(real, "/api/embed", model="bert", input=long, truncate=False)
    assert told == (400, message)
    assert await error(real, "/api/embeddings", model="bert", prompt=long) == (500, message)
    _, cut = await ask(real, "/api/embed", model="bert", input=long)
    assert cut["prompt_eval_count"] == tiny_bert.POSITIONS


async def test_a_model_that_generates_does_not_embed(serve: Serve) -> None:
    """But is loaded by an empty request (EMBED-025)."""
    client = await serve(load)
    weights = await upload(client, (SCRIPTED / "scripted.gguf").read_bytes())
    await create(client, "scripted", files={"scripted.gguf": weights})
    assert (await ask(client, "/api/embed", model="scripted"))[0] == 200
    assert await error(client, "/api/embed", model="scripted", input="x") == (501, REFUSAL)
    assert await error(client, "/api/embeddings", model="scripted", prompt="x") == (500, REFUSAL)


async def test_a_bert_that_cannot_be_loaded_is_told(serve: Serve) -> None:
    """With what is wrong with it."""
    client = await serve(load)
    lying = tiny_bert.gguf(tiny_bert.weights(), bert__block_count=1)
    await create(client, "bert", files={"model.gguf": await upload(client, lying)})
    status, message = await error(client, "/api/embed", model="bert", input="x")
    assert status == 500
    assert "has no place in this model" in message


def test_serving_chooses_the_engine_by_the_files(tmp_path: Path) -> None:
    """Both kinds say what is wrong with a model that is not there."""
    from ..serving import _loader

    chosen = _loader(Settings(models=tmp_path))
    for embeds in (False, True):
        with pytest.raises(LoadError):
            chosen(ModelSource(tmp_path / "absent.gguf", embeds=embeds), 4096)

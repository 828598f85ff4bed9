"""The whole server with the scripted model: what it must say is known byte for byte."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from ..engine.engine import Engine
from ..engine.sequence import EngineSettings, ModelSource
from .conftest import SCRIPTED, Client, Serve, ask, create, send, stream, upload

SCRIPT = json.loads((SCRIPTED / "script.json").read_text())
GREEDY = {"temperature": 0}
RECITALS = {
    each["id"]: each
    for each in SCRIPT["recitals"]
    if each["messages"] and each["ends"] and "continues" not in each
}


def load(source: ModelSource, num_ctx: int) -> Engine:
    """The real engine, with four slots."""
    return Engine.load(source, EngineSettings(num_parallel=4, threads=1, num_ctx=num_ctx))


@pytest.fixture
async def client(serve: Serve) -> Client:
    """A server with the scripted model."""
    started = await serve(load)
    weights = await upload(started, (SCRIPTED / "scripted.gguf").read_bytes())
    template = (SCRIPTED / SCRIPT["template"]).read_text()
    fields = {"template": template, "parameters": SCRIPT["parameters"]}
    await create(started, "scripted", files={"scripted.gguf": weights}, **fields)
    return started


def request_of(recital: dict[str, Any]) -> dict[str, Any]:
    """The chat request of a recital."""
    optional = {key: recital[key] for key in ("tools", "think") if key in recital}
    return {"model": "scripted", "messages": recital["messages"], "options": GREEDY} | optional


def message_of(recital: dict[str, Any]) -> dict[str, Any]:
    """What a recital answers, as `/api/chat` tells it."""
    message = {"role": "assistant", "content": recital["content"]}
    if recital.get("thinking"):
        message["thinking"] = recital["thinking"]
    return message


async def test_every_recital_is_recited(client: Client) -> None:
    """Rendering, tokens, text, thoughts and tool calls are right to the byte."""
    for recital in RECITALS.values():
        status, answer = await ask(client, "/api/chat", **request_of(recital), stream=False)
        assert status == 200
        calls = [call["function"] for call in answer["message"].pop("tool_calls", [])]
        assert answer["message"] == message_of(recital), recital["id"]
        wanted = [dict(call, index=at) for at, call in enumerate(recital.get("tool_calls", []))]
        assert calls == wanted
        counts = answer["prompt_eval_count"], answer["eval_count"]
        assert counts == (recital["prompt_tokens"], recital["output_tokens"])


async def test_many_together_say_what_each_says_alone(client: Client) -> None:
    """No stream is lost, crossed or changed."""
    chosen = [each for each in RECITALS.values() if "tool_calls" not in each][:8] * 2

    async def content(recital: dict[str, Any]) -> str:
        records = await stream(client, "/api/chat", **request_of(recital))
        return "".join(record["message"]["content"] for record in records)

    said = await asyncio.gather(*(content(each) for each in chosen))
    assert said == [each["content"] for each in chosen]


async def test_the_same_seed_gives_the_same_tokens(client: Client) -> None:
    """Alone and in company, streamed or not."""
    options = {"seed": 11, "temperature": 2.0, "num_predict": 20}
    fields = {"model": "scripted", "prompt": "Hello", "options": options, "stream": False}
    alone = (await ask(client, "/api/generate", **fields))[1]["context"]
    together = await asyncio.gather(*(ask(client, "/api/generate", **fields) for _ in range(3)))
    assert [answer["context"] for _, answer in together] == [alone] * 3


async def test_an_answer_goes_on_from_its_context(client: Client) -> None:
    """The last answer depends on the first turn."""
    fields = {"model": "scripted", "options": GREEDY, "stream": False}
    first = (await ask(client, "/api/generate", prompt="My name is Ada.", **fields))[1]
    fields["context"] = first["context"]
    second = (await ask(client, "/api/generate", prompt="What is my name?", **fields))[1]
    assert second["response"] == "Your name is Ada."


async def test_unicode_characters_are_never_split(client: Client) -> None:
    """Each record is whole text, and the records joined are the answer."""
    recital = RECITALS["unicode-emoji"]
    records = await stream(client, "/api/chat", **request_of(recital))
    pieces = [record["message"]["content"] for record in records]
    assert "\ufffd" not in "".join(pieces)
    assert "".join(pieces) == recital["content"]


async def test_a_stop_string_ends_the_answer_before_it(client: Client) -> None:
    """It replaces the model's own."""
    fields = request_of(RECITALS["greeting"]) | {"options": GREEDY | {"stop": ["are"]}}
    _, answer = await ask(client, "/api/chat", **fields, stream=False)
    assert (answer["message"]["content"], answer["done_reason"]) == ("Hello! How ", "stop")


async def test_the_number_of_tokens_is_limited(client: Client) -> None:
    """The reason says so."""
    fields = request_of(RECITALS["count"]) | {"options": GREEDY | {"num_predict": 5}}
    _, answer = await ask(client, "/api/chat", **fields, stream=False)
    assert (answer["eval_count"], answer["done_reason"]) == (5, "length")


async def test_safetensors_say_the_same(serve: Serve) -> None:
    """The same weights in the other format."""
    client = await serve(load)
    folder = SCRIPTED / "safetensors"
    files = {path.name: await upload(client, path.read_bytes()) for path in folder.iterdir()}
    template = (SCRIPTED / SCRIPT["template"]).read_text()
    await create(client, "scripted", files=files, template=template)
    recital = RECITALS["greeting"]
    _, answer = await ask(client, "/api/chat", **request_of(recital), stream=False)
    assert answer["message"]["content"] == recital["content"]


async def test_weights_that_only_look_right_are_refused_at_loading(serve: Serve) -> None:
    """The error says what is missing; the server lives on."""
    client = await serve(load)
    await create(client)
    status, answer = await ask(client, "/api/generate", model="m")
    assert status == 500
    assert answer["error"].startswith("cannot load m:latest: ")
    assert (await send(client, "GET", "/api/ps"))[0] == 200


def test_the_fixture_is_there() -> None:
    """The scripted model is part of the tree."""
    assert Path(SCRIPTED / "scripted.gguf").is_file()

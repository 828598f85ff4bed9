"""`format` on the routes, with the scripted model: what is constrained, and what is not."""

import json
from typing import Any

import pytest

from ..engine.sequence import Thought
from .conftest import Client, FakeEngine, Serve, ask, create, error, stream
from .test_inference import THINKS
from .test_scripted import GREEDY, RECITALS, client, request_of

__all__ = ["client"]

LEGS = {"type": "object", "properties": {"legs": {"enum": [4, 8]}}, "required": ["legs"]}
THINK = request_of(RECITALS["think"])
HI = [{"role": "user", "content": "Hi"}]


def parts_of(records: list[dict[str, Any]]) -> tuple[str, str]:
    """Thinking and content of a streamed chat."""
    messages = [record["message"] for record in records]
    thinking = "".join(one.get("thinking", "") for one in messages)
    return thinking, "".join(one["content"] for one in messages)


@pytest.mark.parametrize("path", ["/api/chat", "/api/generate"])
async def test_json_is_recited_where_the_model_says_json(client: Client, path: str) -> None:
    """`json` changes nothing in an answer that is a JSON object anyway."""
    recital = RECITALS["json"]
    fields = request_of(recital) | {"prompt": recital["messages"][-1]["content"]}
    _, answer = await ask(client, path, **fields, format="json", stream=False)
    said = answer["message"]["content"] if path == "/api/chat" else answer["response"]
    assert (said, answer["done_reason"]) == (recital["content"], "stop")


async def test_a_schema_makes_json_of_any_answer(client: Client) -> None:
    """Streamed too, and with tools (FMT-014)."""
    calling = request_of(RECITALS["tool-call"]) | {"think": False}
    for fields in (request_of(RECITALS["greeting"]), calling):
        records = await stream(client, "/api/chat", **fields, format=LEGS)
        assert json.loads(parts_of(records)[1])["legs"] in (4, 8)
        assert records[-1]["done_reason"] == "stop"


async def test_a_thinking_model_may_call_instead(client: Client) -> None:
    """Its call begins with the sign that begins a thought, too; it is not made to think."""
    calling = request_of(RECITALS["tool-call"]) | {"think": True, "stream": False}
    _, answer = await ask(client, "/api/chat", **calling, format=LEGS)
    called = [call["function"]["name"] for call in answer["message"]["tool_calls"]]
    assert called == [call["name"] for call in RECITALS["tool-call"]["tool_calls"]]
    assert "thinking" not in answer["message"]


async def test_the_end_that_a_grammar_leaves_counts(client: Client) -> None:
    """As with the original: it is a token, and needs its place (MET-006)."""
    fields = request_of(RECITALS["greeting"]) | {"format": LEGS, "stream": False}
    _, answer = await ask(client, "/api/chat", **fields, logprobs=True)
    tokens = len(answer["logprobs"])
    assert (answer["done_reason"], answer["eval_count"]) == ("stop", tokens + 1)
    fields |= {"options": GREEDY | {"num_predict": tokens}}
    _, answer = await ask(client, "/api/chat", **fields)
    assert (answer["done_reason"], answer["eval_count"]) == ("length", tokens)


async def test_a_thought_is_free_and_the_content_is_constrained(client: Client) -> None:
    """Streamed and not, by default and when asked for (FMT-009)."""
    for think in ({}, {"think": True}):
        fields = THINK | think | {"format": LEGS}
        thinking, content = parts_of(await stream(client, "/api/chat", **fields))
        assert thinking == RECITALS["think"]["thinking"]
        assert json.loads(content)["legs"] in (4, 8)
        _, answer = await ask(client, "/api/chat", **fields, stream=False)
        assert (answer["message"]["thinking"], answer["message"]["content"]) == (thinking, content)


async def test_without_thinking_the_first_token_is_constrained(client: Client) -> None:
    """`think: false` (FMT-011), and a model that skips its thought (FMT-012)."""
    for fields in (THINK | {"think": False}, request_of(RECITALS["greeting"]) | {"think": True}):
        _, answer = await ask(client, "/api/chat", **fields, format=LEGS, stream=False)
        assert json.loads(answer["message"]["content"])["legs"] in (4, 8)
        assert "thinking" not in answer["message"]


async def test_a_cut_answer_says_so(client: Client) -> None:
    """The JSON is not whole (FMT-007)."""
    fields = request_of(RECITALS["json"]) | {"options": GREEDY | {"num_predict": 3}}
    _, answer = await ask(client, "/api/chat", **fields, format="json", stream=False)
    assert answer["done_reason"] == "length"
    assert RECITALS["json"]["content"].startswith(answer["message"]["content"])


async def test_a_schema_without_grammar_is_refused(client: Client) -> None:
    """With 400 before a stream begins; the server lives on (FMT-005)."""
    fields = request_of(RECITALS["greeting"])
    status, text = await error(client, "/api/chat", **fields, format={"type": 123})
    assert status == 400
    assert text == "JSON schema conversion failed: type must be a string or array of strings"
    _, answer = await ask(client, "/api/chat", **fields, stream=False)
    assert answer["message"]["content"] == RECITALS["greeting"]["content"]


@pytest.mark.parametrize("form", [None, ""])
async def test_no_format_constrains_nothing(
    serve: Serve, engine: FakeEngine, form: str | None
) -> None:
    """Null and the empty string are none (FMT-003)."""
    fake = await serve()
    await create(fake)
    await ask(fake, "/api/chat", model="m", messages=HI, format=form, stream=False)
    assert engine.asks[0].grammar is None


async def test_the_tags_of_a_thought_reach_the_engine(serve: Serve, engine: FakeEngine) -> None:
    """Only where the answer may have one, and the text is told apart."""
    fake = await serve()
    await create(fake, template=THINKS)
    fields = {"model": "m", "prompt": "x", "format": "json", "stream": False}
    await ask(fake, "/api/generate", **fields)
    await ask(fake, "/api/generate", **fields, raw=True)
    await ask(fake, "/api/generate", **fields, think=False)
    thoughts = [one.grammar and one.grammar.thought for one in engine.asks]
    assert thoughts == [Thought("<think>", "</think>", inside=False), None, None]


@pytest.mark.parametrize("form", ["xml", 5, {"type": 123}])
async def test_loading_does_not_look_at_the_format(client: Client, form: object) -> None:
    """A load request generates nothing (FMT-004)."""
    for path in ("/api/chat", "/api/generate"):
        status, answer = await ask(client, path, model="scripted", format=form)
        assert (status, answer["done_reason"]) == (200, "load")

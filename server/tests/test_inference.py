"""`/api/generate` and `/api/chat`, with an engine that says what a test wants."""

import asyncio
import json
from pathlib import Path

import pytest

from ..engine.sequence import Failed, Finished, LoadError, ModelSource, Piece, TokenLogprob
from ..messages import ToolCall
from ..parser import Content, Thinking
from ..reading import grouped
from ..settings import Settings
from .conftest import Client, FakeEngine, Serve, ask, create, error, send, stream

HI = [{"role": "user", "content": "Hi"}]
THINKS = (
    "{{ range .Messages }}{{ .Role }}:{{ if .Thinking }}<think>{{ .Thinking }}</think>{{ end }}"
    "{{ .Content }}\n{{ end }}"
)
CALLS = (
    "{{ range .Messages }}{{ .Content }}{{ if .ToolCalls }}<call>{{ range .ToolCalls }}"
    '{"name": "{{ .Function.Name }}", "arguments": {{ .Function.Arguments }}}{{ end }}</call>'
    "{{ end }}{{ end }}{{ .Tools }}"
)
TOOL = {"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}


@pytest.fixture
async def client(serve: Serve) -> Client:
    """A server with the model `m`."""
    started = await serve()
    await create(started)
    return started


async def test_generate_streams_a_record_a_piece(client: Client) -> None:
    """Then one with the counts; earlier ones have none."""
    records = await stream(client, "/api/generate", model="m", prompt="abc")
    assert [each["response"] for each in records] == ["Hello", " there", ""]
    assert [list(each) for each in records[:2]] == [["model", "created_at", "response", "done"]] * 2
    last = records[-1]
    assert list(last) == [
        *("model", "created_at", "response", "done", "done_reason", "context", "total_duration"),
        *("load_duration", "prompt_eval_count", "prompt_eval_duration", "eval_count"),
        "eval_duration",
    ]
    assert (last["done_reason"], last["prompt_eval_count"], last["eval_count"]) == ("stop", 3, 2)
    assert last["total_duration"] >= last["load_duration"] > 0


async def test_chat_streams_messages(client: Client) -> None:
    """Never with a `context`."""
    records = await stream(client, "/api/chat", model="m", messages=HI)
    assert [each["message"] for each in records] == [
        {"role": "assistant", "content": text} for text in ("Hello", " there", "")
    ]
    assert [each["done"] for each in records] == [False, False, True]
    assert "context" not in records[-1]


@pytest.mark.parametrize("path", ["/api/generate", "/api/chat"])
async def test_streamed_pieces_joined_are_the_unstreamed_answer(client: Client, path: str) -> None:
    """The law of both routes."""
    fields = {"model": "m", "prompt": "x", "messages": HI}
    records = await stream(client, path, **fields)
    status, whole = await ask(client, path, **fields, stream=False)
    assert status == 200
    if path == "/api/chat":
        joined = "".join(each["message"]["content"] for each in records)
        assert whole["message"]["content"] == joined
    else:
        assert whole["response"] == "".join(each["response"] for each in records)
    for key in ("done", "done_reason", "prompt_eval_count", "eval_count"):
        assert whole[key] == records[-1][key]


async def test_the_model_is_named_as_the_client_named_it(client: Client) -> None:
    """In any case, with a marker, without a tag."""
    for name in ("M", " m ", "m:local", "library/m"):
        _, answer = await ask(client, "/api/generate", model=name, prompt="x", stream=False)
        assert answer["model"] == name


async def test_context_continues_an_answer(client: Client, engine: FakeEngine) -> None:
    """Its tokens come before the new prompt's; raw answers have none."""
    _, first = await ask(client, "/api/generate", model="m", prompt="ab", stream=False)
    assert first["context"] == [97, 98, 0, 1]
    await stream(client, "/api/generate", model="m", prompt="c", context=first["context"])
    assert engine.asks[-1].prompt_ids == (97, 98, 0, 1, 99)
    _, raw = await ask(client, "/api/generate", model="m", prompt="x", raw=True, stream=False)
    assert "context" not in raw


async def test_a_context_of_no_tokens_is_refused(client: Client) -> None:
    """Ids that the model does not have."""
    status, message = await error(client, "/api/generate", model="m", prompt="x", context=[999])
    assert (status, "detokenize error" in message) == (500, True)


@pytest.mark.parametrize(
    ("path", "fields", "status", "message"),
    [
        ("/api/generate", {}, 404, "model '' not found"),
        ("/api/chat", {}, 400, "model is required"),
        ("/api/chat", {"model": "  "}, 400, "model is required"),
        ("/api/generate", {"model": "nope"}, 404, "model 'nope' not found"),
        ("/api/chat", {"model": "nope"}, 404, "model 'nope' not found"),
        ("/api/chat", {"model": "bad name!"}, 400, "invalid model name"),
        ("/api/chat", {"model": "../../etc/passwd"}, 400, "invalid model name"),
        (
            "/api/chat",
            {"model": "m:cloud"},
            403,
            "ollama cloud is disabled: remote model is unavailable",
        ),
        (
            "/api/generate",
            {"model": "nope", "top_logprobs": 21},
            400,
            "top_logprobs must be between 0 and 20",
        ),
        (
            "/api/generate",
            {"model": "nope", "top_logprobs": -1},
            400,
            "top_logprobs must be between 0 and 20",
        ),
        (
            "/api/chat",
            {"model": "m", "messages": HI, "think": True},
            400,
            '"m" does not support thinking',
        ),
        ("/api/generate", {"model": "m", "think": "high"}, 400, '"m" does not support thinking'),
        (
            "/api/chat",
            {"model": "m", "messages": HI, "tools": [TOOL]},
            400,
            "registry.ollama.ai/library/m:latest does not support tools",
        ),
        (
            "/api/generate",
            {"model": "m", "suffix": "x"},
            400,
            "registry.ollama.ai/library/m:latest does not support insert",
        ),
        (
            "/api/generate",
            {"model": "m", "raw": True, "system": "x"},
            400,
            "raw mode does not support template, system, or context",
        ),
        (
            "/api/generate",
            {"model": "m", "prompt": "x", "options": {"top_k": "x"}},
            400,
            'option "top_k" must be of type integer',
        ),
        (
            "/api/generate",
            {"model": "m", "prompt": "x", "template": "{{"},
            500,
            "template: :1: unclosed action",
        ),
        (
            "/api/generate",
            {"model": "m", "prompt": "x", "format": "xml"},
            400,
            'invalid format: "\\"xml\\""; expected "json" or a valid JSON Schema object',
        ),
        (
            "/api/chat",
            {"model": "m", "messages": HI, "format": 5},
            400,
            'invalid format: "5"; expected "json" or a valid JSON Schema object',
        ),
        (
            "/api/generate",
            {"model": "m", "prompt": "x", "images": ["aGk="]},
            400,
            "Multimodal data provided, but model does not support multimodal requests.",
        ),
    ],
)
async def test_a_bad_request_is_refused_with_the_contracts_words(
    client: Client, path: str, fields: dict[str, object], status: int, message: str
) -> None:
    """As an ordinary answer, streaming asked for or not."""
    assert await error(client, path, **fields) == (status, message)
    assert await error(client, path, **fields, stream=False) == (status, message)


@pytest.mark.parametrize(
    "fields",
    [
        {"prompt": 5},
        {"stream": "false"},
        {"raw": 1},
        {"options": []},
        {"keep_alive": "soon"},
        {"keep_alive": True},
        {"think": "auto"},
        {"think": 1},
        {"images": ["***"]},
        {"context": [1.5]},
        {"context": "x"},
        {"top_logprobs": "3"},
        {"system": []},
    ],
)
async def test_a_wrong_type_is_refused_before_the_model_is_looked_for(
    client: Client, fields: dict[str, object]
) -> None:
    """Decoding comes first."""
    status, message = await error(client, "/api/generate", model="nope", **fields)
    assert (status, "not found" in message) == (400, False)


async def test_null_fields_are_absent(client: Client) -> None:
    """LangChain sends many."""
    names = ("system", "template", "format", "options", "keep_alive", "think", "context", "images")
    nulls = dict.fromkeys((*names, "suffix", "raw", "truncate", "shift", "logprobs"))
    status, _ = await ask(client, "/api/generate", model="m", prompt="x", stream=False, **nulls)
    assert status == 200


async def test_an_empty_prompt_loads_and_zero_keep_alive_unloads(client: Client) -> None:
    """In one object without counts; ps follows."""
    _, loaded = await ask(client, "/api/generate", model="m")
    assert {key: loaded[key] for key in loaded if key != "created_at"} == {
        "model": "m",
        "response": "",
        "done": True,
        "done_reason": "load",
    }
    _, running = await send(client, "GET", "/api/ps")
    assert len(running["models"]) == 1
    for _ in range(2):
        _, unloaded = await ask(client, "/api/chat", model="m", keep_alive=0)
        assert unloaded["message"] == {"role": "assistant", "content": ""}
        assert unloaded["done_reason"] == "unload"
    async with asyncio.timeout(10):
        while (await send(client, "GET", "/api/ps"))[1]["models"]:
            await asyncio.sleep(0)


async def test_a_model_that_cannot_be_loaded_says_why(serve: Serve) -> None:
    """With 500."""

    def load(source: ModelSource, num_ctx: int) -> FakeEngine:
        raise LoadError("no such architecture")

    client = await serve(load)
    await create(client)
    refused = await error(client, "/api/chat", model="m", messages=HI)
    assert refused == (500, "cannot load m:latest: no such architecture")


async def test_a_failure_before_the_first_piece_is_an_error_answer(
    client: Client, engine: FakeEngine
) -> None:
    """With the status that the engine gives."""
    engine.pieces, engine.ending = (), Failed("out of memory", 503)
    assert await error(client, "/api/chat", model="m", messages=HI) == (503, "out of memory")


async def test_a_failure_in_mid_stream_is_the_last_line(client: Client, engine: FakeEngine) -> None:
    """No record says done."""
    engine.ending = Failed("out of memory", 503)
    records = await stream(client, "/api/chat", model="m", messages=HI)
    assert records[-1] == {"error": "out of memory"}
    assert not any(each.get("done") for each in records)
    assert await error(client, "/api/chat", model="m", messages=HI, stream=False) == (
        503,
        "out of memory",
    )


async def test_options_reach_the_engine(client: Client, engine: FakeEngine) -> None:
    """The request's over the model's."""
    await create(client, "n", parameters={"stop": ["x"], "top_k": 3})
    options = {"seed": 7, "num_predict": 9, "num_ctx": 100, "num_keep": 2}
    fields = {"options": options, "shift": False, "logprobs": True, "top_logprobs": 2}
    await ask(client, "/api/generate", model="n", prompt="x", stream=False, **fields)
    asked = engine.asks[-1]
    assert (asked.sampling.seed, asked.sampling.top_k, asked.stop) == (7, 3, ("x",))
    assert (asked.num_predict, asked.num_ctx, asked.num_keep) == (9, 100, 2)
    assert (asked.shift, asked.top_logprobs) == (False, 2)


async def test_context_length_of_the_server_is_the_default(
    serve: Serve, engine: FakeEngine, models: Path
) -> None:
    """`OLLAMA_CONTEXT_LENGTH`, unless a request says otherwise."""
    client = await serve(settings=Settings(models=models, context_length=512))
    await create(client)
    await ask(client, "/api/generate", model="m", prompt="x", stream=False)
    assert engine.asks[-1].num_ctx == 512


async def rendered(client: Client, path: str, **fields: object) -> str:
    """The prompt that a request gives."""
    _, answer = await ask(client, path, _debug_render_only=True, **fields)
    return str(answer["_debug_info"]["rendered_template"])


LISTS = "{{ range .Messages }}[{{ .Role }} {{ .Content }}]{{ end }}"


async def test_the_models_texts_come_in_their_order(client: Client) -> None:
    """System, embedded messages, request; a leading system message replaces the model's."""
    messages = [{"role": "user", "content": "E"}, {"role": "assistant", "content": "F"}]
    await create(client, "n", template=LISTS, system="S", messages=messages)
    chat = await rendered(client, "/api/chat", model="n", messages=HI)
    generate = await rendered(client, "/api/generate", model="n", prompt="Hi")
    assert chat == generate == "[system S][user E][assistant F][user Hi]"
    own = [{"role": "system", "content": "T"}, *HI]
    assert await rendered(client, "/api/chat", model="n", messages=own) == (
        "[user E][assistant F][system T][user Hi]"
    )
    assert await rendered(client, "/api/generate", model="n", prompt="Hi", system="T") == (
        "[system T][user E][assistant F][user Hi]"
    )


async def test_raw_and_template_replace_the_models_template(client: Client) -> None:
    """The prompt as it is, or in the request's template."""
    await create(client, "n", template=LISTS)
    assert await rendered(client, "/api/generate", model="n", prompt="Hi", raw=True) == "Hi"
    once = {"template": "Q: {{ .Prompt }} A:"}
    assert await rendered(client, "/api/generate", model="n", prompt="Hi", **once) == "Q: Hi A:"


async def test_a_long_conversation_loses_its_oldest_messages(client: Client) -> None:
    """Until it fits; the system message stays."""
    await create(client, "n", template=LISTS, system="S")
    messages = [{"role": "user", "content": str(number) * 9} for number in range(5)]
    turns = [turn for each in messages for turn in (each, {"role": "assistant", "content": "ok"})]
    fields = {"model": "n", "messages": turns[:-1], "options": {"num_ctx": 64}}
    assert await rendered(client, "/api/chat", **fields) == (
        "[system S][user 333333333][assistant ok][user 444444444]"
    )


async def test_a_prompt_too_long_is_cut_or_refused(client: Client, engine: FakeEngine) -> None:
    """As `shift` and `truncate` say."""
    fields = {"model": "m", "prompt": "x" * 100, "options": {"num_ctx": 16}, "stream": False}
    assert (await ask(client, "/api/generate", **fields))[0] == 200
    assert len(engine.asks[-1].prompt_ids) == 10
    for rule in ("shift", "truncate"):
        status, message = await error(client, "/api/generate", **fields, **{rule: False})
        assert (status, "context" in message) == (400, True)


async def test_thoughts_are_told_apart(client: Client, engine: FakeEngine) -> None:
    """Unless `think` is false; the default is to think."""
    await create(client, "n", template=THINKS)
    engine.pieces = ("<thi", "nk>Hm", "m</think>", "\n\nYes", "!")
    _, answer = await ask(client, "/api/chat", model="n", messages=HI, stream=False)
    assert answer["message"] == {"role": "assistant", "content": "Yes!", "thinking": "Hmm"}
    records = await stream(client, "/api/generate", model="n", prompt="x")
    assert "".join(each.get("thinking", "") for each in records) == "Hmm"
    assert "".join(each["response"] for each in records) == "Yes!"
    fields = {"model": "n", "messages": HI, "think": False, "stream": False}
    _, answer = await ask(client, "/api/chat", **fields)
    assert answer["message"]["content"] == "<think>Hmm</think>\n\nYes!"


async def test_tool_calls_are_told_apart(client: Client, engine: FakeEngine) -> None:
    """Whole, with an id and an index, and no text beside them."""
    await create(client, "n", template=CALLS)
    engine.pieces = ("<ca", 'll>{"name": "add", "argum', 'ents": {"a": 1}}', "</call>")
    fields = {"model": "n", "messages": HI, "tools": [TOOL]}
    records = await stream(client, "/api/chat", **fields)
    calls = [call for each in records for call in each["message"].get("tool_calls", [])]
    assert [call["function"] for call in calls] == [
        {"index": 0, "name": "add", "arguments": {"a": 1}}
    ]
    assert calls[0]["id"].startswith("call_")
    _, answer = await ask(client, "/api/chat", **fields, stream=False)
    assert answer["message"]["content"] == ""
    assert answer["done_reason"] == "stop"


def test_text_after_a_call_is_a_record_of_its_own() -> None:
    """A record with calls has no text."""
    call = ToolCall("add", id="x")
    parts = grouped([Thinking("a"), Content("b"), Content("c"), call, call, Content("d")])
    assert [(p.thinking, p.content, len(p.tool_calls)) for p in parts] == [
        ("a", "bc", 0),
        ("", "", 2),
        ("", "d", 0),
    ]


async def test_log_probabilities_are_carried(client: Client, engine: FakeEngine) -> None:
    """At the top of each record, with bytes and alternatives."""
    told = TokenLogprob("é", "é".encode(), -0.5, (("é", "é".encode(), -0.5), ("", b"", -2.0)))
    engine.scripted = (Piece("é", (0,), (told,)), Finished("length", 1, 1, 0, 0))
    _, answer = await ask(client, "/api/chat", model="m", messages=HI, stream=False)
    assert answer["logprobs"] == [
        {
            "token": "é",
            "logprob": -0.5,
            "bytes": [195, 169],
            "top_logprobs": [
                {"token": "é", "logprob": -0.5, "bytes": [195, 169]},
                {"token": "", "logprob": -2.0},
            ],
        }
    ]
    assert "prompt_eval_duration" not in answer


async def until(engine: FakeEngine, running: int) -> None:
    """Wait until so many generations run."""
    async with asyncio.timeout(10):
        while engine.running != running:
            await asyncio.sleep(0)


@pytest.mark.parametrize("streams", [True, False])
async def test_a_client_that_leaves_frees_its_slot(
    client: Client, engine: FakeEngine, streams: bool
) -> None:
    """Streamed or not, a hundred times."""
    engine.gate.clear()
    body = json.dumps({"model": "m", "prompt": "x", "stream": streams}).encode()
    head = f"POST /api/generate HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    for _ in range(100):
        _, writer = await asyncio.open_connection(client.host, client.port)
        writer.write(head.encode() + body)
        await until(engine, 1)
        writer.close()
        await until(engine, 0)
    engine.gate.set()
    assert (await ask(client, "/api/generate", model="m", prompt="x", stream=False))[0] == 200


async def test_a_client_that_leaves_does_not_touch_the_others(
    client: Client, engine: FakeEngine
) -> None:
    """Their streams go on."""
    engine.gate.clear()
    staying = asyncio.create_task(stream(client, "/api/chat", model="m", messages=HI))
    leaving = asyncio.create_task(stream(client, "/api/chat", model="m", messages=HI))
    await until(engine, 2)
    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)
    await until(engine, 1)
    engine.gate.set()
    assert (await staying)[-1]["done"] is True


async def test_each_piece_arrives_before_the_next_is_made(
    client: Client, engine: FakeEngine
) -> None:
    """Lines are not collected."""
    engine.gate.clear()
    body = json.dumps({"model": "m", "prompt": "x"})
    async with asyncio.timeout(10), client.post("/api/generate", data=body) as response:
        assert json.loads(await response.content.readline())["response"] == "Hello"
        engine.gate.set()
        assert json.loads(await response.content.readline())["response"] == " there"


async def test_a_slow_reader_does_not_hold_up_the_others(
    client: Client, engine: FakeEngine
) -> None:
    """A client that reads nothing stalls its own stream only."""
    engine.pieces = ("x" * 100_000,) * 100
    body = json.dumps({"model": "m", "prompt": "x"}).encode()
    head = f"POST /api/generate HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    _, writer = await asyncio.open_connection(client.host, client.port, limit=1)
    writer.write(head.encode() + body)
    await until(engine, 1)
    async with asyncio.timeout(20):
        _, answer = await ask(client, "/api/generate", model="m", prompt="x", stream=False)
    assert len(answer["response"]) == 10_000_000
    assert engine.running == 1
    writer.close()
    await until(engine, 0)


async def test_unicode_line_ends_do_not_break_lines(client: Client, engine: FakeEngine) -> None:
    """The Python client splits a stream where Python sees line ends."""
    engine.pieces = ("a\x85b\u2028c\u2029d",)
    body = json.dumps({"model": "m", "prompt": "x"})
    async with client.post("/api/generate", data=body) as response:
        lines = (await response.text()).splitlines()
    assert json.loads(lines[0])["response"] == "a\x85b\u2028c\u2029d"
    assert len(lines) == 2


async def test_a_model_whose_text_is_gone_is_not_found(client: Client, models: Path) -> None:
    """Its manifest names a blob that is not there."""
    await create(client, "n", system="Say hi!")
    for path in (models / "blobs").glob("sha256-f29e82a8*"):
        path.unlink()
    assert await error(client, "/api/generate", model="n", prompt="x") == (
        404,
        "model 'n' not found",
    )

"""`/api/create` and `/api/blobs`."""

import asyncio
import json
import struct
from pathlib import Path
from typing import Any

import pytest

from ..weights import human
from .conftest import Serve, ask, create, digest_of, error, gguf, stream, upload

V13 = gguf(tensors=True)
LIBRARY = "manifests/registry.ollama.ai/library"


def manifest(models: Path, name: str = "m") -> dict[str, Any]:
    """The manifest of a model."""
    return dict(json.loads((models / LIBRARY / name / "latest").read_text()))


def layers(models: Path, name: str = "m") -> list[tuple[str, str]]:
    """Kind and digest of each layer."""
    found = manifest(models, name)["layers"]
    return [(each["mediaType"].rpartition(".")[2], each["digest"]) for each in found]


def contents(models: Path) -> set[str]:
    """All files of the store."""
    return {path.name for path in models.rglob("*") if path.is_file()}


def test_the_fixture_is_the_contracts() -> None:
    """V1 and V13 by their digests."""
    assert digest_of(gguf()).startswith("sha256:89a2116c3a82d6a9")
    assert digest_of(V13).startswith("sha256:a6aaef7daf05af22")


async def test_a_blob_is_uploaded_once(serve: Serve) -> None:
    """201 when it is new, 200 afterwards, and HEAD sees it."""
    client = await serve()
    path = f"/api/blobs/{digest_of(V13)}"
    statuses = [(await client.head(path)).status]
    statuses += [(await client.post(path, data=V13)).status for _ in range(2)]
    statuses += [(await client.head(path)).status, (await client.get(path)).status]
    assert statuses == [404, 201, 200, 200, 405]


async def test_a_blob_of_another_digest_is_refused(serve: Serve, models: Path) -> None:
    """Nothing of it stays."""
    client = await serve()
    digest = digest_of(b"other")
    async with client.post(f"/api/blobs/{digest}", data=b"hello") as response:
        status, answer = response.status, await response.json()
    assert status == 400
    assert answer["error"].startswith(f'digest mismatch, expected "{digest}", got "sha256:2cf24d')
    assert contents(models) == set()


@pytest.mark.parametrize("digest", ["zzz", "sha256:12", "sha1:" + "0" * 40, "sha256:" + "g" * 64])
async def test_other_text_is_no_digest(serve: Serve, digest: str) -> None:
    """It is refused before anything is read."""
    client = await serve()
    assert (await client.head(f"/api/blobs/{digest}")).status == 400
    assert await error(client, f"/api/blobs/{digest}") == (400, "invalid digest format")


async def test_an_upload_that_breaks_off_leaves_nothing(serve: Serve, models: Path) -> None:
    """Neither a blob nor a temporary file."""
    client = await serve()
    reader, writer = await asyncio.open_connection(client.host, client.port)
    head = f"POST /api/blobs/{digest_of(V13)} HTTP/1.1\r\nHost: x\r\nContent-Length: 256\r\n\r\n"
    writer.write(head.encode() + V13[:100])
    await writer.drain()
    async with asyncio.timeout(10):
        while not contents(models):
            await asyncio.sleep(0)
        writer.close()
        while contents(models):
            await asyncio.sleep(0)
    await reader.read()


async def test_a_gguf_becomes_a_model_in_told_steps(serve: Serve) -> None:
    """The sequence of CREATE-03."""
    client = await serve()
    digest = await upload(client, V13)
    told = await stream(
        client, "/api/create", model="m", files={"t.gguf": digest}, system="Say hi!"
    )
    assert [each["status"] for each in told] == [
        "parsing GGUF",
        f"using existing layer {digest}",
        "creating new layer"
        " sha256:f29e82a8284dbdf5910b1555580ff60b04238b8da9d5e51159ada67a4d0d5851",
        "writing manifest",
        "success",
    ]


async def test_the_config_has_ollamas_digest(serve: Serve, models: Path) -> None:
    """The vector V14."""
    await create(await serve())
    assert manifest(models)["config"]["digest"] == (
        "sha256:3d6ee4d0a55a188686462d68f538b5a4ba6de8781b3240b21df4e4d0eba3a935"
    )


async def test_v1_gives_the_config_of_v3(serve: Serve, models: Path) -> None:
    """A GGUF without tensors."""
    client = await serve()
    await create(client, files={"t.gguf": await upload(client, gguf())})
    assert manifest(models)["config"]["digest"] == (
        "sha256:99759ad5b91e723db0393d698ffbb448b1b7df5ff6377a108c49254583b1bc8c"
    )


async def test_unstreamed_creation_answers_with_the_last_step(serve: Serve) -> None:
    """As plain JSON without a charset (HTTP-12)."""
    client = await serve()
    body = {"model": "m", "files": {"t.gguf": await upload(client, V13)}, "stream": False}
    async with client.post("/api/create", data=json.dumps(body)) as response:
        assert response.headers["Content-Type"] == "application/json"
        assert await response.json() == {"status": "success"}


async def test_a_model_from_another_keeps_its_layers(serve: Serve, models: Path) -> None:
    """What is given replaces, licenses add up, parameters merge (V7, V8)."""
    client = await serve()
    first = {"stop": ["USER:", "ASSISTANT:"], "temperature": 1, "top_k": 10}
    await create(client, "a", system="Say hi!", license="MIT", parameters=first)
    second = {"temperature": 0.6, "top_p": 0.7}
    await create(
        client, "b", **{"from": "a"}, system="Say bye!", license=["Apache-2.0"], parameters=second
    )
    kinds = [(kind, digest[7:15]) for kind, digest in layers(models, "b")]
    assert kinds == [
        ("model", "a6aaef7d"),
        ("license", "e5dcffe8"),
        ("system", "4c5f51fa"),
        ("license", "2af71558"),
        ("params", "e29a7b3c"),
    ]
    assert manifest(models, "b")["layers"][0]["from"] == "a:latest"


async def test_messages_are_stored_as_ollama_stores_them(serve: Serve, models: Path) -> None:
    """The vector V10; roles come in any case."""
    messages = [
        {"role": "Assistant", "content": "What is my purpose?"},
        {"role": "user", "content": "You run tests."},
        {"role": "assistant", "content": "Oh, my god."},
    ]
    await create(await serve(), messages=messages)
    assert layers(models)[-1][1].startswith("sha256:298baeaf6928a60c")


async def test_creating_from_itself_changes_nothing_the_second_time(
    serve: Serve, models: Path
) -> None:
    """Its layers carry its own name."""
    client = await serve()
    await create(client, "m", system="Say hi!")
    await create(client, "m", **{"from": "m"})
    before = manifest(models)
    await create(client, "m", **{"from": "m"})
    assert manifest(models) == before


async def test_a_name_in_another_case_replaces_the_model(serve: Serve, models: Path) -> None:
    """There are never two."""
    client = await serve()
    await create(client, "Foo", system="Say hi!")
    await create(client, "fOO", system="Say bye!")
    assert [path.name for path in (models / LIBRARY).iterdir()] == ["Foo"]


async def test_replacing_a_model_removes_what_only_it_used(serve: Serve, models: Path) -> None:
    """Its old template is gone."""
    client = await serve()
    await create(client, "m", template="{{ .Prompt }}")
    await create(client, "m", template="{{ .System }} {{ .Prompt }}")
    names = contents(models)
    assert not any(name.startswith("sha256-b507b9c2") for name in names)
    assert any(name.startswith("sha256-fe7ac77b") for name in names)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "neither 'from' or 'files' was specified"),
        ({"path": "/etc/passwd"}, "neither 'from' or 'files' was specified"),
        ({"files": {}}, "unknown type"),
        ({"files": {"../a.gguf": "sha256:00"}}, "file path must be relative"),
        ({"files": {"/a.gguf": "sha256:00"}}, "file path must be relative"),
        ({"files": {"./a.gguf": "sha256:00"}}, "file path must be relative"),
        ({"files": {"a.gguf": ""}}, "invalid digest format"),
        ({"from": "a b"}, "invalid model name"),
        (
            {"from": "x", "name": 5},
            "json: cannot unmarshal number into Go struct field CreateRequest.name of type string",
        ),
        (
            {"from": "x", "info": 5},
            "json: cannot unmarshal number into Go struct field CreateRequest.info of type"
            " map[string]interface {}",
        ),
        ({"from": "x", "template": "{{ .Nope"}, "template error: template: :1: unclosed action"),
    ],
)
async def test_a_bad_request_says_what_is_wrong(
    serve: Serve, models: Path, fields: dict[str, object], message: str
) -> None:
    """With an ordinary 400, and without a trace in the store."""
    assert await error(await serve(), "/api/create", model="m", **fields) == (400, message)
    assert contents(models) == set()


async def test_a_bad_target_name_is_refused(serve: Serve) -> None:
    """Before anything else is looked at."""
    refused = await error(await serve(), "/api/create", model="a b", **{"from": "x"})
    assert refused == (400, "invalid model name")


async def test_a_missing_base_is_not_found(serve: Serve) -> None:
    """There is no registry to pull it from."""
    status, message = await error(await serve(), "/api/create", model="m", **{"from": "nope"})
    assert status == 404
    assert "not found" in message


def lying(offset: int) -> bytes:
    """V13 with a tensor that begins elsewhere."""
    at = V13.index(b"v.x") + 3 + 4 + 8 + 4
    return V13[:at] + struct.pack("<Q", offset) + V13[at + 8 :]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"hello", "supplied file was not in GGUF format"),
        (b"GGUF", "truncated GGUF"),
        (V13[:-1], "truncated GGUF"),
        (V13[:40], "GGUF"),
        (lying(1 << 62), "truncated GGUF"),
        (lying(7), "not aligned"),
        (b"GGUF" + struct.pack("<IQQ", 3, 1 << 60, 1), "lying GGUF"),
        (b"GGUF" + struct.pack("<IQQ", 99, 0, 0), "version 99"),
    ],
)
async def test_a_bad_gguf_is_refused_and_gone(
    serve: Serve, models: Path, content: bytes, words: str
) -> None:
    """The error says what is wrong with it; the store is as it was."""
    client = await serve()
    digest = await upload(client, content)
    fields = {"model": "m", "files": {"a.gguf": digest}, "system": "x"}
    status, message = await error(client, "/api/create", **fields, stream=False)
    assert status == 400
    assert words in message
    assert contents(models) == set()


async def test_a_failed_creation_leaves_the_old_model(serve: Serve, models: Path) -> None:
    """Its manifest is untouched."""
    client = await serve()
    await create(client, "m", system="Say hi!")
    before = contents(models), manifest(models)
    digest = await upload(client, b"GGUF bad")
    await ask(client, "/api/create", model="m", files={"a.gguf": digest}, stream=False)
    assert (contents(models), manifest(models)) == before


async def test_an_error_after_the_first_step_is_the_last_line(serve: Serve) -> None:
    """The status is 200 by then."""
    client = await serve()
    told = await stream(client, "/api/create", model="m", files={"a.gguf": digest_of(b"none")})
    assert [list(each) for each in told] == [["status"], ["error"]]
    assert "no such file" in told[-1]["error"]


async def test_error_texts_do_not_tell_server_paths(serve: Serve, models: Path) -> None:
    """A missing blob is named, its folder is not."""
    client = await serve()
    fields = {"model": "m", "files": {"a.gguf": digest_of(b"none")}}
    _, message = await error(client, "/api/create", **fields, stream=False)
    assert str(models) not in message


@pytest.mark.parametrize("field", ["adapters", "draft_files"])
async def test_what_is_not_served_yet_is_said(serve: Serve, field: str) -> None:
    """With 501."""
    files = {field: {"a.gguf": digest_of(b"x")}}
    status, message = await error(await serve(), "/api/create", model="m", **files, **{"from": "x"})
    assert status == 501
    assert "not supported by this server yet" in message


async def test_a_type_for_no_draft_model_is_refused(serve: Serve) -> None:
    """The client's flag is named, as the original does."""
    fields = {"from": "x", "draft_quantize": "q8_0"}
    refused = await error(await serve(), "/api/create", model="m", **fields)
    assert refused == (400, "--draft-quantize requires a DRAFT model")


async def test_unknown_quantizations_are_listed(serve: Serve) -> None:
    """The sentence names those there are."""
    refused = await error(await serve(), "/api/create", model="m", **{"from": "x"}, quantize="q9_9")
    assert refused == (
        400,
        "unsupported quantization type Q9_9 - supported types are F32, F16, Q4_K_S, Q4_K_M, Q8_0",
    )


def safetensors(shape: list[int], size: int) -> bytes:
    """A safetensors file of one F32 tensor."""
    head = json.dumps({"w": {"dtype": "F32", "shape": shape, "data_offsets": [0, size]}}).encode()
    return struct.pack("<Q", len(head)) + head + bytes(size)


async def test_safetensors_become_a_model(serve: Serve, models: Path) -> None:
    """A layer a file, each under its name."""
    client = await serve()
    files = {
        "model.safetensors": await upload(client, safetensors([4, 2], 32)),
        "config.json": await upload(client, b'{"model_type":"llama"}'),
    }
    await create(client, files=files)
    named = [(each["mediaType"], each["name"]) for each in manifest(models)["layers"]]
    assert named == [
        ("application/vnd.ollama.image.tensor", "model.safetensors"),
        ("application/vnd.ollama.image.json", "config.json"),
    ]


async def test_lying_safetensors_are_refused(serve: Serve) -> None:
    """A tensor that is not as large as its shape."""
    client = await serve()
    files = {
        "model.safetensors": await upload(client, safetensors([4, 3], 32)),
        "config.json": await upload(client, b'{"model_type":"llama"}'),
    }
    status, message = await error(client, "/api/create", model="m", files=files, stream=False)
    assert status == 400
    assert "lying safetensors" in message


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0"),
        (32, "32"),
        (501_000, "501K"),
        (134_515_008, "134.52M"),
        (7_000_000, "7M"),
        (8_030_261_248, "8.0B"),
        (7_000_000_000, "7B"),
    ],
)
def test_sizes_are_told_as_people_say_them(count: int, text: str) -> None:
    """As the original prints them."""
    assert human(count) == text


async def test_a_creation_whose_client_leaves_is_undone_or_done(serve: Serve, models: Path) -> None:
    """The next one finds the store free and whole."""
    client = await serve()
    digest = await upload(client, V13)
    body = json.dumps({"model": "m", "files": {"t.gguf": digest}, "system": "Say hi!"}).encode()
    head = f"POST /api/create HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    for _ in range(20):
        _, writer = await asyncio.open_connection(client.host, client.port)
        writer.write(head.encode() + body)
        await asyncio.sleep(0)
        writer.close()
    await create(client, "m", system="Say bye!")
    assert layers(models)[-1][1].startswith("sha256:4c5f51fa")


async def test_files_of_no_known_type_are_gone(serve: Serve, models: Path) -> None:
    """They were refused, and no model uses them."""
    client = await serve()
    digest = await upload(client, b"hello")
    refused = await error(client, "/api/create", model="m", files={"a.bin": digest})
    assert refused == (400, "unknown type")
    assert contents(models) == set()


async def test_refused_files_stay_where_a_model_uses_them(serve: Serve, models: Path) -> None:
    """Somebody names a model's text as weights."""
    client = await serve()
    await create(client, "m", system="Say hi!")
    before = contents(models)
    refused = await error(
        client, "/api/create", model="n", files={"a.gguf": digest_of(b"Say hi!")}, stream=False
    )
    assert refused == (400, "supplied file was not in GGUF format")
    assert contents(models) == before

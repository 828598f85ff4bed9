"""The whole server with the scripted vision model: every picture has its own known answer."""

from __future__ import annotations

import asyncio
import base64
import io
import json
from pathlib import Path
from typing import Any

import pytest

from ...engine.engine import Engine
from ...engine.sequence import EngineSettings, ModelSource
from ...images import BLIND
from ...routes import steps
from ..conftest import SCRIPTED, Client, Serve, ask, create, digest_of, error, stream, upload

SEEING = SCRIPTED.parent / "scripted-vision"
SCRIPT = json.loads((SEEING / "script.json").read_text())
GREEDY = {"temperature": 0}
RECITALS = {each["id"]: each for each in SCRIPT["recitals"]}
CHATS = [each for each in RECITALS.values() if each["messages"]]
GGUFS = [SEEING / "scripted-vision.gguf", SEEING / "mmproj.gguf"]
FILES = {"gguf": GGUFS, "safetensors": sorted((SEEING / "safetensors").iterdir())}
WHAT = "What is this?"


def load(source: ModelSource, num_ctx: int) -> Engine:
    """The real engine, with four slots."""
    return Engine.load(source, EngineSettings(num_parallel=4, threads=1, num_ctx=num_ctx))


def image(name: str) -> str:
    """One of the script's pictures, as the API takes it."""
    return base64.b64encode((SEEING / "pictures" / f"{name}.png").read_bytes()).decode()


async def uploaded(client: Client, path: Path) -> str:
    """Upload a file of a megabyte and more, which aiohttp does not want as bytes; its digest."""
    digest = digest_of(path.read_bytes())
    async with client.post(f"/api/blobs/{digest}", data=io.BytesIO(path.read_bytes())) as response:
        assert response.status in (200, 201)
    return digest


async def with_model(serve: Serve, kind: str) -> Client:
    """A server that has the scripted vision model under the name `seeing`."""
    client = await serve(load)
    files = {path.name: await uploaded(client, path) for path in FILES[kind]}
    template = (SEEING / SCRIPT["template"]).read_text()
    fields = {"template": template, "parameters": SCRIPT["parameters"]}
    await create(client, "seeing", files=files, **fields)
    return client


@pytest.fixture
async def client(serve: Serve) -> Client:
    """A server with the model as two GGUFs."""
    return await with_model(serve, "gguf")


def request_of(recital: dict[str, Any]) -> dict[str, Any]:
    """The chat request of a recital."""
    return {"model": "seeing", "messages": recital["messages"], "options": GREEDY}


def question(*images: str, content: str = WHAT, **options: object) -> dict[str, Any]:
    """One question about images."""
    messages = [{"role": "user", "content": content, "images": list(images)}]
    return {"model": "seeing", "messages": messages, "options": GREEDY | options, "stream": False}


async def said(client: Client, recital: dict[str, Any]) -> str:
    """The streamed answer of a recital."""
    records = await stream(client, "/api/chat", **request_of(recital))
    return "".join(record["message"]["content"] for record in records)


@pytest.mark.parametrize("kind", FILES)
async def test_every_recital_is_recited(serve: Serve, kind: str) -> None:
    """Text and token counts are those of the script, from either kind of file."""
    client = await with_model(serve, kind)
    for recital in CHATS:
        _, answer = await ask(client, "/api/chat", **request_of(recital), stream=False)
        assert answer["message"]["content"] == recital["content"], recital["id"]
        counts = answer["prompt_eval_count"], answer["eval_count"]
        assert counts == (recital["prompt_tokens"], recital["output_tokens"]), recital["id"]


async def test_streamed_equals_unstreamed(client: Client) -> None:
    """The pieces of an answer about a picture join to the whole."""
    for name in ("long", "two-red-blue"):
        assert await said(client, RECITALS[name]) == RECITALS[name]["content"]


async def test_pictures_and_texts_together_say_what_each_says_alone(client: Client) -> None:
    """In one batch no picture is seen by a neighbour."""
    answers = await asyncio.gather(*(said(client, each) for each in CHATS * 2))
    assert answers == [each["content"] for each in CHATS * 2]


async def test_a_prompt_cache_hit_answers_as_cold(client: Client) -> None:
    """Asked again, and with another picture in the same place, each says what it says first."""
    for name in ("system", "history-red", "history-blue", "two-red-blue", "two-same") * 2:
        assert await said(client, RECITALS[name]) == RECITALS[name]["content"]


async def test_generate_sees_as_chat_does(client: Client) -> None:
    """The images of a prompt are those of its one message."""
    fields = {"model": "seeing", "prompt": WHAT, "stream": False, "options": GREEDY}
    _, answer = await ask(client, "/api/generate", images=[image("cross")], **fields)
    assert answer["response"] == RECITALS["picture-cross"]["content"]
    assert answer["prompt_eval_count"] == RECITALS["picture-cross"]["prompt_tokens"]


async def test_a_context_has_no_ids_of_pictures(client: Client) -> None:
    """Its tags are text, so that it can be sent again."""
    fields = {"model": "seeing", "prompt": WHAT, "stream": False, "options": GREEDY}
    _, answer = await ask(client, "/api/generate", images=[image("red")], **fields)
    assert max(answer["context"]) < SCRIPT["vocab_size"]
    status, _ = await ask(client, "/api/generate", **fields, context=answer["context"])
    assert status == 200


async def test_a_raw_prompt_places_its_pictures(client: Client) -> None:
    """Where the tag stands (IMG-008)."""
    recital = RECITALS["raw"]
    fields = {"model": "seeing", "raw": True, "stream": False, "options": GREEDY}
    images = recital["images"]
    _, answer = await ask(
        client, "/api/generate", prompt=recital["prompt"], images=images, **fields
    )
    assert answer["response"] == recital["content"]
    assert answer["prompt_eval_count"] == recital["prompt_tokens"]


@pytest.mark.parametrize("extra", [{"raw": True}, {"template": "{{ .Prompt }}"}])
async def test_a_picture_without_a_place_is_refused(client: Client, extra: dict[str, Any]) -> None:
    """Raw, and under another template, nobody places it."""
    fields = {"model": "seeing", "prompt": WHAT, "images": [image("red")]} | extra
    assert await error(client, "/api/generate", **fields) == (400, "Failed to tokenize prompt")


@pytest.mark.parametrize("file", [b"hello", b"", b"\x89PNG\r\n\x1a\n"])
async def test_a_spoilt_image_is_an_error(client: Client, file: bytes) -> None:
    """Never an answer that leaves it out (IMG-003)."""
    spoilt = base64.b64encode(file).decode()
    for path, fields in (
        ("/api/chat", question(image("red"), spoilt)),
        ("/api/generate", {"model": "seeing", "prompt": WHAT, "images": [spoilt]}),
    ):
        status, text = await error(client, path, **fields)
        assert status == 400
        assert text.startswith("Failed to load image or audio file")


@pytest.mark.parametrize(("size", "kind"), [((64, 64), "JPEG"), ((64, 64), "WEBP"),
                                            ((128, 96), "JPEG"), ((30, 90), "PNG")])  # fmt: skip
async def test_other_files_of_a_picture_are_seen_alike(
    client: Client, size: tuple[int, int], kind: str
) -> None:
    """Compressed with losses, or of another size."""
    from PIL import Image

    file = io.BytesIO()
    Image.new("RGB", size, (220, 20, 20)).save(file, kind)
    _, answer = await ask(
        client, "/api/chat", **question(base64.b64encode(file.getvalue()).decode())
    )
    assert answer["message"]["content"] == RECITALS["picture-red"]["content"]


async def test_the_rendered_prompt_shows_tags(client: Client) -> None:
    """With the number of images beside it (DBG-002)."""
    _, answer = await ask(
        client, "/api/chat", **question(image("red"), image("blue")), _debug_render_only=True
    )
    assert answer["_debug_info"] == {
        "rendered_template": f"<|user|>\n[img-0][img-1]{WHAT}<|end|>\n<|assistant|>\n",
        "image_count": 2,
    }


async def test_truncated_messages_take_their_images_along(client: Client) -> None:
    """What is left is numbered from 0 again, and answered (IMG-007)."""
    old = {"role": "user", "content": "word " * 3000, "images": [image("blue")]}
    fields = question(image("red"))
    fields["messages"] = [old, *fields["messages"]]
    _, answer = await ask(client, "/api/chat", **fields)
    assert answer["message"]["content"] == RECITALS["picture-red"]["content"]
    assert answer["prompt_eval_count"] == RECITALS["picture-red"]["prompt_tokens"]


async def test_a_picture_is_never_cut_in_two(client: Client) -> None:
    """One message that is too long is refused rather than cut in its middle."""
    status, text = await error(client, "/api/chat", **question(image("red"), content="w " * 9000))
    assert status == 400
    assert "exceeds the available context size" in text


async def test_a_small_window_is_widened(client: Client) -> None:
    """A model that sees has room for 2048 tokens at least (CTX-002)."""
    _, answer = await ask(client, "/api/chat", **question(image("red"), num_ctx=8))
    assert answer["message"]["content"] == RECITALS["picture-red"]["content"]


async def test_penalties_leave_pictures_alone(client: Client) -> None:
    """Their ids are no tokens that could be repeated."""
    fields = question(image("red"), repeat_penalty=1.01, presence_penalty=0.01)
    _, answer = await ask(client, "/api/chat", **fields)
    assert answer["message"]["content"] == RECITALS["picture-red"]["content"]


async def test_show_tells_of_the_projector(client: Client) -> None:
    """It has the capability, the projector's metadata, and a second FROM (SHOW-17)."""
    _, shown = await ask(client, "/api/show", model="seeing")
    assert shown["capabilities"] == ["completion", "vision"]
    assert shown["projector_info"]["clip.projector_type"] == "idefics3"
    assert sum(line.startswith("FROM ") for line in shown["modelfile"].splitlines()) == 2


async def test_without_mlx_vlm_text_is_answered(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And a request with an image is told what is missing."""
    monkeypatch.setattr(steps, "can_see", lambda: False)
    status, text = await error(client, "/api/chat", **question(image("red")))
    assert (status, "pip install parallama[vision]" in text) == (501, True)
    assert await said(client, RECITALS["hello"]) == RECITALS["hello"]["content"]


@pytest.mark.parametrize("file", ["aGk=", "", "red"])
async def test_a_model_without_eyes_refuses_images(client: Client, file: str) -> None:
    """Whatever they hold (IMG-004)."""
    weights = await upload(client, (SCRIPTED / "scripted.gguf").read_bytes())
    await create(client, "blind", files={"scripted.gguf": weights})
    fields = question(image("red") if file == "red" else file) | {"model": "blind"}
    assert await error(client, "/api/chat", **fields) == (400, BLIND)

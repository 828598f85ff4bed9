"""Models with a projector: created, shown and refused; no tower is needed to see that."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from ..routes import steps
from .conftest import SCRIPTED, Client, FakeEngine, Serve, ask, create, error, gguf, upload

SEEING = SCRIPTED.parent / "scripted-vision"
RED = base64.b64encode((SEEING / "pictures" / "red.png").read_bytes()).decode()
MODEL = gguf(architecture="llama", llama__block_count=1)
MESSAGES = [{"role": "user", "content": "x", "images": [RED]}]


@pytest.fixture
async def client(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> Client:
    """A server with a fake engine that would see."""
    monkeypatch.setattr(steps, "can_see", lambda: True)
    return await serve()


async def seeing(client: Client, projector: bytes | None = None) -> str:
    """A model of two GGUFs, the projector first."""
    if projector is None:
        projector = (SEEING / "mmproj.gguf").read_bytes()
    files = {"p.gguf": await upload(client, projector), "m.gguf": await upload(client, MODEL)}
    await create(client, "seeing", files=files)
    return "seeing"


async def test_two_ggufs_make_a_model_that_sees(client: Client) -> None:
    """The projector is told by what it says of itself, not by its name or place (CREATE-18)."""
    _, shown = await ask(client, "/api/show", model=await seeing(client))
    assert "vision" in shown["capabilities"]
    assert shown["details"]["family"] == "llama"
    froms = [line for line in shown["modelfile"].splitlines() if line.startswith("FROM ")]
    assert len(froms) == 2


async def test_projector_info_holds_everything(client: Client) -> None:
    """Nothing is left out, arrays only if verbose (SHOW-17)."""
    name = await seeing(client)
    _, shown = await ask(client, "/api/show", model=name)
    assert shown["projector_info"]["general.name"] == "parallama scripted vision model"
    assert shown["projector_info"]["clip.vision.image_mean"] is None
    _, shown = await ask(client, "/api/show", model=name, verbose=True)
    assert shown["projector_info"]["clip.vision.image_mean"] == [0.5, 0.5, 0.5]


async def test_a_model_without_projector_has_no_projector_info(client: Client) -> None:
    """The key is not there."""
    await create(client, "plain")
    _, shown = await ask(client, "/api/show", model="plain")
    assert "projector_info" not in shown


async def test_a_folder_that_sees_has_the_capability(client: Client) -> None:
    """As its config.json says."""
    files = {
        name: await upload(client, (SEEING / "safetensors" / name).read_bytes())
        for name in ("config.json", "preprocessor_config.json")
    }
    files["model.safetensors"] = await upload(client, (2).to_bytes(8, "little") + b"{}")
    await create(client, "folder", files=files)
    _, shown = await ask(client, "/api/show", model="folder")
    assert shown["capabilities"] == ["completion", "vision"]


async def test_an_image_reaches_the_engine(client: Client, engine: FakeEngine) -> None:
    """Its ids stand in the prompt, its pixels beside it, and the window is not shifted."""
    status, answer = await ask(
        client, "/api/chat", model=await seeing(client), messages=MESSAGES, stream=False
    )
    (asked,) = engine.asks
    (picture,) = asked.pictures
    seen = [one for one in asked.prompt_ids if one >= 1 << 32]
    assert (status, answer["prompt_eval_count"]) == (200, len(asked.prompt_ids))
    assert seen == [*picture.ids(0), *picture.ids(1)]
    assert not asked.shift


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"clip__projector_type": "mlp"}, "projector type 'mlp' is not supported: 'idefics3' is"),
        ({"clip__projector_type": "idefics3"}, "lying vision model: image_size is None"),
    ],
)
async def test_a_projector_of_another_kind_is_named(
    client: Client, fields: dict[str, Any], message: str
) -> None:
    """Text is answered, and an image is refused with the reason."""
    name = await seeing(client, gguf(architecture="clip", **fields))
    refused = await error(client, "/api/chat", model=name, messages=MESSAGES)
    assert refused == (400, message)
    text = [{"role": "user", "content": "x"}]
    status, _ = await ask(client, "/api/chat", model=name, messages=text, stream=False)
    assert status == 200


async def test_without_mlx_vlm_the_answer_says_what_to_install(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rather than that the model cannot see."""
    monkeypatch.setattr(steps, "can_see", lambda: False)
    name = await seeing(client)
    status, text = await error(client, "/api/generate", model=name, prompt="x", images=[RED])
    assert (status, "pip install parallama[vision]" in text) == (501, True)


async def test_a_model_is_known_to_see_after_a_copy_of_it_is_made(client: Client) -> None:
    """The projector is a layer that comes along with `from`."""
    await create(client, "copy", **{"from": await seeing(client)})
    _, shown = await ask(client, "/api/show", model="copy")
    assert "vision" in shown["capabilities"]

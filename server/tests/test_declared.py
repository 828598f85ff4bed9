"""`info` of `/api/create`, as the original answers it."""

import pytest

from .conftest import Serve, ask, create, error


async def test_info_overrides_what_a_model_says_of_itself(serve: Serve) -> None:
    """In show and in the list; a family goes before that of the weights."""
    client = await serve()
    await create(client)
    before = (await ask(client, "/api/show", model="m"))[1]["details"]
    info = {
        "parameter_size": "7B",
        "model_family": "fam",
        "quantization_level": "Q9",
        "context_length": 123,
        "embedding_length": 55.0,
        "capabilities": ["vision", 1],
        "unknown": [],
    }
    await create(client, "n", **{"from": "m", "info": info})
    _, shown = await ask(client, "/api/show", model="n")
    families = ["fam", *before["families"]]
    told = {"family": "fam", "parameter_size": "7B", "quantization_level": "Q9"}
    told |= {"parent_model": "m:latest"}
    assert shown["details"] == before | told | {"families": families}
    assert "vision" in shown["capabilities"]
    async with client.get("/api/tags") as response:
        models = {one["name"]: one["details"] for one in (await response.json())["models"]}
    listed = models["n:latest"]
    assert (listed["context_length"], listed["embedding_length"]) == (123, 55)
    await create(client, "o", **{"from": "n"})
    _, again = await ask(client, "/api/show", model="o")
    assert again["details"]["families"] == families


@pytest.mark.parametrize(
    ("key", "value", "wanted"),
    [
        ("parameter_size", 7, "a string"),
        ("model_family", None, "a string"),
        ("context_length", "x", "a number"),
        ("context_length", True, "a number"),
        ("embedding_length", None, "a number"),
        ("context_length", -1, "a non-negative integer"),
        ("embedding_length", 1.5, "a non-negative integer"),
    ],
)
async def test_info_of_a_wrong_type_is_refused(
    serve: Serve, key: str, value: object, wanted: str
) -> None:
    """With the original's words, before anything is made."""
    client = await serve()
    await create(client)
    told = await error(client, "/api/create", **{"model": "n", "from": "m", "info": {key: value}})
    assert told == (400, f'info field "{key}" must be {wanted}')

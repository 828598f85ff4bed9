"""Prometheus's view of the server."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from .conftest import Client, FakeEngine, Serve, ask, create


async def told(client: Client) -> dict[str, float]:
    """Every sample of `/metrics` by its name and labels."""
    async with client.get("/metrics") as response:
        assert response.status == 200
        assert response.content_type == "text/plain"
        text = await response.text()
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(f"{key}={value}" for key, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}"] = sample.value
    return found


async def test_requests_are_counted_by_route_and_status(serve: Serve) -> None:
    """Under the name of the route, not the path that was typed."""
    client = await serve()
    await ask(client, "/api/show", model="nowhere")
    async with client.get("/no/such/thing"):
        pass
    found = await told(client)
    assert found["parallama_requests_total{route=/api/show,status=404}"] == 1
    assert found["parallama_requests_total{route=none,status=404}"] == 1


async def test_a_loaded_model_is_told_with_what_it_holds(serve: Serve) -> None:
    """And with what it did, which outlives it."""
    engine = FakeEngine()
    engine.tally.output_tokens = 12
    engine.tally.ttft.observe(0.2)
    client = await serve(lambda source, num_ctx: engine)
    await create(client)
    await ask(client, "/api/generate", model="m")
    found = await told(client)
    assert found["parallama_models_loaded{}"] == 1
    assert found["parallama_model_memory_bytes{model=m:latest,use=weights}"] == 1000
    assert found["parallama_output_tokens_total{model=m:latest}"] == 12
    assert found["parallama_ttft_seconds_bucket{le=0.1,model=m:latest}"] == 0
    assert found["parallama_ttft_seconds_bucket{le=0.25,model=m:latest}"] == 1
    assert found["parallama_ttft_seconds_count{model=m:latest}"] == 1
    await ask(client, "/api/generate", model="m", keep_alive=0)
    while (found := await told(client))["parallama_models_loaded{}"]:
        pass
    assert found["parallama_output_tokens_total{model=m:latest}"] == 12
    assert found["parallama_memory_booked_bytes{}"] == 0


async def test_running_and_waiting_requests_are_told_apart(
    serve: Serve, engine: FakeEngine
) -> None:
    """Those without a slot wait."""
    client = await serve()
    await create(client)
    await ask(client, "/api/generate", model="m")
    engine.tally.num_open, engine.tally.num_running = 7, 4
    found = await told(client)
    states = ("running", "waiting", "loading")
    assert [found[f"parallama_requests_open{{state={one}}}"] for one in states] == [4, 3, 0]


@pytest.mark.parametrize("kind", ["active", "peak", "cache"])
async def test_mlxs_memory_is_told(serve: Serve, kind: str) -> None:
    """Zero before MLX is used, but there."""
    found = await told(await serve())
    assert found[f"parallama_mlx_memory_bytes{{kind={kind}}}"] >= 0


@pytest.mark.parametrize("header", [{"Origin": "http://evil.test"}, {"Host": "evil.test"}])
async def test_strangers_are_told_nothing(serve: Serve, header: dict[str, str]) -> None:
    """The rules of access are those of all routes."""
    client = await serve(vets_hosts=True)
    async with client.get("/metrics", headers=header) as response:
        assert (response.status, await response.read()) == (403, b"")

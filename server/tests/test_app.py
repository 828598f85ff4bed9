"""What holds for every route: errors, hosts, origins, verbs, connections."""

import asyncio
import json
import re

import pytest

from ..settings import Settings
from ..version import API_VERSION, VERSION
from .conftest import Client, Serve, create, error


async def raw(client: Client, request: bytes) -> bytes:
    """Everything that a connection answers until the server closes it."""
    reader, writer = await asyncio.open_connection(client.host, client.port)
    writer.write(request)
    answer = await reader.read()
    writer.close()
    return answer


async def test_root_says_that_ollama_is_running(serve: Serve) -> None:
    """Clients compare the bytes."""
    client = await serve()
    async with client.get("/") as response:
        assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
        assert await response.read() == b"Ollama is running"
    async with client.head("/") as response:
        assert (response.status, await response.read()) == (200, b"")


async def test_version_is_the_apis_and_the_server_names_itself(serve: Serve) -> None:
    """One key and one header."""
    client = await serve()
    async with client.get("/api/version") as response:
        assert await response.json() == {"version": API_VERSION}
        assert response.headers["Server"] == f"parallama/{VERSION}"
        assert response.headers["Content-Type"] == "application/json; charset=utf-8"


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("POST", "/", "HEAD, GET"),
        ("GET", "/api/chat", "POST"),
        ("HEAD", "/api/ps", "GET"),
        ("POST", "/api/delete", "DELETE"),
        ("GET", "/api/blobs/x", "HEAD, POST"),
        ("PUT", "/api/tags", "HEAD, GET"),
    ],
)
async def test_another_verb_is_not_allowed(
    serve: Serve, method: str, path: str, allow: str
) -> None:
    """In plain text, with those that are."""
    client = await serve()
    async with client.request(method, path) as response:
        assert response.status == 405
        assert response.headers["Allow"] == allow
        assert response.headers["Content-Type"] == "text/plain"
        if method != "HEAD":
            assert await response.read() == b"405 method not allowed"


async def test_an_unknown_path_is_no_page(serve: Serve) -> None:
    """In plain text, so that it is not taken for a missing model."""
    client = await serve()
    async with client.post("/api/nope") as response:
        assert (response.status, await response.read()) == (404, b"404 page not found")


async def test_a_slash_too_many_is_redirected(serve: Serve) -> None:
    """To the route without it, with the verb kept."""
    client = await serve()
    async with client.post("/api/chat/", allow_redirects=False) as response:
        assert (response.status, response.headers["Location"]) == (307, "/api/chat")


@pytest.mark.parametrize(
    "path",
    [f"/api/{name}" for name in ("generate", "chat", "show", "create", "copy")],
)
async def test_an_empty_body_is_missing(serve: Serve, path: str) -> None:
    """On every route that takes one."""
    client = await serve()
    async with client.post(path, data=b" ") as response:
        assert (response.status, await response.json()) == (400, {"error": "missing request body"})


@pytest.mark.parametrize("path", [f"/api/{name}" for name in ("pull", "push")])
async def test_routes_that_come_later_say_so(serve: Serve, path: str) -> None:
    """With 501 and a JSON error."""
    status, message = await error(await serve(), path, model="m")
    assert status == 501
    assert "is not supported by this server yet" in message


async def test_a_hostile_body_does_not_hurt(serve: Serve) -> None:
    """A million brackets give 400, and the server answers on."""
    client = await serve()
    async with client.post("/api/chat", data=b"[" * 1_000_000) as response:
        assert response.status == 400
    async with client.get("/") as response:
        assert response.status == 200


async def test_a_connection_serves_many_requests(serve: Serve) -> None:
    """Errors of all kinds included."""
    client = await serve()
    head = b"HTTP/1.1\r\nHost: localhost\r\n"
    posts = b"POST /api/chat " + head + b"Content-Length: 2\r\n\r\n{}"
    answer = await raw(
        client,
        posts + b"GET /nope " + head + b"\r\n" + b"GET /api/chat " + head + b"\r\n"
        b"GET / " + head + b"Connection: close\r\n\r\n",
    )
    assert re.findall(rb"HTTP/1.1 (\d+)", answer) == [b"400", b"404", b"405", b"200"]


async def test_a_client_of_http_1_0_gets_plain_lines(serve: Serve) -> None:
    """Not chunked, ended by closing the connection."""
    client = await serve()
    await create(client)
    body = json.dumps({"model": "m", "prompt": "x"}).encode()
    head = f"POST /api/generate HTTP/1.0\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    answer = await raw(client, head + body)
    lines = answer.partition(b"\r\n\r\n")[2].splitlines()
    assert [json.loads(line)["done"] for line in lines] == [False, False, True]


async def test_a_foreign_host_is_refused(serve: Serve) -> None:
    """On every path; nothing is said."""
    client = await serve(vets_hosts=True)
    for path in ("/", "/api/tags", "/nope"):
        async with client.get(path, headers={"Host": "evil.example"}) as response:
            assert (response.status, await response.read()) == (403, b"")


async def test_hosts_are_not_vetted_on_an_open_address(serve: Serve) -> None:
    """Whoever opened it knows its names."""
    client = await serve()
    async with client.get("/", headers={"Host": "evil.example"}) as response:
        assert response.status == 200


async def test_a_foreign_origin_is_refused(serve: Serve) -> None:
    """For every verb."""
    client = await serve()
    for method in ("GET", "OPTIONS"):
        headers = {"Origin": "https://evil.example"}
        async with client.request(method, "/api/tags", headers=headers) as response:
            assert (response.status, await response.read()) == (403, b"")


async def test_a_local_origin_may_read_errors_and_streams(serve: Serve) -> None:
    """The header is on every answer."""
    client = await serve()
    await create(client)
    for body in ({"model": "nope"}, {"model": "m", "prompt": "x"}):
        headers = {"Origin": "http://localhost:3000"}
        data = json.dumps(body).encode()
        async with client.post("/api/generate", data=data, headers=headers) as response:
            assert response.headers["Access-Control-Allow-Origin"] == "http://localhost:3000"
            assert response.headers["Vary"] == "Origin"


async def test_a_preflight_is_answered_on_any_path(serve: Serve) -> None:
    """Without a body."""
    client = await serve()
    headers = {"Origin": "http://localhost:3000", "Access-Control-Request-Method": "POST"}
    async with client.options("/api/whatever", headers=headers) as response:
        assert (response.status, response.headers["Access-Control-Max-Age"]) == (204, "43200")
        assert "POST" in response.headers["Access-Control-Allow-Methods"]


async def test_configured_origins_may_read(serve: Serve, models: object) -> None:
    """`OLLAMA_ORIGINS` adds to the built-in list."""
    client = await serve(settings=Settings(origins=("https://app.example",)))
    async with client.get("/", headers={"Origin": "https://app.example"}) as response:
        assert response.status == 200


async def test_an_unexpected_fault_is_a_500_with_its_number(serve: Serve) -> None:
    """The text tells nothing of the inside; the number is in the log."""

    def load(source: object, num_ctx: int) -> object:
        raise KeyError("secret")

    client = await serve(load)
    await create(client)
    status, message = await error(client, "/api/generate", model="m")
    assert status == 500
    assert message.startswith("internal server error (request ")

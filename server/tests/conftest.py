"""The real application with an engine that says what a test wants, or with the scripted model."""

import asyncio
import hashlib
import json
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import structlog
from aiohttp.test_utils import TestClient, TestServer

from ..app import make_app
from ..engine.embedding_ask import EmbedAsk, Embeddings, EmbedError
from ..engine.sequence import Ask, Event, Finished, ModelSource, Piece
from ..engine.tally import Tally
from ..memory import Account, Footprint, Use
from ..pool import Loader
from ..settings import Settings

SCRIPTED = Path(__file__).resolve().parents[2] / "fixtures" / "models" / "scripted"

Client = TestClient[Any, Any]
Serve = Callable[..., Awaitable[Client]]


@pytest.fixture(autouse=True)
def _quiet() -> None:
    """No log lines between the test results."""
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())


class BytesTokenizer:
    """One token a byte."""

    add_bos = False
    bos_id: int | None = None
    token_bytes = tuple(bytes([each]) for each in range(256))

    def encode(self, text: str, special: bool = True) -> list[int]:
        """The bytes."""
        return list(text.encode())


class FakeEngine:
    """Says `pieces` to everybody; waits before each while `gate` is closed."""

    def __init__(self, pieces: tuple[str, ...] = ("Hello", " there")) -> None:
        self.tokenizer = BytesTokenizer()
        self.footprint = Footprint(weights=1000)
        self.tally = Tally()
        self.pieces = pieces
        self.ending: Event | None = None
        self.scripted: tuple[Event, ...] = ()
        self.asks: list[Ask] = []
        self.embed_asks: list[EmbedAsk] = []
        self.embed_error: EmbedError | None = None
        self.running = 0
        self.is_closed = False
        self.gate = asyncio.Event()
        self.gate.set()

    @asynccontextmanager
    async def submit(self, ask: Ask) -> AsyncIterator[AsyncIterator[Event]]:
        """The events of one generation."""
        self.asks.append(ask)
        self.running += 1
        try:
            yield self._events(ask)
        finally:
            self.running -= 1

    async def embed(self, ask: EmbedAsk) -> Embeddings:
        """A vector of three numbers for each text, and a token for each of its bytes."""
        self.embed_asks.append(ask)
        if self.embed_error is not None:
            raise self.embed_error
        vector = (0.017878470942378044, 0.0, 1.0)
        return Embeddings((vector,) * len(ask.texts), len("".join(ask.texts).encode()))

    async def _events(self, ask: Ask) -> AsyncIterator[Event]:
        for event in self.scripted:
            yield event
        if self.scripted:
            return
        for number, piece in enumerate(self.pieces):
            if number:
                await self.gate.wait()
            yield Piece(piece, (number,), ())
        size = len(self.pieces)
        yield self.ending or Finished("stop", len(ask.prompt_ids), size, 5, 7)

    def join(self, account: Account) -> None:
        """Book in this account."""
        self.account = account

    async def give_back(self, num_bytes: int) -> None:
        """Free so much of the prompt cache."""
        kept = self.account.booked(Use.PROMPT_CACHE)
        self.account.book_prompt_cache(max(0, kept - num_bytes))

    def close(self) -> None:
        """Note that it happened."""
        self.is_closed = True


@pytest.fixture
def engine() -> FakeEngine:
    """The engine of all models of a test's server."""
    return FakeEngine()


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """The folder of the models."""
    return tmp_path / "models"


@pytest.fixture
async def serve(models: Path, engine: FakeEngine) -> AsyncIterator[Serve]:
    """Starts the application and gives a client for it."""
    clients: list[Client] = []

    async def start(
        load: Loader | None = None,
        *,
        vets_hosts: bool = False,
        settings: Settings | None = None,
    ) -> Client:
        def load_fake(source: ModelSource, num_ctx: int) -> FakeEngine:
            return engine

        chosen = settings or Settings(models=models)
        app = make_app(chosen, load or load_fake, vets_hosts=vets_hosts)
        server = TestServer(app, handler_cancellation=True)
        client: Client = TestClient(server)
        await client.start_server()
        clients.append(client)
        return client

    yield start
    for client in clients:
        await client.close()


def gguf(*, architecture: str = "test", tensors: bool = False, **extra: str | int) -> bytes:
    """A GGUF with one key (V1 of the contract), with `tensors` also one tensor (V13)."""
    pairs = _text("general.architecture") + struct.pack("<I", 8) + _text(architecture)
    for key, value in extra.items():
        pairs += _text(key.replace("__", "."))
        if isinstance(value, str):
            pairs += struct.pack("<I", 8) + _text(value)
        else:
            pairs += struct.pack("<II", 4, value)
    head = b"GGUF" + struct.pack("<IQQ", 3, int(tensors), 1 + len(extra)) + pairs
    if not tensors:
        return head
    head += _text("v.x") + struct.pack("<IQIQ", 1, 32, 0, 0)
    return head + bytes(-len(head) % 32) + bytes(128)


def _text(text: str) -> bytes:
    return struct.pack("<Q", len(text)) + text.encode()


def digest_of(content: bytes) -> str:
    """The digest as the API writes it."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


async def upload(client: Client, content: bytes) -> str:
    """Upload a blob; its digest."""
    digest = digest_of(content)
    async with client.post(f"/api/blobs/{digest}", data=content) as response:
        assert response.status in (200, 201)
    return digest


async def create(client: Client, name: str = "m", **fields: object) -> None:
    """Create a model, of a small GGUF where nothing else is said."""
    if "from" not in fields and "files" not in fields:
        fields["files"] = {"t.gguf": await upload(client, gguf(tensors=True))}
    status, answer = await ask(client, "/api/create", model=name, stream=False, **fields)
    assert (status, answer) == (200, {"status": "success"})


async def ask(client: Client, path: str, /, **fields: object) -> tuple[int, Any]:
    """The status and the JSON of a POST's answer that is one object."""
    return await send(client, "POST", path, **fields)


async def send(client: Client, method: str, path: str, /, **fields: object) -> tuple[int, Any]:
    """The status and the JSON of an answer that is one object."""
    async with client.request(method, path, data=json.dumps(fields).encode()) as response:
        body = await response.read()
        return response.status, json.loads(body) if body else None


async def stream(client: Client, path: str, /, **fields: object) -> list[dict[str, Any]]:
    """The records of a streamed answer."""
    async with client.post(path, data=json.dumps(fields).encode()) as response:
        assert response.content_type == "application/x-ndjson"
        return [json.loads(line) async for line in response.content]


async def error(client: Client, path: str, /, **fields: object) -> tuple[int, str]:
    """The status and the error text of an answer that is an error."""
    status, answer = await ask(client, path, **fields)
    assert list(answer) == ["error"]
    return status, answer["error"]

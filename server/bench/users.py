"""Users of a server's `/api/generate`, all at once, with the time of every line.

They share the machine with the servers, so they do as little as they can: of a stream only the
last line is parsed.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import aiohttp

from .servers import Server

QUIET_S: Final = 3.0  # of decoding before the long prompt
LAST: Final = b'"done":true'  # inside a text its quotes would be escaped
_numbers = itertools.count(1000)


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer: when it was asked for, when each line with text came, its tokens."""

    started_s: float
    lines_s: tuple[float, ...]
    num_tokens: int

    @property
    def ttft_s(self) -> float:
        """Seconds until the first text."""
        return self.lines_s[0] - self.started_s


@dataclass(frozen=True, slots=True)
class Throughput:
    """Users who started together, until the last one was served; CPU None if not known."""

    tokens_per_s: float
    server_cpu_ms_per_token: float | None
    client_share: float  # of one core

    def __str__(self) -> str:
        cpu = self.server_cpu_ms_per_token
        return f"{self.tokens_per_s:.1f}" + ("" if cpu is None else f" at {cpu:.1f} ms CPU")


def prompt(num_words: int) -> str:
    """A text of about so many tokens that no other prompt begins with: nothing is reused."""
    return f"Story {next(_numbers)}." + " and then" * (num_words // 2)


async def ask(
    session: aiohttp.ClientSession, server: Server, text: str, num_predict: int
) -> Answer:
    """One greedy answer, streamed."""
    options = {"num_predict": num_predict, "temperature": 0, "num_ctx": 4096}
    body = {"model": server.model, "prompt": text, "raw": True, "options": options}
    lines_s, num_tokens, started_s = [], 0, time.perf_counter()
    async with session.post(f"{server.url}/api/generate", json=body) as response:
        if not response.ok:
            raise RuntimeError(f"{server.url}: {response.status} {await response.text()}")
        async for line in response.content:
            if line.startswith(b'{"error"'):
                raise RuntimeError(json.loads(line)["error"])
            if LAST in line:
                num_tokens = json.loads(line)["eval_count"]
            else:
                lines_s.append(time.perf_counter())
    return Answer(started_s, tuple(lines_s), num_tokens)


@asynccontextmanager
async def visitors() -> AsyncIterator[aiohttp.ClientSession]:
    """Connections as many as are wanted."""
    timeout, connector = aiohttp.ClientTimeout(total=900), aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:
        yield session


async def _together(server: Server, texts: Sequence[str], num_predict: int) -> list[Answer]:
    async with visitors() as session:
        return await asyncio.gather(*(ask(session, server, text, num_predict) for text in texts))


def together(server: Server, texts: Sequence[str], num_predict: int) -> list[Answer]:
    """The answers to users who start together."""
    return asyncio.run(_together(server, texts, num_predict))


def throughput(server: Server, texts: Sequence[str], num_predict: int) -> Throughput:
    """How fast the server answers users who start together."""
    cpu_s, client_s, started_s = server.cpu_s(), time.process_time(), time.perf_counter()
    answers = together(server, texts, num_predict)
    elapsed_s, client_s = time.perf_counter() - started_s, time.process_time() - client_s
    num_tokens = sum(one.num_tokens for one in answers)
    after_s = server.cpu_s()
    spent_s = None if cpu_s is None or after_s is None else after_s - cpu_s
    return Throughput(
        num_tokens / elapsed_s,
        None if spent_s is None else 1e3 * spent_s / num_tokens,
        client_s / elapsed_s,
    )


@dataclass(frozen=True, slots=True)
class Gaps:
    """Seconds between lines of running users, before and while a long prompt arrives."""

    quiet_s: tuple[float, ...]
    beside_s: tuple[float, ...]


async def _interrupted(server: Server, num_users: int, num_predict: int, num_words: int) -> Gaps:
    async with visitors() as session:
        asks = [ask(session, server, prompt(8), num_predict) for _ in range(num_users)]
        running = [asyncio.create_task(one) for one in asks]
        await asyncio.sleep(QUIET_S)
        long = await ask(session, server, prompt(num_words), 1)
        answers = await asyncio.gather(*running)
    steps = [step for one in answers for step in itertools.pairwise(one.lines_s)]
    return Gaps(
        quiet_s=tuple(end - start for start, end in steps if end < long.started_s),
        beside_s=tuple(
            end - start for start, end in steps if long.started_s <= end and start < long.lines_s[0]
        ),
    )


def gaps_beside_a_long_prompt(
    server: Server, num_users: int, num_predict: int, num_words: int
) -> Gaps:
    """The gaps of running users, whose neighbour brings a long prompt."""
    return asyncio.run(_interrupted(server, num_users, num_predict, num_words))

"""Users of a server's `/api/generate`, all at once, with the time of every line."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import aiohttp

MODEL: Final = "bench"
QUIET_S: Final = 3.0  # of decoding before the long prompt
_numbers = itertools.count(1000)


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer: when it was asked for, when each line with text came, its tokens."""

    started_s: float
    lines_s: tuple[float, ...]
    num_tokens: int


def prompt(num_words: int) -> str:
    """A text of about so many tokens that no other prompt begins with: nothing is reused."""
    return f"Story {next(_numbers)}." + " and then" * (num_words // 2)


async def ask(session: aiohttp.ClientSession, url: str, text: str, num_predict: int) -> Answer:
    """One greedy answer, streamed."""
    options = {"num_predict": num_predict, "temperature": 0, "num_ctx": 4096}
    body = {"model": MODEL, "prompt": text, "raw": True, "options": options}
    lines_s, num_tokens, started_s = [], 0, time.perf_counter()
    async with session.post(f"{url}/api/generate", json=body) as response:
        response.raise_for_status()
        async for line in response.content:
            said = json.loads(line)
            if "error" in said:
                raise RuntimeError(said["error"])
            if said.get("done"):
                num_tokens = said["eval_count"]
            else:
                lines_s.append(time.perf_counter())
    return Answer(started_s, tuple(lines_s), num_tokens)


async def _together(url: str, texts: Sequence[str], num_predict: int) -> list[Answer]:
    timeout, connector = aiohttp.ClientTimeout(total=300), aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:
        asks = (ask(session, url, text, num_predict) for text in texts)
        return await asyncio.gather(*asks)


def throughput(url: str, texts: Sequence[str], num_predict: int) -> float:
    """Tokens a second over all users, who start together, until the last one is served."""
    started_s = time.perf_counter()
    answers = asyncio.run(_together(url, texts, num_predict))
    return sum(one.num_tokens for one in answers) / (time.perf_counter() - started_s)


@dataclass(frozen=True, slots=True)
class Gaps:
    """Seconds between lines of running users, before and while a long prompt arrives."""

    quiet_s: tuple[float, ...]
    beside_s: tuple[float, ...]


async def _interrupted(url: str, num_users: int, num_predict: int, num_words: int) -> Gaps:
    timeout, connector = aiohttp.ClientTimeout(total=300), aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:
        asks = [ask(session, url, prompt(8), num_predict) for _ in range(num_users)]
        running = [asyncio.create_task(one) for one in asks]
        await asyncio.sleep(QUIET_S)
        long = await ask(session, url, prompt(num_words), 1)
        answers = await asyncio.gather(*running)
    steps = [step for one in answers for step in itertools.pairwise(one.lines_s)]
    return Gaps(
        quiet_s=tuple(end - start for start, end in steps if end < long.started_s),
        beside_s=tuple(
            end - start for start, end in steps if long.started_s <= end and start < long.lines_s[0]
        ),
    )


def gaps_beside_a_long_prompt(url: str, num_users: int, num_predict: int, num_words: int) -> Gaps:
    """The gaps of running users, whose neighbour brings a long prompt."""
    return asyncio.run(_interrupted(url, num_users, num_predict, num_words))

"""Whether every scripted answer is right to the byte, asked alone and by many at once."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import aiohttp

from . import servers, users
from .figures import EXACT, Figure, at_least
from .servers import Server

SCRIPTED: Final = Path(__file__).resolve().parents[2] / "fixtures" / "models" / "scripted"
ROUNDS: Final = {1: 1, 8: 2, 64: 6}  # users, and how often all of them together ask each question

Recital = dict[str, Any]


def measure(scratch: Path) -> list[Figure]:
    """The share of exact answers at each number of users; names those that are not."""
    script = json.loads((SCRIPTED / "script.json").read_text(encoding="utf-8"))
    recitals = [one for one in script["recitals"] if one["ends"]]
    fields = {
        "template": (SCRIPTED / script["template"]).read_text(encoding="utf-8"),
        "parameters": script["parameters"],
    }
    print(f"\n{EXACT}: {len(recitals)} questions, mixed", flush=True)
    figures = []
    with servers.ours(SCRIPTED / "scripted.gguf", max(ROUNDS), scratch, fields) as ours:
        for num_users, num_rounds in ROUNDS.items():
            asked = recitals * num_rounds
            random.Random(num_users).shuffle(asked)
            wrong = asyncio.run(_wrong(ours, num_users, asked))
            shown = f"{len(asked) - len(wrong)} of {len(asked)}"
            print(f"  {num_users:3} users: {shown} {' '.join(sorted(set(wrong)))}", flush=True)
            share = 1 - len(wrong) / len(asked)
            name = f"{num_users} users, {shown}"
            figures.append(Figure(EXACT, name, share, at_least(1.0), tuple(wrong)))
    return figures


async def _wrong(ours: Server, num_users: int, recitals: Sequence[Recital]) -> list[str]:
    """The ids of the recitals that were answered otherwise, by users who ask in turns."""
    left, wrong = list(recitals), []

    async def user(session: aiohttp.ClientSession) -> None:
        while left:
            recital = left.pop()
            if await _told(session, ours, recital) != _wanted(recital):
                wrong.append(recital["id"])

    async with users.visitors() as session:
        await asyncio.gather(*(user(session) for _ in range(num_users)))
    return wrong


def _wanted(recital: Recital) -> Recital:
    """What a recital answers, as `_told` puts it together."""
    return {
        "content": recital["content"],
        "thinking": recital.get("thinking", ""),
        "tool_calls": recital.get("tool_calls", []),
        "prompt_tokens": recital["prompt_tokens"],
        "output_tokens": recital["output_tokens"],
    }


async def _told(session: aiohttp.ClientSession, ours: Server, recital: Recital) -> Recital:
    """What the server answers, its stream put together."""
    body: dict[str, Any] = {"model": ours.model, "options": {"temperature": 0}}
    if recital["messages"]:
        route = "chat"
        body |= {key: recital[key] for key in ("messages", "tools", "think") if key in recital}
    else:
        route = "generate"
        body |= {"prompt": recital["prompt"], "raw": True}
    told: Recital = {"content": "", "thinking": "", "tool_calls": []}
    async with session.post(f"{ours.url}/api/{route}", json=body) as response:
        async for line in response.content:
            record = json.loads(line)
            said = record.get("message", record)
            told["content"] += said.get("content", said.get("response", ""))
            told["thinking"] += said.get("thinking", "")
            for call in said.get("tool_calls", []):
                named = {key: call["function"][key] for key in ("name", "arguments")}
                told["tool_calls"].append(named)
            if record.get("done"):
                told["prompt_tokens"] = record["prompt_eval_count"]
                told["output_tokens"] = record["eval_count"]
    return told

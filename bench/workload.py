"""The workload: every request of a run, as bytes, from a seed. Pure."""

from __future__ import annotations

import hashlib
import json
import random
from dataclasses import dataclass

from .plan import Plan
from .profiles import Profile
from .target import Address

PATH = "/api/generate"
ACTORS = ("the miller", "a young sailor", "her brother", "the old teacher", "a tired doctor")
DEEDS = ("walked to", "looked for", "remembered", "painted", "wrote about", "stayed away from")
PLACES = ("the harbour", "a narrow bridge", "the empty school", "the river", "the market")
TIMES = ("before dawn", "in the rain", "every winter", "without a word", "after the war")


@dataclass(frozen=True, slots=True)
class Request:
    """One request, ready to be sent."""

    payload: bytes
    prompt_sha256: str
    seed: int


def prompt(nonce: str, words: int, seed: str) -> str:
    """Prose of at least so many words that asks to be gone on with, the nonce in front.

    In front, because servers keep the longest common prefix of earlier prompts: with the nonce
    at the end all but a few tokens of each prompt would be free.
    """
    draw = random.Random(seed)
    sentences: list[str] = []
    while sum(sentence.count(" ") + 1 for sentence in sentences) < words:
        parts = (draw.choice(ACTORS), draw.choice(DEEDS), draw.choice(PLACES), draw.choice(TIMES))
        sentence = " ".join(parts)
        sentences.append(f"{sentence[0].upper()}{sentence[1:]}.")
    return f"Letter {nonce}. {' '.join(sentences)} The story went on for many years, and"


def encode(address: Address, body: bytes) -> bytes:
    """A POST as it goes over the wire."""
    head = (
        f"POST {address.path}{PATH} HTTP/1.1\r\n"
        f"Host: {address.authority}\r\n"
        "User-Agent: parallama-bench\r\n"
        "Accept: application/x-ndjson\r\n"
        "Content-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode("ascii") + body


def request(plan: Plan, point: int, user: int, number: int) -> Request:
    """The request that a user sends as its nth at a point; the same plan gives the same bytes.

    `raw`, because a model that goes on with prose does not end early, whatever its template is.
    """
    profile: Profile = plan.profile
    place = f"{profile.seed}-{point}-{user}-{number}"
    nonce = hashlib.sha256(f"{plan.nonce}-{place}".encode()).hexdigest()[:12]
    text = prompt(nonce, profile.prompt_words, place)
    seed = random.Random(f"seed-{place}").randrange(1, 2**31)
    body = {
        "model": plan.model,
        "prompt": text,
        "raw": True,
        "stream": True,
        "keep_alive": "30m",
        "options": {
            "num_predict": profile.output_tokens,
            "temperature": profile.temperature,
            "seed": seed,
        },
    }
    payload = encode(plan.address, json.dumps(body).encode())
    return Request(payload, hashlib.sha256(text.encode()).hexdigest(), seed)


def requests(plan: Plan, point: int) -> list[list[Request]]:
    """All requests of a point, a list for each user, warm-up first."""
    load = plan.profile.loads[point]
    count = plan.profile.warmup + load.requests
    return [
        [request(plan, point, user, number) for number in range(count)]
        for user in range(load.concurrency)
    ]

"""The workload: every request of a point, as bytes, from a seed, for each API. Pure.

A prompt is a digit and then words that the model counts as one token each, so that its length is
known to the token without a tokenizer. A nonce of words comes first: servers keep the longest
common prefix of earlier prompts, and with the nonce at the end all but a few tokens would be free.
"""

from __future__ import annotations

import hashlib
import json
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from .load import EMBEDDING_APIS, Ask, Closed
from .plan import PointPlan, RunPlan
from .profiles import SAME_SERVER
from .target import Address
from .vocabulary import SENTENCE

PATHS: Mapping[str, str] = {
    "generate": "/api/generate",
    "chat": "/api/chat",
    "embed": "/api/embed",
    "openai-chat": "/v1/chat/completions",
    "openai-completions": "/v1/completions",
    "openai-embeddings": "/v1/embeddings",
}
CHAT_APIS = frozenset({"chat", "openai-chat"})
NATIVE_APIS = frozenset({"generate", "chat", "embed"})
NONCE_BITS = 40
TEMPERATURE = 0.8
LENGTHS = "parallama_lengths"
"""A key of `Ask.fields` that is not sent: prompt and output tokens of each arrival of a trace."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request, ready to be sent.

    `prompt_sha256` is of the prompt; of the last message of a chat; of all texts to be embedded,
    a newline between them.
    """

    payload: bytes
    prompt_sha256: str
    seed: int
    user: int
    number: int
    """Which request of its user, conversations counted turn by turn."""
    turn: int
    warmup: bool


def requests(run: RunPlan, plan: PointPlan) -> list[list[Request]]:
    """All requests of a point, warm-up first: a list for each user of a closed loop, a list for
    each arrival of an open one. Of a conversation the first turn; `follow_up` makes the others."""
    load = plan.point.load
    turns = plan.point.ask.turns
    if isinstance(load, Closed):
        return [
            [
                request(run, plan, user, number * turns, number < load.warmup)
                for number in range(load.warmup + load.requests)
            ]
            for user in range(load.users)
        ]
    return [
        [request(run, plan, arrival, 0, arrival < load.warmup)]
        for arrival in range(load.warmup + load.requests)
    ]


def follow_up(run: RunPlan, plan: PointPlan, earlier: Request, answers: Sequence[str]) -> Request:
    """The turn after `earlier`, with all answers of the conversation until then."""
    assert len(answers) == earlier.turn + 1 < plan.point.ask.turns
    return request(run, plan, earlier.user, earlier.number + 1, earlier.warmup, answers)


def request(
    run: RunPlan,
    plan: PointPlan,
    user: int,
    number: int,
    warmup: bool,
    answers: Sequence[str] = (),
) -> Request:
    """One request; the same plans give the same bytes.

    What is asked, and the seed, are the same in all points of a block, which are compared with
    each other; the nonce in front is the point's own. Arms are different servers and share it.
    """
    ask = lengths_of(plan, user)
    turn = len(answers)
    place = f"{run.seed}-{plan.point.block}-{user}-{number - turn}"
    seed = random.Random(f"seed-{place}-{turn}").randrange(1, 2**31)
    first = max(1, ask.prompt_tokens - plan.overhead_tokens)
    if ask.api in EMBEDDING_APIS:
        texts = [text(run, plan, ask, f"{place}-{one}", first) for one in range(ask.inputs)]
        asked = "\n".join(texts)
        body: dict[str, Any] = embedding(plan, ask, texts)
    else:
        said = [text(run, plan, ask, f"{place}-{one}", first) for one in range(turn + 1)]
        asked = said[-1]
        body = generation(plan, ask, said, answers, seed)
    accept = "text/event-stream" if ask.api.startswith("openai") else "application/x-ndjson"
    if not ask.stream:
        accept = "application/json"
    payload = encode(plan.address, PATHS[ask.api], json.dumps(body).encode(), accept)
    digest = hashlib.sha256(asked.encode()).hexdigest()
    return Request(payload, digest, seed, user, number, turn, warmup)


def lengths_of(plan: PointPlan, arrival: int) -> Ask:
    """The point's ask, with the lengths of its own that an arrival of a trace has."""
    ask = plan.point.ask
    if LENGTHS not in ask.fields:
        return ask
    prompt_tokens, output_tokens = ask.fields[LENGTHS][arrival]
    fields = {name: value for name, value in ask.fields.items() if name != LENGTHS}
    return Ask(
        ask.api, prompt_tokens, output_tokens, stream=ask.stream, options=ask.options, fields=fields
    )


def text(run: RunPlan, plan: PointPlan, ask: Ask, place: str, count: int) -> str:
    """A digit and so many words: first those that all requests of the point share, then a nonce,
    then prose."""
    point = plan.point
    arm = str(point.arm) if point.group == SAME_SERVER else ""
    own = f"{run.nonce}-{point.group}-{point.label}-{point.block}-{arm}"
    shared = min(round(ask.shared * count), count - 1)
    words = [
        *prose(plan.words, shared, own, f"{run.seed}-{point.block}"),
        *prose(plan.words, count - shared, f"{own}-{place}", place),
    ]
    digit = random.Random(f"digit-{own if shared else place + own}").randrange(10)
    return f"{digit} {' '.join(words)}"


def prose(words: tuple[str, ...], count: int, front: str, rest: str) -> list[str]:
    """So many words: a nonce drawn by `front`, then what reads like sentences, drawn by `rest`,
    the last of which is not at its end."""
    bits = math.log2(max(2, len(words)))
    nonce = min(count, math.ceil(NONCE_BITS / bits))
    draw = random.Random(f"front-{front}")
    drawn = [draw.choice(words) for _ in range(nonce)]
    draw = random.Random(f"rest-{rest}")
    places = sentence(words)
    drawn += [draw.choice(places[left % len(places)]) for left in range(nonce - count, 0)]
    return drawn


@lru_cache(maxsize=8)
def sentence(words: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    """For each place of a sentence the words that may stand there, of those that there are."""
    there = frozenset(words)
    return tuple(tuple(word for word in place if word in there) or words for place in SENTENCE)


def generation(
    plan: PointPlan, ask: Ask, said: Sequence[str], answers: Sequence[str], seed: int
) -> dict[str, Any]:
    """The body of a request for text.

    /api/generate is asked with `raw`: a model that goes on with prose does not end early,
    whatever its template is.
    """
    body: dict[str, Any] = {"model": plan.point.model or plan.model, "stream": ask.stream}
    if ask.api in CHAT_APIS:
        body["messages"] = conversation(said, answers)
    else:
        body["prompt"] = said[0]
    if ask.api in NATIVE_APIS:
        options = {"num_predict": ask.output_tokens, "temperature": TEMPERATURE, "seed": seed}
        body |= {"keep_alive": "30m", "options": options | dict(ask.options)}
        if ask.api == "generate":
            body["raw"] = True
    else:
        body |= {"max_tokens": ask.output_tokens, "temperature": TEMPERATURE, "seed": seed}
        body |= ask.options
        if ask.stream:
            body["stream_options"] = {"include_usage": True}
    return body | dict(ask.fields)


def conversation(said: Sequence[str], answers: Sequence[str]) -> list[dict[str, str]]:
    """What the user said and was answered, in turns; what was said last is not answered yet."""
    messages = []
    for turn, content in enumerate(said):
        messages.append({"role": "user", "content": content})
        if turn < len(answers):
            messages.append({"role": "assistant", "content": answers[turn]})
    return messages


def embedding(plan: PointPlan, ask: Ask, texts: Sequence[str]) -> dict[str, Any]:
    """The body of a request for embeddings."""
    body: dict[str, Any] = {"model": plan.point.model or plan.model, "input": list(texts)}
    if ask.api in NATIVE_APIS:
        body["keep_alive"] = "30m"
        if ask.options:
            body["options"] = dict(ask.options)
    return body | dict(ask.fields)


def encode(address: Address, path: str, body: bytes, accept: str = "application/json") -> bytes:
    """A POST as it goes over the wire."""
    head = (
        f"POST {address.path}{path} HTTP/1.1\r\n"
        f"Host: {address.authority}\r\n"
        "User-Agent: parallama-bench\r\n"
        f"Accept: {accept}\r\n"
        "Content-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode("ascii") + body

"""What a run is made of: asks, loads, points, profiles. Values only, nothing runs.

A profile is a course of points. A point is one load put on one arm (a server with a model) for a
while: so many users in a closed loop, or arrivals at planned times in an open one. Points that
stand side by side on an axis (16 users, 2 requests/s, 4096 prompt tokens) share a `group`; points
that are compared with each other share a `block`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

APIS = (
    *("generate", "chat", "embed"),
    *("openai-chat", "openai-completions", "openai-embeddings"),
)
EMBEDDING_APIS = frozenset({"embed", "openai-embeddings"})
BASELINE = "baseline"
"""The label of the points that the others of their block are compared with."""


@dataclass(frozen=True, slots=True)
class Ask:
    """What each request of a point asks for. Token counts are the server's own."""

    api: str = "generate"
    prompt_tokens: int = 64
    """Of a whole prompt; of each text where texts are embedded."""
    output_tokens: int = 64
    """The most that may be generated, and what is generated unless the model ends by itself."""
    shared: float = 0.0
    """The part of the prompt, from its front, that all requests of the point have in common; the
    rest is unique to each request."""
    turns: int = 1
    """Requests of one conversation, each with all earlier turns in it (chat APIs only)."""
    inputs: int = 1
    """Texts in one request (embedding APIs only)."""
    stream: bool = True
    cold: bool = False
    """Have the model unloaded before each request; unloading is not timed."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Over the defaults, which are a seed of the request's own and temperature 0.8: greedy text
    falls into loops, which end some servers' streams early."""
    fields: Mapping[str, Any] = field(default_factory=dict)
    """Other fields of the request: format, think, tools, keep_alive."""


@dataclass(frozen=True, slots=True)
class Closed:
    """So many users, each asking again as soon as it has its answer."""

    users: int
    requests: int
    """Measured requests of each user."""
    warmup: int = 1
    """Requests of each user that come first and enter no figure."""


@dataclass(frozen=True, slots=True)
class Open:
    """Requests at planned times, whether or not the earlier ones have been answered."""

    rate_per_s: float
    requests: int
    """Measured requests, all together."""
    warmup: int = 0
    """The first arrivals, which enter no figure."""
    arrivals: str = "poisson"
    """poisson, constant, or replay: then `times_s` has them all, counted from the start."""
    times_s: tuple[float, ...] = ()


Load = Closed | Open


@dataclass(frozen=True, slots=True)
class Point:
    """One load on one arm."""

    group: str
    """What differs between the points of a chart, for example `users`."""
    label: str
    """Which one this is, in words, for example `16 users`."""
    value: float | None
    """Where it stands on the axis of its group; None where there is no axis."""
    load: Load
    ask: Ask
    arm: int = 0
    block: int = 0
    model: str | None = None
    """Another model than the arm's."""


@dataclass(frozen=True, slots=True)
class Slo:
    """What a request must keep to count as good (goodput). A failed request keeps nothing."""

    ttft_ms: float = 2000.0
    tpot_ms: float = 100.0


@dataclass(frozen=True, slots=True)
class Result:
    """What a point came to, as far as the choice of the next one needs it; None: no samples."""

    point: Point
    requests: int
    failures: int
    requests_per_s: float | None
    output_tokens_per_s: float | None
    ttft_p95_ms: float | None

"""The profiles: which loads a run puts on a server. Data only, nothing runs."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Load:
    """A closed loop: so many users, each asking again as soon as it has its answer."""

    concurrency: int
    requests: int
    """Measured requests of each user."""


@dataclass(frozen=True, slots=True)
class Profile:
    """One run: loads in order, and what each request of theirs asks for."""

    name: str
    about: str
    loads: tuple[Load, ...]
    prompt_words: int
    output_tokens: int
    """num_predict of every request, so that outputs have a known length."""
    warmup: int = 1
    """Requests of each user that come first in every point and enter no figure."""
    temperature: float = 0.8
    """Not greedy: greedy text falls into loops, which end some servers' streams early."""
    seed: int = 7
    timeout_s: float = 300.0
    """Longest wait for the next byte of an answer."""


SMOKE = Profile(
    name="smoke",
    about="one user, a few short answers: does it run at all, in seconds",
    loads=(Load(concurrency=1, requests=3),),
    prompt_words=24,
    output_tokens=16,
    timeout_s=60.0,
)
LATENCY = Profile(
    name="latency",
    about="one user: what a single person feels",
    loads=(Load(concurrency=1, requests=30),),
    prompt_words=96,
    output_tokens=64,
    warmup=2,
)
THROUGHPUT = Profile(
    name="throughput",
    about="1, 4 and 16 users: what batching brings",
    loads=(Load(1, 6), Load(4, 4), Load(16, 3)),
    prompt_words=48,
    output_tokens=64,
)
PROFILES = {profile.name: profile for profile in (SMOKE, LATENCY, THROUGHPUT)}


def altered(
    profile: Profile,
    concurrency: tuple[int, ...] | None = None,
    requests: int | None = None,
    output_tokens: int | None = None,
) -> Profile:
    """The profile with other loads or lengths, where given.

    A concurrency that the profile has keeps its number of requests; a new one takes the last's.
    """
    loads = profile.loads
    if concurrency is not None:
        known = {load.concurrency: load.requests for load in loads}
        loads = tuple(Load(users, known.get(users, loads[-1].requests)) for users in concurrency)
    if requests is not None:
        loads = tuple(replace(load, requests=requests) for load in loads)
    return replace(profile, loads=loads, output_tokens=output_tokens or profile.output_tokens)

"""A run of many requests that never took place: what the bench itself is timed with."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from . import machine
from .load import Ask, Closed, Point
from .run import SAMPLES
from .sample import Arrival, Resource, Sample, phase_of
from .writer import Writer

USERS = (1, 4, 16, 64)
TOKENS = 64
MS = 1_000_000


def write_run(folder: Path, requests: int, seed: int = 3) -> None:
    """Write a samples.jsonl of so many requests, a quarter of them at each of four loads."""
    draw = random.Random(seed)
    target = {"url": "http://127.0.0.1:1", "model": "nobody", "version": None}
    header: dict[str, Any] = {
        "bench_version": machine.version(),
        "started_at": "2026-01-01T00:00:00Z",
        "profile": {"name": "crowd", "about": "made up", "seed": seed},
        "arms": [{"name": "nobody", "target": target, "conformance": None}],
        "machine": machine.describe(),
        "stamps": "user",
        "calibration": None,
    }
    writer = Writer(folder / SAMPLES, header)
    at_ns = 0
    for number, users in enumerate(USERS):
        each = requests // len(USERS) // users
        label = f"{users} users"
        load = Closed(users, each, warmup=1)
        ask = Ask(output_tokens=TOKENS)
        writer.point(number, Point("users", label, users, load, ask), "nobody", at_ns)
        begun_ns = at_ns
        for request in range(each):
            for user in range(users):
                sample = made(draw, number, user, request, at_ns + user * MS)
                writer.sample(sample)
            at_ns += round(TOKENS * (8 + users / 8) * MS)
        for step in range(100):
            moment_ns = begun_ns + (at_ns - begun_ns) * step // 100
            writer.resource(Resource(moment_ns, phase_of(number), rss_bytes=2**30 + step))
    writer.finish(None, 0.1)


def made(draw: random.Random, point: int, user: int, request: int, sent_ns: int) -> Sample:
    """One answered request."""
    first_ns = sent_ns + round(draw.lognormvariate(4, 0.3) * MS)
    gap_ns = round((8 + 4**point / 8) * draw.uniform(0.9, 1.1) * MS)
    arrivals = tuple(Arrival(first_ns + gap_ns * token, 5, 1) for token in range(TOKENS))
    return Sample(
        point=point,
        user=user,
        request=request,
        warmup=request == 0,
        prompt_sha256="0" * 64,
        seed=request,
        connect_ns=None,
        planned_ns=sent_ns,
        sent_ns=sent_ns,
        arrivals=arrivals,
        finished_ns=arrivals[-1].at_ns + MS,
        status=200,
        error=None,
        prompt_tokens=64,
        output_tokens=TOKENS,
        done_reason="length",
        server_ns={"eval_duration": gap_ns * TOKENS},
        output_sha256="0" * 64,
    )

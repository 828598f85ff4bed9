"""Exchanges whose times are known, made from the emitter's scripts without a clock."""

from __future__ import annotations

from dataclasses import replace

from ..emitter import Pace, script
from ..exchange import Exchange, Read
from ..outcome import sample
from ..sample import Sample

PACE = Pace(first_ns=20_000_000, gap_ns=2_000_000, stall_ns=50_000_000)
SENT_NS = 1_000_000_000
TOKENS = 8

BLANK = Exchange(
    point=0,
    concurrency=1,
    user=0,
    request=0,
    warmup=False,
    prompt_sha256="0" * 64,
    seed=1,
    connect_ns=None,
    planned_ns=SENT_NS,
    sent_ns=SENT_NS,
    reads=(),
    closed=False,
)


def heard(model: str, tokens: int = TOKENS) -> Exchange:
    """The exchange of a request that the emitter answers at exactly its schedule."""
    told = script(model, PACE, tokens, 0)
    assert told is not None
    reads = tuple(
        Read(SENT_NS + emission.after_ns, None, emission.payload) for emission in told.emissions
    )
    return replace(BLANK, reads=reads, closed=told.closes)


def understood(model: str, tokens: int = TOKENS) -> Sample:
    """The sample of that exchange, times counted from the moment it was sent."""
    return sample(heard(model, tokens), SENT_NS, tokens)

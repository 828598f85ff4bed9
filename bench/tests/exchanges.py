"""Exchanges whose times are known, made from the emitter's scripts without a clock."""

from __future__ import annotations

from dataclasses import replace

from ..exchange import Exchange, Read
from ..load import Ask
from ..outcome import sample
from ..sample import Sample
from ..scripts import Pace, Script, Voice, script

PACE = Pace(first_ns=20_000_000, gap_ns=2_000_000, stall_ns=50_000_000)
SENT_NS = 1_000_000_000
TOKENS = 8

BLANK = Exchange(
    point=0,
    user=0,
    request=0,
    turn=0,
    worker=0,
    warmup=False,
    prompt_sha256="0" * 64,
    seed=1,
    connect_ns=None,
    planned_ns=SENT_NS,
    sent_ns=SENT_NS,
    reads=(),
    closed=False,
)


def asked(api: str = "generate", tokens: int = TOKENS, stream: bool = True) -> Ask:
    """What such an exchange asked for."""
    return Ask(api, output_tokens=tokens, stream=stream)


def received(told: Script) -> Exchange:
    """The exchange in which this came, at exactly its schedule."""
    reads = tuple(
        Read(SENT_NS + emission.after_ns, None, emission.payload) for emission in told.emissions
    )
    return replace(BLANK, reads=reads, closed=told.closes)


def heard(model: str, tokens: int = TOKENS, api: str = "generate") -> Exchange:
    """The exchange of a request that the emitter answers."""
    told = script(Voice(api, model), PACE, tokens, 0)
    assert told is not None
    return received(told)


def understood(model: str, tokens: int = TOKENS, api: str = "generate") -> Sample:
    """The sample of that exchange, times counted from the moment it was sent."""
    return sample(heard(model, tokens, api), SENT_NS, asked(api, tokens))

"""Traces: when requests came to a server once, and how long they and their answers were. Pure.

JSON lines, an object a request. Its fields have the names of our own traces, of Mooncake's
(kvcache-ai/Mooncake), of Azure's (Azure/AzurePublicDataset, turned into JSON), of BurstGPT's
(HPMLL/BurstGPT), or of Vidur's (microsoft/vidur); what else is in it is left alone.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .load import Ask, Open, Point
from .workload import LENGTHS

TIMES_S = ("at_s", "arrival_s", "arrival_time", "arrived_at", "Timestamp")
TIMES_MS = ("timestamp_ms", "timestamp")
DATES = ("TIMESTAMP", "timestamp")
PROMPTS = (
    *("prompt_tokens", "input_length", "input_tokens", "ContextTokens", "num_prefill_tokens"),
    "Request tokens",
)
OUTPUTS = (
    *("output_tokens", "output_length", "GeneratedTokens", "num_decode_tokens"),
    "Response tokens",
)


class TraceError(Exception):
    """A trace cannot be used; the message says why."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A request of a trace."""

    at_s: float
    prompt_tokens: int
    output_tokens: int


def parse(lines: Iterable[str]) -> tuple[Arrival, ...]:
    """The requests of a trace in the order of their times, the first at 0; raises TraceError."""
    found = [
        arrival(fields(line, number), number)
        for number, line in enumerate(lines, start=1)
        if line.strip()
    ]
    if not found:
        raise TraceError("there are no requests in it")
    found.sort(key=lambda one: one.at_s)
    begin_s = found[0].at_s
    return tuple(
        Arrival(round(one.at_s - begin_s, 6), one.prompt_tokens, one.output_tokens) for one in found
    )


def fields(line: str, number: int) -> dict[str, Any]:
    """A line's object."""
    try:
        value = json.loads(line)
    except ValueError:
        raise TraceError(f"line {number} is not JSON") from None
    if not isinstance(value, dict):
        raise TraceError(f"line {number} is not an object")
    return value


def arrival(said: dict[str, Any], number: int) -> Arrival:
    """What a line says; raises TraceError where something is missing or cannot be."""
    return Arrival(
        at_s(said, number), count(said, PROMPTS, number), max(1, count(said, OUTPUTS, number, 0))
    )


def at_s(said: dict[str, Any], number: int) -> float:
    """The time in seconds; `timestamp` is in milliseconds, as Mooncake has it, or a date."""
    for name in DATES:
        if isinstance(said.get(name), str):
            try:
                return datetime.fromisoformat(said[name]).timestamp()
            except ValueError:
                raise TraceError(f"line {number}: {name} is no date: {said[name]!r}") from None
    for names, unit in ((TIMES_S, 1.0), (TIMES_MS, 1e-3)):
        for name in names:
            value = said.get(name)
            if isinstance(value, int | float) and math.isfinite(value):
                return float(value * unit)
            if value is not None:
                raise TraceError(f"line {number}: {name} is no time: {value!r}")
    raise TraceError(f"line {number} has no time: {', '.join((*TIMES_S, *TIMES_MS))}")


def count(said: dict[str, Any], names: tuple[str, ...], number: int, least: int = 1) -> int:
    """The first of several fields, which is a number of tokens."""
    for name in names:
        if name in said:
            value = said[name]
            if isinstance(value, int) and not isinstance(value, bool) and value >= least:
                return value
            raise TraceError(f"line {number}: {name} is no number of tokens: {value!r}")
    raise TraceError(f"line {number} has none of {', '.join(names)}")


def cut(
    arrivals: tuple[Arrival, ...], requests: int | None, minutes: float | None
) -> tuple[Arrival, ...]:
    """The beginning of a trace: so many requests, so many minutes, where given."""
    until_s = math.inf if minutes is None else 60 * minutes
    return tuple(one for one in arrivals[:requests] if one.at_s <= until_s)


def point(arrivals: tuple[Arrival, ...], label: str) -> Point:
    """The trace as a load."""
    prompts = [one.prompt_tokens for one in arrivals]
    outputs = [one.output_tokens for one in arrivals]
    rate_per_s = len(arrivals) / max(1.0, arrivals[-1].at_s)
    load = Open(
        rate_per_s,
        len(arrivals),
        arrivals="replay",
        times_s=tuple(one.at_s for one in arrivals),
    )
    lengths = [list(pair) for pair in zip(prompts, outputs, strict=True)]
    ask = Ask("generate", max(prompts), max(outputs), fields={LENGTHS: lengths})
    return Point("replay", label, None, load, ask)

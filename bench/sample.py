"""Samples: what one request came to, as values and as lines of samples.jsonl."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Arrival:
    """A record with text in it: when it came, how much text, how many records its read held."""

    at_ns: int
    text_bytes: int
    records: int


@dataclass(frozen=True, slots=True)
class Sample:
    """One request. Times in ns since the run's start; `error` is a class of `outcome` or None."""

    point: int
    concurrency: int
    user: int
    request: int
    warmup: bool
    prompt_sha256: str
    seed: int | None
    connect_ns: int | None
    planned_ns: int
    sent_ns: int
    arrivals: tuple[Arrival, ...]
    finished_ns: int | None
    status: int | None
    error: str | None
    message: str | None = None
    prompt_tokens: int | None = None
    output_tokens: int | None = None
    done_reason: str | None = None
    server_ns: dict[str, int] = field(default_factory=dict)
    output_sha256: str | None = None

    def record(self) -> dict[str, Any]:
        """The sample as a record of samples.jsonl."""
        arrivals = [[one.at_ns, one.text_bytes, one.records] for one in self.arrivals]
        return {"kind": "sample", **asdict(self), "arrivals": arrivals}

    @classmethod
    def parse(cls, record: dict[str, Any]) -> Sample:
        """Read what `record` wrote."""
        fields = {name: value for name, value in record.items() if name != "kind"}
        arrivals = tuple(Arrival(*arrival) for arrival in record["arrivals"])
        return cls(**{**fields, "arrivals": arrivals})


@dataclass(frozen=True, slots=True)
class Resource:
    """The memory of the server's process tree at a moment; None where it is not known."""

    at_ns: int
    phase: str
    processes: int
    rss_bytes: int | None
    pss_bytes: int | None
    declared_bytes: int | None

    def record(self) -> dict[str, Any]:
        """The resource sample as a record of samples.jsonl."""
        return {"kind": "resource", **asdict(self)}


def phase_of(point: int) -> str:
    """The phase in which a point runs."""
    return f"point {point}"

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
    """One request. Times in ns since the run's start; `error` is a class of `outcome` or None.

    `user` is a seat in a closed loop, the number of the arrival in an open one; `request` counts
    the requests of that user.
    """

    point: int
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
    turn: int = 0
    worker: int = 0
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
    """What an arm's server took at a moment; None where it is not known.

    PSS counts shared pages once; anonymous and file-backed resident memory are apart because a
    mapped model file is shared and can be dropped; the footprint is macOS's; declared is what
    /api/ps says; MLX figures are what the server's /metrics says; power is of the whole system,
    the mean since the sample before.
    """

    at_ns: int
    phase: str
    arm: int = 0
    processes: int = 0
    rss_bytes: int | None = None
    pss_bytes: int | None = None
    anonymous_bytes: int | None = None
    file_bytes: int | None = None
    footprint_bytes: int | None = None
    declared_bytes: int | None = None
    mlx_active_bytes: int | None = None
    mlx_peak_bytes: int | None = None
    mlx_cache_bytes: int | None = None
    power_w: float | None = None
    power_source: str | None = None

    def record(self) -> dict[str, Any]:
        """The resource sample as a record of samples.jsonl, without what is not known."""
        known = {name: value for name, value in asdict(self).items() if value is not None}
        return {"kind": "resource", **known}

    @classmethod
    def parse(cls, record: dict[str, Any]) -> Resource:
        """Read what `record` wrote."""
        return cls(**{name: value for name, value in record.items() if name != "kind"})


def phase_of(point: int) -> str:
    """The phase in which a point runs; the others are idle, loading and unloaded."""
    return f"point {point}"

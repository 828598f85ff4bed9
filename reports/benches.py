"""What the summary of a bench run says, as values; `read_bench` makes them of a record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

FIGURES = ("ttft_ms", "itl_ms", "tpot_ms", "e2e_ms", "connect_ms", "load_ms", "dispatch_late_ms")
PERCENTILES = ("p50", "p90", "p95", "p99")

Pair = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Figure:
    """Percentiles of `n` values; None where there is no sample. An interval of None: n is too
    small for one."""

    n: int
    mean: float | None
    at: Mapping[str, float | None]
    intervals: Mapping[str, Pair | None]

    @property
    def p50(self) -> float | None:
        """The median."""
        return self.at["p50"]


@dataclass(frozen=True, slots=True)
class Goodput:
    """Requests that kept the SLO, by second and as a share with its interval."""

    per_s: float
    share: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Steady:
    """The window of a point that counts as steady, in s since the run's start."""

    start_s: float | None
    end_s: float | None
    verdict: str
    because: str


@dataclass(frozen=True, slots=True)
class Point:
    """One load on one arm, once."""

    number: int
    group: str
    label: str
    value: float | None
    arm: int
    block: int
    requests: int
    failures: int
    errors: Mapping[str, int]
    duration_s: float
    output_tokens: int | None
    output_tokens_per_s: float | None
    prompt_tokens_per_s: float | None
    declared_tokens_per_s: float | None
    requests_per_s: float | None
    offered_per_s: float | None
    figures: Mapping[str, Figure]
    coalesced_share: float | None
    records_per_token: float | None
    goodput: Goodput | None
    steady: Steady | None
    memory: Mapping[str, int | None]
    joules_per_token: float | None

    @property
    def place(self) -> tuple[str, str, int]:
        """Points of the same place are one load, measured in several blocks."""
        return self.group, self.label, self.arm


@dataclass(frozen=True, slots=True)
class Arm:
    """A server with a model."""

    name: str
    target: Mapping[str, object]
    conformance: str | None
    """The headline of its conformance run, where one was given."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A figure of one load against the same of another, over pairs."""

    metric: str
    group: str
    label: str
    baseline: str
    better: str | None
    pairs: int
    ratio: float | None
    low: float | None
    high: float | None
    p: float | None
    p_adjusted: float | None
    detectable: float | None
    verdict: str


@dataclass(frozen=True, slots=True)
class Knee:
    """Where more load brings little more throughput."""

    arm: int
    group: str
    value: float | None
    low: float | None
    high: float | None
    because: str


@dataclass(frozen=True, slots=True)
class Curve:
    """Shares of values up to so many ms, for one load on one arm."""

    group: str
    label: str
    arm: int
    ttft_ms: tuple[Pair, ...]
    itl_ms: tuple[Pair, ...]


@dataclass(frozen=True, slots=True)
class Flow:
    """Tokens by second and requests in flight, in equal steps."""

    start_s: float
    step_s: float
    tokens_per_s: tuple[float, ...]
    in_flight: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Lane:
    """One request over time, in s since the run's start."""

    user: int
    warmup: bool
    error: str | None
    planned_s: float
    sent_s: float
    tokens_s: tuple[float, ...]
    finished_s: float | None

    @property
    def end_s(self) -> float:
        """The last that is known of it."""
        known = self.tokens_s[-1] if self.tokens_s else self.sent_s
        return known if self.finished_s is None else self.finished_s


@dataclass(frozen=True, slots=True)
class Moment:
    """What an arm's server took at a moment; what is not known is absent."""

    at_s: float
    phase: str
    arm: int
    taken: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Drawn:
    """What the charts are made of."""

    curves: tuple[Curve, ...] = ()
    flow: Flow | None = None
    timelines: tuple[tuple[int, tuple[Lane, ...]], ...] = ()
    moments: tuple[Moment, ...] = ()


@dataclass(frozen=True, slots=True)
class Error:
    """The client's own error, in ms, and the load under which it was taken."""

    streams: int
    tokens_per_s: float
    stamps: str
    ttft: Mapping[str, float | None]
    itl: Mapping[str, float | None]
    late: Mapping[str, float | None]
    cpu_share: float | None
    lost: int
    doubled: int


@dataclass(frozen=True, slots=True)
class Summary:
    """The figures of a bench run."""

    bench_version: str
    started_at: str
    finished_at: str | None
    profile: Mapping[str, object]
    arms: tuple[Arm, ...]
    machine: Mapping[str, object]
    stamps: str
    calibration: Error | None
    client_cpu_share: float | None
    interrupted: bool
    valid: bool
    invalid_because: tuple[str, ...]
    verdict: tuple[str, ...]
    advice: tuple[str, ...]
    definitions: Mapping[str, str]
    points: tuple[Point, ...]
    comparisons: tuple[Comparison, ...]
    knees: tuple[Knee, ...]
    drawn: Drawn

"""The raw record of a bench run, kept as counts while it streams by.

A hundred thousand requests must not be held: latencies are counted in grains of 10 us, so that
memory follows the spread of the values and not their number. No file is opened here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import accumulate, repeat
from operator import floordiv, sub

from .fields import DocumentError, Fields

GRAIN_NS = 10_000
MAX_STEPS = 200  # corners of one curve; more than a screen shows


@dataclass(slots=True)
class Distribution:
    """How often each value occurred, to a grain of 10 us."""

    counts: Counter[int] = field(default_factory=Counter)

    @property
    def n(self) -> int:
        return self.counts.total()

    def curve_ms(self) -> tuple[tuple[float, float], ...]:
        """The share of values within so many milliseconds, as corners from left to right.

        Every distinct value is a corner where there are few; else the corners are the values at
        equal shares, with both ends, so that a tail of one in a thousand still shows its length.
        """
        total = self.n
        grains = sorted(self.counts)
        reached = list(accumulate(self.counts[grain] for grain in grains))
        corners: list[tuple[float, float]] = []
        least = 0.0
        for grain, count in zip(grains, reached, strict=True):
            few = len(grains) <= MAX_STEPS
            if few or not corners or count >= least or count == total:
                corners.append(((grain + 1) * GRAIN_NS / 1e6, count / total))
                least = count + total / MAX_STEPS
        return tuple(corners)


@dataclass(slots=True)
class Latencies:
    """What the answered requests of one load took; failures and warm-up are not among them."""

    concurrency: int
    ttft: Distribution = field(default_factory=Distribution)
    itl: Distribution = field(default_factory=Distribution)


@dataclass(frozen=True, slots=True)
class Resource:
    """The server's memory at one moment; None where it could not be read."""

    at_ns: int
    phase: str
    rss_bytes: int | None
    pss_bytes: int | None
    declared_bytes: int | None

    @property
    def unread(self) -> bool:
        """Whether nothing at all could be read."""
        return self.rss_bytes is self.pss_bytes is self.declared_bytes is None


@dataclass(slots=True)
class Samples:
    """A bench run's samples, by point, and its memory over time."""

    bench_version: str
    started_at: str
    profile: Mapping[str, object]
    target: Mapping[str, object]
    machine: Mapping[str, object]
    stamps: str
    points: dict[int, Latencies] = field(default_factory=dict)
    resources: list[Resource] = field(default_factory=list)
    count: int = 0
    interrupted: bool = False

    @classmethod
    def begin(cls, header: Fields) -> Samples:
        """What the header says, before any sample."""
        return cls(
            bench_version=header.text("bench_version"),
            started_at=header.text("started_at"),
            profile=dict(header.fields("profile").items()),
            target=dict(header.fields("target").items()),
            machine=dict(header.fields("machine").items()),
            stamps=header.text("stamps"),
        )

    def add_sample(self, record: dict[str, object], where: str) -> None:
        """Count one request. Plain lookups, not `Fields`: nothing else here runs so often."""
        self.count += 1
        try:
            point, concurrency = record["point"], record["concurrency"]
            error, arrivals, sent_ns = record["error"], record["arrivals"], record["sent_ns"]
        except KeyError as missing:
            raise DocumentError(f"{where}: there is no {missing.args[0]!r}.") from missing
        if not isinstance(point, int) or not isinstance(concurrency, int):
            raise DocumentError(f"{where}: 'point' and 'concurrency' should be integers.")
        latencies = self.points.get(point)
        if latencies is None:
            latencies = self.points[point] = Latencies(concurrency)
        if error is not None or record.get("warmup") or not arrivals:
            return
        try:
            times = [arrival[0] for arrival in arrivals]  # type: ignore[attr-defined]
            latencies.ttft.counts[(times[0] - sent_ns) // GRAIN_NS] += 1
            gaps = map(sub, times[1:], times)
            latencies.itl.counts.update(map(floordiv, gaps, repeat(GRAIN_NS)))
        except (TypeError, IndexError, KeyError) as garbled:
            raise DocumentError(
                f"{where}: 'arrivals' should be lists that begin with a time."
            ) from garbled

    def add_resource(self, record: Fields) -> None:
        self.resources.append(
            Resource(
                at_ns=record.integer("at_ns"),
                phase=record.maybe_text("phase") or "",
                rss_bytes=record.maybe_integer("rss_bytes"),
                pss_bytes=record.maybe_integer("pss_bytes"),
                declared_bytes=record.maybe_integer("declared_bytes"),
            )
        )

    def end(self, footer: Fields) -> None:
        """Compare with the footer.

        :raises DocumentError: where it counts other samples than there are.
        """
        said = footer.integer("samples")
        if said != self.count:
            raise DocumentError(
                f"{footer.where}: the footer counts {said} samples, but there are {self.count}; "
                "lines were lost or added."
            )
        self.interrupted = footer.flag("interrupted")

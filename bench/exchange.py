"""An exchange: one request and every read of its answer, as the client saw them. Values only.

All times are CLOCK_MONOTONIC in ns, which both processes of a run share, but for the kernel's
stamps.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from .clock import OFFSET_NOISE_NS, Offset, on_monotonic


@dataclass(frozen=True, slots=True)
class Read:
    """What one read gave, when it returned, and when the kernel had its newest byte
    (CLOCK_REALTIME; None without a kernel stamp)."""

    at_ns: int
    kernel_ns: int | None
    received: bytes


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request of a user. `failure` is a class of `outcome` that only the client can see."""

    point: int
    concurrency: int
    user: int
    request: int
    warmup: bool
    prompt_sha256: str
    seed: int
    connect_ns: int | None
    planned_ns: int
    sent_ns: int
    reads: tuple[Read, ...]
    closed: bool
    failure: str | None = None
    message: str | None = None
    before: Offset | None = None
    after: Offset | None = None

    def line(self) -> str:
        """One line of the spool."""
        shown = {name: getattr(self, name) for name in self.__slots__}  # asdict copies every read
        shown["reads"] = [
            (read.at_ns, read.kernel_ns, read.received.decode("latin-1")) for read in self.reads
        ]
        for name in ("before", "after"):
            shown[name] = asdict(shown[name]) if shown[name] else None
        return json.dumps({"kind": "exchange", **shown}) + "\n"

    @classmethod
    def parse(cls, fields: dict[str, object]) -> Exchange:
        """Read what `line` wrote."""
        reads = tuple(
            Read(at_ns, kernel_ns, text.encode("latin-1"))
            for at_ns, kernel_ns, text in fields["reads"]  # type: ignore[attr-defined]
        )
        offsets = {
            name: Offset(**fields[name]) if fields[name] else None  # type: ignore[arg-type]
            for name in ("before", "after")
        }
        rest = {name: value for name, value in fields.items() if name != "kind"}
        return cls(**{**rest, **offsets, "reads": reads})  # type: ignore[arg-type]


def stamps(exchange: Exchange) -> tuple[list[int], bool]:
    """When each read's bytes arrived, and whether the kernel said so.

    One source for a whole exchange: the two differ by how late the client was, so that mixing
    them would make gaps of its lateness.
    """
    seen = [read.at_ns for read in exchange.reads]
    given = [read.kernel_ns for read in exchange.reads]
    kernel = [stamp for stamp in given if stamp is not None]
    if len(kernel) < len(seen) or exchange.before is None or exchange.after is None:
        return seen, False
    turned = on_monotonic(kernel, exchange.before, exchange.after)
    if turned is None or not plausible(turned, seen, exchange.sent_ns):
        return seen, False
    return turned, True


def plausible(arrived: list[int], seen: list[int], sent_ns: int) -> bool:
    """Whether no byte arrived before the request left, after it was read, or out of order."""
    earliest = sent_ns - OFFSET_NOISE_NS
    for arrival, reading in zip(arrived, seen, strict=True):
        if not earliest <= arrival <= reading + OFFSET_NOISE_NS:
            return False
        earliest = arrival
    return True

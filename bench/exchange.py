"""An exchange: one request and every read of its answer, as the client saw them. Values only.

All times are CLOCK_MONOTONIC in ns, which the processes of a run share, but for the kernel's
stamps; a load process on another machine hands its exchanges on by our clock.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace

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
    user: int
    request: int
    turn: int
    worker: int
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

    def shifted(self, by_ns: int) -> Exchange:
        """The same by another machine's CLOCK_MONOTONIC, which is ahead of this one's by so much.
        The kernel's stamps are of the wall clock and stay; what turns them is shifted."""
        if not by_ns:
            return self
        return replace(
            self,
            planned_ns=self.planned_ns + by_ns,
            sent_ns=self.sent_ns + by_ns,
            reads=tuple(replace(read, at_ns=read.at_ns + by_ns) for read in self.reads),
            before=shifted(self.before, by_ns),
            after=shifted(self.after, by_ns),
        )

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


def shifted(offset: Offset | None, by_ns: int) -> Offset | None:
    """The same two clocks, read by a monotonic one that is ahead by so much."""
    return None if offset is None else Offset(offset.at_ns + by_ns, offset.offset_ns - by_ns)


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

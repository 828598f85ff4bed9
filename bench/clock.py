"""The two clocks: CLOCK_MONOTONIC, in which we count, and CLOCK_REALTIME, in which the kernel
stamps what arrives."""

from __future__ import annotations

import socket
import struct
import time
from dataclasses import dataclass

SO_TIMESTAMPNS = 35
"""Linux, asm-generic/socket.h: SO_TIMESTAMPNS_OLD, a timespec of two longs. Python names it not."""
TIMESPEC = struct.Struct("@ll")
ANCILLARY_BYTES = 64
SLEW = 500e-6
"""The kernel turns CLOCK_REALTIME by no more than this while it follows NTP (adjtimex(2))."""
OFFSET_NOISE_NS = 50_000
"""How far two readings of the offset may differ on a busy machine without a step."""


@dataclass(frozen=True, slots=True)
class Offset:
    """CLOCK_REALTIME minus CLOCK_MONOTONIC at a moment of the latter."""

    at_ns: int
    offset_ns: int


def kernel_stamp(ancillary: list[tuple[int, int, bytes]]) -> int | None:
    """When the newest byte of a read arrived, by CLOCK_REALTIME; None when the kernel is silent."""
    for level, kind, content in ancillary:
        if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS:
            seconds, nanoseconds = TIMESPEC.unpack_from(content)
            return int(seconds) * 1_000_000_000 + int(nanoseconds)
    return None


def clock_offset() -> Offset:
    """CLOCK_REALTIME minus CLOCK_MONOTONIC, from the tightest of five looks at both."""
    looks = []
    for _ in range(5):
        first = time.monotonic_ns()
        wall = time.time_ns()
        second = time.monotonic_ns()
        looks.append((second - first, (first + second) // 2, wall))
    _, at_ns, wall = min(looks)
    return Offset(at_ns, wall - at_ns)


def on_monotonic(stamps_ns: list[int], before: Offset, after: Offset) -> list[int] | None:
    """CLOCK_REALTIME stamps taken between two offset readings, on CLOCK_MONOTONIC.

    The offset runs straight from one reading to the other while NTP slews the clock; None when
    the clock was stepped in between, because no one knows when.
    """
    elapsed_ns = after.at_ns - before.at_ns
    drift_ns = after.offset_ns - before.offset_ns
    if abs(drift_ns) > elapsed_ns * SLEW + OFFSET_NOISE_NS:
        return None
    slope = drift_ns / elapsed_ns if elapsed_ns > 0 else 0.0
    turned = []
    for stamp_ns in stamps_ns:
        since_ns = stamp_ns - before.offset_ns - before.at_ns
        turned.append(before.at_ns + since_ns - round(since_ns * slope))
    return turned

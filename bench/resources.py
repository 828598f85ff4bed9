"""The memory of the server's process tree, where the server runs on this machine."""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from .target import Address


@dataclass(frozen=True, slots=True)
class Memory:
    """A process tree at a moment; None where the system does not tell. PSS counts shared pages
    once. Anonymous and file-backed parts of RSS are apart, since a mapped model file is shared
    and can be dropped. The footprint is macOS's, in which Metal's buffers are."""

    processes: int = 0
    rss_bytes: int | None = None
    pss_bytes: int | None = None
    anonymous_bytes: int | None = None
    file_bytes: int | None = None
    footprint_bytes: int | None = None


UNKNOWN = Memory()
THOROUGH_EVERY = 5
"""Listing children takes 6 ms and PSS 2 ms for 2 GB, RSS 0.02 ms: every fifth look has them all,
lest the looking takes CPU from a server on the same machine."""


def find_server(address: Address) -> psutil.Process | None:
    """The process that listens at the address; None where that is not to be seen from here."""
    if not is_here(address.host):
        return None
    pids = {pid for pid, port in listeners() if port == address.port}
    with contextlib.suppress(psutil.Error, ValueError):
        return min(map(psutil.Process, pids), key=psutil.Process.create_time)
    return None


def is_here(host: str) -> bool:
    """Whether a host is an address of this machine."""
    try:
        there = {str(entry[4][0]) for entry in socket.getaddrinfo(host, None)}
    except OSError:
        return False
    own = {one.address for interface in psutil.net_if_addrs().values() for one in interface}
    return bool(there & own) or all(address.startswith("127.") for address in there)


def listeners() -> Iterator[tuple[int, int]]:
    """Process id and port of each listening TCP socket that we may see."""
    try:
        everyone = [(entry.pid, entry) for entry in psutil.net_connections(kind="tcp")]
    except psutil.AccessDenied:  # macOS shows all of them to root only
        everyone = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                everyone += [(process.pid, one) for one in process.net_connections(kind="tcp")]
    for pid, entry in everyone:
        if pid is not None and entry.status == psutil.CONN_LISTEN:
            yield pid, entry.laddr.port


class Watch:
    """Looks at the memory of a server and of its children, such as its runners."""

    def __init__(self, server: psutil.Process | None) -> None:
        self._server = server
        self._tree: list[psutil.Process] = []
        self._looks = itertools.count()

    def look(self) -> Memory:
        """What the process tree takes now; unknown once the server has gone. PSS only in every
        fifth look, the first among them."""
        if self._server is None:
            return UNKNOWN
        thorough = next(self._looks) % THOROUGH_EVERY == 0
        if thorough:
            try:
                self._tree = [self._server, *self._server.children(recursive=True)]
            except psutil.Error:
                return UNKNOWN
        parts = []
        for process in self._tree:
            with contextlib.suppress(psutil.Error, OSError):
                parts.append(memory_of(process, thorough))
        return Memory(
            len(parts),
            *(total([getattr(one, name) for one in parts], len(self._tree)) for name in BYTES),
        )


BYTES = ("rss_bytes", "pss_bytes", "anonymous_bytes", "file_bytes", "footprint_bytes")


def memory_of(process: psutil.Process, thorough: bool) -> Memory:
    """The memory of one process; raises psutil.Error or OSError where it has gone."""
    rss = process.memory_info().rss
    pss = getattr(process.memory_full_info(), "pss", None) if thorough else None
    if sys.platform == "darwin":
        return Memory(1, rss, pss, footprint_bytes=footprint_bytes(process.pid))
    if sys.platform != "linux":
        return Memory(1, rss, pss)
    parts = resident_parts(process.pid)  # nothing of a process that has ended and is not waited for
    return Memory(1, rss, pss, parts.get("RssAnon", 0), parts.get("RssFile", 0))


def total(values: list[int | None], processes: int) -> int | None:
    """The sum over a tree; None where a process of it did not tell."""
    known = [value for value in values if value is not None]
    return sum(known) if known and len(known) == processes else None


def resident_parts(pid: int) -> dict[str, int]:
    """RssAnon, RssFile and RssShmem in bytes (proc(5), /proc/PID/status)."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    fields = (line.split() for line in status.splitlines() if line.startswith("Rss"))
    return {name.rstrip(":"): int(kib) * 1024 for name, kib, *_ in fields}


RUSAGE_INFO_V0 = 0
RUSAGE_WORDS = 64
"""More than any version of the struct has, lest a newer kernel writes past it."""
FOOTPRINT_WORD = 9
"""ri_phys_footprint of rusage_info_v0 (sys/resource.h of macOS): 16 bytes of UUID, then user and
system time, two counts of wakeups, page-ins, wired and resident size."""


def footprint_bytes(pid: int) -> int | None:
    """macOS's physical footprint of a process, as Activity Monitor has it; None where the system
    does not tell."""
    libproc = ctypes.CDLL("/usr/lib/libproc.dylib")
    usage = (ctypes.c_uint64 * RUSAGE_WORDS)()
    status = libproc.proc_pid_rusage(pid, RUSAGE_INFO_V0, ctypes.byref(usage))
    return int(usage[FOOTPRINT_WORD]) if status == 0 else None

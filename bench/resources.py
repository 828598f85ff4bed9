"""The memory of the server's process tree, where the server runs on this machine."""

from __future__ import annotations

import contextlib
import itertools
import socket
from collections.abc import Iterator
from dataclasses import dataclass

import psutil

from .target import Address


@dataclass(frozen=True, slots=True)
class Memory:
    """A process tree at a moment; PSS counts shared pages once, and only Linux tells it."""

    processes: int
    rss_bytes: int | None
    pss_bytes: int | None


UNKNOWN = Memory(0, None, None)
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
        rss: list[int] = []
        pss: list[int] = []
        for process in self._tree:
            with contextlib.suppress(psutil.Error):
                rss.append(process.memory_info().rss)
                if thorough and hasattr(taken := process.memory_full_info(), "pss"):
                    pss.append(taken.pss)
        whole = bool(pss) and len(pss) == len(self._tree)
        return Memory(len(rss), sum(rss) if rss else None, sum(pss) if whole else None)

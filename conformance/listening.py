"""Where a server of this machine listens, by the tables of Linux: whether on loopback alone.

Ollama looks at Host where it does, and only there. A port that leads elsewhere (to a container, or
through a tunnel) listens on loopback here and perhaps nowhere else, but whoever answers does not.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

from .address import Address

PROC = Path("/proc")
TABLES = ("tcp", "tcp6")
LISTENS = "0A"  # proc_pid_net(5): st
FORWARDERS = (
    "docker", "rootlessport", "slirp4netns", "pasta", "conmon", "containerd", "gvproxy", "ssh",
    "kubectl", "socat", "code", "cloudflared", "tailscaled", "init", "systemd",
)  # fmt: skip


def alone_on_loopback(address: Address, proc: Path = PROC) -> bool:
    """Whether who answers there certainly listens on loopback, and nowhere else."""
    if not address.is_loopback or address.scheme != "http":
        return False
    found = [
        one
        for table in TABLES
        if (proc / "self" / "net" / table).exists()
        for one in listeners((proc / "self" / "net" / table).read_text(), address.port)
    ]
    if not found or not all(bound.is_loopback for bound, _ in found):
        return False
    programs = {_program(proc, inode) for _, inode in found}
    return not any(name is None or name.startswith(FORWARDERS) for name in programs)


def listeners(table: str, port: int) -> Iterable[tuple[IPv4Address | IPv6Address, int]]:
    """The addresses on which somebody listens on a port, each with the inode of its socket."""
    for line in table.splitlines()[1:]:
        words = line.split()
        bound, _, number = words[1].partition(":")
        if words[3] == LISTENS and int(number, 16) == port:
            yield _address(bound), int(words[9])


def _address(text: str) -> IPv4Address | IPv6Address:
    """An address as the tables have it: words of 32 bits in the order of this machine."""
    words = struct.unpack(f">{len(text) // 8}I", bytes.fromhex(text))
    packed = struct.pack(f"={len(words)}I", *words)
    return IPv4Address(packed) if len(packed) == 4 else _unmapped(IPv6Address(packed))


def _unmapped(address: IPv6Address) -> IPv4Address | IPv6Address:
    return address.ipv4_mapped or address


def _program(proc: Path, inode: int) -> str | None:
    """The name of the program that has this socket; None where we may not know."""
    for process in proc.glob("[0-9]*"):
        try:
            if f"socket:[{inode}]" in map(_leads_to, (process / "fd").iterdir()):
                return (process / "comm").read_text().strip()
        except OSError:  # it is another's, or gone
            continue
    return None


def _leads_to(descriptor: Path) -> str | None:
    """What a descriptor is of; None where it was closed since it was listed."""
    try:
        return str(descriptor.readlink())
    except OSError:
        return None

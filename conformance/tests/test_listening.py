"""Where a server listens is told by the tables of Linux, and by nothing that is not certain."""

from __future__ import annotations

import socket
import sys
from ipaddress import ip_address
from pathlib import Path

import pytest

from ..address import parse_address
from ..listening import PROC, alone_on_loopback, listeners

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid inode\n"
ONE = "   0: {bound}:2CAA {remote}:0000 {state} 0:0 00:0 0  0 0 {inode} 1\n"
LITTLE = pytest.mark.skipif(sys.byteorder == "big", reason="the lines are of another machine")


def line(bound: str, state: str = "0A", inode: int = 7) -> str:
    """A line of a table, of port 11434."""
    return ONE.format(bound=bound, remote="0" * len(bound), state=state, inode=inode)


def machine(folder: Path, program: str, *lines: str) -> Path:
    """A /proc in which a program has the socket 7."""
    (folder / "self" / "net").mkdir(parents=True)
    (folder / "self" / "net" / "tcp").write_text(HEAD + "".join(lines))
    (folder / "31" / "fd").mkdir(parents=True)
    (folder / "31" / "fd" / "3").symlink_to("socket:[7]")
    (folder / "31" / "comm").write_text(f"{program}\n")
    return folder


@LITTLE
@pytest.mark.parametrize(
    ("bound", "address"),
    [
        ("0100007F", "127.0.0.1"),
        ("00000000", "0.0.0.0"),
        ("00000000000000000000000001000000", "::1"),
        ("00000000000000000000000000000000", "::"),
        ("0000000000000000FFFF00000100007F", "127.0.0.1"),
    ],
)
def test_addresses_are_read(bound: str, address: str) -> None:
    """Words of 32 bits, in the order of the machine."""
    assert list(listeners(HEAD + line(bound), 11434)) == [(ip_address(address), 7)]


@LITTLE
def test_only_who_listens_on_the_port_counts() -> None:
    """Connections do not, nor other ports."""
    table = HEAD + line("0100007F", state="01") + line("0100007F")
    assert (len(list(listeners(table, 11434))), len(list(listeners(table, 1)))) == (1, 0)


@LITTLE
@pytest.mark.parametrize(
    ("program", "lines", "alone"),
    [
        ("ollama", ("0100007F",), True),
        ("ollama", ("0100007F", "00000000"), False),
        ("ollama", ("00000000",), False),
        ("docker-proxy", ("0100007F",), False),
        ("ssh", ("0100007F",), False),
        ("ollama", (), False),
    ],
)
def test_alone_on_loopback(
    tmp_path: Path, program: str, lines: tuple[str, ...], alone: bool
) -> None:
    """Who listens elsewhere, too, or leads elsewhere, is not certain to be there alone."""
    proc = machine(tmp_path, program, *map(line, lines))
    assert alone_on_loopback(parse_address("127.0.0.1:11434"), proc) is alone


@LITTLE
def test_socket_of_nobody_is_not_certain(tmp_path: Path) -> None:
    """As where the program is another user's, and may not be looked at."""
    proc = machine(tmp_path, "ollama", line("0100007F", inode=8))
    assert not alone_on_loopback(parse_address("127.0.0.1:11434"), proc)


@LITTLE
def test_descriptor_that_closes_meanwhile_hides_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program has many, and while they are read some go."""
    proc = machine(tmp_path, "ollama", line("0100007F"))
    (proc / "31" / "fd" / "2").write_text("not a link any more")
    monkeypatch.setattr(Path, "iterdir", lambda fd: iter(sorted(fd.glob("*"))))
    assert alone_on_loopback(parse_address("127.0.0.1:11434"), proc)


@LITTLE
@pytest.mark.parametrize("url", ["http://192.0.2.1:11434", "https://127.0.0.1:11434"])
def test_other_machines_and_proxies_are_not_certain(tmp_path: Path, url: str) -> None:
    """Nothing is known of what is not here, or goes through TLS."""
    proc = machine(tmp_path, "ollama", line("0100007F"))
    assert not alone_on_loopback(parse_address(url), proc)


def test_machine_without_tables_is_not_certain(tmp_path: Path) -> None:
    """As one that is no Linux."""
    assert not alone_on_loopback(parse_address("127.0.0.1:11434"), tmp_path)


@pytest.mark.skipif(not (PROC / "self" / "net" / "tcp").exists(), reason="this is no Linux")
def test_socket_of_ours_is_found() -> None:
    """The real tables are read as they are."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert alone_on_loopback(parse_address(f"127.0.0.1:{port}"))

"""The client that measures: one raw socket a user, stamps and bytes kept, nothing understood.

Over gevent's sockets, imported explicitly, so that nothing has to be patched. On Linux the kernel
stamps what arrives (SO_TIMESTAMPNS), which is exact however late this process is; elsewhere a
read is stamped when it returns. Imports no Locust.
"""

from __future__ import annotations

import contextlib
import select
import sys
import time
from dataclasses import dataclass
from typing import Any, TypeAlias

import gevent
from gevent import socket, ssl

from .clock import ANCILLARY_BYTES, SO_TIMESTAMPNS, Offset, clock_offset, kernel_stamp
from .exchange import Read
from .outcome import TIMEOUT_FIRST, TIMEOUT_IDLE, TRUNCATED
from .target import Address
from .wire import Answer, WireError

Socket: TypeAlias = Any
"""gevent's socket, which comes without types."""
READ_BYTES = 65536
CONNECT_TIMEOUT_S = 30.0
WAKE_EARLY_NS = 1_500_000
"""gevent's timers count whole milliseconds: the rest of a wait is spent awake."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """What came back for one request; the failure is None when the answer came to an end."""

    sent_ns: int
    reads: tuple[Read, ...] = ()
    closed: bool = False
    failure: str | None = None
    message: str | None = None
    before: Offset | None = None
    after: Offset | None = None


class ConnectError(Exception):
    """The server does not take a connection."""


class Client:
    """One user's connection, kept alive; opened again only when the server closed it."""

    def __init__(self, address: Address, timeout_s: float, kernel: bool) -> None:
        self.address = address
        self.timeout_s = timeout_s
        self.kernel = kernel and address.scheme == "http"
        self._socket: Socket = None
        self._opening_ns: int | None = None

    @property
    def connected(self) -> bool:
        """Whether a request can be sent at once."""
        return self._socket is not None and alive(self._socket)

    def connect(self) -> bool:
        """Be connected; whether that took a new connection."""
        if self.connected:
            return False
        self.close()
        started_ns = time.monotonic_ns()
        try:
            self._socket = self._open()
        except OSError as error:
            raise ConnectError(error.strerror or str(error)) from error
        self._opening_ns = time.monotonic_ns() - started_ns
        return True

    def opening_ns(self) -> int | None:
        """How long the connection took to open, told once, to the first request that it takes."""
        taken_ns, self._opening_ns = self._opening_ns, None
        return taken_ns

    def _open(self) -> Socket:
        place = (self.address.host, self.address.port)
        opened = socket.create_connection(place, timeout=CONNECT_TIMEOUT_S)
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.kernel:
            opened.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        if self.address.scheme == "https":
            context = ssl.create_default_context()
            opened = context.wrap_socket(opened, server_hostname=self.address.host)
        opened.settimeout(self.timeout_s)
        return opened

    def converse(self, payload: bytes) -> Conversation:
        """Send a request over the open connection and keep what comes until the answer ends."""
        ending = Ending()
        failure: tuple[str, str] | None = None
        before = clock_offset()
        sent_ns = time.monotonic_ns()
        try:
            self._socket.sendall(payload)
            while not ending.reached and self._receive(ending):
                pass
        except TimeoutError:
            failure = (
                TIMEOUT_IDLE if ending.reads else TIMEOUT_FIRST,
                f"nothing came for {self.timeout_s:g} s",
            )
        except OSError as error:
            failure = (TRUNCATED, error.strerror or str(error))
        if not ending.reached or not ending.keep_alive:
            self.close()
        closed = failure is None and not ending.reached
        failed, message = failure or (None, None)
        after = clock_offset()
        return Conversation(sent_ns, tuple(ending.reads), closed, failed, message, before, after)

    def _receive(self, ending: Ending) -> bool:
        """Keep one read; False when the server closed the connection."""
        stamp: int | None = None
        if self.kernel:
            received, ancillary, _, _ = self._socket.recvmsg(READ_BYTES, ANCILLARY_BYTES)
            at_ns = time.monotonic_ns()
            stamp = kernel_stamp(ancillary)
        else:
            received = self._socket.recv(READ_BYTES)
            at_ns = time.monotonic_ns()
        if received:
            ending.keep(Read(at_ns, stamp, received))
        return bool(received)

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


LAST_CHUNK = b"\r\n0\r\n\r\n"


class Ending:
    """Keeps reads and knows when the answer ends, looking as seldom as can be.

    A chunked answer ends with an empty chunk. Where one ends with an empty line and no such chunk
    (trailers, events), or the headers or a length are awaited, the bytes are looked through.
    """

    def __init__(self) -> None:
        self.reads: list[Read] = []
        self.reached = False
        self._answer = Answer()
        self._looked = 0
        self._tail = b""

    @property
    def keep_alive(self) -> bool:
        """Whether the connection may be used again."""
        return self._answer.keep_alive

    def keep(self, read: Read) -> None:
        """Take a read."""
        self.reads.append(read)
        self._tail = (self._tail + read.received[-len(LAST_CHUNK) :])[-len(LAST_CHUNK) :]
        if self._answer.headers.get("transfer-encoding") == "chunked":
            if self._tail == LAST_CHUNK:  # looking through 64 answers that end together takes 50 ms
                self.reached = True
                return
            if not self._tail.endswith(b"\r\n\r\n"):
                return
        try:
            for unseen in self.reads[self._looked :]:
                self._answer.feed(unseen.received)
            self.reached = self._answer.complete
        except WireError:
            self.reached = True  # what is wrong is said by who reads the exchange
            self._answer.keep_alive = False
        self._looked = len(self.reads)


class Pool:
    """Connections that wait for requests, so that no arrival has to open one while its clock
    runs; new ones are opened in time, when few are left."""

    def __init__(self, address: Address, timeout_s: float, kernel: bool, spare: int) -> None:
        self._place = (address, timeout_s, kernel)
        self._spare = spare
        self._idle: list[Client] = []
        self._opening = 0
        self._closed = False

    def fill(self) -> None:
        """Have as many connections waiting as are to be spare; fewer where the server refuses."""
        gevent.joinall([gevent.spawn(self._add) for _ in range(self._spare - len(self._idle))])

    def take(self) -> Client:
        """A connection, the one used last first; not connected where none could be had."""
        taken: Client | None = None
        while self._idle and (taken is None or not taken.connected):
            taken = self._idle.pop()
        if len(self._idle) + self._opening < self._spare:
            gevent.spawn(self._add)
        return taken or Client(*self._place)

    def give(self, client: Client) -> None:
        """Take a connection back."""
        if client.connected and not self._closed:
            self._idle.append(client)
        else:
            client.close()

    def close(self) -> None:
        """Close all that wait, and each that comes back."""
        self._closed = True
        while self._idle:
            self._idle.pop().close()

    def _add(self) -> None:
        client = Client(*self._place)
        self._opening += 1
        try:
            with contextlib.suppress(ConnectError):
                client.connect()
                self.give(client)
        finally:
            self._opening -= 1


def sleep_until(at_ns: int) -> None:
    """Let others run until a moment of CLOCK_MONOTONIC, and not much longer."""
    while (left_ns := at_ns - time.monotonic_ns()) > 0:
        gevent.sleep(max(0, left_ns - WAKE_EARLY_NS) / 1e9)


def alive(connected: Socket) -> bool:
    """Whether an idle connection is still open: a closed one has its end to read."""
    idle = select.poll()
    idle.register(connected.fileno(), select.POLLIN)
    return not idle.poll(0)


def stamping_socket() -> Socket | None:
    """A socket on which the kernel stamps arrivals, tried over loopback; None where it cannot.

    Hold it while measuring: the kernel begins to stamp packets some milliseconds after the first
    socket asked for it, and stops after the last one is gone.
    """
    if sys.platform != "linux":
        return None
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        near = socket.create_connection(listener.getsockname())
        far, _ = listener.accept()
    near.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    near.settimeout(1.0)
    with far:
        for _ in range(100):
            far.sendall(b".")
            ancillary = near.recvmsg(1, ANCILLARY_BYTES)[1]
            if kernel_stamp(ancillary) is not None:
                return near
            time.sleep(0.002)
    near.close()
    return None

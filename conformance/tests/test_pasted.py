"""A line that shows bytes sends these bytes: a real shell and curl tell them to a listener."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
from collections.abc import Sequence

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ..address import parse_address
from ..check import CHECKS
from ..evidence import Request
from ..pasted import Left, Sent, after, line_of, tells_all
from ..run import judge, judge_whole, load_checks, prepare
from ..suites import limits
from ..target import Target, encoded
from .honest import Lie, serving, serving_server
from .lies import refuses
from .test_liars import provided

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
ALIVE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
GET = Request("GET", "/", (), None)
CURL = shutil.which("curl") is not None
BODY = b'{"model": "x", "prompt": "It\'s 100% \\u00e9"}'

load_checks()


class Listener:
    """Keeps what comes over a connection, and answers when it has come to this size."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.came = b""
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        peer, _ = self._socket.accept()
        peer.settimeout(10)
        with peer, self._socket:
            while len(self.came) < self.size and (part := peer.recv(65536)):
                self.came += part
            peer.sendall(OK)
            peer.settimeout(0.1)
            try:
                self.came += peer.recv(65536)  # more than was to come
            except OSError:
                return

    def heard(self) -> bytes:
        """All that came."""
        self._thread.join(10)
        return self.came


def sends(parts: Sequence[bytes], listener: Listener) -> tuple[str, bytes]:
    """The line for these parts, and what it sends when a shell runs it."""
    command = line_of(f"http://127.0.0.1:{listener.port}", GET, Sent(tuple(parts), 0.01))
    if CURL:
        subprocess.run(["sh", "-c", command], capture_output=True, check=False, timeout=30)
        return command, listener.heard()
    piped, _, rest = command.rpartition(" | ")
    printed = subprocess.run(["sh", "-c", piped], capture_output=True, check=True).stdout
    whole = b"".join(parts)
    body = whole.partition(b"\r\n\r\n")[2]
    return command, whole if rest.endswith("@-") and printed == body else printed or whole


def shaped(*lines: str, body: bytes = b"") -> bytes:
    """A request with these lines of a head."""
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


LENGTH = f"Content-Length: {len(BODY)}"
POST = ("POST /api/generate HTTP/1.1", "Host: x")
ORDINARY = {
    "get": shaped("GET /api/version HTTP/1.1", "Host: localhost"),
    "one dot zero": shaped("GET /api/version HTTP/1.0"),
    "no host": shaped("GET /api/version HTTP/1.1", "Connection: close"),
    "dots and globs": shaped("GET /api/../../etc/{a,b}[1-3] HTTP/1.1", "Host: x"),
    "fragment": shaped("GET /api/tags#x?y HTTP/1.1", "Host: x"),
    "empty query": shaped("GET /api/tags? HTTP/1.1", "Host: x"),
    "options": shaped("OPTIONS /api/chat HTTP/1.1", "Host: x", "Origin:http://a"),
    "head": shaped("HEAD / HTTP/1.1", "Host: x", "Connection: close"),
    "headers of any form": shaped(*POST, f"CONTENT-LENGTH:   {len(BODY)}", "X:y", "X: y ", "Z:",
                                  body=BODY),
    "no type": shaped(*POST, LENGTH, body=BODY),
    "typed bytes": shaped(*POST, "Content-Type: a/b", "content-length: 4", body=b"\0\xff\r\n"),
    "much": shaped(*POST, "Content-Length: 2000002", body=b'"' + b"ab" * 1_000_000 + b'"'),
    "a body of get": shaped("GET / HTTP/1.1", "Host: x", LENGTH, body=BODY),
}  # fmt: skip
ODD = {
    **{f"no http {n}": one for n, one in enumerate(limits.NO_HTTP)},
    "nothing": b"",
    "telnet": b"GET / HTTP/1.1\r\nHost: x\r\nX: \xff\xfa\xff\xff'\r\n\r\n",
    "length told twice": shaped(*POST, LENGTH, "Content-Length: 1", body=BODY),
    "negative length": shaped(*POST, "Content-Length: -1", body=BODY),
    "blank before the colon": shaped(*POST, f"Content-Length : {len(BODY)}", body=BODY),
    "blank value": shaped(*POST, "X: ", LENGTH, body=BODY),
    "chunks": shaped(*POST, "Transfer-Encoding: chunked", body=b"1;a=b\r\n{\r\n0\r\nX: 1\r\n\r\n"),
    "expects": shaped(*POST, "Expect: 100-Continue", LENGTH, body=BODY),
    "cut in its head": b"POST /api/generate HTTP/1.1\r\nHo",
    "cut in its body": shaped(*POST, "Content-Length: 999", body=b"{"),
    "bare lines": b"GET / HTTP/1.1\nHost: x\n\n",
    "folded": b"GET / HTTP/1.1\r\nHost: x\r\nX: a\r\n b\r\n\r\n",
    "host second": shaped("GET / HTTP/1.1", "X: y", "Host: x"),
    "blank in the target": shaped("GET /a b HTTP/1.1", "Host: x"),
    "whole address": shaped("GET http://x/ HTTP/1.1", "Host: x"),
    "two": shaped("GET / HTTP/1.1", "Host: x") * 2,
    "long head": b"GET / HTTP/1.1\r\n" + b"X-Pad: %b\r\n" % (b"a" * 8000) * 400,
}
PARTED = {
    "two parts": [ORDINARY["get"][:9], ORDINARY["get"][9:]],
    "byte by byte": [BODY[n : n + 1] for n in range(12)],
    "an empty part": [b"GET / HT", b"", b"TP/1.1\r\n\r\n"],
    "parts of telnet": [b"\xff", b"\0\xff\xfb"],
}


@pytest.mark.parametrize("name", ORDINARY)
def test_what_curl_can_say_is_a_line_of_curl(name: str) -> None:
    """Without its own headers, in the same order, byte for byte."""
    listener = Listener(len(ORDINARY[name]))
    command, came = sends([ORDINARY[name]], listener)
    assert ("http://" in command, "telnet" in command, "tcp" in command) == (True, False, False)
    assert came == ORDINARY[name]
    assert len(command) < 1000


@pytest.mark.parametrize("name", ODD)
def test_what_curl_cannot_say_is_printed_to_the_line(name: str) -> None:
    """As it is: NUL, quotes, percent signs, and the byte that telnet would double."""
    listener = Listener(len(ODD[name]))
    command, came = sends([ODD[name]], listener)
    assert ("/dev/tcp/" if b"\xff" in ODD[name] else "telnet://") in command
    assert came == ODD[name]
    assert len(command) < 2500


@pytest.mark.parametrize("name", PARTED)
def test_parts_are_sent_apart(name: str) -> None:
    """With a pause after each."""
    parts = PARTED[name]
    listener = Listener(len(b"".join(parts)))
    command, came = sends(parts, listener)
    assert came == b"".join(parts)
    assert command.count("sleep 0.01") == sum(map(bool, parts)) - 1


@settings(deadline=None)  # a process takes as long as it takes
@given(st.binary(max_size=60))
@example(b"%s\\n'\0\xff")
def test_any_bytes_are_printed_as_they_are(content: bytes) -> None:
    """By any shell, whatever they are."""
    command = line_of("http://127.0.0.1:1", GET, Sent((b"?" + content,)))
    piped, _, _ = command.rpartition(" | ")
    done = subprocess.run(["sh", "-c", piped], capture_output=True, check=True)
    assert done.stdout == b"?" + content


RAW = [
    "blobs/chunked",
    "concurrency/one-blob-uploaded-twice",
    "core/chunked-request",
    "core/http-one-dot-zero",
    "core/kept-alive",
    "http/chunks-of-any-form",
    "http/closed-when-asked",
    "http/expect-in-any-case",
    "http/header-names-in-any-case",
    "http/one-dot-zero-without-host",
    "http/pipelined",
    "safety/contradicting-lengths",
    "safety/long-heads",
    "safety/no-http-at-all",
    "stream/body-in-pieces",
]


@pytest.mark.parametrize("id", RAW)
def test_lines_of_raw_checks_send_what_the_check_sent(id: str) -> None:
    """Each of them, where it fails."""
    with serving_server() as server:
        _, exchanges = judge_whole(CHECKS[id], provided(server))
    raw = [one.sent for one in exchanges if one.sent is not None]
    assert raw
    for sent in raw[-2:]:
        command, came = sends(sent.parts, Listener(len(sent.whole)))
        assert came == sent.whole
        assert "FILE" not in command


def test_ordinary_paths_are_left_alone() -> None:
    """Curl takes dots out of an address, and reads brackets as many addresses."""
    told = line_of("http://x", Request("GET", "/a/../{b}", (("X", ""),), None), None)
    assert told == "curl -sS -i -N --path-as-is -g 'http://x/a/../{b}' -H 'X;'"


@pytest.mark.parametrize(
    ("request_", "tells"),
    [
        (GET, True),
        (Request("POST", "/api/chat", (("Content-Length", "2"),), b"{}"), True),
        (Request("POST", "/api/chat", (("Content-Length", "3"),), b"{}"), False),
        (Request("POST", "/api/chat", (("Transfer-Encoding", "chunked"),), b"0\r\n\r\n"), False),
        (Request("GET", "/a#b", (), None), False),
        (Request("GET", "/a?", (), None), False),
        (Request("GET", "/a b", (), None), False),
        (Request("GET", "/", (("X", "\u00e9"),), None), False),
        (Request("HEAD", "/", (), b"x"), False),
    ],
)
def test_only_ordinary_requests_are_left_to_curl(request_: Request, tells: bool) -> None:
    """Of what curl would send otherwise the bytes are kept."""
    assert tells_all(request_) is tells


def test_later_requests_of_a_connection_come_with_those_before() -> None:
    """One line shows all that went over it."""
    with serving_server() as server:
        target = Target(provided(server))
        with target.connect() as connection:
            asks = [
                encoded("GET", path, None, {"Connection": "keep-alive"}) for path in ("/", "/a")
            ]
            first, second = [connection.exchange(one) for one in asks]
    assert first.sent is None
    assert second.sent is not None
    assert [part.split()[1] for part in second.sent.parts] == [b"/", b"/a"]
    assert second.curl.count("sleep 0.3") == 1


HELD = Sent((shaped("GET /held HTTP/1.1", "Host: x"),))
PART = Sent((b"GET /pa",))


def test_who_left_is_in_the_line() -> None:
    """Those who left before come first; who was there still is there, and is not waited for."""
    left = [Left(HELD, 0.31, 0, 1), Left(PART, 0.1, 0, 1), Left(HELD, 0.2, 0, 1),
            Left(PART, 1.0, 1, 2), Left(PART, 1.0, 2, 3)]  # fmt: skip
    told = after("http://127.0.0.1:1", left, 1, "last")
    gone, there, last = told.split(" wait); ")[0], *told.split(" wait); ")[1].rsplit("; ", 1)
    assert (gone.count("/held"), gone.count("seq 2"), gone.count("-m 0.4")) == (1, 1, 1)
    assert (there.count("printf"), "sleep 0.5" in there, last) == (1, True, "last")
    assert subprocess.run(["sh", "-n", "-c", told], check=False).returncode == 0


def test_who_left_leaves_again() -> None:
    """Run by a shell, each line opens its connections and closes them, then the last is run."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        told = after(url, [Left(PART, 0.1, 0, 0)] * 2 + [Left(HELD, 0.1, 0, 0, False)], 0, "echo z")
        if not CURL:
            assert told.count("printf") == 1
            return
        done = subprocess.run(["sh", "-c", told], capture_output=True, check=True, timeout=20)
        came = []
        for _ in "123":
            peer, _ = server.accept()
            with peer:
                peer.settimeout(5)
                came.append(b"".join(iter(lambda peer=peer: peer.recv(4096), b"")))  # type: ignore[misc]
    assert done.stdout == b"z\n"
    assert sorted(came) == sorted([PART.whole, PART.whole, HELD.whole])


def test_finding_about_who_left_has_a_line_that_leaves() -> None:
    """What was abandoned is part of what shows it."""
    with serving_server(Lie(flaw="outlives_clients")) as server:
        line = judge_whole(CHECKS["lifecycle/hang-up-lets-go"], provided(server))[0]
    assert line["verdict"] == "failed"
    assert line["curl"].startswith("(for n in $(seq ")
    assert subprocess.run(["sh", "-n", "-c", line["curl"]], check=False).returncode == 0


@pytest.mark.parametrize("id", ["create/provision", "stream/false-is-one-object"])
def test_what_asked_nothing_shows_why(id: str) -> None:
    """Where no model could be made, the line is that which should have made it."""
    with serving(refuses("/api/create", lambda fields: True, 500)) as url:
        line = judge(CHECKS[id], prepare(parse_address(url), None))
    assert line["verdict"] in ("failed", "not_testable")
    assert "/api/create" in line["curl"]


def test_an_empty_host_is_sent_as_such() -> None:
    """Neither left out nor that of the address."""
    told = line_of("http://x", Request("GET", "/", (("Host", ""),), None), None)
    assert "-H 'Host;'" in told

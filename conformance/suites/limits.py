"""Class safety, part three: what is too long, too deep or contradicts itself harms nobody."""

from __future__ import annotations

import time

from ..bytewise import line
from ..check import MUST, SHOULD, Verdict, check, every, expect, expect_that
from ..evidence import Exchange, Json, Request
from ..reply import read
from ..target import NOBODY, Target
from .arrival import requires_plain
from .busy import offered
from .spoken import ASK

BOUND_S = 20.0  # nothing of this kind is worth more of a server's time
BOMBS = (
    '{{ define "a" }}{{ template "a" . }}{{ template "a" . }}{{ end }}{{ template "a" . }}',
    '{{ define "a" }}{{ template "b" . }}{{ end }}{{ define "b" }}{{ template "a" . }}{{ end }}'
    '{{ template "a" . }}',
    '{{ printf "%99999999999d" 1 }}',
    "{{" + "(" * 2000 + "1" + ")" * 2000 + "}}",
    "{{ if 1 }}" * 500 + "x" + "{{ end }}" * 500,
)
STRANGE = (
    "{{ .Prompt.__class__.__mro__ }}",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    "{% for i in range(10**9) %}x{% endfor %}",
    "{{ call .Prompt }}",
    '{{ index .Messages 99 }}',
)  # fmt: skip
NO_HTTP = (
    b"\x16\x03\x01\x02\0\x01\0\x01\xfc\r\n\r\n",  # the beginning of TLS
    b"\0" * 400 + b"\r\n\r\n",
    b"GET\r\n\r\n",
    b"EHLO x\r\n\r\n",
)
REFUSED = (400, 411, 413, 501)
LEAKS = ("<class", "uid=", "subclass")


def usable(target: Target) -> Verdict:
    """Passed if the server still answers."""
    return expect((got := target.get(target.heartbeat)).code, 200, got)


@check(
    "safety/template-bombs",
    MUST,
    group="safety",
    source="template/template.go",
    covers=("SEC-32", "SEC-18"),
)
def template_bombs(target: Target) -> Verdict:
    """A template that calls itself, or is nested beyond reason, costs bounded time."""
    return every((*(_rendered(target, one) for one in BOMBS), usable(target)))


@check(
    "safety/templates-reach-nothing",
    MUST,
    group="safety",
    source="template/template.go",
    covers=("SEC-32",),
)
def templates_reach_nothing(target: Target) -> Verdict:
    """A template sees its conversation only: no attribute, function, or other language."""
    return every((*(_rendered(target, one) for one in STRANGE), usable(target)))


def _rendered(target: Target, template: str) -> Verdict:
    """Passed if the template is refused as JSON, or rendered, within bounds."""
    ask: dict[str, Json] = {"model": target.model, "prompt": "Hello", "template": template}
    got = target.post("/api/generate", {**ask, "stream": False}, options={"num_predict": 2})
    if got.answered.elapsed_ms > BOUND_S * 1e3:
        return expect_that(
            False, f"an answer within {BOUND_S:.0f} s", f"{got.elapsed_ms:.0f} ms", got
        )
    if got.code == 200:
        return expect(read(got).final["done"], True, got)
    return expect_that(
        not any(one in got.error_text for one in LEAKS), "an error", got.error_text, got
    )


@check(
    "safety/deep-json",
    MUST,
    group="safety",
    source="encoding/json",
    covers=("ERR-055", "SEC-18", "HTTP-09"),
)
def deep_json(target: Target) -> Verdict:
    """JSON nested a hundred thousand deep is a 400, or not looked at; the server stays."""
    deep = b'{"model":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    wide = b'{"model": "x", "options": ' + b'{"a":' * 100_000 + b"1" + b"}" * 100_001
    paths = ["/api/chat", "/api/generate"]
    paths += ["/api/show"] if "manage" not in target.setup.absent else []
    asked = [target.request("POST", path, body) for path in paths for body in (deep, wide)]
    refused = (
        expect_that(got.code < 500, "4xx", f"{got.status}: {got.loose_text[:200]}", got)
        for got in asked
    )
    return every((*refused, usable(target)))


@check(
    "safety/long-bodies",
    SHOULD,
    group="safety",
    source="server/routes.go:Serve",
    covers=("HTTP-016", "SEC-17"),
)
def long_bodies(target: Target) -> Verdict:
    """A body of some megabytes is read, or refused with 413; never a 5xx or a broken connection."""
    body = b'{"model": "' + NOBODY.encode() + b'", "prompt": "' + b"x" * (4 << 20) + b'"}'
    got = target.request("POST", "/api/generate", body)
    usual = target.setup.calibration.nobody or 404
    borne = expect_that(got.code in (usual, 413), f"{usual}, or 413", got.status, got)
    return every((borne, usable(target)))


@check(
    "safety/long-heads",
    MUST,
    group="safety",
    source="net/http: DefaultMaxHeaderBytes",
    covers=("SEC-17", "SEC-18"),
)
def long_heads(target: Target) -> Verdict:
    """A head without end is refused with 4xx, or cut off; a cookie of 4 KB is none."""
    requires_plain(target)
    cookie = target.get(target.heartbeat, {"Cookie": "a" * 4000})
    endless = _raw(
        target, b"GET /api/version HTTP/1.1\r\nHost: x\r\n" + b"X-Pad: %b\r\n" % (b"a" * 8000) * 400
    )
    refused = endless.status is None or 400 <= endless.status < 500
    return every(
        (
            expect(cookie.code, 200, cookie),
            expect_that(refused, "4xx, or no answer", endless.status, endless),
            usable(target),
        )
    )


def _raw(target: Target, whole: bytes, wait_s: float = 3.0) -> Exchange:
    """The answer to bytes that are no request; none is fine."""
    request = Request("GET", "/api/version", (), None)
    with line(target) as connection:
        connection.patience(wait_s)
        connection.send(whole)
        got = connection.answer(request)
    target.exchanges.append(got)
    return got


@check(
    "safety/contradicting-lengths",
    MUST,
    group="safety",
    source="RFC 9112, 6.3",
    covers=("SEC-18",),
)
def contradicting_lengths(target: Target) -> Verdict:
    """A request whose length is negative, no number, or told twice in two ways is refused."""
    requires_plain(target)
    size = len(ASK)
    heads = (
        f"Content-Length: {size}\r\nContent-Length: {size + 1}",
        "Content-Length: -1",
        "Content-Length: abc",
        f"Content-Length: {'9' * 30}",
        f"Content-Length : {size}",
        "Transfer-Encoding: chunked\r\nX: y",
    )
    for head in heads:
        first = f"POST {target.address.prefix}/api/generate HTTP/1.1\r\nHost: localhost"
        got = _raw(target, f"{first}\r\n{head}\r\n\r\n".encode() + ASK + b"\r\n")
        if got.status not in (None, *REFUSED):
            return expect_that(False, f"{head!r} to be refused with 400", got.status, got)
    return usable(target)


@check(
    "safety/no-http-at-all",
    MUST,
    group="safety",
    source="net/http",
    covers=("SEC-18", "ERR-055"),
)
def no_http_at_all(target: Target) -> Verdict:
    """Bytes that are no HTTP get a 4xx or 5xx of one line, or nothing, and harm nobody."""
    requires_plain(target)
    begun = time.monotonic()
    for whole in NO_HTTP:
        got = _raw(target, whole)
        if got.status is not None and got.status < 400:
            return expect_that(False, f"{whole[:20]!r} to be refused", got.status, got)
    spent = time.monotonic() - begun
    return every((expect_that(spent < BOUND_S, "no waiting", f"{spent:.0f} s"), usable(target)))


@check(
    "safety/length-that-never-comes",
    MUST,
    group="safety",
    source="net/http",
    covers=("SEC-18", "SEC-17", "BLOB-08"),
)
def length_that_never_comes(target: Target) -> Verdict:
    """A body that is announced as a petabyte takes no room before it comes."""
    requires_plain(target)
    offered(target, "create")
    digest = "0" * 64
    path = f"{target.address.prefix}/api/blobs/sha256:{digest}"
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {1 << 50}\r\n\r\nbegun"
    with line(target) as connection:
        connection.send(head.encode())
        amid = usable(target)
    there = target.request("HEAD", f"/api/blobs/sha256:{digest}")
    return every(
        (amid, expect_that(there.code in (400, 404), "no such blob", there.status), usable(target))
    )

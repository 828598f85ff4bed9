"""Class core, part six: HTTP as clients and proxies speak it, byte by byte."""

from __future__ import annotations

from ..bytewise import encoded_bytes, line, pipelined, send_parts
from ..check import (
    MAY,
    MUST,
    PASSED,
    SHOULD,
    Outcome,
    Verdict,
    check,
    every,
    expect,
    expect_that,
    not_judged,
)
from ..clients import JS, PYTHON, SDKS
from ..evidence import Exchange, Request
from ..target import NOBODY, Target, encoded
from .arrival import requires_plain
from .core import was_read

REFUSED = {
    ("PUT", "/api/tags"): "HEAD GET", ("POST", "/api/version"): "HEAD GET",
    ("DELETE", "/api/ps"): "GET", ("GET", "/api/show"): "POST", ("PUT", "/api/embed"): "POST",
    ("GET", "/api/delete"): "DELETE", ("PUT", f"/api/blobs/sha256:{'0' * 64}"): "HEAD POST",
}  # fmt: skip
ASK = f'{{"model": "{NOBODY}", "prompt": "Hello"}}'.encode()


def by_hand(target: Target, head: str, body: bytes) -> Exchange:
    """Ask a model that cannot exist, with head lines as they are given."""
    lines = [
        f"POST {target.address.prefix}/api/generate HTTP/1.1",
        f"Host: {target.address.authority}",
    ]
    head = f"{head}\r\nContent-Type: application/json"
    whole = "\r\n".join([*lines, head, "Connection: close", "", ""]).encode() + body
    headers = tuple(tuple(one.split(":", 1)) for one in head.split("\r\n"))
    request = Request("POST", "/api/generate", headers, body)  # type: ignore[arg-type]
    return send_parts(target, request, [whole])


@check(
    "http/header-names-in-any-case",
    MUST,
    group="core",
    source="RFC 9110, 5.1",
    covers=("HTTP-020",),
    breaks=SDKS,
)
def header_names_in_any_case(target: Target) -> Verdict:
    """Header names are read in any case, with or without a blank after the colon."""
    requires_plain(target)
    heads = (
        f"CONTENT-LENGTH: {len(ASK)}",
        f"content-length:{len(ASK)}",
        f"cOnTeNt-LeNgTh:   {len(ASK)}",
    )
    return every(was_read(target, by_hand(target, head, ASK)) for head in heads)


@check(
    "http/chunks-of-any-form",
    MUST,
    group="core",
    source="RFC 9112, 7.1",
    covers=("HTTP-020", "HTTP-24"),
    breaks=(PYTHON, JS),
)
def chunks_of_any_form(target: Target) -> Verdict:
    """Chunks of a body may be of one byte, have extensions, upper-case sizes, and a trailer."""
    requires_plain(target)
    single = b"".join(b"1\r\n%b\r\n" % ASK[n : n + 1] for n in range(len(ASK))) + b"0\r\n\r\n"
    extended = b"%X;name=value\r\n%b\r\n0\r\nX-Trailer: 1\r\n\r\n" % (len(ASK), ASK)
    padded = b"000%x\r\n%b\r\n000\r\n\r\n" % (len(ASK), ASK)
    return every(
        was_read(target, by_hand(target, "transfer-encoding: chunked", body))
        for body in (single, extended, padded)
    )


@check(
    "http/expect-in-any-case",
    MUST,
    group="core",
    source="RFC 9110, 10.1.1",
    covers=("HTTP-020", "HTTP-24"),
)
def expect_in_any_case(target: Target) -> Verdict:
    """A client that waits for 100 Continue may also send its body at once."""
    requires_plain(target)
    return was_read(
        target, by_hand(target, f"Content-Length: {len(ASK)}\r\nexpect: 100-Continue", ASK)
    )


@check(
    "http/pipelined",
    SHOULD,
    group="core",
    source="RFC 9112, 9.3.2",
    covers=("HTTP-019",),
)
def pipelined_requests(target: Target) -> Verdict:
    """Requests sent in one write are answered one after the other, in their order."""
    requires_plain(target)
    alive = {"Connection": "keep-alive"}
    requests = [
        encoded("GET", target.heartbeat, None, alive),
        encoded("POST", "/api/generate", ASK, alive),
        encoded("GET", "/api/parallama-check-nothing", None, alive),
        encoded("POST", "/api/show", b'{"model": "parallama-check-none"}', alive),
        encoded("GET", target.heartbeat, None, {}),
    ]
    apart = [
        (None, target.request(one.method, one.path, one.body, dict(one.headers)).status)
        for one in requests
    ]
    found = [(got.error, got.status) for got in pipelined(target, requests)]
    return expect(found, apart)


@check(
    "http/one-dot-zero-without-host",
    MAY,
    group="core",
    source="RFC 9112, 3.2",
    covers=("HTTP-26",),
)
def one_dot_zero_without_host(target: Target) -> Verdict:
    """An HTTP/1.0 client needs no Host, and is not sent chunks; one of HTTP/1.1 needs it."""
    requires_plain(target)
    request = Request("GET", target.heartbeat, (), None)
    path = f"{target.address.prefix}{target.heartbeat}"
    old = send_parts(target, request, [f"GET {path} HTTP/1.0\r\n\r\n".encode()])
    new = send_parts(
        target, request, [f"GET {path} HTTP/1.1\r\nConnection: close\r\n\r\n".encode()]
    )
    whole = expect_that(old.framing != "chunked", "no chunks", old.framing)
    return every((expect(old.code, 200, old), whole, expect(new.code, 400, new)))


@check(
    "http/only-some-heads",
    SHOULD,
    group="core",
    source="server/routes.go:GenerateRoutes",
    covers=("HTTP-19", "HTTP-006", "HTTP-005"),
)
def only_some_heads(target: Target) -> Verdict:
    """HEAD is known at /, version, tags and blobs; elsewhere it is 405, and never has a body."""
    asked = [
        target.request("HEAD", path) for path in ("/api/ps", "/api/chat", "/api/show", "/api/copy")
    ]
    return every(expect((got.code, got.body), (405, b""), got) for got in asked)


@check(
    "http/head-tells-the-length",
    SHOULD,
    group="core",
    source="RFC 9110, 9.3.2",
    covers=("HTTP-25",),
)
def head_tells_the_length(target: Target) -> Verdict:
    """HEAD has the media type of GET, and its length."""
    for path in ("/", "/api/version"):
        head, whole = target.request("HEAD", path).ok, target.get(path).ok
        told = [head.media_type, head.header("Content-Length")]
        if told != (wanted := [whole.media_type, str(len(whole.body))]):
            return expect(told, wanted, head)
    return expect(head.body, b"", head)


@check(
    "http/methods-of-each-route",
    MUST,
    group="core",
    source="server/routes.go:GenerateRoutes",
    covers=("HTTP-005", "HTTP-03"),
    breaks=SDKS,
)
def methods_of_each_route(target: Target) -> Verdict:
    """Generate and chat are there for POST, and for POST only."""
    for path in ("/api/generate", "/api/chat"):
        got = target.request("POST", path, b"")
        if got.code in (404, 405, 501) and "model" not in got.loose_text:
            return expect_that(False, f"{path} to be there", got.status, got)
        for method in ("GET", "PUT", "DELETE", "PATCH"):
            got = target.request(method, path, None)
            if got.code not in (404, 405):
                return expect_that(False, f"no {method} of {path}: 405", got.status, got)
    return expect(target.request("POST", "/", b"").code in (404, 405), True)


@check(
    "http/options-without-origin",
    SHOULD,
    group="core",
    source="server/routes.go:allowedHostsMiddleware",
    covers=("SEC-12", "HTTP-006"),
)
def options_without_origin(target: Target) -> Verdict:
    """OPTIONS without an Origin is an empty 204, or refused as any other method: 404 or 405.

    Where the Host is looked at, and is the name of this machine, it is 204.
    """
    asked = [
        target.request("OPTIONS", path, None, {"Host": host})
        for path in ("/api/chat", "/api/parallama-check-nothing")
        for host in ("localhost", target.address.authority)
    ]
    guarding = target.get(target.heartbeat, {"Host": "evil.example"}).code == 403
    if guarding and asked[0].code != 204:
        return expect(asked[0].code, 204, asked[0])
    for got in asked:
        granted = got.header("Access-Control-Allow-Origin")
        if got.code not in (204, 403, 404, 405) or (granted is not None and granted != "*"):
            return expect_that(
                False, "204, 404 or 405 and no origin allowed", f"{got.status}, {granted}", got
            )
    return expect([got.body for got in asked if got.status == 204 and got.body], [])


@check(
    "http/allow-is-told-by-route",
    SHOULD,
    group="core",
    source="gin: handleHTTPRequest",
    covers=("HTTP-04", "HTTP-19", "HTTP-006"),
)
def allow_is_told_by_route(target: Target) -> Verdict:
    """A 405 tells in Allow the methods that a route has, HEAD with them, and no others."""
    for (method, path), wanted in REFUSED.items():
        got = target.request(method, path, None if method in ("GET", "DELETE") else b"{}")
        if target.setup.calibration.absent(got):
            continue
        told = {one.strip().upper() for one in (got.header("Allow") or "").split(",")}
        if got.code != 405 or told - {"OPTIONS"} != set(wanted.split()):
            found = f"{got.status}, Allow: {got.header('Allow')}"
            return expect_that(False, f"{method} {path}: 405, Allow: {wanted}", found, got)
    return PASSED


@check(
    "http/trailing-slash",
    MAY,
    group="core",
    source="gin: RedirectTrailingSlash",
    covers=("HTTP-008", "HTTP-05"),
)
def trailing_slash(target: Target) -> Verdict:
    """A route with a slash too many is redirected to the one without, not found, or served."""
    for method, path in (("GET", "/api/tags/"), ("POST", "/api/generate/")):
        got = target.request(method, path, ASK if method == "POST" else None)
        if got.code in (301, 302, 307, 308):
            place = (got.header("Location") or "").partition("?")[0]
            if not place.endswith(path.rstrip("/")) or (
                method == "POST" and got.status in (301, 302)
            ):
                return expect_that(
                    False, f"307 to {path.rstrip('/')}", f"{got.status} to {place}", got
                )
        elif got.code >= 500 or got.code not in (200, 404, 405):
            return expect_that(False, "a redirect, 404, 405, or an answer", got.status, got)
    return expect(got.error, None)


@check(
    "http/content-encoding-of-a-request",
    SHOULD,
    group="core",
    source="server/routes.go",
    covers=("HTTP-25",),
)
def content_encoding_of_a_request(target: Target) -> Verdict:
    """Content-Encoding of a request is not looked at, or refused with 4xx: never a 5xx."""
    got = target.request("POST", "/api/generate", ASK, {"Content-Encoding": "gzip"})
    return expect_that(400 <= got.code < 500, "404, 400 or 415", got.status, got)


@check(
    "http/query-of-management-ignored",
    SHOULD,
    group="core",
    source="gin",
    covers=("HTTP-25", "HTTP-021"),
)
def query_of_management_ignored(target: Target) -> Verdict:
    """A query string changes nothing at /api/version and /api/show either."""
    got = target.get(f"{target.heartbeat}?model=x&stream=false")
    plain = target.post("/api/show", model=NOBODY)
    asked = target.post("/api/show?model=other", model=NOBODY)
    told = (asked.code, asked.loose_text)
    brief = target.post("/api/show", model=target.model).ok.object
    long = target.post("/api/show?verbose=true&system=x", model=target.model).ok.object
    return every(
        (
            expect(got.code, 200, got),
            expect(told, (plain.code, plain.loose_text), asked),
            expect(long["model_info"], brief["model_info"]),
            expect(long.get("system"), brief.get("system")),
        )
    )


@check(
    "http/bytes-after-the-object",
    MUST,
    group="core",
    source="gin: binding/json.go",
    covers=("HTTP-06",),
)
def bytes_after_the_object(target: Target) -> Verdict:
    """The first JSON value of a body counts; a line end, or garbage, after it is not looked at."""
    for tail in (b"\n", b"\r\n", b" garbage"):
        got = target.request("POST", "/api/generate", ASK + tail)
        if (read := was_read(target, got)).outcome is not Outcome.PASSED:
            return read
    return read


@check(
    "http/json-content-types",
    MUST,
    group="core",
    source="gin: c.JSON",
    covers=("HTTP-10", "HTTP-011"),
    breaks=(JS,),
)
def json_content_types(target: Target) -> Verdict:
    """JSON answers say application/json, and where they name a charset, UTF-8."""
    asked = (
        target.get(target.heartbeat),
        target.get("/api/tags"),
        target.get("/api/ps"),
        target.post("/api/show", model=NOBODY),
        target.request("POST", "/api/chat", b"{"),
    )
    for got in asked:
        if target.setup.calibration.absent(got):
            continue
        kind = (got.answered.header("Content-Type") or "").lower().replace(" ", "").replace('"', "")
        if kind not in ("application/json", "application/json;charset=utf-8"):
            return expect_that(False, "application/json; charset=utf-8", kind, got)
    return expect(asked[0].code, 200, asked[0])


@check(
    "http/json-names-its-charset",
    SHOULD,
    group="core",
    source="gin: c.JSON",
    covers=("HTTP-10", "HTTP-011"),
)
def json_names_its_charset(target: Target) -> Verdict:
    """Whole JSON answers, and errors, say charset=utf-8, as those do of every release."""
    asked = (
        target.get(target.heartbeat),
        target.get("/api/tags"),
        target.post("/api/show", model=NOBODY),
        target.post("/api/generate", model=NOBODY),
    )
    for got in asked:
        kind = (got.answered.header("Content-Type") or "").lower().replace(" ", "").replace('"', "")
        told = target.setup.calibration.absent(got) or kind.endswith(";charset=utf-8")
        if kind.startswith("application/json") and not told:
            return expect_that(False, "application/json; charset=utf-8", kind, got)
    return PASSED


@check(
    "http/closed-when-asked",
    SHOULD,
    group="core",
    source="RFC 9112, 9.3",
    covers=("HTTP-019",),
)
def closed_when_asked(target: Target) -> Verdict:
    """A client that says `Connection: close` is closed after its answer, at once."""
    requires_plain(target)
    request = encoded("GET", target.heartbeat, None, {"Connection": "close"})
    with line(target) as connection:
        connection.send(encoded_bytes(target, request))
        got = connection.answer(request)
        closed = connection.closes_within(2.0)
    target.exchanges.append(got)
    if got.error:
        not_judged(f"no whole answer: {got.error}")
    return expect((got.status, closed), (200, True), got)

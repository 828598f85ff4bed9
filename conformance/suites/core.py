"""Class core, part one: the routes that say who is there, and how HTTP is spoken."""

from __future__ import annotations

import re

from ..check import MUST, SHOULD, Verdict, check, every, expect, expect_that, not_judged
from ..clients import CHATTERS, COPILOT, GO, JS, OPEN_WEBUI, PYTHON, SDKS
from ..evidence import Exchange, Request
from ..reply import read
from ..target import NOBODY, Target, encoded
from .rebinding import requires_loopback

RECENT = (0, 6, 4)  # what VS Code Copilot asks for
NUMERIC = re.compile(r"\d+(\.\d+)*(-.*)?")
EVIL = "http://evil.example"


@check(
    "core/root-says-running",
    MUST,
    group="core",
    source="server/routes.go:GenerateRoutes",
    covers=("HTTP-001", "HTTP-01"),
    breaks=(GO,),
)
def root_says_running(target: Target) -> Verdict:
    """GET / answers 200 with the plain text `Ollama is running`, whatever is accepted."""
    for headers in ({}, {"Accept": "application/json"}):
        got = target.get("/", headers).ok
        told = (got.text, got.media_type)
        if told != ("Ollama is running", "text/plain"):
            return expect(told, ("Ollama is running", "text/plain"), got)
    return expect(got.status, 200, got)


@check(
    "core/root-head",
    MUST,
    group="core",
    source="api/client.go:Heartbeat",
    covers=("HTTP-002", "HTTP-01"),
    breaks=(GO,),
)
def root_head(target: Target) -> Verdict:
    """HEAD / answers 200 without a body; command lines use it as a heartbeat."""
    got = target.request("HEAD", "/").ok
    return expect(got.body + got.tail, b"", got)


@check(
    "core/version",
    MUST,
    group="core",
    source="docs/api.md#version",
    covers=("HTTP-003", "HTTP-18"),
    breaks=(GO, COPILOT, OPEN_WEBUI),
)
def version(target: Target) -> Verdict:
    """GET /api/version answers an object whose `version` is a non-empty string."""
    found = target.get("/api/version").ok.object["version"]
    return expect_that(isinstance(found, str) and found != "", "a non-empty string", found)


@check(
    "core/version-is-numeric",
    MUST,
    group="core",
    source="open-webui: routers/ollama.py",
    covers=("CLIENT-OWUI-01", "CLIENT-VSC-01"),
    breaks=(OPEN_WEBUI, COPILOT),
)
def version_is_numeric(target: Target) -> Verdict:
    """The version is dotted numbers, which clients compare part by part."""
    found = str(target.get("/api/version").ok.object["version"])
    return expect_that(bool(NUMERIC.fullmatch(found)), "dotted numbers such as 0.12.3", found)


@check(
    "core/version-is-recent",
    SHOULD,
    group="core",
    source="vscode-copilot: ollamaProvider.ts",
    covers=("CLIENT-VSC-01",),
    breaks=(COPILOT,),
)
def version_is_recent(target: Target) -> Verdict:
    """The version is 0.6.4 or later, unless it is the 0.0.0 of a development build."""
    found = str(target.get("/api/version").ok.object["version"])
    parts = tuple(int(part) for part in re.findall(r"\d+", found)[:3])
    recent = parts >= RECENT or parts == (0, 0, 0)
    return expect_that(recent, "0.6.4 or later", found)


@check(
    "core/version-head",
    SHOULD,
    group="core",
    source="server/routes.go:GenerateRoutes",
    covers=("HTTP-004", "HTTP-18", "HTTP-25"),
)
def version_head(target: Target) -> Verdict:
    """HEAD /api/version answers 200 without a body."""
    got = target.request("HEAD", "/api/version").ok
    return expect(got.body + got.tail, b"", got)


@check(
    "core/unknown-route-is-404",
    MUST,
    group="core",
    source="server/routes.go:GenerateRoutes",
    covers=("HTTP-007", "HTTP-02"),
    breaks=SDKS,
)
def unknown_route_is_404(target: Target) -> Verdict:
    """A route that does not exist answers 404."""
    asked = (
        target.get("/api/parallama-check-nothing"),
        target.post("/api/parallama-check-nothing", model=NOBODY),
        target.get("/parallama-check/api/version"),
        target.get("/parallama-check/api/tags"),
    )
    return every(expect(got.code, 404, got) for got in asked)


@check(
    "core/wrong-method-is-405",
    SHOULD,
    group="core",
    source="server/routes.go:GenerateRoutes",
    covers=("HTTP-006", "HTTP-03"),
)
def wrong_method_is_405(target: Target) -> Verdict:
    """A known route asked with another method answers 405, in words that are no JSON."""
    for path in ("/api/chat", "/api/generate", "/api/show"):
        got = target.get(path)
        if got.code != 405 or got.media_type == "application/json":
            return expect_that(False, f"GET {path}: 405, no JSON", got.status, got)
    return expect(got.code, 405, got)


@check(
    "core/wrong-method-allow",
    SHOULD,
    group="core",
    source="server/routes.go:GenerateRoutes",
    covers=("HTTP-006", "HTTP-04"),
)
def wrong_method_allow(target: Target) -> Verdict:
    """A 405 says in Allow which methods there are."""
    got = target.get("/api/chat").answered
    allowed = {word.strip() for word in (got.header("Allow") or "").split(",")}
    return expect_that(
        got.status == 405 and "POST" in allowed,
        "405 with Allow: POST",
        f"{got.status} with Allow: {got.header('Allow')}",
    )


@check(
    "core/content-type-not-examined",
    MUST,
    group="core",
    source="server/routes.go:ChatHandler",
    covers=("HTTP-009", "HTTP-06"),
)
def content_type_not_examined(target: Target) -> Verdict:
    """A JSON body is read whatever its Content-Type says, as `curl -d` sends it."""
    body = f'{{"model": "{NOBODY}", "prompt": "Hello"}}'.encode()
    kinds = ("", "application/x-www-form-urlencoded")
    asked = (target.request("POST", "/api/generate", body, {"Content-Type": one}) for one in kinds)
    return every(was_read(target, got) for got in asked)


def was_read(target: Target, got: Exchange) -> Verdict:
    """Passed if the body was read: a model that cannot exist is answered for as ever."""
    usual = target.setup.calibration.nobody or 404
    wanted = "404, model not found" if usual == 404 else f"{usual}, as ever for such a model"
    found = got.code == usual and (usual != 404 or "not found" in got.loose_text.lower())
    told = f"{got.status}: {got.loose_text[:200]}"
    return expect_that(found, f"the body to be read: {wanted}", told, got)


@check(
    "core/accept-not-examined",
    MUST,
    group="core",
    source="server/routes.go:streamResponse",
    covers=("HTTP-010",),
    breaks=SDKS,
)
def accept_not_examined(target: Target) -> Verdict:
    """Streams are NDJSON and objects are JSON whatever the Accept header asks for."""
    ask = {"model": target.model, **target.asked("greeting"), "options": target.options({})}
    return every(
        verdict
        for accept in ("text/event-stream", "application/json", "text/html, */*;q=0.1")
        for more, kind in (({}, "application/x-ndjson"), ({"stream": False}, "application/json"))
        for got in (target.send("POST", "/api/chat", {**ask, **more}, Accept=accept),)
        for verdict in (expect(got.ok.media_type, kind, got), _reads(got))
    )


@check(
    "core/authorization-ignored",
    MUST,
    group="core",
    source="server/routes.go:GenerateRoutes",
    covers=("HTTP-015", "SEC-02"),
    breaks=(PYTHON, JS),
)
def authorization_ignored(target: Target) -> Verdict:
    """An Authorization header is accepted and ignored, whatever its scheme."""
    return every(
        expect((got := target.get(target.heartbeat, {"Authorization": given})).code, 200, got)
        for given in ("Bearer parallama", "Basic b2xsYW1hOg==", "parallama")
    )


@check(
    "core/kept-alive",
    MUST,
    group="core",
    source="RFC 9112, 9.3",
    covers=("HTTP-019",),
    breaks=CHATTERS,
)
def kept_alive(target: Target) -> Verdict:
    """One connection serves request after request: objects, streams, errors and all."""
    alive = {"Connection": "keep-alive", "Content-Type": "application/json"}
    model, alive_at = target.model, target.heartbeat
    bodies: list[tuple[str, str, bytes | None]] = [
        ("GET", alive_at, None),
        ("POST", "/api/chat", b"{"),
        ("POST", "/api/generate", f'{{"model": "{NOBODY}", "prompt": "x"}}'.encode()),
        ("GET", "/api/parallama-check-nothing", None),
        (
            "POST",
            "/api/generate",
            f'{{"model": "{model}", "prompt": "Hello", "options": {{"num_predict": 3}}}}'.encode(),
        ),
        ("GET", alive_at, None),
    ]
    with target.connect() as connection:
        for number, (method, path, body) in enumerate(bodies, 1):
            got = connection.exchange(encoded(method, path, body, alive))
            target.exchanges.append(got)
            if got.error or got.tail:
                told = f"request {number}, {method} {path}: {got.error or got.tail!r}"
                return expect_that(False, "six requests answered on one connection", told, got)
    return expect(got.status, 200, got)


@check(
    "core/chunked-request",
    MUST,
    group="core",
    source="RFC 9112, 7.1",
    covers=("HTTP-020", "HTTP-24"),
    breaks=(PYTHON,),
)
def chunked_request(target: Target) -> Verdict:
    """A request body may come in chunks."""
    body = f'{{"model": "{NOBODY}", "prompt": "Hello"}}'.encode()
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:9], body[9:]))
    headers = {"Transfer-Encoding": "chunked", "Content-Type": "application/json"}
    got = target.request("POST", "/api/generate", chunks + b"0\r\n\r\n", headers)
    return was_read(target, got)


@check(
    "core/expect-continue",
    MUST,
    group="core",
    source="RFC 9110, 10.1.1",
    covers=("HTTP-020", "HTTP-24"),
)
def expect_continue(target: Target) -> Verdict:
    """`Expect: 100-continue` is answered with 100 Continue before the body is sent."""
    body = f'{{"model": "{NOBODY}", "prompt": "Hello"}}'.encode()
    got = target.request("POST", "/api/generate", body, {"Expect": "100-continue"})
    return every((was_read(target, got), expect(got.interim, (100,), got)))


@check(
    "core/query-ignored",
    SHOULD,
    group="core",
    source="server/routes.go:ChatHandler",
    covers=("HTTP-021", "HTTP-25"),
)
def query_ignored(target: Target) -> Verdict:
    """A query string changes nothing; only the body counts."""
    ask = {"model": target.model, **target.asked("greeting"), "options": {"num_predict": 2}}
    got = target.send("POST", "/api/chat?stream=false", ask)
    return expect(got.ok.media_type, "application/x-ndjson", got)


@check(
    "core/cors-preflight",
    SHOULD,
    group="core",
    source="docs/faq.md#origins",
    covers=("HTTP-013", "SEC-10"),
    breaks=(JS,),
)
def cors_preflight(target: Target) -> Verdict:
    """A preflight from a page on localhost is answered with 204 and the origin."""
    origin = "http://localhost:31337"
    headers = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    got = target.request("OPTIONS", "/api/chat", None, headers).answered
    allowed = got.header("Access-Control-Allow-Origin")
    return every((expect(got.status, 204, got), _allows(allowed, origin, got)))


@check(
    "core/cors-on-answers",
    SHOULD,
    group="core",
    source="docs/faq.md#origins",
    covers=("HTTP-013", "HTTP-022", "SEC-11"),
    breaks=(JS,),
)
def cors_on_answers(target: Target) -> Verdict:
    """Answers and errors to a page on localhost carry Access-Control-Allow-Origin."""
    origin = "http://localhost:31337"
    answers = (
        target.get(target.heartbeat, {"Origin": origin}),
        target.send("POST", "/api/chat", {"model": NOBODY}, Origin=origin),
    )
    return every(
        _allows(got.answered.header("Access-Control-Allow-Origin"), origin, got) for got in answers
    )


@check(
    "core/cors-foreign-refused",
    SHOULD,
    group="core",
    source="docs/faq.md#origins",
    covers=("HTTP-013", "SEC-07"),
)
def cors_foreign_refused(target: Target) -> Verdict:
    """A page of another site is refused with 403, or at least not allowed to read."""
    got = target.get(target.heartbeat, {"Origin": EVIL}).answered
    allowed = got.header("Access-Control-Allow-Origin")
    if allowed == "*":
        not_judged("its owner allows every origin")
    holds = got.status == 403 or allowed != EVIL
    return expect_that(holds, f"403, or no permission for {EVIL}", f"{got.status}, {allowed}")


@check(
    "core/foreign-host-refused",
    SHOULD,
    group="core",
    source="server/routes.go:allowedHostsMiddleware",
    covers=("HTTP-014", "SEC-03"),
)
def foreign_host_refused(target: Target) -> Verdict:
    """A foreign Host header is refused on every route: the guard against DNS rebinding."""
    evil = {"Host": "evil.example"}
    asked = [
        target.get(target.heartbeat, evil),
        target.request("POST", "/api/show", b"{}", evil),
        target.get("/api/tags", evil),
        target.get("/api/parallama-check-nothing", evil),
    ]
    found = [got.code for got in asked]
    if 403 not in found:
        requires_loopback(target)
    return expect(found, [403] * len(asked))


@check(
    "core/http-one-dot-zero", SHOULD, group="core", source="RFC 9112, 9.3", covers=("STREAM-002",)
)
def http_1_0(target: Target) -> Verdict:
    """An HTTP/1.0 client gets the same lines without chunks, ended by closing."""
    ask = {"model": target.model, **target.asked("greeting"), "options": target.options({})}
    request: Request = encoded("POST", "/api/chat", _json(ask), {})
    got = target.request("POST", "/api/chat", request.body, {}, version="1.0")
    return every((expect_that(got.framing != "chunked", "no chunks", got.framing), _reads(got)))


def _json(value: object) -> bytes:
    import json

    return json.dumps(value).encode()


def _reads(got: Exchange) -> Verdict:
    """Passed if it is a stream that ends with done."""
    return expect(read(got).final["done"], True, got)


def _allows(allowed: str | None, origin: str, got: Exchange) -> Verdict:
    return expect_that(allowed in (origin, "*"), f"allowed origin {origin}", allowed, got)

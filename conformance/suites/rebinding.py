"""Class safety, part two: which pages may ask (Origin), and by which name (Host)."""

from __future__ import annotations

from ..check import MUST, SHOULD, Verdict, check, every, expect, expect_that, not_judged
from ..clients import JS, OPEN_WEBUI
from ..evidence import Exchange
from ..target import Target

EVIL = "http://evil.example"
HOSTS = (
    "localhost", "LOCALHOST:1", "a.localhost", "mac.local", "x.internal:8", "127.0.0.1", "10.1.2.3",
    "172.16.0.1:99", "192.168.1.7", "[::1]:11434", "0.0.0.0",
)  # fmt: skip
FOREIGN_HOSTS = (
    "evil.example", "evil.example:11434", "8.8.8.8", "169.254.1.1", "localhost.evil.example",
    "evil-localhost", "127.0.0.1.evil.example", "locall", "[2001:4860::8888]:80",
)  # fmt: skip
ORIGINS = (
    "http://localhost", "https://localhost:3000", "http://127.0.0.1:5173", "https://127.0.0.1",
    "http://0.0.0.0:8", "app://obsidian.md", "file://", "tauri://localhost", "vscode-webview://abc",
    "vscode-file://vscode-app",
)  # fmt: skip
FOREIGN_ORIGINS = (EVIL, "http://localhost.evil.example", "http://evil.example:11434", "null")


def guarded(target: Target) -> None:
    """End the check where Host is not looked at: Ollama does not either, beyond loopback."""
    if target.get(target.heartbeat, {"Host": "evil.example"}).code != 403:
        not_judged("it may listen beyond loopback, where Ollama does not look at Host either")


def choosy(target: Target) -> None:
    """End the check where every origin is allowed."""
    got = target.get(target.heartbeat, {"Origin": EVIL})
    if got.answered.header("Access-Control-Allow-Origin") == "*":
        not_judged("its owner allows every origin")


@check(
    "safety/hosts-of-this-machine",
    MUST,
    group="safety",
    source="server/routes.go:allowedHost",
    covers=("SEC-03", "HTTP-014"),
    breaks=(OPEN_WEBUI,),
)
def hosts_of_this_machine(target: Target) -> Verdict:
    """Names and addresses of this machine and its network are accepted as Host, in any case."""
    for host in HOSTS:
        got = target.get(target.heartbeat, {"Host": host})
        if got.code != 200:
            return expect_that(False, f"Host {host} to be accepted", got.status, got)
    return expect(got.status, 200)


@check(
    "safety/foreign-hosts",
    MUST,
    group="safety",
    source="server/routes.go:allowedHost",
    covers=("SEC-03", "SEC-40", "HTTP-014"),
)
def foreign_hosts(target: Target) -> Verdict:
    """A server on loopback refuses any other Host with 403: the guard against DNS rebinding."""
    guarded(target)
    for host in FOREIGN_HOSTS:
        got = target.get(target.heartbeat, {"Host": host})
        if got.code not in (400, 403):
            return expect_that(False, f"Host {host} to be refused with 403", got.status, got)
    return expect(got.object if got.body else None, None, got)


@check(
    "safety/foreign-host-everywhere",
    MUST,
    group="safety",
    source="server/routes.go:allowedHostsMiddleware",
    covers=("SEC-04", "SEC-40"),
)
def foreign_host_everywhere(target: Target) -> Verdict:
    """The guard stands before every route, also those that are not there."""
    guarded(target)
    evil = {"Host": "evil.example"}
    asked = [
        target.get("/", evil),
        target.get("/api/tags", evil),
        target.get("/api/ps", evil),
        target.get("/api/chat", evil),
        target.request("POST", "/api/chat", b"{}", evil),
        target.request("POST", "/api/create", b"{}", evil),
        target.request("DELETE", "/api/delete", b"{}", evil),
        target.request("HEAD", "/", None, evil),
        target.request("OPTIONS", "/api/chat", None, evil),
        target.get("/api/parallama-check-nothing", evil),
    ]
    return every(expect((got.code, got.body), (403, b""), got) for got in asked)


@check(
    "safety/origins-allowed",
    SHOULD,
    group="safety",
    source="envconfig/config.go:AllowedOrigins",
    covers=("SEC-08", "SEC-11", "HTTP-013"),
    breaks=(JS,),
)
def origins_allowed(target: Target) -> Verdict:
    """Pages on localhost, and those of desktop programs, may read answers, and caches are told."""
    for origin in ORIGINS:
        got = target.get(target.heartbeat, {"Origin": origin})
        allowed, varies = (
            got.header("Access-Control-Allow-Origin"),
            (got.header("Vary") or "").lower(),
        )
        if got.code != 200 or not (allowed == "*" or (allowed == origin and "origin" in varies)):
            told = f"{got.status}, {allowed}, Vary: {got.header('Vary')}"
            return expect_that(False, f"200, {origin}, Vary: Origin", told, got)
    return expect(got.status, 200)


@check(
    "safety/foreign-origins",
    MUST,
    group="safety",
    source="gin-contrib/cors: applyCors",
    covers=("SEC-07", "SEC-15", "SEC-40", "HTTP-013"),
)
def foreign_origins(target: Target) -> Verdict:
    """A page of another site, or of none, may neither read answers nor send with a preflight."""
    choosy(target)
    for origin in FOREIGN_ORIGINS:
        asked = [
            target.get("/api/tags", {"Origin": origin}),
            target.request("POST", "/api/show", b"{}", {"Origin": origin}),
            target.request("OPTIONS", "/api/chat", None, _preflight(origin)),
        ]
        for got in asked:
            allowed = got.answered.header("Access-Control-Allow-Origin")
            if allowed in (origin, "*"):
                return expect_that(
                    False, f"no permission for {origin}", f"{got.status}, {allowed}", got
                )
    return expect(asked[0].answered.error, None)


@check(
    "safety/foreign-origins-refused",
    SHOULD,
    group="safety",
    source="gin-contrib/cors: applyCors",
    covers=("SEC-07", "SEC-15"),
)
def foreign_origins_refused(target: Target) -> Verdict:
    """What a page of another site asks is not done: 403 without a body, for every method."""
    choosy(target)
    asked = [
        target.request(method, path, body, {"Origin": origin})
        for origin in FOREIGN_ORIGINS
        for method, path, body in (
            ("GET", target.heartbeat, None),
            ("POST", "/api/generate", b"{}"),
            ("DELETE", "/api/delete", b"{}"),
            ("OPTIONS", "/api/chat", None),
        )
    ]
    return every(expect((got.code, got.body), (403, b""), got) for got in asked)


@check(
    "safety/own-origin",
    SHOULD,
    group="safety",
    source="gin-contrib/cors: applyCors",
    covers=("SEC-07",),
)
def own_origin(target: Target) -> Verdict:
    """A page of the server's own address is no other site: it is answered."""
    origin = f"{target.address.scheme}://{target.address.authority}"
    got = target.get(target.heartbeat, {"Origin": origin})
    return expect(got.code, 200, got)


def _preflight(origin: str) -> dict[str, str]:
    wanted = {"Method": "POST", "Headers": "content-type"}
    asked = {f"Access-Control-Request-{name}": value for name, value in wanted.items()}
    return {"Origin": origin, **asked}


def _listed(got: Exchange, name: str) -> set[str]:
    return {one.strip().lower() for one in (got.header(name) or "").split(",") if one.strip()}


@check(
    "safety/preflight",
    SHOULD,
    group="safety",
    source="server/routes.go:GenerateRoutes",
    covers=("SEC-10", "HTTP-013"),
    breaks=(JS,),
)
def preflight(target: Target) -> Verdict:
    """A preflight is granted on any path: methods, headers, and no credentials; without a body."""
    origin = "http://localhost:31337"
    for path in ("/api/chat", "/api/delete", "/api/parallama-check-nothing"):
        got = target.request("OPTIONS", path, None, _preflight(origin))
        methods, headers = (
            _listed(got, f"Access-Control-Allow-{one}") for one in ("Methods", "Headers")
        )
        granted = got.code == 204 and not got.body
        granted = granted and got.header("Access-Control-Allow-Origin") in (origin, "*")
        granted = granted and (methods >= {"get", "post", "delete"} or "*" in methods)
        granted = granted and (headers >= {"content-type", "authorization"} or "*" in headers)
        if not granted or got.header("Access-Control-Allow-Credentials") == "true":
            return expect_that(
                False, "204 with methods and headers", [got.status, got.headers], got
            )
    return expect(got.body, b"")

"""Class safety, part two: which pages may ask (Origin), and by which name (Host)."""

from __future__ import annotations

from ..check import MUST, SHOULD, Verdict, check, expect, expect_that, not_judged
from ..clients import JS, OPEN_WEBUI
from ..evidence import Exchange
from ..listening import alone_on_loopback
from ..target import Target

EVIL = "http://evil.example"
BLOB = f"/api/blobs/sha256:{'e' * 64}"
HOSTS = (
    "localhost", "LOCALHOST:1", "a.localhost", "mac.local", "x.internal:8", "127.0.0.1", "10.1.2.3",
    "172.16.0.1:99", "192.168.1.7", "[::1]:11434", "0.0.0.0", "",
)  # fmt: skip
FOREIGN_HOSTS = (
    "evil.example", "evil.example:11434", "8.8.8.8", "169.254.1.1", "localhost.evil.example",
    "evil-localhost", "127.0.0.1.evil.example", "locall", "[2001:4860::8888]:80",
    "evillocal", "evilinternal", "a.internal.evil.example", "10.0.0.1.evil.example",
    "172.15.0.1", "172.32.0.1", "192.169.0.1:80", "11.0.0.1", "localhost.", "localhost.:11434",
    "a.local.evil.example", "2130706433", "0x7f.1",
)  # fmt: skip
FORWARDED = (
    ("X-Forwarded-Host", "localhost"), ("Forwarded", "host=localhost"), ("X-Host", "localhost"),
    ("X-Original-Host", "127.0.0.1"), ("Origin", "http://evil.example"),
    ("Referer", "http://localhost/"),
)  # fmt: skip
ORIGINS = (
    "http://localhost", "https://localhost:3000", "http://127.0.0.1:5173", "https://127.0.0.1",
    "http://0.0.0.0:8", "app://obsidian.md", "file://", "tauri://localhost", "vscode-webview://abc",
    "vscode-file://vscode-app",
)  # fmt: skip
FOREIGN_ORIGINS = (
    EVIL, "https://evil.example", "http://localhost.evil.example", "http://evil.example:11434",
    "http://evillocalhost", "https://127.0.0.1.evil.example", "http://0.0.0.0.evil.example", "null",
    "http://192.168.1.7:3000", "http://10.0.0.1", "http://a.localhost:3000", "http://[::1]:3000",
    "http://127.0.0.2:3000",
)  # fmt: skip
ROUTES = (
    ("GET", "/"), ("HEAD", "/"), ("GET", "/api/version"), ("GET", "/api/tags"), ("GET", "/api/ps"),
    ("POST", "/api/generate"), ("POST", "/api/chat"), ("POST", "/api/embed"),
    ("POST", "/api/embeddings"), ("POST", "/api/show"), ("POST", "/api/create"),
    ("POST", "/api/copy"), ("POST", "/api/pull"), ("POST", "/api/push"), ("DELETE", "/api/delete"),
    ("HEAD", BLOB), ("POST", BLOB), ("POST", "/v1/chat/completions"), ("GET", "/v1/models"),
    ("GET", "/api/chat"), ("OPTIONS", "/api/chat"), ("GET", "/api/parallama-check-nothing"),
    ("GET", "/parallama-check-nothing"), ("POST", "/v1/parallama-check-nothing"),
)  # fmt: skip
SENT = {"content-type", "accept", "x-requested-with", "openai-beta", "x-stainless-os"}
VARIES = {"origin", "access-control-request-method", "access-control-request-headers"}
BRIEFLY = (
    ("GET", "/api/version"), ("POST", "/api/generate"), ("DELETE", "/api/delete"),
    ("OPTIONS", "/api/chat"),
)  # fmt: skip


def guarded(target: Target) -> None:
    """End the check where Host is not looked at: Ollama does not either, beyond loopback.

    Where a server listens on loopback and nowhere else Ollama does, and so is judged.
    """
    if target.get(target.heartbeat, {"Host": "evil.example"}).code != 403:
        requires_loopback(target)


def requires_loopback(target: Target) -> None:
    """End the check where a server may listen beyond loopback."""
    if not alone_on_loopback(target.address):
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
    """A server on loopback refuses any other Host with 403: the guard against DNS rebinding.

    A page can send what header it likes once its name leads here: none of them says who is asked.
    """
    guarded(target)
    asked = [{"Host": host} for host in FOREIGN_HOSTS]
    asked += [{"Host": "evil.example", name: value} for name, value in FORWARDED]
    for headers in asked:
        got = target.get(target.heartbeat, headers)
        if got.code not in (400, 403):
            return expect_that(False, f"{headers} to be refused with 403", got.status, got)
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
    for method, path in ROUTES:
        got = target.request(method, path, b"{}" if method in ("POST", "DELETE") else None, evil)
        if (got.code, got.body) != (403, b""):
            told = f"{got.status} {got.loose_text[:80]}"
            return expect_that(False, f"{method} {path}: 403 without a body", told, got)
    return expect(got.code, 403)


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
    for origin in FOREIGN_ORIGINS:
        for method, path in ROUTES if origin == EVIL else BRIEFLY:
            body = b"{}" if method in ("POST", "DELETE") else None
            got = target.request(method, path, body, {"Origin": origin})
            if (got.code, got.body) != (403, b""):
                told = f"{got.status} {got.loose_text[:80]}"
                what = f"{method} {path} from {origin}: 403 without a body"
                return expect_that(False, what, told, got)
    return expect(got.code, 403)


@check(
    "safety/own-origin",
    SHOULD,
    group="safety",
    source="gin-contrib/cors: applyCors",
    covers=("SEC-07",),
)
def own_origin(target: Target) -> Verdict:
    """A page of the server's own address, by any of its names, is no other site: it is answered."""
    scheme = target.address.scheme
    for host in (target.address.authority, "a.localhost:8080", "mac.local", "192.168.1.7:11434"):
        headers = {"Host": host, "Origin": f"{scheme}://{host}"}
        got = target.get(target.heartbeat, headers)
        if got.code != 200:
            return expect(got.code, 200, got)
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
    """A preflight is granted on any path: methods, headers, and no credentials; without a body.

    Browsers do not read `*` as Authorization; SDKs in pages send it, and headers of their own.
    """
    origin = "http://localhost:31337"
    usual = target.get(target.heartbeat, {"Origin": origin})
    allowed = "*" if usual.header("Access-Control-Allow-Origin") == "*" else origin
    for path in ("/api/chat", "/api/delete", "/api/parallama-check-nothing"):
        for headers in (_preflight(origin), {"Origin": origin}):
            got = target.request("OPTIONS", path, None, headers)
            lacking = _lacking(got, allowed)
            if lacking:
                return expect_that(False, f"{path}: 204 with what a page needs", lacking, got)
    return expect(got.body, b"")


def _names(got: Exchange, origin: str) -> bool:
    """Whether an answer to a preflight is for this origin alone, or for all, as others are."""
    varies = origin == "*" or _listed(got, "Vary") >= VARIES
    return got.header("Access-Control-Allow-Origin") == origin and varies


def _lacking(got: Exchange, origin: str) -> list[str]:
    """What an answer to a preflight lacks, or has too much."""
    methods, headers = (
        _listed(got, f"Access-Control-Allow-{one}") for one in ("Methods", "Headers")
    )
    age = (got.header("Access-Control-Max-Age") or "0").strip()
    holds = {
        f"204, not {got.status}": got.code == 204,
        "no body": not got.body,
        f"Allow-Origin: {origin}, Vary: Origin, ...-Method, ...-Headers": _names(got, origin),
        "Allow-Methods: GET, POST, DELETE": methods >= {"get", "post", "delete"} or "*" in methods,
        "Allow-Headers: Authorization": "authorization" in headers,
        f"Allow-Headers: {', '.join(sorted(SENT))}": headers >= SENT or "*" in headers,
        "Max-Age: 43200": age == "43200",
        "no Allow-Credentials": got.header("Access-Control-Allow-Credentials") != "true",
    }
    return [what for what, one in holds.items() if not one]

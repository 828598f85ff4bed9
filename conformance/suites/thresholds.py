"""Class core, part ten: what every route does before and after its own work, kind by kind.

Bodies that say nothing, paths that are nearly right, connections, and what pages may read.
"""

from __future__ import annotations

import hashlib
import json
import secrets

from ..check import MUST, PASSED, SHOULD, Verdict, check, expect, expect_that
from ..clients import GO, JS, PYTHON
from ..evidence import Exchange, Json
from ..provision import upload
from ..script import weights
from ..target import NOBODY, Target, encoded
from .busy import offered
from .create import GGUF
from .manage import tagged
from .rebinding import BLOB, EVIL, choosy
from .routes import answered, readers

PAGE = "http://localhost:31337"
NEARLY = (
    ("GET", "/API/tags"), ("GET", "/api/Tags"), ("GET", "/api/tags/x"), ("GET", "/api/tags.json"),
    ("GET", "/api/version/1"), ("POST", "/api/Chat"), ("POST", "/api/chat/completions"),
    ("POST", "/api/generate/x"), ("POST", "/api/show/x"), ("GET", "/api"), ("POST", "/api/models"),
)  # fmt: skip
SIMPLE = ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "")
ENCODINGS = ("gzip", "br", "zstd, deflate")


@check(
    "routes/bodies-of-little",
    SHOULD,
    group="core",
    source="gin: binding/json.go:decodeJSON",
    covers=("HTTP-08", "HTTP-23", "REQ-001", "REQ-006", "REQ-013"),
    breaks=(GO,),
)
def bodies_of_little(target: Target) -> Verdict:
    """On every route blanks are no body, null is {}, a BOM is no JSON, the last of keys counts."""
    for path, (method, body) in readers(target).items():
        bare = answered(target.request(method, path, b"{}"))
        key, value = next(iter(json.loads(body).items()))
        twice = f"{{{json.dumps(key)}: {{}}, {body.decode()[1:]}".encode()
        wanted: dict[bytes, object] = {
            b"": (400, "missing request body"),
            b" \n\t ": (400, "missing request body"),
            b"null": bare,
            b"\xef\xbb\xbf" + body: 400,
        }
        if isinstance(value, str):  # a wrong type is wrong wherever it stands, for a text as well
            wanted[twice.replace(b"{}", b'"a b"', 1)] = answered(target.request(method, path, body))
        for sent, one in wanted.items():
            got = target.request(method, path, sent)
            found = answered(got)
            if found != one and found[0] != one:
                return expect_that(False, f"{method} {path} of {sent!r}: {one}", found, got)
    return PASSED


@check(
    "routes/encodings-are-ignored",
    SHOULD,
    group="core",
    source="server/routes.go",
    covers=("HTTP-25",),
    breaks=(GO,),
)
def encodings_are_ignored(target: Target) -> Verdict:
    """What a request says of its Content-Encoding is not looked at; answers come unpacked."""
    for n, (path, (method, body)) in enumerate(readers(target).items()):
        usual = answered(target.request(method, path, body))
        given = {"Content-Encoding": ENCODINGS[n % len(ENCODINGS)]}
        got = target.request(method, path, body, given)
        if answered(got) != usual:
            return expect_that(False, f"{path}, {given}: {usual}", answered(got), got)
    got = target.get("/api/tags")
    return expect(got.ok.header("Content-Encoding"), None, got)


@check(
    "routes/paths-to-the-letter",
    MUST,
    group="core",
    source="server/routes.go:GenerateRoutes",
    covers=("HTTP-02", "HTTP-007"),
    breaks=(GO, JS),
)
def paths_to_the_letter(target: Target) -> Verdict:
    """A path in other letters, or one that goes on, is no route: 404 as of any unknown path."""
    for method, path in NEARLY:
        got = target.request(method, path, b"{}" if method == "POST" else None)
        if got.code != 404 or got.media_type == "application/json":
            told = f"{got.status} {got.media_type}: {got.loose_text[:80]}"
            return expect_that(False, f"{method} {path}: 404, no JSON", told, got)
    return PASSED


@check(
    "routes/trace-is-no-method",
    MUST,
    group="core",
    source="server/routes.go:GenerateRoutes",
    covers=("HTTP-03", "HTTP-26"),
)
def trace_is_no_method(target: Target) -> Verdict:
    """TRACE, which tells a page what others added to its request, is 405 as PUT is."""
    asked = [target.request("TRACE", path) for path in ("/api/tags", "/api/chat", "/")]
    bad = [got for got in asked if got.code not in (400, 405, 501)]
    return expect_that(not bad, "405", bad[0].status if bad else 405, bad[0] if bad else None)


@check(
    "routes/connections-outlive-answers",
    MUST,
    group="create",
    source="RFC 9112, 9.3",
    covers=("HTTP-24", "HTTP-019", "BLOB-03"),
    breaks=(GO, JS, PYTHON),
)
def connections_outlive_answers(target: Target) -> Verdict:
    """One connection serves on after HEAD, after a blob, a stream, an empty answer, and a 405."""
    offered(target, "create")
    name, content = target.temporary("outlives"), secrets.token_bytes(40)
    digest = hashlib.sha256(content).hexdigest()
    making = {"model": name, "files": upload(target, {GGUF: weights()})}
    copy = {"source": target.model, "destination": name}
    asks: list[tuple[str, str, bytes | None, int]] = [
        ("HEAD", "/api/tags", None, 200),
        ("HEAD", BLOB, None, 404),
        ("POST", f"/api/blobs/sha256:{digest}", content, 201),
        ("POST", "/api/create", _json(making), 200),
        ("POST", "/api/copy", _json(copy), 200),
        ("POST", "/api/show", _json({"model": name, "verbose": True}), 200),
        ("DELETE", "/api/delete", _json({"model": name}), 200),
        ("DELETE", "/api/delete", _json({"model": NOBODY}), 404),
        ("PUT", "/api/tags", b"{}", 405),
        ("HEAD", "/", None, 200),
        ("GET", target.heartbeat, None, 200),
    ]
    with target.connect() as connection:
        for method, path, body, status in asks:
            request = encoded(method, path, body, {"Connection": "keep-alive"})
            got = connection.exchange(request)
            target.exchanges.append(got)
            if got.error or got.tail or got.status != status:
                told = f"{method} {path}: {got.error or got.tail or got.status!r}"
                return expect_that(False, f"{len(asks)} answers on one connection", told, got)
    return PASSED


def _json(fields: dict[str, Json]) -> bytes:
    return json.dumps(fields).encode()


@check(
    "safety/pages-read-every-answer",
    SHOULD,
    group="safety",
    source="gin-contrib/cors: applyCors",
    covers=("SEC-11", "HTTP-022", "HTTP-013"),
    breaks=(JS,),
)
def pages_read_every_answer(target: Target) -> Verdict:
    """An allowed page may read answers of every kind: empty, streamed, refused, not there, HEAD."""
    choosy(target)
    for got in _every_kind(target, {"Origin": PAGE}):
        told = (got.header("Access-Control-Allow-Origin"), (got.header("Vary") or "").lower())
        if told[0] != PAGE or "origin" not in told[1]:
            asked = f"{got.request.method} {got.request.path}, {got.status}"
            return expect_that(False, f"{asked}: Allow-Origin {PAGE}, Vary: Origin", told, got)
    return PASSED


@check(
    "safety/own-page-needs-no-permission",
    SHOULD,
    group="safety",
    source="gin-contrib/cors: applyCors",
    covers=("SEC-07", "HTTP-013"),
)
def own_page_needs_no_permission(target: Target) -> Verdict:
    """What has no Origin, or one's own, is no page of another site: no answer speaks of CORS."""
    choosy(target)
    own = f"{target.address.scheme}://{target.address.authority}"
    for headers in ({"Origin": own}, {}):
        for got in _every_kind(target, headers):
            told = got.header("Access-Control-Allow-Origin")
            if told is not None:
                asked = f"{got.request.method} {got.request.path} with {headers}"
                return expect_that(False, f"{asked}: no Access-Control-Allow-Origin", told, got)
    return PASSED


def _every_kind(target: Target, headers: dict[str, str]) -> list[Exchange]:
    """Answers of every kind, each to a request with these headers."""
    asks: list[tuple[str, str, bytes | None]] = [
        ("GET", "/", None), ("HEAD", "/", None), ("HEAD", "/api/tags", None),
        ("GET", "/api/ps", None), ("GET", "/api/parallama-check-nothing", None),
        ("PUT", "/api/tags", b"{}"), ("POST", "/api/show", b"{"),
        ("POST", "/api/show", _json({"model": NOBODY})), ("HEAD", BLOB, None),
    ]  # fmt: skip
    made = target.setup.provision
    if made is not None and made.created:
        name, content = target.temporary("read-by-pages"), secrets.token_bytes(40)
        digest = hashlib.sha256(content).hexdigest()
        asks += [
            ("POST", f"/api/blobs/sha256:{digest}", content),
            ("POST", "/api/create", _json({"model": name, "from": target.plain})),
            ("POST", "/api/copy", _json({"source": name, "destination": tagged(name)})),
            ("DELETE", "/api/delete", _json({"model": name})),
        ]
    return [target.request(method, path, body, headers).answered for method, path, body in asks]


@check(
    "safety/simple-requests-refused",
    MUST,
    group="safety",
    source="gin-contrib/cors: applyCors",
    covers=("SEC-07", "SEC-40", "HTTP-09"),
    breaks=(),
)
def simple_requests_refused(target: Target) -> Verdict:
    """What a page of another site can send without a preflight is not done either: 403."""
    choosy(target)
    for path, (method, body) in readers(target).items():
        for kind in SIMPLE if method == "POST" else ():
            got = target.request(method, path, body, {"Origin": EVIL, "Content-Type": kind})
            if got.code != 403:
                what = f"{path} as {kind or 'no type'} from {EVIL}: 403"
                return expect_that(False, what, f"{got.status} {got.loose_text[:80]}", got)
    return PASSED

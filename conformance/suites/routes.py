"""Class core, part nine: which routes there are, which there are not any more, and how they read.

What holds of chat and generate holds of every route; proxies often do it for those two only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from ..check import MUST, PASSED, SHOULD, Verdict, check, every, expect, expect_that
from ..clients import GO, JS, PYTHON, SDKS
from ..evidence import Exchange, Json, Wrong
from ..target import NOBODY, Target

ASKED = ("/api/generate", "/api/chat", "/api/embed", "/api/embeddings")
GONE = (
    ("GET", "/api/usage"),
    ("GET", "/api/logs"),
    ("GET", f"/api/blobs/sha256:{'0' * 64}"),
    ("DELETE", f"/api/blobs/sha256:{'0' * 64}"),
    ("PUT", "/api/logs"),
)
SOURCES = ("none", "env", "config", "both")


@check(
    "routes/of-inference",
    MUST,
    group="core",
    source="server/routes.go:GenerateRoutes",
    covers=("OTHER-01",),
    breaks=SDKS,
)
def of_inference(target: Target) -> Verdict:
    """POST to generate, chat, embed and embeddings, and GET of ps, are routes: JSON answers."""
    asked = [target.post(path, {}) for path in ASKED if not _absent(target, path)]
    for got in (*asked, target.get("/api/ps")):
        wanted = (200,) if got.request.method == "GET" else (400, 404)
        if got.code not in wanted or got.media_type != "application/json":
            told = f"{got.status} {got.media_type}: {got.loose_text[:80]}"
            return expect_that(False, f"JSON, status {wanted}", told, got)
        _ = got.object
    return PASSED


def _absent(target: Target, path: str) -> bool:
    return "embeddings" in target.setup.absent and "embed" in path


@check(
    "routes/gone",
    MUST,
    group="core",
    source="server/routes.go:GenerateRoutes",
    covers=("OTHER-09", "SEC-16"),
    breaks=(GO,),
)
def gone(target: Target) -> Verdict:
    """Blobs cannot be fetched or deleted, and there is no usage and no log to read."""
    for method, path in GONE:
        got = target.request(method, path)
        if got.code not in (403, 404, 405, 501):
            return expect_that(False, "404 or 405", f"{method} {path}: {got.status}", got)
    return PASSED


@check(
    "routes/status",
    SHOULD,
    group="core",
    source="server/routes.go:StatusHandler",
    covers=("OTHER-03", "CLOUD-005"),
    breaks=(GO,),
)
def status(target: Target) -> Verdict:
    """/api/status says whether the cloud is disabled, and by what; or there is no such route."""
    got = target.get("/api/status")
    if target.setup.calibration.absent(got) or got.code == 404:
        return PASSED
    cloud = got.ok.object["cloud"]
    if not isinstance(cloud, dict):
        raise Wrong("`cloud` to be an object", cloud)
    told = [cloud["disabled"], cloud["source"]]
    holds = isinstance(told[0], bool) and told[1] in SOURCES
    return expect_that(holds, "disabled: a truth value; source: none, env, config, both", told, got)


READERS: Mapping[str, tuple[str, str, dict[str, Json]]] = {  # class, method, what leads nowhere
    "/api/show": ("manage", "POST", {"model": NOBODY}),
    "/api/copy": ("manage", "POST", {"source": NOBODY, "destination": f"{NOBODY}-2"}),
    "/api/delete": ("manage", "DELETE", {"model": NOBODY}),
    "/api/create": ("create", "POST", {"model": NOBODY}),
    "/api/embed": ("embeddings", "POST", {"model": NOBODY, "input": "a"}),
    "/api/embeddings": ("embeddings", "POST", {"model": NOBODY, "prompt": "a"}),
    "/api/pull": ("transfer", "POST", {"model": "a b"}),
    "/api/push": ("transfer", "POST", {"insecure": True}),
}
TOLD = ("/api/tags", "/api/ps", "/api/version")
KINDS = ("", "text/plain", "application/x-www-form-urlencoded", "application/octet-stream")


def readers(target: Target) -> dict[str, tuple[str, bytes]]:
    """The routes that read JSON and are there: method, and a body that is answered with 4xx."""
    return {
        path: (method, json.dumps(fields).encode())
        for path, (group, method, fields) in READERS.items()
        if group not in target.setup.absent
    }


def answered(got: Exchange) -> tuple[int, str]:
    """Status and text of an error."""
    return got.code, got.error_text


@check(
    "routes/bodies-are-read-alike",
    MUST,
    group="core",
    source="server/routes.go",
    covers=("HTTP-06", "HTTP-24", "HTTP-009", "HTTP-020", "REQ-003"),
    breaks=SDKS,
)
def bodies_are_read_alike(target: Target) -> Verdict:
    """Every route reads its body whatever its type is, in chunks too, with fields it knows not."""
    for path, (method, body) in readers(target).items():
        usual = answered(target.request(method, path, body, {"Content-Type": "application/json"}))
        chunks = b"".join(b"%x\r\n%b\r\n" % (len(one), one) for one in (body[:5], body[5:]))
        more = json.dumps({**json.loads(body), "parallama": [{}]}).encode()
        asked = {kind or "no type": (body, {"Content-Type": kind}) for kind in KINDS}
        asked["in chunks"] = (chunks + b"0\r\n\r\n", {"Transfer-Encoding": "chunked"})
        asked["a field more"] = (more, {"Content-Type": "application/json"})
        for what, (sent, headers) in asked.items():
            got = target.request(method, path, sent, headers)
            if (found := answered(got)) != usual:
                return expect_that(False, f"{path}, {what}: {usual}, as ever", found, got)
    return PASSED


@check(
    "routes/errors-are-alike",
    MUST,
    group="core",
    source="server/routes.go",
    covers=("HTTP-08", "HTTP-09", "HTTP-011", "HTTP-012"),
    breaks=(JS, PYTHON, GO),
)
def errors_are_alike(target: Target) -> Verdict:
    """On every route no body, half a one, no object, or a wrong type is 400, JSON: `error` only."""
    for path, (method, body) in readers(target).items():
        wrong = {key: [5] for key in json.loads(body)}
        for sent in (b"", b"{", b"[]", json.dumps({**wrong, "stream": "no"}).encode()):
            got = target.request(method, path, sent, {"Content-Type": "application/json"})
            found = (got.code, got.media_type, list(got.object))
            if found != (400, "application/json", ["error"]) or not got.error_text:
                told = f"{found}: {got.loose_text[:100]}"
                return expect_that(False, f"{path} of {sent[:40]!r}: 400, JSON, error", told, got)
            if not sent and got.error_text != "missing request body":
                return expect_that(False, f"{path}: missing request body", got.error_text, got)
    return PASSED


@check(
    "routes/queries-are-ignored",
    SHOULD,
    group="core",
    source="server/routes.go",
    covers=("HTTP-25", "HTTP-021"),
    breaks=(GO,),
)
def queries_are_ignored(target: Target) -> Verdict:
    """A query changes nothing on any route: neither what is asked, nor that it is found."""
    query = f"?model={target.setup.model or NOBODY}&name=x&stream=false"
    for path, (method, body) in readers(target).items():
        usual = answered(target.request(method, path, body))
        got = target.request(method, f"{path}{query}", body)
        if answered(got) != usual:
            return expect_that(False, f"{path}{query}: {usual}", answered(got), got)
    return every(expect((got := target.get(f"{one}{query}")).code, 200, got) for one in TOLD)


@check(
    "routes/methods-are-kept",
    MUST,
    group="core",
    source="server/routes.go:GenerateRoutes",
    covers=("HTTP-03", "HTTP-04", "HTTP-19", "HTTP-006"),
    breaks=(GO,),
)
def methods_are_kept(target: Target) -> Verdict:
    """A route is of one method: another is 405, with Allow; nothing is deleted by POST or GET."""
    routes = {path: method for path, (method, _) in readers(target).items()} | dict.fromkeys(
        TOLD, "GET"
    )
    for path, method in routes.items():
        for other in ("GET", "POST", "PUT", "DELETE", "PATCH"):
            if other == method:
                continue
            got = target.request(other, path, b"{}" if other != "GET" else None)
            allowed = {one.strip() for one in (got.answered.header("Allow") or "").split(",")}
            if got.status != 405 or method not in allowed or other in allowed:
                told = f"{got.status}, Allow: {got.header('Allow')}"
                return expect_that(False, f"{other} {path}: 405, Allow: {method}", told, got)
    return PASSED

"""Class core, part nine: which routes there are, and which there are not any more."""

from __future__ import annotations

from ..check import MUST, PASSED, SHOULD, Verdict, check, expect_that
from ..clients import GO, SDKS
from ..evidence import Wrong
from ..target import Target

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

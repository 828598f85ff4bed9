"""Class core: what is told of the server and of its list, and nothing beside it."""

from __future__ import annotations

from ..check import SHOULD, Verdict, check, expect
from ..target import Target


@check(
    "http/told-alone",
    SHOULD,
    group="core",
    source="server/routes.go:GenerateRoutes",
    covers=("HTTP-003",),
)
def version_alone(target: Target) -> Verdict:
    """GET /api/version tells the version and nothing else."""
    return expect(sorted(target.get("/api/version").ok.object), ["version"])


@check(
    "http/head-of-the-list",
    SHOULD,
    group="manage",
    source="RFC 9110, 9.3.2",
    covers=("HTTP-25", "HTTP-19"),
)
def head_of_the_list(target: Target) -> Verdict:
    """HEAD /api/tags has the media type of GET, no body, and the length, where it tells one."""
    for _ in range(5):  # others may make models meanwhile
        before, head, after = (
            target.request(how, "/api/tags").ok for how in ("GET", "HEAD", "GET")
        )
        if before.body == after.body:
            break
    told = [head.media_type, head.body, head.header("Content-Length")]
    wanted = [after.media_type, b"", told[2] and str(len(after.body))]
    return expect(told, wanted, head)

"""Class lifecycle, part six: what loads a model, and what a deleted one still does."""

from __future__ import annotations

from ..check import MUST, SHOULD, Verdict, check, expect, expect_that, not_judged
from ..clients import GO, OPEN_WEBUI
from ..extra import embedder
from ..target import Target
from .lifecycle import listed, unload
from .manage import tagged
from .residency import running


@check(
    "embeddings/deleted-is-gone",
    MUST,
    group="embeddings",
    source="server/routes.go:EmbedHandler",
    covers=("NAME-008", "DELETE-07", "ERR-010"),
    breaks=(OPEN_WEBUI,),
)
def deleted_is_gone(target: Target) -> Verdict:
    """A model that is deleted embeds no more, be it loaded still: 404, on both routes."""
    name = target.temporary("embeds-no-more")
    _ = target.post("/api/copy", source=embedder(target), destination=name).ok
    asks = (("/api/embed", {"input": "a"}), ("/api/embeddings", {"prompt": "a"}))
    before = [target.post(path, {"model": name, **said}).code for path, said in asks]
    _ = target.delete("/api/delete", model=name).ok
    after = [target.post(path, {"model": name, **said}).code for path, said in asks]
    return expect([before, after], [[200, 200], [404, 404]])


@check(
    "lifecycle/only-work-loads",
    SHOULD,
    group="lifecycle",
    source="server/routes.go",
    covers=("PS-01", "LIFE-001", "ERR-050", "ERR-051"),
    breaks=(GO, OPEN_WEBUI),
    alone=True,
)
def only_work_loads(target: Target) -> Verdict:
    """What is listed, shown, copied or refused is not loaded for that; nor is its copy."""
    name = target.temporary("not-loaded")
    unload(target)
    _ = target.post("/api/show", model=target.model, verbose=True).ok
    _ = target.get("/api/tags").ok
    _ = target.post("/api/copy", source=target.model, destination=name).ok
    _ = target.post("/api/show", model=name).ok
    refused = (
        target.generate(top_logprobs=21, logprobs=True),
        target.generate(raw=True, system="x"),
        target.chat(messages="Hello"),
        target.chat(keep_alive="soon"),
    )
    codes = [got.code for got in refused]
    if min(codes) < 400:
        not_judged("it answers what is to be refused, and has to load for that")
    loaded = {tagged(target.model), tagged(name)} & set(running(target)) or listed(target)
    return expect_that(not loaded, "neither of them in /api/ps", loaded)

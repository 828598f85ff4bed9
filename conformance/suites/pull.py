"""Class transfer: a model is pulled from a registry, told as it goes, and is then as any other."""

from __future__ import annotations

from typing import Any

from ..check import MUST, SHOULD, Verdict, check, every, expect, expect_error, expect_that
from ..clients import CONTINUE, GO, JS, LANGCHAIN_JS, OPEN_WEBUI, SDKS
from ..evidence import Exchange
from ..registry.stock import digest_of, parameters_of, scripted
from ..target import Target
from ._depot import PULL, count, depot, progress, statuses, succeeded
from .create import says
from .manage import models, tagged

PULLERS = (*SDKS, OPEN_WEBUI, CONTINUE, LANGCHAIN_JS)
FRAME = ["pulling manifest", "verifying sha256 digest", "writing manifest", "success"]
GENERAL = ("general.architecture", "general.file_type", "general.parameter_count")
BRIEF_S = 0.15  # long enough to be told
SLOW_S = 0.4  # that the weights take where progress has to be seen


def short(digest: str) -> str:
    """What a status calls a blob: the first twelve hexadecimal digits."""
    return digest.removeprefix("sha256:")[:12]


@check(
    "pull/stream",
    MUST,
    group="transfer",
    source="docs/api.md#pull-a-model",
    covers=("PULL-02", "PULL-10", "HTTP-11", "CLIENT-JS-OLL-02"),
    breaks=PULLERS,
)
def pull_stream(target: Target) -> Verdict:
    """Pulling streams NDJSON: records with a `status`; `pulling manifest` first, `success` last."""
    with depot(target) as shop:
        got = shop.pull(shop.offer("streamed"))
        found = statuses(succeeded(got))
        kinds = (got.media_type, got.framing)
        return every(
            (
                expect(kinds, ("application/x-ndjson", "chunked"), got),
                expect([found[0], found[-1]], ["pulling manifest", "success"], got),
                expect([one.get("status") for one in got.records].count("success"), 1, got),
            )
        )


@check(
    "pull/order",
    MUST,
    group="transfer",
    source="server/images.go:PullModel",
    covers=("PULL-05", "PULL-07", "PULL-10"),
    breaks=(GO, OPEN_WEBUI),
)
def pull_order(target: Target) -> Verdict:
    """Manifest, blobs as the manifest has them and config last, verification, writing, success."""
    with depot(target) as shop:
        package = scripted(shop.mark)
        shop.behave(seconds=BRIEF_S)
        found = statuses(shop.pulled(shop.offer("ordered", package)))
        blobs = [f"pulling {short(layer.digest)}" for layer in package.blobs]
        seen = [one for one in found if one in blobs]
        return every(
            (
                expect([one for one in found if one not in blobs], FRAME),
                expect(seen, [one for one in blobs if one in seen]),
                expect(found[1 : len(seen) + 1], seen),
            )
        )


@check(
    "pull/progress",
    MUST,
    group="transfer",
    source="docs/api.md#pull-a-model",
    covers=("PULL-05", "CLIENT-CONT-07"),
    breaks=PULLERS,
)
def pull_progress(target: Target) -> Verdict:
    """While a blob comes, records tell its digest, its size as `total`, and a growing `completed`.

    A blob that is here within a moment may go untold, so this one is made to take some.
    """
    with depot(target) as shop:
        package = scripted(shop.mark)
        shop.behave(seconds=SLOW_S)
        got = shop.pulled(shop.offer("told", package))
        digest, size = package.weights.digest, len(package.weights.content)
        told = progress(got, digest)
        done = [count(one, "completed") for one in told]
        named = {(one["status"], count(one, "total")) for one in told}
        return every(
            (
                expect(named, {(f"pulling {short(digest)}", size)}, got),
                expect_that(done == sorted(done), "`completed` never to fall", done, got),
                expect_that(
                    all(one <= size for one in done), f"`completed` of at most {size}", done, got
                ),
                expect_that(
                    any(0 < one < size for one in done), "a `completed` on the way", done, got
                ),
            )
        )


@check(
    "pull/progress-is-told-as-made",
    SHOULD,
    group="transfer",
    source="server/download.go:Wait",
    covers=("PULL-06", "CLIENT-CONT-07"),
    breaks=(GO, OPEN_WEBUI, CONTINUE),
    race=True,
)
def told_as_made(target: Target) -> Verdict:
    """Progress is told several times a second, and when it is made: the stream is not held back."""
    with depot(target) as shop:
        package = scripted(shop.mark)
        shop.behave(seconds=SLOW_S)
        got = shop.pulled(shop.offer("paced", package))
        about = [one.get("digest") == package.weights.digest for one in got.records]
        times = [at for at, right in zip(got.arrivals_ms, about, strict=True) if right]
        told = [round(at) for at in times]
        wanted = "at least 3 records over at least 200 ms of these 400"
        return expect_that(
            len(times) >= 3 and times[-1] - times[0] >= 200, wanted, f"records at {told} ms", got
        )


@check(
    "pull/whole",
    MUST,
    group="transfer",
    source="docs/api.md#pull-a-model",
    covers=("HTTP-12", "PULL-10"),
    breaks=SDKS,
)
def pull_whole(target: Target) -> Verdict:
    """With `stream: false` a pull answers one object when all is done, status success."""
    with depot(target) as shop:
        name = shop.offer("whole")
        got = shop.pull(name, stream=False)
        listed = shop.listed(name) is not None
        return every(
            (
                expect(got.ok.object["status"], "success", got),
                expect(got.media_type, "application/json", got),
                expect_that(listed, f"{tagged(name)} to be listed", "it is not"),
            )
        )


@check(
    "pull/by-name",
    MUST,
    group="transfer",
    source="ollama-js: src/index.ts",
    covers=("HTTP-17", "CLIENT-JS-OLL-07", "CLIENT-CONT-07"),
    breaks=(JS, GO, CONTINUE),
)
def pull_by_name(target: Target) -> Verdict:
    """The model may be given as `name`, beside a `username` and a `password` that mean nothing."""
    with depot(target) as shop:
        name = shop.offer("named")
        fields = {"model": "", "name": name, "insecure": True, "username": "", "password": ""}
        succeeded(shop.ask(PULL, **fields))
        return expect_that(shop.listed(name) is not None, f"{name} to be listed", "it is not")


@check(
    "pull/usable",
    MUST,
    group="transfer",
    source="docs/api.md#pull-a-model",
    covers=("PULL-10",),
    breaks=PULLERS,
)
def pull_usable(target: Target) -> Verdict:
    """A pulled model can be talked to at once: it recites."""
    with depot(target) as shop:
        name = shop.offer("usable")
        shop.pulled(name)
        return says(target, name, "greeting")


@check(
    "pull/listed",
    MUST,
    group="transfer",
    source="server/routes.go:ListHandler",
    covers=("NAME-02", "NAME-13", "PULL-11", "TAGS-07"),
    breaks=(*PULLERS,),
)
def pull_listed(target: Target) -> Verdict:
    """It is listed once, as HOST/NAMESPACE/MODEL:TAG, with its manifest's digest and its size."""
    with depot(target) as shop:
        package = scripted(shop.mark)
        name = shop.offer("listed", package, tag="v1")
        shop.pulled(name)
        found = [one for one in models(target) if one["name"] == name]
        told = [(one["model"], one["digest"], one["size"]) for one in found]
        digest = digest_of(package.manifest).removeprefix("sha256:")
        return expect(told, [(name, digest, package.size)])


@check(
    "pull/shown",
    MUST,
    group="transfer",
    source="server/images.go:GetModel",
    covers=("SHOW-04", "SHOW-06"),
    breaks=(*SDKS, CONTINUE),
)
def pull_shown(target: Target) -> Verdict:
    """/api/show has what lay in its layers: template, system, parameters, license."""
    with depot(target) as shop:
        mark = shop.mark
        package = scripted(mark, system=f"You are {mark}.")
        name = shop.offer("shown", package)
        shop.pulled(name)
        shown = target.post("/api/show", model=name).ok.object
        lines = [line.split(None, 1) for line in str(shown["parameters"]).split("\n")]
        texts = {layer.media_type.rpartition(".")[2]: layer.content for layer in package.layers}
        stops = [["stop", f'"{stop}"'] for stop in parameters_of(mark)["stop"]]
        return every(
            (
                expect(shown["template"], texts["template"].decode()),
                expect(shown["system"], texts["system"].decode()),
                expect(shown["license"], texts["license"].decode()),
                expect(sorted(one for one in lines if one[:1] == ["stop"]), sorted(stops)),
            )
        )


@check(
    "pull/equals-created",
    MUST,
    group="transfer",
    source="server/images.go:GetModel",
    covers=("TAGS-07", "SHOW-14", "SHOW-19"),
    breaks=PULLERS,
)
def equals_created(target: Target) -> Verdict:
    """A pulled model has the details, capabilities and metadata that it has when it is created."""
    with depot(target) as shop:
        _ = target.script
        name = shop.offer("equal")
        shop.pulled(name)
        made, come = (
            _known(target.post("/api/show", model=one), target) for one in (target.model, name)
        )
        return expect(come, made)


def _known(got: Exchange, target: Target) -> dict[str, Any]:
    """What a show tells of weights and template, whatever the model is called."""
    shown = got.ok.object
    metadata = {
        key: one
        for key, one in shown["model_info"].items()
        if not key.startswith("general.") or key in GENERAL
    }
    details = {key: one for key, one in shown["details"].items() if key != "parent_model"}
    return {
        "details": details,
        "capabilities": sorted(shown["capabilities"]),
        "model_info": metadata,
    }


@check(
    "pull/refuses-names",
    MUST,
    group="transfer",
    source="server/routes.go:PullHandler",
    covers=("PULL-01", "NAME-03", "NAME-05", "NAME-06", "NAME-11", "NAME-15", "NAME-16", "SEC-21"),
    breaks=SDKS,
)
def refuses_names(target: Target) -> Verdict:
    """A name that cannot be is 400, `invalid model name`, at once; and no registry is asked."""
    with depot(target) as shop:
        at = shop.server.authority
        digest = f"sha256:{'0' * 64}"
        names = ("", "a b", f"{at}/a/b/c", f"{at}//m", f"{at}/../m", f"{at}/n/m@{digest}", "m:")
        asks = [target.post(PULL, model=name, insecure=True) for name in names]
        both = target.post(PULL, model="m:local:cloud", insecure=True)
        return every(
            (
                *(expect_error(got, (400,), exactly="invalid model name") for got in asks),
                expect_error(both, (400,), containing="use either :local or :cloud, not both"),
                expect(shop.log(), ""),
            )
        )


@check(
    "pull/refuses-bodies",
    MUST,
    group="transfer",
    source="server/routes.go:PullHandler",
    covers=("HTTP-08", "HTTP-09"),
    breaks=SDKS,
)
def refuses_bodies(target: Target) -> Verdict:
    """A pull or push without a body is 400, `missing request body`; one that is no JSON is 400."""
    paths = (PULL, "/api/push")
    return every(
        verdict
        for path in paths
        for verdict in (
            expect_error(target.request("POST", path, b""), (400,), exactly="missing request body"),
            expect_error(target.request("POST", path, b"{"), (400,)),
        )
    )

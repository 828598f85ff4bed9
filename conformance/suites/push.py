"""Class transfer, part seven: a model is pushed to a registry, and told as it goes."""

from __future__ import annotations

import json
from typing import Any

from ..check import MUST, Verdict, check, every, expect, expect_that
from ..clients import GO, JS, OPEN_WEBUI, SDKS
from ..evidence import Record, Wrong
from ..provision import create, upload
from ..registry.stock import CONFIG, LAYER, Package, scripted
from ..script import weights
from ..target import Target
from ._depot import PUSH, Depot, count, depot, progress, statuses, trouble
from .create import says
from .pull import short

PUSHERS = (*SDKS, OPEN_WEBUI)
FRAME = ["retrieving manifest", "pushing manifest", "success"]


def stocked(shop: Depot, word: str, package: Package | None = None) -> tuple[str, Package]:
    """A model that the target has and the registry has not, and what it consists of."""
    if package is None:  # few blobs: the original takes a moment for each
        package = scripted(shop.mark)
        package = package.with_layers([package.weights])
    name = shop.offer(word, package)
    shop.pulled(name)
    shop.forget()
    shop.since()
    return name, package


def received(shop: Depot, word: str, tag: str = "latest") -> Record:
    """The manifest that the registry has been brought. Raises Wrong."""
    content = shop.ledger.manifests.get((f"{shop.namespace}/{word}", tag))
    if content is None:
        raise Wrong("a manifest in the registry", shop.log() or "nothing")
    try:
        return Record(json.loads(content))
    except ValueError as error:
        raise Wrong("a manifest that is JSON", f"{content[:80]!r} ({error})") from None


def outline(manifest: dict[str, Any]) -> list[list[str | int]]:
    """Kind, digest and size of each layer, config last."""
    blobs = [*manifest["layers"], manifest["config"]]
    return [[one["mediaType"], one["digest"], one["size"]] for one in blobs]


@check(
    "push/stream",
    MUST,
    group="transfer",
    source="docs/api.md#push-a-model",
    covers=("PUSH-02", "PUSH-06", "HTTP-11", "CLIENT-JS-OLL-02"),
    breaks=PUSHERS,
)
def push_stream(target: Target) -> Verdict:
    """Pushing streams NDJSON: each with a `status`; `retrieving manifest` first, `success` last."""
    with depot(target) as shop:
        name, _ = stocked(shop, "streamed")
        got = shop.pushed(name)
        found = statuses(got)
        return every(
            (
                expect((got.media_type, got.framing), ("application/x-ndjson", "chunked"), got),
                expect([found[0], found[-1]], ["retrieving manifest", "success"], got),
                expect([one.get("status") for one in got.records].count("success"), 1, got),
            )
        )


@check(
    "push/order",
    MUST,
    group="transfer",
    source="server/images.go:PushModel",
    covers=("PUSH-05", "PUSH-06"),
    breaks=(GO, OPEN_WEBUI),
)
def push_order(target: Target) -> Verdict:
    """It tells the layers in their order, config last, and then `pushing manifest`."""
    with depot(target) as shop:
        package = scripted(shop.mark)
        package = package.with_layers([package.layers[-1], package.weights])  # as no server has it
        name, package = stocked(shop, "ordered", package)
        found = statuses(shop.pushed(name))
        blobs = [f"pushing {short(layer.digest)}" for layer in package.blobs]
        return expect(found, [FRAME[0], *blobs, *FRAME[1:]])


@check(
    "push/progress",
    MUST,
    group="transfer",
    source="server/upload.go:Wait",
    covers=("PUSH-05",),
    breaks=PUSHERS,
)
def push_progress(target: Target) -> Verdict:
    """Each blob is told with its digest, its size as `total`, and a `completed` that gets there."""
    with depot(target) as shop:
        name, package = stocked(shop, "told")
        got = shop.pushed(name)
        for layer in package.blobs:
            told = progress(got, layer.digest)
            size = len(layer.content)
            done = [count(one, "completed") for one in told]
            totals = {(one["status"], count(one, "total")) for one in told}
            right = done == sorted(done) and done[-1:] == [size]
            if totals != {(f"pushing {short(layer.digest)}", size)} or not right:
                wanted = f"`total` {size} and `completed` up to it"
                return expect_that(False, wanted, told, got)
        return expect(count(got.last, "total"), 0)


@check(
    "push/whole",
    MUST,
    group="transfer",
    source="docs/api.md#push-a-model",
    covers=("HTTP-12", "PUSH-06"),
    breaks=SDKS,
)
def push_whole(target: Target) -> Verdict:
    """With `stream: false` a push answers one object when all is there, status success."""
    with depot(target) as shop:
        name, package = stocked(shop, "whole")
        got = shop.push(name, stream=False)
        there = sorted(shop.ledger.blobs) == sorted(layer.digest for layer in package.blobs)
        return every(
            (
                expect(got.ok.object["status"], "success", got),
                expect_that(there, "all blobs in the registry", sorted(shop.ledger.blobs)),
            )
        )


@check(
    "push/by-name",
    MUST,
    group="transfer",
    source="ollama-js: src/index.ts",
    covers=("HTTP-17", "CLIENT-JS-OLL-07"),
    breaks=(JS, GO),
)
def push_by_name(target: Target) -> Verdict:
    """The model may be given as `name`, beside a `username` and a `password` that mean nothing."""
    with depot(target) as shop:
        name, package = stocked(shop, "named")
        fields = {"model": "", "name": name, "insecure": True, "username": "", "password": ""}
        told = trouble(shop.ask(PUSH, **fields))
        return every(
            (
                expect(told, None),
                expect(outline(received(shop, "named")), outline(json.loads(package.manifest))),
            )
        )


@check(
    "push/brings-all",
    MUST,
    group="transfer",
    source="server/images.go:PushModel",
    covers=("PUSH-05", "REG-33", "REG-34"),
    breaks=PUSHERS,
)
def brings_all(target: Target) -> Verdict:
    """The registry then has every blob, as its digest says, and the manifest that names them."""
    with depot(target) as shop:
        name, package = stocked(shop, "all")
        shop.pushed(name)
        wanted = {layer.digest: len(layer.content) for layer in package.blobs}
        found = {digest: len(content) for digest, content in shop.ledger.blobs.items()}
        return every(
            (
                expect(found, wanted),
                expect(outline(received(shop, "all")), outline(json.loads(package.manifest))),
            )
        )


@check(
    "push/tag",
    MUST,
    group="transfer",
    source="server/images.go:PushModel",
    covers=("REG-34", "NAME-02"),
    breaks=(GO,),
)
def push_tag(target: Target) -> Verdict:
    """A tag is pushed as that tag, and the model's other tags are left as they are."""
    with depot(target) as shop:
        package = scripted(shop.mark)
        package = package.with_layers([package.weights])
        name = shop.offer("tagged", package, tag="v2")
        shop.pulled(name)
        shop.forget()
        shop.pushed(name)
        found = [tag for _, tag in shop.ledger.manifests]
        return expect(found, ["v2"])


@check(
    "push/copied",
    MUST,
    group="transfer",
    source="docs/import.mdx#sharing-your-model-on-ollamacom",
    covers=("PUSH-05", "COPY-01"),
    breaks=(GO,),
)
def push_copied(target: Target) -> Verdict:
    """A copy under another name of the registry is pushed under that name."""
    with depot(target) as shop:
        name, package = stocked(shop, "source")
        copy = shop.name("copied")
        target.post("/api/copy", source=name, destination=copy)
        shop.pushed(copy)
        return expect(outline(received(shop, "copied")), outline(json.loads(package.manifest)))


@check(
    "push/there-and-back",
    MUST,
    group="transfer",
    source="docs/import.mdx#sharing-your-model-on-ollamacom",
    covers=("PUSH-05", "PUSH-08"),
    breaks=PUSHERS,
    alone=True,
)
def there_and_back(target: Target) -> Verdict:
    """A created model that is pushed, deleted and pulled back is what it was, and recites."""
    with depot(target) as shop:
        name = shop.name("made")
        _create(shop, name)
        before = _face(target, name)
        shop.pushed(name)
        kinds = {str(one[0]) for one in outline(received(shop, "made"))}
        target.delete("/api/delete", model=name)
        shop.pulled(name)
        return every(
            (
                expect_that(
                    {f"{LAYER}model", f"{LAYER}template", f"{LAYER}params", CONFIG} <= kinds,
                    "layers for model, template and params, and a config",
                    sorted(kinds),
                ),
                expect(_face(target, name), before),
                says(target, name, "greeting"),
            )
        )


def _create(shop: Depot, name: str) -> None:
    """Create a model with a license that nobody else has."""
    script = shop.target.script
    create(
        shop.target,
        name,
        files=upload(shop.target, {"scripted.gguf": weights()}),
        template=script.template,
        parameters=script.parameters,
        license=f"parallama check {shop.mark}",
    )


def _face(target: Target, name: str) -> dict[str, Any]:
    """What a model looks like, wherever it came from."""
    shown = target.post("/api/show", model=name).ok.object
    keys = ("details", "capabilities", "template", "parameters", "model_info")
    return {key: shown[key] for key in keys}


@check(
    "push/again",
    MUST,
    group="transfer",
    source="server/upload.go:uploadBlob",
    covers=("PUSH-05", "REG-30"),
    breaks=(GO, OPEN_WEBUI),
)
def push_again(target: Target) -> Verdict:
    """What the registry has is not uploaded again: it is told once, as complete."""
    with depot(target) as shop:
        name, package = stocked(shop, "again", scripted(shop.mark))
        missing = package.layers[-1]
        shop.offer("again", package)
        del shop.ledger.blobs[missing.digest]
        got = shop.pushed(name)
        started = [one.method for one in shop.asked("start")]
        brought = [len(one.body) for one in shop.asked("upload", "PATCH")]
        told = [
            [(count(one, "total"), count(one, "completed")) for one in progress(got, layer.digest)]
            for layer in package.blobs
            if layer is not missing
        ]
        sizes = [len(layer.content) for layer in package.blobs if layer is not missing]
        return every(
            (
                expect(started, ["POST"]),
                expect(sum(brought), len(missing.content)),
                expect(told, [[(size, size)] for size in sizes], got),
            )
        )

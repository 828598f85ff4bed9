"""Class transfer, part two: what a pull finds in the store, and what it leaves there."""

from __future__ import annotations

from ..check import MUST, SHOULD, Verdict, check, every, expect, expect_that
from ..clients import GO, OPEN_WEBUI
from ..registry.stock import Layer, digest_of, scripted
from ..target import Target
from ._depot import Depot, count, depot, progress, statuses
from .manage import models, tagged
from .pull import FRAME

WORDS = ("format", "family", "parameter_size", "quantization_level")


@check(
    "pull/again",
    MUST,
    group="transfer",
    source="server/download.go:downloadBlob",
    covers=("PULL-05", "PULL-09"),
    breaks=(GO, OPEN_WEBUI),
)
def pull_again(target: Target) -> Verdict:
    """A second pull asks for the manifest only; it tells each blob, in order, as complete."""
    with depot(target) as shop:
        package = scripted(shop.mark)
        name = shop.offer("again", package)
        shop.pulled(name)
        shop.since()
        got = shop.pulled(name)
        kinds = {one.kind for one in shop.asked()}
        sizes = [len(layer.content) for layer in package.blobs]
        told = [
            [(count(one, "total"), count(one, "completed")) for one in progress(got, layer.digest)]
            for layer in package.blobs
        ]
        named = [one["digest"] for one in got.records if "digest" in one]
        return every(
            (
                expect(sorted(kinds), ["manifest"]),
                expect(named, [layer.digest for layer in package.blobs], got),
                expect(told, [[(size, size)] for size in sizes], got),
            )
        )


@check(
    "pull/shares-blobs",
    MUST,
    group="transfer",
    source="server/download.go:downloadBlob",
    covers=("PULL-05",),
    breaks=(GO, OPEN_WEBUI),
)
def shares_blobs(target: Target) -> Verdict:
    """A blob that another model has is not fetched again; only what is missing is."""
    with depot(target) as shop:
        one = scripted(shop.mark)
        other = one.with_layers([*one.layers[:-1], _license(shop)])
        shop.pulled(shop.offer("one", one))
        shop.since()
        name = shop.offer("other", other)
        shop.pulled(name)
        fetched = sorted({ask.name for ask in shop.asked() if ask.kind in ("blob", "direct")})
        return every((expect(fetched, [other.layers[-1].digest]), shop.whole(name, other)))


def _license(shop: Depot) -> Layer:
    return Layer("application/vnd.ollama.image.license", f"MIT {shop.mark}".encode())


@check(
    "pull/updates",
    MUST,
    group="transfer",
    source="server/images.go:PullModel",
    covers=("PULL-10", "PULL-05"),
    breaks=(GO, OPEN_WEBUI),
)
def pull_updates(target: Target) -> Verdict:
    """A pull of a name whose manifest has changed puts the new model in the old one's place."""
    with depot(target) as shop:
        old = scripted(shop.mark)
        new = old.with_layers([*old.layers[:-1], _license(shop)])
        name = shop.offer("updated", old)
        shop.pulled(name)
        shop.offer("updated", new)
        found = statuses(shop.pulled(name))
        shown = target.post("/api/show", model=name).ok.object["license"]
        entry = shop.listed(name)
        digest = digest_of(new.manifest).removeprefix("sha256:")
        known = [*FRAME[:3], "removing unused layers", "success"]
        told = [one for one in found if not one.startswith("pulling ") or one in FRAME]
        return every(
            (
                expect(shown, new.layers[-1].content.decode()),
                expect(entry and entry["digest"], digest),
                expect_that(told in (known, FRAME), f"{known}", told),
            )
        )


@check(
    "pull/update-cleans-up",
    SHOULD,
    group="transfer",
    source="server/images.go:deleteUnusedLayers",
    covers=("PULL-10",),
)
def update_cleans_up(target: Target) -> Verdict:
    """A blob that only the old version had is removed; what others still use stays."""
    with depot(target) as shop:
        old = scripted(shop.mark)
        new = old.with_layers([*old.layers[:-1], _license(shop)])
        name = shop.offer("cleaned", old)
        shop.pulled(name)
        shop.offer("cleaned", new)
        shop.pulled(name)
        left = [
            target.request("HEAD", f"/api/blobs/{layer.digest}").code
            for layer in (old.layers[-1], old.weights, new.layers[-1])
        ]
        return expect(left, [404, 200, 200])


@check(
    "pull/case-of-names",
    MUST,
    group="transfer",
    source="server/routes.go:getExistingName",
    covers=("NAME-08",),
    breaks=(GO,),
)
def case_of_names(target: Target) -> Verdict:
    """A name that differs only in case is the same model: pulled again, it is listed once."""
    with depot(target) as shop:
        name = shop.offer("cased")
        shop.pulled(name)
        authority, namespace, model = name.split("/")
        shop.pulled(f"{authority}/{namespace}/{model.upper()}")
        names = [one["name"] for one in models(target) if one["name"].lower() == tagged(name)]
        return expect(names, [tagged(name)])


@check(
    "pull/empty-manifest",
    MUST,
    group="transfer",
    source="server/routes_create_test.go:TestManifestCaseSensitivity",
    covers=("PULL-15", "TAGS-07", "CLIENT-CLINE-04"),
    alone=True,
)
def empty_manifest(target: Target) -> Verdict:
    """A manifest without layers and config is pulled, and listed: size 0, words that are empty."""
    with depot(target) as shop:
        name = shop.offer("empty")
        shop.ledger.manifests[f"{shop.namespace}/empty", "latest"] = b"{}"
        got = shop.pulled(name)
        entry = shop.listed(name)
        target.delete("/api/delete", model=name)
        if entry is None:
            return expect_that(False, f"{name} to be listed", "it is not", got)
        words = {key: entry["details"].get(key) for key in WORDS}
        return every((expect(entry["size"], 0, got), expect(words, dict.fromkeys(WORDS, ""), got)))


@check(
    "pull/empty-layer",
    SHOULD,
    group="transfer",
    source="server/download.go:Prepare",
    covers=("REG-12",),
    alone=True,
)
def empty_layer(target: Target) -> Verdict:
    """A layer of no bytes can be pulled, and pushed."""
    with depot(target) as shop:
        package = scripted(shop.mark)
        nothing = Layer("application/vnd.ollama.image.license", b"")
        name = shop.offer("hollow", package.with_layers([package.weights, nothing]))
        shop.pulled(name)
        shop.forget()
        shop.pushed(name)
        return expect(shop.ledger.blobs.get(nothing.digest), b"")


@check(
    "pull/unknown-fields",
    MUST,
    group="transfer",
    source="manifest/manifest.go",
    covers=("PULL-11", "REG-01"),
    breaks=(GO,),
)
def unknown_fields(target: Target) -> Verdict:
    """Fields and layers of unknown kinds in a manifest are no error, and count in its digest."""
    with depot(target) as shop:
        package = scripted(shop.mark)
        strange = Layer("application/vnd.example.unheard-of", shop.mark.encode())
        whole = package.with_layers([*package.layers, strange])
        name = shop.offer("strange", whole)
        content = whole.manifest[:-1] + b' , "annotations": {"a": [1, null]}}\n'
        shop.ledger.manifests[f"{shop.namespace}/strange", "latest"] = content
        shop.pulled(name)
        entry = shop.listed(name)
        return every(
            (
                expect(entry and entry["digest"], digest_of(content).removeprefix("sha256:")),
                expect(entry and entry["size"], whole.size),
            )
        )

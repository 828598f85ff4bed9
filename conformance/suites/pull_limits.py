"""Class transfer, part seven: a registry that says too much, or too little of a model."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from functools import cache

from ..check import MUST, SHOULD, Verdict, check, every, expect, expect_that
from ..clients import GO, OPEN_WEBUI
from ..registry.ledger import Refusal
from ..registry.stock import CONFIG, Layer, Package, scripted
from ..target import Target
from ._depot import Depot, depot, trouble

MANY_BYTES = 8_000_000  # far more than a manifest has, and no harm to a machine
SOON_MS = 5000.0


@cache
def bomb() -> bytes:
    """A few kilobytes that unpack to very many."""
    return gzip.compress(b" " * MANY_BYTES, mtime=0)


def _bears(shop: Depot, body: bytes, **headers: str) -> tuple[str | None, Verdict]:
    """What comes of a pull whose manifest is this; and whether the target bears it."""
    named = tuple((name.replace("_", "-"), text) for name, text in headers.items())
    shop.behave(refusals=(Refusal("manifest", 200, body, headers=named),))
    name = shop.offer("large")
    got = shop.pull(name)
    told = trouble(got)
    after = shop.target.get("/api/version")
    prompt = every(
        (
            expect(after.code, 200, after),
            expect_that(got.elapsed_ms < SOON_MS, "an end within seconds", got.elapsed_ms, got),
        )
    )
    return told, every((prompt, shop.heal(name))) if told else prompt


@check(
    "pull/large-manifest",
    MUST,
    group="transfer",
    source="server/images.go:pullModelManifest",
    covers=("SEC-26",),
    breaks=(GO,),
)
def large_manifest(target: Target) -> Verdict:
    """A manifest of many megabytes is refused or read, soon, and the server goes on."""
    with depot(target) as shop:
        manifest = json.loads(scripted(shop.mark).manifest)
        body = json.dumps({"note": "x" * MANY_BYTES, **manifest, "layers": "none"}).encode()
        told, verdict = _bears(shop, body)
        return every((expect_that(told is not None, "an error", "success"), verdict))


@check(
    "pull/large-error",
    MUST,
    group="transfer",
    source="server/images.go:makeRequestWithRetry",
    covers=("SEC-26", "PULL-03"),
    breaks=(GO,),
)
def large_error(target: Target) -> Verdict:
    """An error page of many megabytes is an error like others, soon, and the server goes on."""
    with depot(target) as shop:
        shop.behave(refusals=(Refusal("manifest", 500, b"x" * MANY_BYTES),))
        got = shop.pull(name := shop.offer("wordy"))
        told = trouble(got)
        healed = shop.heal(name)
    if told is None:
        return expect_that(False, "an error", told)
    return every((expect_that(got.elapsed_ms < SOON_MS, "soon", got.elapsed_ms), healed))


@check(
    "pull/packed-manifest",
    MUST,
    group="transfer",
    source="CVE-2024-12886",
    covers=("SEC-47", "SEC-26"),
    breaks=(GO,),
)
def packed_manifest(target: Target) -> Verdict:
    """A manifest that unpacks to a thousand times its size is an error, and the server goes on."""
    with depot(target) as shop:
        told, verdict = _bears(shop, bomb(), Content_Encoding="gzip")
        return every((expect_that(told is not None, "an error", "success"), verdict))


@check(
    "pull/unknown-quantization",
    SHOULD,
    group="transfer",
    source="server/routes.go:GetModelInfo",
    covers=("SHOW-12", "TAGS-08"),
    breaks=(OPEN_WEBUI, GO),
)
def unknown_quantization(target: Target) -> Verdict:
    """Where a model's config does not know its quantisation, show tells that of the weights."""
    with depot(target) as shop:
        found = {}
        for word, given in (("unknown", "unknown"), ("empty", "")):
            package = _without_type(scripted(shop.mark), given)
            name = shop.offer(word, package)
            shop.pulled(name)
            shown = target.post("/api/show", model=name).ok.object["details"]
            found[given] = shown["quantization_level"]
        return expect(found, {"unknown": "F16", "": "F16"})


def _without_type(package: Package, given: str) -> Package:
    told = {**json.loads(package.config.content), "file_type": given}
    return replace(package, config=Layer(CONFIG, json.dumps(told).encode()))

"""Class transfer, part eight: how blobs and manifests are brought to a registry."""

from __future__ import annotations

import hashlib
import re

from ..check import MUST, PASSED, SHOULD, Verdict, check, every, expect, expect_that
from ..clients import GO
from ..registry.ledger import TOKEN, Refusal
from ..registry.stock import MANIFEST, digest_of, scripted
from ..target import Target
from ._depot import Depot, depot, trouble
from .push import outline, received, stocked

RANGE = re.compile(r"(\d+)-(\d+)")


@check(
    "push/asks-first",
    MUST,
    group="transfer",
    source="server/upload.go:uploadBlob",
    covers=("REG-30",),
    breaks=(GO,),
)
def asks_first(target: Target) -> Verdict:
    """Before a blob is uploaded the registry is asked for it, by HEAD."""
    with depot(target) as shop:
        name, package = stocked(shop, "asked")
        shop.pushed(name)
        asked = shop.asked()
        heads = [one.name for one in asked if one.kind == "blob" and one.method == "HEAD"]
        first = next((n for n, one in enumerate(asked) if one.kind == "start"), 0)
        return every(
            (
                expect(sorted(heads), sorted(layer.digest for layer in package.blobs)),
                expect_that(first > 0, "HEAD before POST", shop.log()),
            )
        )


@check(
    "push/manifest-is-last",
    MUST,
    group="transfer",
    source="server/images.go:PushModel",
    covers=("REG-34", "PUSH-06"),
    breaks=(GO,),
)
def manifest_is_last(target: Target) -> Verdict:
    """The manifest is put when all of its blobs are there, once, and nothing after it."""
    with depot(target) as shop:
        name, _ = stocked(shop, "last")
        shop.pushed(name)
        asked = shop.asked()
        told = [(one.method, one.kind) for one in asked]
        kind = asked[-1].headers.get("content-type")
        return every(
            (
                expect([told[-1], told.count(("PUT", "manifest"))], [("PUT", "manifest"), 1]),
                expect(kind, MANIFEST),
                expect([str(one) for one in asked if one.status >= 400 and one.kind != "blob"], []),
            )
        )


@check(
    "push/chunks",
    MUST,
    group="transfer",
    source="server/upload.go:uploadPart",
    covers=("REG-31", "REG-32"),
    breaks=(GO,),
)
def chunks(target: Target) -> Verdict:
    """A blob goes up in PATCHes that say which bytes they are, which together are the blob."""
    with depot(target) as shop:
        name, package = stocked(shop, "chunked")
        shop.pushed(name)
        for n, layer in enumerate(package.blobs, 1):
            asked = [one for one in shop.asked("upload", "PATCH") if one.name == str(n)]
            found = [RANGE.fullmatch(one.headers.get("content-range", "")) for one in asked]
            parts = [(int(one[1]), int(one[2])) for one in found if one is not None]
            ends = [0, *(last + 1 for _, last in parts)]
            sizes = [len(one.body) for one in asked]
            whole = ends[-1] == len(layer.content) and [one for one, _ in parts] == ends[:-1]
            if not all(found) or not whole or sizes != [b - a + 1 for a, b in parts]:
                said = [one.headers.get("content-range") for one in asked]
                wanted = f"Content-Range FIRST-LAST of {len(layer.content)} bytes in all"
                return expect_that(False, wanted, [said, sizes])
        return PASSED


@check(
    "push/commit",
    MUST,
    group="transfer",
    source="server/upload.go:Run",
    covers=("REG-33",),
    breaks=(GO,),
)
def commit(target: Target) -> Verdict:
    """An upload ends in a PUT without a body that names the blob's digest."""
    with depot(target) as shop:
        name, package = stocked(shop, "committed")
        shop.pushed(name)
        asked = shop.asked("upload", "PUT")
        return every(
            (
                expect(
                    [one.query.get("digest") for one in asked],
                    [[layer.digest] for layer in package.blobs],
                ),
                expect([len(one.body) for one in asked], [0] * len(asked)),
                expect([one.status for one in asked], [201] * len(asked)),
            )
        )


@check(
    "push/etag",
    SHOULD,
    group="transfer",
    source="server/upload.go:Run",
    covers=("REG-33",),
    breaks=(GO,),
)
def etag(target: Target) -> Verdict:
    """That PUT has an `etag`: the MD5 of the chunks' MD5s, and how many they are."""
    with depot(target) as shop:
        name, _ = stocked(shop, "etag")
        shop.pushed(name)
        for asked in shop.asked("upload", "PUT"):
            parts = [one.body for one in shop.asked("upload", "PATCH") if one.name == asked.name]
            sums = b"".join(hashlib.md5(part, usedforsecurity=False).digest() for part in parts)
            sum_ = hashlib.md5(sums, usedforsecurity=False).hexdigest()
            wanted = [f"{sum_}-{len(parts)}"]
            if asked.query.get("etag") != wanted:
                return expect(asked.query.get("etag"), wanted)
        return PASSED


@check(
    "push/upload-address",
    MUST,
    group="transfer",
    source="server/upload.go:Prepare",
    covers=("REG-31", "REG-32"),
    breaks=(GO,),
)
def upload_address(target: Target) -> Verdict:
    """An upload goes on where the last answer says: Docker-Upload-Location, else Location."""
    with depot(target) as shop:
        for addresses in ("usual", "own"):
            name, package = stocked(shop, f"address-{addresses}")
            shop.behave(addresses=addresses)
            got = shop.push(name)
            lost = [str(one) for one in shop.asked("upload") if one.status >= 400]
            shop.behave()
            if trouble(got) is not None or lost:
                return expect_that(False, "to go on at the address given", lost, got)
            told = outline(received(shop, f"address-{addresses}"))
            if [one[1] for one in told] != [layer.digest for layer in package.blobs]:
                return expect_that(False, "all blobs", told, got)
        return PASSED


@check(
    "push/mount",
    MUST,
    group="transfer",
    source="server/upload.go:Prepare",
    covers=("REG-31",),
    breaks=(GO,),
)
def mount(target: Target) -> Verdict:
    """Only a layer that came `from` a model is asked to be mounted from it, by its digest."""
    with depot(target) as shop:
        package = scripted(shop.mark, origin="library/parallama-base")
        package = package.with_layers([package.weights, package.layers[-1]])
        name, _ = stocked(shop, "mounting", package)
        shop.pushed(name)
        asked = [(one.query.get("mount"), one.query.get("from")) for one in shop.asked("start")]
        wanted = [([package.weights.digest], ["library/parallama-base"])]
        return expect(asked, wanted + [(None, None)] * (len(package.blobs) - 1))


@check(
    "push/mounted",
    MUST,
    group="transfer",
    source="server/upload.go:Prepare",
    covers=("REG-31",),
    breaks=(GO,),
)
def mounted(target: Target) -> Verdict:
    """A layer that the registry has mounted (201) is not uploaded."""
    with depot(target) as shop:
        package = scripted(shop.mark, origin="library/parallama-base")
        package = package.with_layers([package.weights, package.layers[-1]])
        name, _ = stocked(shop, "mounted", package)
        shop.behave(mounts=True)
        shop.pushed(name)
        brought = sum(len(one.body) for one in shop.asked("upload", "PATCH"))
        return expect(brought, package.size - len(package.weights.content))


@check(
    "push/brought-elsewhere",
    SHOULD,
    group="transfer",
    source="server/upload.go:uploadPart",
    covers=("REG-32", "REG-26"),
    breaks=(GO,),
)
def brought_elsewhere(target: Target) -> Verdict:
    """A chunk that is redirected (307) is PUT there, without the registry's token."""
    with depot(target) as shop:
        name, package = stocked(shop, "elsewhere")
        shop.behave(stashes=True, token=True)
        shop.pushed(name)
        asked = shop.asked("stash")
        tokens = [one.authorization for one in asked if one.authorization]
        found = sorted(digest_of(one.body) for one in asked)
        return every(
            (
                expect(found, sorted(layer.digest for layer in package.blobs)),
                expect(tokens, []),
                expect(len(received(shop, "elsewhere")["layers"]), len(package.layers)),
            )
        )


@check(
    "push/token",
    MUST,
    group="transfer",
    source="server/images.go:makeRequestWithRetry",
    covers=("REG-20", "REG-22", "PUSH-07"),
    breaks=(GO,),
)
def push_token(target: Target) -> Verdict:
    """After a 401 a token is fetched, and every later request has it, the manifest's too."""
    with depot(target) as shop:
        name, package = stocked(shop, "private")
        shop.behave(token=True)
        shop.pushed(name)
        asked = [one for one in shop.asked() if one.path.startswith("/v2/")]
        bare = [str(one) for one in asked[1:] if one.authorization != f"Bearer {TOKEN}"]
        return every(
            (
                expect([asked[0].authorization, asked[0].status], ["", 401]),
                expect(bare, []),
                expect(sorted(shop.ledger.blobs), sorted(one.digest for one in package.blobs)),
            )
        )


@check(
    "push/tries-again",
    SHOULD,
    group="transfer",
    source="server/upload.go:Run",
    covers=("REG-35",),
    breaks=(GO,),
)
def tries_again(target: Target) -> Verdict:
    """A chunk that is refused once is sent again, whole, and the push succeeds."""
    with depot(target) as shop:
        name, package = stocked(shop, "again")
        shop.behave(refusals=(Refusal("upload", 503, b"{}", "PATCH", times=1),))
        got = shop.push(name)
        return every(
            (
                expect(trouble(got), None, got),
                expect(len(shop.ledger.blobs), len(package.blobs)),
                _whole_each(shop),
            )
        )


def _whole_each(shop: Depot) -> Verdict:
    odd = [one for one, content in shop.ledger.blobs.items() if digest_of(content) != one]
    return expect(odd, [])


@check(
    "push/manifest-kept",
    SHOULD,
    group="transfer",
    source="server/images.go:PushModel",
    covers=("PUSH-08",),
    breaks=(GO,),
)
def manifest_kept(target: Target) -> Verdict:
    """The manifest that is pushed has schemaVersion 2, its media type, and each layer's `from`."""
    with depot(target) as shop:
        package = scripted(shop.mark, origin="library/parallama-base")
        package = package.with_layers([package.weights, package.layers[-1]])
        name, _ = stocked(shop, "kept", package)
        shop.pushed(name)
        found = received(shop, "kept")
        origins = [one.get("from") for one in found["layers"]]
        wanted = [layer.origin or None for layer in package.layers]
        return every(
            (
                expect([found["schemaVersion"], found["mediaType"]], [2, MANIFEST]),
                expect(origins, wanted),
            )
        )


@check(
    "push/insecure-is-plain",
    MUST,
    group="transfer",
    source="server/images.go:makeRequest",
    covers=("PULL-18", "REG-30"),
    breaks=(GO,),
)
def push_is_plain(target: Target) -> Verdict:
    """With `insecure: true` a push is plain HTTP; without, it is TLS and nothing else."""
    with depot(target) as shop:
        name, _ = stocked(shop, "plain")
        shop.pushed(name)
        tried = shop.server.handshakes
        shop.since()
        told = trouble(target.post("/api/push", model=name))
        later = shop.server.handshakes - tried
        return every(
            (
                expect(tried, 0),
                expect_that(told is not None, "an error", "success"),
                expect_that(later > 0 and not shop.asked(), "TLS only", [later, shop.log()]),
            )
        )


@check(
    "push/nothing-unasked",
    MUST,
    group="transfer",
    source="server/images.go:makeRequest",
    covers=("REG-26", "SEC-02", "SEC-30"),
    breaks=(GO,),
)
def nothing_unasked(target: Target) -> Verdict:
    """Without a challenge no Authorization is sent; and the client's own goes nowhere."""
    with depot(target) as shop:
        name, _ = stocked(shop, "quiet")
        secret = {"Authorization": "Bearer of-the-client", "Cookie": "session=of-the-client"}
        got = target.send("POST", "/api/push", {"model": name, "insecure": True}, **secret)
        found = [one.headers for one in shop.asked()]
        odd = [one for one in found if "authorization" in one or "of-the-client" in str(one)]
        return every((expect(trouble(got), None, got), expect(odd, [])))

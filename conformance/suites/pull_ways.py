"""Class transfer, part three: how a registry is asked: schemes, addresses, ranges, redirects."""

from __future__ import annotations

import re

from ..check import MAY, MUST, PASSED, SHOULD, Verdict, check, every, expect, expect_that
from ..clients import GO
from ..registry.stock import MANIFEST, scripted
from ..target import Target
from ._depot import Depot, depot, failed, trouble

RANGE = re.compile(r"bytes=(\d+)-(\d+)")


@check(
    "pull/asks-for-the-manifest",
    MUST,
    group="transfer",
    source="server/images.go:pullModelManifest",
    covers=("REG-01", "NAME-01", "NAME-02"),
    breaks=(GO,),
)
def asks_for_the_manifest(target: Target) -> Verdict:
    """It is GET /v2/NAMESPACE/MODEL/manifests/TAG, `latest` where none is given, by its type."""
    with depot(target) as shop:
        for tag in ("latest", "q8_0"):
            shop.since()
            shop.pulled(shop.offer("asked", tag=tag))
            first = shop.asked()[0]
            told = [first.method, first.path, MANIFEST in first.headers.get("accept", "")]
            path = f"/v2/{shop.namespace}/asked/manifests/{tag}"
            if told != ["GET", path, True]:
                return expect([*told[:2], first.headers.get("accept")], ["GET", path, MANIFEST])
        return PASSED


@check(
    "pull/asks-for-blobs",
    MUST,
    group="transfer",
    source="server/download.go:Prepare",
    covers=("REG-03", "REG-04", "PULL-05"),
    breaks=(GO,),
)
def asks_for_blobs(target: Target) -> Verdict:
    """Every blob is asked for by its digest, once and only after the manifest."""
    with depot(target) as shop:
        package = scripted(shop.mark)
        shop.pulled(shop.offer("blobs", package))
        asked = shop.asked()
        wanted = [layer.digest for layer in package.blobs]
        found = [one.name for one in asked if one.kind == "blob" and one.method == "GET"]
        strangers = [str(one) for one in asked if one.kind == "unknown" or one.status >= 400]
        return every(
            (
                expect(sorted(set(found)), sorted(wanted)),
                expect(strangers, []),
                expect([one.kind for one in asked].index("manifest"), 0),
                _covers_once(shop, package.weights.digest, len(package.weights.content)),
            )
        )


def _covers_once(shop: Depot, digest: str, size: int) -> Verdict:
    """Whether a blob was served once, and no more of it."""
    served = sum(one.sent for one in shop.asked("direct") if one.name == digest)
    return expect_that(served == size, f"{size} bytes of the weights to be served", served)


@check(
    "pull/ranges",
    MUST,
    group="transfer",
    source="server/download.go:downloadChunk",
    covers=("REG-07",),
    breaks=(GO,),
)
def ranges(target: Target) -> Verdict:
    """Blobs are fetched in parts, `Range: bytes=FIRST-LAST`, which together are the blob."""
    with depot(target) as shop:
        package = scripted(shop.mark)
        shop.pulled(shop.offer("parts", package))
        for layer in package.blobs:
            sent = [one.headers.get("range", "") for one in shop.asked("direct")
                    if one.name == layer.digest]  # fmt: skip
            found = [RANGE.fullmatch(one) for one in sent]
            parts = sorted((int(one[1]), int(one[2])) for one in found if one is not None)
            ends = [0, *(last + 1 for _, last in parts)]
            whole = all(found) and [first for first, _ in parts] == ends[:-1]
            if not whole or ends[-1] != len(layer.content) or len(parts) > 16:
                wanted = f"parts that make up bytes 0 to {len(layer.content) - 1}"
                return expect_that(False, wanted, sent)
        return PASSED


@check(
    "pull/redirected",
    MUST,
    group="transfer",
    source="server/download.go:run",
    covers=("REG-04",),
    breaks=(GO,),
)
def redirected(target: Target) -> Verdict:
    """A redirect of a blob to another host is followed, as those of the public registry are."""
    with depot(target) as shop:
        package = scripted(shop.mark)
        got = shop.pull(shop.offer("elsewhere", package))
        hosts = sorted({one.host for one in shop.asked("direct")})
        wanted = shop.ledger.elsewhere.removeprefix("http://").partition(":")[0]
        return every((expect(trouble(got), None, got), expect(hosts, [wanted], got)))


@check(
    "pull/redirected-often",
    MUST,
    group="transfer",
    source="server/download.go:run",
    covers=("REG-04",),
    breaks=(GO,),
)
def redirected_often(target: Target) -> Verdict:
    """Redirects within the registry's own host are followed, too, one after the other."""
    with depot(target) as shop:
        shop.behave(detours=3)
        got = shop.pull(shop.offer("detours"))
        return every(
            (
                expect(trouble(got), None, got),
                expect_that(bool(shop.asked("direct")), "the end of the way", shop.log(), got),
            )
        )


@check(
    "pull/redirected-otherwise",
    SHOULD,
    group="transfer",
    source="server/download.go:run",
    covers=("REG-06",),
    breaks=(GO,),
)
def redirected_otherwise(target: Target) -> Verdict:
    """A redirect of another kind (302) to another host is followed, or refused at once."""
    with depot(target) as shop:
        shop.behave(redirect=302)
        name = shop.offer("found")
        got = shop.pull(name)
        told, there = trouble(got), shop.listed(name) is not None
        if told is not None:
            shop.heal(name)
        right = there if told is None else not there and "302" in told
        wanted = "a model, or an error that says 302, within 5 s"
        return expect_that(right and got.elapsed_ms < 5000, wanted, [told, there], got)


@check(
    "pull/served-where-asked",
    MAY,
    group="transfer",
    source="ollama/ollama: issue 9737",
    covers=("REG-05",),
)
def served_where_asked(target: Target) -> Verdict:
    """A registry that serves blobs itself is used; or is refused at once, and nothing is left."""
    with depot(target) as shop:
        shop.behave(redirects=False)
        name = shop.offer("direct")
        told = trouble(shop.pull(name))
        there = shop.listed(name) is not None
        if told is not None:
            shop.heal(name)
        return expect_that(there is (told is None), "a model or an error", [told, there])


@check(
    "pull/says-who-it-is",
    SHOULD,
    group="transfer",
    source="server/images.go:makeRequest",
    covers=("REG-02",),
    breaks=(GO,),
)
def says_who_it_is(target: Target) -> Verdict:
    """Requests to the registry say `User-Agent: ollama/VERSION ...`: it refuses what is too old."""
    with depot(target) as shop:
        shop.pulled(shop.offer("agent"))
        asked = [one for one in shop.asked() if one.kind in ("manifest", "blob")]
        odd = [one.headers.get("user-agent") for one in asked
               if not one.headers.get("user-agent", "").startswith("ollama/")]  # fmt: skip
        return expect(odd, [])


@check(
    "pull/insecure-is-plain",
    MUST,
    group="transfer",
    source="server/images.go:makeRequest",
    covers=("PULL-18", "NAME-02"),
    breaks=(GO,),
)
def insecure_is_plain(target: Target) -> Verdict:
    """`insecure: true` asks the registry in plain HTTP at the host and port of the name."""
    with depot(target) as shop:
        got = shop.pull(shop.offer("plain"))
        tried = f"TLS was tried {shop.server.handshakes} times"
        return every(
            (
                expect_that(not shop.server.handshakes, "no TLS", tried, got),
                expect(trouble(got), None, got),
                expect_that(
                    bool(shop.asked("manifest")), "the manifest to be asked for", "it is not"
                ),
            )
        )


@check(
    "pull/secure-without-insecure",
    MUST,
    group="transfer",
    source="server/images.go:makeRequest",
    covers=("PULL-18", "NAME-01", "NAME-07"),
    breaks=(GO,),
)
def secure_by_default(target: Target) -> Verdict:
    """Without `insecure` a registry is asked over TLS only, even where the name says http://."""
    with depot(target) as shop:
        name = shop.offer("secure")
        for asked, more in ((name, {}), (f"http://{name}", {}), (name, {"insecure": False})):
            before = shop.server.handshakes
            got = target.post("/api/pull", {"model": asked, **more})
            verdict = failed(got)
            if verdict is not PASSED or shop.asked() or shop.server.handshakes == before:
                told = [verdict.actual, shop.log(), shop.server.handshakes - before]
                return expect_that(False, "a TLS handshake, and an error", told, got)
        return expect(shop.listed(name), None)


@check(
    "pull/scheme-prefix",
    SHOULD,
    group="transfer",
    source="types/model/name.go:ParseNameBare",
    covers=("NAME-07", "NAME-13"),
    breaks=(GO,),
)
def scheme_prefix(target: Target) -> Verdict:
    """A name may begin with http://; the model is listed without it."""
    with depot(target) as shop:
        name = shop.offer("prefixed")
        shop.pulled(f"http://{name}")
        return expect_that(shop.listed(name) is not None, f"{name} to be listed", "it is not")

"""Class transfer, part five: what a registry does wrong is told, and nothing is left of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ..check import MUST, PASSED, SHOULD, Verdict, check, every, expect, expect_that
from ..clients import GO, LANGCHAIN_JS, OPEN_WEBUI, PYTHON, SDKS
from ..registry.ledger import Refusal
from ..registry.stock import LAYER, Layer, Package, digest_of, scripted
from ..target import Target
from ._depot import depot, failed, trouble

PREFIX = "pull model manifest: "
MISSING = f"{PREFIX}file does not exist"
SORRY = b'{"errors":[{"code":"TOO_BUSY","message":"come back later"}]}'


@check(
    "pull/missing-manifest",
    MUST,
    group="transfer",
    source="server/images.go:pullModelManifest",
    covers=("PULL-02", "PULL-03", "PULL-04"),
    breaks=SDKS,
)
def missing_manifest(target: Target) -> Verdict:
    """A model that the registry does not have: `pull model manifest: file does not exist`.

    Streamed it is the last record, after `pulling manifest`; else an error status.
    """
    with depot(target) as shop:
        name = shop.name("nowhere")
        streamed, whole = shop.pull(name), shop.pull(name, stream=False)
        first = streamed.records[0].get("status")
        return every(
            (
                expect(trouble(streamed), MISSING, streamed),
                expect(first, "pulling manifest", streamed),
                expect(trouble(whole), MISSING, whole),
                expect_that(whole.code >= 400, "an error status", whole.code, whole),
                expect(shop.listed(name), None),
            )
        )


@check(
    "pull/status-of-failures",
    SHOULD,
    group="transfer",
    source="server/routes.go:waitForStream",
    covers=("PULL-04",),
    breaks=(PYTHON,),
)
def status_of_failures(target: Target) -> Verdict:
    """A pull that fails is 500 where it is not streamed, and 200 where it is."""
    with depot(target) as shop:
        name = shop.name("nowhere")
        found = [shop.pull(name).code, shop.pull(name, stream=False).code]
        return expect(found, [200, 500])


@check(
    "pull/registry-errors",
    MUST,
    group="transfer",
    source="server/images.go:makeRequestWithRetry",
    covers=("PULL-03", "REG-02", "REG-53"),
    breaks=(GO, OPEN_WEBUI),
)
def registry_errors(target: Target) -> Verdict:
    """A registry's refusal is passed on: its status and its body, as `...: 503: {...}`."""
    with depot(target) as shop:
        name = shop.offer("refused")
        for status in (400, 412, 429, 503):
            shop.behave(refusals=(Refusal("manifest", status, SORRY),))
            got = shop.pull(name)
            wanted = f"{PREFIX}{status}: {SORRY.decode()}"
            if trouble(got) != wanted:
                return expect(trouble(got), wanted, got)
        return shop.heal(name)


@check(
    "pull/manifest-is-no-manifest",
    MUST,
    group="transfer",
    source="server/images.go:pullModelManifest",
    covers=("PULL-03", "SEC-18"),
    breaks=(GO, OPEN_WEBUI),
)
def no_manifest(target: Target) -> Verdict:
    """A manifest that is no JSON, or of the wrong shape, is an error; and the server lives on."""
    with depot(target) as shop:
        name = shop.offer("garbled")
        key = f"{shop.namespace}/garbled", "latest"
        whole = shop.ledger.manifests[key]
        for content in (b"<html>hello</html>", b"", whole[: len(whole) // 2], b'{"layers": 7}'):
            shop.ledger.manifests[key] = content
            verdict = failed(shop.pull(name), PREFIX)
            if verdict is not PASSED:
                return verdict
        shop.ledger.manifests[key] = whole
        return shop.heal(name)


@check(
    "pull/missing-blob",
    MUST,
    group="transfer",
    source="server/download.go:Prepare",
    covers=("REG-03",),
    breaks=(GO, OPEN_WEBUI),
)
def missing_blob(target: Target) -> Verdict:
    """A blob that the registry does not have fails the pull, and there is no model."""
    with depot(target) as shop:
        package = scripted(shop.mark)
        name = shop.offer("hollow", package)
        content = shop.ledger.blobs.pop(package.config.digest)
        verdict = failed(shop.pull(name), "not exist" if not target.setup.registry_host else "")
        shop.ledger.blobs[package.config.digest] = content
        return every((verdict, shop.heal(name)))


def _spoilt(content: bytes) -> bytes:
    """The same length, other bytes."""
    return content[:-1] + bytes([content[-1] ^ 1])


@check(
    "pull/wrong-digest",
    MUST,
    group="transfer",
    source="server/images.go:verifyBlob",
    covers=("PULL-07", "REG-11"),
    breaks=(GO, OPEN_WEBUI),
)
def wrong_digest(target: Target) -> Verdict:
    """Bytes that are not what their digest says fail the pull: `digest mismatch`, and both digests.

    There is no model then; and once the registry has the right bytes, the pull succeeds.
    """
    with depot(target) as shop:
        package = scripted(shop.mark)
        name = shop.offer("spoilt", package)
        wrong = _spoilt(package.weights.content)
        shop.behave(altered={package.weights.digest: wrong})
        text = "digest mismatch, file must be downloaded again: want {}, got {}"
        wanted = text.format(package.weights.digest, digest_of(wrong))
        verdict = failed(shop.pull(name), wanted)
        healed = shop.heal(name)
        return every((verdict, healed, shop.whole(name, package)))


@check(
    "pull/wrong-digest-of-any-blob",
    MUST,
    group="transfer",
    source="server/images.go:PullModel",
    covers=("PULL-07", "REG-11", "SEC-27"),
    breaks=(GO, OPEN_WEBUI),
)
def wrong_digest_of_any(target: Target) -> Verdict:
    """Every blob is verified, the small ones and the config too; a wrong one is not kept."""
    with depot(target) as shop:
        for n in range(1, len(scripted(shop.mark).blobs)):
            package = scripted(shop.mark)  # another one: what was right of the last is there
            name, layer = shop.offer(f"spoilt-{n}", package), package.blobs[n]
            wrong = _spoilt(layer.content)
            shop.behave(altered={layer.digest: wrong})
            verdict = failed(shop.pull(name), "digest mismatch")
            kept = [
                one
                for one in (layer.digest, digest_of(wrong))
                if target.request("HEAD", f"/api/blobs/{one}").code == 200
            ]
            if verdict is not PASSED or kept or shop.listed(name) is not None:
                what = f"a wrong {layer.media_type.rpartition('.')[2]} to be refused and not kept"
                told = [verdict.actual, kept, shop.listed(name)]
                shop.heal(name)
                return expect_that(False, what, told, verdict.evidence)
            healed = shop.heal(name)
            if healed is not PASSED:
                return healed
        return PASSED


@check(
    "pull/wrong-digest-twice",
    MUST,
    group="transfer",
    source="server/images.go:PullModel",
    covers=("PULL-08", "SEC-53"),
    breaks=(GO,),
)
def wrong_digest_twice(target: Target) -> Verdict:
    """A blob that a manifest names twice, as layer and as config, is verified all the same."""
    with depot(target) as shop:
        package = scripted(shop.mark)
        twice = package.layers[-1]
        config = replace(package.config, content=twice.content)
        name = shop.offer("doubled", Package(package.layers, config))
        shop.behave(altered={twice.digest: _spoilt(twice.content)})
        verdict = failed(shop.pull(name), "digest mismatch")
        shop.offer("doubled", package)
        return every((verdict, shop.heal(name)))


@check(
    "pull/failure-keeps-the-old",
    MUST,
    group="transfer",
    source="server/images.go:PullModel",
    covers=("PULL-07",),
    breaks=(GO, OPEN_WEBUI),
)
def failure_keeps_the_old(target: Target) -> Verdict:
    """An update that fails leaves the model as it was."""
    with depot(target) as shop:
        old, new = scripted(shop.mark), scripted(shop.mark)
        name = shop.offer("kept", old)
        shop.pulled(name)
        shop.offer("kept", new)
        shop.behave(altered={new.config.digest: _spoilt(new.config.content)})
        verdict = failed(shop.pull(name))
        entry = shop.listed(name)
        digest = digest_of(old.manifest).removeprefix("sha256:")
        shown = target.post("/api/show", model=name).ok.object["license"]
        shop.behave()
        shop.pull(name)
        return every(
            (
                verdict,
                expect(entry and entry["digest"], digest),
                expect(shown, old.layers[-1].content.decode()),
            )
        )


def _named(word: str) -> Callable[[Package], Package]:
    """A model whose first layer goes by such a digest."""
    return lambda package: package.with_layers(
        [replace(package.weights, named=word), *package.layers[1:]]
    )


def _config_named(word: str) -> Callable[[Package], Package]:
    def change(package: Package) -> Package:
        return Package((), replace(package.config, named=word))

    return change


def _tensor_named(word: str) -> Callable[[Package], Package]:
    def change(package: Package) -> Package:
        return package.with_layers([Layer(f"{LAYER}tensor", b"0" * 64, named=word)])

    return change


OUTSIDE = "sha256:../../../../../../tmp/parallama-check-escape"
BAD_DIGESTS = (
    ("empty", _named("")),
    ("short", _named("sha256:abc")),
    ("long", _named(f"sha256:{'a' * 65}")),
    ("no hex", _named(f"sha256:{'z' * 64}")),
    ("other hash", _named(f"sha512:{'a' * 64}")),
    ("no hash", _named("a" * 64)),
    ("a path", _named(OUTSIDE)),
    ("a path as config", _config_named(OUTSIDE)),
    ("short as config", _config_named("sha256:abc")),
    ("a path of a tensor", _tensor_named(OUTSIDE)),
)


@check(
    "pull/bad-digests",
    MUST,
    group="transfer",
    source="manifest/paths.go:BlobsPath",
    covers=("PULL-14", "SEC-20", "SEC-41", "SEC-48", "SEC-50", "REG-41"),
    breaks=(GO, OPEN_WEBUI),
)
def bad_digests(target: Target) -> Verdict:
    """A digest in a manifest that is none fails the pull, before it becomes a path or a request."""
    with depot(target) as shop:
        for what, change in BAD_DIGESTS:
            name = shop.offer("evil", change(scripted(shop.mark)))
            shop.since()
            verdict = failed(shop.pull(name))
            asked = [str(one) for one in shop.asked() if one.kind not in ("manifest", "token")]
            if verdict is not PASSED or asked or shop.listed(name) is not None:
                wanted = f"an error, and nothing asked for ({what})"
                return expect_that(False, wanted, [verdict.actual, asked], verdict.evidence)
        alive = target.get(target.heartbeat)
        return expect(alive.code, 200, alive)


@check(
    "pull/bad-digest-texts",
    SHOULD,
    group="transfer",
    source="server/download.go:downloadBlob",
    covers=("PULL-14",),
)
def bad_digest_texts(target: Target) -> Verdict:
    """The error says what is wrong: `invalid digest format`, or that the `digest is empty`."""
    with depot(target) as shop:
        texts = (("", "digest is empty"), ("sha256:abc", "invalid digest format"))
        return every(
            failed(shop.pull(shop.offer("evil", _named(word)(scripted(shop.mark)))), text)
            for word, text in texts
        )


@check(
    "pull/error-is-told-once",
    MUST,
    group="transfer",
    source="server/routes.go:streamResponse",
    covers=("PULL-03", "HTTP-11", "CLIENT-PY-OLL-06"),
    breaks=(*SDKS, LANGCHAIN_JS),
)
def error_is_told_once(target: Target) -> Verdict:
    """A failure in the middle of a stream is one last record, with `error` and nothing else."""
    with depot(target) as shop:
        package = scripted(shop.mark)
        name = shop.offer("broken", package)
        shop.behave(altered={package.config.digest: _spoilt(package.config.content)})
        got = shop.pull(name)
        verdict = failed(got)
        shop.heal(name)
        last = got.last if got.code == 200 else {}
        return every((verdict, expect(sorted(last), ["error"], got)))


@check(
    "pull/unreachable",
    MUST,
    group="transfer",
    source="server/images.go:pullModelManifest",
    covers=("PULL-02", "PULL-03", "PULL-04"),
    breaks=SDKS,
)
def unreachable(target: Target) -> Verdict:
    """Where nobody listens, a pull fails soon, with `pull model manifest: ` and the reason."""
    with depot(target) as shop:
        name = shop.name("closed")
    streamed = target.post("/api/pull", model=name, insecure=True)
    whole = target.post("/api/pull", model=name, insecure=True, stream=False)
    return every(
        (
            failed(streamed, PREFIX),
            expect(streamed.records[0].get("status"), "pulling manifest", streamed),
            failed(whole, PREFIX),
        )
    )

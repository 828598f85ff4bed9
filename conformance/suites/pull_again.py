"""Class transfer: what is said of a transfer to the letter, and what a second one changes."""

from __future__ import annotations

import json
import time

from ..check import MUST, Verdict, check, every, expect, expect_that
from ..clients import CONTINUE, GO, JS, OPEN_WEBUI, PYTHON, SDKS
from ..evidence import Json
from ..moments import moment
from ..registry.stock import LAYER, Layer, scripted
from ..target import Target
from ._depot import PULL, PUSH, depot
from .manage import models, tagged
from .pull import FRAME
from .push import outline, received, stocked

TELLING = ("digest", "total", "completed")


@check(
    "pull/nothing-is-told-twice",
    MUST,
    group="transfer",
    source="server/images.go:PullModel",
    covers=("PULL-02", "PULL-10", "HTTP-12", "HTTP-16"),
    breaks=(GO, JS, PYTHON, CONTINUE),
)
def nothing_is_told_twice(target: Target) -> Verdict:
    """Each step of a transfer is told in one record, `status` alone; unstreamed only the last is.

    Where what only an old version had is cleared away, that is told.
    """
    with depot(target) as shop:
        old = scripted(shop.mark)
        text = Layer(f"{LAYER}license", f"MIT {shop.mark}".encode())
        name = shop.offer("once", old.with_layers([*old.layers[:-1], text]))
        shop.pulled(name)
        shop.offer("once", old)
        got = shop.pulled(name)
        steps = [dict(one) for one in got.records if not any(key in one for key in TELLING)]
        gone = target.request("HEAD", f"/api/blobs/{text.digest}").code == 404  # if it prunes
        words = [*FRAME[:3], *["removing unused layers"] * gone, FRAME[3]]
        again = shop.pull(name, stream=False).ok
        pushed = shop.pushed(name)
        told = [dict(one) for one in pushed.records if not any(key in one for key in TELLING)]
        brought = ["retrieving manifest", "pushing manifest", "success"]
        once = shop.push(name, stream=False).ok
        plain = ("application/json", {"status": "success"})
        return every(
            (
                expect(steps, [{"status": one} for one in words], got),
                expect((again.media_type, dict(again.object)), plain, again),
                expect(told, [{"status": one} for one in brought], pushed),
                expect((once.media_type, dict(once.object)), plain, once),
            )
        )


@check(
    "pull/renews-the-time",
    MUST,
    group="transfer",
    source="manifest.go:WriteManifest",
    covers=("TAGS-15", "TAGS-03", "PULL-11"),
    breaks=(OPEN_WEBUI,),
)
def renews_the_time(target: Target) -> Verdict:
    """A model pulled again has the time of that pull, though nothing has changed, and is newest."""
    with depot(target) as shop:
        name = shop.offer("renewed")
        times = []
        for _ in "12":
            shop.pulled(name)
            entry = shop.listed(name)
            times.append(str(entry and entry["modified_at"]))
        later = moment(times[1]) > moment(times[0])
        near = abs(moment(times[1]) - time.time()) < 86400
        return expect_that(later and near, "a later modified_at", times)


@check(
    "pull/model-over-name",
    MUST,
    group="transfer",
    source="server/routes.go:PullHandler",
    covers=("HTTP-17", "NAME-10", "NAME-18"),
    breaks=(GO, CONTINUE, *SDKS),
)
def model_over_name(target: Target) -> Verdict:
    """Where `model` and `name` are given, `model` is pulled, and pushed; a pull cuts its edges."""
    with depot(target) as shop:
        name, package = stocked(shop, "over")
        other: dict[str, Json] = {"name": f"{name}-not", "insecure": True, "stream": False}
        wanted = outline(package_manifest(package.manifest))
        brought = target.post(PUSH, {"model": name, **other})
        there = outline(received(shop, "over"))
        asked = [
            target.post(PULL, {"model": spelt, **other}).code
            for spelt in (name, f" {name}\n", f"{name}:local", f"{name}:latest:LOCAL")
        ]
        listed = [one["name"] for one in models(target) if shop.namespace in one["name"]]
        edged = target.post(PUSH, {"model": f" {name} ", "insecure": True, "stream": False})
        return every(
            (
                expect(brought.code, 200, brought),
                expect(there, wanted),
                expect(asked, [200] * 4),
                expect(sorted(one for one in listed if "/over" in one), [tagged(name)]),
                expect_that(edged.code >= 400, "no push of a name with blanks", edged.code, edged),
            )
        )


def package_manifest(content: bytes) -> dict[str, object]:
    """The manifest of a package."""
    return dict(json.loads(content))

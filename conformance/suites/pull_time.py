"""Class transfer, part six: pulls that are cut, cancelled, slow, or not alone."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

from ..bytewise import Line, encoded_bytes, line
from ..check import MUST, PASSED, SHOULD, Verdict, check, every, expect, expect_that
from ..clients import GO, OPEN_WEBUI, SDKS
from ..evidence import Exchange
from ..registry.ledger import Refusal
from ..registry.stock import Package, scripted
from ..target import NOBODY, Target, encoded
from ._depot import PULL, Depot, count, depot, progress, succeeded, trouble
from .arrival import requires_plain
from .create import says
from .pull import PULLERS

SOON_S = 3.0  # within which the target has to be where we wait for it
SETTLE_S = 0.1
TRIES = 4


def served(shop: Depot, digest: str) -> int:
    """How much of a blob has left the registry, ranges only."""
    return sum(one.sent for one in shop.asked("direct") if one.name == digest and _ranged(one))


def _ranged(asked: object) -> bool:
    return "range" in getattr(asked, "headers", {})


def soon(holds: Callable[[], object], seconds: float = SOON_S) -> bool:
    """Wait until it holds; whether it came to that."""
    until = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True


@contextmanager
def held(shop: Depot) -> Iterator[threading.Event]:
    """Large blobs stop in their middle until the event is set, or the block is left."""
    gate = shop.server.gate = threading.Event()
    shop.server.held.clear()
    try:
        yield gate
    finally:
        gate.set()
        shop.server.gate = None


@contextmanager
def meanwhile(gate: threading.Event, ask: Callable[[], Exchange]) -> Iterator[Future[Exchange]]:
    """Ask in a thread of its own; leaving the block opens the gate and waits for the answer."""
    with ThreadPoolExecutor(1) as pool:
        try:
            yield pool.submit(ask)
        finally:
            gate.set()


@check(
    "pull/goes-on-after-a-cut",
    MUST,
    group="transfer",
    source="server/download.go:downloadChunk",
    covers=("PULL-12", "REG-07", "REG-08"),
    breaks=PULLERS,
    race=True,
)
def goes_on_after_a_cut(target: Target) -> Verdict:
    """A connection that breaks is no failure: the pull goes on from where it was, with a Range."""
    with depot(target) as shop:
        package = scripted(shop.mark)
        digest, size = package.weights.digest, len(package.weights.content)
        shop.behave(cut_after=size // 2)
        name = shop.offer("cut", package)
        got = succeeded(shop.pull(name))
        starts = [one.first_byte for one in shop.asked("direct") if one.name == digest]
        told = f"{served(shop, digest)} of {size} bytes, from {starts}"
        went_on = served(shop, digest) < size * 1.25 and max(starts) > 0
        return every(
            (
                expect_that(went_on, "to go on where it was cut", told, got),
                says(target, name, "greeting"),
            )
        )


@check(
    "pull/tries-a-part-again",
    SHOULD,
    group="transfer",
    source="server/download.go:run",
    covers=("REG-08", "REG-10"),
    breaks=(GO,),
)
def tries_again(target: Target) -> Verdict:
    """A part that is answered with an error is asked for again, and the error page is not kept."""
    with depot(target) as shop:
        package = scripted(shop.mark)
        page = b"<html>503 try again</html>"
        shop.behave(refusals=(Refusal("direct", 503, page, times=1, name=package.weights.digest),))
        name = shop.offer("again", package)
        succeeded(shop.pull(name))
        return shop.whole(name, package)


def _cancel_halfway(shop: Depot, name: str) -> bool:
    """Pull, and hang up when half of the weights are there; whether the target then let go."""
    _pulls(shop)
    with held(shop):
        asked = _begun(shop, name)
        came = soon(shop.server.held.is_set)
        asked.close()
        return came and soon(lambda: any(one.left for one in shop.asked("direct")))


def _pulls(shop: Depot) -> None:
    """A pull that waits for nothing: where even that fails nobody need be waited for."""
    shop.pulled(shop.offer("at-all", _small(shop)))
    shop.since()


def _begun(shop: Depot, name: str) -> Line:
    """A pull whose answer nobody reads; closing the line hangs up."""
    target = shop.target
    requires_plain(target)
    body = json.dumps({"model": name, "insecure": True}).encode()
    request = encoded("POST", PULL, body, {"Content-Type": "application/json"})
    opened = line(target)
    opened.send(encoded_bytes(target, request))
    return opened


@check(
    "pull/cancelled-and-continued",
    MUST,
    group="transfer",
    source="docs/api.md#pull-a-model",
    covers=("PULL-12", "PULL-13"),
    breaks=PULLERS,
    race=True,
)
def cancelled_and_continued(target: Target) -> Verdict:
    """Cancelled pulls are resumed from where they left off: what has come is not fetched again."""
    with depot(target) as shop:
        package = scripted(shop.mark)
        digest, size = package.weights.digest, len(package.weights.content)
        name = shop.offer("cancelled", package)
        _cancel_halfway(shop, name)
        time.sleep(SETTLE_S)
        before = served(shop, digest)
        shop.since()
        got = _pull_after_cancel(shop, name)
        again = served(shop, digest)
        starts = [one.first_byte for one in shop.asked("direct") if one.name == digest]
        told = f"{before} bytes, then {again} from {starts}"
        return every(
            (
                expect(trouble(got), None, got),
                expect_that(again <= size - size // 4, f"some of {size} bytes", told, got),
                says(target, name, "greeting"),
            )
        )


def _pull_after_cancel(shop: Depot, name: str) -> Exchange:
    """Pull; the one that was cancelled may take a moment to be over."""
    for _ in range(TRIES - 1):
        got = shop.pull(name)
        if trouble(got) is None:
            return got
        time.sleep(SETTLE_S)
    return shop.pull(name)


@check(
    "pull/cancelled-lets-go",
    SHOULD,
    group="transfer",
    source="server/download.go:release",
    covers=("PULL-13", "HTTP-21"),
    breaks=(OPEN_WEBUI,),
)
def cancelled_lets_go(target: Target) -> Verdict:
    """When its client hangs up, a pull ends: the registry's connection is closed, no model made."""
    with depot(target) as shop:
        name = shop.offer("dropped")
        let_go = _cancel_halfway(shop, name)
        listed = shop.listed(name)
        time.sleep(SETTLE_S)
        _pull_after_cancel(shop, name)
        return every(
            (
                expect_that(let_go, f"the download to end within {SOON_S:g} s", "it goes on"),
                expect(listed, None),
            )
        )


@check(
    "pull/progress-goes-on",
    SHOULD,
    group="transfer",
    source="server/download.go:Prepare",
    covers=("PULL-12", "PULL-06"),
    breaks=(GO, OPEN_WEBUI),
    race=True,
)
def progress_goes_on(target: Target) -> Verdict:
    """A pull that is continued tells from its first record what is there already."""
    with depot(target) as shop:
        package = scripted(shop.mark)
        digest, size = package.weights.digest, len(package.weights.content)
        name = shop.offer("shown", package)
        _cancel_halfway(shop, name)
        time.sleep(SETTLE_S)
        shop.behave(seconds=0.25)
        got = _pull_after_cancel(shop, name)
        done = [count(one, "completed") for one in progress(got, digest)]
        totals = {count(one, "total") for one in progress(got, digest)}
        fits = bool(done) and done[0] >= size // 4 and totals == {size}
        return expect_that(fits, f"`completed` of at least {size // 4} at once", done, got)


@check(
    "pull/others-are-served",
    MUST,
    group="transfer",
    source="docs/api.md#pull-a-model",
    covers=("PULL-12",),
    breaks=SDKS,
)
def others_are_served(target: Target) -> Verdict:
    """While a registry is slow, others are served: version, tags, show, another pull.

    The model that is on its way is not listed.
    """
    with depot(target) as shop:
        _pulls(shop)
        name, other = shop.offer("slow"), shop.offer("quick", _small(shop))
        with held(shop) as gate, meanwhile(gate, lambda: shop.pull(name)) as pulling:
            if not soon(shop.server.held.is_set):
                gate.set()
                return expect_that(False, "to fetch the weights", trouble(pulling.result()))
            asks = [target.get(path).code for path in (target.heartbeat, "/api/tags")]
            asks.append(target.post("/api/show", model=NOBODY).code)
            listed = shop.listed(name)
            quick = trouble(shop.pull(other))
            still = not pulling.done()
            gate.set()
            got = pulling.result()
        return every(
            (
                expect([*asks, quick], [200, 200, 404, None]),
                expect_that(still, "answers before the slow pull is over", "it was over"),
                expect(listed, None),
                expect(trouble(got), None, got),
            )
        )


def _small(shop: Depot) -> Package:
    """A model without weights, so that nothing of it is held."""
    package = scripted(shop.mark)
    return package.with_layers(package.layers[1:])


@check(
    "pull/shared-download",
    MUST,
    group="transfer",
    source="server/download.go:blobDownloadManager",
    covers=("PULL-12",),
    breaks=(OPEN_WEBUI, GO),
    race=True,
)
def shared_download(target: Target) -> Verdict:
    """Two pulls of one model at once both succeed, and fetch its weights once."""
    with depot(target) as shop:
        package = scripted(shop.mark)
        digest, size = package.weights.digest, len(package.weights.content)
        _pulls(shop)
        name = shop.offer("shared", package)
        with held(shop) as gate, meanwhile(gate, lambda: shop.pull(name)) as first:
            soon(shop.server.held.is_set)
            with meanwhile(gate, lambda: shop.pull(name)) as second:
                soon(lambda: len(shop.asked("manifest")) > 1)
                time.sleep(SETTLE_S)
                gate.set()
                ends = [trouble(first.result()), trouble(second.result())]
        told = f"{served(shop, digest)} of {size} bytes"
        return every(
            (
                expect(ends, [None, None]),
                expect_that(served(shop, digest) <= size, "to fetch the weights once", told),
                shop.whole(name, package),
            )
        )


@check(
    "pull/one-of-two-leaves",
    MUST,
    group="transfer",
    source="server/download.go:release",
    covers=("PULL-13",),
    breaks=(OPEN_WEBUI,),
    race=True,
)
def one_of_two_leaves(target: Target) -> Verdict:
    """Of two who pull the same model one may leave: the other's pull succeeds."""
    with depot(target) as shop:
        package = scripted(shop.mark)
        _pulls(shop)
        name = shop.offer("left", package)
        with held(shop) as gate:
            leaving = _begun(shop, name)
            soon(shop.server.held.is_set)
            with meanwhile(gate, lambda: shop.pull(name)) as staying:
                soon(lambda: len(shop.asked("manifest")) > 1)
                time.sleep(SETTLE_S)
                leaving.close()
                time.sleep(SETTLE_S)
                gate.set()
                got = staying.result()
        return every((expect(trouble(got), None, got), shop.whole(name, package)))


@check(
    "pull/many-at-once",
    MUST,
    group="transfer",
    source="server/download.go",
    covers=("PULL-12", "REG-04"),
    breaks=(OPEN_WEBUI,),
)
def many_at_once(target: Target) -> Verdict:
    """Several models pulled at once all come, each with its own blobs."""
    with depot(target) as shop:
        packages = {f"many-{n}": scripted(shop.mark) for n in range(4)}
        names = {word: shop.offer(word, package) for word, package in packages.items()}
        asks = [lambda name=name: shop.pull(name) for name in names.values()]
        ends = [trouble(got) for got in target.at_once(asks)]
        if ends != [None] * len(ends):
            return expect(ends, [None] * len(ends))
        for word, package in packages.items():
            shown = target.post("/api/show", model=names[word]).ok.object["license"]
            if shown != package.layers[-1].content.decode():
                return expect(shown, package.layers[-1].content.decode())
        return PASSED

"""Class concurrency, part two: models come, go and change while they are talked to."""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ..bytewise import Line, encoded_bytes, line
from ..check import MUST, SHOULD, Outcome, Undecided, Verdict, check, every, expect, expect_that
from ..clients import CHATTERS, GO, OPEN_WEBUI, SDKS
from ..evidence import Exchange
from ..likeness import expect_again
from ..moments import moment
from ..provision import create
from ..target import Target, encoded
from .arrival import requires_plain
from .concurrency import Question, told
from .lifecycle import load
from .manage import models, tagged

LONG = Question("endless", True, options={"num_predict": 120})
SLOW = Question("endless", True, options={"num_predict": 200})  # long enough to be waited for
ALONE: dict[str, dict[str, Any]] = {}  # what LONG is answered alone, once a run
WAIT_S = 30.0
LONG_AGO_S = 86_400.0  # the original may tell the last time that the model was to go


def offered(target: Target, *groups: str) -> None:
    """End the check where a class that it needs is not offered."""
    for group in groups:
        if group in target.setup.absent:
            raise Undecided(Outcome.NOT_OFFERED, f"class {group}: {target.setup.absent[group]}")


def undisturbed(target: Target) -> dict[str, Any]:
    """What LONG is answered when nobody else is there."""
    run = f"{target.setup.url} {target.setup.token}"
    if run not in ALONE:
        ALONE[run] = told(LONG.ask(target))
    return ALONE[run]


@contextmanager
def meanwhile(target: Target, question: Question = LONG) -> Iterator[Callable[[], Exchange]]:
    """While a stream runs, which has begun; what is given waits for its end and gives it."""
    _ = target.chat(question.id, options={"num_predict": 1}).ok  # loaded, so that it runs at once
    aside = Target(target.setup, target.patience)
    begun = aside.begun = threading.Event()
    got: list[Exchange] = []

    def ask() -> None:
        try:
            got.append(question.ask(aside))
        finally:
            begun.set()

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    begun.wait(target.patience.silence_s)

    def end() -> Exchange:
        thread.join(target.patience.total_s)
        target.exchanges.extend(got[:1])
        return got[0]

    yield end
    thread.join(target.patience.total_s)


@check(
    "concurrency/unload-while-busy",
    MUST,
    group="concurrency",
    source="server/sched.go:expireRunner",
    covers=("SCHED-011", "LIFE-006"),
    breaks=(GO, OPEN_WEBUI),
    alone=True,
)
def unload_while_busy(target: Target) -> Verdict:
    """To unload a model does not cut the answer that it is giving, and is answered at once."""
    alone = undisturbed(target)
    with meanwhile(target) as end:
        unload = target.post("/api/generate", model=target.model, keep_alive=0)
        got = end()
    after = target.chat("greeting")
    return every(
        (
            expect(unload.ok.object["done_reason"], "unload", unload),
            expect_again(target, told(got), alone, got),
            expect(after.code, 200, after),
        )
    )


@check(
    "lifecycle/listed-while-busy",
    MUST,
    group="lifecycle",
    source="server/sched.go:loadedModels",
    covers=("PS-002", "PS-006", "PS-010", "PS-011"),
    breaks=(GO, OPEN_WEBUI),
    alone=True,
)
def listed_while_busy(target: Target) -> Verdict:
    """A model that gives an answer is in /api/ps, with a time to go that is none of long ago."""
    question = Question("endless", True, options={"num_predict": 80})
    load(target)
    with meanwhile(target, question) as end:
        got = target.get("/api/ps")
        _ = end().ok
    mine = [one for one in got.ok.object["models"] if one["name"] == tagged(target.model)]
    if len(mine) != 1:
        return expect_that(False, f"{tagged(target.model)}, once", mine, got)
    ago_s = time.time() - moment(mine[0]["expires_at"])
    return expect_that(ago_s < LONG_AGO_S, "a time of today, or later", mine[0]["expires_at"], got)


@check(
    "concurrency/keep-alive-shorter-than-the-answer",
    MUST,
    group="concurrency",
    source="server/sched.go:processCompleted",
    covers=("SCHED-011", "LIFE-017"),
    breaks=SDKS,
    alone=True,
)
def keep_alive_shorter(target: Target) -> Verdict:
    """A keep_alive that passes while an answer is given does not cut it: the clock starts after."""
    alone = undisturbed(target)
    asks = [
        lambda: Question("endless", True, options=LONG.options, fields={"keep_alive": 0.01}).ask(
            target
        ),
        lambda: Question("endless", False, options=LONG.options, fields={"keep_alive": 0}).ask(
            target
        ),
        lambda: LONG.ask(target),
    ]
    got = target.at_once(asks)
    target.chat(options={"num_predict": 1}, keep_alive="5m")
    return every(expect_again(target, told(one), alone, one) for one in got)


@check(
    "concurrency/other-window-meanwhile",
    SHOULD,
    group="concurrency",
    source="server/sched.go:needsReload",
    covers=("SCHED-014", "SCHED-012", "SCHED-011"),
    breaks=SDKS,
    alone=True,
)
def other_window_meanwhile(target: Target) -> Verdict:
    """A request with another num_ctx cuts no answer that is being given, and gets its own."""
    alone = undisturbed(target)
    small = Question("greeting", False, options={"num_ctx": 1024, "num_predict": 8})
    expected = told(small.ask(target))
    with meanwhile(target) as end:
        other = small.ask(target)
        got = end()
    return every(
        (
            expect_again(target, told(other), expected, other),
            expect_again(target, told(got), alone, got),
        )
    )


@check(
    "concurrency/create-and-delete-meanwhile",
    MUST,
    group="concurrency",
    source="server/create.go:CreateHandler",
    covers=("CREATE-28", "TAGS-01", "DELETE-01", "DELETE-03"),
    breaks=(GO, OPEN_WEBUI),
    alone=True,
)
def create_and_delete_meanwhile(target: Target) -> Verdict:
    """While models come and go, lists are whole, show answers, and a stream goes on."""
    offered(target, "create", "manage")
    alone = undisturbed(target)
    names = [target.temporary(f"passing-{n}") for n in range(3)]
    over = threading.Event()
    odd: list[str] = []

    def watch() -> None:
        aside = Target(target.setup)
        while not over.is_set():
            found = [
                one["name"] for one in _calm(lambda: aside.get("/api/tags")).ok.object["models"]
            ]
            if tagged(target.model) not in found:
                odd.append(f"{target.model} is missing in /api/tags: {found}")
            if _calm(lambda: aside.post("/api/show", model=target.model)).code != 200:
                odd.append(f"/api/show: {aside.exchanges[-1].loose_text[:200]}")

    def guarded() -> None:
        try:
            watch()
        except Exception as wrong:  # whatever it is, the list was not whole
            odd.append(str(wrong))

    watchers = [threading.Thread(target=guarded, daemon=True) for _ in "12"]
    with meanwhile(target) as end:
        for one in watchers:
            one.start()
        seen = [_come_and_go(target, name) for name in names]
        got = end()
        over.set()
        for one in watchers:
            one.join(WAIT_S)
    return every((expect(odd[:3], []), *seen, expect_again(target, told(got), alone, got)))


def _calm(ask: Callable[[], Exchange]) -> Exchange:
    """A success, if one of three is one.

    The original's show fails now and then while a neighbour is deleted: it looks at all names.
    """
    for _ in "123":
        got = ask()
        if got.code == 200:
            break
    return got


def _come_and_go(target: Target, name: str) -> Verdict:
    create(target, name, **{"from": target.model})
    there = tagged(name) in [one["name"] for one in models(target)]
    deleted = target.delete("/api/delete", model=name)
    gone = tagged(name) not in [one["name"] for one in models(target)]
    return expect([there, deleted.code, gone], [True, 200, True], deleted)


@check(
    "concurrency/one-name-created-twice",
    SHOULD,
    group="concurrency",
    source="server/create.go:CreateHandler",
    covers=("CREATE-21",),
    alone=True,
)
def one_name_created_twice(target: Target) -> Verdict:
    """A name created by two at once is one of the two models, whole, and is listed once."""
    offered(target, "create", "manage")
    name = target.temporary("twins")
    words = [f"You are number {n}." for n in range(4)]

    def make(word: str) -> Exchange:
        fields: dict[str, Any] = {"model": name, "from": target.model, "system": word}
        return target.post("/api/create", fields, stream=False)

    made = target.at_once([lambda word=word: make(word) for word in words])  # type: ignore[misc]
    statuses = [one.code for one in made]
    shown = target.post("/api/show", model=name)
    listed = [one["name"] for one in models(target)].count(tagged(name))
    return every(
        (
            expect_that(200 in statuses, "one of them to succeed", statuses),
            expect_that(shown.ok.object["system"] in words, "one of the systems", shown.object),
            expect(listed, 1),
        )
    )


@check(
    "concurrency/one-blob-uploaded-twice",
    MUST,
    group="concurrency",
    source="manifest/layer.go:NewLayer",
    covers=("BLOB-10", "BLOB-03"),
    breaks=SDKS,
)
def one_blob_uploaded_twice(target: Target) -> Verdict:
    """Uploads of one blob that run at once all succeed, and leave it as its digest says."""
    offered(target, "create")
    requires_plain(target)
    content = secrets.token_hex(3).encode() * 10_000  # a line can make it again
    path = f"/api/blobs/sha256:{hashlib.sha256(content).hexdigest()}"
    request = encoded("POST", path, content, {})
    whole = encoded_bytes(target, request)
    lines: list[Line] = [line(target) for _ in range(4)]
    try:
        for part in (whole[:30_000], whole[30_000:]):
            for one in lines:
                one.send(part)
        answers = [one.answer(request) for one in lines]
    finally:
        for one in lines:
            one.close()
    target.exchanges.extend(answers)
    statuses = [one.code for one in answers]
    there = target.request("HEAD", path)
    return every(
        (
            expect_that(set(statuses) <= {200, 201} and 201 in statuses, "201, or 200", statuses),
            expect(there.code, 200, there),
        )
    )


@check(
    "concurrency/other-routes-meanwhile",
    MUST,
    group="concurrency",
    source="net/http",
    covers=("SCHED-001",),
    breaks=(*CHATTERS,),
    race=True,
    alone=True,
)
def other_routes_meanwhile(target: Target) -> Verdict:
    """While several answers are made, version, tags and show are told as promptly as ever."""
    asked: list[Exchange] = []
    with meanwhile(target, SLOW) as end:
        threads = [threading.Thread(target=SLOW.ask, args=(target,), daemon=True) for _ in "12"]
        for one in threads:
            one.start()
        for _ in range(3):
            asked += [target.get(target.heartbeat).answered, target.get("/api/tags").answered]
        whole = end()
        for one in threads:
            one.join(WAIT_S)
    limit = max(250.0, whole.ok.elapsed_ms / 2)
    slowest = max(asked, key=lambda got: got.elapsed_ms)
    told_ms = f"{slowest.elapsed_ms:.0f} ms, while an answer of {whole.elapsed_ms:.0f} ms was made"
    return expect_that(slowest.elapsed_ms < limit, f"within {limit:.0f} ms", told_ms, slowest)

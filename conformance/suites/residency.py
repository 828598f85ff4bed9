"""Class lifecycle, part two: several models, clients that leave, and what unloads when."""

from __future__ import annotations

import hashlib
import time
from functools import partial

from ..bytewise import hang_up_at
from ..calm import abandoned
from ..check import (
    MUST,
    SHOULD,
    Verdict,
    check,
    every,
    expect,
    expect_error,
    expect_that,
    not_judged,
)
from ..clients import GO, JS, OPEN_WEBUI, SDKS
from ..evidence import Record, Wrong
from ..moments import moment
from ..provision import create, upload
from ..reply import read
from ..script import load_script, weights
from ..target import Target
from .arrival import LEFT, LEFT_S, requires_plain, talk
from .busy import offered
from .concurrency import Question, beside, text
from .create import GGUF
from .lifecycle import awaited, listed, load, unload
from .manage import tagged

ABANDONED, LEFT_TO_MAKE = 8, 1500  # answers, and tokens of each
SOON_S = 4.0  # release is asynchronous
MADE_S, MADE_TOGETHER_S = 5.0, 9.0  # a server that makes them all the same takes so long
LATEST_S = 8.0  # for the model to be let go, however late the request for it is answered


@check(
    "lifecycle/hang-up-lets-go",
    MUST,
    group="lifecycle",
    source="server/sched.go:processCompleted",
    covers=("CANCEL-001", "CANCEL-010", "LIFE-006", "SCHED-011"),
    breaks=(JS, OPEN_WEBUI),
    alone=True,
)
def hang_up_lets_go(target: Target) -> Verdict:
    """A model that only clients used who have left is free: it can be unloaded at once."""
    return _let_go(target, stream=True, received=300)


@check(
    "lifecycle/hang-up-lets-go-unstreamed",
    MUST,
    group="lifecycle",
    source="server/sched.go:processCompleted",
    covers=("CANCEL-002", "CANCEL-010"),
    breaks=(JS, OPEN_WEBUI),
    alone=True,
)
def hang_up_lets_go_unstreamed(target: Target) -> Verdict:
    """The same, where the clients had asked for answers in one piece."""
    return _let_go(target, stream=False, received=0)


def _let_go(target: Target, *, stream: bool, received: int) -> Verdict:
    """Endless answers are abandoned; only if none goes on can the model be let go soon."""
    requires_plain(target)
    load(target, keep_alive="10m")
    # streamed, each is hung up on when it has begun; unstreamed, all wait together
    made = (MADE_S, 1) if stream else (MADE_TOGETHER_S, ABANDONED)
    endless = abandoned(target, LEFT_TO_MAKE, *made)
    begun = time.monotonic()
    for n in range(ABANDONED):
        if time.monotonic() - begun > SOON_S:
            break  # one after the other is made to its end: enough of them
        path = ("/api/chat", "/api/generate")[n % 2]
        request = talk(target, "endless", path, stream=stream, options=endless)
        hang_up_at(target, request, None, received)
    time.sleep(0.02)
    begun = time.monotonic()
    while True:
        asked = target.post("/api/generate", model=target.model, keep_alive=0)
        time.sleep(0.05)
        left = listed(target)
        took_s = time.monotonic() - begun
        if not left or took_s > SOON_S:
            break
    if left or took_s > LATEST_S:
        told = left or f"gone after {took_s:.0f} s"
        return expect_that(False, f"the model to leave /api/ps within {SOON_S:g} s", told, asked)
    again = target.chat(options={"num_predict": 2}, keep_alive="5m")
    return expect(again.code, 200, again)


@check(
    "lifecycle/hang-up-keeps-the-model",
    SHOULD,
    group="lifecycle",
    source="server/sched.go:useLoadedRunner",
    covers=("CANCEL-006", "LIFE-017"),
    alone=True,
)
def hang_up_keeps_the_model(target: Target) -> Verdict:
    """After its client has left the model stays loaded, for as long as it would after an answer."""
    requires_plain(target)
    load(target, keep_alive="2h")
    options = abandoned(target, LEFT, LEFT_S)
    hang_up_at(target, talk(target, "endless", options=options), None, 300)
    entry = None
    for _ in "123":  # until the target has seen that it left, however busy it is
        time.sleep(0.06)
        entry = listed(target)
        if entry is None:
            return expect_that(False, "the model in /api/ps", None)
    assert entry is not None
    left = moment(entry["expires_at"]) - time.time()
    load(target, keep_alive="5m")
    return expect_that(7000 < left < 7300, "expires in about 7200 s", f"{left:.0f} s")


@check(
    "lifecycle/load-is-checked",
    SHOULD,
    group="lifecycle",
    source="server/routes.go:GenerateHandler",
    covers=("LIFE-007", "ERR-020"),
)
def load_is_checked(target: Target) -> Verdict:
    """A request that only loads has its options checked like any other."""
    bad = {"num_ctx": "many"}
    asked = (
        target.post("/api/generate", model=target.model, options=bad),
        target.post("/api/chat", model=target.model, messages=[], options=bad),
    )
    return every(expect_error(got, (400, 500), containing="num_ctx") for got in asked)


@check(
    "lifecycle/unload-is-not-checked",
    SHOULD,
    group="lifecycle",
    source="server/routes.go:GenerateHandler",
    covers=("LIFE-005", "LIFE-003", "LIFE-004"),
    alone=True,
)
def unload_is_not_checked(target: Target) -> Verdict:
    """A request that only unloads needs the model to exist, and nothing else to be right."""
    asked = (
        target.post("/api/generate", model=target.model, keep_alive=0, options={"num_ctx": "many"}),
        target.post("/api/chat", model=target.model, keep_alive="0s", options={"top_k": []}),
        target.post("/api/generate", model=target.model, keep_alive=0.0, raw=True, system="x"),
        target.post(
            "/api/chat", model=target.setup.plain or target.model, keep_alive="0", think=True
        ),
    )
    return every(expect(got.ok.object["done_reason"], "unload", got) for got in asked)


@check(
    "lifecycle/unload-of-nobody",
    MUST,
    group="lifecycle",
    source="server/routes.go:GenerateHandler",
    covers=("LIFE-003", "NAME-007", "ERR-009"),
    breaks=(GO,),
)
def unload_of_nobody(target: Target) -> Verdict:
    """To load or unload a model that is not there is 404."""
    from ..target import NOBODY

    asked = [
        target.post(path, {"model": NOBODY, **more})
        for path in ("/api/generate", "/api/chat")
        for more in ({}, {"keep_alive": 0})
    ]
    return every(expect_error(got, (404,), containing="not found") for got in asked)


@check(
    "lifecycle/empty-list",
    MUST,
    group="lifecycle",
    source="server/routes.go:PsHandler",
    covers=("PS-001", "PS-01"),
    breaks=(OPEN_WEBUI, *SDKS),
    alone=True,
)
def empty_list(target: Target) -> Verdict:
    """With the models unloaded /api/ps still has `models`, a list, and ours are not in it."""
    unload(target)
    ours = [one for one in running(target) if f"parallama-check-{target.setup.token}/" in one]
    asked = {one: target.post("/api/generate", model=one, keep_alive=0).code for one in ours}
    gone = {one for one, status in asked.items() if status == 200}  # others are deleted by now
    found = awaited(lambda: _without(target, gone))
    said = target.exchanges[-1]
    target.post("/api/generate", model=target.model, keep_alive="5m")
    return expect_that(found is not None, "a list without our models", said.loose_text[:400], said)


def _without(target: Target, gone: set[str]) -> Record | None:
    """What /api/ps says, once these and our models are not in it."""
    told = target.get("/api/ps").ok.object
    if not isinstance(told["models"], list):
        raise Wrong("`models` to be a list", told["models"])
    return None if listed(target) or gone & set(running(target)) else told


def other_weights(target: Target, word: str) -> str:
    """A model of other weights: the same numbers under another license; its name."""
    offered(target, "create")
    content = weights()
    other = content.replace(b"Apache-2.0", b"Apache-2." + word[:1].encode(), 1)
    if hashlib.sha256(other).digest() == hashlib.sha256(content).digest():
        not_judged("the scripted weights have no license to change")
    script, name = load_script(), target.temporary(word)
    fields = {"template": script.plain_template, "parameters": script.parameters}
    create(target, name, files=upload(target, {GGUF: other}), **fields)
    return name


def running(target: Target) -> dict[str, Record]:
    """Entries of /api/ps by name, in their order."""
    return {one["name"]: one for one in target.get("/api/ps").ok.object["models"]}


@check(
    "lifecycle/two-models",
    MUST,
    group="lifecycle",
    source="server/routes.go:PsHandler",
    covers=("PS-02", "PS-009", "SCHED-008", "LIFE-003"),
    breaks=(GO, OPEN_WEBUI),
    alone=True,
)
def two_models(target: Target) -> Verdict:
    """Two loaded models are listed, the longest to stay first; unloading one leaves the other."""
    name = other_weights(target, "other")
    mine, other = load(target, keep_alive="1h")["name"], tagged(name)
    said = [read(target.chat(model=name, keep_alive="10m", options={"num_predict": 2}))]
    said.append(read(target.chat(options={"num_predict": 2})))
    names = [one for one in running(target) if one in (mine, other)]
    if len(names) < 2:
        target.post("/api/generate", model=name, keep_alive=0)
        not_judged("it keeps one model at a time")
    target.chat(model=name, keep_alive="3h", options={"num_predict": 1})
    awaited(
        lambda: (
            moment(running(target)[other]["expires_at"])
            > moment(running(target)[mine]["expires_at"])
        )
    )
    turned = [one for one in running(target) if one in (mine, other)]
    target.post("/api/generate", model=name, keep_alive=0)
    gone = awaited(lambda: other not in running(target))
    left = mine in running(target)
    return every(
        (
            expect([names, turned], [[mine, other], [other, mine]]),
            expect([gone, left], [True, True]),
        )
    )


@check(
    "lifecycle/two-models-at-once",
    MUST,
    group="lifecycle",
    source="server/sched.go:processPending",
    covers=("SCHED-001", "SCHED-006", "SCHED-007"),
    breaks=SDKS,
    alone=True,
)
def two_models_at_once(target: Target) -> Verdict:
    """Two models asked at once, one of them not loaded yet, both answer as each does alone."""
    name = other_weights(target, "second")
    short = {"num_predict": 20}

    models = (target.model, name) * 2
    asked = [Question("count", False, options=short, fields={"model": one}) for one in models]
    alone = [text(asked[0].ask(target))] * 4  # the scripted ones say the same
    if not target.setup.scripted:
        alone[1::2] = [text(asked[1].ask(target))] * 2
        target.post("/api/generate", model=name, keep_alive=0)
        awaited(lambda: tagged(name) not in running(target))
    got = target.at_once([partial(one.ask, target) for one in asked])
    verdict = beside(target, asked, alone, got, text)
    target.post("/api/generate", model=name, keep_alive=0)
    return verdict

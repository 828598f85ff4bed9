"""Class lifecycle, part three: those who wait for a model, and those who do not wait for it."""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from ..bytewise import Line, encoded_bytes, line
from ..calm import abandoned, quiet_ms
from ..check import (
    MUST,
    PASSED,
    SHOULD,
    Verdict,
    check,
    every,
    expect,
    expect_that,
    not_judged,
)
from ..clients import CHATTERS, GO, JS, OPEN_WEBUI, SDKS
from ..evidence import Exchange, Json, Record, Request
from ..reply import read
from ..schema import violation
from ..target import Target, encoded
from .arrival import requires_plain, talk
from .concurrency import Question, beside, text
from .lifecycle import awaited, listed, load, unload
from .manage import tagged
from .residency import other_weights, running

AT_ONCE = 40  # a queue of the usual length takes them all
HOLDERS, WAITERS = 18, 6  # more than any server has slots for by default, and who waits behind
HELD, HELD_S = 1000, 5.0  # tokens of an answer, and how long several together take
BEGUN_S = 0.5  # an answer that has not begun by then waits for others
BRIEF_S = 1.0  # of an answer beside which another window is asked for
SENT_S = 0.15  # for a request to arrive, and to come to where it has to wait
SOON_S, DRAINED_S = 4.0, 13.0
MAX_LOADING_SHARE = 0.5  # of the time of a load, that its model may be listed before the end
LOADED_S = 0.15  # what is loaded so soon tells nothing
WATCHED_S = 1.5
LONG_WORDS = "tick tock " * 1500  # about 3000 tokens
SAMPLE, ROUGHLY = 10, 3  # the share of one that tells, by so many times, how long it will take
READINGS = ((0.5, 6), (3.0, 3), (6.0, 2))  # seconds of one, and how many nobody waits for
TELLING_S = 0.6  # to read them all: what is quicker cannot be told from nothing
SURE = 0.8  # of that time: a server that stops reading, by batches even of 2048, is far from it
SHORT, LONG = 1024, 2048  # windows


@contextmanager
def asking(target: Target, request: Request, count: int = 1) -> Iterator[list[Line]]:
    """So many connections on which this was asked; they are hung up at the end at the latest."""
    lines: list[Line] = []
    try:
        for _ in range(count):
            lines.append(line(target))
            lines[-1].send(encoded_bytes(target, request))
        yield lines
    finally:
        for one in lines:
            one.close()


def read_only(target: Target, share: int = 1, **options: Json) -> Request:
    """A long prompt, or a share of it, that nobody has seen before, and one token after it."""
    prompt = f"{secrets.token_hex(6)} {LONG_WORDS[: len(LONG_WORDS) // share]}"
    ask = {"model": target.model, "prompt": prompt, "raw": True, "stream": False}
    ask["options"] = {"num_predict": 1, "temperature": 0, "num_ctx": 4096, **options}
    body = json.dumps(ask).encode()
    return encoded("POST", "/api/generate", body, {"Content-Type": "application/json"})


@check(
    "lifecycle/listed-when-whole",
    SHOULD,
    group="lifecycle",
    source="server/sched.go:loadedModels",
    covers=("PS-010", "PS-002"),
    breaks=(OPEN_WEBUI, GO),
    race=True,
    alone=True,
)
def listed_when_whole(target: Target) -> Verdict:
    """A model that is being loaded is not yet in /api/ps; once listed, all is told of it."""
    name = other_weights(target, "loading")
    aside, answered, ended = Target(target.setup), list[Exchange](), list[float]()

    def ask() -> None:
        answered.append(target.post("/api/generate", model=name, keep_alive="1m"))
        ended.append(time.monotonic())

    started = time.monotonic()
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    first = 0.0
    while thread.is_alive():
        told = aside.get("/api/ps")
        mine = [one for one in told.ok.object["models"] if one.get("name") == tagged(name)]
        wrong = violation(told.object, "ps", "response")
        if mine and (wrong is not None or not mine[0]["size"] or not mine[0]["context_length"]):
            return expect_that(False, "an entry that tells all", wrong or mine[0], told)
        first = first or (time.monotonic() if mine else 0.0)
        time.sleep(0.005)
    target.post("/api/generate", model=name, keep_alive=0)
    took, early = ended[0] - started, ended[0] - first if first else 0.0
    late = took < LOADED_S or early <= took * MAX_LOADING_SHARE
    told_s = f"listed {early:.2f} s before a load of {took:.2f} s was over"
    return every(
        (expect(answered[0].code, 200), expect_that(late, "to be listed when loaded", told_s))
    )


@check(
    "lifecycle/deleted-while-loaded",
    SHOULD,
    group="lifecycle",
    source="server/routes.go:DeleteHandler",
    covers=("DELETE-07", "NAME-007"),
    breaks=(GO,),
    alone=True,
)
def deleted_while_loaded(target: Target) -> Verdict:
    """To delete a model does not let it go: it stays in /api/ps for a while, but answers nobody."""
    name = other_weights(target, "deleted")
    target.post("/api/generate", model=name, keep_alive=3).ok.object["done"]
    before = awaited(lambda: tagged(name) in running(target))
    deleted = target.delete("/api/delete", model=name)
    after = tagged(name) in running(target)
    asked = target.chat(model=name, stream=False, options={"num_predict": 1})
    return expect([before, deleted.code, after, asked.code], [True, 200, True, 404], deleted)


@check(
    "lifecycle/leaving-the-line",
    SHOULD,
    group="lifecycle",
    source="llm/llama_server.go:Completion",
    covers=("CANCEL-003", "CANCEL-010", "SCHED-002"),
    breaks=(JS, OPEN_WEBUI),
    alone=True,
)
def leaving_the_line(target: Target) -> Verdict:
    """Who leaves while others are served is not served: the model is free when those have left."""
    requires_plain(target)
    load(target, keep_alive="10m")
    endless = abandoned(target, HELD, HELD_S, WAITERS + 2)
    held = talk(target, "endless", stream=True, options=endless)
    waits = talk(target, "endless", stream=False, options=endless)
    with ExitStack() as line_up:
        for _ in range(HOLDERS):
            holder = line_up.enter_context(asking(target, held))[0]
            holder.patience(BEGUN_S)
            if not holder.receive(1):
                break  # all places are taken
        with asking(target, waits, WAITERS):
            time.sleep(SENT_S)
        time.sleep(SENT_S)
    return _let_go_soon(target)


def _let_go_soon(target: Target) -> Verdict:
    """Passed if the model can be let go: if nobody is served any more.

    Where somebody is, it waits some more, lest the next check is blamed for it.
    """
    asked = _let_go(target, SOON_S)
    if (left := listed(target)) is None:
        again = target.chat(options={"num_predict": 2}, keep_alive="5m")
        return expect(again.code, 200, again)
    _let_go(Target(target.setup, target.patience), DRAINED_S)
    return expect_that(False, f"the model to leave /api/ps within {SOON_S:g} s", left, asked)


def _let_go(target: Target, wait_s: float) -> Exchange:
    """Unload the model until it is gone, but not for longer than that; the last answer."""
    end = time.monotonic() + wait_s
    while True:
        asked = target.post("/api/generate", model=target.model, keep_alive=0)
        time.sleep(0.05)
        if time.monotonic() > end or listed(target) is None:
            return asked


@check(
    "lifecycle/leaving-before-a-load",
    SHOULD,
    group="lifecycle",
    source="server/sched.go:processPending",
    covers=("CANCEL-004", "SCHED-014"),
    breaks=(OPEN_WEBUI,),
    race=True,
    alone=True,
)
def leaving_before_a_load(target: Target) -> Verdict:
    """Who leaves while waiting for a load has none: no model is loaded that nobody asks for."""
    requires_plain(target)
    brief = abandoned(target, HELD, BRIEF_S)
    load(target, options={"num_ctx": SHORT}, keep_alive="10m")
    held = talk(target, "endless", stream=True, options={**brief, "num_ctx": SHORT})
    options = {"num_ctx": LONG, "num_predict": 1}
    with asking(target, held) as holders:
        holders[0].receive(200)
        with asking(target, talk(target, "greeting", stream=False, options=options)) as waiters:
            waiters[0].patience(2 * SENT_S)
            if waiters[0].receive(1):
                return PASSED  # another window needs no load here
    entry = _watched(target)
    load(target, keep_alive="5m")
    return expect_that(entry is None, f"no model with a window of {LONG}", entry)


def _watched(target: Target) -> Record | None:
    """The entry of our model, should it come to be loaded with the long window."""
    end = time.monotonic() + WATCHED_S
    while time.monotonic() < end:
        entry = listed(target)
        if entry is not None and entry["context_length"] == LONG:
            return entry
        time.sleep(0.03)
    return None


@check(
    "lifecycle/leaving-while-the-prompt-is-read",
    SHOULD,
    group="lifecycle",
    source="runner/ollamarunner/runner.go:processBatch",
    covers=("CANCEL-009", "CANCEL-002"),
    breaks=CHATTERS,
    race=True,
    alone=True,
)
def leaving_while_read(target: Target) -> Verdict:
    """Long prompts whose clients have left are not read to their ends: the next is served soon."""
    requires_plain(target)
    _ = target.script
    short = {"num_predict": 1, "num_ctx": 4096}

    def alone_s(share: int) -> float:
        ask = read_only(target, share)
        return target.request(ask.method, ask.path, ask.body).ok.elapsed_ms / 1e3

    _ = target.chat(options=short).ok  # loaded
    quick_s = quiet_ms(target, "a token", lambda: target.chat(options=short).ok.elapsed_ms) / 1e3
    part_s = quiet_ms(target, "a part of it", lambda: alone_s(SAMPLE) * 1e3) / 1e3
    readings((part_s - quick_s) * SAMPLE / ROUGHLY)  # if far too long, a whole one is not asked for
    whole_s = quiet_ms(target, "a long prompt", lambda: alone_s(1) * 1e3) / 1e3 - quick_s
    count = readings(whole_s)
    whole_s *= count
    if whole_s < TELLING_S:
        return PASSED  # whether they are read to their ends makes no difference
    for _ in range(count):
        with asking(target, read_only(target)):
            time.sleep(0.01)
    got = target.chat(options=short)
    took_s = got.ok.elapsed_ms / 1e3
    told = f"{took_s:.1f} s; to read them all takes {whole_s:.1f} s"
    verdict = expect_that(took_s < whole_s / 2 + quick_s, "soon", told, got)
    return replace(verdict, sure=took_s > SURE * whole_s)


def readings(one_s: float) -> int:
    """How many prompts to abandon where reading one takes so long; ends the check if too long."""
    found = next((count for limit_s, count in READINGS if one_s <= limit_s), None)
    if found is None:
        not_judged(f"to read a prompt of some 3000 tokens takes it {one_s:.0f} s: too long to wait")
    return found


@check(
    "concurrency/line-for-a-load",
    MUST,
    group="concurrency",
    source="server/sched.go:getRunner",
    covers=("SCHED-005", "ERR-021", "SCHED-007"),
    breaks=SDKS,
    alone=True,
)
def line_for_a_load(target: Target) -> Verdict:
    """Many who need a model that is not loaded are served in turn, or told 503 `server busy`."""
    short = {"num_predict": 2}
    question = Question("count", False, options=short)
    alone = text(question.ask(target))
    unload(target)
    answers = target.at_once([lambda: question.ask(target)] * AT_ONCE)
    refused = [one for one in answers if one.code == 503]
    served = [one for one in answers if one.code != 503]
    slowest = max((one.elapsed_ms for one in served if one.code == 200), default=0.0)
    for got in refused:
        if "server busy" not in got.error_text or got.elapsed_ms > max(1000.0, slowest):
            told = f"{got.error_text!r} after {got.elapsed_ms:.0f} ms"
            return expect_that(False, "`server busy` at once", told, got)
    if not target.setup.scripted:  # batches round
        said = [f"{read(one).thinking}{read(one).text}" for one in served]
        return expect_that(bool(said) and all(said), "an answer for each", said)
    somebody = expect_that(bool(served), "somebody to be served", "nobody", answers[0])
    count = len(served)
    return every((somebody, beside(target, [question] * count, [alone] * count, served, text)))

"""Class lifecycle, part three: how long is said in which words, and what ends a stay and what not.

Loading answers with so much and no more; housekeeping does not touch what is loaded.
"""

from __future__ import annotations

import time
from functools import partial

from ..check import MUST, PASSED, SHOULD, Verdict, check, expect, expect_error, expect_that
from ..clients import GO, JS, OPEN_WEBUI, PYTHON, SDKS
from ..evidence import Exchange, Json, Wrong
from ..extra import embedder
from ..moments import moment
from ..provision import create
from ..target import Target
from .busy import offered
from .lifecycle import FAR_S, awaited, listed, load, seconds_left, unload
from .manage import tagged
from .residency import running

NEAR_S = 30.0
SOON_S = 0.5  # the end of an answer is seen to after it
SPELT: dict[str, float] = {
    "90000ms": 90, "5400000000us": 5400, "+90s": 90, ".5h": 1800, "1h0m30s": 3630,
    "1m30.5s": 90.5, "2700000000000ns": 2700,
}  # fmt: skip
FOR_EVER: tuple[Json, ...] = (-0.5, "-1ns", "-0.5s", -2)
NO_DURATIONS: tuple[Json, ...] = (
    "5d", "1w", "5 m", "5M", "5mins", "1h 30m", "m", "", " 5m", "5m ", "1,5h", "-", "never",
    {"seconds": 5}, [300], False,
)  # fmt: skip
LOADED = {
    "/api/generate": {"response": "", "done": True},
    "/api/chat": {"message": {"role": "assistant", "content": ""}, "done": True},
}
EMPTY: dict[str, tuple[dict[str, Json], ...]] = {
    "/api/generate": ({}, {"prompt": ""}, {"prompt": None}),
    "/api/chat": ({}, {"messages": []}, {"messages": None}),
}


@check(
    "lifecycle/durations-are-spelt-so",
    MUST,
    group="lifecycle",
    source="time.ParseDuration",
    covers=("LIFE-011", "LIFE-012", "LIFE-015", "LIFE-016", "REQ-005"),
    breaks=(GO, PYTHON),
    alone=True,
)
def durations_are_spelt_so(target: Target) -> Verdict:
    """keep_alive knows ns to h, signs and fractions; below 0 is for ever; null is none given."""
    load(target)
    wanted: list[tuple[Json, float]] = [*SPELT.items(), (None, SPELT["2700000000000ns"])]
    wanted += [(one, FAR_S) for one in FOR_EVER]
    for n, (given, seconds) in enumerate(wanted):
        path = ("/api/generate", "/api/chat")[n % 2]
        got = target.post(path, model=target.model, keep_alive=given)
        reason = got.ok.object.get("done_reason")
        left = seconds_left(target)
        near = left > FAR_S if seconds == FAR_S else abs(left - seconds) <= NEAR_S
        if reason != "load" or not near:
            told = f"{reason}, expires in {left:.0f} s"
            return expect_that(False, f"keep_alive {given!r}: load, {seconds:g} s", told, got)
    _shortly(target)
    return PASSED


@check(
    "lifecycle/no-other-durations",
    MUST,
    group="lifecycle",
    source="time.ParseDuration",
    covers=("LIFE-013", "LIFE-014", "ERR-004", "REQ-011"),
    breaks=(GO, JS),
)
def no_other_durations(target: Target) -> Verdict:
    """What is no duration is 400 on every route that has keep_alive: nothing is guessed."""
    asks: dict[str, dict[str, Json]] = {"/api/generate": {}, "/api/chat": {"messages": []}}
    if "embeddings" not in target.setup.absent:
        asks |= {"/api/embed": {"input": []}, "/api/embeddings": {"prompt": ""}}
    routes = [*asks.items()]
    for n, given in enumerate(NO_DURATIONS):
        for path, fields in (routes[n % len(routes)], routes[(n + 1) % len(routes)]):
            got = target.post(path, {"model": target.model, **fields}, keep_alive=given)
            found = expect_error(got, (400,))
            if found is not PASSED:
                return found
    return PASSED


@check(
    "lifecycle/answers-of-loading",
    MUST,
    group="lifecycle",
    source="server/routes.go:GenerateHandler",
    covers=("LIFE-001", "LIFE-002", "LIFE-003", "LIFE-004", "STREAM-016", "NAME-004"),
    breaks=(GO, OPEN_WEBUI, *SDKS),
    alone=True,
)
def answers_of_loading(target: Target) -> Verdict:
    """To load and to unload is answered with one object of few fields, streamed or not; it is so.

    Nothing given, an empty text or list, and null are the same; the name comes back as asked.
    """
    streams: tuple[dict[str, Json], ...] = ({}, {"stream": True}, {"stream": False})
    spelt = (target.model, tagged(target.model), target.model.upper())
    for path, fixed in LOADED.items():
        unload(target)
        for keep, reason in (("10m", "load"), (0, "unload")):
            for n, empty in enumerate(EMPTY[path]):
                name = spelt[n % len(spelt)]
                got = target.post(path, {"model": name, "keep_alive": keep, **empty, **streams[n]})
                wrong = _odd(got, {"model": name, "done_reason": reason, **fixed})
                if wrong is not None:
                    return wrong
                if not awaited(partial(_is_there, target, reason == "load")):
                    what = f"the model {'' if reason == 'load' else 'not '}to be in /api/ps"
                    return expect_that(False, what, listed(target), got)
    _shortly(target)
    return PASSED


def _is_there(target: Target, wanted: bool) -> bool:
    return (listed(target) is not None) is wanted


def _shortly(target: Target) -> None:
    """Let our model stay as long as it does for all others."""
    target.post("/api/generate", model=target.model, keep_alive="5m")


def _odd(got: Exchange, wanted: dict[str, object]) -> Verdict | None:
    """What is wrong with an answer of one object that has these fields, and when it was made."""
    found = dict(got.ok.object)
    made = found.pop("created_at", None)
    right = isinstance(made, str) and abs(moment(made) - time.time()) < 86400
    if got.media_type == "application/json" and right and found == wanted:
        return None
    told = {"type": got.media_type, "created_at": made, **found}
    return expect(told, {"type": "application/json", "created_at": "now", **wanted}, got)


@check(
    "lifecycle/every-answer-sets-the-clock",
    MUST,
    group="lifecycle",
    source="server/sched.go:processCompleted",
    covers=("LIFE-017", "LIFE-015", "LIFE-009"),
    breaks=(GO, OPEN_WEBUI),
    alone=True,
)
def every_answer_sets_the_clock(target: Target) -> Verdict:
    """A request without keep_alive, on any route, lets the stay that was given begin anew."""
    load(target, keep_alive="1h")
    asks: list[tuple[str, str, dict[str, Json]]] = [
        ("/api/chat", target.model, {"messages": []}),
        ("/api/generate", target.model, {"prompt": "a", "options": {"num_predict": 1}}),
    ]
    if "embeddings" not in target.setup.absent:  # they come last: it may send the other away
        name = embedder(target)
        asks += [
            ("/api/embed", name, {"input": "a", "keep_alive": "1h"}),
            ("/api/embed", name, {"input": "a"}),
            ("/api/embeddings", name, {"prompt": "a"}),
        ]
    for path, name, fields in asks:
        if "keep_alive" in fields:
            _ = target.post(path, {"model": name, **fields}).ok
            continue
        for wait_s in (0.0, 1.1):  # times may be told in whole seconds
            before = _expires(target, name)
            time.sleep(wait_s)
            got = target.post(path, {"model": name, "stream": False, **fields}).ok
            after, asked_at = before, time.monotonic()
            while after <= before and time.monotonic() - asked_at < SOON_S:
                after = _expires(target, name)
            if after > before:
                break
        if after <= before or abs(after - time.time() - 3600) > NEAR_S:
            told = f"{after - before:+.3f} s, in {after - time.time():.0f} s"
            return expect_that(False, f"{path}: later than before, in an hour", told, got)
    _shortly(target)
    return PASSED


def _expires(target: Target, name: str) -> float:
    """When a model is let go; ours may be told by the name of another of its weights."""
    entry = running(target).get(tagged(name)) or listed(target)
    if entry is None:
        raise Wrong(f"{name} in /api/ps", target.exchanges[-1].loose_text[:300])
    return moment(entry["expires_at"])


@check(
    "lifecycle/housekeeping-unloads-nothing",
    SHOULD,
    group="lifecycle",
    source="server/sched.go",
    covers=("LIFE-018", "DELETE-07", "PS-010", "PS-02"),
    breaks=(OPEN_WEBUI,),
    alone=True,
)
def housekeeping_unloads_nothing(target: Target) -> Verdict:
    """Models are created, copied, shown and deleted beside one that is loaded: it stays.

    It is listed once, with the details that show tells.
    """
    offered(target, "create")
    before = load(target, keep_alive="1h")
    details = target.post("/api/show", model=before["name"]).ok.object["details"]
    if before["details"] != {**details, "parent_model": ""}:
        return expect(before["details"], {**details, "parent_model": ""})
    name, other = target.temporary("beside"), target.temporary("beside-copy")
    create(target, name, **{"from": target.plain, "system": "Hi."})
    steps = [
        ("create", target.post("/api/show", model=name)),
        ("copy", target.post("/api/copy", source=name, destination=other)),
        ("delete", target.delete("/api/delete", model=other)),
    ]
    for what, got in steps:
        _ = got.ok
        models = target.get("/api/ps").ok.object["models"]
        mine = [one["name"] for one in models if target.setup.token in one["name"]]
        if mine.count(before["name"]) != 1:
            return expect_that(False, f"{before['name']} once, after {what}", mine, got)
    left = seconds_left(target)
    _shortly(target)
    return expect_that(left > 3500, "an hour to stay", left)

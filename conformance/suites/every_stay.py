"""Class lifecycle: a stay is set, and ended, by requests of every form and spelling."""

from __future__ import annotations

from collections.abc import Iterator

from ..check import MUST, PASSED, Verdict, check, expect, expect_that
from ..clients import GO, OPEN_WEBUI, SDKS
from ..evidence import Json
from ..target import Target
from .lifecycle import awaited, listed, load, seconds_left, unload
from .manage import tagged
from .residency import running

NEAR_S = 30.0
Form = tuple[str, str, dict[str, Json]]


def _forms(target: Target) -> Iterator[Form]:
    """Both routes, streamed and not, with something to say and without, by every spelling."""
    asked: Json = [{"role": "user", "content": "Hi"}]
    spelt = (target.model.upper(), tagged(target.model), target.model)
    short: Json = {"num_predict": 1}
    n = 0
    for path, said in (("/api/generate", {"prompt": "Hi"}), ("/api/chat", {"messages": asked})):
        for fields in (said, {}):
            for stream in (True, False):
                n += 1
                yield path, spelt[n % 3], {"stream": stream, "options": short, **fields}


@check(
    "lifecycle/stay-of-every-form",
    MUST,
    group="lifecycle",
    source="server/sched.go:useLoadedRunner",
    covers=("LIFE-012", "LIFE-016", "PS-003", "NAME-002"),
    breaks=(GO, OPEN_WEBUI, *SDKS),
    alone=True,
)
def stay_of_every_form(target: Target) -> Verdict:
    """keep_alive of any request counts, after for ever too; the model is listed once, by its name.

    It is one model, whatever the case of the name that it is asked by.
    """
    load(target, keep_alive=-1)
    for n, (path, name, fields) in enumerate(_forms(target), 20):
        stay: Json = n * 60 if fields["stream"] else f"{n}m"
        got = target.post(path, {"model": name, "keep_alive": stay, **fields})
        _ = got.ok
        awaited(lambda wanted=n * 60: abs(seconds_left(target) - wanted) <= NEAR_S)  # type: ignore[misc]
        left = seconds_left(target)
        if abs(left - n * 60) > NEAR_S:
            return expect_that(False, f"{path}: to go in {n} min", f"in {left:.0f} s", got)
        ours = [one for one in running(target) if one.lower() == tagged(target.model).lower()]
        if ours not in ([tagged(target.model)], []):  # none: told by another of its weights
            return expect(ours, [tagged(target.model)], got)
    target.post("/api/generate", model=target.model, keep_alive="5m")
    return PASSED


@check(
    "lifecycle/zero-of-every-form",
    MUST,
    group="lifecycle",
    source="server/sched.go:processCompleted",
    covers=("LIFE-008", "LIFE-003", "LIFE-004"),
    breaks=(GO, OPEN_WEBUI, *SDKS),
    alone=True,
)
def zero_of_every_form(target: Target) -> Verdict:
    """keep_alive 0 lets the model go, be the request streamed or not, empty or not."""
    unload(target)
    for n, (path, name, fields) in enumerate(_forms(target)):
        if n % 2 and n != 1:
            continue  # each is a load: what is not streamed is tried once
        _ = target.post("/api/generate", model=target.model, keep_alive="5m").ok
        if not awaited(lambda: listed(target) is not None):
            return expect_that(False, "the model in /api/ps", listed(target))
        got = target.post(path, {"model": name, "keep_alive": 0, **fields})
        _ = got.ok
        if not awaited(lambda: listed(target) is None):
            what = f"{path} with keep_alive 0: the model to leave /api/ps"
            return expect_that(False, what, listed(target), got)
    return PASSED

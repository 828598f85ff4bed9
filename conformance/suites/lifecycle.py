"""Class lifecycle: models are loaded, listed by /api/ps, kept for a while, and let go."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from ..check import (
    MUST,
    PASSED,
    SHOULD,
    Verdict,
    check,
    every,
    expect,
    expect_error,
    expect_that,
    not_judged,
)
from ..clients import GO, OPEN_WEBUI, PYTHON, SDKS
from ..evidence import Json, Record, Wrong
from ..moments import moment
from ..reply import read
from ..schema import violation
from ..target import Target

DEADLINE_S = 8.0  # release is asynchronous
NO_DURATIONS: tuple[Json, ...] = ("soon", True, [], "5x")
FAR_S = 10 * 365 * 86400.0
SLACK_S = 0.2  # the real one is exact to a millisecond

Found = TypeVar("Found")


def listed(target: Target) -> Record | None:
    """The entry of our model in /api/ps; models of the same weights share one (LIFE-021)."""
    models = target.get("/api/ps").ok.object["models"]
    if not isinstance(models, list):
        raise Wrong("`models` to be a list", models)
    names = {target.setup.model, target.setup.plain} - {None}
    tagged = {name if ":" in str(name).rpartition("/")[2] else f"{name}:latest" for name in names}
    return next((one for one in models if one.get("name") in tagged), None)


def load(target: Target, **fields: Json) -> Record:
    """Load the model afresh and give its entry."""
    unload(target)
    target.post("/api/generate", {"model": target.model, "keep_alive": "5m", **fields}).ok.object[
        "done"
    ]
    entry = awaited(lambda: listed(target))
    if entry is None:
        raise Wrong("the loaded model in /api/ps", target.exchanges[-1].loose_text[:300])
    return entry


def unload(target: Target) -> None:
    """Let both models go and wait until they are gone."""
    for name in (target.setup.model, target.setup.plain):
        if name is not None:
            target.post("/api/generate", model=name, keep_alive=0)
    if not awaited(lambda: listed(target) is None):
        raise Wrong("the model to leave /api/ps after keep_alive 0", listed(target))


def awaited(look: Callable[[], Found]) -> Found:
    """What `look` gives, as soon as it is something; at the deadline whatever it is."""
    end = time.monotonic() + DEADLINE_S
    while True:
        found = look()
        if found or time.monotonic() > end:
            return found
        time.sleep(0.02)


@check(
    "lifecycle/listed-when-loaded",
    MUST,
    group="lifecycle",
    alone=True,
    source="docs/api.md#list-running-models",
    covers=("LIFE-001", "PS-001", "PS-002", "PS-01"),
    breaks=(*SDKS, OPEN_WEBUI),
)
def listed_when_loaded(target: Target) -> Verdict:
    """A loaded model is in /api/ps: name, model, size, digest, details, expires_at and more."""
    load(target)
    got = target.get("/api/ps")
    told = violation(got.ok.object, "ps", "response")
    return expect_that(told is None, "an answer that is valid by its schema", told, got)


@check(
    "lifecycle/unloaded-on-demand",
    MUST,
    group="lifecycle",
    alone=True,
    source="docs/api.md#unload-a-model",
    covers=("LIFE-003", "LIFE-004", "CLIENT-OWUI-04"),
    breaks=(GO, OPEN_WEBUI),
)
def unloaded_on_demand(target: Target) -> Verdict:
    """keep_alive 0 without a prompt unloads: done_reason unload, twice if asked twice."""
    load(target)
    for path in ("/api/generate", "/api/chat"):
        for _ in "12":
            got = target.post(path, model=target.model, keep_alive=0)
            if got.ok.object["done_reason"] != "unload":
                return expect(got.object["done_reason"], "unload", got)
    gone = awaited(lambda: listed(target) is None)
    return expect_that(gone, "the model to leave /api/ps", listed(target))


@check(
    "lifecycle/zero-after-an-answer",
    MUST,
    group="lifecycle",
    alone=True,
    source="docs/faq.md#keep-a-model-loaded",
    covers=("LIFE-008", "CHAT-005"),
    breaks=SDKS,
)
def zero_after_an_answer(target: Target) -> Verdict:
    """A question with keep_alive 0 is answered, and the model is let go after it."""
    load(target)
    got = target.chat(keep_alive=0)
    answered = expect(read(got).reason in ("stop", "length"), True, got)
    gone = awaited(lambda: listed(target) is None)
    return every((answered, expect_that(gone, "the model to leave /api/ps", listed(target))))


@check(
    "lifecycle/expires",
    MUST,
    group="lifecycle",
    alone=True,
    source="docs/faq.md#keep-a-model-loaded",
    covers=("LIFE-018", "LIFE-010", "GEN-011"),
    breaks=SDKS,
)
def expires(target: Target) -> Verdict:
    """A model is let go when its keep_alive has passed without a request."""
    unload(target)
    target.post("/api/generate", model=target.model, keep_alive=0.5).ok.object["done"]
    gone = awaited(lambda: listed(target) is None)
    target.post("/api/generate", model=target.model, keep_alive="5m")
    return expect_that(gone, "the model to leave /api/ps after half a second", "it stays")


@check(
    "lifecycle/keep-alive-forms",
    MUST,
    group="lifecycle",
    alone=True,
    source="api/types.go:Duration",
    covers=("LIFE-010", "LIFE-011", "LIFE-016", "PS-006"),
    breaks=(PYTHON, GO),
)
def keep_alive_forms(target: Target) -> Verdict:
    """keep_alive is a number of seconds or a duration such as "1h30m"; the last one counts."""
    load(target)
    for given, seconds in (
        (600, 600), (90.5, 90.5), ("90s", 90), ("1h30m", 5400), ("1.5h", 5400), ("200h", 720_000),
    ):  # fmt: skip
        read(target.chat(keep_alive=given, options={"num_predict": 1}))
        if not awaited(lambda seconds=seconds: abs(seconds_left(target) - seconds) <= 30):  # type: ignore[misc]
            told = f"keep_alive {given!r}: expires in {seconds_left(target):.0f} s"
            return expect_that(False, f"expires in about {seconds} s", told)
    return PASSED


@check(
    "lifecycle/expires-at-stands",
    MUST,
    group="lifecycle",
    alone=True,
    race=True,
    source="server/sched.go:processCompleted",
    covers=("LIFE-010", "LIFE-011", "LIFE-017"),
    breaks=(PYTHON, GO),
)
def expires_at_stands(target: Target) -> Verdict:
    """expires_at is the end of the last answer and its keep_alive, fractions too, and stands."""
    load(target)
    for given, seconds, wait_s in ((90.5, 90.5, 0), ("2m0.5s", 120.5, 2 * SLACK_S)):
        got = target.chat(keep_alive=given, options={"num_predict": 1})
        ended = moment(got.ok.object["created_at"])
        awaited(lambda seconds=seconds: abs(seconds_left(target) - seconds) <= 30)  # type: ignore[misc]
        time.sleep(wait_s)
        left = _expiry(target) - ended
        if abs(left - seconds) > SLACK_S:
            expected = f"{seconds} s after the answer for keep_alive {given!r}"
            return expect_that(False, expected, f"{left:.3f} s")
    return PASSED


@check(
    "lifecycle/keep-alive-forever",
    MUST,
    group="lifecycle",
    alone=True,
    source="docs/faq.md#keep-a-model-loaded",
    covers=("LIFE-012", "LIFE-019"),
    breaks=(GO,),
)
def keep_alive_forever(target: Target) -> Verdict:
    """A negative keep_alive means for ever: expires_at lies years ahead."""
    for given in (-1, "-1m"):
        read(target.chat(keep_alive=given, options={"num_predict": 1}))
        if not awaited(lambda: seconds_left(target) > FAR_S):
            return expect_that(
                False, "years", f"keep_alive {given!r}: {seconds_left(target):.0f} s"
            )
    load(target, keep_alive="5m")
    return PASSED


@check(
    "lifecycle/keep-alive-kept",
    MUST,
    group="lifecycle",
    alone=True,
    source="server/sched.go:useLoadedRunner",
    covers=("LIFE-015", "LIFE-017"),
    breaks=SDKS,
)
def keep_alive_kept(target: Target) -> Verdict:
    """A request without keep_alive leaves a loaded model the one it had."""
    load(target, keep_alive="2h")
    target.chat(options={"num_predict": 1})
    left = seconds_left(target)
    load(target, keep_alive="5m")
    return expect_that(6900 < left < 7300, "expires in about 7200 s", f"{left:.0f} s")


@check(
    "lifecycle/default-is-minutes",
    SHOULD,
    group="lifecycle",
    alone=True,
    source="docs/faq.md#keep-a-model-loaded",
    covers=("LIFE-015", "LIFE-020"),
)
def default_is_minutes(target: Target) -> Verdict:
    """A model loaded without keep_alive expires in five minutes, or when its owner says."""
    unload(target)
    target.post("/api/generate", model=target.model).ok.object["done"]
    entry = listed(target)
    if entry is None:
        not_judged("its owner may have set OLLAMA_KEEP_ALIVE to 0")
    left = moment(entry["expires_at"]) - time.time()
    return expect_that(left > 0, "a time to come", f"{left:.0f} s")


@check(
    "lifecycle/bad-keep-alive",
    MUST,
    group="lifecycle",
    source="api/types.go:Duration",
    covers=("LIFE-013", "LIFE-014", "ERR-004"),
)
def bad_keep_alive(target: Target) -> Verdict:
    """A keep_alive that is no duration is 400."""
    return every(expect_error(target.chat(keep_alive=value), (400,)) for value in NO_DURATIONS)


@check(
    "lifecycle/window-is-told",
    MUST,
    group="lifecycle",
    alone=True,
    source="docs/api.md#list-running-models",
    covers=("PS-008", "OPT-014"),
    breaks=(GO,),
)
def window_is_told(target: Target) -> Verdict:
    """context_length in /api/ps is the num_ctx that the model was loaded with, again too."""
    entry = load(target, options={"num_ctx": 1024})
    _ = target.post("/api/generate", model=target.model, options={"num_ctx": 768}).ok

    def told() -> Json:
        now = listed(target)
        return now["context_length"] if now else None

    awaited(lambda: told() == 768)
    return expect([entry["context_length"], told()], [1024, 768])


@check(
    "lifecycle/sizes",
    SHOULD,
    group="lifecycle",
    alone=True,
    source="llm/server.go:MemorySize",
    covers=("PS-007",),
    breaks=(GO,),
)
def sizes(target: Target) -> Verdict:
    """size is positive, and size_vram between 0 and size."""
    entry = load(target)
    size, vram = entry["size"], entry["size_vram"]
    holds = isinstance(size, int) and isinstance(vram, int) and 0 <= vram <= size and size > 0
    return expect_that(holds, "0 <= size_vram <= size", {"size": size, "size_vram": vram})


@check(
    "lifecycle/digest-of-tags",
    SHOULD,
    group="lifecycle",
    alone=True,
    source="server/routes.go:PsHandler",
    covers=("PS-003", "PS-004", "PS-005"),
)
def digest_of_tags(target: Target) -> Verdict:
    """A model has the same name and digest in /api/ps as in /api/tags."""
    entry = load(target)
    models = target.get("/api/tags").ok.object["models"]
    known = {one["name"]: one["digest"] for one in models}
    return expect([entry["model"], entry["digest"]], [entry["name"], known.get(entry["name"])])


def seconds_left(target: Target) -> float:
    """Seconds until our model expires, by /api/ps; -1 where it is not loaded."""
    entry = listed(target)
    return moment(entry["expires_at"]) - time.time() if entry else -1.0


def _expiry(target: Target) -> float:
    """When our model expires, in seconds since 1970."""
    entry = listed(target)
    if entry is None:
        raise Wrong("the model in /api/ps", target.exchanges[-1].loose_text[:300])
    return moment(entry["expires_at"])

"""Class streaming, part two: several clients at once, and clients that leave."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

from ..bytewise import hang_up_at
from ..calm import abandoned, quickest
from ..check import MUST, PASSED, Verdict, check, expect_that
from ..clients import CHATTERS
from ..likeness import expect_again
from ..target import Target
from ..together import at_once
from .arrival import talk
from .busy import meanwhile
from .concurrency import Question, beside, text
from .streaming import summed


@check(
    "stream/concurrent",
    MUST,
    group="streaming",
    source="docs/faq.md#concurrency",
    covers=("SCHED-001", "SCHED-021"),
    breaks=CHATTERS,
)
def concurrent(target: Target) -> Verdict:
    """Eight requests at once are each answered as if they were alone."""
    ids = [id for id in ("greeting", "count", "prose", "endless") for _ in range(2)]
    bound = {"num_predict": 30}
    questions = [Question(id, bool(n % 2), options=bound) for n, id in enumerate(ids)]
    alone = [text(one.ask(target)) for one in questions]
    got = target.at_once([partial(one.ask, target) for one in questions])
    return beside(target, questions, alone, got, text)


@check(
    "stream/hang-up-frees",
    MUST,
    group="streaming",
    source="server/routes.go:ChatHandler",
    covers=("CANCEL-001", "CANCEL-010", "CLIENT-JS-OLL-11"),
    breaks=CHATTERS,
    race=True,
    alone=True,
)
def hang_up_frees(target: Target) -> Verdict:
    """Clients that hang up free their place: the next request is answered as promptly as ever."""
    long = abandoned(target, 2000 if target.setup.scripted else 400, 2.0)
    before = quickest(lambda: target.chat(options={"num_predict": 4})).elapsed_ms
    limit = max(1500.0, 10 * before)
    for stream in (True, False):
        _ = at_once([partial(_leave, target, long, stream) for _ in range(6)])
        got = target.chat(options={"num_predict": 4})
        if got.ok.elapsed_ms >= limit:
            told = f"{got.elapsed_ms:.0f} ms; before it was {before:.0f} ms"
            return expect_that(False, f"an answer within {limit:.0f} ms", told, got)
    return PASSED


def _leave(target: Target, options: dict[str, Any], stream: bool) -> None:
    """Begin a long answer, and hang up on it."""
    if stream:
        body = _long_ask(target, options)
        target.request("POST", "/api/chat", body, None, hang_up_after=2)
    elif target.address.scheme == "http":
        asked = talk(target, "endless", stream=False, options=options)
        hang_up_at(target, asked, None, 0)


def _long_ask(target: Target, options: dict[str, Any]) -> bytes:
    ask = {"model": target.model, **target.asked("endless"), "options": target.options(options)}
    return json.dumps(ask).encode()


@check(
    "stream/hang-up-leaves-others",
    MUST,
    group="streaming",
    source="server/routes.go:ChatHandler",
    covers=("CANCEL-008",),
    breaks=CHATTERS,
)
def hang_up_leaves_others(target: Target) -> Verdict:
    """A client that hangs up does not disturb another one's answer."""
    staying = Question("count", True, options={"num_predict": 100})
    alone = summed(staying.ask(target))
    leaver = _long_ask(target, {"num_predict": 300})
    with meanwhile(target, staying) as end:
        target.request("POST", "/api/chat", leaver, None, hang_up_after=3)
        got = end()
    return expect_again(target, summed(got), alone, got)

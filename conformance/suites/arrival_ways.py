"""Class streaming, part four: what is asked for beside an answer holds none of it back."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import pairwise

from ..calm import calmly
from ..check import MUST, PASSED, SHOULD, Outcome, Verdict, check, every, expect_that, not_judged
from ..clients import CHATTERS, LANGCHAIN, LANGCHAIN_JS, SDKS
from ..evidence import Exchange, Json
from ..target import Target
from .keywords import CALLING
from .shown import made
from .streaming import LONG, spread

NUMBERS = " ".join(str(n) for n in range(1, 200))  # all that a schema leaves to say
TOOL: Json = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
BEATS = range(2, 9)  # records that are flushed together
MAX_SHARE = 0.85  # of a stream's time, before one of so many: a half is usual for two, or less
TOO_LONG = 3  # times the mean
FEWEST = 5  # records that tell how fast they come
MAX_LAST_MS, MAX_TOKENS = 120.0, 5  # for the end of an answer: this, and the time of some tokens


def ways(target: Target) -> dict[str, Callable[..., Exchange]]:
    """Long answers, by what is asked for beside them."""
    asked = partial(target.chat, "count", stream=True, options=LONG)
    prompt = [{"role": "user", "content": target.recital("count").prompt}]
    calling = made(target, "arriving", template=CALLING)
    return {
        "generate": partial(target.generate, "count", stream=True, options=LONG),
        "logprobs": partial(asked, logprobs=True),
        "stop": partial(asked, options={**LONG, "stop": ["a stop that never comes"]}),
        "tools": partial(asked, model=calling, messages=prompt, tools=[TOOL]),
        "format": partial(asked, model=target.plain, format={"const": NUMBERS}),
    }


@check(
    "stream/arrives-in-every-way",
    MUST,
    group="streaming",
    source="server/routes.go:streamResponse",
    covers=("STREAM-004", "STREAM-018", "LOGP-006"),
    breaks=(*CHATTERS, *SDKS, LANGCHAIN, LANGCHAIN_JS),
    race=True,
    alone=True,
)
def arrives_in_every_way(target: Target) -> Verdict:
    """With tools that are not called, a format, log probabilities or stop strings answers stream.

    What might be the beginning of a call or of a stop string is held back, not all that is said.
    """
    _ = target.script
    for name, ask in ways(target).items():
        _ = ask(options={"num_predict": 2}).ok  # loaded
        verdict = calmly(partial(_came, target, ask))
        if verdict.outcome is not Outcome.PASSED:
            return expect_that(
                False, f"{name}: {verdict.expected}", verdict.actual, verdict.evidence
            )
    return PASSED


def _came(target: Target, ask: Callable[[], Exchange]) -> Verdict:
    return spread(target, ask())


@check(
    "stream/none-waits-for-the-next",
    SHOULD,
    group="streaming",
    source="server/routes.go:streamResponse",
    covers=("STREAM-004",),
    breaks=CHATTERS,
    race=True,
    alone=True,
)
def none_waits_for_the_next(target: Target) -> Verdict:
    """Each record is flushed by itself, not every second one with the next.

    The time of a stream passes before every record alike. Where it all passes before each second
    one, or third, they are sent together; what a busy machine gathers has no such beat.
    """
    _ = target.script
    target.chat("count", options={"num_predict": 2})
    return calmly(lambda: _beatless(target))


def _beatless(target: Target) -> Verdict:
    got = target.chat("count", stream=True, options=LONG).ok
    times = got.arrivals_ms
    gaps = [after - before for before, after in pairwise(times)]
    most = TOO_LONG * sum(gaps) / len(gaps)  # one pause is no beat
    gaps = [min(gap, most) for gap in gaps]
    for beat in BEATS:
        share = max(sum(gaps[first::beat]) for first in range(beat)) / sum(gaps)
        if share > MAX_SHARE:
            told = f"{share:.0%} of the time passes before one record of {beat}"
            return expect_that(False, f"at most {MAX_SHARE:.0%}: each as it is made", told, got)
    return PASSED


@check(
    "stream/last-comes-at-once",
    SHOULD,
    group="streaming",
    source="server/routes.go:streamResponse",
    covers=("STREAM-004", "STREAM-007"),
    breaks=(*CHATTERS, *SDKS),
    race=True,
    alone=True,
)
def last_comes_at_once(target: Target) -> Verdict:
    """The last record comes right after the last of the text: nobody waits to know that."""
    target.chat("count", options={"num_predict": 2})
    return every(
        calmly(partial(_at_once, ask))
        for ask in (
            partial(target.chat, "count", stream=True, options={"num_predict": 120}),
            partial(target.generate, "greeting", stream=True),
        )
    )


def _at_once(ask: Callable[[], Exchange]) -> Verdict:
    got = ask().ok
    times = got.arrivals_ms
    if len(times) < FEWEST:
        not_judged(f"a stream of {len(times)} records")
    last, each = times[-1] - times[-2], (times[-2] - times[0]) / (len(times) - 2)
    most = MAX_LAST_MS + MAX_TOKENS * each
    told = f"{last:.0f} ms after the one before"
    return expect_that(last <= most, f"the last record within {most:.0f} ms", told, got)

"""Class concurrency: many ask at once, and each is answered as if nobody else were there."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from ..bytewise import hang_up_at
from ..calm import abandoned, quickest
from ..check import (
    MUST,
    PASSED,
    SHOULD,
    Outcome,
    Verdict,
    check,
    every,
    expect,
    expect_that,
    not_judged,
)
from ..clients import CHATTERS, SDKS
from ..evidence import Exchange, Json, Request, Wrong
from ..likeness import expect_again
from ..reply import COUNTS, read
from ..target import NOBODY, Target
from .arrival import PROMPT_MS, requires_plain, talk

CROWD = 16
STORM = 8  # as many as lifecycle/hang-up-lets-go; larger ones wedged the original's runner
STORM_S = 1.5  # of each, for a server that makes it all the same
AGAIN = 4  # answers given alone, before company is blamed for one
QUEUE = 24  # more than most servers answer at a time


@dataclass(frozen=True, slots=True)
class Question:
    """One of a crowd: what it asks, and how."""

    id: str
    stream: bool
    path: str = "/api/chat"
    options: Mapping[str, Any] = field(default_factory=dict)
    fields: Mapping[str, Any] = field(default_factory=dict)

    def ask(self, target: Target, marker: int = 0) -> Exchange:
        """Ask it."""
        say = target.chat if self.path == "/api/chat" else target.generate
        return say(self.id, stream=self.stream, options=self.options, **self.fields)


MIXED = (
    Question("greeting", True),
    Question("greeting", False, options={"num_predict": 2}),
    Question("greeting", True, "/api/generate"),
    Question("count", True, options={"num_predict": 24}),
    Question("count", False, options={"num_predict": 30, "stop": ["9"]}),
    Question("prose", True, options={"seed": 3, "num_predict": 20}),
    Question("prose", False, "/api/generate", options={"stop": ["e"]}),
    Question("endless", True, options={"num_predict": 18}),
    Question("endless", False, options={"num_predict": 13}),
    Question("count", True, "/api/generate", options={"num_predict": 7}),
)
SCRIPTED = (
    Question("greeting-system", True),
    Question("history", False),
    Question("history-other", True),
    Question("unicode-emoji", True, options={"num_predict": 30}),
    Question("unicode-cjk", False, options={"num_predict": 30}),
    Question("tool-call", True),
    Question("tool-parallel", False),
    Question("think", True),
    Question("think-off", False),
    Question("json", False, options={"num_predict": 40}, fields={"format": "json"}),
    Question("greeting", True, fields={"logprobs": True}),
    Question("prose", False, "/api/generate", {"num_predict": 20}, {"logprobs": True}),
)


def crowd(target: Target) -> list[Question]:
    """All questions that this target's model can be asked."""
    if not target.setup.scripted:
        return [one for one in MIXED if one.id in ("greeting", "count", "prose", "endless")]
    known = target.script.recitals
    absent = {"thinking": "think", "tools": "tool", "format": "json"}
    skipped = [word for group, word in absent.items() if group in target.setup.absent]
    found = [one for one in (*MIXED, *SCRIPTED) if one.id in known]
    return [one for one in found if not one.id.startswith(tuple(skipped) or ("\0",))]


def told(got: Exchange) -> dict[str, Any]:
    """All of an answer that must not depend on who else asks."""
    reply = read(got)
    counts = {name: reply.count(name) for name in COUNTS}
    said = {"text": reply.text, "thinking": reply.thinking, "calls": reply.functions}
    entries = [entry for record in reply.records for entry in record.get("logprobs") or ()]
    spelled = [entry["token"] for entry in entries]  # what they are told as differs by noise
    more = {"tokens": spelled, "context": reply.final.get("context")}
    return {**said, "reason": reply.reason, **counts, **more}


def text(got: Exchange) -> str:
    """What an answer says."""
    return read(got).text


def beside(
    target: Target,
    questions: Sequence[Question],
    alone: Sequence[object],
    got: Sequence[Exchange],
    of: Callable[[Exchange], object] = told,
) -> Verdict:
    """Passed if each was answered in company as alone, in the form in which it was asked.

    Ends the check where one is answered alone once so, once so: then company is not the cause.
    """
    for question, was, one in zip(questions, alone, got, strict=True):
        verdict = expect_again(target, of(one), was, one)
        if verdict.outcome is not Outcome.PASSED:
            again = [of(question.ask(target)) for _ in range(AGAIN)]
            way = "streamed" if question.stream else "in one object"
            _blames_company(again, f"alone, and {way}, {question.id!r} is answered")
            return verdict
    return PASSED


def _blames_company(again: Sequence[object], what: str) -> None:
    """End the check where answers given alone differ among themselves."""
    if any(one != again[0] for one in again):
        not_judged(f"{what} once so, once so: stream/second-time-the-same judges that")


@check(
    "concurrency/mixed-crowd",
    MUST,
    group="concurrency",
    source="docs/faq.md#concurrency",
    covers=("SCHED-001", "SCHED-021"),
    breaks=CHATTERS,
)
def mixed_crowd(target: Target) -> Verdict:
    """Mixed in stream, route, options, format and length, each answer is the one given alone."""
    questions = crowd(target)
    alone = [told(one.ask(target)) for one in questions]
    got = target.at_once([partial(one.ask, target) for one in questions])
    return beside(target, questions, alone, got)


@check(
    "concurrency/same-question",
    MUST,
    group="concurrency",
    source="docs/faq.md#concurrency",
    covers=("SCHED-001",),
    breaks=CHATTERS,
)
def same_question(target: Target) -> Verdict:
    """One question asked many times at once has one answer."""
    question = Question("count", True, options={"num_predict": 20})
    alone = told(question.ask(target))
    got = target.at_once([partial(question.ask, target)] * CROWD)
    return beside(target, [question] * CROWD, [alone] * CROWD, got)


@check(
    "concurrency/long-queue",
    MUST,
    group="concurrency",
    source="llm/llama_server.go:Completion",
    covers=("SCHED-002", "SCHED-001"),
    breaks=SDKS,
)
def long_queue(target: Target) -> Verdict:
    """More requests than are answered at a time wait for their turn: none is refused or lost."""
    bound = {"num_predict": 12}
    both = [Question(id, False, options=bound) for id in ("greeting", "count")]
    alone = [told(one.ask(target)) for one in both]
    questions = both * (QUEUE // 2)
    got = target.at_once([partial(one.ask, target) for one in questions])
    return beside(target, questions, alone * (QUEUE // 2), got)


@check(
    "concurrency/errors-beside-answers",
    MUST,
    group="concurrency",
    source="server/routes.go",
    covers=("ERR-055", "SCHED-001"),
    breaks=CHATTERS,
)
def errors_beside_answers(target: Target) -> Verdict:
    """Each faulty request among good ones gets the error of its own, and disturbs no other."""
    question = Question("count", True, options={"num_predict": 40})
    alone = told(question.ask(target))
    faulty: list[Callable[[], Exchange]] = [
        partial(target.post, "/api/chat", model=f"{NOBODY}-a", messages=[]),
        partial(target.post, "/api/generate", model=f"{NOBODY}-b", prompt="x"),
        partial(target.chat, options={"temperature": "hot"}),
        partial(target.chat, keep_alive="soon"),
        partial(target.request, "POST", "/api/chat", b"{"),
    ]
    expected = [one() for one in faulty]
    good: list[Callable[[], Exchange]] = [partial(question.ask, target)] * 4
    got = target.at_once([*faulty, *good])
    errors = [(one.code, one.error_text) for one in got[: len(faulty)]]
    answered = beside(target, [question] * 4, [alone] * 4, got[len(faulty) :])
    return every((expect(errors, [(one.code, one.error_text) for one in expected]), answered))


@check(
    "concurrency/abort-storm",
    MUST,
    group="concurrency",
    source="server/routes.go:ChatHandler",
    covers=("CANCEL-010", "CANCEL-002", "CANCEL-008"),
    breaks=CHATTERS,
    race=True,
    alone=True,
)
def abort_storm(target: Target) -> Verdict:
    """After one client after the other has left, streaming or not, the server is as before."""
    requires_plain(target)
    questions = crowd(target)[:6]
    alone = [told(one.ask(target)) for one in questions]
    before = quickest(lambda: target.chat("greeting")).elapsed_ms
    left = abandoned(target, 1000, STORM_S)
    storm = [
        talk(
            target,
            "endless",
            ("/api/chat", "/api/generate")[n % 2],
            stream=bool(n % 3),
            options=left,
        )
        for n in range(STORM)
    ]
    _leave_all(target, storm)
    amid = questions[0].ask(target)
    after = target.chat("greeting")
    limit = max(PROMPT_MS, 10 * before)
    said = f"{after.ok.elapsed_ms:.0f} ms; before it was {before:.0f} ms"
    prompt = expect_that(after.elapsed_ms < limit, f"an answer within {limit:.0f} ms", said, after)
    if (first := beside(target, questions[:1], alone[:1], [amid])).outcome is not Outcome.PASSED:
        return first
    again = [one.ask(target) for one in questions]
    return every((prompt, beside(target, questions, alone, again)))


def _leave_all(target: Target, storm: list[Request]) -> None:
    """Ask each, read some of it (nothing of an answer that is made whole), and leave: in turn."""
    for request in storm:
        streamed = b'"stream": false' not in (request.body or b"")
        hang_up_at(target, request, None, 300 if streamed else 0)


@check(
    "concurrency/everything-twice",
    MUST,
    group="concurrency",
    source="net/http",
    covers=("HTTP-019", "OPT-039"),
    breaks=CHATTERS,
    alone=True,
)
def everything_twice(target: Target) -> Verdict:
    """Asked twice on one connection, and again on a fresh one, everything is answered the same."""
    requests = [*_table(target)]
    with target.connect() as connection:
        rounds = [[connection.exchange(_alive(one)) for one in requests] for _ in "12"]
    for answers in rounds:
        target.exchanges.extend(answers)
    fresh = [_afresh(target, one) for one in requests]
    first = [normal(one) for one in rounds[0]]
    for answers in (rounds[1], fresh):
        for request, one, was in zip(requests, answers, first, strict=True):
            verdict = expect(normal(one), was, one)
            if verdict.outcome is not Outcome.PASSED:
                again = [normal(_afresh(target, request)) for _ in range(AGAIN)]
                asked = f"{request.method} {request.path}"
                _blames_company(again, f"on connections of its own {asked} is answered")
                return verdict
    return PASSED


def _afresh(target: Target, request: Request) -> Exchange:
    return target.request(request.method, request.path, request.body, {})


def _table(target: Target) -> list[Json]:
    from ..target import encoded

    model = target.model
    found = [talk(target, "greeting"), talk(target, "greeting", stream=False)]
    found += [talk(target, "prose", "/api/generate", options={"num_predict": 20})]
    found += [talk(target, "count", options={"num_predict": 9}, stream=False)]
    if target.setup.scripted:
        found += [talk(target, "history")]
        found += [talk(target, "unicode-emoji", options={"num_predict": 30})]
    plain: list[tuple[str, str, Json]] = [
        ("GET", target.heartbeat, None),
        ("GET", "/api/parallama-check-nothing", None),
        ("POST", "/api/generate", {"model": NOBODY, "prompt": "x"}),
        ("POST", "/api/chat", {"model": model, "messages": 5}),
        ("POST", "/api/chat", {"model": model, "messages": [], "keep_alive": "5m"}),
    ]
    if "manage" not in target.setup.absent:
        plain.append(("POST", "/api/show", {"model": model}))
    for method, path, value in plain:
        body = None if value is None else json.dumps(value).encode()
        found.append(encoded(method, path, body, {}))
    return found


def _alive(request: Json) -> Json:
    """The request, on a connection that stays."""
    from dataclasses import replace

    kept = tuple(pair for pair in request.headers if pair[0].lower() != "connection")
    return replace(request, headers=(*kept, ("Connection", "keep-alive")))


def normal(got: Exchange) -> dict[str, Any]:
    """An answer without what may differ: times, context, how it was cut into records."""
    head = {"status": got.code, "media_type": got.media_type, "tail": got.tail}
    talked = got.request.path in ("/api/chat", "/api/generate") and got.status == 200
    if not talked:
        value = (
            json.loads(got.text) if got.media_type == "application/json" and got.body else got.text
        )
        return {**head, "value": value}
    if got.media_type == "application/json":
        found = got.object
        words = found["message"] if "message" in found else found["response"]
        return {**head, "words": words, "reason": found["done_reason"]}
    if got.records[-1].get("done") is not True:
        raise Wrong("a last record with done true", got.records[-1])
    return {**head, **told(got)}


@check(
    "concurrency/options-do-not-leak",
    SHOULD,
    group="concurrency",
    source="llm/llama_server.go:Completion",
    covers=("SCHED-021",),
    breaks=SDKS,
)
def options_do_not_leak(target: Target) -> Verdict:
    """Stop strings, limits and samplers of one request do nothing to its neighbours."""
    bare = Question("prose", False, options={"num_predict": 30})
    alone = told(bare.ask(target))
    wild: list[dict[str, Any]] = [
        {"temperature": 1.9, "top_k": 0, "top_p": 1.0, "num_predict": 30, "seed": 5},
        {"stop": [" ", "a", "e"], "num_predict": 30},
        {"num_predict": 1},
        {"repeat_penalty": 1.9, "presence_penalty": 1.9, "num_predict": 30},
    ]
    asks = [partial(target.chat, "prose", options=one) for one in wild for _ in "12"]
    mine = [partial(bare.ask, target)] * 4
    got = target.at_once([*mine[:2], *asks, *mine[2:]])
    return beside(target, [bare] * 4, [alone] * 4, [*got[:2], *got[-2:]])

"""Class core: accounting: tokens against the tokenizer, durations and times against our clock."""

from __future__ import annotations

import secrets
from datetime import UTC
from email.utils import parsedate_to_datetime
from functools import partial

from ..arithmetic import load_contexts
from ..calm import calmly
from ..check import MUST, PASSED, SHOULD, Verdict, check, every, expect, expect_that
from ..clients import LANGCHAIN, LANGCHAIN_JS, LITELLM, LLAMAINDEX, PYTHON, SDKS
from ..evidence import Exchange, Json, Record, Wrong
from ..moments import moment
from ..reply import COUNTS, DURATIONS, read
from ..target import Target
from .logprobs import entries

BEGIN = 0  # id of the begin token of the scripted model
MANY, FEW = 200, 20  # tokens
USAGE = "docs/api/usage.mdx"
METRICS = (*COUNTS, *DURATIONS)


def nanoseconds(final: Record) -> dict[str, int]:
    """The durations of a final record; one that is zero may be left out. Raises Wrong."""
    found = {name: final[name] for name in DURATIONS if name in final}
    if any(type(value) is not int or value < 0 for value in found.values()):
        raise Wrong("durations that are whole nanoseconds", found)
    return found


def counts_of(target: Target, id: str, got: Exchange) -> Verdict:
    """Passed if the tokens counted are those of the script."""
    recital = target.recital(id)
    found = [read(got).count(name) for name in COUNTS]
    return expect(found, [recital.prompt_tokens, recital.output_tokens], got)


@check(
    "usage/thoughts-and-calls",
    MUST,
    group="core",
    source=USAGE,
    covers=("MET-005", "MET-006"),
    breaks=(LANGCHAIN, LITELLM),
)
def thoughts_and_calls(target: Target) -> Verdict:
    """Tokens of thoughts and of tool calls are counted, streamed or not."""
    _ = target.script
    return every(
        counts_of(target, id, got)
        for id in ("think", "tool-call", "tool-result", "think-history")
        for got in target.in_both_forms(partial(target.chat, id))
    )


@check(
    "usage/generate-counts",
    MUST,
    group="core",
    source=USAGE,
    covers=("MET-005", "MET-006", "GEN-047"),
    breaks=(LANGCHAIN, LITELLM),
)
def generate_counts(target: Target) -> Verdict:
    """Generate counts as chat does, the begin token of a raw prompt too."""
    plain = ("greeting", "unicode-emoji", "unicode-combining")
    asks = [partial(target.generate, id, stream=True) for id in plain]
    asks.append(partial(target.generate, prompt=target.recital("raw").prompt, raw=True))
    answers = zip((*plain, "raw"), target.several(asks), strict=True)
    return every(counts_of(target, id, got) for id, got in answers)


@check(
    "usage/stopped-count",
    SHOULD,
    group="core",
    source=USAGE,
    covers=("MET-006",),
)
def stopped_count(target: Target) -> Verdict:
    """An answer that a stop string ends has as many tokens as were made until then."""
    _ = target.script
    got = target.chat("count", options={"stop": [" 17 "]})
    found, least = read(got).count("eval_count"), _until(target, " 17 ")
    return expect_that(least <= found <= 44, f"{least} tokens, or some more", found, got)


def _until(target: Target, stop: str) -> int:
    """How many tokens are made until a stop string is whole; 34 where no entries tell that."""
    got, text = target.chat("count", options={"num_predict": 60}, logprobs=True), ""
    for number, one in enumerate(entries(got) if got.object.get("logprobs") else (), 1):
        text += one["token"]
        if stop in text:
            return number
    return 34


@check(
    "usage/context-is-the-tokens",
    SHOULD,
    group="context",
    source="docs/api.md#generate-a-completion",
    covers=("GEN-046",),
)
def context_is_the_tokens(target: Target) -> Verdict:
    """`context` has the ids of the tokens of prompt and answer, in order."""
    _, ids = target.script, ("greeting", "prose")
    answers = target.several(partial(target.generate, id) for id in ids)
    for id, got in zip(ids, answers, strict=True):
        prompt, output = load_contexts()[id]
        found = read(got).final["context"]
        if not isinstance(found, list):
            raise Wrong("a list of token ids", found)
        begun = found[1:] if found[:1] == [BEGIN] else found  # both are seen
        wanted = [*prompt[1:], *output]
        if begun[: len(wanted)] != wanted or len(begun) > len(wanted) + 1:  # an end token
            return expect(begun, wanted, got)
    return PASSED


@check(
    "usage/load-has-none",
    MUST,
    group="core",
    source="server/routes.go:GenerateHandler",
    covers=("MET-002",),
    breaks=(PYTHON,),
)
def load_has_none(target: Target) -> Verdict:
    """An answer that only loads the model has no counts and no durations."""
    answers = (
        target.post("/api/generate", model=target.model),
        target.post("/api/chat", model=target.model, messages=[]),
    )
    return every(
        expect(sorted(set(METRICS) & set(got.ok.object)), [], got) for got in answers
    )  # fmt: skip


@check(
    "usage/warm-load",
    SHOULD,
    group="core",
    source=USAGE,
    covers=("MET-004",),
)
def warm_load(target: Target) -> Verdict:
    """`load_duration` is there and positive for a model that is loaded, and part of the total."""
    target.chat(options={"num_predict": 1})
    got = target.generate(options={"num_predict": 2})
    found = nanoseconds(read(got).final)
    holds = 0 < found.get("load_duration", 0) < found.get("total_duration", 0)
    return expect_that(holds, "0 < load_duration < total_duration", found, got)


@check(
    "usage/cold-load",
    SHOULD,
    group="lifecycle",
    alone=True,
    race=True,
    source=USAGE,
    covers=("MET-003", "MET-004"),
    breaks=(LLAMAINDEX,),
)
def cold_load(target: Target) -> Verdict:
    """The time that loading took is `load_duration`, and `total_duration` has it, too."""
    unload: dict[str, Json] = {"model": target.model, "keep_alive": 0}
    target.post("/api/generate", unload)
    got = target.chat(options={"num_predict": 1})
    cold = nanoseconds(read(got).final)
    warm = nanoseconds(read(target.chat(options={"num_predict": 1})).final)
    longer_ns = cold.get("total_duration", 0) - warm.get("total_duration", 0)
    load = cold.get("load_duration", 0)
    # what a first answer takes longer is loading, but for warming up
    holds = 0 < load <= cold.get("total_duration", 0) and load >= 0.3 * longer_ns - 10e6
    told = {"cold": cold, "warm": warm}
    return expect_that(holds, "most of what it took longer to be load_duration", told, got)


@check(
    "usage/prompt-duration",
    SHOULD,
    group="core",
    source=USAGE,
    covers=("MET-008",),
)
def prompt_duration(target: Target) -> Verdict:
    """`prompt_eval_duration` is positive, or left out where the prompt was known."""
    for stream in (False, True):
        got = target.chat("prose", stream=stream, options={"num_predict": 2})
        found = nanoseconds(read(got).final).get("prompt_eval_duration", 1)
        if found < 1:
            return expect_that(False, "more than 0", found, got)
    return PASSED


@check(
    "usage/durations-of-a-stream",
    MUST,
    group="core",
    source=USAGE,
    covers=("MET-001", "MET-003", "GEN-047"),
    breaks=(PYTHON, LLAMAINDEX),
)
def durations_of_a_stream(target: Target) -> Verdict:
    """Loading, reading and answering are parts of the total, and that of the time we waited."""
    for got in (
        target.chat("count", stream=True, options={"num_predict": FEW}),
        target.generate("count", stream=True, options={"num_predict": FEW}),
        target.generate(prompt=_unheard(), stream=True, options={"num_predict": FEW}),
    ):
        found = nanoseconds(read(got).final)
        total = found.get("total_duration", 0)
        parts = sum(found.values()) - total
        seen = round(got.elapsed_ms * 1e6)
        if not 0 < total <= 1.05 * seen + 5e6 or parts > 1.05 * total + 2e6:
            told = {**found, "seen by the client": seen}
            return expect_that(False, "parts <= total, 0 < total <= what the client saw", told, got)
    return PASSED


def _unheard() -> str:
    """A long prompt that no cache has: reading it takes a while, which is not answering."""
    return " ".join(secrets.token_hex(8) for _ in range(180))


@check(
    "usage/answering-takes-time",
    SHOULD,
    group="core",
    race=True,
    source=USAGE,
    covers=("MET-008", "MET-006"),
    breaks=(LLAMAINDEX,),
)
def answering_takes_time(target: Target) -> Verdict:
    """`eval_duration` grows with the tokens that were made."""
    few, *again, many = (
        nanoseconds(read(target.chat("endless", options={"num_predict": count})).final).get(
            "eval_duration", 0
        )
        for count in (FEW, FEW, MANY)
    )
    few = min(few, *again)
    told = {f"{FEW} tokens": few, f"{MANY} tokens": many}
    return expect_that(many > 3 * few > 0, f"{MANY} tokens to take longer than {FEW}", told)


@check(
    "usage/claimed-rate",
    SHOULD,
    group="core",
    race=True,
    source=USAGE,
    covers=("MET-008", "MET-001"),
    breaks=(*SDKS, LLAMAINDEX),
)
def claimed_rate(target: Target) -> Verdict:
    """The rate that a server claims, tokens by `eval_duration`, is the one that arrives."""
    return calmly(lambda: _rate(target), tries=3)


def _rate(target: Target) -> Verdict:
    got = target.chat("endless", stream=True, options={"num_predict": MANY}).ok
    reply = read(got)
    claimed_s = nanoseconds(reply.final).get("eval_duration", 0) / 1e9
    seen_s = (got.arrivals_ms[-1] - got.arrivals_ms[0]) / 1e3
    count = reply.count("eval_count")
    told = (
        f"{count} tokens: {count / claimed_s if claimed_s else 0:.0f} a second claimed, "
        f"{count / seen_s if seen_s else 0:.0f} on the socket"
    )
    # what is sent at once leaves nothing to compare, but the whole time
    # and what we read late seems to have come in no time
    whole_s = got.elapsed_ms / 1e3
    least_s, most_s = max(0.5 * seen_s, 0.25 * whole_s), max(2 * seen_s + 0.05, 1.05 * whole_s)
    holds = least_s <= claimed_s <= most_s
    return expect_that(holds, "about the same rate", told, got)


@check(
    "usage/times-advance",
    SHOULD,
    group="core",
    race=True,
    source="api/types.go:ChatResponse",
    covers=("MET-007",),
    breaks=(PYTHON,),
)
def times_advance(target: Target) -> Verdict:
    """`created_at` advances from the first record to the last as our clock does."""
    return calmly(lambda: _advance(target), tries=3)


def _advance(target: Target) -> Verdict:
    got = target.chat("endless", stream=True, options={"num_predict": MANY}).ok
    first, last = (moment(got.records[place]["created_at"]) for place in (0, -1))
    seen_s = (got.arrivals_ms[-1] - got.arrivals_ms[0]) / 1e3
    # records may be made sooner than they are sent, and a busy line makes few of many
    whole_s = got.elapsed_ms / 1e3
    least_s = max(0.5 * seen_s, 0.2 * whole_s) - 0.01
    holds = least_s <= last - first <= whole_s + 0.5
    told = f"{last - first:.3f} s by created_at, {seen_s:.3f} s by our clock"
    return expect_that(holds, "the same time by both", told, got)


@check(
    "usage/times-are-now",
    MUST,
    group="core",
    source="api/types.go:ChatResponse",
    covers=("MET-007", "CHAT-041", "GEN-041"),
    breaks=(PYTHON,),
)
def times_are_now(target: Target) -> Verdict:
    """`created_at` is when the record was made: the time of the server's own Date header."""
    for got in (
        target.chat(options={"num_predict": 2}),
        target.generate(options={"num_predict": 2}),
        target.chat(stream=True, options={"num_predict": 2}),
    ):
        made = moment(read(got).final["created_at"])
        told = got.header("Date")
        if told is None:
            continue
        try:
            date = parsedate_to_datetime(told).replace(tzinfo=UTC).timestamp()
        except ValueError:
            raise Wrong("a Date header as HTTP has it", told) from None
        if abs(made - date) > 3 + got.elapsed_ms / 1e3:
            return expect_that(False, f"about {told}", read(got).final["created_at"], got)
    return PASSED


@check(
    "usage/reasons",
    MUST,
    group="core",
    source="docs/api.md#generate-a-chat-completion",
    covers=("OPT-042", "CLIENT-LC-JS-07"),
    breaks=(LANGCHAIN, LANGCHAIN_JS, LITELLM),
)
def reasons(target: Target) -> Verdict:
    """`done_reason` is stop where an answer ends, length where it is cut, on no other record."""
    _ = target.script  # an ordinary model may go on
    for options, wanted in (({}, "stop"), ({"num_predict": 2}, "length")):
        for got in target.in_four_ways("greeting", options=options):
            reply = read(got)
            early = [record for record in reply.records[:-1] if record.get("done_reason")]
            if reply.reason != wanted or early:
                return expect([reply.reason, len(early)], [wanted, 0], got)
    return PASSED

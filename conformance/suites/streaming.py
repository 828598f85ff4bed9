"""Class streaming: bytes and arrival times of the records, not what a client makes of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from ..calm import calmly, quickest
from ..check import MUST, PASSED, SHOULD, Verdict, check, every, expect, expect_that, not_judged
from ..clients import CHATTERS, CLINE, JS, LANGCHAIN, LANGCHAIN_JS, PYTHON, SDKS
from ..evidence import Exchange, Json, Record
from ..likeness import expect_again
from ..reply import COUNTS, DURATIONS, read
from ..target import Target

FINAL_ONLY = ("done_reason", "context", *COUNTS, *DURATIONS)
MIN_SPREAD = 0.25  # of a stream's time must lie between its first and its last record
LONG: dict[str, Json] = {"num_predict": 200}  # tokens of a stream whose arrivals are looked at
MOST = 1000  # tokens, where so many are made within a moment
MOMENT_MS = 150.0  # in which a busy machine may do anything
MIN_WHOLE_MS = 50.0  # of an answer of an ordinary model, for its parts to be told apart
MAX_MIDDLE = 0.8  # of that time may pass until the middle one of the records
MIN_GROUPS = 5  # arrivals that differ, in a stream of some hundred tokens


def streams(target: Target, id: str = "greeting", **fields: Json) -> list[Exchange]:
    """The same question streamed by chat and by generate."""
    asks = (target.chat, target.generate)
    return target.several(partial(ask, id, stream=True, **fields) for ask in asks)


def check_both(target: Target, judge: Callable[[Exchange], Verdict]) -> Verdict:
    """Judge a stream of either route."""
    return every(judge(got) for got in streams(target))


@check(
    "stream/headers",
    MUST,
    group="streaming",
    source="docs/api/streaming.mdx",
    covers=("STREAM-002", "HTTP-11"),
    breaks=CHATTERS,
)
def stream_headers(target: Target) -> Verdict:
    """A stream is application/x-ndjson, chunked, not encoded, and has no Content-Length."""

    def judge(got: Exchange) -> Verdict:
        told = (got.ok.media_type, got.framing, got.header("Content-Encoding"))
        return expect(told, ("application/x-ndjson", "chunked", None), got)

    return check_both(target, judge)


@check(
    "stream/not-compressed",
    MUST,
    group="streaming",
    source="docs/api/streaming.mdx",
    covers=("STREAM-002", "HTTP-25"),
    breaks=SDKS,
)
def not_compressed(target: Target) -> Verdict:
    """A stream is not compressed, though the client would take it."""
    ask = {"model": target.model, **target.asked("greeting"), "options": target.options({})}
    got = target.send("POST", "/api/chat", ask, Accept_Encoding="gzip, deflate, br, zstd")
    return every((expect(got.ok.header("Content-Encoding"), None, got), _ends(got)))


@check(
    "stream/lines",
    MUST,
    group="streaming",
    source="docs/api/streaming.mdx",
    covers=("STREAM-003", "STREAM-005", "CLIENT-PY-OLL-04"),
    breaks=CHATTERS,
)
def stream_lines(target: Target) -> Verdict:
    """Each record is one line: a JSON object and LF; no blank line, prefix, CR or [DONE]."""

    def judge(got: Exchange) -> Verdict:
        odd = [line for line in got.lines if not line.startswith("{") or not line.endswith("}")]
        if odd:
            return expect_that(False, "lines that are JSON objects", odd[0], got)
        return expect_that(len(got.records) > 1, "several records", len(got.records), got)

    return check_both(target, judge)


@check(
    "stream/is-the-default",
    MUST,
    group="streaming",
    source="docs/api.md#streaming-responses",
    covers=("STREAM-001", "GEN-008", "CHAT-003", "HTTP-22"),
    breaks=(JS,),
)
def stream_is_the_default(target: Target) -> Verdict:
    """Chat and generate stream when `stream` is absent or null."""
    bound = target.options({"num_predict": 4})
    asked = target.asked("greeting")
    prompt = {"prompt": asked["messages"][-1]["content"]}
    return every(
        expect((got := target.post(path, ask, **more)).ok.media_type, "application/x-ndjson", got)
        for path, fields in (("/api/chat", asked), ("/api/generate", prompt))
        for more in ({}, {"stream": None})
        for ask in ({"model": target.model, "options": bound, **fields},)
    )


@check(
    "stream/false-is-one-object",
    MUST,
    group="streaming",
    source="docs/api.md",
    covers=("STREAM-015", "HTTP-011"),
    breaks=SDKS,
)
def false_is_one_object(target: Target) -> Verdict:
    """`stream: false` gives one application/json object with done true."""
    return every(
        verdict
        for got in (target.chat(), target.generate())
        for verdict in (
            expect(got.ok.media_type, "application/json", got),
            expect(got.object["done"], True, got),
        )
    )


@check(
    "stream/arrives-as-made",
    MUST,
    group="streaming",
    source="server/routes.go:streamResponse",
    covers=("STREAM-004", "HTTP-11"),
    breaks=CHATTERS,
    race=True,
    alone=True,
)
def arrives_as_made(target: Target) -> Verdict:
    """Records are sent as they are made, not all together when the last one is."""
    target.chat("count", options={"num_predict": 2})  # loaded
    return calmly(lambda: spread(target, target.chat("count", stream=True, options=LONG)))


def spread(target: Target, got: Exchange) -> Verdict:
    """Passed if the records of a long answer came as they were made."""
    times = got.ok.arrivals_ms
    lasted, whole = times[-1] - times[0], times[-1] - target.latency_ms()
    _requires_time(target, whole, len(times))
    if len(times) < 2 * MIN_GROUPS:
        return expect_that(False, f"{2 * MIN_GROUPS} records or more", len(times), got)
    groups = len({round(piece.at_ms, 3) for piece in got.pieces})
    told = f"{lasted:.1f} of {whole:.1f} ms, {groups} arrivals for {len(times)} records"
    holds = lasted >= MIN_SPREAD * whole and groups >= MIN_GROUPS
    middle = times[len(times) // 2] - times[0]  # a steady stream has it at the half
    if holds and middle > MAX_MIDDLE * lasted:
        told = f"the middle one of {len(times)} records after {middle:.1f} of {lasted:.1f} ms"
        return expect_that(False, "records that do not wait for the last one", told, got)
    return expect_that(holds, "the records to be spread over the time of the answer", told, got)


@check(
    "stream/arrives-before-done",
    MUST,
    group="streaming",
    source="docs/api/streaming.mdx",
    covers=("STREAM-004", "STREAM-012"),
    breaks=CHATTERS,
    race=True,
    alone=True,
)
def arrives_before_done(target: Target) -> Verdict:
    """The first record comes long before an unstreamed answer to the same question would."""
    target.chat("endless", options={"num_predict": 2})
    way = target.latency_ms()
    options, whole = LONG, quickest(lambda: target.chat("endless", options=LONG)).elapsed_ms
    if whole < MOMENT_MS:
        count = int(LONG["num_predict"] * 2 * MOMENT_MS / whole)
        options = {"num_predict": min(count, MOST)}
        whole = quickest(lambda: target.chat("endless", options=options)).elapsed_ms
    return calmly(lambda: _before(target, options, way, whole - way), tries=3)


def _before(target: Target, options: dict[str, Json], way: float, whole: float) -> Verdict:
    got = target.chat("endless", stream=True, options=options)
    first = got.ok.arrivals_ms[0] - way
    if first < 0.6 * whole:  # what kept the whole one may have kept no one since
        whole = min(whole, target.chat("endless", options=options).ok.elapsed_ms - way)
    _requires_time(target, whole, len(got.arrivals_ms))
    told = f"first record after {first:.1f} ms, whole answer after {whole:.1f} ms"
    return expect_that(first < 0.6 * whole, "the first record within 60 % of that time", told, got)


def _requires_time(target: Target, whole_ms: float, num_records: int) -> None:
    """End the check where an ordinary model said too little to see when it came."""
    if not target.setup.scripted and (whole_ms < MIN_WHOLE_MS or num_records < 2 * MIN_GROUPS):
        not_judged(f"the answer was over within {whole_ms:.0f} ms, in {num_records} records")


@check(
    "stream/done-is-last",
    MUST,
    group="streaming",
    source="docs/api.md#generate-a-completion",
    covers=("STREAM-007", "STREAM-008", "CHAT-047", "GEN-044"),
    breaks=(JS, LANGCHAIN, LANGCHAIN_JS),
)
def done_is_last(target: Target) -> Verdict:
    """Only the last record of a stream has done true."""

    def judge(got: Exchange) -> Verdict:
        done = [record["done"] for record in got.records]
        return expect(done, [False] * (len(done) - 1) + [True], got)

    return check_both(target, judge)


@check(
    "stream/counts-only-at-the-end",
    MUST,
    group="streaming",
    source="docs/api/usage.mdx",
    covers=("STREAM-008", "MET-002", "CLIENT-LC-JS-02"),
    breaks=(LANGCHAIN, LANGCHAIN_JS, CLINE),
)
def counts_only_at_the_end(target: Target) -> Verdict:
    """Counts, durations, done_reason and context are in the last record only."""

    def judge(got: Exchange) -> Verdict:
        early = [key for record in got.records[:-1] for key in record if key in FINAL_ONLY]
        return expect(early, [], got)

    return check_both(target, judge)


@check(
    "stream/no-error-key",
    MUST,
    group="streaming",
    source="ollama-js: src/utils.ts",
    covers=("STREAM-009", "CLIENT-JS-OLL-03"),
    breaks=(JS, PYTHON),
)
def no_error_key(target: Target) -> Verdict:
    """No record of a success has a key `error`, not even null."""

    def judge(got: Exchange) -> Verdict:
        return expect([one["error"] for one in read(got).records if "error" in one], [], got)

    return check_both(target, judge)


@check(
    "stream/joined-equals-whole",
    MUST,
    group="streaming",
    source="docs/api/streaming.mdx",
    covers=("GEN-055", "CHAT-056", "STREAM-006"),
    breaks=CHATTERS,
)
def joined_equals_whole(target: Target) -> Verdict:
    """A stream put together is the answer that is not streamed: text, reason and counts."""
    cut, whole = {"seed": 7, "num_predict": 60}, {"seed": 7}
    pairs = (
        target.in_both_forms(partial(target.chat, "prose", options=cut)),
        target.in_both_forms(partial(target.generate, "greeting", options=whole)),
    )
    return every(
        expect_again(target, summed(streamed), summed(whole), streamed) for whole, streamed in pairs
    )


def summed(got: Exchange) -> dict[str, Any]:
    """What an answer amounts to, streamed or not."""
    reply = read(got)
    counts = {name: reply.count(name) for name in COUNTS}
    return {"text": reply.text, "thinking": reply.thinking, "reason": reply.reason, **counts}


@check(
    "stream/second-time-the-same",
    MUST,
    group="streaming",
    source="docs/api.md",
    covers=("OPT-039", "MET-005", "HTTP-019"),
    breaks=CHATTERS,
)
def second_time_the_same(target: Target) -> Verdict:
    """The same greedy question gives the same answer and counts again and again."""
    first, second = (summed(target.chat("prose", options={"num_predict": 60})) for _ in "12")
    return expect_again(target, second, first)


@check(
    "stream/whole-characters",
    MUST,
    group="streaming",
    source="docs/api/streaming.mdx",
    covers=("STREAM-017", "GEN-061"),
    breaks=CHATTERS,
)
def whole_characters(target: Target) -> Verdict:
    """Characters of several tokens come whole, and as they were made: no U+FFFD, no other form."""
    ids = [id for id in target.script.recitals if id.startswith("unicode-")]
    forms = [(id, True) for id in ids] + [("unicode-combining", False)]
    asked = [
        (id, partial(ask, id, stream=stream))
        for id, stream in forms
        for ask in (target.chat, target.generate)
    ]
    answers = target.several(ask for _, ask in asked)
    return every(
        expect(read(got).text, target.recital(id).content, got)
        for (id, _), got in zip(asked, answers, strict=True)
    )


@check(
    "stream/line-breaks-escaped",
    MUST,
    group="streaming",
    source="ollama-python: _client.py",
    covers=("CLIENT-PY-OLL-05",),
    breaks=(PYTHON, LANGCHAIN),
)
def line_breaks_escaped(target: Target) -> Verdict:
    """U+2028 and U+2029 are escaped in streams: the Python client splits lines there."""
    _ = target.recital("unicode-separators")
    return every(
        expect_that(
            not {"\u2028", "\u2029"} & set(got.ok.text), "\\u2028 and \\u2029", "the bare ones", got
        )
        for got in streams(target, "unicode-separators")
    )


@check(
    "stream/record-times",
    MUST,
    group="streaming",
    source="api/types.go:ChatResponse",
    covers=("MET-007", "CHAT-041", "GEN-041"),
    breaks=(PYTHON,),
)
def record_times(target: Target) -> Verdict:
    """Each record has its own created_at: RFC 3339 in UTC, never going back."""
    from ..moments import moment

    for got in streams(target, "count", options={"num_predict": 40}):
        times = [moment(record["created_at"]) for record in got.records]
        utc = all(str(record["created_at"]).endswith("Z") for record in got.records)
        if times != sorted(times) or not utc:
            return expect_that(False, "times in UTC that never go back", times[:3], got)
        if len(times) > 20 and times[0] == times[-1]:
            return expect_that(False, "each record's own time", "one time for all", got)
    return PASSED


@check(
    "stream/keys",
    SHOULD,
    group="streaming",
    source="api/types.go",
    covers=("GEN-040", "CHAT-042", "GEN-045"),
)
def stream_keys(target: Target) -> Verdict:
    """Records have the keys that Ollama's have, and no others."""
    known = {
        "model",
        "created_at",
        "done",
        "message",
        "response",
        "thinking",
        "logprobs",
        "tool_calls",
        *FINAL_ONLY,
    }

    def judge(got: Exchange) -> Verdict:
        odd = sorted({key for record in got.records for key in record} - known)
        return expect(odd, [], got)

    return check_both(target, judge)


def _ends(got: Exchange) -> Verdict:
    final: Record = read(got).final
    return expect(final["done"], True, got)

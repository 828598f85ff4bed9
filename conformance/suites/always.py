"""Laws of chat and generate: what holds for every answer that any check of the run got.

Each is judged over the answers to all other checks; see `witness`. Clocks are given the
tolerances that the checks of durations have.
"""

from __future__ import annotations

from collections import Counter
from email.utils import parsedate_to_datetime
from itertools import pairwise
from typing import Any

from ..check import MUST, PASSED, SHOULD, Verdict, expect, expect_that
from ..clients import CHATTERS, LANGCHAIN, LANGCHAIN_JS, LITELLM, LLAMAINDEX, PYTHON, SDKS
from ..evidence import Json
from ..heeding import seen
from ..moments import moment
from ..reply import DURATIONS
from ..said import JSON, NDJSON, TALK, Said, text_of
from ..target import Target
from ..witness import law

DOCS = "docs/api.md#generate-a-chat-completion"
USAGE = "docs/api/usage.mdx"
MAX_OFF_S = 3.0  # a Date header has whole seconds, and may be made a second before it is sent
PARTS, PARTS_NS = 1.05, 2e6  # of the total, and that much beside it
WHOLE, WHOLE_NS = 1.05, 25e6  # of what the client waited
UNITS = (1_000_000, 1000, 1)  # in nanoseconds
MANY = 1000  # tokens, and fewer than any window has
MARKS = ("<|", "|>", "<think>", "</think>")
ALIKE = 0.001  # of two numbers that are one


def ask_talk(target: Target) -> None:
    """Chat and generate, whole and streamed, plain and with all that can be asked for."""
    for stream in (False, True):
        for ask in (target.chat, target.generate):
            ask(stream=stream, options={"num_predict": 6})
            ask("count", stream=stream, options={"num_predict": 20})
        target.chat(stream=stream, options={"stop": ["?"]}, logprobs=True, top_logprobs=2)
        if target.setup.scripted:
            target.chat("tool-call", stream=stream)
            target.chat("think", stream=stream)


@law(
    "always/answers-by-schema",
    MUST,
    group="core",
    source="api/types.go:ChatResponse",
    routes=TALK,
    asks=ask_talk,
    covers=("GEN-040", "CHAT-040", "GEN-047", "CHAT-049", "STREAM-008", "STREAM-009"),
    breaks=(*CHATTERS, *SDKS),
)
def answers_by_schema(said: Said) -> Verdict | None:
    """Each record of each answer has the keys and the types that it has to have, and no others."""
    if said.got.status == 200 and said.got.body and not said.records:
        return expect_that(False, "JSON", said.got.loose_text[:200], said.got)
    if said.got.status != 200 or not said.over:
        return None
    shape = "record" if said.got.media_type == NDJSON else "response"
    lines = said.got.lines if shape == "record" and said.records else [""]
    broken = len(said.records) > 1 and "error" in said.records[-1]
    for record, line in zip(said.records[:-1] if broken else said.records, lines, strict=False):
        problem = seen().violation(record, said.route, shape, line)
        if problem is not None:
            return expect_that(False, f"a {shape} by the schema of {said.route}", problem, said.got)
    return PASSED


@law(
    "always/done-is-last",
    MUST,
    group="streaming",
    source=DOCS,
    routes=TALK,
    asks=ask_talk,
    covers=("STREAM-007", "STREAM-008"),
    breaks=(*CHATTERS, *SDKS),
)
def done_is_last(said: Said) -> Verdict | None:
    """Of each answer the last record, and no other, has done=true."""
    if said.got.status != 200 or not said.over or "_debug_info" in said.records[0]:
        return None
    done = [record.get("done") for record in said.records]
    if "error" in said.records[-1]:
        done[-1] = True
    return expect(done, [False] * (len(done) - 1) + [True], said.got)


@law(
    "always/model-is-echoed",
    MUST,
    group="core",
    source="server/routes.go:ChatHandler",
    routes=(*TALK, "embed"),
    asks=ask_talk,
    covers=("NAME-004", "GEN-040", "CHAT-040"),
    breaks=(*SDKS,),
)
def model_is_echoed(said: Said) -> Verdict | None:
    """Each record of each answer names the model as the request did."""
    named = [record["model"] for record in said.records if "model" in record]
    as_model = [name for name in said.asked if name.lower() == "model"]
    if said.got.status != 200 or not named or not said.over or as_model != ["model"]:
        return None
    return expect(named, [said.asked.get("model")] * len(named), said.got)


@law(
    "always/times-of-the-answer",
    MUST,
    group="core",
    source="api/types.go:ChatResponse",
    routes=TALK,
    asks=ask_talk,
    covers=("MET-007", "GEN-041", "CHAT-041"),
    breaks=(PYTHON,),
)
def times_of_the_answer(said: Said) -> Verdict | None:
    """`created_at` never goes back within an answer, and is of the time that Date tells."""
    times = [record["created_at"] for record in said.records if "created_at" in record]
    if said.got.status != 200 or not times or not said.over:
        return None
    ends = [moment(times[0]), moment(times[-1])]
    # all have a Z, and no zeros at the end: so their order is that of letters
    if any(later[:-1] < earlier[:-1] for earlier, later in pairwise(map(str, times))):
        return expect_that(False, "times that do not go back", times, said.got)
    told, lasted_s = said.got.header("Date"), said.got.elapsed_ms / 1e3
    if told is None:
        return PASSED
    try:
        date = parsedate_to_datetime(told).timestamp()
    except ValueError:
        return PASSED
    off = max(abs(one - date) for one in ends)
    return expect_that(off <= MAX_OFF_S + lasted_s, f"about {told}", times[-1], said.got)


@law(
    "always/durations-fit",
    MUST,
    group="core",
    source=USAGE,
    routes=(*TALK, "embed"),
    asks=ask_talk,
    covers=("MET-001", "MET-003", "EMBED-010"),
    breaks=(PYTHON, LLAMAINDEX),
)
def durations_fit(said: Said) -> Verdict | None:
    """Loading, reading and answering are parts of the total, and that of the time we waited."""
    final = said.records[0] if said.route == "embed" and said.records else said.final
    if final is None or "total_duration" not in final:
        return None
    found = {name: final[name] for name in DURATIONS if type(final.get(name)) is int}
    total = found.pop("total_duration", 0)
    waited = round(said.got.elapsed_ms * 1e6)
    in_time = said.got.sent is not None or total <= WHOLE * waited + WHOLE_NS  # else sent slowly
    holds = in_time and sum(found.values()) <= PARTS * total + PARTS_NS
    holds = holds and all(part < total for part in found.values())  # each is but a part of it
    told = {**found, "total_duration": total, "seen by the client": waited}
    return expect_that(holds, "parts <= total <= what the client saw", told, said.got)


@law(
    "always/durations-add-up",
    SHOULD,
    group="core",
    source=USAGE,
    routes=TALK,
    asks=ask_talk,
    covers=("MET-003", "MET-008"),
    breaks=(PYTHON, LLAMAINDEX),
)
def durations_add_up(said: Said) -> Verdict | None:
    """The total has all of its parts in it: as much as loading, reading and answering together.

    Each may be rounded to the unit that it is told in.
    """
    final = said.final
    if final is None:
        return None
    found = {name: final.get(name, 0) for name in DURATIONS}
    if not all(type(one) is int for one in found.values()) or not found["total_duration"]:
        return None
    parts = sum(found.values()) - found["total_duration"]
    off = sum(next(unit for unit in UNITS if one % unit == 0) for one in found.values() if one)
    return expect_that(parts <= found["total_duration"] + off, "parts <= total", found, said.got)


@law(
    "always/counts-fit",
    MUST,
    group="options",
    source=USAGE,
    routes=TALK,
    asks=ask_talk,
    covers=("MET-006", "OPT-002"),
    breaks=(LANGCHAIN, LITELLM),
)
def counts_fit(said: Said) -> Verdict | None:
    """No answer has more tokens than num_predict, and one that ends for it has just as many."""
    final, most = said.final, said.options.get("num_predict")
    if final is None or type(most) is not int or most < 1:
        return None
    count, window = final.get("eval_count"), said.options.get("num_ctx")
    if type(count) is not int:
        return None
    full = final.get("done_reason") == "length" and type(window) is not int
    full = full and most < MANY and not said.asked.get("format") and said.asked.get("shift") is None
    holds = count == most if full else count <= most
    return expect_that(holds, f"{'' if full else 'at most '}{most} tokens", count, said.got)


@law(
    "always/types-of-answers",
    MUST,
    group="core",
    source="server/routes.go:streamResponse",
    routes=TALK,
    asks=ask_talk,
    covers=("STREAM-002", "STREAM-015", "STREAM-016", "HTTP-011"),
    breaks=(*CHATTERS, *SDKS),
)
def types_of_answers(said: Said) -> Verdict | None:
    """A stream is x-ndjson in chunks, without Content-Length; one object is application/json."""
    got = said.got
    if got.status != 200:
        return None
    single = not said.streams or _loads(said) or "_debug_info" in str(said.asked)
    single = single or said.asked.get("_debug_render_only") is True
    wanted = JSON if single else NDJSON
    if got.media_type != wanted:
        return expect(got.media_type, wanted, got)
    sized = got.header("Content-Length") is not None
    return expect_that(single or not sized, "no Content-Length of a stream", got.headers, got)


def _loads(said: Said) -> bool:
    return not said.asked.get("prompt" if said.route == "generate" else "messages")


@law(
    "always/stop-strings-are-not-said",
    MUST,
    group="options",
    source="docs/modelfile.mdx#parameter",
    routes=TALK,
    asks=ask_talk,
    covers=("STREAM-018", "OPT-012"),
    breaks=(*CHATTERS, LANGCHAIN, LITELLM),
)
def stop_strings_are_not_said(said: Said) -> Verdict | None:
    """No stop string of a request is in what is said or thought."""
    stops = said.options.get("stop")
    given = (
        [one for one in stops if one and isinstance(one, str)] if isinstance(stops, list) else []
    )
    if said.final is None or not given:
        return None
    found = [one for one in given if one in said.text or one in said.thinking]
    return expect(found, [], said.got)


@law(
    "always/marks-are-not-said",
    MUST,
    group="core",
    source="server/routes.go:ChatHandler",
    routes=TALK,
    asks=ask_talk,
    covers=("GEN-060", "THINK-006", "STREAM-017"),
    breaks=CHATTERS,
)
def marks_are_not_said(said: Said) -> Verdict | None:
    """What is said and thought has no control tokens, no tags and no halves of characters."""
    if said.final is None or not (said.setup.scripted and said.lasting):
        return None
    whole = said.text + said.thinking
    found = [mark for mark in MARKS if mark in whole]
    try:
        whole.encode()
    except UnicodeEncodeError:
        found.append("half of a surrogate pair")
    return expect(found, [], said.got)


@law(
    "always/thoughts-come-first",
    SHOULD,
    group="thinking",
    source="docs/capabilities/thinking.mdx",
    routes=TALK,
    asks=ask_talk,
    covers=("STREAM-020", "THINK-007"),
    breaks=CHATTERS,
)
def thoughts_come_first(said: Said) -> Verdict | None:
    """Nothing is thought where think=false, nor after what is said has begun."""
    if said.final is None:
        return None
    spoken = False
    for message in said.messages:
        thought = text_of(message, "thinking")
        off = said.asked.get("think") is False and said.setup.scripted  # some cannot but think
        if thought and (spoken or off):
            return expect_that(False, "no thinking here", thought, said.got)
        spoken = spoken or bool(text_of(message, "content").strip())
    return PASSED


@law(
    "always/calls-are-whole",
    MUST,
    group="tools",
    source="api/types.go:ToolCall",
    routes=TALK,
    asks=ask_talk,
    covers=("TOOL-007", "TOOL-008", "TOOL-009", "TOOL-014"),
    breaks=(LANGCHAIN, LANGCHAIN_JS, *SDKS),
)
def calls_are_whole(said: Said) -> Verdict | None:
    """Calls are of functions that were offered, numbered from 0, each with an id of its own."""
    calls = said.calls
    if said.got.status != 200 or not calls:
        return None
    functions = [call.get("function") or {} for call in calls]
    offered = [
        (tool or {}).get("function", {}).get("name") for tool in said.asked.get("tools") or ()
    ]
    ids = [str(call["id"]) for call in calls if call.get("id")]
    told: dict[str, Any] = {
        "numbers": [one.get("index") for one in functions],
        "not offered": [one.get("name") for one in functions if one.get("name") not in offered],
        "ids that come twice": [one for one, times in Counter(ids).items() if times > 1],
    }
    wanted = {"numbers": list(range(len(calls))), "not offered": [], "ids that come twice": []}
    return expect(told, wanted, said.got)


@law(
    "always/logprobs-as-asked",
    MUST,
    group="logprobs",
    source="api/types.go:Logprob",
    routes=TALK,
    asks=ask_talk,
    covers=("LOGP-002", "LOGP-003", "LOGP-004", "LOGP-005"),
    breaks=(LITELLM,),
)
def logprobs_as_asked(said: Said) -> Verdict | None:
    """Log probabilities come where they are asked for, each with as many others as asked for."""
    if said.final is None:
        return None
    entries, asked = said.logprobs, said.asked.get("logprobs") is True
    if not asked:
        return expect_that(not entries, "no logprobs, which nobody asked for", entries, said.got)
    if not entries and said.text and said.text.isascii():
        return expect_that(False, "logprobs, which were asked for", "none", said.got)
    count = said.final.get("eval_count")
    if type(count) is int and len(entries) > count:
        return expect_that(False, f"at most {count} entries", len(entries), said.got)
    most = said.asked.get("top_logprobs") or 0
    for entry in entries:
        problem = _entry(entry, most)
        if problem is not None:
            return expect_that(False, problem, entry, said.got)
    return PASSED


def _entry(entry: Json, most: int) -> str | None:
    """What an entry lacks, as a sentence; None if it is whole."""
    tops = entry.get("top_logprobs") or []
    if len(tops) > most or (most and not tops):
        return f"{most} others in top_logprobs"
    likely = [one.get("logprob", 1.0) for one in tops]
    if likely != sorted(likely, reverse=True):
        return "the likeliest first"
    for one in (entry, *tops):
        token = one.get("token", "")
        whole = token and "\N{REPLACEMENT CHARACTER}" not in token
        if whole and one.get("bytes") != list(token.encode(errors="surrogatepass")):
            return "the bytes of the token"
        if not one.get("logprob", 1.0) <= 0:
            return "a logarithm of a probability"
    own = [one["logprob"] for one in tops if one.get("token") == entry.get("token") != ""]
    if own and min(abs(one - entry["logprob"]) for one in own) > ALIKE:
        return "the same logarithm in the entry and among its others"
    return None

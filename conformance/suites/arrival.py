"""Class streaming, part three: when bytes come, and what a client may do while they do."""

from __future__ import annotations

import json
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

from ..bytewise import encoded_bytes, hang_up_at, line, send_parts
from ..calm import abandoned, calmly, quiet_ms
from ..check import MUST, PASSED, SHOULD, Verdict, check, every, expect, expect_that, not_testable
from ..clients import CHATTERS, SDKS
from ..evidence import Exchange, Json, Request
from ..likeness import expect_again
from ..moments import moment
from ..reply import read
from ..target import NOBODY, Target, encoded
from ..wire import Patience
from .streaming import summed

MAX_GAP_MS = 15.0  # that nobody sees; a busy machine gathers what is quicker
MAX_TOGETHER = 8  # records that come together; a busy machine gathers two or three
MAX_LINGER_MS = 500.0  # from the last record to the end of the answer
ABANDONED = 24  # answers that nobody reads: enough for any machine to feel
LEFT, LEFT_S = 600, 1.0  # tokens of each, and how long they may keep a server that makes them
STUCK_S = 5.0  # whoever is kept so long by abandoned answers need not abandon more
STEADY = {"num_predict": 120}
WIDE: dict[str, Json] = {"logprobs": True, "top_logprobs": 20}  # makes every record large
FULL, MORE, UNREAD_S = 300, 2000, 4.0  # such records fit into no buffer; more are still to come
UNREAD_WAIT_S = (0.25, 3.0)  # how long we do not read, at least and at most
PROMPT_MS = 1000.0


def talk(target: Target, id: str, path: str = "/api/chat", **fields: Json) -> Request:
    """A request that asks for a recital, streamed unless said otherwise."""
    ask = {"model": target.model, **target.asked(id), **fields}
    if path == "/api/generate":
        ask["prompt"] = ask.pop("messages")[-1]["content"]
    ask["options"] = target.options(fields.get("options", {}))
    return encoded("POST", path, json.dumps(ask).encode(), {"Content-Type": "application/json"})


def requires_plain(target: Target) -> None:
    """End the check where bytes are not ours to choose."""
    if target.address.scheme != "http":
        not_testable("under TLS the bytes of a connection are not ours to choose")


@check(
    "stream/flushed-line-by-line",
    MUST,
    group="streaming",
    source="server/routes.go:streamResponse",
    covers=("STREAM-004", "STREAM-003"),
    breaks=CHATTERS,
    race=True,
    alone=True,
)
def flushed_line_by_line(target: Target) -> Verdict:
    """Each record is sent as it is made: not in blocks of some size, nor several together."""
    target.chat("count", options={"num_predict": 2})
    return calmly(lambda: _flushed(target), tries=2)


def _flushed(target: Target) -> Verdict:
    got = target.chat("count", stream=True, options={"num_predict": 200}).ok
    sizes = [piece.content.count(b"\n") for piece in got.pieces]
    whole = sum(piece.content.endswith(b"\n") for piece in got.pieces) / len(sizes)
    together = statistics.median(sizes)
    spread = got.arrivals_ms[-1] - got.arrivals_ms[0]
    gap = spread / max(1, len(sizes) - 1)
    told = f"{together:g} at a time, every {gap:.0f} ms; {whole:.0%} of the arrivals end a record"
    wanted = f"at most {MAX_TOGETHER} at a time, or more than one in {MAX_GAP_MS:.0f} ms"
    gathered = together > MAX_TOGETHER and gap > MAX_GAP_MS
    return expect_that(not gathered and whole >= 0.5, f"{wanted}; whole records", told, got)


@check(
    "stream/ends-at-once",
    MUST,
    group="streaming",
    source="server/routes.go:streamResponse",
    covers=("STREAM-007",),
    breaks=SDKS,
    race=True,
)
def ends_at_once(target: Target) -> Verdict:
    """After its last record an answer is over: the last chunk comes within half a second."""
    return every(
        calmly(partial(_ended, partial(say, "greeting", stream=True)), tries=2)
        for say in (target.chat, target.generate)
    )


def _ended(ask: Callable[[], Exchange]) -> Verdict:
    got = ask().ok
    ended = got.elapsed_ms - got.arrivals_ms[-1]
    told = f"{ended:.0f} ms from the last record to the end"
    return expect_that(ended <= MAX_LINGER_MS, f"at most {MAX_LINGER_MS:.0f} ms", told, got)


@check(
    "stream/times-are-of-the-making",
    SHOULD,
    group="streaming",
    source="api/types.go:ChatResponse",
    covers=("MET-007", "STREAM-004"),
    race=True,
    alone=True,
)
def times_are_of_the_making(target: Target) -> Verdict:
    """The times in the records run as fast as the records come."""
    target.chat("count", options={"num_predict": 2})
    return calmly(lambda: _made_as_it_came(target))


def _made_as_it_came(target: Target) -> Verdict:
    got = target.chat("count", stream=True, options={"num_predict": 200}).ok
    times = [moment(record["created_at"]) * 1e3 for record in got.records]
    made, came = times[-1] - times[0], got.arrivals_ms[-1] - got.arrivals_ms[0]
    told = f"made within {made:.0f} ms, arrived within {came:.0f} ms"
    limit = 250 + came / 2
    return expect_that(abs(made - came) <= limit, f"a difference of {limit:.0f} ms", told, got)


@check(
    "stream/errors-before-the-first-record",
    MUST,
    group="streaming",
    source="server/routes.go:streamResponse",
    covers=("STREAM-010", "STREAM-016", "HTTP-011", "HTTP-012"),
    breaks=CHATTERS,
)
def errors_before_the_first_record(target: Target) -> Verdict:
    """An error before the first record is an HTTP error with one JSON object, though streamed."""
    bad: list[dict[str, Json]] = [
        {"model": NOBODY},
        {"model": "bad name!"},
        {"options": {"temperature": "hot"}},
        {"keep_alive": "soon"},
        {"think": "perhaps"},
    ]
    asks = [(path, fields) for path in ("/api/chat", "/api/generate") for fields in bad]
    return every(
        _is_error(_asked(target, path, {**fields, "stream": True})) for path, fields in asks
    )


def _asked(target: Target, path: str, fields: dict[str, Json]) -> Exchange:
    asked = target.asked("greeting")
    words = asked if path == "/api/chat" else {"prompt": asked["messages"][-1]["content"]}
    return target.post(path, {"model": target.model, **words, **fields})


def _is_error(got: Exchange) -> Verdict:
    told = [got.code >= 400, got.media_type, list(got.object), bool(got.error_text)]
    return expect(told, [True, "application/json", ["error"], True], got)


def hang_up_anywhere(target: Target) -> None:
    """Hang up at bytes of a request, and of answers streamed and whole."""
    left, begun = abandoned(target, LEFT, LEFT_S), time.monotonic()
    request = talk(target, "endless", options=left)
    size = len(encoded_bytes(target, request))
    body = len(request.body or b"")
    whole = talk(target, "endless", "/api/generate", stream=False, options=left)
    hang_up_at(target, whole, None, 0)
    for sent in (1, 10, 40, size - body - 2, size - body, size - body // 2, size - 1):
        hang_up_at(target, request, sent, 0)
    for received in (0, 1, 20, 200, 333, 1000, 5000):
        if time.monotonic() - begun < STUCK_S:
            hang_up_at(target, request, None, received)


@check(
    "stream/hang-up-anywhere",
    MUST,
    group="streaming",
    source="server/routes.go:ChatHandler",
    covers=("CANCEL-001", "CANCEL-002", "CANCEL-010"),
    breaks=CHATTERS,
    race=True,
    alone=True,
)
def hang_up_keeps_nobody(target: Target) -> Verdict:
    """A client may hang up at any byte, of its request or of the answer: nobody waits for it."""
    requires_plain(target)
    before = quiet_ms(target, "greeting", lambda: target.chat("greeting").ok.elapsed_ms)
    hang_up_anywhere(target)
    got = target.chat("greeting")
    limit = max(PROMPT_MS, 10 * before)
    told = f"{got.ok.elapsed_ms:.0f} ms; before it was {before:.0f} ms"
    return expect_that(got.elapsed_ms < limit, f"an answer within {limit:.0f} ms", told, got)


@check(
    "stream/hang-up-leaves-nothing",
    MUST,
    group="streaming",
    source="server/routes.go:ChatHandler",
    covers=("CANCEL-008", "CANCEL-010", "ERR-055"),
    breaks=CHATTERS,
    alone=True,
)
def hang_up_leaves_nothing(target: Target) -> Verdict:
    """Of answers that were hung up on nothing is left: the next ones are as ever."""
    requires_plain(target)
    asks = [
        partial(target.chat, "greeting"),
        partial(target.chat, "prose", stream=True, options={"num_predict": 60}),
        partial(target.generate, "greeting", stream=True),
    ]
    alone = [summed(ask()) for ask in asks]
    hang_up_anywhere(target)
    time.sleep(0.05)  # until the target has seen that they are gone
    after = [ask() for ask in asks]
    return every(
        expect_again(target, summed(got), was, got) for got, was in zip(after, alone, strict=True)
    )


@check(
    "stream/hang-up-stops-the-work",
    MUST,
    group="streaming",
    source="llm/llama_server.go:Completion",
    covers=("CANCEL-001", "CANCEL-010"),
    breaks=CHATTERS,
    race=True,
    alone=True,
)
def hang_up_stops_the_work(target: Target) -> Verdict:
    """What clients left behind is no longer worked on: the next answer is as fast as ever."""
    requires_plain(target)
    before = quiet_ms(target, "count", lambda: _time_ms(target))
    endless = abandoned(target, LEFT, LEFT_S)
    asked = [(talk(target, "endless", options=endless), 300)]
    asked.append((talk(target, "endless", stream=False, options=endless), 0))
    begun, num_left = time.monotonic(), 0
    while num_left < ABANDONED and time.monotonic() - begun < STUCK_S:
        request, received = asked[num_left % 2]
        hang_up_at(target, request, None, received)
        num_left += 1
    return calmly(lambda: _as_quick(target, before, num_left), tries=3)


def _as_quick(target: Target, before: float, num_left: int) -> Verdict:
    after, limit = _time_ms(target), 3 * before + 200
    told = f"{after:.0f} ms; before {num_left} answers were abandoned it was {before:.0f} ms"
    quick = expect_that(after < limit, f"an answer within {limit:.0f} ms", told)
    return replace(quick, sure=after > 2 * limit)


def _time_ms(target: Target) -> float:
    return target.chat("count", stream=True, options=STEADY).ok.elapsed_ms


@contextmanager
def unread(target: Target) -> Iterator[None]:
    """Meanwhile a client asks for a stream and does not read it; then it hangs up."""
    brief = target.chat("endless", stream=True, options={"num_predict": 20}, **WIDE).ok
    pace_s = (brief.arrivals_ms[-1] - brief.arrivals_ms[0]) / 20e3
    request = talk(target, "endless", **WIDE, options=abandoned(target, MORE, UNREAD_S))
    with line(target, narrow=True) as connection:
        connection.send(encoded_bytes(target, request))
        got = b""
        while b'"model"' not in got and (part := connection.receive(256)):  # the head may be early
            got += part
        least, most = UNREAD_WAIT_S
        time.sleep(min(max(FULL * pace_s, least), most))  # until it no longer fits into buffers
        yield


@check(
    "stream/slow-reader",
    MUST,
    group="streaming",
    source="net/http",
    covers=("SCHED-001", "CANCEL-008"),
    breaks=CHATTERS,
    race=True,
    alone=True,
)
def slow_reader(target: Target) -> Verdict:
    """A client that does not read its stream stalls no one who asks something else."""
    requires_plain(target)
    way = max(target.get(target.heartbeat).ok.elapsed_ms for _ in "123")
    limit = max(800.0, 10 * way)
    hasty = Target(target.setup, Patience(silence_s=limit / 1e3))
    with unread(target):
        asked = []
        for path in (target.heartbeat, "/api/tags", "/api/ps"):
            asked.append(hasty.get(path))
            if asked[-1].error is not None:
                break  # it stalls; there is no need to wait again
    target.exchanges.extend(asked)
    slowest = max(asked, key=lambda got: got.elapsed_ms)
    told = f"{slowest.elapsed_ms:.0f} ms; it was {way:.0f} ms"
    prompt = slowest.error is None and slowest.elapsed_ms < limit
    return expect_that(prompt, f"an answer within {limit:.0f} ms", told, slowest)


@check(
    "stream/slow-reader-beside-others",
    SHOULD,
    group="streaming",
    source="docs/faq.md#concurrency",
    covers=("SCHED-001",),
    race=True,
    alone=True,
)
def slow_reader_beside_others(target: Target) -> Verdict:
    """A client that does not read holds up no other stream, where several run at once."""
    requires_plain(target)
    alone = target.chat("greeting").ok.elapsed_ms
    if not any(side_by_side(target) for _ in "123"):
        return PASSED  # one at a time: the others wait, as they do with OLLAMA_NUM_PARALLEL=1
    limit = max(800.0, 10 * alone)
    with unread(target):
        done = threading.Event()
        got: list[Exchange] = []

        def ask() -> None:
            got.append(target.chat("greeting"))
            done.set()

        threading.Thread(target=ask, daemon=True).start()
        prompt = done.wait(limit / 1e3)
    done.wait(target.patience.silence_s)  # the slow one has left
    told = f"{got[0].elapsed_ms:.0f} ms; alone it took {alone:.0f} ms" if got else "no answer"
    return expect_that(prompt, f"an answer within {limit:.0f} ms", told, got[0] if got else None)


def side_by_side(target: Target) -> bool:
    """Whether two streams run at once, not one after the other."""
    asks = [partial(target.chat, "count", stream=True, options={"num_predict": 60})] * 2
    spans = [(got.ok.arrivals_ms[0], got.arrivals_ms[-1]) for got in target.at_once(asks)]
    (_, ended), (second, _) = sorted(spans)
    return second < ended


@check(
    "stream/body-in-pieces",
    MUST,
    group="streaming",
    source="net/http",
    covers=("HTTP-020",),
    breaks=SDKS,
)
def body_in_pieces(target: Target) -> Verdict:
    """A request may come in pieces, cut anywhere: in its head, in a character, byte by byte."""
    requires_plain(target)
    asked = target.asked("unicode-cjk" if target.setup.scripted else "greeting")
    options = target.options({"num_predict": 12})
    ask = {"model": target.model, **asked, "stream": False, "options": options}
    body = json.dumps(ask, ensure_ascii=False).encode()
    request = encoded("POST", "/api/chat", body, {"Content-Type": "application/json"})
    whole = encoded_bytes(target, request)
    alone = summed(target.send("POST", "/api/chat", ask))
    cut = next((n for n, byte in enumerate(whole) if byte & 0xC0 == 0x80), len(whole) - 5)
    ways = (
        [whole[:7], whole[7:40], whole[40:cut], whole[cut:]],
        [whole[:-30], *(bytes([byte]) for byte in whole[-30:])],
    )
    return every(
        expect_again(target, summed(got := send_parts(target, request, parts, 0.005)), alone, got)
        for parts in ways
    )


@check(
    "stream/cors",
    SHOULD,
    group="streaming",
    source="docs/faq.md#origins",
    covers=("HTTP-022", "SEC-11"),
)
def stream_cors(target: Target) -> Verdict:
    """A stream to a page on localhost carries Access-Control-Allow-Origin, and Vary with Origin."""
    origin = "http://localhost:31337"
    ask = {"model": target.model, **target.asked("greeting"), "options": target.options({})}
    got = target.send("POST", "/api/chat", ask, Origin=origin)
    allowed = got.ok.header("Access-Control-Allow-Origin")
    varies = "origin" in (got.header("Vary") or "").lower()
    holds = allowed == "*" or (allowed == origin and varies)
    told = f"{allowed}, Vary: {got.header('Vary')}"
    ended = expect(read(got).final["done"], True, got)
    return every((expect_that(holds, f"{origin}, Vary: Origin", told, got), ended))

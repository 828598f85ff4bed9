"""Outcomes: from an exchange to a sample. Every way to fail has a class; none is dropped. Pure."""

from __future__ import annotations

import contextlib
import hashlib
import json
from dataclasses import dataclass, field

from .answers import IN_STREAM, MALFORMED, WRONG_CONTENT, FaultError, Reader, Record
from .exchange import Exchange, stamps
from .load import EMBEDDING_APIS, Ask
from .sample import Arrival, Sample
from .wire import Answer, WireError

CONNECT = "connect"
TIMEOUT_FIRST = "timeout-first"
TIMEOUT_IDLE = "timeout-idle"
BUSY = "busy-503"
HTTP_4XX = "http-4xx"
HTTP_5XX = "http-5xx"
TRUNCATED = "truncated"
EMPTY = "empty"
CLIENT = "client"
CLASSES = (
    *(CONNECT, TIMEOUT_FIRST, TIMEOUT_IDLE, BUSY, HTTP_4XX, HTTP_5XX, TRUNCATED, MALFORMED),
    *(EMPTY, IN_STREAM, WRONG_CONTENT, CLIENT),
)


@dataclass(slots=True)
class Reading:
    """What has been understood of an answer so far. `arrivals` have read numbers, not times."""

    reader: Reader
    answer: Answer = field(default_factory=Answer)
    arrivals: list[tuple[int, int]] = field(default_factory=list)
    records: list[int] = field(default_factory=list)
    """How many records each read completed."""
    text: list[str] = field(default_factory=list)
    said: dict[str, object] = field(default_factory=dict)
    """Counts, durations and reason, from whichever record had them last."""
    done: bool = False
    finished: int | None = None
    """The read that completed the answer."""


def sample(exchange: Exchange, anchor_ns: int, ask: Ask) -> Sample:
    """The sample of an exchange that asked for this, times counted from the anchor."""
    arrived, kernel = stamps(exchange)
    reading = Reading(Reader(ask))
    error: str | None = None
    message: str | None = None
    try:
        read_all(exchange, reading)
        judge(exchange, reading, ask)
    except FaultError as fault:
        error, message = fault.error, fault.message
    if error is None and not kernel and any(read.kernel_ns for read in exchange.reads):
        message = "the kernel's stamps did not fit the clock: stamped in user space"
    return Sample(
        point=exchange.point,
        user=exchange.user,
        request=exchange.request,
        turn=exchange.turn,
        worker=exchange.worker,
        warmup=exchange.warmup,
        prompt_sha256=exchange.prompt_sha256,
        seed=exchange.seed,
        connect_ns=exchange.connect_ns,
        planned_ns=exchange.planned_ns - anchor_ns,
        sent_ns=exchange.sent_ns - anchor_ns,
        arrivals=tuple(
            Arrival(arrived[number] - anchor_ns, size, reading.records[number])
            for number, size in reading.arrivals
        ),
        finished_ns=None if reading.finished is None else arrived[reading.finished] - anchor_ns,
        status=reading.answer.status,
        error=error,
        message=message,
        output_sha256=digest(reading.text),
        **reading.said,  # type: ignore[arg-type]
    )


def text_of(exchange: Exchange, ask: Ask) -> str:
    """What was generated, as far as it can be read; for the next turn of a conversation."""
    reading = Reading(Reader(ask))
    with contextlib.suppress(FaultError):  # the sample says so
        read_all(exchange, reading)
    return "".join(reading.text)


def read_all(exchange: Exchange, reading: Reading) -> None:
    """Go through the reads, framing first; raises FaultError at the first thing that is wrong."""
    lines: list[tuple[int, bytes]] = []
    broken: str | None = None
    reading.records += [0] * len(exchange.reads)
    try:
        for number, read in enumerate(exchange.reads):
            lines += [(number, line) for line in reading.answer.feed(read.received)]
            if reading.answer.complete:
                reading.finished = number
        if exchange.closed and not reading.answer.complete:
            rest = reading.answer.close()
            if reading.answer.complete:
                reading.finished = len(exchange.reads) - 1
            lines += [(len(exchange.reads) - 1, line) for line in rest]
    except WireError as error:
        broken = str(error)
    for number, line in lines:
        take(number, line, reading)
    if broken is not None:
        raise FaultError(MALFORMED, broken)
    if reading.finished is not None and reading.answer.status == 200:
        keep(reading.finished, reading.reader.end(), reading)


def take(number: int, line: bytes, reading: Reading) -> None:
    """Understand a line that a read completed; only a 200 holds records."""
    if reading.answer.status != 200:
        reading.text.append(line.decode("utf-8", "replace"))
        return
    kind = reading.answer.headers.get("content-type", "")
    if reading.done and line.strip():
        raise FaultError(MALFORMED, f"a line after the end of the stream: {line[:80]!r}")
    if not reading.done:
        keep(number, reading.reader.take(line, kind), reading)


def keep(number: int, record: Record | None, reading: Reading) -> None:
    """Take in what a record says."""
    if record is None:
        return
    reading.records[number] += 1
    reading.done = record.done
    if record.text:
        reading.text.append(record.text)
        size = len(record.text.encode("utf-8", "surrogatepass"))
        reading.arrivals.append((number, size))
    for name in ("prompt_tokens", "output_tokens", "done_reason"):
        if (value := getattr(record, name)) is not None:
            reading.said[name] = value
    if record.server_ns:
        reading.said["server_ns"] = dict(record.server_ns)


def judge(exchange: Exchange, reading: Reading, ask: Ask) -> None:
    """Raise FaultError unless the answer is whole, without errors, and what was asked for."""
    status = reading.answer.status
    if exchange.failure is not None:
        raise FaultError(exchange.failure, exchange.message or exchange.failure)
    if status is not None and status != 200:
        raise FaultError(status_class(status), complaint(status, reading.text))
    if not reading.answer.complete:
        raise FaultError(TRUNCATED, "the connection was closed before the answer's end")
    if not reading.done:
        raise FaultError(TRUNCATED, "the stream ended without saying that it is done")
    if not reading.arrivals:
        raise FaultError(EMPTY, "a whole answer without any text")
    counted = reading.said.get("output_tokens")
    if ask.api not in EMBEDDING_APIS and isinstance(counted, int) and counted > ask.output_tokens:
        asked = ask.output_tokens
        raise FaultError(WRONG_CONTENT, f"{counted} tokens where at most {asked} were asked for")


def status_class(status: int) -> str:
    """The class of a status that is not 200."""
    if status == 503:
        return BUSY
    if 400 <= status < 500:
        return HTTP_4XX
    return HTTP_5XX if status >= 500 else WRONG_CONTENT


def complaint(status: int, text: list[str]) -> str:
    """What the server said about an error, else its status."""
    body = "\n".join(text)
    try:
        said = json.loads(body)["error"]
        said = said["message"] if isinstance(said, dict) else said
    except (ValueError, KeyError, TypeError):
        said = body.strip()[:200]
    return f"{status}: {said}" if said else f"status {status}"


def digest(text: list[str]) -> str | None:
    """The SHA-256 of the whole text; None without any."""
    whole = "".join(text)
    return hashlib.sha256(whole.encode("utf-8", "surrogatepass")).hexdigest() if whole else None

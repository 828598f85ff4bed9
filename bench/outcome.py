"""Outcomes: from an exchange to a sample. Every way to fail has a class; none is dropped. Pure."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

from .exchange import Exchange, stamps
from .sample import Arrival, Sample
from .wire import Answer, WireError

CONNECT = "connect"
TIMEOUT_FIRST = "timeout-first"
TIMEOUT_IDLE = "timeout-idle"
BUSY = "busy-503"
HTTP_4XX = "http-4xx"
HTTP_5XX = "http-5xx"
TRUNCATED = "truncated"
MALFORMED = "malformed"
EMPTY = "empty"
IN_STREAM = "in-stream"
WRONG_CONTENT = "wrong-content"
CLIENT = "client"

DURATIONS = ("total_duration", "load_duration", "prompt_eval_duration", "eval_duration")


class FaultError(Exception):
    """An answer is wrong; its class and what is wrong, in words."""

    def __init__(self, error: str, message: str) -> None:
        super().__init__(message)
        self.error = error
        self.message = message


@dataclass(slots=True)
class Reading:
    """What has been understood of an answer so far. `arrivals` have read numbers, not times."""

    answer: Answer = field(default_factory=Answer)
    arrivals: list[tuple[int, int]] = field(default_factory=list)
    records: list[int] = field(default_factory=list)
    """How many records each read completed."""
    text: list[str] = field(default_factory=list)
    last: dict[str, Any] | None = None
    finished: int | None = None
    """The read that completed the answer."""


def sample(exchange: Exchange, anchor_ns: int, output_tokens: int) -> Sample:
    """The sample of an exchange, times counted from the anchor.

    `output_tokens` is what the request asked for at most.
    """
    arrived, kernel = stamps(exchange)
    reading = Reading()
    error: str | None = None
    message: str | None = None
    try:
        read_all(exchange, reading)
        judge(exchange, reading, output_tokens)
    except FaultError as fault:
        error, message = fault.error, fault.message
    if error is None and not kernel and any(read.kernel_ns for read in exchange.reads):
        message = "the kernel's stamps did not fit the clock: stamped in user space"
    done = reading.last or {}
    return Sample(
        point=exchange.point,
        concurrency=exchange.concurrency,
        user=exchange.user,
        request=exchange.request,
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
        prompt_tokens=count(done.get("prompt_eval_count")),
        output_tokens=count(done.get("eval_count")),
        done_reason=done.get("done_reason") if isinstance(done.get("done_reason"), str) else None,
        server_ns={name: ns for name in DURATIONS if (ns := count(done.get(name))) is not None},
        output_sha256=digest(reading.text),
    )


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


def take(number: int, line: bytes, reading: Reading) -> None:
    """Understand a line that a read completed; only a 200 holds records of a stream."""
    if reading.answer.status != 200:
        reading.text.append(line.decode("utf-8", "replace"))
        return
    if reading.last is not None:
        raise FaultError(MALFORMED, f"a line after done: {line[:80]!r}")
    reading.records[number] += 1
    record = decode(line, reading.answer.headers.get("content-type", ""))
    text = record.get("response", "") + record.get("thinking", "")
    if text:
        reading.text.append(text)
        reading.arrivals.append((number, len(text.encode("utf-8", "surrogatepass"))))
    if record["done"]:
        reading.last = record


def decode(line: bytes, content_type: str) -> dict[str, Any]:
    """One record of a generate stream; raises FaultError for anything else."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind and "json" not in kind:
        raise FaultError(WRONG_CONTENT, f"a stream of {kind[:60]}, not of JSON")
    try:
        record = json.loads(line)
    except ValueError:
        raise FaultError(MALFORMED, f"not JSON: {line[:80]!r}") from None
    if not isinstance(record, dict):
        raise FaultError(WRONG_CONTENT, f"not a JSON object: {line[:80]!r}")
    if record.get("error"):
        raise FaultError(IN_STREAM, str(record["error"]))
    texts = [record[name] for name in ("response", "thinking") if name in record]
    if not isinstance(record.get("done"), bool) or not all(isinstance(text, str) for text in texts):
        raise FaultError(WRONG_CONTENT, f"not a record of /api/generate: {line[:80]!r}")
    return record


def judge(exchange: Exchange, reading: Reading, output_tokens: int) -> None:
    """Raise FaultError unless the answer is whole, without errors, and what was asked for."""
    status = reading.answer.status
    if exchange.failure is not None:
        raise FaultError(exchange.failure, exchange.message or exchange.failure)
    if status is not None and status != 200:
        raise FaultError(status_class(status), complaint(status, reading.text))
    if not reading.answer.complete:
        raise FaultError(TRUNCATED, "the connection was closed before the answer's end")
    if reading.last is None:
        raise FaultError(TRUNCATED, "the stream ended without a record that has done=true")
    if not reading.arrivals:
        raise FaultError(EMPTY, "a whole answer without any text")
    counted = count(reading.last.get("eval_count"))
    if counted is not None and counted > output_tokens:
        raise FaultError(WRONG_CONTENT, f"{counted} tokens where num_predict was {output_tokens}")


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
    except (ValueError, KeyError, TypeError):
        said = body.strip()[:200]
    return f"{status}: {said}" if said else f"status {status}"


def count(value: object) -> int | None:
    """A count or duration that a server declared, where it is one."""
    whole = isinstance(value, int) and not isinstance(value, bool)
    return value if whole and value >= 0 else None  # type: ignore[operator,return-value]


def digest(text: list[str]) -> str | None:
    """The SHA-256 of the whole text; None without any."""
    whole = "".join(text)
    return hashlib.sha256(whole.encode("utf-8", "surrogatepass")).hexdigest() if whole else None

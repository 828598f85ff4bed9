"""What was sent and what came back, kept whole: bytes, arrival times, faults, parsed records.

Nothing here talks to a server and nothing here judges; reading what is not there raises
`Wrong`, which says that the target, not the suite, is at fault.
"""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NoReturn, TypeAlias

Json: TypeAlias = Any  # a JSON value, or the fields of a request: the target decides what it is

MAX_BODY_CHARACTERS = 64 * 1024
MAX_CURL_BODY = 16 * 1024  # more cannot be pasted
REPEATED = re.compile(rb"([!-~]{1,6}?)\1{99,}")


class Wrong(Exception):  # noqa: N818  # a finding, not an error of ours
    """The target did not do what the check expected."""

    def __init__(self, expected: object, actual: object, evidence: Exchange | None = None) -> None:
        super().__init__(f"expected {expected}, got {actual}")
        self.expected = expected
        self.actual = actual
        self.evidence = evidence  # the exchange that shows it, of several


class Record(dict[str, Any]):
    """A JSON object of the target; a key that is not there is the target's fault."""

    of: Exchange | None = None  # the exchange in which it came

    def __missing__(self, key: str) -> NoReturn:
        raise Wrong(f"a key {key!r}", f"keys {', '.join(sorted(map(repr, self)))}", self.of)


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it was sent."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes | None


@dataclass(frozen=True, slots=True)
class Piece:
    """Body bytes that arrived together."""

    at_ms: float  # since the request was sent
    content: bytes


@dataclass(frozen=True)
class Exchange:
    """One request and all that is known about its answer."""

    url: str  # of the target, without a path
    request: Request
    status: int | None = None
    version: str = "1.1"
    headers: tuple[tuple[str, str], ...] = ()
    framing: str = "none"
    interim: tuple[int, ...] = ()
    pieces: tuple[Piece, ...] = ()
    elapsed_ms: float = 0.0
    tail: bytes = b""
    error: str | None = None  # what went wrong below HTTP

    def header(self, name: str) -> str | None:
        """The value of a header, several joined by a comma; None where it is absent."""
        values = [value for key, value in self.headers if key.lower() == name.lower()]
        return ", ".join(values) if values else None

    @property
    def media_type(self) -> str:
        """The content type without its parameters, in lower case."""
        return (self.header("Content-Type") or "").partition(";")[0].strip().lower()

    @cached_property
    def body(self) -> bytes:
        """The body, without its framing."""
        return b"".join(piece.content for piece in self.pieces)

    @cached_property
    def text(self) -> str:
        """The body as UTF-8."""
        try:
            return self.body.decode()
        except UnicodeDecodeError as error:
            raise Wrong("a body in UTF-8", f"bytes that are not: {error.reason}", self) from None

    @property
    def answered(self) -> Exchange:
        """Itself, if a whole and well-framed response came."""
        if self.error is not None:
            raise Wrong("a whole HTTP response", self.error, self)
        if self.tail:
            raise Wrong("nothing after the end of the response", f"{self.tail[:80]!r}", self)
        return self

    @property
    def code(self) -> int:
        """The status of a whole and well-framed response."""
        status = self.answered.status
        assert status is not None
        return status

    @property
    def ok(self) -> Exchange:
        """Itself, if it was answered with 200."""
        if self.answered.status != 200:
            raise Wrong("status 200", f"status {self.status}: {shortened(self.loose_text)}", self)
        return self

    @property
    def loose_text(self) -> str:
        """The body as text, whatever it holds."""
        return self.body.decode(errors="replace")

    @cached_property
    def object(self) -> Record:
        """The body as one JSON object."""
        return parse_object(self.answered.text, "the body", self)

    @cached_property
    def lines(self) -> list[str]:
        """The body's LF-terminated lines, without their LF."""
        if not self.ok.text.endswith("\n"):
            raise Wrong("a last line that ends in LF", f"...{self.text[-60:]!r}", self)
        return self.text[:-1].split("\n")

    @cached_property
    def records(self) -> list[Record]:
        """The body as NDJSON: each line one JSON object."""
        return [parse_object(line, f"line {n}", self) for n, line in enumerate(self.lines, 1)]

    @cached_property
    def arrivals_ms(self) -> list[float]:
        """When the end of each line arrived, milliseconds since the request was sent."""
        return [piece.at_ms for piece in self.pieces for _ in range(piece.content.count(b"\n"))]

    @property
    def last(self) -> Record:
        """The last record of a stream."""
        return self.records[-1]

    @property
    def error_text(self) -> str:
        """The message of a JSON error: a non-empty string under `error` of an object."""
        message = self.object["error"]
        if not isinstance(message, str) or not message:
            raise Wrong("`error` to be a non-empty string", message, self)
        return message

    @property
    def curl(self) -> str:
        """A command line that sends this request again."""
        words = ["curl", "-sS", "-i", "-N"]
        if self.request.method == "HEAD":
            words[-1] = "--head"
        elif self.request.method != "GET" or self.request.body is not None:
            words += ["-X", self.request.method]
        words.append(self.url + self.request.path)
        for name, value in self.request.headers:
            if name.lower() not in {"host", "content-length", "connection"}:
                words += ["-H", f"{name}: {value.strip()}"]
            elif name.lower() == "host" and value not in self.url:
                words += ["-H", f"Host: {value}"]
        given = {name.lower() for name, _ in self.request.headers}
        if self.request.body is not None and "content-type" not in given:
            words += ["-H", "Content-Type:"]  # else curl says that it is a form
        body = self.request.body
        if body is not None and "transfer-encoding" in given:
            body = _unchunked(body)  # curl makes chunks of its own
        return _piped(shlex.join(words), body)

    def document(self) -> dict[str, Any]:
        """Itself as run.jsonl has it."""
        sent = self.request.body
        return {
            "method": self.request.method,
            "path": self.request.path,
            "request": None if sent is None else shortened(sent.decode(errors="replace"), 4096),
            "status": self.status,
            "headers": [list(pair) for pair in self.headers],
            "body": shortened(self.loose_text, MAX_BODY_CHARACTERS),
            "pieces": [[round(piece.at_ms, 3), len(piece.content)] for piece in self.pieces],
            "error": self.error,
        }


def _piped(command: str, body: bytes | None) -> str:
    """The command with its body: as an argument where it can be one, else through a pipe."""
    if body is None:
        return command
    if len(body) > MAX_CURL_BODY:
        return _made(command, body)
    try:
        text = body.decode()
    except UnicodeDecodeError:
        text = "\0"
    if "\0" not in text:
        option = "--data-raw" if text.startswith("@") else "-d"
        return f"{command} {option} {shlex.quote(text)}"
    return f"{_printed(body)} | {command} --data-binary @-"


def _printed(content: bytes) -> str:
    """A command that prints these bytes."""
    escaped = "".join(
        chr(one) if 32 <= one < 127 and one not in b"\\%'" else f"\\{one:03o}" for one in content
    )
    return f"printf -- '{escaped}'"


def _made(command: str, body: bytes) -> str:
    """The command with a large body, which is made on the spot where it repeats itself."""
    made, literal, end = [], 0, 0
    for run in REPEATED.finditer(body):
        before = body[end : run.start()]
        unit, times = run[1], len(run[0]) // len(run[1])
        made += [_printed(before)] if before else []
        made.append(f"yes {shlex.quote(unit.decode())} | head -n {times} | tr -d '\\n'")
        literal, end = literal + len(before), run.end()
    if literal + len(body) - end > MAX_CURL_BODY:
        return f"{command} --data-binary @FILE"
    made += [_printed(body[end:])] if body[end:] else []
    return f"{{ {'; '.join(made)}; }} | {command} --data-binary @-"


def _unchunked(body: bytes) -> bytes:
    """The content of a chunked body; itself where it is no chunked body."""
    content, rest = b"", body
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        try:
            length = int(size.partition(b";")[0], 16)
        except ValueError:
            return body
        if not length:
            return content
        content, rest = content + rest[:length], rest[length + 2 :]
    return body


def parse_object(text: str, what: str, of: Exchange | None = None) -> Record:
    """A JSON object. Raises Wrong."""

    def record(found: dict[str, Any]) -> Record:
        made = Record(found)
        made.of = of
        return made

    try:
        parsed = json.loads(text, object_hook=record, parse_constant=_refuse_constant)
    except ValueError as error:
        raise Wrong(f"{what} to be JSON", f"{shortened(text)!r} ({error})", of) from None
    if not isinstance(parsed, Record):
        raise Wrong(f"{what} to be a JSON object", shortened(text), of)
    return parsed


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def shortened(text: str, limit: int = 200) -> str:
    """The text, cut after `limit` characters."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"

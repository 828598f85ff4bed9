"""What was sent and what came back, kept whole: bytes, arrival times, faults, parsed records.

Nothing here talks to a server and nothing here judges; reading what is not there raises
`Wrong`, which says that the target, not the suite, is at fault.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NoReturn, TypeAlias

from .pasted import Sent, line_of

Json: TypeAlias = Any  # a JSON value, or the fields of a request: the target decides what it is

MAX_BODY_CHARACTERS = 64 * 1024


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
    sent: Sent | None = None  # the bytes themselves, where the request does not tell them
    cut: bool = False  # we hung up, or the target did, before it was over

    def header(self, name: str) -> str | None:
        """The value of a header, several joined by a comma; None where it is absent."""
        values = [value for key, value in self.headers if key.lower() == name.lower()]
        return ", ".join(values) if values else None

    @cached_property
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
        return line_of(self.url, self.request, self.sent)

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

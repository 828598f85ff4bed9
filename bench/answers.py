"""Answers of every API, line by line, as records. Pure: nothing is known of time or sockets.

Ollama streams one JSON object a line, the OpenAI routes stream server-sent events, and whatever is
not streamed is one JSON object over the whole body.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .load import EMBEDDING_APIS, Ask

MALFORMED = "malformed"
IN_STREAM = "in-stream"
WRONG_CONTENT = "wrong-content"

DURATIONS = ("total_duration", "load_duration", "prompt_eval_duration", "eval_duration")
TEXTS = ("content", "response", "text", "thinking", "reasoning", "reasoning_content")


class FaultError(Exception):
    """An answer is wrong; its class and what is wrong, in words."""

    def __init__(self, error: str, message: str) -> None:
        super().__init__(message)
        self.error = error
        self.message = message


@dataclass(frozen=True, slots=True)
class Record:
    """What one record says; `text` counts everything that was generated: answer, thinking and
    tool calls. Of an embedding answer it is the vectors."""

    text: str = ""
    done: bool = False
    prompt_tokens: int | None = None
    output_tokens: int | None = None
    done_reason: str | None = None
    server_ns: Mapping[str, int] = field(default_factory=dict)


Decoder = Callable[[dict[str, Any]], Record]


class Reader:
    """Turns the lines of one answer's body into records."""

    def __init__(self, ask: Ask) -> None:
        self._whole = not ask.stream or ask.api in EMBEDDING_APIS
        self._events = ask.api.startswith("openai-") and not self._whole
        self._decode = decoder(ask)
        self._body: list[bytes] = []

    def take(self, line: bytes, content_type: str) -> Record | None:
        """The record in a line; None where the line has none, or not yet.

        :raises FaultError: where the line is not of this API.
        """
        self._refuse_foreign(content_type)
        if self._whole:
            self._body.append(line)
            return None
        if not self._events:
            return self._decode(parsed(line))
        name, _, value = line.rstrip(b"\r").partition(b":")
        if name == b"data":
            value = value.removeprefix(b" ")
            return Record(done=True) if value == b"[DONE]" else self._decode(parsed(value))
        if name in (b"", b"event", b"id", b"retry"):
            return None
        raise FaultError(MALFORMED, f"not a server-sent event: {line[:80]!r}")

    def end(self) -> Record | None:
        """The record of a whole body, once its last line was taken."""
        return self._decode(parsed(b"\n".join(self._body))) if self._body else None

    def _refuse_foreign(self, content_type: str) -> None:
        kind = content_type.partition(";")[0].strip().lower()
        wanted = "event-stream" if self._events else "json"
        if kind and wanted not in kind:
            raise FaultError(WRONG_CONTENT, f"an answer of {kind[:60]}, not of {wanted}")


def decoder(ask: Ask) -> Decoder:
    """What reads the records of an API."""
    if ask.api in EMBEDDING_APIS:
        return lambda record: vectors(record, ask.inputs)
    if not ask.api.startswith("openai-"):
        return native
    return event if ask.stream else completion


def parsed(line: bytes) -> dict[str, Any]:
    """One JSON object without an error in it."""
    try:
        record = json.loads(line)
    except ValueError:
        raise FaultError(MALFORMED, f"not JSON: {line[:80]!r}") from None
    if not isinstance(record, dict):
        raise FaultError(WRONG_CONTENT, f"not a JSON object: {line[:80]!r}")
    if record.get("error"):
        error = record["error"]
        said = error.get("message") if isinstance(error, dict) else None
        raise FaultError(IN_STREAM, str(said or error))
    return record


def native(record: dict[str, Any]) -> Record:
    """A record of /api/generate or /api/chat, streamed or not."""
    done = record.get("done")
    message = record.get("message", record)
    if not isinstance(done, bool) or not isinstance(message, dict):
        raise FaultError(WRONG_CONTENT, f"not a record of Ollama: {shown(record)}")
    text = generated(message)
    if not done:
        return Record(text)
    return Record(
        text,
        True,
        count(record.get("prompt_eval_count")),
        count(record.get("eval_count")),
        words(record.get("done_reason")),
        {name: ns for name in DURATIONS if (ns := count(record.get(name))) is not None},
    )


def event(record: dict[str, Any]) -> Record:
    """A chunk of a streamed completion; the chunk with the counts has no choices."""
    return choice_of(record, "delta", done=False)


def completion(record: dict[str, Any]) -> Record:
    """A whole completion."""
    return choice_of(record, "message", done=True)


def choice_of(record: dict[str, Any], inside: str, done: bool) -> Record:
    """What the first choice says, and the counts where they are."""
    choices = record.get("choices")
    if not isinstance(choices, list) or not all(isinstance(one, dict) for one in choices):
        raise FaultError(WRONG_CONTENT, f"not a completion: {shown(record)}")
    usage = record.get("usage")
    usage = usage if isinstance(usage, dict) else {}
    choice: dict[str, Any] = choices[0] if choices else {}
    said = choice.get(inside, choice)
    if not isinstance(said, dict):
        raise FaultError(WRONG_CONTENT, f"not a completion: {shown(record)}")
    return Record(
        generated(said),
        done,
        count(usage.get("prompt_tokens")),
        count(usage.get("completion_tokens")),
        words(choice.get("finish_reason")),
    )


def generated(message: dict[str, Any]) -> str:
    """All that a message has of what was generated."""
    texts = [message[name] for name in TEXTS if message.get(name) is not None]
    if not all(isinstance(text, str) for text in texts):
        raise FaultError(WRONG_CONTENT, f"text that is no string: {shown(message)}")
    calls = message.get("tool_calls")
    return "".join(texts) + (json.dumps(calls) if calls else "")


def vectors(record: dict[str, Any], inputs: int) -> Record:
    """An embedding answer, which has a vector of numbers for each input."""
    found = record.get("embeddings")
    if found is None:
        entries = record.get("data")
        entries = entries if isinstance(entries, list) else []
        found = [one.get("embedding") if isinstance(one, dict) else None for one in entries]
    if not isinstance(found, list) or len(found) != inputs:
        raise FaultError(WRONG_CONTENT, f"not {inputs} vectors: {shown(record)}")
    if not all(isinstance(one, list | str) and one for one in found):  # a string: base64
        raise FaultError(WRONG_CONTENT, f"a vector that is none: {shown(record)}")
    usage = record.get("usage")
    counted = usage.get("prompt_tokens") if isinstance(usage, dict) else None
    return Record(
        json.dumps(found),
        True,
        count(record.get("prompt_eval_count", counted)),
        server_ns={name: ns for name in DURATIONS if (ns := count(record.get(name))) is not None},
    )


def shown(record: dict[str, Any]) -> str:
    """The beginning of a record, for a message."""
    return json.dumps(record)[:80]


def words(value: object) -> str | None:
    """The value where it is a text."""
    return value if isinstance(value, str) else None


def count(value: object) -> int | None:
    """A count or duration that a server declared, where it is one."""
    whole = isinstance(value, int) and not isinstance(value, bool)
    return value if whole and value >= 0 else None  # type: ignore[operator,return-value]

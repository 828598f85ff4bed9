"""An answer of /api/chat or /api/generate, read the same way whether it was streamed or not."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from .evidence import Exchange, Json, Record, Wrong

COUNTS = ("prompt_eval_count", "eval_count")
DURATIONS = ("total_duration", "load_duration", "prompt_eval_duration", "eval_duration")


@dataclass(frozen=True, slots=True)
class Reply:
    """Text, thinking and calls of all records together, and the record that ends them."""

    text: str
    thinking: str
    calls: tuple[Record, ...]
    records: tuple[Record, ...]
    final: Record

    @property
    def reason(self) -> Json:
        """Why it ended."""
        return self.final["done_reason"]

    def count(self, name: str) -> int:
        """A count of the final record."""
        value = self.final[name]
        if type(value) is not int or value < 0:
            raise Wrong(f"{name} to be a whole number", value, self.final.of)
        return value

    @property
    def functions(self) -> list[dict[str, Any]]:
        """Name and arguments of each call."""
        functions = [call["function"] for call in self.calls]
        return [{"name": one["name"], "arguments": one["arguments"]} for one in functions]


def read(got: Exchange) -> Reply:
    """The reply in an exchange. Raises Wrong where it is none."""
    records = got.records if streams(got) else [got.ok.object]
    messages = [_message(record, got) for record in records]
    return Reply(
        text="".join(_text(message, "content") for message in messages),
        thinking="".join(_text(message, "thinking") for message in messages),
        calls=tuple(call for message in messages for call in message.get("tool_calls") or ()),
        records=tuple(records),
        final=records[-1],
    )


def streams(got: Exchange) -> bool:
    """Whether the request asked for a stream."""
    asked = json.loads(got.request.body or b"{}")
    return asked.get("stream") is not False


def _message(record: Record, got: Exchange) -> Record:
    """A record's message; a generate record in the shape of one."""
    if got.request.path.startswith("/api/chat"):
        message = record["message"]
        if not isinstance(message, Record):
            raise Wrong("`message` to be an object", message, got)
        return message
    return Record(content=record["response"], thinking=record.get("thinking", ""))


def _text(message: Record, key: str) -> str:
    text = message[key] if key == "content" else message.get(key, "")
    if not isinstance(text, str):
        raise Wrong(f"{key} to be a string", text)
    return text

"""Ids of tool calls as some templates want them: nine letters and digits, none missing. Pure."""

from collections.abc import Sequence
from dataclasses import replace

from ..messages import Message, ToolCall

SIZE = 9


def with_short_ids(messages: Sequence[Message]) -> list[Message]:
    """The messages with such ids in calls and results; a result without one answers in order."""
    short: dict[str, str] = {}
    unanswered: list[str] = []
    changed = []
    for message in messages:
        calls = [replace(call, id=_short(call, short)) for call in message.tool_calls]
        unanswered += [call.id for call in calls]
        answered = short.get(message.tool_call_id, message.tool_call_id)
        if message.role == "tool":
            if not _fits(answered):
                answered = unanswered[0] if unanswered else _numbered(0)
            if answered in unanswered:
                unanswered.remove(answered)
        changed.append(replace(message, tool_calls=tuple(calls), tool_call_id=answered))
    return changed


def _short(call: ToolCall, short: dict[str, str]) -> str:
    """The id of a call, its own where it fits."""
    if _fits(call.id):
        return call.id
    number = len(short)
    return short.setdefault(call.id or f"missing {number}", _numbered(number))


def _fits(identity: str) -> bool:
    return len(identity) == SIZE and identity.isascii() and identity.isalnum()


def _numbered(number: int) -> str:
    return f"call{number:05d}"

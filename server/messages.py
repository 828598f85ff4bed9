"""What a conversation is made of: messages and the tool calls in them.

Values only. Decoding follows the contract's CHAT-015..021; tools live in `tools`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .decode import DecodeError, Json, as_list, as_object, images, mismatch, text, whole_number
from .tools import Tool, ToolProperty, decode_tools

__all__ = [
    "DecodeError",
    "Message",
    "Think",
    "Tool",
    "ToolCall",
    "ToolProperty",
    "decode_messages",
    "decode_tools",
]

Think = bool | str | None
"""A request's `think`: None when it said nothing, else a boolean or a level ("low" .. "max")."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call of a tool, earlier in the history or just made."""

    name: str
    arguments: Mapping[str, Json] = field(default_factory=dict)
    id: str = ""
    index: int = 0

    @classmethod
    def decode(cls, value: Json, where: str = "tool_calls") -> "ToolCall":
        """A call from its JSON; `arguments` must be an object, and `type` is ignored (CHAT-019)."""
        fields = as_object(value, where, "api.ToolCall")
        function_where = f"{where}.function"
        function = as_object(fields.get("function"), function_where, "api.ToolCallFunction")
        return cls(
            name=text(function, "name", function_where),
            arguments=_arguments(function.get("arguments"), f"{function_where}.arguments"),
            id=text(fields, "id", where),
            index=whole_number(function, "index", function_where),
        )

    def to_json(self) -> dict[str, Json]:
        """The call as replies carry it (TOOL-007)."""
        function: dict[str, Json] = {
            "index": self.index,
            "name": self.name,
            "arguments": self.arguments,
        }
        return {"id": self.id, "function": function} if self.id else {"function": function}


def _arguments(value: Json, where: str) -> Mapping[str, Json]:
    if value is not None and not isinstance(value, Mapping):
        raise mismatch(value, where, "map[string]interface {}")
    return value or {}


@dataclass(frozen=True, slots=True)
class Message:
    """One turn. `role` is lower case and may be anything, the empty string included."""

    role: str
    content: str = ""
    thinking: str = ""
    images: tuple[bytes, ...] = ()
    tool_calls: tuple[ToolCall, ...] = ()
    tool_name: str = ""
    tool_call_id: str = ""

    @classmethod
    def decode(cls, value: Json, where: str = "ChatRequest.messages") -> "Message":
        """A message from its JSON; null is an empty message (CHAT-031)."""
        fields = as_object(value, where, "api.Message")
        calls_where = f"{where}.tool_calls"
        calls = as_list(fields.get("tool_calls"), calls_where, "[]api.ToolCall")
        return cls(
            role=text(fields, "role", where).lower(),
            content=text(fields, "content", where),
            thinking=text(fields, "thinking", where),
            images=images(fields, "images", where),
            tool_calls=tuple(ToolCall.decode(call, calls_where) for call in calls),
            tool_name=text(fields, "tool_name", where),
            tool_call_id=text(fields, "tool_call_id", where),
        )

    def to_json(self) -> dict[str, Json]:
        """The message as JSON; empty fields other than role and content are left out."""
        record: dict[str, Json] = {"role": self.role, "content": self.content}
        calls: Sequence[Json] = [call.to_json() for call in self.tool_calls]
        optional: dict[str, Json] = {
            "thinking": self.thinking,
            "tool_calls": calls,
            "tool_name": self.tool_name,
            "tool_call_id": self.tool_call_id,
        }
        return record | {name: value for name, value in optional.items() if value}


def decode_messages(value: Json, where: str = "ChatRequest.messages") -> tuple[Message, ...]:
    """The messages of a request; null and absent give none."""
    return tuple(Message.decode(each, where) for each in as_list(value, where, "[]api.Message"))

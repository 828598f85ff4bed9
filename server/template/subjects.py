"""What a template is about: messages and tools as the typed values it sees.

The Go types are Ollama's (`ollama/ollama:template/template.go`, `api/types.go`): they decide
which of these print as JSON, in which order and with which keys.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..decode import Json
from ..messages import Message, ToolCall
from ..tools import Tool, ToolProperty
from .json_text import encode
from .values import JsonKey, Map, Record, Slice, Value, from_json, strings


@dataclass(frozen=True, slots=True)
class _JsonSlice(Slice):
    """A slice that prints as JSON."""

    def text(self) -> str | None:
        return encode(self)


@dataclass(frozen=True, slots=True)
class _JsonMap(Map):
    """A map that prints as JSON, an absent one as `{}`."""

    def text(self) -> str | None:
        return "{}" if self.is_nil else encode(self)


@dataclass(frozen=True, slots=True)
class _JsonRecord(Record):
    """A struct that prints as JSON."""

    def text(self) -> str | None:
        return encode(self)


@dataclass(frozen=True, slots=True)
class _TypeNames(Slice):
    """The types of a property: a single one stands without brackets, in text and in JSON."""

    def text(self) -> str | None:
        if len(self.items) == 1:
            return str(self.items[0])
        return f"[{' '.join(str(each) for each in self.items)}]" if self.items else ""

    def json_value(self) -> Value:
        return self.items[0] if len(self.items) == 1 else Slice(self.items, "[]string")


@dataclass(frozen=True, slots=True)
class _Property(Record):
    """A tool's property, which knows its type in TypeScript."""

    typescript: str = "any"

    def method(self, name: str) -> Value:
        return self.typescript if name == "ToTypeScriptType" else None


def _keys(**names: str) -> Mapping[str, JsonKey]:
    """JSON keys by field; a name that ends in `?` is left out when empty."""
    return {
        field: JsonKey(name.rstrip("?"), omit_empty=name.endswith("?"))
        for field, name in names.items()
    }


_TOOL = _keys(Type="type", Items="items?", Function="function")
_FUNCTION = _keys(Name="name", Description="description", Parameters="parameters")
_PARAMETERS = _keys(
    Type="type", Defs="$defs?", Items="items?", Required="required?", Properties="properties"
)
_PROPERTY = _keys(
    AnyOf="anyOf?",
    Type="type?",
    Items="items?",
    Description="description?",
    Enum="enum?",
    Properties="properties?",
    Required="required?",
)


def messages_value(messages: Sequence[Message]) -> Value:
    """`.Messages`."""
    return Slice(tuple(map(_message, messages)), "[]*template.templateMessage", not messages)


def _message(message: Message) -> Record:
    images = Slice(message.images, "[]api.ImageData", is_nil=not message.images)
    calls = tuple(map(_call, message.tool_calls))
    return Record(
        "*template.templateMessage",
        {
            "Role": message.role,
            "Content": message.content,
            "Thinking": message.thinking,
            "Images": images,
            "ToolCalls": Slice(calls, "[]template.templateToolCall", is_nil=not calls),
            "ToolName": message.tool_name,
            "ToolCallID": message.tool_call_id,
        },
    )


def _call(call: ToolCall) -> Record:
    arguments = {name: from_json(value) for name, value in call.arguments.items()}
    function: dict[str, Value] = {
        "Index": call.index,
        "Name": call.name,
        "Arguments": _JsonMap(arguments, "template.templateArgs"),
    }
    return Record(
        "template.templateToolCall",
        {"ID": call.id, "Function": Record("template.templateToolCallFunction", function)},
    )


def tools_value(tools: Sequence[Tool]) -> Value:
    """`.Tools`."""
    return _JsonSlice(tuple(map(_tool, tools)), "template.templateTools", is_nil=not tools)


def _tool(tool: Tool) -> Record:
    function: dict[str, Value] = {
        "Name": tool.name,
        "Description": tool.description,
        "Parameters": Record(
            "template.templateToolFunctionParameters",
            {
                "Type": tool.parameters.type,
                "Defs": from_json(tool.parameters.defs),
                "Items": from_json(tool.parameters.items),
                "Required": strings(tool.parameters.required),
                "Properties": _properties(tool.parameters.properties, keeps_order=False),
            },
            _PARAMETERS,
        ),
    }
    return _JsonRecord(
        "template.templateTool",
        {
            "Type": tool.type,
            "Items": from_json(tool.items),
            "Function": Record("template.templateToolFunction", function, _FUNCTION),
        },
        _TOOL,
    )


def _properties(properties: Mapping[str, ToolProperty] | None, *, keeps_order: bool) -> Map:
    """Properties by name: sorted under a tool, in the order given further down."""
    entries = {name: _property(each) for name, each in (properties or {}).items()}
    return _JsonMap(
        entries,
        "template.templateProperties",
        missing=_property(ToolProperty()) if properties else None,
        is_nil=properties is None,
        keeps_order=keeps_order,
    )


def _property(schema: ToolProperty) -> _Property:
    nested = None
    if schema.properties is not None:
        nested = _properties(schema.properties, keeps_order=True)
    any_of = tuple(map(_property, schema.any_of))
    return _Property(
        "api.ToolProperty",
        {
            "AnyOf": Slice(any_of, "[]api.ToolProperty", is_nil=not any_of),
            "Type": _TypeNames(schema.type, "api.PropertyType", is_nil=not schema.type),
            "Items": from_json(schema.items),
            "Description": schema.description,
            "Enum": _plain(schema.enum),
            "Properties": nested,
            "Required": strings(schema.required),
        },
        _PROPERTY,
        typescript=schema.typescript(),
    )


def _plain(values: Sequence[Json]) -> Slice:
    return Slice(tuple(from_json(each) for each in values), is_nil=not values)

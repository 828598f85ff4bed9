"""The tools a request offers, as far as Ollama reads them.

Values only. Schema keywords outside the fields below are dropped before a model sees them, as
the original does (TOOL-005): a template that prints tools then prints the same bytes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from .decode import DecodeError, Json, as_list, as_object, as_text, text, texts

_TYPESCRIPT = {
    "string": "string",
    "number": "number",
    "integer": "number",
    "boolean": "boolean",
    "array": "any[]",
    "object": "Record<string, any>",
    "null": "null",
}


@dataclass(frozen=True, slots=True)
class ToolProperty:
    """The schema of one argument. `properties` is None when the schema has none."""

    type: tuple[str, ...] = ()
    description: str = ""
    enum: tuple[Json, ...] = ()
    items: Json = None
    any_of: tuple["ToolProperty", ...] = ()
    properties: Mapping[str, "ToolProperty"] | None = None
    required: tuple[str, ...] = ()

    @classmethod
    def decode(cls, value: Json, where: str) -> "ToolProperty":
        """A property from its JSON schema (TOOL-004)."""
        fields = as_object(value, where, "api.ToolProperty")
        any_of = as_list(fields.get("anyOf"), f"{where}.anyOf", "[]api.ToolProperty")
        return cls(
            type=_types(fields.get("type"), f"{where}.type"),
            description=text(fields, "description", where),
            enum=tuple(as_list(fields.get("enum"), f"{where}.enum", "[]interface {}")),
            items=fields.get("items"),
            any_of=tuple(cls.decode(each, f"{where}.anyOf") for each in any_of),
            properties=_properties(fields.get("properties"), f"{where}.properties"),
            required=texts(fields, "required", where),
        )

    def to_json(self) -> dict[str, Json]:
        """The schema again, in the order and with the omissions of the original."""
        record: dict[str, Json] = {
            "anyOf": [each.to_json() for each in self.any_of],
            "type": self.type[0] if len(self.type) == 1 else self.type,
            "items": self.items,
            "description": self.description,
            "enum": self.enum,
        }
        kept = {key: value for key, value in record.items() if value or key == "items"}
        if self.items is None:
            kept.pop("items", None)
        if self.properties is not None:
            kept["properties"] = {name: each.to_json() for name, each in self.properties.items()}
        if self.required:
            kept["required"] = self.required
        return kept

    def typescript(self) -> str:
        """The property's type in TypeScript, `any` where it has none (TMPL-02)."""
        if self.any_of:
            return " | ".join(each.typescript() for each in self.any_of)
        return " | ".join(_TYPESCRIPT.get(each, "any") for each in self.type) or "any"


@dataclass(frozen=True, slots=True)
class ToolParameters:
    """The arguments of a tool. `properties` is None when the request gave none."""

    type: str = ""
    defs: Json = None
    items: Json = None
    required: tuple[str, ...] = ()
    properties: Mapping[str, ToolProperty] | None = None

    @classmethod
    def decode(cls, value: Json, where: str) -> "ToolParameters":
        """The parameters from their JSON schema; absent gives empty ones (TOOL-006)."""
        fields = as_object(value, where, "api.ToolFunctionParameters")
        return cls(
            type=text(fields, "type", where),
            defs=fields.get("$defs"),
            items=fields.get("items"),
            required=texts(fields, "required", where),
            properties=_properties(fields.get("properties"), f"{where}.properties"),
        )

    def to_json(self) -> dict[str, Json]:
        """The schema again; `properties` is null where the request gave none."""
        record: dict[str, Json] = {"type": self.type}
        if self.defs is not None:
            record["$defs"] = self.defs
        if self.items is not None:
            record["items"] = self.items
        if self.required:
            record["required"] = self.required
        record["properties"] = None
        if self.properties is not None:
            record["properties"] = {name: each.to_json() for name, each in self.properties.items()}
        return record


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that the model may call. `type` is any string, normally `function`."""

    type: str = ""
    name: str = ""
    description: str = ""
    parameters: ToolParameters = field(default_factory=ToolParameters)
    items: Json = None

    @classmethod
    def decode(cls, value: Json, where: str = "ChatRequest.tools") -> "Tool":
        """A tool from its JSON (TOOL-003)."""
        fields = as_object(value, where, "api.Tool")
        function_where = f"{where}.function"
        function = as_object(fields.get("function"), function_where, "api.ToolFunction")
        return cls(
            type=text(fields, "type", where),
            name=text(function, "name", function_where),
            description=text(function, "description", function_where),
            parameters=ToolParameters.decode(
                function.get("parameters"), f"{function_where}.parameters"
            ),
            items=fields.get("items"),
        )

    def to_json(self) -> dict[str, Json]:
        """The tool as chat templates take it; an empty description is left out."""
        function: dict[str, Json] = {"name": self.name}
        if self.description:
            function["description"] = self.description
        function["parameters"] = self.parameters.to_json()
        record: dict[str, Json] = {"type": self.type}
        if self.items is not None:
            record["items"] = self.items
        return record | {"function": function}


def decode_tools(value: Json, where: str = "ChatRequest.tools") -> tuple[Tool, ...]:
    """The tools of a request; null, absent and `[]` give none (TOOL-002)."""
    try:
        return tuple(Tool.decode(each, where) for each in as_list(value, where, "api.Tools"))
    except RecursionError as error:
        raise DecodeError("json: exceeded max depth") from error


def _types(value: Json, where: str) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    return tuple(as_text(each, where) for each in as_list(value, where, "[]string"))


def _properties(value: Json, where: str) -> Mapping[str, ToolProperty] | None:
    if value is None:
        return None
    fields = as_object(value, where, "map[string]api.ToolProperty")
    return {name: ToolProperty.decode(each, where) for name, each in fields.items()}

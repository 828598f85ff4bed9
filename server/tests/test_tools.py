"""Tools decode as the contract says and are written again as a model sees them."""

import pytest

from ..decode import DecodeError, Json
from ..tools import Tool, decode_tools


def tool(parameters: Json) -> Json:
    """A tool with these parameters."""
    return {"type": "function", "function": {"name": "f", "parameters": parameters}}


def test_absent_parameters_are_written_as_empty_ones() -> None:
    """A tool may be an empty object."""
    empty = {"type": "", "function": {"name": "", "parameters": {"type": "", "properties": None}}}
    assert Tool.decode({}).to_json() == empty


@pytest.mark.parametrize("value", [None, []])
def test_no_tools_are_none(value: Json) -> None:
    """LangChain sends an empty list."""
    assert decode_tools(value) == ()


def test_schema_keeps_its_order_and_loses_unknown_keywords() -> None:
    """What is written is what the original keeps of it."""
    given: dict[str, Json] = {
        "properties": {
            "b": {"description": "d", "type": ["string", "null"], "default": 1},
            "a": {"enum": [1, "x"], "anyOf": [{"type": "integer"}], "items": {"z": 1, "a": 2}},
        },
        "required": ["b"],
        "type": "object",
        "additionalProperties": False,
    }
    written = Tool.decode(tool(given)).parameters.to_json()
    assert list(written) == ["type", "required", "properties"]
    assert written["properties"] == {
        "b": {"type": ("string", "null"), "description": "d"},
        "a": {"anyOf": [{"type": "integer"}], "items": {"z": 1, "a": 2}, "enum": (1, "x")},
    }


@pytest.mark.parametrize(
    "parameters",
    [
        {"properties": {"a": {"type": 5}}},
        {"properties": {"a": {"type": [5]}}},
        {"properties": {"a": True}},
        {"properties": []},
        {"type": ["object"]},
        {"required": "a"},
        [],
    ],
)
def test_wrong_types_are_refused(parameters: Json) -> None:
    """Boolean schemas too (TOOL-004)."""
    with pytest.raises(DecodeError, match="cannot unmarshal"):
        decode_tools([tool(parameters)])


def test_schema_without_end_is_refused() -> None:
    """Depth is the client's fault, not ours."""
    deep: Json = {}
    for _ in range(2000):
        deep = {"properties": {"a": deep}}
    with pytest.raises(DecodeError, match="depth"):
        decode_tools([tool(deep)])


@pytest.mark.parametrize(
    ("schema", "typescript"),
    [
        ({"type": "integer"}, "number"),
        ({"type": ["string", "null"]}, "string | null"),
        ({"type": "array"}, "any[]"),
        ({"type": "object"}, "Record<string, any>"),
        ({"anyOf": [{"type": "boolean"}, {}]}, "boolean | any"),
        ({"type": "date"}, "any"),
        ({}, "any"),
    ],
)
def test_property_has_a_type_in_typescript(schema: Json, typescript: str) -> None:
    """Templates of some models describe tools so."""
    parameters = Tool.decode(tool({"properties": {"a": schema}})).parameters
    assert parameters.properties is not None
    assert parameters.properties["a"].typescript() == typescript

"""Structured output of the honest server: what is said if it conforms, else something small."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from jsonschema import Draft202012Validator, SchemaError

from ..evidence import Json
from .shelf import HouseError

WORDS = {"^[a-c]{3}-[0-9]{2}$": "abc-12", "^[B-E][a-z]{2}$": "Bob", "date": "1815-12-10"}
THOUGHT = re.compile(r"\s*<think>.*?</think>\s*", re.DOTALL)


@dataclass(frozen=True)
class Form:
    """A JSON Schema that an answer has to follow, after its thought where it may have one."""

    schema: dict[str, Any]
    thinks: bool

    def of(self, said: str) -> str:
        """An answer of this form, the one that was said where it has it."""
        thought = THOUGHT.match(said) if self.thinks else None
        place = thought.end() if thought else 0
        return said[:place] + self._content(said[place:])

    def _content(self, said: str) -> str:
        try:
            value = json.loads(said)
            fits = Draft202012Validator(self.schema).is_valid(value) and _in_order(
                value, self.schema
            )
        except ValueError:
            fits = False
        return said if fits else json.dumps(_example(self.schema, self.schema.get("$defs", {})))


def form_of(given: Json, thinks: bool) -> Form | None:
    """What the `format` of a request asks for."""
    if given in (None, ""):
        return None
    if given != "json" and not isinstance(given, dict):
        raise HouseError(500, f"invalid format: {json.dumps(given)}; expected ...")
    schema = {"type": "object"} if given == "json" else given
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        raise HouseError(400, f"JSON schema conversion failed: {error.message}") from None
    if "$ref" in schema:
        raise HouseError(400, f"JSON schema conversion failed: no {schema['$ref']}")
    return Form(schema, thinks)


def _in_order(value: Json, schema: Json) -> bool:
    """Whether properties come as the schema has them, as a grammar makes them come."""
    if not isinstance(value, dict) or not isinstance(schema, dict):
        return True
    properties = schema.get("properties", {})
    known = [name for name in value if name in properties]
    return known == [name for name in properties if name in value] and all(
        _in_order(one, properties.get(name)) for name, one in value.items()
    )


def _example(schema: dict[str, Any], named: dict[str, Any]) -> Json:
    """The smallest value that conforms; for the schemas of the checks only."""
    if "$ref" in schema:
        return _example(named[schema["$ref"].rpartition("/")[2]], named)
    if "enum" in schema:
        return schema["enum"][0]
    if "const" in schema:
        return schema["const"]
    for name in ("anyOf", "oneOf"):
        if name in schema:
            return _example(schema[name][0], named)
    if "prefixItems" in schema:
        return [_example(one, named) for one in schema["prefixItems"]]
    kind = schema.get("type")
    match kind[0] if isinstance(kind, list) else kind:
        case "object":
            properties = schema.get("properties", {})
            wanted = [name for name in properties if name in schema.get("required", ())]
            return {name: _example(properties[name], named) for name in wanted}
        case "array":
            return [_example(schema["items"], named)] * schema.get("minItems", 0)
        case "boolean":
            return False
        case "integer":
            return schema.get("minimum", 0)
        case "string":
            told = str(schema.get("pattern") or schema.get("format"))
            return WORDS.get(told, "x" * schema.get("minLength", 0))
    return None

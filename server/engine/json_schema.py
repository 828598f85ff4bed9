"""A client's JSON Schema, made ready for the grammar compiler. Pure.

An object that lists its properties has no others unless the schema says so, as in the original
(`ggml-org/llama.cpp:common/json-schema-to-grammar.cpp`). What would take the compiler minutes is
refused; what it merely does not know, it ignores.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from ..decode import Json

ANY_OBJECT: Final[Mapping[str, Json]] = {"type": "object"}  # what `format: "json"` asks for

# Compiling takes time in the square of the first, and in proportion to the second.
MAX_PROPERTIES: Final = 1000
MAX_MULTIPLE: Final = 100_000

_MAPS: Final = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
_ONE_OR_SEVERAL: Final = (
    "items",
    "additionalItems",
    "prefixItems",
    "additionalProperties",
    "anyOf",
    "oneOf",
    "allOf",
    "not",
)
_OPENING: Final = {"additionalProperties", "patternProperties", "unevaluatedProperties"}
_JOINING: Final = {"$ref", "anyOf", "oneOf"}


class GrammarError(Exception):
    """A schema that no grammar can be made of; the message says why."""


def prepared(schema: Mapping[str, Json]) -> Mapping[str, Json]:
    """The schema for the compiler: objects closed where that is safe. Raises GrammarError."""
    for one in _schemas(schema):
        _check(one)
    if any(_composes(one) for one in _schemas(schema)):
        return schema
    return _closed_object(schema)


def _schemas(schema: Json) -> Iterator[Mapping[str, Json]]:
    """A schema and all that are in it."""
    if isinstance(schema, list):
        for one in schema:
            yield from _schemas(one)
    if not isinstance(schema, Mapping):
        return
    yield schema
    for key in _MAPS:
        named = schema.get(key)
        if isinstance(named, Mapping):
            for one in named.values():
                yield from _schemas(one)
    for key in _ONE_OR_SEVERAL:
        yield from _schemas(schema.get(key))


def _check(schema: Mapping[str, Json]) -> None:
    properties, multiple = schema.get("properties"), schema.get("multipleOf")
    if isinstance(properties, Mapping) and len(properties) > MAX_PROPERTIES:
        raise GrammarError(f"an object has more than {MAX_PROPERTIES} properties")
    if isinstance(multiple, int | float) and multiple > MAX_MULTIPLE:
        raise GrammarError(f"multipleOf is more than {MAX_MULTIPLE}")


def _composes(schema: Mapping[str, Json]) -> bool:
    """Whether an object's properties are spread over several schemas, which must stay open."""
    return "allOf" in schema or ("properties" in schema and not _JOINING.isdisjoint(schema))


def _closed(schema: Json) -> Json:
    if isinstance(schema, list):
        return [_closed(one) for one in schema]
    return _closed_object(schema) if isinstance(schema, Mapping) else schema


def _closed_object(schema: Mapping[str, Json]) -> Mapping[str, Json]:
    made = dict(schema)
    for key in _MAPS:
        named = made.get(key)
        if isinstance(named, Mapping):
            made[key] = {name: _closed(one) for name, one in named.items()}
    for key in _ONE_OR_SEVERAL:
        if key in made:
            made[key] = _closed(made[key])
    if "properties" in made and _OPENING.isdisjoint(made):
        made["additionalProperties"] = False
    return made

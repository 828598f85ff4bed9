"""Values by JSON Schema, as Hypothesis strategies; and the places of a schema that can be spoilt.

As much of JSON Schema as the schemas of requests use. Hypothesis is imported where it is used.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from .evidence import Json
from .schema import SCHEMAS

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

Place = tuple[str, ...]  # names of properties on the way down; `[]` for an element of an array
MAX_TEXT, MAX_ITEMS = 16, 2
DEPTH = 5
LETTERS = "".join(map(chr, range(128)))  # what the model reads and says has to be text


@cache
def request_schema(name: str) -> dict[str, Any]:
    """The schema of a route's request, definitions and all."""
    whole = json.loads((SCHEMAS / f"{name}.schema.json").read_text(encoding="utf-8"))
    return {**whole["$defs"]["request"], "$defs": whole["$defs"]}


@dataclass(frozen=True)
class Shapes:
    """Strategies for a schema; at some places there are better ones than the schema gives."""

    schema: dict[str, Any]
    better: Mapping[Place, SearchStrategy[Json]] = field(default_factory=dict)
    always: frozenset[Place] = frozenset()  # there, though the schema does not require them

    def values(self) -> SearchStrategy[Json]:
        """Values that are valid."""
        return self._values(self.schema, ())

    def _values(self, schema: dict[str, Any], at: Place) -> SearchStrategy[Json]:
        from hypothesis import strategies as st

        if at in self.better:
            return self.better[at]
        schema = self._resolved(schema)
        if "const" in schema:
            return st.just(schema["const"])
        if "enum" in schema:
            return st.sampled_from(schema["enum"])
        if "anyOf" in schema and "properties" not in schema:
            return st.one_of([self._values(one, at) for one in schema["anyOf"]])
        kinds = schema.get("type", ["string", "null"])
        kinds = [kinds] if isinstance(kinds, str) else kinds
        return st.one_of([self._of_kind(kind, schema, at) for kind in kinds])

    def _of_kind(self, kind: str, schema: dict[str, Any], at: Place) -> SearchStrategy[Json]:
        from hypothesis import strategies as st

        if kind == "object":
            return self._objects(schema, at)
        if kind == "array":
            items = self._values(schema.get("items", {}), (*at, "[]"))
            return st.lists(items, min_size=schema.get("minItems", 0), max_size=MAX_ITEMS)
        if kind == "string":
            if "pattern" in schema:
                return st.from_regex(schema["pattern"].rstrip("$") + r"\Z", fullmatch=False)
            return st.text(LETTERS, min_size=schema.get("minLength", 0), max_size=MAX_TEXT)
        low, high = schema.get("minimum"), schema.get("maximum")
        integers = st.integers(-1000 if low is None else low, 1000 if high is None else high)
        return {
            "integer": integers,
            "number": integers | st.floats(-1000, 1000).map(lambda one: round(one, 3)),
            "boolean": st.booleans(),
            "null": st.none(),
        }[kind]

    def _objects(self, schema: dict[str, Any], at: Place) -> SearchStrategy[Json]:
        from hypothesis import strategies as st

        properties = schema.get("properties", {})
        made = {name: self._values(one, (*at, name)) for name, one in properties.items()}
        must = {name for name in made if (*at, name) in self.always}
        must |= set(schema.get("required", ()))
        required = {name: one for name, one in made.items() if name in must}
        optional = {name: one for name, one in made.items() if name not in must}
        found = st.fixed_dictionaries(required, optional=optional)
        more = schema.get("additionalProperties")
        if isinstance(more, dict) and len(at) < DEPTH:
            names = st.text("abc_", min_size=1, max_size=3)
            others = st.dictionaries(names, self._values(more, (*at, "*")), max_size=MAX_ITEMS)
            return st.builds(lambda left, right: {**right, **left}, found, others)
        return found

    def _resolved(self, schema: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in schema:
            schema = self.schema["$defs"][schema["$ref"].rpartition("/")[2]]
        return schema

    def places(self) -> list[Place]:
        """Where a declared value stands, those inside arrays and objects too."""
        return list(self._places(self.schema, ()))

    def _places(self, schema: dict[str, Any], at: Place) -> Iterator[Place]:
        schema = self._resolved(schema)
        if len(at) >= DEPTH:
            return
        for name, one in schema.get("properties", {}).items():
            yield (*at, name)
            yield from self._places(one, (*at, name))
        if isinstance(schema.get("items"), dict):
            yield (*at, "[]")
            yield from self._places(schema["items"], (*at, "[]"))


def put(value: Json, at: Place, one: Json) -> Json:
    """The value with something else at a place; what is missing on the way is made."""
    if not at:
        return one
    name, *rest = at
    if name == "[]":
        return [put(value[0] if isinstance(value, list) and value else None, tuple(rest), one)]
    kept = value if isinstance(value, dict) else {}
    return {**kept, name: put(kept.get(name), tuple(rest), one)}

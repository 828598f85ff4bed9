"""Validators over the schemas of the native API: strict, derived from recordings of Ollama."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING

from .evidence import Json
from .script import FIXTURES

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator, ValidationError

SCHEMAS = FIXTURES / "schemas" / "native"


@cache
def validator(name: str, shape: str) -> Draft202012Validator:
    """A validator for one shape of a route's schema, such as `chunk` of `chat`."""
    from jsonschema import Draft202012Validator

    schema = json.loads((SCHEMAS / f"{name}.schema.json").read_text(encoding="utf-8"))
    definitions = schema["$defs"]
    return Draft202012Validator({**_inlined(definitions[shape], definitions), "$defs": definitions})


def _inlined(schema: Json, definitions: dict[str, Json], within: tuple[str, ...] = ()) -> Json:
    """A schema with what it refers to in its place, which is judged faster; loops stay."""
    if isinstance(schema, list):
        return [_inlined(one, definitions, within) for one in schema]
    if not isinstance(schema, dict):
        return schema
    name = schema.get("$ref", "").rpartition("/")[2]
    if name and name not in within and schema.keys() == {"$ref"}:
        return _inlined(definitions[name], definitions, (*within, name))
    return {key: _inlined(one, definitions, within) for key, one in schema.items()}


def violation(value: Json, name: str, shape: str) -> str | None:
    """What is wrong with a value, in one line; None when it is valid."""
    found = next(validator(name, shape).iter_errors(value), None)
    if found is None:
        return None
    problem = _meant(found)
    place = problem.json_path.removeprefix("$").lstrip(".")
    told = problem.message[:300]
    if problem.validator is None:  # the schema of what must not be there
        told = f"a key that does not belong there, with {problem.instance!r}"[:300]
    return f"{place}: {told}" if place else told


def _meant(problem: ValidationError) -> ValidationError:
    """Of the forms that a value may have, what is wrong with the one that it comes nearest to.

    A record that says `done` is no chunk, whatever else it has.
    """
    while problem.context:
        forms: dict[object, list[ValidationError]] = {}
        for one in problem.context:
            forms.setdefault(one.relative_schema_path[0], []).append(one)
        problem = min(forms.values(), key=_distance)[0]
    return problem


def _distance(problems: list[ValidationError]) -> tuple[bool, int]:
    return any(list(one.relative_path) == ["done"] for one in problems), len(problems)

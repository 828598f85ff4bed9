"""Validators over the schemas of the native API: strict, derived from recordings of Ollama."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING

from .evidence import Json
from .script import FIXTURES

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator

SCHEMAS = FIXTURES / "schemas" / "native"


@cache
def validator(name: str, shape: str) -> Draft202012Validator:
    """A validator for one shape of a route's schema, such as `chunk` of `chat`."""
    from jsonschema import Draft202012Validator

    schema = json.loads((SCHEMAS / f"{name}.schema.json").read_text(encoding="utf-8"))
    return Draft202012Validator({**schema, "$ref": f"#/$defs/{shape}"})


def violation(value: Json, name: str, shape: str) -> str | None:
    """What is wrong with a value, in one line; None when it is valid."""
    from jsonschema.exceptions import best_match

    problem = best_match(validator(name, shape).iter_errors(value))
    if problem is None:
        return None
    place = problem.json_path.removeprefix("$").lstrip(".")
    return f"{place}: {problem.message[:300]}" if place else problem.message[:300]

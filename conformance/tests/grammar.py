"""How the honest server decodes a request: as Go does, by the schemas of requests."""

from __future__ import annotations

import math
from typing import Any

from ..evidence import Json
from ..schema import validator
from ..shapes import request_schema
from .shelf import HouseError

DECODED = ("chat", "generate", "show", "copy", "delete", "create", "pull", "push")
LATE = ("options", "format", "license")  # what is in them is looked at later
TYPES = ("type", "anyOf")  # what else is wrong is looked at later


def understood(path: str, fields: dict[str, Any]) -> dict[str, Any]:
    """The fields under the names that they are known by. Raises HouseError for a wrong type."""
    name = path.removeprefix("/api/")
    if name not in DECODED:
        return fields
    known = {one.lower(): one for one in request_schema(name)["properties"]}
    found = {known.get(key.lower(), key): value for key, value in fields.items()}
    for error in validator(name, "request").iter_errors(found):
        place = list(error.absolute_path)
        if "then" in error.absolute_schema_path:  # what does not go together is looked at later
            continue
        late = bool(place) and place[0] in LATE and (len(place) > 1 or place[0] != "options")
        if error.validator in TYPES and not (late or (not place and _missing(error))):
            where = ".".join(map(str, place))
            raise HouseError(400, f"json: cannot unmarshal into Go struct field {where}")
    if any(one in (math.inf, -math.inf) for one in dict(found.get("options") or {}).values()):
        raise HouseError(400, "json: cannot unmarshal number into Go value of type float64")
    return _whole(found)


def _missing(error: Json) -> bool:
    """Whether one of several names is wanted, and there is none, or an empty one."""
    return error.validator == "anyOf" and all(
        one.validator in ("required", "minLength", "minProperties") for one in error.context
    )


def _whole(fields: dict[str, Any]) -> dict[str, Any]:
    """With what a message or a tool may leave out."""
    found = dict(fields)
    if isinstance(found.get("messages"), list):
        found["messages"] = [_message(one or {}) for one in found["messages"]]
    if isinstance(found.get("tools"), list):
        found["tools"] = [_named(one or {}) for one in found["tools"]]
    return found


def _message(given: dict[str, Any]) -> dict[str, Any]:
    if not given.get("tool_calls"):
        return given
    calls = [_named(one or {}) for one in given["tool_calls"]]
    for one in calls:
        one["function"]["arguments"] = one["function"].get("arguments") or {}
    return {**given, "tool_calls": calls}


def _named(given: dict[str, Any]) -> dict[str, Any]:
    function = dict(given.get("function") or {})
    parameters = dict(function.get("parameters") or {})
    parameters["properties"] = parameters.get("properties") or {}
    function |= {"name": function.get("name") or "", "parameters": parameters}
    return {**given, "function": function}

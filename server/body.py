"""A request's bytes to JSON values, as lenient and as strict as Go's decoder. Pure.

Nothing here knows which fields there are; `requests` does.
"""

import json
import math
from collections.abc import Iterable, Mapping
from typing import NoReturn

from .decode import DecodeError, Json, kind

MAX_DEPTH = 200
"""Arrays and objects in one another. Go stops at 10000; no request needs a tenth of this."""


def parse(body: bytes) -> Json:
    """The first JSON value of `body`; what follows it is ignored (REQ-007).

    Raises `DecodeError` for an empty body, malformed JSON, and numbers or nesting without bound.
    """
    text = body.decode("utf-8", "replace").lstrip(" \t\r\n")
    if not text:
        raise DecodeError("missing request body")
    try:
        value, _ = _DECODER.raw_decode(text)
    except json.JSONDecodeError as error:
        raise DecodeError(_explain(error, text)) from error
    except RecursionError as error:
        raise DecodeError("exceeded max depth") from error
    except ValueError as error:  # more digits than an int may have, or not a finite number
        raise DecodeError(f"invalid number: {error}") from error
    if text.count("[") + text.count("{") > MAX_DEPTH:
        _check_depth(value)
    return value  # type: ignore[no-any-return]


def fields_of(value: Json, declared: Iterable[str], where: str) -> Mapping[str, Json]:
    """The fields of a request object, under their declared names whatever their case.

    The last of several spellings wins. `null` is an object without fields (REQ-006).
    """
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise DecodeError(f"json: cannot unmarshal {kind(value)} into Go value of type {where}")
    names = {name.lower(): name for name in declared}
    return {names.get(key.lower(), key): each for key, each in value.items()}


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(f"{digits[:40]} is out of range")
    return number


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"invalid character {name[0]!r} looking for beginning of value")


_DECODER = json.JSONDecoder(parse_float=_finite, parse_constant=_no_constant)


def _explain(error: json.JSONDecodeError, text: str) -> str:
    """Go's words for the commonest faults."""
    if error.pos >= len(text) or error.msg.startswith("Unterminated string"):
        return "unexpected EOF"
    places = {
        "Expecting property name": "looking for beginning of object key string",
        "Expecting ':'": "after object key",
        "Expecting ','": "after array element or object key:value pair",
        "Expecting value": "looking for beginning of value",
        "Illegal trailing comma": "looking for beginning of value",
        "Invalid control character": "in string literal",
        "Invalid \\escape": "in string escape code",
        "Invalid \\uXXXX": "in \\u hexadecimal character escape",
    }
    place = next((each for start, each in places.items() if error.msg.startswith(start)), "")
    return f"invalid character {text[error.pos]!r} {place or error.msg}"


def _check_depth(value: Json) -> None:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [child for each in level for child in _children(each)]
        if not level:
            return
    raise DecodeError("exceeded max depth")


def _children(value: Json) -> Iterable[Json]:
    if isinstance(value, Mapping):
        return value.values()
    return value if isinstance(value, list) else ()

"""Records to bytes: NDJSON lines, single objects, and JSON as Go stores it in blobs. Pure."""

import json
import math
from collections.abc import Mapping, Sequence
from decimal import Decimal

from .decode import Json

_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)
_LINE_ENDS = (("\x85", "\\u0085"), ("\u2028", "\\u2028"), ("\u2029", "\\u2029"))
_GO_ESCAPES = str.maketrans(
    {
        "<": "\\u003c",
        ">": "\\u003e",
        "&": "\\u0026",
        "\u2028": "\\u2028",
        "\u2029": "\\u2029",
    }
)


def encode(record: Mapping[str, Json]) -> bytes:
    """The record as one JSON object, without a line end.

    U+0085, U+2028 and U+2029 are escaped, since the Python client splits a stream at them;
    half a surrogate pair, which tool arguments may hold, stays an escape.
    """
    text = _ENCODER.encode(record)
    for end, escape in _LINE_ENDS:
        text = text.replace(end, escape)
    return text.encode("utf-8", "backslashreplace")


def line(record: Mapping[str, Json]) -> bytes:
    """The record as one NDJSON line."""
    return encode(record) + b"\n"


def stored(value: Json) -> bytes:
    """The value as Go's encoder writes it into a blob: HTML-escaped, with a line end.

    Byte for byte, since the digest of a layer is made of it (STORE-13).
    """
    return (_go(value) + "\n").encode("utf-8", "replace")


def _go(value: Json) -> str:
    if isinstance(value, Mapping):
        fields = (f"{_go(str(key))}:{_go(each)}" for key, each in value.items())
        return f"{{{','.join(fields)}}}"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).translate(_GO_ESCAPES)
    if isinstance(value, float):
        return go_number(value)
    if isinstance(value, Sequence):
        return f"[{','.join(_go(each) for each in value)}]"
    return json.dumps(value)


def go_number(value: float) -> str:
    """A float64 as Go's JSON encoder prints it: 1, 0.7, 0.00001, 1e+21, 1e-7."""
    size = abs(value)
    if value == 0 or not math.isfinite(value):
        return "0"
    if size < 1e-6 or size >= 1e21:
        mantissa, _, exponent = repr(value).partition("e")
        sign = "+" if int(exponent) > 0 else "-"
        return f"{mantissa.removesuffix('.0')}e{sign}{abs(int(exponent))}"
    if value == int(value):
        return str(int(value))
    return format(Decimal(repr(value)), "f")

"""JSON as Go's encoder writes it: compact, keys of plain maps sorted, HTML signs escaped."""

import base64
import math
import re

from .numbers import json_number
from .values import Map, Record, Slice, Value, is_empty

_SPECIAL = re.compile('[\x00-\x1f"\\\\<>&\u2028\u2029\ud800-\udfff]')
_SHORT = {
    '"': '\\"',
    "\\": "\\\\",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
}


def encode(value: Value) -> str:
    """The JSON of a value; the empty string where it cannot be encoded (infinite numbers)."""
    try:
        return _encoded(value)
    except OverflowError:
        return ""


def _encoded(value: Value) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise OverflowError
        return json_number(value)
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, bytes):
        return f'"{base64.b64encode(value).decode()}"'
    return _composite(value)


def _composite(value: Slice | Map | Record) -> str:
    if isinstance(value, Record):
        return _object({key: value.fields[name] for name, key in _present(value)})
    if value.is_nil:
        return "null"
    if isinstance(value, Map):
        return _object(dict(value.pairs()))
    inner = value.json_value()
    if inner is not value:
        return _encoded(inner)
    return f"[{','.join(_encoded(each) for each in value.items)}]"


def _present(record: Record) -> list[tuple[str, str]]:
    """Field names of a record with their JSON keys, without those that are left out."""
    present = []
    for name, value in record.fields.items():
        key = record.json_keys.get(name)
        if key is None:
            present.append((name, name))
        elif not (key.omit_empty and is_empty(value)):
            present.append((name, key.name))
    return present


def _object(entries: dict[str, Value]) -> str:
    pairs = [f"{_string(key)}:{_encoded(value)}" for key, value in entries.items()]
    return f"{{{','.join(pairs)}}}"


def _string(text: str) -> str:
    return f'"{_SPECIAL.sub(_escape, text)}"'


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    if character in _SHORT:
        return _SHORT[character]
    code = ord(character)
    return f"\\u{0xFFFD if 0xD800 <= code < 0xE000 else code:04x}"

"""The functions that templates may call: Go's own and Ollama's four. `and` and `or` are the
evaluator's, because they look at no more operands than they need."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from urllib.parse import quote_plus

from . import comparison, json_text, printf, printing
from .errors import CallError
from .quoting import from_bytes, to_bytes
from .values import Map, Record, Slice, Value, truth, type_name

MAX_TEXT = 64 * 1024 * 1024
"""Characters that one rendering may read and make, all function calls and the output together."""

_HTML = {
    "\0": "�",
    '"': "&#34;",
    "'": "&#39;",
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
}
_JS = {"\\": "\\\\", "'": "\\'", '"': '\\"'}
_JS_SPECIAL = re.compile(r"[\\'\"<>&=\x00-\x1f]|[^\x00-\x7f]")


@dataclass(frozen=True, slots=True)
class Builtin:
    """A function, with the number of its operands; `most` of None is any number."""

    call: Callable[..., Value]
    least: int
    most: int | None
    takes: type[str] | None = None
    """What every operand has to be; for `printf`, only the first."""


def builtins(now: Callable[[], datetime]) -> Mapping[str, Builtin]:
    """All functions by name; `now` is asked only when a template asks for a date."""
    return {
        **_FIXED,
        "currentDate": Builtin(lambda *_: _day(now()), 0, None, str),
        "yesterdayDate": Builtin(lambda *_: _day(now() - timedelta(days=1)), 0, None, str),
    }


def _day(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d")


def _length(value: Value) -> int:
    if isinstance(value, str):
        return len(to_bytes(value))
    if isinstance(value, bytes):
        return len(value)
    if isinstance(value, Slice):
        return len(value.items)
    if isinstance(value, Map):
        return len(value.entries)
    if value is None:
        raise CallError("len of nil pointer")
    raise CallError(f"len of type {type_name(value)}")


def _position(index: Value, most: int) -> int:
    if index is None:
        raise CallError("cannot index slice/array with nil")
    if isinstance(index, bool) or not isinstance(index, int):
        raise CallError(f"cannot index slice/array with type {type_name(index)}")
    if not 0 <= index <= most:
        raise CallError(f"index out of range: {index}")
    return index


def _index(value: Value, *indexes: Value) -> Value:
    if value is None:
        raise CallError("index of untyped nil")
    for index in indexes:
        value = _element(value, index)
    return value


def _element(value: Value, index: Value) -> Value:
    if isinstance(value, Map):
        if index is None:
            raise CallError("value is nil; should be of type string")
        if not isinstance(index, str):
            raise CallError(f"value has type {type_name(index)}; should be string")
        return value.entries.get(index, value.missing)
    if value is None:
        raise CallError("index of nil pointer")
    if not isinstance(value, (str, bytes, Slice)):
        raise CallError(f"can't index item of type {type_name(value)}")
    items = to_bytes(value) if isinstance(value, str) else _items(value)
    place = _position(index, len(items))
    if place == len(items):
        shape = "string" if isinstance(value, str) else "slice"
        raise CallError(f"reflect: {shape} index out of range")
    return items[place]


def _items(value: bytes | Slice) -> bytes | tuple[Value, ...]:
    return value if isinstance(value, bytes) else value.items


def _slice(value: Value, *indexes: Value) -> Value:
    if value is None:
        raise CallError("slice of untyped nil")
    if len(indexes) > 3:
        raise CallError(f"too many slice indexes: {len(indexes)}")
    if not isinstance(value, (str, bytes, Slice)):
        raise CallError(f"can't slice item of type {type_name(value)}")
    if isinstance(value, str) and len(indexes) == 3:
        raise CallError("cannot 3-index slice a string")
    items = to_bytes(value) if isinstance(value, str) else _items(value)
    bounds = [_position(index, len(items)) for index in indexes]
    start, stop = (bounds + [0, len(items)][len(bounds) :])[:2]
    for low, high in ((start, stop), *([(stop, bounds[2])] if len(bounds) == 3 else [])):
        if low > high:
            raise CallError(f"invalid slice index: {low} > {high}")
    part = items[start:stop]
    if isinstance(value, Slice):
        assert isinstance(part, tuple), "a part of a tuple"
        return replace(value, items=part)
    assert isinstance(part, bytes), "a part of bytes"
    return from_bytes(part) if isinstance(value, str) else part


def _printf(template: str, *values: Value) -> str:
    return printf.sprintf(template, values, MAX_TEXT)


def _escapable(values: tuple[Value, ...]) -> str:
    """The text that the escapers take; unlike `print` they call a missing value so."""
    return printing.joined(["<no value>" if value is None else value for value in values])


def _html(*values: Value) -> str:
    return "".join(_HTML.get(each, each) for each in _escapable(values))


def _js(*values: Value) -> str:
    return _JS_SPECIAL.sub(_js_escape, _escapable(values))


def _js_escape(match: re.Match[str]) -> str:
    character = match[0]
    if character in _JS:
        return _JS[character]
    if not character.isascii() and character.isprintable():
        return character
    return f"\\u{ord(character):04X}"


def _urlquery(*values: Value) -> str:
    return quote_plus(to_bytes(_escapable(values)))


def _call(*values: Value) -> Value:
    if values[0] is None:
        raise CallError("call of nil")
    raise CallError(f"non-function of type {type_name(values[0])}")


def _typescript(value: Value) -> str:
    found = value.method("ToTypeScriptType") if isinstance(value, Record) else None
    return found if isinstance(found, str) else "any"


_FIXED: Mapping[str, Builtin] = {
    "not": Builtin(lambda value: not truth(value), 1, 1),
    "eq": Builtin(comparison.equal, 1, None),
    "ne": Builtin(lambda first, second: not comparison.equal(first, second), 2, 2),
    "lt": Builtin(comparison.less, 2, 2),
    "le": Builtin(comparison.less_or_equal, 2, 2),
    "gt": Builtin(lambda first, second: not comparison.less_or_equal(first, second), 2, 2),
    "ge": Builtin(lambda first, second: not comparison.less(first, second), 2, 2),
    "len": Builtin(_length, 1, 1),
    "index": Builtin(_index, 1, None),
    "slice": Builtin(_slice, 1, None),
    "print": Builtin(lambda *values: printing.joined(values), 0, None),
    "println": Builtin(lambda *values: printing.line(values), 0, None),
    "printf": Builtin(_printf, 1, None, str),
    "html": Builtin(_html, 0, None),
    "js": Builtin(_js, 0, None),
    "urlquery": Builtin(_urlquery, 0, None),
    "call": Builtin(_call, 1, None),
    "json": Builtin(json_text.encode, 1, 1),
    "toTypeScriptType": Builtin(_typescript, 1, 1),
}

NAMES = frozenset(builtins(datetime.now)) | {"and", "or"}
"""The functions that a template may name at all."""

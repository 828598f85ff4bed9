"""The functions of Go's templates, those of Ollama, and how values are printed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote_plus

from ..evidence import Json

MAX_WIDTH = 4  # digits
HTML = {"<": "&lt;", ">": "&gt;", "&": "&amp;", '"': "&#34;", "'": "&#39;"}
JS = {"\\": "\\\\", "'": "\\'", '"': '\\"', "<": "\\u003C", ">": "\\u003E", "&": "\\u0026",
      "=": "\\u003D", "\n": "\\n"}  # fmt: skip
TYPESCRIPT = {
    "string": "string", "integer": "number", "number": "number", "boolean": "boolean",
    "array": "any[]", "object": "Record<string, any>", "null": "null",
}  # fmt: skip


class BadTemplate(Exception):  # noqa: N818
    """A template that does not parse, or cannot be executed."""


class Absent(BadTemplate):
    """A field that is not there."""


@dataclass(frozen=True)
class Struct:
    """A Go struct: fields by name, and the JSON that it prints as, if it does."""

    fields: dict[str, Any]
    json: Json = None

    def field(self, name: str) -> Json:
        """A field. Raises Absent."""
        if name not in self.fields:
            raise Absent(f"can't evaluate field {name}")
        return self.fields[name]


@dataclass(frozen=True)
class Printed:
    """A list or a map that prints as JSON."""

    value: Json
    json: Json

    def field(self, name: str) -> Json:
        """An entry."""
        return self.value.get(name)

    def __bool__(self) -> bool:
        return bool(self.value)

    def __iter__(self) -> Json:
        return iter(self.value)

    def __len__(self) -> int:
        return len(self.value)


def truth(value: Json) -> bool:
    """Whether a value counts as true: a struct always does."""
    return isinstance(value, Struct) or bool(value)


def compact(value: Json, flaw: str = "") -> str:
    """JSON as Go writes it."""
    if flaw == "prints Python":
        return repr(value)
    apart = (", ", ": ") if flaw == "spaces JSON" else (",", ":")
    text = json.dumps(value, ensure_ascii=False, separators=apart, sort_keys=False)
    if flaw == "escapes nothing":
        return text
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def plain(value: Json) -> Json:
    """A value as JSON has it."""
    if isinstance(value, Struct | Printed):
        return value.json if value.json is not None else getattr(value, "fields", None)
    return [plain(one) for one in value] if isinstance(value, list) else value


def printed(value: Json, flaw: str = "") -> str:
    """How a value appears in the text."""
    if value is None:
        return "<no value>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Struct | Printed) and value.json is not None:
        return compact(value.json, flaw)
    return str(value)


def _last(flaw: str, *given: Json) -> Json:
    """`and` and `or` are told one by one what they need, see `Execution`."""
    return given[-1]


def _eq(flaw: str, first: Json, *others: Json) -> bool:
    return first in (others[:1] if flaw == "eq of two" else others)


def _lt(flaw: str, one: Json, other: Json) -> bool:
    if flaw == "order without case" and isinstance(one, str):
        return one.lower() < str(other).lower()
    return bool(one < other)


def _len(flaw: str, value: Json) -> int:
    if isinstance(value, str) and flaw != "len counts characters":
        return len(value.encode())
    return len(value)


def _index(flaw: str, value: Json, *keys: Json) -> Json:
    for key in keys:
        if isinstance(value, Printed | Struct) and isinstance(key, str):
            value = value.field(key)
            continue
        place = key - 1 if flaw == "index from one" and key else key
        value = list(value)[place] if isinstance(place, int) else value.get(place)
    return value


def _slice(flaw: str, value: Json, first: int = 0, last: int | None = None) -> Json:
    end = None if last is None else last + (flaw == "slice includes its end")
    if isinstance(value, str):
        return value.encode()[first:end].decode()
    return list(value)[first:end]


def _print(flaw: str, *given: Json) -> str:
    text = ""
    for n, one in enumerate(given):
        apart = n and not isinstance(one, str) and not isinstance(given[n - 1], str)
        text += " " if apart or (n and flaw == "print joins by blanks") else ""
        text += printed(one, flaw)
    return text


def _println(flaw: str, *given: Json) -> str:
    return " ".join(map(printed, given)) + ("" if flaw == "println ends no line" else "\n")


def _printf(flaw: str, form: str, *given: Json) -> str:
    waiting = list(given)

    def one(found: re.Match[str]) -> str:
        if found[2] == "%":
            return "%"
        if len(found[1]) > MAX_WIDTH:
            raise BadTemplate("template: :1: a width beyond reason")
        value = waiting.pop(0)
        if found[2] == "q":
            return repr(value) if flaw == "quotes as Python" else json.dumps(value)
        if found[2] in "vst":
            return f"{printed(value):{found[1]}}" if found[1] else printed(value)
        return f"{value:{found[1]}{found[2]}}"

    return re.sub(r"%([-0-9.]*)([a-zA-Z%])", one, form)


def _escaped(table: dict[str, str], spared: str) -> Callable[..., str]:
    def escape(flaw: str, *given: Json) -> str:
        left = "\"'" if flaw == spared else ""
        return "".join(one if one in left else table.get(one, one) for one in _print("", *given))

    return escape


def _urlquery(flaw: str, *given: Json) -> str:
    text = quote_plus(_print("", *given))
    return text.replace("+", "%20") if flaw == "blanks as percents" else text


def _json(flaw: str, value: Json) -> str:
    return compact(plain(value), flaw)


def _current(flaw: str, *given: str) -> str:
    now = datetime.now()
    if flaw == "minds the form" and given:
        return now.strftime(given[0])
    return now.isoformat(" ", "seconds") if flaw == "tells the time" else f"{now:%Y-%m-%d}"


def _yesterday(flaw: str, *given: str) -> str:
    days = 0 if flaw == "yesterday is today" else 1
    return f"{datetime.now() - timedelta(days=days):%Y-%m-%d}"


def _typescript(flaw: str, value: Struct) -> str:
    schema = value.json
    if schema.get("anyOf"):
        return " | ".join(_typescript(flaw, Struct({}, one)) for one in schema["anyOf"])
    kinds = schema.get("type") or []
    kinds = [kinds] if isinstance(kinds, str) else kinds
    names = [one if flaw == "types as they are" else TYPESCRIPT.get(one, "any") for one in kinds]
    if flaw == "first type only":
        names = names[:1]
    return " | ".join(names) or "any"


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "and": _last,
    "or": _last,
    "not": lambda flaw, one: not truth(one),
    "eq": _eq,
    "ne": lambda flaw, one, other: one != other,
    "lt": _lt,
    "le": lambda flaw, one, other: one < other if flaw == "le is lt" else one <= other,
    "gt": lambda flaw, one, other: one > other,
    "ge": lambda flaw, one, other: one >= other,
    "len": _len,
    "index": _index,
    "slice": _slice,
    "print": _print,
    "println": _println,
    "printf": _printf,
    "html": _escaped(HTML, "html spares quotes"),
    "js": _escaped(JS, "js spares quotes"),
    "urlquery": _urlquery,
    "json": _json,
    "currentDate": _current,
    "yesterdayDate": _yesterday,
    "toTypeScriptType": _typescript,
}

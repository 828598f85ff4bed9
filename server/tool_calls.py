"""Tool calls read out of what a model writes, whatever form its template taught it.

Known forms, all around a JSON object: `{"name": ..., "arguments": {...}}` (or `parameters`, or
the object as a string inside a string), the same deeper inside, `{"name_of_tool": {...}}`, and
`name_of_tool{...}`. Where an object says its `name`, that decides; elsewhere the text in front
does (TOOL-013, TOOL-014). Names that were not offered are never called.
"""

import json
from collections.abc import Iterator, Mapping, Sequence

from .decode import Json
from .messages import ToolCall

MAX_DEPTH = 100
"""Objects and arrays inside one another in a call; one that has more is no call."""


class CallReader:
    """Reads calls from text that comes in pieces.

    `closing` is the sign that ends the whole where calls begin with a bare `{` or `[`: text that
    gets there without a call is plain JSON, and `is_plain` becomes true.
    """

    def __init__(self, names: Sequence[str], closing: str | None = None) -> None:
        self.is_plain = False
        self._names = tuple(name for name in names if name)
        self._closing = closing
        self._text = ""
        self._place = 0
        self._begun = 0
        self._object_at = 0
        self._braces = 0
        self._brackets = 0
        self._in_string = False
        self._escaped = False
        self._calls = 0

    def feed(self, text: str) -> list[ToolCall]:
        """The calls that this piece of text completes."""
        self._text += text
        found: list[ToolCall] = []
        while self._place < len(self._text) and not self.is_plain:
            sign = self._text[self._place]
            self._place += 1
            if not self._within_string(sign):
                found += self._structure(sign)
        return found

    def close(self) -> str:
        """The text so far, if nothing was called; it is forgotten."""
        text, self._text = self._text, ""
        self._place = self._begun = self._object_at = 0
        return "" if self._calls else text

    def _within_string(self, sign: str) -> bool:
        """Whether `sign` belongs to a string; outside of JSON, quotes mean nothing."""
        if not (self._braces or (self._closing == "]" and self._brackets)):
            return False
        if self._escaped:
            self._escaped = False
        elif sign == "\\":
            self._escaped = True
        elif sign == '"':
            self._in_string = not self._in_string
        else:
            return self._in_string
        return True

    def _structure(self, sign: str) -> Iterator[ToolCall]:
        """Follow a sign outside of strings; the calls of an object that it ends."""
        if sign == "{":
            if not self._braces:
                self._object_at = self._place - 1
            self._braces += 1
        elif sign == "}" and self._braces:
            self._braces -= 1
            if not self._braces:
                yield from self._object_ended()
        elif sign in "[]":
            self._brackets = max(0, self._brackets + (1 if sign == "[" else -1))
        depth = self._braces if self._closing == "}" else self._brackets
        self.is_plain = sign == self._closing and not depth and not self._calls

    def _object_ended(self) -> Iterator[ToolCall]:
        value = json_object(self._text[self._object_at : self._place])
        if value is None:
            return
        before = self._text[self._begun : self._object_at]
        for name, arguments in calls_in(value, before, self._names):
            yield ToolCall(name, arguments, index=self._calls)
            self._calls += 1
        self._begun = self._place


def calls_in(
    value: Mapping[str, Json], before: str, names: Sequence[str]
) -> list[tuple[str, Mapping[str, Json]]]:
    """The calls that an object makes, given the text in front of it."""
    named = list(_named(value))
    if named:
        return [(name, given) for name, given in named if name in names]
    for key in names:
        keyed = _arguments(value.get(key))
        if keyed is not None:
            return [(key, keyed)]
    name = _first_name(before, names)
    if name is None and value.get("name") in names:
        return [(str(value["name"]), {})]
    return [] if name is None else [(name, value)]


def _named(value: Json, depth: int = 0) -> Iterator[tuple[str, Mapping[str, Json]]]:
    """Every object with a name and arguments, outermost first and not inside its arguments."""
    if depth > MAX_DEPTH:
        return
    if isinstance(value, Mapping):
        name = value.get("name")
        for key in ("arguments", "parameters") if isinstance(name, str) else ():
            given = _arguments(value.get(key))
            if given is not None:
                yield str(name), given
                return
        for inner in value.values():
            yield from _named(inner, depth + 1)
    elif isinstance(value, list):
        for inner in value:
            yield from _named(inner, depth + 1)


def _arguments(value: Json) -> Mapping[str, Json] | None:
    """An object, also one that was written as a string; None for anything else."""
    if isinstance(value, str):
        return json_object(value)
    return value if isinstance(value, Mapping) else None


def _first_name(text: str, names: Sequence[str]) -> str | None:
    """The offered name that comes first in the text, the longest where several do."""
    places = [(text.find(name), -len(name), name) for name in names if name in text]
    return min(places)[2] if places else None


def json_object(text: str) -> Mapping[str, Json] | None:
    """The JSON object that a text is; None where it is none, or too deep to print again."""
    try:
        value: Json = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, Mapping) and _depth_is_fine(value) else None


def _no_constant(name: str) -> Json:
    raise ValueError(f"{name} is not JSON")


def _depth_is_fine(value: Json) -> bool:
    level: list[Json] = [value]
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for each in level
            if isinstance(each, (Mapping, list))
            for inner in (each.values() if isinstance(each, Mapping) else each)
        ]
        if not level:
            return True
    return False

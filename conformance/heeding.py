"""Schemas, many times: a record like one that was judged before is not judged again.

Streams have thousands of records that differ only in their words. Pure.
"""

from __future__ import annotations

import re
from functools import cache

from .evidence import Json
from .schema import violation

FREE = frozenset(("content", "response", "thinking", "token", "error", "license", "modelfile",
                  "template", "system", "parameters", "version", "model"))  # fmt: skip  # any text
TIMES = frozenset(("created_at", "modified_at", "expires_at"))
DIGITS = str.maketrans("123456789", "0" * 9)
HEX = str.maketrans("123456789abcdef", "0" * 15)
NUMBERS = {int, float}
MOST = 20  # entries: no schema tells more of them apart

_SAID = re.compile(r'("(?:content|response|thinking)": ?")(?:[^"\\]|\\.)+')
_FRACTION = re.compile(r"\.0{1,9}(?=Z|[+-])")
_PART = re.compile(r"[^:/0]+")


def likeness(value: Json, name: str = "") -> object:
    """What values have in common that a schema does not tell apart; it can be a key."""
    kind = type(value)
    if kind is str:
        return _text(value, name)
    if kind is int or kind is float:
        return kind, value > 0, value >= 0
    if kind is list:
        kinds = frozenset(map(type, value))
        if kinds and kinds <= NUMBERS:
            return kinds, min(value) > 0, min(value) >= 0
        found = [likeness(one, name) for one in value]
        return kinds, len(value) > MOST, tuple(found) if str in kinds else frozenset(found)
    if isinstance(value, dict):
        return tuple([(key, likeness(one, key)) for key, one in value.items()])
    return kind, value


def _text(value: str, name: str) -> object:
    if name in FREE:
        return "text", value != ""
    if name in TIMES:
        return _FRACTION.sub(".0", value.translate(DIGITS))
    if name == "status":
        return name, value == "success", value != ""
    if name == "digest":
        return value.translate(HEX)
    return _PART.sub("x", value.translate(DIGITS)) if name == "name" else value


class Seen:
    """Values by what they are like, and what was found wrong with the first of them."""

    def __init__(self) -> None:
        self.found: dict[tuple[str, str, object], str | None] = {}

    def violation(self, value: Json, name: str, shape: str, line: str = "") -> str | None:
        """What is wrong with a value by the schema, in one line; None when it is valid.

        :param line: the value as it came: of a record that has no numbers that is told faster.
        """
        short = line and value.get("done") is False and "logprobs" not in value
        key = (name, shape, _line(line) if short else likeness(value))
        if key not in self.found:
            self.found[key] = violation(value, name, shape)
        return self.found[key]


def _line(line: str) -> str:
    """What lines have in common, of a record without figures."""
    return _FRACTION.sub(".0", _SAID.sub(r"\1x", line).translate(DIGITS))


@cache
def seen() -> Seen:
    """Those of this process."""
    return Seen()

"""The values a template computes with, each of them one of Go's kinds.

    None            nothing: a missing key, a nil interface
    bool int float  as they are; numbers that came from JSON are floats, as in Go
    str             a string
    bytes           []uint8
    Slice           any other slice, typed
    Map             a map with string keys, typed
    Record          a struct, typed

Python lists and dicts never appear: `from_json` wraps them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ..decode import Json
from .errors import TemplateError

MAX_DEPTH = 100
"""Objects and arrays inside one another in what a template is given."""


@dataclass(frozen=True, slots=True)
class Slice:
    """A slice; `is_nil` tells Go's nil slice from an empty one."""

    items: tuple["Value", ...]
    type_name: str = "[]interface {}"
    is_nil: bool = False

    def text(self) -> str | None:
        """What printing gives where the type prints itself; None for Go's own way."""
        return None

    def json_value(self) -> "Value":
        """What stands in JSON for this value."""
        return self


@dataclass(frozen=True, slots=True)
class Map:
    """A map. `missing` is the zero value of its elements."""

    entries: Mapping[str, "Value"]
    type_name: str = "map[string]interface {}"
    missing: "Value" = None
    is_nil: bool = False
    keeps_order: bool = False

    def text(self) -> str | None:
        """What printing gives where the type prints itself; None for Go's own way."""
        return None

    def pairs(self) -> list[tuple[str, "Value"]]:
        """The entries, sorted as Go sorts them unless the type keeps their order."""
        entries = self.entries.items()
        return list(entries) if self.keeps_order else sorted(entries, key=lambda each: each[0])


@dataclass(frozen=True, slots=True)
class JsonKey:
    """How a struct field is named in JSON, and whether it is left out when empty."""

    name: str
    omit_empty: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """A struct. `json_keys` is empty where JSON uses the field names."""

    type_name: str
    fields: Mapping[str, "Value"]
    json_keys: Mapping[str, JsonKey] = field(default_factory=dict)

    def text(self) -> str | None:
        """What printing gives where the type prints itself; None for Go's own way."""
        return None

    def method(self, name: str) -> "Value":
        """The result of a method without arguments; None where there is none of that name."""
        return self.text() if name == "String" else None


Value = None | bool | int | float | str | bytes | Slice | Map | Record


def from_json(value: Json, depth: int = 0) -> Value:
    """The value that Go's decoder makes of JSON whose type it does not know."""
    if depth > MAX_DEPTH:
        raise TemplateError("template: values are nested too deeply")
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, (int, float)):
        return _float(value)
    if isinstance(value, Mapping):
        return Map({key: from_json(each, depth + 1) for key, each in value.items()})
    return Slice(tuple(from_json(each, depth + 1) for each in value))


def _float(number: int | float) -> float:
    try:
        return float(number)
    except OverflowError:
        return float("inf") if number > 0 else float("-inf")


def strings(texts: Sequence[str]) -> Slice:
    """A `[]string`, nil when empty."""
    return Slice(tuple(texts), "[]string", is_nil=not texts)


def type_name(value: Value) -> str:
    """The Go type of a value; `<nil>` for nothing."""
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "int"
    if isinstance(value, float):
        return "float64"
    if isinstance(value, str):
        return "string"
    return "[]uint8" if isinstance(value, bytes) else value.type_name


def truth(value: Value) -> bool:
    """Go's rule: not the zero value, and not empty; structs are always true."""
    if isinstance(value, Slice):
        return bool(value.items)
    if isinstance(value, Map):
        return bool(value.entries)
    return isinstance(value, Record) or bool(value)


def is_empty(value: Value) -> bool:
    """Whether JSON with `omitempty` leaves the value out."""
    return not truth(value)

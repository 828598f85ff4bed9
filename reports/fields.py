"""A JSON object read by name, so that a garbled document is refused with the place and the name.

Only types are checked here; what a field means is `documents`' and `samples`' business.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

MOST = 1e300
"""Beyond it a number counts as not finite: no measurement is, and some integers are no float."""


class DocumentError(Exception):
    """Why a document cannot be rendered, as a sentence for the person who named it."""


class Fields:
    """The fields of one JSON object; what is missing or of another type is a `DocumentError`."""

    __slots__ = ("_record", "where")

    def __init__(self, record: object, where: str) -> None:
        """`where` begins the sentences: `run.jsonl, line 3`."""
        if not isinstance(record, dict):
            raise DocumentError(f"{where}: expected a JSON object, found {_kind(record)}.")
        self._record: dict[str, object] = record
        self.where = where

    def _wrong(self, name: str, wanted: str) -> DocumentError:
        if name not in self._record:
            return DocumentError(f"{self.where}: there is no {name!r}.")
        return DocumentError(
            f"{self.where}: {name!r} should be {wanted}, but is {_kind(self._record[name])}."
        )

    def __contains__(self, name: str) -> bool:
        return self._record.get(name) is not None

    def any(self, name: str) -> object:
        """The value as it is; it must be there."""
        if name not in self._record:
            raise self._wrong(name, "there")
        return self._record[name]

    def text(self, name: str) -> str:
        value = self._record.get(name)
        if not isinstance(value, str):
            raise self._wrong(name, "a string")
        return value

    def maybe_text(self, name: str) -> str | None:
        return self.text(name) if name in self else None

    def number(self, name: str) -> float:
        value = self._record.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._wrong(name, "a number")
        try:
            finite = math.isfinite(value)
        except OverflowError:  # an integer beyond every float
            finite = False
        if not finite:
            raise DocumentError(f"{self.where}: {name!r} is not a finite number.")
        return value

    def maybe_number(self, name: str) -> float | None:
        return self.number(name) if name in self else None

    def integer(self, name: str) -> int:
        value = self.number(name)
        if not isinstance(value, int):
            raise self._wrong(name, "an integer")
        return value

    def maybe_integer(self, name: str) -> int | None:
        return self.integer(name) if name in self else None

    def flag(self, name: str) -> bool:
        value = self._record.get(name)
        if not isinstance(value, bool):
            raise self._wrong(name, "true or false")
        return value

    def maybe_flag(self, name: str) -> bool | None:
        return self.flag(name) if name in self else None

    def list(self, name: str) -> list[object]:
        value = self._record.get(name)
        if not isinstance(value, list):
            raise self._wrong(name, "a list")
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of strings."""
        values = self.list(name)
        if not all(isinstance(value, str) for value in values):
            raise self._wrong(name, "a list of strings")
        return tuple(str(value) for value in values)

    def numbers(self, name: str, count: int | None = None) -> tuple[float, ...]:
        """A list of finite numbers; so many of them, where that is said."""
        return self._numbers(name, self.list(name), count)

    def pairs(self, name: str) -> tuple[tuple[float, float], ...]:
        """A list of pairs of finite numbers."""
        found = []
        for value in self.list(name):
            if not isinstance(value, list):
                raise self._wrong(name, "a list of pairs of numbers")
            first, second = self._numbers(name, value, 2)
            found.append((first, second))
        return tuple(found)

    def _numbers(self, name: str, values: Sequence[object], count: int | None) -> tuple[float, ...]:
        known = [value for value in values if type(value) is float or type(value) is int]
        found = [float(value) if abs(value) < MOST else math.inf for value in known]
        if len(found) < len(values) or len(found) != (count or len(found)):
            raise self._wrong(name, f"a list of {count} numbers" if count else "a list of numbers")
        if not all(map(math.isfinite, found)):
            raise DocumentError(f"{self.where}: {name!r} has a number that is not finite.")
        return tuple(found)

    def fields(self, name: str) -> Fields:
        """The object of that name."""
        if not isinstance(self._record.get(name), dict):
            raise self._wrong(name, "an object")
        return Fields(self._record[name], f"{self.where}, {name}")

    def each(self, name: str) -> Iterator[Fields]:
        """The objects of the list of that name; none where it is absent."""
        if name not in self:
            return
        for index, value in enumerate(self.list(name)):
            yield Fields(value, f"{self.where}, {name}[{index}]")

    def items(self) -> Iterator[tuple[str, object]]:
        yield from self._record.items()


def _kind(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case str():
            return "a string"
        case int() | float():
            return "a number"
        case list():
            return "a list"
        case _:
            return "an object"

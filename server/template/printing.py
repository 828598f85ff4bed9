"""Values as Go's `fmt` prints them without a format: `%v`, `Sprint` and `Sprintln`."""

from collections.abc import Sequence

from .numbers import general
from .values import Map, Record, Slice, Value


def show(value: Value) -> str:
    """A value as `%v` prints it."""
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return general(value)
    if isinstance(value, bytes):
        return f"[{' '.join(map(str, value))}]"
    return _composite(value)


def _composite(value: Slice | Map | Record) -> str:
    own = value.text()
    if own is not None:
        return own
    if isinstance(value, Slice):
        return f"[{' '.join(show(each) for each in value.items)}]"
    if isinstance(value, Record):
        return f"{{{' '.join(show(each) for each in value.fields.values())}}}"
    pairs = (f"{key}:{show(each)}" for key, each in value.pairs())
    return f"map[{' '.join(pairs)}]"


def show_result(value: Value) -> str:
    """A value as an action writes it: a missing one is told apart from a printed nil."""
    return "<no value>" if value is None else show(value)


def joined(values: Sequence[Value]) -> str:
    """Values as `print` writes them: a blank between neighbours neither of which is a string."""
    pieces: list[str] = []
    for index, value in enumerate(values):
        before = values[index - 1] if index else ""
        if not isinstance(value, str) and not isinstance(before, str):
            pieces.append(" ")
        pieces.append(show(value))
    return "".join(pieces)


def line(values: Sequence[Value]) -> str:
    """Values as `println` writes them: blanks between all, and a newline."""
    return " ".join(show(value) for value in values) + "\n"

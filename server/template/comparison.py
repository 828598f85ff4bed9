"""`eq`, `lt` and their kin, by Go's rules: only values of one basic kind compare."""

from .errors import CallError
from .printing import show
from .values import Map, Record, Slice, Value, type_name


def _kind(value: Value) -> str | None:
    """The basic kind of a value; None for nothing and for composites."""
    if isinstance(value, (bool, int, float, str)):
        return type_name(value)
    return None


def _is_nil(value: Value) -> bool:
    return value is None or (isinstance(value, (Slice, Map)) and value.is_nil)


def equal(first: Value, *others: Value) -> bool:
    """Whether `first` equals any of the others."""
    if not others:
        raise CallError("missing argument for comparison")
    return any(_same(first, other) for other in others)


def _same(first: Value, second: Value) -> bool:
    if _kind(first) != _kind(second):
        if first is None or second is None:
            return False
        raise _incompatible(first, second)
    if _kind(first) is not None:
        return first == second
    if _shape(first) != _shape(second) and first is not None and second is not None:
        raise CallError(
            f"non-comparable types {show(first)}: {type_name(first)},"
            f" {type_name(second)}: {show(second)}"
        )
    if _is_nil(first) or _is_nil(second):
        return _is_nil(first) == _is_nil(second)
    if isinstance(second, Record):
        return first is second
    raise CallError(f"non-comparable type {show(second)}: {type_name(second)}")


def _shape(value: Value) -> type | None:
    return Slice if isinstance(value, (Slice, bytes)) else type(value)


def _incompatible(first: Value, second: Value) -> CallError:
    return CallError(
        f"incompatible types for comparison: {type_name(first)} and {type_name(second)}"
    )


def less(first: Value, second: Value) -> bool:
    """Whether `first` comes before `second`; only numbers of one type and strings have an order."""
    if _kind(first) is None or _kind(second) is None:
        raise CallError("invalid type for comparison")
    if _kind(first) != _kind(second):
        raise _incompatible(first, second)
    if isinstance(first, str) and isinstance(second, str):
        return first < second
    if isinstance(first, bool) or isinstance(second, bool):
        raise CallError("invalid type for comparison")
    assert isinstance(first, (int, float))
    assert isinstance(second, (int, float))
    return first < second


def less_or_equal(first: Value, second: Value) -> bool:
    """Whether `first` comes before `second` or equals it."""
    return less(first, second) or equal(first, second)

"""Durations as Go writes them (`1h30m`, `-1`, `42.5`), in nanoseconds. Pure."""

import math
import re

from .decode import DecodeError, Json

NEVER_NS = (1 << 63) - 1
"""Idle for ever: what a negative `keep_alive` means (LIFE-012, LIFE-019)."""

SECOND_NS = 1_000_000_000

_UNIT_NS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "μs": 1_000,
    "ms": 1_000_000,
    "s": SECOND_NS,
    "m": 60 * SECOND_NS,
    "h": 3600 * SECOND_NS,
}
_STEP = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)([^0-9.]*)")


def parse_duration(text: str) -> int:
    """The duration written as `text`; raises `DecodeError` with Go's words (LIFE-013)."""
    sign = -1 if text.startswith("-") else 1
    rest = text[1:] if text[:1] in ("-", "+") else text
    if rest == "0":
        return 0
    total, at = 0.0, 0
    while at < len(rest):
        step = _STEP.match(rest, at)
        if step is None:
            raise DecodeError(f'time: invalid duration "{text}"')
        number, unit = step.groups()
        if not unit:
            raise DecodeError(f'time: missing unit in duration "{text}"')
        if unit not in _UNIT_NS:
            raise DecodeError(f'time: unknown unit "{unit}" in duration "{text}"')
        total += float(number) * _UNIT_NS[unit]
        at = step.end()
    if not rest:
        raise DecodeError(f'time: invalid duration "{text}"')
    return sign * _bounded(total)


def keep_alive(value: Json) -> int | None:
    """How long an idle model stays loaded: nanoseconds, `NEVER_NS`, or None where absent."""
    if value is None:
        return None
    if isinstance(value, bool):
        raise DecodeError("Unsupported type: 'bool'")
    if isinstance(value, (int, float)):
        return NEVER_NS if value < 0 else _bounded(float(min(value, NEVER_NS)) * SECOND_NS)
    if isinstance(value, str):
        length_ns = parse_duration(value)
        return NEVER_NS if length_ns < 0 else length_ns
    kind = "map[string]interface {}" if hasattr(value, "keys") else "[]interface {}"
    raise DecodeError(f"Unsupported type: '{kind}'")


def _bounded(length_ns: float) -> int:
    """Whole nanoseconds; what no 64-bit count can hold is for ever (LIFE-022)."""
    return NEVER_NS if not math.isfinite(length_ns) or length_ns >= NEVER_NS else int(length_ns)

"""Values as people read them: numbers, bytes, times, and text whose hidden characters show."""

from __future__ import annotations

import json
import re
from datetime import datetime

NO_SAMPLES = "no samples"
ENOUGH_FOR_P99 = 299  # fewer give no upper bound for the 99th percentile at 95 % (order statistics)

# Characters that hide, reorder or break text. Joiners stay: emoji are made of them.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u200b\u200e\u200f\u2028\u2029"
    "\u202a-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)


def visible(text: str) -> str:
    """The text with hidden characters as escapes, so that it can neither deceive nor break."""
    return _HIDDEN.sub(lambda match: _escape(match.group()), text)


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def value(anything: object) -> str:
    """A JSON value over several lines; a string bare, unless it could mislead."""
    if isinstance(anything, str) and not _needs_quotes(anything):
        return visible(anything)
    try:
        return visible(json.dumps(anything, ensure_ascii=False, indent=2))
    except RecursionError:
        return "(nested too deep to show)"


def _needs_quotes(text: str) -> bool:
    if text != text.strip() or not text:
        return True
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def inline(anything: object) -> str:
    """A JSON value on one line, a string without quotes."""
    return anything if isinstance(anything, str) else json.dumps(anything, ensure_ascii=False)


def figure(number: float | None) -> str:
    """Three significant digits and no exponent; `no samples` for None, never 0."""
    if number is None:
        return NO_SAMPLES
    size = abs(number)
    if size >= 99.95 or number == 0:
        return f"{number:,.0f}"
    if size >= 9.995:
        return f"{number:.1f}"
    return f"{number:.2f}" if size >= 0.9995 else f"{number:.3f}"


def count(number: int | None) -> str:
    return NO_SAMPLES if number is None else f"{number:,}"


def share(number: float | None) -> str:
    return NO_SAMPLES if number is None else f"{figure(number * 100)} %"


def size(number: float | None) -> str:
    """Bytes in the binary unit that leaves the fewest digits."""
    if number is None:
        return NO_SAMPLES
    for unit in ("B", "KiB", "MiB"):
        if abs(number) < 1024:
            return f"{figure(number)} {unit}"
        number /= 1024
    return f"{figure(number)} GiB"


def moment(stamp: str) -> str:
    """A date and time to the second; as it stands where it is none."""
    try:
        when = datetime.fromisoformat(stamp)
    except ValueError:
        return stamp
    zone = when.strftime("%Z") or "local time"
    return f"{when:%Y-%m-%d %H:%M:%S} {zone}"


def lasted(start: str, end: str | None) -> str | None:
    """How long between two moments; None where that cannot be said."""
    try:
        seconds = (
            datetime.fromisoformat(end or "") - datetime.fromisoformat(start)
        ).total_seconds()
    except (ValueError, TypeError):  # TypeError: one names its zone, the other does not
        return None
    if seconds < 60:
        return f"{figure(seconds)} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def plural(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def machine(parts: dict[str, object]) -> str:
    """The machine of a document in one line."""
    memory = parts.get("memory_bytes")
    cores = parts.get("cores")
    said = [
        parts.get("processor"),
        plural(cores, "core") if isinstance(cores, int) else None,
        size(memory) if isinstance(memory, int) else None,
        parts.get("system"),
        parts.get("architecture"),
        f"Python {parts['python']}" if parts.get("python") else None,
    ]
    return ", ".join(inline(part) for part in said if part)

"""`printf`: Go's formats (pkg.go.dev/fmt), complaints about wrong ones included."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from .errors import CallError
from .numbers import general, rounded
from .printing import show
from .quoting import quote, to_bytes
from .values import Map, Record, Slice, Value, type_name

MAX_WIDTH = 10_000
"""Characters a width or precision may ask for; Go has a limit too, a million."""

_DIRECTIVE = re.compile(
    r"%(?P<flags>[-+# 0]*)(?P<width>\d+|(?:\[\d+\])?\*)?"
    r"(?:(?P<dot>\.)(?P<precision>\d+|(?:\[\d+\])?\*)?)?(?P<index>\[\d+\])?(?P<verb>.)?",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Style:
    """One directive without its verb; widths of None were not given."""

    flags: str
    width: int | None
    precision: int | None


class _Arguments:
    """The operands of one call, taken in order or by index."""

    def __init__(self, values: Sequence[Value]) -> None:
        self.values = values
        self.place = 0
        self.reordered = False

    def at(self, index: str | None) -> None:
        if index:
            self.place = int(index.strip("[]")) - 1
            self.reordered = True

    def left(self) -> bool:
        return 0 <= self.place < len(self.values)

    def take(self) -> Value:
        self.place += 1
        return self.values[self.place - 1]


def sprintf(template: str, values: Sequence[Value], limit: int) -> str:
    """`values` set into `template`; raises `CallError` above `limit` characters."""
    arguments = _Arguments(values)
    pieces: list[str] = []
    written = 0
    end = 0
    for match in _DIRECTIVE.finditer(template):
        piece = _directive(match, arguments)
        written += len(piece) + match.start() - end
        if written > limit:
            raise CallError("output is too long")
        pieces += (template[end : match.start()], piece)
        end = match.end()
    pieces.append(template[end:])
    if not arguments.reordered and arguments.left():
        rest = (_typed(value) for value in values[arguments.place :])
        pieces.append(f"%!(EXTRA {', '.join(rest)})")
    return "".join(pieces)


def _directive(match: re.Match[str], arguments: _Arguments) -> str:
    verb = match["verb"]
    if verb is None:
        return "%!(NOVERB)"
    width = _size(match["width"], arguments)
    precision = _size(match["precision"], arguments)
    if match["dot"] and precision is None:
        precision = 0
    flags = match["flags"]
    if width is not None and width < 0:
        width, flags = -width, flags + "-"
    arguments.at(match["index"])
    if verb == "%":
        return "%"
    if not arguments.left():
        return f"%!{verb}({'BADINDEX' if match['index'] else 'MISSING'})"
    return formatted(arguments.take(), verb, Style(flags, width, precision))


def _size(text: str | None, arguments: _Arguments) -> int | None:
    if text is None:
        return None
    if text.endswith("*"):
        arguments.at(text[:-1])
        value = arguments.take() if arguments.left() else None
        size = value if isinstance(value, int) and not isinstance(value, bool) else 0
    else:
        size = int(text)
    if abs(size) > MAX_WIDTH:
        raise CallError("width is too large")
    return size


def _typed(value: Value) -> str:
    return "<nil>" if value is None else f"{type_name(value)}={show(value)}"


def formatted(value: Value, verb: str, style: Style) -> str:
    """One value by one verb."""
    if verb == "T":
        return formatted(type_name(value), "s", style)
    if value is None:
        return _padded("<nil>", style) if verb == "v" else f"%!{verb}(<nil>)"
    if isinstance(value, (Slice, Map, Record)):
        return _composite(value, verb, style)
    made = _scalar(value, verb, style)
    if made is None:
        return f"%!{verb}({type_name(value)}={formatted(value, 'v', style)})"
    return made


def _composite(value: Slice | Map | Record, verb: str, style: Style) -> str:
    own = value.text()
    if own is not None and verb in "vsqxX":
        return formatted(own, verb, style)
    if isinstance(value, Slice):
        return f"[{' '.join(_element(each, verb, style) for each in value.items)}]"
    if isinstance(value, Record):
        names = "+" in style.flags and verb == "v"
        shown = (
            f"{name}:{_element(each, verb, style)}" if names else _element(each, verb, style)
            for name, each in value.fields.items()
        )
        return f"{{{' '.join(shown)}}}"
    pairs = (
        f"{_element(key, verb, style)}:{_element(each, verb, style)}" for key, each in value.pairs()
    )
    return f"map[{' '.join(pairs)}]"


def _element(value: Value, verb: str, style: Style) -> str:
    """A value inside another; nothing there is shown the same by every verb."""
    return "<nil>" if value is None else formatted(value, verb, style)


def _scalar(value: bool | int | float | str | bytes, verb: str, style: Style) -> str | None:
    """A simple value; None where the verb is not for its type."""
    if isinstance(value, bool):
        return _padded(show(value), style) if verb in "vt" else None
    if isinstance(value, int):
        return _integer(value, "d" if verb == "v" else verb, style)
    if isinstance(value, float):
        return _float(value, verb, style)
    if isinstance(value, bytes) and verb in "vd":
        return f"[{' '.join(formatted(each, verb, style) for each in value)}]"
    return _text(value, verb, style)


def _text(value: str | bytes, verb: str, style: Style) -> str | None:
    raw = value if isinstance(value, bytes) else to_bytes(value)
    if verb in "xX":
        sized = raw if style.precision is None else raw[: style.precision]
        hexadecimal = sized.hex(" ") if " " in style.flags else sized.hex()
        return _padded(hexadecimal.upper() if verb == "X" else hexadecimal, style)
    if verb not in "vsq":
        return None
    text = raw.decode("utf-8", "surrogateescape")
    if style.precision is not None:
        text = text[: style.precision]
    if verb == "q" or (verb == "v" and "#" in style.flags):
        backquoted = verb == "q" and "#" in style.flags and "`" not in text
        text = f"`{text}`" if backquoted else quote(text)
    return _padded(text, style)


def _integer(value: int, verb: str, style: Style) -> str | None:
    if verb in "cqU":
        return _character(value, verb, style)
    if verb not in "dboOxX":
        return None
    digits = format(abs(value), "o" if verb == "O" else verb)
    if style.precision is not None:
        digits = digits.zfill(style.precision) if value or style.precision else ""
    prefix = "0o" if verb == "O" else ""
    if "#" in style.flags:
        prefix = {"x": "0x", "X": "0X", "o": "0", "b": "0b"}.get(verb, prefix)
    return _signed(prefix + digits, value < 0, style, zeros=style.precision is None)


def _character(value: int, verb: str, style: Style) -> str:
    character = chr(value) if 0 <= value <= 0x10FFFF and not 0xD800 <= value < 0xE000 else "�"
    if verb == "U":
        shown = f"U+{value:04X}"
        return _padded(f"{shown} '{character}'" if "#" in style.flags else shown, style)
    return _padded(quote(character, "'") if verb == "q" else character, style)


def _float(value: float, verb: str, style: Style) -> str | None:
    if verb not in "veEfFgG":
        return None
    kind = {"v": "g", "F": "f"}.get(verb, verb)
    if style.precision is None and kind in "gG":
        digits = general(abs(value))
    else:
        precision = 6 if style.precision is None else style.precision
        digits = rounded(abs(value), kind, precision)
    digits = digits.lstrip("+")
    return _signed(digits.upper() if kind.isupper() else digits, value < 0, style, zeros=True)


def _signed(digits: str, negative: bool, style: Style, *, zeros: bool) -> str:
    sign = "-" if negative else "+" if "+" in style.flags else " " if " " in style.flags else ""
    if zeros and "0" in style.flags and "-" not in style.flags and style.width is not None:
        return sign + digits.zfill(style.width - len(sign))
    return _padded(sign + digits, style, zeros=False)


def _padded(text: str, style: Style, *, zeros: bool = True) -> str:
    if style.width is None:
        return text
    if "-" in style.flags:
        return text.ljust(style.width)
    return text.rjust(style.width, "0" if zeros and "0" in style.flags else " ")

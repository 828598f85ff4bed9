"""Go string and character literals, both ways.

Go strings are bytes. Bytes that are no UTF-8 travel through Python strings as surrogate escapes
and become U+FFFD when a rendered text leaves the template.
"""

import re

_SIMPLE = {"a": 7, "b": 8, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11, "\\": 92, "'": 39, '"': 34}
_ESCAPED = {7: r"\a", 8: r"\b", 12: r"\f", 10: r"\n", 13: r"\r", 9: r"\t", 11: r"\v", 92: r"\\"}
_ESCAPE = re.compile(
    r"\\(?:(?P<octal>[0-7]{3})|x(?P<byte>[0-9a-fA-F]{2})|u(?P<short>[0-9a-fA-F]{4})"
    r"|U(?P<long>[0-9a-fA-F]{8})|(?P<simple>.))",
    re.DOTALL,
)


def to_bytes(text: str) -> bytes:
    """The bytes of a Go string."""
    return text.encode("utf-8", "surrogateescape")


def from_bytes(raw: bytes) -> str:
    """The Go string of these bytes."""
    return raw.decode("utf-8", "surrogateescape")


def quote(text: str, mark: str = '"') -> str:
    """`text` as Go's `%q` shows it."""
    return mark + "".join(_shown(character, mark) for character in text) + mark


def _shown(character: str, mark: str) -> str:
    code = ord(character)
    if character == mark:
        return "\\" + mark
    if code in _ESCAPED:
        return _ESCAPED[code]
    if character.isprintable():
        return character
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def unquote(literal: str) -> str | None:
    """The value of a Go string or character literal, marks included; None where it is wrong."""
    mark, inside = literal[0], literal[1:-1]
    if mark == "`":
        return inside.replace("\r", "")
    made = bytearray()
    position = 0
    while position < len(inside):
        if inside[position] != "\\":
            made += to_bytes(inside[position])
            position += 1
            continue
        match = _ESCAPE.match(inside, position)
        escaped = None if match is None else _unescaped(match, mark)
        if match is None or escaped is None:
            return None
        made += escaped
        position = match.end()
    return from_bytes(bytes(made))


def _unescaped(match: re.Match[str], mark: str) -> bytes | None:
    simple = match["simple"]
    if simple is not None:
        wrong = simple not in _SIMPLE or (simple in "'\"" and simple != mark)
        return None if wrong else bytes([_SIMPLE[simple]])
    if match["octal"] is not None:
        code = int(match["octal"], 8)
        return bytes([code]) if code < 256 else None
    if match["byte"] is not None:
        return bytes([int(match["byte"], 16)])
    code = int(match["short"] or match["long"], 16)
    if code > 0x10FFFF or 0xD800 <= code < 0xE000:
        return None
    return chr(code).encode()

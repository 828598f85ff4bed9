"""Template text to tokens.

The language is Go's `text/template` with its default delimiters (pkg.go.dev/text/template). Only
ASCII blanks count as space, as there.
"""

import re
from dataclasses import dataclass
from enum import Enum, auto

from .quoting import quote

BLANKS = " \t\r\n"

_KEYWORDS = frozenset(
    ["block", "break", "continue", "define", "else", "end", "if", "range", "template", "with"]
)
_NUMBER = re.compile(
    r"[+-]?(?:0[xX][0-9a-fA-F_]*(?:\.[0-9a-fA-F_]*)?(?:[pP][+-]?[0-9_]*)?"
    r"|0[oO][0-7_]*(?:\.[0-7_]*)?"
    r"|0[bB][01_]*(?:\.[01_]*)?"
    r"|[0-9_]*(?:\.[0-9_]*)?(?:[eE][+-]?[0-9_]*)?)i?"
)
_STRING = re.compile(r'"(?:\\[^\n]|[^"\\\n])*"')
_CHARACTER = re.compile(r"'(?:\\[^\n]|[^'\\\n])*'")


class Kind(Enum):
    """What a token is."""

    TEXT = auto()
    LEFT = auto()
    RIGHT = auto()
    SPACE = auto()
    ASSIGN = auto()
    DECLARE = auto()
    PIPE = auto()
    PUNCTUATION = auto()
    STRING = auto()
    RAW_STRING = auto()
    CHARACTER = auto()
    NUMBER = auto()
    VARIABLE = auto()
    FIELD = auto()
    DOT = auto()
    NIL = auto()
    BOOL = auto()
    IDENTIFIER = auto()
    LEFT_PAREN = auto()
    RIGHT_PAREN = auto()
    KEYWORD = auto()
    END_OF_TEXT = auto()
    ERROR = auto()


@dataclass(frozen=True, slots=True)
class Token:
    """One token; of kind ERROR, `text` is the message. `position` counts characters."""

    kind: Kind
    text: str
    position: int
    line: int

    def __str__(self) -> str:
        """The token as error messages show it."""
        if self.kind in (Kind.ERROR, Kind.END_OF_TEXT):
            return self.text
        if self.kind in (Kind.KEYWORD, Kind.NIL, Kind.DOT):
            return f"<{self.text}>"
        if len(self.text) > 10:
            return f"{quote(self.text[:10])}..."
        return quote(self.text)


class _LexError(Exception):
    pass


def tokens(text: str) -> list[Token]:
    """The tokens of `text`, ending in END_OF_TEXT or in ERROR."""
    lexer = _Lexer(text)
    try:
        lexer.run()
    except _LexError as error:
        lexer.found.append(Token(Kind.ERROR, str(error), lexer.start, lexer.line))
    return lexer.found


def is_word(character: str) -> bool:
    """Whether a character may stand in an identifier: a letter, a digit or an underscore."""
    return character == "_" or character.isalpha() or character.isdecimal()


class _Lexer:
    """One pass over one text; `found` grows, and nothing is given back."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.found: list[Token] = []
        self.start = 0
        self.position = 0
        self.line = 1
        self.parens = 0

    def run(self) -> None:
        while self._text_up_to_action():
            self._action()
        self._emit(Kind.END_OF_TEXT, "EOF")

    def _emit(self, kind: Kind, text: str | None = None) -> None:
        covered = self.text[self.start : self.position]
        token = Token(kind, covered if text is None else text, self.start, self.line)
        self.found.append(token)
        self._skip()

    def _skip(self) -> None:
        self.line += self.text.count("\n", self.start, self.position)
        self.start = self.position

    def _text_up_to_action(self) -> bool:
        """Take plain text and comments; true when an action follows."""
        while True:
            opening = self.text.find("{{", self.position)
            end = len(self.text) if opening < 0 else opening
            trims = self._trims_left(end + 2)
            stop = len(self.text[:end].rstrip(BLANKS)) if trims else end
            self.position = max(stop, self.start)
            if self.position > self.start:
                self._emit(Kind.TEXT)
            self.position = end
            self._skip()
            if opening < 0:
                return False
            inside = end + (4 if trims else 2)
            if not self.text.startswith("/*", inside):
                self._open(inside)
                return True
            self._comment(inside)

    def _trims_left(self, at: int) -> bool:
        return self.text[at : at + 1] == "-" and self.text[at + 1 : at + 2] in tuple(BLANKS)

    def _open(self, inside: int) -> None:
        self.position += 2
        self._emit(Kind.LEFT)
        self.position = inside
        self._skip()
        self.parens = 0

    def _comment(self, at: int) -> None:
        self.position = at
        self._skip()
        end = self.text.find("*/", at + 2)
        if end < 0:
            raise _LexError("unclosed comment")
        self.position = end + 2
        width, trims = self._closing()
        if not width:
            raise _LexError("comment ends before closing delimiter")
        self._close(width, trims)

    def _closing(self) -> tuple[int, bool]:
        """Width of the closing delimiter at the current place (0: none), and whether it trims."""
        if self.text.startswith("}}", self.position):
            return 2, False
        here = self.text[self.position : self.position + 4]
        if len(here) == 4 and here[0] in BLANKS and here[1:] == "-}}":
            return 4, True
        return 0, False

    def _close(self, width: int, trims: bool) -> None:
        self.position += width
        if trims:
            rest = self.text[self.position :]
            self.position += len(rest) - len(rest.lstrip(BLANKS))
        self._skip()

    def _action(self) -> None:
        while True:
            width, trims = self._closing()
            if width:
                if self.parens:
                    raise _LexError("unclosed left paren")
                line, place = self.line, self.start + width - 2
                self.found.append(Token(Kind.RIGHT, "}}", place, line))
                self._close(width, trims)
                return
            if self.position >= len(self.text):
                raise _LexError("unclosed action")
            self._inside(self.text[self.position])

    def _inside(self, first: str) -> None:
        """Take the one token that begins with `first`."""
        if first in BLANKS:
            self._space()
        elif first in "=|()":
            self._sign(first)
        elif first == ":":
            self.position += 2
            if self.text[self.position - 1 : self.position] != "=":
                raise _LexError("expected :=")
            self._emit(Kind.DECLARE)
        elif first == '"':
            self._literal(_STRING, Kind.STRING, "unterminated quoted string")
        elif first == "'":
            self._literal(_CHARACTER, Kind.CHARACTER, "unterminated character constant")
        elif first == "`":
            self._raw_string()
        elif first == "$":
            self._name(Kind.VARIABLE)
        elif first == "." and not self.text[self.position + 1 : self.position + 2].isdecimal():
            self._name(Kind.FIELD)
        elif first in "+-." or "0" <= first <= "9":
            self._number()
        elif is_word(first):
            self._identifier()
        else:
            self._other(first)

    def _space(self) -> None:
        end = self.position
        while end < len(self.text) and self.text[end] in BLANKS:
            end += 1
        # The last blank belongs to " -}}" where that follows.
        if self.text.startswith("-}}", end):
            end -= 1
        if end > self.position:
            self.position = end
            self._emit(Kind.SPACE)

    def _sign(self, first: str) -> None:
        kinds = {"=": Kind.ASSIGN, "|": Kind.PIPE, "(": Kind.LEFT_PAREN, ")": Kind.RIGHT_PAREN}
        self.parens += {"(": 1, ")": -1}.get(first, 0)
        if self.parens < 0:
            raise _LexError("unexpected right paren")
        self.position += 1
        self._emit(kinds[first])

    def _literal(self, pattern: re.Pattern[str], kind: Kind, complaint: str) -> None:
        match = pattern.match(self.text, self.position)
        if match is None:
            raise _LexError(complaint)
        self.position = match.end()
        self._emit(kind)

    def _raw_string(self) -> None:
        end = self.text.find("`", self.position + 1)
        if end < 0:
            raise _LexError("unterminated raw quoted string")
        self.position = end + 1
        self._emit(Kind.RAW_STRING)

    def _number(self) -> None:
        match = _NUMBER.match(self.text, self.position)
        assert match is not None, "the pattern matches the empty string"
        self.position = match.end()
        # A sign would make it a complex constant, which no chat template has; they are refused.
        complex_too = self.text[self.position : self.position + 1] in ("+", "-")
        if complex_too:
            second = _NUMBER.match(self.text, self.position)
            self.position = second.end() if second else self.position
        following = self.text[self.position : self.position + 1]
        joined = bool(following) and is_word(following)
        if complex_too or joined:
            self.position += joined
            raise _LexError(f"bad number syntax: {quote(self.text[self.start : self.position])}")
        self._emit(Kind.NUMBER)

    def _word(self) -> str:
        """Move over a word, which must end at something that may follow one; give it back."""
        while self.position < len(self.text) and is_word(self.text[self.position]):
            self.position += 1
        following = self.text[self.position : self.position + 1]
        closing = self.text.startswith("}}", self.position)
        if following and following not in BLANKS + ".,|:)(" and not closing:
            raise _LexError(f"bad character {_code_point(following)}")
        return self.text[self.start : self.position]

    def _name(self, kind: Kind) -> None:
        self.position += 1
        word = self._word()
        self._emit(Kind.DOT if word == "." else kind)

    def _identifier(self) -> None:
        word = self._word()
        if word in _KEYWORDS:
            self._emit(Kind.KEYWORD)
        elif word == "nil":
            self._emit(Kind.NIL)
        elif word in ("true", "false"):
            self._emit(Kind.BOOL)
        else:
            self._emit(Kind.IDENTIFIER)

    def _other(self, first: str) -> None:
        self.position += 1
        if not (first.isascii() and first.isprintable()):
            raise _LexError(f"unrecognized character in action: {_code_point(first)}")
        self._emit(Kind.PUNCTUATION)


def _code_point(character: str) -> str:
    shown = f"U+{ord(character):04X}"
    return f"{shown} '{character}'" if character.isprintable() else shown

"""Where expected and actual part, as lines of marked and unmarked text.

Marks are only made where they help: on values of the same kind that resemble each other.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from difflib import SequenceMatcher

from .words import value

MAX_SHOWN_CHARS = 4_000  # the document keeps the rest
MAX_COMPARED_LINES = 200  # comparing costs the square of it
MAX_COMPARED_CHARS = 600
LEAST_RESEMBLANCE = 0.5  # of their characters in common; below it marks are noise
_WORD = re.compile(r"\\[uU][0-9a-f]+|\w+|\s+|.")


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of a line; marked where the other side differs."""

    text: str
    marked: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """A line of one side; differs where the other side has no such line."""

    spans: tuple[Span, ...]
    differs: bool = False


@dataclass(frozen=True, slots=True)
class Sides:
    """Expected and actual, ready to be set side by side."""

    expected: tuple[Line, ...]
    actual: tuple[Line, ...]


def cut(text: str, limit: int = MAX_SHOWN_CHARS) -> str:
    """At most so many characters, and how many are not shown."""
    left = len(text) - limit
    return text if left <= 0 else f"{text[:limit]}\n… and {left:,} characters more, in the document"


def sides(expected: object, actual: object) -> Sides:
    """Both values as lines, with what differs marked."""
    left, right = cut(value(expected)).split("\n"), cut(value(actual)).split("\n")
    comparable = type(expected) is type(actual) and expected != actual
    if not comparable or max(len(left), len(right)) > MAX_COMPARED_LINES:
        return Sides(_plain(left), _plain(right))
    if len(left) == len(right) == 1:
        pair = _line_pair(left[0], right[0])
        return Sides((pair[0],), (pair[1],)) if pair else Sides(_plain(left), _plain(right))
    return _marked(left, right)


def _plain(lines: list[str]) -> tuple[Line, ...]:
    return tuple(Line((Span(line),)) for line in lines)


def _marked(left: list[str], right: list[str]) -> Sides:
    """Lines that only one side has are marked; where they are replaced one by one, their words."""
    expected: list[Line] = []
    actual: list[Line] = []
    matcher = SequenceMatcher(None, _without_comma(left), _without_comma(right), autojunk=False)
    for tag, from_left, to_left, from_right, to_right in matcher.get_opcodes():
        ours, theirs = left[from_left:to_left], right[from_right:to_right]
        if tag == "equal":
            expected += _plain(ours)
            actual += _plain(theirs)
        elif len(ours) == len(theirs):
            for one, other in zip(ours, theirs, strict=True):
                pair = _line_pair(one, other) or (_whole(one), _whole(other))
                expected.append(pair[0])
                actual.append(pair[1])
        else:
            expected += [_whole(line) for line in ours]
            actual += [_whole(line) for line in theirs]
    return Sides(tuple(expected), tuple(actual))


def _without_comma(lines: list[str]) -> list[str]:
    """The comma after the last member but one says nothing about that member."""
    return [line.rstrip(",") for line in lines]


def _whole(line: str) -> Line:
    return Line((Span(line),), differs=True)


def _line_pair(one: str, other: str) -> tuple[Line, Line] | None:
    """Two lines that stand for each other, with the words that differ marked; None if unlike."""
    if max(len(one), len(other)) > MAX_COMPARED_CHARS:
        return None
    same_looks = unicodedata.normalize("NFC", one) == unicodedata.normalize("NFC", other)
    if same_looks:
        one, other = _with_marks_shown(one), _with_marks_shown(other)
    words, others = _WORD.findall(one), _WORD.findall(other)
    matcher = SequenceMatcher(None, words, others, autojunk=False)
    alike = sum(
        len(word) for a, _, size in matcher.get_matching_blocks() for word in words[a : a + size]
    )
    if not same_looks and 2 * alike < LEAST_RESEMBLANCE * (len(one) + len(other)):
        return None
    ours: list[Span] = []
    theirs: list[Span] = []
    for tag, from_one, to_one, from_other, to_other in matcher.get_opcodes():
        if to_one > from_one:
            ours.append(Span("".join(words[from_one:to_one]), tag != "equal"))
        if to_other > from_other:
            theirs.append(Span("".join(others[from_other:to_other]), tag != "equal"))
    return Line(tuple(ours), differs=True), Line(tuple(theirs), differs=True)


def _with_marks_shown(line: str) -> str:
    """Combining marks as escapes: without them such lines look the same."""
    return "".join(f"\\u{ord(c):04x}" if unicodedata.combining(c) else c for c in line)

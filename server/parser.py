"""What a model said, told apart while it comes: thoughts, answer and tool calls.

Pure and incremental: text may be fed in pieces of any size with the same result. The rules are
the contract's THINK-008..010 and TOOL-013..015; tool calls themselves are read in `tool_calls`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol

from .messages import ToolCall
from .template.walk import SPACE
from .tool_calls import CallReader


@dataclass(frozen=True, slots=True)
class Content:
    """A piece of the answer, never empty."""

    text: str


@dataclass(frozen=True, slots=True)
class Thinking:
    """A piece of a thought, never empty."""

    text: str


Part = Content | Thinking | ToolCall


class _Phase(Enum):
    """Where the splitter is; blanks next to a tag belong to neither side."""

    BEFORE = auto()
    OPENED = auto()
    THINKING = auto()
    CLOSED = auto()
    ANSWERING = auto()


class ThinkingSplitter:
    """Tells a thought between two tags at the start of the text from the answer after it.

    `inside` says that the prompt already ended with the opening tag (THINK-009). Only the first
    thought is one; text that does not begin with the tag is all answer, untouched.
    """

    def __init__(self, opening: str, closing: str, *, inside: bool = False) -> None:
        assert opening, "there is an opening tag"
        assert closing, "there is a closing tag"
        self._opening = opening
        self._closing = closing
        self._phase = _Phase.OPENED if inside else _Phase.BEFORE
        self._held = ""

    def feed(self, text: str) -> list[Part]:
        """The parts that this piece of text settles."""
        self._held += text
        parts: list[Part] = []
        while self._held and self._advance(parts):
            pass
        return parts

    def close(self) -> list[Part]:
        """Nothing: what is still withheld is blanks or half a tag, and is dropped (THINK-008)."""
        self._held = ""
        return []

    def _advance(self, parts: list[Part]) -> bool:
        """Take what can be taken in this phase; true when the next phase may go on."""
        match self._phase:
            case _Phase.BEFORE:
                return self._before()
            case _Phase.OPENED:
                return self._skip_blanks(_Phase.THINKING)
            case _Phase.THINKING:
                return self._think(parts)
            case _Phase.CLOSED:
                return self._skip_blanks(_Phase.ANSWERING)
        parts.append(Content(self._held))
        self._held = ""
        return False

    def _before(self) -> bool:
        begun = self._held.lstrip(SPACE)
        if begun.startswith(self._opening):
            self._held = begun[len(self._opening) :]
            self._phase = _Phase.OPENED
        elif self._opening.startswith(begun):
            return False
        else:
            self._phase = _Phase.ANSWERING
        return True

    def _skip_blanks(self, following: _Phase) -> bool:
        self._held = self._held.lstrip(SPACE)
        if self._held:
            self._phase = following
        return bool(self._held)

    def _think(self, parts: list[Part]) -> bool:
        thought, tag, rest = self._held.partition(self._closing)
        if tag:
            self._phase = _Phase.CLOSED
        else:
            half = overlap(thought, self._closing)
            thought, rest = thought[: len(thought) - half], thought[len(thought) - half :]
        if thought:
            parts.append(Thinking(thought))
        self._held = rest
        return bool(tag)


class ToolRecogniser:
    """Tells tool calls from the text before them.

    Calls begin at `tag`. With the tag `{` or `[` they have to come first; other text, or JSON
    that calls nothing, is then answer. With any other tag what follows the tag is calls or
    nothing: text around and after them is dropped, half a call too (TOOL-015, TOOL-025).
    """

    def __init__(self, names: Sequence[str], tag: str) -> None:
        assert tag, "there is a tag"
        self._tag = tag
        self._is_json = tag in ("{", "[")
        self._reader = CallReader(names, closing={"{": "}", "[": "]"}.get(tag))
        self._held = ""
        self._calling = False
        self._answering = False

    def feed(self, text: str) -> list[Part]:
        """The parts that this piece of text settles."""
        if self._answering:
            return [Content(text)] if text else []
        if self._calling:
            return self._read(text)
        self._held += text
        before, tag, after = self._held.partition(self._tag)
        if self._is_json and before.strip(SPACE):
            self._answering = True
            return self._release()
        if tag:
            self._calling, self._held = True, ""
            return [*_content(before), *self._read(tag + after)]
        half = overlap(before, self._tag)
        self._held = before[len(before) - half :]
        return _content(before[: len(before) - half])

    def close(self) -> list[Part]:
        """What is left at the end: JSON that turned out to call nothing."""
        unread = self._reader.close() if self._calling else ""
        return _content(unread) if self._is_json else []

    def _read(self, text: str) -> list[Part]:
        calls = self._reader.feed(text)
        self._answering = self._reader.is_plain
        return [*calls, *(_content(self._reader.close()) if self._answering else ())]

    def _release(self) -> list[Part]:
        held, self._held = self._held, ""
        return _content(held)


class Recogniser(Protocol):
    """What tells calls in an answer from its text."""

    def feed(self, text: str) -> list[Part]:
        """The parts that this piece of text settles."""

    def close(self) -> list[Part]:
        """What is left at the end."""


class OutputParser:
    """The splitter and the recogniser one after the other; either may be missing.

    Calls are looked for in the answer only, never in a thought.
    """

    def __init__(
        self, splitter: ThinkingSplitter | None = None, recogniser: Recogniser | None = None
    ) -> None:
        self._splitter = splitter
        self._recogniser = recogniser

    def feed(self, text: str) -> list[Part]:
        """The parts that this piece of text settles, in order."""
        if self._splitter is None:
            return self._recognised([Content(text)] if text else [])
        return self._recognised(self._splitter.feed(text))

    def close(self) -> list[Part]:
        """The parts that the end of the text settles."""
        parts = [] if self._splitter is None else self._recognised(self._splitter.close())
        return parts if self._recogniser is None else [*parts, *self._recogniser.close()]

    def _recognised(self, parts: Sequence[Part]) -> list[Part]:
        if self._recogniser is None:
            return list(parts)
        told: list[Part] = []
        for part in parts:
            told += self._recogniser.feed(part.text) if isinstance(part, Content) else [part]
        return told


def overlap(text: str, tag: str) -> int:
    """How many characters at the end of `text` may be the beginning of `tag`."""
    for size in range(min(len(text), len(tag)), 0, -1):
        if text.endswith(tag[:size]):
            return size
    return 0


def _content(text: str) -> list[Part]:
    return [Content(text)] if text else []

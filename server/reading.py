"""Generated text to what a client sees of it: content, thoughts and tool calls.

Pure but for the ids of tool calls, which are random.
"""

import secrets
import string
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from . import harmony
from .engine.sequence import Piece, Thought
from .messages import Think, Tool, ToolCall
from .parser import Content, OutputParser, Recogniser, ThinkingSplitter, ToolRecogniser
from .parser import Part as Token
from .prompting import Prompting
from .tool_formats_stream import FormatRecogniser
from .tool_formats_values import CallParser
from .wire import Part

_ID_LETTERS = string.ascii_lowercase + string.digits


class Parser(Protocol):
    """What tells the parts of an answer apart."""

    def feed(self, text: str) -> list[Token]:
        """The parts that this piece of text settles."""

    def close(self) -> list[Token]:
        """The parts that the end of the text settles."""


class Reading:
    """Reads one answer piece by piece."""

    def __init__(
        self,
        parser: Parser,
        *,
        thought: Thought | None = None,
        calls: str | None = None,
        shown: tuple[str, ...] = (),
    ) -> None:
        self._parser = parser
        self.thought = thought
        """Where a thought may come before the answer, None where it is told apart by nothing."""
        self.calls = calls
        """The tag with which calls may come instead of an answer, None where there is none."""
        self.shown = shown
        """The control tokens that have to be seen."""

    @classmethod
    def plain(cls) -> "Reading":
        """All text is content."""
        return cls(OutputParser())

    @classmethod
    def of(
        cls, prompting: Prompting, prompt: str, think: Think, tools: Sequence[Tool] = ()
    ) -> "Reading":
        """The reading that fits a model's template and what the request wants told apart.

        With tools the first one may import mlx-lm, which takes seconds.
        """
        if prompting.is_harmony:
            return cls._of_channels(prompt, tools)
        splitter = thought = None
        shown: tuple[str, ...] = ()
        if think and prompting.thinking_tags:
            opening, closing = shown = prompting.thinking_tags
            inside = prompt.rstrip().endswith(opening.strip())
            splitter = ThinkingSplitter(opening, closing, inside=inside)
            thought = Thought(opening, closing, inside)
        if not tools:
            return cls(OutputParser(splitter), thought=thought, shown=shown)
        recogniser, calls, tags = _recogniser(prompting, tools)
        parser = OutputParser(splitter, recogniser)
        return cls(parser, thought=thought, calls=calls, shown=shown + tags)

    @classmethod
    def _of_channels(cls, prompt: str, tools: Sequence[Tool]) -> "Reading":
        """The reading of gpt-oss, which thinks whatever was asked for (THINK-007)."""
        parser = harmony.HarmonyParser(prompt, tools)
        thought = Thought(harmony.OPENING, harmony.CLOSING, inside=False)
        begun = parser.has_begun
        return cls(parser, thought=None if begun else thought, shown=harmony.SHOWN)

    def feed(self, piece: Piece) -> list[Part]:
        """What the piece adds; its log probabilities are never lost (LOGP-008)."""
        parts = grouped(self._parser.feed(piece.text))
        if piece.logprobs:
            first = parts[0] if parts else Part()
            parts[:1] = [replace(first, logprobs=piece.logprobs)]
        return parts

    def close(self) -> list[Part]:
        """What was held back."""
        return grouped(self._parser.close())


def grouped(tokens: Sequence[Token]) -> list[Part]:
    """Records' worth of what the parser told: text together, calls without text (TOOL-011)."""
    parts: list[Part] = []
    for token in tokens:
        if isinstance(token, ToolCall):
            call = Part(tool_calls=(token if token.id else replace(token, id=_call_id()),))
            _append(parts, call, joins=bool(parts) and bool(parts[-1].tool_calls))
        elif isinstance(token, Content):
            _append(parts, Part(token.text), joins=bool(parts) and not parts[-1].tool_calls)
        else:
            part = Part(thinking=token.text)
            after_text = bool(parts) and not parts[-1].tool_calls and not parts[-1].content
            _append(parts, part, joins=after_text)
    return parts


def _recogniser(
    prompting: Prompting, tools: Sequence[Tool]
) -> tuple[Recogniser, str | None, tuple[str, ...]]:
    """What finds calls, the tag that begins them unless it is JSON, and the tokens to be seen."""
    form = prompting.tool_format
    if form is not None:
        return FormatRecogniser(form, CallParser(form, tools)), form.opening, form.shown
    tag = prompting.tool_tag
    recogniser = ToolRecogniser([tool.name for tool in tools], tag)
    if tag in ("{", "["):
        return recogniser, None, ()
    # some templates write `[TOOL_CALLS][`, of which only the first part is a token
    token = tag[: 1 + tag.find("]" if tag[0] == "[" else ">")] if tag[0] in "[<" else ""
    return recogniser, tag, (token or tag,)


def _append(parts: list[Part], part: Part, *, joins: bool) -> None:
    if joins:
        parts[-1] += part
    else:
        parts.append(part)


def _call_id() -> str:
    """As the original's: `call_` and eight letters or digits (TOOL-008)."""
    return "call_" + "".join(secrets.choice(_ID_LETTERS) for _ in range(8))

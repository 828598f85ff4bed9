"""Generated text to what a client sees of it: content, thoughts and tool calls.

Pure but for the ids of tool calls, which are random.
"""

import secrets
import string
from collections.abc import Sequence
from dataclasses import replace

from .engine.sequence import Piece, Thought
from .messages import Think, Tool, ToolCall
from .parser import Content, OutputParser, ThinkingSplitter, ToolRecogniser
from .parser import Part as Token
from .prompting import Prompting
from .wire import Part

_ID_LETTERS = string.ascii_lowercase + string.digits


class Reading:
    """Reads one answer piece by piece."""

    def __init__(self, parser: OutputParser, thought: Thought | None = None) -> None:
        self._parser = parser
        self.thought = thought
        """Where a thought may come before the answer, None where it is told apart by nothing."""

    @classmethod
    def plain(cls) -> "Reading":
        """All text is content."""
        return cls(OutputParser())

    @classmethod
    def of(
        cls, prompting: Prompting, prompt: str, think: Think, tools: Sequence[Tool] = ()
    ) -> "Reading":
        """The reading that fits a model's template and what the request wants told apart."""
        splitter = recogniser = thought = None
        if think and prompting.thinking_tags:
            opening, closing = prompting.thinking_tags
            inside = prompt.rstrip().endswith(opening.strip())
            splitter = ThinkingSplitter(opening, closing, inside=inside)
            thought = Thought(opening, closing, inside)
        if tools:
            recogniser = ToolRecogniser([tool.name for tool in tools], prompting.tool_tag)
        return cls(OutputParser(splitter, recogniser), thought)

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


def _append(parts: list[Part], part: Part, *, joins: bool) -> None:
    if joins:
        parts[-1] += part
    else:
        parts.append(part)


def _call_id() -> str:
    """As the original's: `call_` and eight letters or digits (TOOL-008)."""
    return "call_" + "".join(secrets.choice(_ID_LETTERS) for _ in range(8))

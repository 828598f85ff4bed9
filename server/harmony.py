"""The channels of gpt-oss: thoughts, calls of tools and the answer, told apart while they come.

Pure and incremental. `<|start|>role<|channel|>name to=tool<|message|>text<|end|>`: a message to a
tool is a call of it, one in the channel `analysis` is a thought, every other is the answer
(`ollama/ollama:harmony/harmonyparser.go`). What only looks like a call comes back as text.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from .messages import Message, ToolCall
from .parser import Content, Part, Thinking, overlap
from .tool_calls import json_object
from .tools import Tool

START, END, MESSAGE, CHANNEL = "<|start|>", "<|end|>", "<|message|>", "<|channel|>"
CONSTRAIN = "<|constrain|>"
SHOWN = (START, END, MESSAGE, CHANNEL, CONSTRAIN)
"""The control tokens that make the channels: they have to be seen."""

OPENING = f"{CHANNEL}analysis{MESSAGE}"
CLOSING = f"{END}{START}assistant{CHANNEL}final{MESSAGE}"
"""What stands around a thought, up to the answer."""

_BUILT_IN = frozenset({"browser.open", "browser.search", "browser.find", "python"})
_UNSAFE = re.compile(r"[^\w$]")


@lru_cache(maxsize=64)
def is_taught_by(template: str) -> bool:
    """Whether a template, Go's or Jinja's, renders such messages."""
    return all(sign in template for sign in (START, END, MESSAGE, CHANNEL))


@dataclass(frozen=True, slots=True)
class _Header:
    """What stands before the text of a message. `written` is the header as it came."""

    channel: str
    recipient: str
    written: str

    @classmethod
    def read(cls, written: str) -> "_Header":
        before, tag, behind = written.partition(CHANNEL)
        channel, *more = behind.replace(CONSTRAIN, f" {CONSTRAIN}").split() or [""]
        if behind[:1].isspace():
            channel, more = "", [channel, *more]
        words = [*before.split(), *more]
        to = next((word for word in words if word.startswith("to=")), "")
        return cls(channel if tag else "", to.removeprefix("to="), written)


class HarmonyParser:
    """Tells the parts of what a model says behind `prompt`; calls of other tools are text."""

    def __init__(self, prompt: str, tools: Sequence[Tool]) -> None:
        self._names = {spelled: name for name, spelled in spellings(tools).items()}
        self._held = ""
        self._header: _Header | None = None
        self._between = False
        self._is_first = True
        self._call = ""
        self._num_calls = 0
        begun = prompt.rpartition(START)
        self.feed(begun[2] if begun[1] else "assistant")

    @property
    def has_begun(self) -> bool:
        """Whether a message has begun whose text is still open."""
        return self._header is not None

    def feed(self, text: str) -> list[Part]:
        """The parts that this piece of text settles."""
        self._held += text
        parts: list[Part] = []
        while self._advance(parts):
            pass
        return parts

    def close(self) -> list[Part]:
        """What was withheld: half a header or half a call is text, a whole call is one."""
        parts: list[Part] = []
        held, self._held = self._held, ""
        if self._header is not None:
            self._tell(held, parts)
            self._ended(parts)
        else:
            left = held if self._between else held.removeprefix("assistant")
            parts += _content(left if left.strip() else "")
        return parts

    def _advance(self, parts: list[Part]) -> bool:
        """Take what can be taken; true when more may follow."""
        if self._between:
            return self._started(parts)
        if self._header is None:
            return self._addressed()
        text, tag, rest = self._held.partition(END)
        half = 0 if tag else overlap(text, END)
        self._tell(text[: len(text) - half], parts)
        self._held = rest if tag else text[len(text) - half :]
        if tag:
            self._ended(parts)
        return bool(tag)

    def _started(self, parts: list[Part]) -> bool:
        """Go on to the next message; nothing but blanks should stand before it."""
        between, tag, rest = self._held.partition(START)
        if tag:
            parts += _content(between if between.strip() else "")
            self._between, self._held = False, rest
        return bool(tag)

    def _addressed(self) -> bool:
        """Read the header; a model that begins without one gives its answer at once."""
        written, tag, rest = self._held.partition(MESSAGE)
        if self._is_first and not _may_begin_header(self._held):
            written, tag, rest = "", MESSAGE, self._held.removeprefix("assistant")
        if tag:
            self._header, self._held = _Header.read(written), rest
            self._is_first = False
        return bool(tag)

    def _tell(self, text: str, parts: list[Part]) -> None:
        """Text of the message at hand."""
        assert self._header is not None, "a message has begun"
        if self._header.recipient:
            self._call += text
        elif text and self._header.channel == "analysis":
            parts.append(Thinking(text))
        else:
            parts += _content(text)

    def _ended(self, parts: list[Part]) -> None:
        """The message is over: a call is made, or told as the text that it is."""
        assert self._header is not None, "a message has begun"
        header, text = self._header, self._call
        self._header, self._call, self._between = None, "", True
        if not header.recipient:
            return
        spelled = header.recipient.removeprefix("functions.")
        name = self._names.get(spelled, self._names.get(header.recipient))
        arguments = json_object(text) if text.strip() else {}
        if name is None or arguments is None:
            parts += _content(header.written.removeprefix("assistant") + MESSAGE + text)
            return
        parts.append(ToolCall(name, arguments, index=self._num_calls))
        self._num_calls += 1


def spellings(tools: Sequence[Tool]) -> dict[str, str]:
    """The names of tools as these models can write them: identifiers, no two the same."""
    found: dict[str, str] = {}
    for name in (tool.name for tool in tools if tool.name):
        if name in found:
            continue
        spelled = plain = name if name in _BUILT_IN else _identifier(name)
        count = 2
        while spelled in found.values():
            spelled, count = f"{plain}_{count}", count + 1
        found[name] = spelled
    return found


def respelled(
    messages: Sequence[Message], tools: Sequence[Tool]
) -> tuple[list[Message], list[Tool]]:
    """A conversation and its tools with the names that these models can write (TOOL-023)."""
    names = spellings(tools)
    return (
        [
            replace(
                message,
                tool_name=names.get(message.tool_name, message.tool_name),
                tool_calls=tuple(
                    replace(call, name=names.get(call.name, call.name))
                    for call in message.tool_calls
                ),
            )
            for message in messages
        ],
        [replace(tool, name=names.get(tool.name, tool.name)) for tool in tools],
    )


def _may_begin_header(text: str) -> bool:
    """Whether this may be the beginning of a header, the role before it or not."""
    if "assistant".startswith(text):
        return True
    begun = text.removeprefix("assistant").lstrip()
    signs = (CHANNEL, CONSTRAIN, MESSAGE, "to=")
    return any(begun.startswith(sign) or sign.startswith(begun) for sign in signs)


def _identifier(name: str) -> str:
    plain = _UNSAFE.sub("", re.sub(r"[ .-]", "_", name)) or "unnamed"
    return f"_{plain}" if plain[0].isdigit() else plain


def _content(text: str) -> list[Part]:
    return [Content(text)] if text else []

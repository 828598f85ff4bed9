"""Tool calls in a family's format, told from the text around them while it comes.

Pure and incremental, as `parser` is: pieces of any size give the same. Nothing is lost: what
stands between tags and is no call comes back as text, tags included, and so does half a call
at the end, unless only its closing tag is missing. Blanks between calls belong to the tags.
"""

from collections.abc import Callable
from dataclasses import replace

from .messages import ToolCall
from .parser import Content, Part, overlap
from .template.walk import SPACE
from .tool_formats import ToolFormat
from .tool_formats_values import is_open

MAX_CLOSINGS = 16
"""So many closing tags may stand inside one call's values; behind that it is text."""


class FormatRecogniser:
    """Tells calls of one format from text. `parse` reads what stands between the tags."""

    def __init__(self, form: ToolFormat, parse: Callable[[str], list[ToolCall] | None]) -> None:
        self._form = form
        self._parse = parse
        self._held = ""
        self._inside = False
        self._end: _TagEnd | _JsonEnd = _end_of(form)
        self._first: tuple[int, int] | None = None
        self._num_closings = 0
        self._num_calls = 0
        self._blanks = ""
        self._at_start = True

    def feed(self, text: str) -> list[Part]:
        """The parts that this piece of text settles."""
        self._held += text
        parts: list[Part] = []
        while self._called(parts) if self._inside else self._opened(parts):
            pass
        return parts

    def close(self) -> list[Part]:
        """What was withheld: text, or a call that lacks its closing tag only."""
        parts: list[Part] = []
        while self._inside:
            calls = self._parse(self._held) if self._form.ends else None
            if calls:
                self._tell_calls(calls, parts)
                self._leave(len(self._held))
                break
            self._give_back(self._first or (len(self._held), len(self._held)), parts)
            parts += self.feed("")
        self._tell(self._held, parts)
        self._held = ""
        if self._blanks and not self._num_calls:
            parts.append(Content(self._blanks))
        return parts

    def _opened(self, parts: list[Part]) -> bool:
        """Tell the text before the next call; whether one has begun."""
        before, tag, after = self._held.partition(self._form.opening)
        half = 0 if tag else overlap(before, self._form.opening)
        self._tell(before[: len(before) - half], parts)
        self._held = after if tag else before[len(before) - half :]
        self._inside = bool(tag)
        return self._inside

    def _called(self, parts: list[Part]) -> bool:
        """Tell the call that has ended, if one has."""
        found = self._end.find(self._held)
        if found is None:
            return False
        text = self._held[: found[0]]
        calls = self._parse(text)
        if calls:
            self._tell_calls(calls, parts)
            self._leave(found[1])
            return True
        self._first = self._first or found
        self._num_closings += 1
        if self._num_closings < MAX_CLOSINGS and is_open(self._form, text):
            return True  # the tag stood in a value: on to the next
        self._give_back(self._first, parts)
        return True

    def _give_back(self, found: tuple[int, int], parts: list[Part]) -> None:
        """Tell as text what was taken for a call, its tags included."""
        self._tell(self._form.opening + self._held[: found[1]], parts)
        self._leave(found[1])

    def _leave(self, end: int) -> None:
        self._held = self._held[end:]
        self._inside = False
        self._first = None
        self._num_closings = 0
        self._end = _end_of(self._form)

    def _tell(self, text: str, parts: list[Part]) -> None:
        """Text; blanks at the start or behind a call wait for what comes after them."""
        if self._at_start:
            text = self._blanks + text
            self._blanks = ""
            if not text.strip(SPACE):
                self._blanks = text
                return
            self._at_start = False
        if text:
            parts.append(Content(text))

    def _tell_calls(self, calls: list[ToolCall], parts: list[Part]) -> None:
        for call in calls:
            parts.append(replace(call, index=self._num_calls))
            self._num_calls += 1
        self._blanks = ""
        self._at_start = True


def _end_of(form: ToolFormat) -> "_TagEnd | _JsonEnd":
    return _TagEnd(form.closing) if form.closing else _JsonEnd()


class _TagEnd:
    """Finds one closing tag after the other in text that grows."""

    def __init__(self, tag: str) -> None:
        self._tag = tag
        self._place = 0

    def find(self, text: str) -> tuple[int, int] | None:
        """Where the next tag begins and where it ends."""
        at = text.find(self._tag, self._place)
        if at < 0:
            self._place = max(self._place, len(text) - len(self._tag) + 1)
            return None
        self._place = at + len(self._tag)
        return at, self._place


class _JsonEnd:
    """Finds the end of `[...]`, or of the `{...}` behind a name and `[ARGS]`, in growing text."""

    def __init__(self) -> None:
        self._place = 0
        self._depth = 0
        self._in_string = False
        self._escaped = False
        self._begun = False

    def find(self, text: str) -> tuple[int, int] | None:
        """Where the value ends, twice: nothing stands behind it."""
        if not self._begun and not self._begin(text):
            return None
        while self._place < len(text):
            self._structure(text[self._place])
            self._place += 1
            if not self._depth:
                return self._place, self._place
        return None

    def _begin(self, text: str) -> bool:
        """Find where the value begins."""
        bare = text.lstrip(SPACE)
        at = len(text) - len(bare)
        if bare[:1] not in ("[", "{"):
            header = text.find("[ARGS]")
            at = text.find("{", header) if header >= 0 else -1
        if at < 0 or at == len(text):
            return False
        self._begun, self._place = True, at
        return True

    def _structure(self, sign: str) -> None:
        if self._in_string:
            self._in_string = self._escaped or sign != '"'
            self._escaped = not self._escaped and sign == "\\"
        elif sign == '"':
            self._in_string = True
        elif sign in "[{":
            self._depth += 1
        elif sign in "]}":
            self._depth -= 1

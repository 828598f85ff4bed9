"""From token ids to text that may be shown: pure.

Bytes become characters as soon as they are whole; text that may begin a stop string waits for
the token that decides. Nothing is withheld longer than that, and what still waits when the
generation ends is delivered.
"""

from __future__ import annotations

import codecs
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .sequence import Piece, TokenLogprob

if TYPE_CHECKING:  # sampling needs numpy, text does not
    from .sampling import Scores


class StopStrings:
    """Finds the first of several strings in text that arrives in parts."""

    def __init__(self, strings: Sequence[str]) -> None:
        self._strings = tuple(one for one in strings if one)  # an empty one would stop everything
        self._held = ""

    def feed(self, text: str) -> tuple[str, bool]:
        """The text that is certainly before any stop string, and whether one was found."""
        held = self._held + text
        found = [place for one in self._strings if (place := held.find(one)) >= 0]
        if found:
            self._held = ""
            return held[: min(found)], True
        cut = len(held) - self._undecided(held)
        self._held = held[cut:]
        return held[:cut], False

    @property
    def num_held(self) -> int:
        """How many characters are withheld."""
        return len(self._held)

    def flush(self) -> str:
        """What was withheld for a stop string that never came."""
        held, self._held = self._held, ""
        return held

    def _undecided(self, held: str) -> int:
        """How many of the last characters may begin a stop string."""
        longest = 0
        for one in self._strings:
            for size in range(min(len(one) - 1, len(held)), longest, -1):
                if held.endswith(one[:size]):
                    longest = size
                    break
        return longest


class TokenText:
    """The bytes of every token of a model, and words about them.

    A control token has no bytes, unless it is among the `shown` ones: it is never seen.
    """

    def __init__(
        self, token_bytes: Sequence[bytes], shown: Mapping[int, bytes] | None = None
    ) -> None:
        self._token_bytes = token_bytes
        self._shown = shown or {}

    def showing(self, shown: Mapping[int, bytes]) -> TokenText:
        """The same, but that these control tokens have bytes: a parser looks for them."""
        return TokenText(self._token_bytes, shown) if shown else self

    def of(self, token_id: int) -> bytes:
        """The bytes of a token; empty for an id that the vocabulary does not name."""
        if token_id in self._shown:
            return self._shown[token_id]
        return self._token_bytes[token_id] if token_id < len(self._token_bytes) else b""

    def logprob(self, token_id: int, scores: Scores) -> TokenLogprob:
        """The record of a drawn token; bytes that are no text show as U+FFFD."""
        own = self.of(token_id)
        return TokenLogprob(
            token=_shown(own),
            token_bytes=own,
            logprob=scores.logprob,
            top=tuple((_shown(self.of(one)), self.of(one), value) for one, value in scores.top),
        )


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A token that is in no piece yet, with where its text begins in the text that waits."""

    token_id: int
    start: int
    logprob: TokenLogprob | None


class TextStream:
    """The text of one generation: feed it tokens, and show the pieces it gives."""

    def __init__(self, text: TokenText, stop: Sequence[str]) -> None:
        self._text = text
        self._stop = StopStrings(stop)
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._waiting: list[_Waiting] = []
        self.stopped = False

    def feed(self, token_id: int, scores: Scores | None) -> Piece | None:
        """The piece that this token completes, if it does; `stopped` tells of a stop string."""
        whole_before = scores is not None and self._decoder.getstate()[0] == b""
        token_bytes = self._text.of(token_id)
        logprob = None
        # a part of a character has no entry of its own, nor has a token that is never shown
        if scores is not None and whole_before and token_bytes and _is_text(token_bytes):
            logprob = self._text.logprob(token_id, scores)
        self._waiting.append(_Waiting(token_id, self._stop.num_held, logprob))
        text, self.stopped = self._stop.feed(self._decoder.decode(token_bytes))
        if self.stopped:
            self._cut(len(text))
        return self._piece(text)

    def flush(self) -> Piece | None:
        """What was still withheld, once no token follows; an unfinished character is dropped."""
        return self._piece(self._stop.flush())

    def _cut(self, end: int) -> None:
        """Forget the tokens of a stop string, and the part of a token that belongs to it."""
        self._waiting = [
            replace(one, logprob=one.logprob and _shortened(one.logprob, end - one.start))
            for one in self._waiting
            if one.start < end
        ]

    def _piece(self, text: str) -> Piece | None:
        if not text:
            return None
        ids = tuple([one.token_id for one in self._waiting])
        logprobs = tuple([one.logprob for one in self._waiting if one.logprob is not None])
        self._waiting.clear()
        return Piece(text, ids, logprobs)


def _shortened(logprob: TokenLogprob, num_characters: int) -> TokenLogprob:
    """The record of a token of which only the beginning is shown."""
    if num_characters >= len(logprob.token):
        return logprob
    shown = logprob.token[:num_characters]
    return replace(logprob, token=shown, token_bytes=shown.encode())


def _shown(token_bytes: bytes) -> str:
    return token_bytes.decode("utf-8", errors="replace")


def _is_text(token_bytes: bytes) -> bool:
    try:
        token_bytes.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True

"""From token ids to text that may be shown: pure.

Bytes become characters as soon as they are whole; text that may begin a stop string waits for
the token that decides. Nothing is withheld longer than that, and what still waits when the
generation ends is delivered.
"""

from __future__ import annotations

import codecs
from collections.abc import Sequence
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

    A control token has no bytes: it is never shown.
    """

    def __init__(self, token_bytes: Sequence[bytes]) -> None:
        self._token_bytes = token_bytes

    def of(self, token_id: int) -> bytes:
        """The bytes of a token; empty for an id that the vocabulary does not name."""
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


class TextStream:
    """The text of one generation: feed it tokens, and show the pieces it gives."""

    def __init__(self, text: TokenText, stop: Sequence[str]) -> None:
        self._text = text
        self._stop = StopStrings(stop)
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._ids: list[int] = []
        self._logprobs: list[TokenLogprob] = []
        self.stopped = False

    def feed(self, token_id: int, scores: Scores | None) -> Piece | None:
        """The piece that this token completes, if it does; `stopped` tells of a stop string."""
        whole_before = self._decoder.getstate()[0] == b""
        token_bytes = self._text.of(token_id)
        text, self.stopped = self._stop.feed(self._decoder.decode(token_bytes))
        self._ids.append(token_id)
        # a part of a character has no entry of its own, nor has a token that is never shown
        if scores is not None and token_bytes and whole_before and _is_text(token_bytes):
            self._logprobs.append(self._text.logprob(token_id, scores))
        return self._piece(text)

    def flush(self) -> Piece | None:
        """What was still withheld, once no token follows; an unfinished character is dropped."""
        return self._piece(self._stop.flush())

    def _piece(self, text: str) -> Piece | None:
        if not text:
            return None
        piece = Piece(text, tuple(self._ids), tuple(self._logprobs))
        self._ids.clear()
        self._logprobs.clear()
        return piece


def _shown(token_bytes: bytes) -> str:
    return token_bytes.decode("utf-8", errors="replace")


def _is_text(token_bytes: bytes) -> bool:
    try:
        token_bytes.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True

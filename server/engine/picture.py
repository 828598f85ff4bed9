"""Pictures as the engine takes them: pixels as bytes, and token ids that stand for them.

No arrays. A picture's tokens have ids of their own, far above every vocabulary, made from a hash
of its pixels: the scheduler and the prompt cache treat them as any token, equal pictures share
their KV, and different ones never do.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

from .sight import Sight

FIRST_SEEN_ID: Final = 1 << 32  # ids from here on are no token of a vocabulary
_PLACE_BITS: Final = 20
_HASH_BYTES: Final = 16


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Picture:
    """A picture in views: `rows` times `columns` tiles row by row, then the whole seen small.

    `pixels` are their bytes, `(views, size, size, 3)`.
    """

    rows: int
    columns: int
    pixels: bytes
    tokens_per_view: int
    key: int

    @classmethod
    def of(cls, rows: int, columns: int, pixels: bytes, sight: Sight) -> Picture:
        """A picture with its key."""
        num_views = rows * columns + 1
        assert len(pixels) == num_views * 3 * sight.image_size**2
        digest = hashlib.sha256(b"%d %d %d " % (rows, columns, sight.image_size) + pixels).digest()
        key = int.from_bytes(digest[:_HASH_BYTES]) | 1 << (8 * _HASH_BYTES)
        return cls(rows, columns, pixels, sight.tokens_per_view, key)

    @property
    def num_views(self) -> int:
        """Tiles and the whole."""
        return self.rows * self.columns + 1

    def ids(self, view: int) -> range:
        """The token ids of one view."""
        first = (self.key << _PLACE_BITS) + view * self.tokens_per_view
        return range(first, first + self.tokens_per_view)


def is_seen(token_id: int) -> bool:
    """Whether an id stands for a part of a picture."""
    return token_id >= FIRST_SEEN_ID


def place_of(token_id: int) -> tuple[int, int]:
    """The key of the picture that an id stands for, and which of its tokens it is."""
    return token_id >> _PLACE_BITS, token_id & ((1 << _PLACE_BITS) - 1)

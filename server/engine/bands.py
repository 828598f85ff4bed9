"""How the rows of a batch lie in memory: integers only.

Rows of nearly one length share a band, whose rows have room for equally many tokens, so that a
short sequence neither holds the memory of a long one nor attends over it. Each band has twice
the tokens of the one before.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

SHORTEST: Final = 256


def band_of(num_tokens: int) -> int:
    """The tokens a row has room for that holds so many and gets one more."""
    return max(SHORTEST, 1 << num_tokens.bit_length())


def room_for(num_rows: int) -> int:
    """The rows that a band of so many gets room for when it has too little or far too much."""
    return 1 << (num_rows - 1).bit_length()


def num_tokens_held(lengths: Iterable[int]) -> int:
    """The tokens there is room for when sequences have grown to so many each, used or not.

    On the way there it may be up to twice as many, of rows that have left their band.
    """
    rows = Counter(band_of(max(0, one - 1)) for one in lengths)
    return sum(band * room_for(num_rows) for band, num_rows in rows.items())

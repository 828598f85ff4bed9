"""The best tokens of many rows at once, found from a step's logits and their peaks.

The *peaks* of some numbers are the largest of each of their columns. The device finds those of
the logits, and those of the peaks, which is the only pass over the vocabulary. The k-th largest
of the latter is no larger than any of the k best logits, so that the host looks into no more
than the few columns whose peak reaches it.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ids = NDArray[np.intp]

DEPTH: Final = 8  # logits in a column: few, as each lies in a cache line of its own
TOP_DEPTH: Final = 16  # peaks in a column: they only have to be more than the tokens wanted
MIN_LANES: Final = 48  # columns side by side, which vector instructions see together
CROWDED: Final = 8  # times the tokens that are looked for: so many reach the bound by ties only
FEW: Final = 3  # rows that are looked at one by one as fast as together
LAST_KEY: Final = np.iinfo(np.int64).max


@lru_cache(maxsize=64)
def lanes(num_columns: int) -> int:
    """How many columns lie side by side in a block, line by line: a divisor of their number."""
    fitting = range(MIN_LANES, num_columns)
    return next((one for one in fitting if num_columns % one == 0), max(1, num_columns))


def max_count(num_tokens: int) -> int:
    """The most tokens that are found this way, of so many: not so many that few are left out."""
    return num_tokens // DEPTH // TOP_DEPTH * 2 // 3


@dataclass(frozen=True, slots=True)
class Peaks:
    """The largest logit of each column `(R, C)`, and the largest peaks of their columns."""

    of_logits: Floats
    of_peaks: Floats


@dataclass(frozen=True, slots=True)
class Shortlist:
    """Each row's best tokens, best first, among equals the smaller id first.

    `ids` and `logits` are `(R, K)`; of each row the first `sizes` count, and the rest have minus
    infinity. A row of no size is undecided: too many of its logits are equal, or no numbers.
    """

    ids: Ids
    logits: Floats
    sizes: Ids

    def of(self, places: Sequence[int]) -> Shortlist:
        """Those of some rows, which rise."""
        if len(places) == len(self.sizes):
            return self
        return Shortlist(self.ids[places], self.logits[places], self.sizes[places])


def shortlist(
    logits: Floats, peaks: Peaks, rows: Sequence[int], counts: Sequence[int]
) -> Shortlist:
    """The `counts` best of some rows of logits `(R, V)`; all arrays are contiguous."""
    at, wanted = np.array(rows), np.array(counts)
    kinds = set(counts)
    bounds = _bounds(_rows_of(peaks.of_peaks, at), wanted, kinds)
    places, ids, values = _reaching(logits, peaks, at, bounds, wanted)
    return _ordered(places, ids, values, wanted, max(kinds))


def _bounds(peaks: Floats, counts: Ids, kinds: Set[int]) -> Floats:
    """What the `counts` best of each row reach, `(R,)`; `kinds` are these counts."""
    num_peaks = peaks.shape[1]
    if len(kinds) == 1:
        place = num_peaks - next(iter(kinds))
        return np.partition(peaks, place, axis=1)[:, place]
    risen = np.partition(peaks, [num_peaks - one for one in sorted(kinds)], axis=1)
    return np.asarray(risen[np.arange(len(counts)), num_peaks - counts])


def _reaching(
    logits: Floats, peaks: Peaks, rows: Ids, bounds: Floats, counts: Ids
) -> tuple[Ids, Ids, Floats]:
    """The logits that reach their row's bound: places among the rows, which rise, and ids.

    There are none of a row where so many do that it must be for ties.
    """
    num_tokens = logits.shape[1]
    own = _rows_of(peaks.of_logits, rows)
    num_columns = own.shape[1]
    columns = np.flatnonzero(own >= bounds[:, None])
    places = columns // num_columns
    crowded = np.bincount(places, minlength=len(rows)) > CROWDED * counts
    if crowded.any():
        bounds = np.where(crowded, np.float32(np.inf), bounds)
        columns, places = columns[~crowded[places]], places[~crowded[places]]
    width = lanes(num_columns)
    columns -= places * num_columns
    first = columns // width
    first *= (DEPTH - 1) * width
    first += columns
    starts = rows * num_tokens
    first += starts.take(places)
    inside = first[:, None] + _lines(width)
    values = logits.reshape(-1).take(inside, mode="clip")
    hits = np.flatnonzero(values >= bounds.take(places)[:, None])
    places = places.take(hits // DEPTH)
    found = places, inside.take(hits) - starts.take(places), values.take(hits)
    whole = num_columns * DEPTH
    return found if whole == num_tokens else _with_rest(*found, logits[rows, whole:], whole, bounds)


def _with_rest(
    places: Ids, ids: Ids, values: Floats, rest: Floats, whole: int, bounds: Floats
) -> tuple[Ids, Ids, Floats]:
    """Also those of the logits from `whole` on, which are in no column."""
    more, more_ids = np.nonzero(rest >= bounds[:, None])
    places = np.concatenate([places, more])
    order = np.argsort(places, kind="stable")
    ids = np.concatenate([ids, whole + more_ids])
    values = np.concatenate([values, rest[more, more_ids]])
    return places[order], ids[order], values[order]


@lru_cache(maxsize=64)
def _lines(width: int) -> Ids:
    return np.arange(0, DEPTH * width, width)


def _rows_of(values: Floats, rows: Ids) -> Floats:
    """Some rows, not copied if they follow one another."""
    first, last = int(rows[0]), int(rows[-1])
    return values[first : last + 1] if last - first + 1 == len(rows) else values[rows]


def _ordered(places: Ids, ids: Ids, values: Floats, counts: Ids, most: int) -> Shortlist:
    """The best of these tokens of each row, `most` at most; the places of rows rise."""
    num_found = np.bincount(places, minlength=len(counts))
    starts = num_found.cumsum() - num_found
    keys = np.full((len(counts), int(num_found.max())), LAST_KEY)
    keys[places, np.arange(len(places)) - starts.take(places)] = in_order(values, ids)
    keys.sort(axis=1)
    keys = keys[:, :most]
    ids, logits = out_of(keys)
    sizes = np.where(num_found < counts, 0, counts)
    if int(sizes.min()) < keys.shape[1]:
        logits[np.arange(keys.shape[1]) >= sizes[:, None]] = -np.inf
    return Shortlist(ids, logits, sizes)


def sorted_lists(ids: Ids, values: Floats, counts: Sequence[int]) -> Shortlist:
    """The `counts` best of tokens `(R, K)`, best first, where no other token is better.

    A row is undecided if its last one is no better than the least of all, which others may equal.
    """
    width, most = max(counts), values.shape[1]
    if min(counts) == width <= most:
        last = values[:, width - 1]
    else:
        last = values[np.arange(len(counts)), [min(one, most) - 1 for one in counts]]
    sizes = np.where(last > values[:, -1], counts, 0)
    ids, values = ids[:, :width], values[:, :width]
    if int(sizes.min()) < width:
        values = np.where(np.arange(values.shape[1]) < sizes[:, None], values, np.float32(-np.inf))
    return Shortlist(ids, values, sizes)


def in_order(values: Floats, ids: Ids) -> NDArray[np.int64]:
    """Integers that sort as tokens do: the largest logit first, then the smaller id.

    The bits of a float sort as an integer's, but the negative ones the other way round; the two
    zeros are made one.
    """
    bits = (values + np.float32(0)).view(np.int32)
    ranks = ~(bits ^ ((bits >> 31) & 0x7FFFFFFF))
    return (ranks.astype(np.int64) << 32) | ids


def out_of(keys: NDArray[np.int64]) -> tuple[Ids, Floats]:
    """The ids and logits of such integers."""
    bits = ~(keys >> 32).astype(np.int32)
    return keys & 0xFFFFFFFF, (bits ^ ((bits >> 31) & 0x7FFFFFFF)).view(np.float32)

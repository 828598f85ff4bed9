"""The sampling chain of many rows at once: the same arithmetic as `sampling`, bit for bit.

Sums are running ones in float64, so that what pads a row to the width of others adds nothing.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .sampling import NO_TOKEN, Sampler, lowered
from .shortlist import Floats, Ids, Shortlist, in_order, out_of

FEW: Final = 8  # rows that are drawn one by one as fast as together
Numbers = NDArray[np.float64]


def draw_rows(
    listed: Shortlist, samplers: Sequence[Sampler], log_sums: Sequence[float]
) -> list[int | None]:
    """The next token of each row, from its best ones; None where these do not decide.

    `log_sums` are those of the penalised rows, where a sampler needs them.
    """
    ids, logits, sizes = listed.ids, listed.logits, listed.sizes
    if any(one.penalises for one in samplers):
        ids, logits, sizes = penalised(listed, samplers)
    few = len(samplers) <= FEW and all(one.typical_p >= 1 for one in samplers)
    drawn = _few if few else _many
    return drawn(ids, logits, sizes, samplers, log_sums)


def _few(
    ids: Ids, logits: Floats, sizes: Ids, samplers: Sequence[Sampler], log_sums: Sequence[float]
) -> list[int | None]:
    """The same as `_many`, bit for bit, with few calls of numpy: few rows cost little else."""
    shifted = logits - logits[:, :1]
    weights = np.exp(shifted).tolist()
    shifted /= np.array([[one.temperature] for one in samplers], np.float32)
    scaled = np.exp(shifted).tolist()
    drawn: list[int | None] = []
    for row, (one, size) in enumerate(zip(samplers, sizes.tolist(), strict=True)):
        count = one.top_k or size
        if not 0 < count <= size:
            drawn.append(None)
            continue
        num_likely = count
        if one.min_p < math.inf:
            least = logits[row, 0] - np.float32(one.min_p)
            num_likely = int((logits[row, :count] >= least).sum())
        rising = list(accumulate(weights[row][:count]))
        reached = rising[-1] if one.top_k else np.exp(log_sums[row] - float(logits[row, 0]))
        left = bisect_left(rising, one.top_p * reached) + 1
        if one.is_open and left > count and num_likely >= count:
            drawn.append(None)
            continue
        left = min(left, count, max(1, num_likely))
        rising = list(accumulate(scaled[row][:left]))
        place = bisect_right(rising, one.uniform() * rising[-1])
        drawn.append(int(ids[row, min(place, left - 1)]))
    return drawn


def _many(
    ids: Ids, logits: Floats, sizes: Ids, samplers: Sequence[Sampler], log_sums: Sequence[float]
) -> list[int | None]:
    """The tokens of rows, penalised, all together."""
    joined = np.frombuffer(b"".join([one.settings for one in samplers]))
    settings = joined.reshape(len(samplers), -1)
    counts = settings[:, 0].astype(np.intp)
    is_open = counts == 0
    counts[is_open] = sizes[is_open]
    counts[counts > sizes] = 0
    ids, logits = _cut(ids, logits, counts)
    sums = np.array(log_sums) if is_open.any() else None
    ids, logits, counts = _kept(ids, logits, counts, settings, sums)
    shifted = logits - logits[:, :1]
    shifted /= settings[:, 4:5].astype(np.float32)
    rising = np.exp(shifted).astype(np.float64).cumsum(axis=1)
    decided: list[int] = counts.tolist()
    uniform = [one.uniform() if left else 0.0 for one, left in zip(samplers, decided, strict=True)]
    rows, last = np.arange(len(ids)), counts - 1
    sought = np.array(uniform) * rising[rows, last]
    places = np.minimum((rising <= sought[:, None]).sum(axis=1), last)
    drawn: list[int] = ids[rows, places].tolist()
    return [one if left else None for one, left in zip(drawn, decided, strict=True)]


def _cut(ids: Ids, logits: Floats, counts: Ids) -> tuple[Ids, Floats]:
    """The best so many of each row, one at least; minus infinity for others, up to one width."""
    width = max(1, int(counts.max()))
    if width < ids.shape[1]:
        ids, logits = ids[:, :width], logits[:, :width]
    if int(counts.min()) < width:
        taken = np.arange(width) < np.maximum(counts, 1)[:, None]
        logits = np.where(taken, logits, np.float32(-np.inf))
    return ids, logits


def _kept(
    ids: Ids, logits: Floats, counts: Ids, settings: Numbers, sums: Numbers | None
) -> tuple[Ids, Floats, Ids]:
    """What typical_p, top_p and min_p leave of each row, none where its list does not decide.

    Rows whose top_k is 0 go on behind their lists; `sums` are the logarithms of all weights'.
    """
    top_k, typical_p, top_p, min_p = settings[:, :4].T
    if typical_p.min() < 1:
        ids, logits, counts = _typical(ids, logits, counts, typical_p)
    rising = np.exp(logits - logits[:, :1]).astype(np.float64).cumsum(axis=1)
    reached = rising[:, -1]
    if sums is not None:
        reached = np.where(top_k > 0, reached, np.exp(sums - logits[:, 0]))
    left = (rising < (top_p * reached)[:, None]).sum(axis=1) + 1
    beyond = left > counts
    left = np.minimum(left, counts)
    if min_p.min() < np.inf:
        likely = (logits >= logits[:, :1] - min_p.astype(np.float32)[:, None]).sum(axis=1)
        beyond &= likely >= counts
        left = np.minimum(left, np.maximum(likely, 1))
    if sums is not None:
        left = np.where(beyond & (top_k == 0), 0, left)
    return ids, logits, left


def penalised(listed: Shortlist, samplers: Sequence[Sampler]) -> tuple[Ids, Floats, Ids]:
    """The lists `(R, K)` with recent tokens lowered, in order again, and how many are in place.

    Behind those may be tokens that no list has.
    """
    ids, logits, sizes = listed.ids, listed.logits, listed.sizes
    recent = np.full((len(samplers), max(len(one.recent) for one in samplers)), NO_TOKEN, np.int32)
    for row, one in zip(recent, samplers, strict=True):
        row[: len(one.recent)] = one.recent
    # tokens first: whole rows of bytes are added, and not one row's bytes to each other
    same = recent.T[:, :, None] == ids.astype(np.int32)
    times = same.view(np.uint8).sum(axis=0, dtype=np.uint16)
    there = times.nonzero()
    if not len(there[0]):
        return ids, logits, sizes
    joined = np.frombuffer(b"".join([one.settings for one in samplers]))
    penalties = joined.reshape(len(samplers), -1)[there[0], 5:].astype(np.float32).T
    every, last = np.arange(len(ids)), sizes - 1
    least = in_order(logits[every, last], ids[every, last])
    logits = logits.copy()
    logits[there] = lowered(logits[there], times[there], penalties)
    keys = in_order(logits, ids)
    keys.sort(axis=1)
    return *out_of(keys), (keys <= least[:, None]).sum(axis=1)


def _typical(ids: Ids, logits: Floats, counts: Ids, mass: Numbers) -> tuple[Ids, Floats, Ids]:
    """What is left of each row: the nearest to the expected surprise, until they hold the mass."""
    weights = np.exp(logits - logits[:, :1]).astype(np.float64)
    weights /= weights.cumsum(axis=1)[:, -1:]
    with np.errstate(divide="ignore", invalid="ignore"):
        surprise = -np.log(weights)
        entropy = np.where(weights > 0, weights * surprise, 0).cumsum(axis=1)[:, -1:]
    nearest = np.argsort(np.abs(surprise - entropy), axis=1, kind="stable")
    rising = np.take_along_axis(weights, nearest, axis=1).cumsum(axis=1)
    enough = (rising <= mass[:, None]).sum(axis=1) + 1
    left = np.where(mass < 1, np.minimum(enough, counts), counts)
    kept = np.zeros(ids.shape, np.bool_)
    np.put_along_axis(kept, nearest, np.arange(ids.shape[1]) < left[:, None], axis=1)
    kept[mass >= 1] = True
    logits = np.where(kept, logits, np.float32(-np.inf))
    in_front = np.argsort(~kept, axis=1, kind="stable")  # those left stay best first
    logits = np.take_along_axis(logits, in_front, axis=1)
    return np.take_along_axis(ids, in_front, axis=1), logits, left

"""The sampling chain of many rows at once: the same arithmetic as `sampling`, bit for bit.

Sums are running ones in float64, so that what pads a row to the width of others adds nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .sampling import Sampler
from .shortlist import Floats, Ids

Numbers = NDArray[np.float64]


def draw_rows(ids: Ids, logits: Floats, samplers: Sequence[Sampler]) -> list[int]:
    """The next token of each row, from its best ones `(R, K)`, best first: top_k or more."""
    settings = np.frombuffer(b"".join([one.settings for one in samplers])).reshape(-1, 5)
    top_k, typical_p, top_p, min_p, temperature = settings.T
    least: list[float] = settings.min(axis=0).tolist()
    counts = top_k.astype(np.intp)
    if least[0] < ids.shape[1]:
        logits = np.where(np.arange(ids.shape[1]) < counts[:, None], logits, np.float32(-np.inf))
    if least[1] < 1:
        ids, logits, counts = _typical(ids, logits, counts, typical_p)
    best = logits[:, :1]
    shifted = logits - best
    rising = np.exp(shifted).cumsum(axis=1, dtype=np.float64)
    held = rising < (top_p * rising[:, -1])[:, None]
    counts = np.minimum(counts, held.sum(axis=1) + 1)
    if least[3] < np.inf:
        likely = logits >= best - min_p.astype(np.float32)[:, None]
        counts = np.minimum(counts, np.maximum(likely.sum(axis=1), 1))
    shifted /= temperature.astype(np.float32)[:, None]
    rising = np.exp(shifted).cumsum(axis=1, dtype=np.float64)
    rows = np.arange(len(ids))
    counts -= 1
    sought = np.array([one.uniform() for one in samplers]) * rising[rows, counts]
    places = np.minimum((rising <= sought[:, None]).sum(axis=1), counts)
    drawn: list[int] = ids[rows, places].tolist()
    return drawn


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

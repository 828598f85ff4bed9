"""From one row of logits to one token id, on the host.

The chain and its order are llama.cpp's, as Ollama leaves them: penalties, top_k, typical_p,
top_p, min_p, temperature, draw (`ggml-org/llama.cpp:src/llama-sampler.cpp`). All arithmetic is
float32 numpy on one row, with one counter-based generator a request: the same seed gives the
same tokens whatever else is in the batch.
"""

from __future__ import annotations

import math
import secrets
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .sequence import Sampling

Floats = NDArray[np.float32]
Ids = NDArray[np.intp]

DEPTH: Final = 64  # of the columns in which the largest logits are sought
SEED_MASK: Final = 0xFFFFFFFF  # llama.cpp keeps the low 32 bits; all of them set means random


@dataclass(frozen=True, slots=True)
class Scores:
    """Natural log probabilities of a drawn token and of the best ones, best first."""

    logprob: float
    top: tuple[tuple[int, float], ...]


@dataclass(frozen=True, slots=True)
class Candidates:
    """The tokens still in play, best first, with their logits (both `(C,)`)."""

    ids: Ids
    logits: Floats

    def first(self, count: int) -> Candidates:
        """The best `count` of them."""
        return Candidates(self.ids[:count], self.logits[:count])


class Sampler:
    """Draws the tokens of one request, in order."""

    def __init__(self, sampling: Sampling, prompt_ids: Sequence[int]) -> None:
        seed = sampling.seed
        if seed is None or seed & SEED_MASK == SEED_MASK:
            seed = secrets.randbits(32)
        self._sampling = sampling
        self._random = np.random.Generator(np.random.Philox(key=seed & SEED_MASK))
        self._recent = list(prompt_ids[-sampling.repeat_last_n :]) if sampling.penalises else []

    @property
    def on_device(self) -> bool:
        """Whether the largest raw logit decides, so that no logits are needed here."""
        return self._sampling.greedy and not self._sampling.penalises

    def draw(self, logits: Floats) -> int:
        """The next token id from raw logits `(V,)` float32, which are left as they are."""
        token_id = self._draw(self._penalised(logits))
        if self._sampling.penalises:
            self._recent.append(token_id)
            del self._recent[: -self._sampling.repeat_last_n]
        return token_id

    def _penalised(self, logits: Floats) -> Floats:
        if not self._recent:
            return logits
        sampling = self._sampling
        counts = Counter(self._recent)
        ids = np.fromiter(counts.keys(), np.intp, len(counts))
        times = np.fromiter(counts.values(), np.float32, len(counts))
        chosen = logits[ids]
        # the routes refuse 0 and less, as llama.cpp does; here they change nothing
        repeat = np.float32(sampling.repeat_penalty if sampling.repeat_penalty > 0 else 1)
        chosen = np.where(chosen <= 0, chosen * repeat, chosen / repeat)
        chosen -= times * np.float32(sampling.frequency_penalty)
        chosen -= np.float32(sampling.presence_penalty)
        penalised = logits.copy()
        penalised[ids] = chosen
        return penalised

    def _draw(self, logits: Floats) -> int:
        if self._sampling.greedy:
            return int(logits.argmax())
        left = candidates(logits, self._sampling)
        with np.errstate(over="ignore"):  # at a very low temperature the others become -inf
            scaled = (left.logits - left.logits.max()) / np.float32(self._sampling.temperature)
        weights = probabilities(scaled)
        rising = weights.cumsum(dtype=np.float64)
        index = int(rising.searchsorted(self._random.random() * rising[-1], side="right"))
        return int(left.ids[min(index, len(left.ids) - 1)])


def candidates(logits: Floats, sampling: Sampling) -> Candidates:
    """What top_k, typical_p, top_p and min_p leave of logits `(V,)`: never nothing."""
    left = best(logits, sampling.top_k if sampling.top_k > 0 else len(logits))
    if sampling.typical_p < 1:
        left = _typical(left, sampling.typical_p)
    if sampling.top_p < 1:
        reached = probabilities(left.logits).cumsum(dtype=np.float64) >= sampling.top_p
        left = left.first(int(reached.argmax()) + 1 if reached.any() else len(left.ids))
    if sampling.min_p > 0:
        threshold = left.logits[0] + np.float32(math.log(min(sampling.min_p, 1.0)))
        left = left.first(max(1, int((left.logits >= threshold).sum())))
    return left


def best(logits: Floats, count: int) -> Candidates:
    """The `count` largest logits, largest first; among equals the smaller id comes first."""
    if count < len(logits):
        likely = _likely(logits, count)
        smallest = np.partition(logits[likely], -count)[-count]
        ids = likely[logits[likely] >= smallest]
    else:
        ids = np.arange(len(logits))
    order = np.argsort(-logits[ids], kind="stable")[:count]
    return Candidates(ids[order], logits[ids[order]])


def _likely(logits: Floats, count: int) -> Ids:
    """Ids that the `count` largest logits are among, rising, found in one pass over them.

    In columns of `DEPTH` logits, the largest of `count` columns are `count` logits, so that the
    smallest of these is no larger than any of the best.
    """
    whole = len(logits) - len(logits) % DEPTH
    columns = logits[:whole].reshape(DEPTH, -1)
    if count >= columns.shape[1]:
        return np.arange(len(logits))
    largest = columns.max(axis=0)
    bound = np.partition(largest, -count)[-count]
    depths, places = np.nonzero(columns[:, hits := np.flatnonzero(largest >= bound)] >= bound)
    rest = whole + np.flatnonzero(logits[whole:] >= bound)
    return np.concatenate([depths * columns.shape[1] + hits[places], rest])


def _typical(left: Candidates, mass: float) -> Candidates:
    """The candidates nearest to the expected surprise that hold more than `mass` together."""
    weights = probabilities(left.logits)
    with np.errstate(divide="ignore", invalid="ignore"):
        surprise = -np.log(weights)
        entropy = np.nansum(weights * surprise)
    order = np.argsort(np.abs(surprise - entropy), kind="stable")
    reached = weights[order].cumsum(dtype=np.float64) > mass
    count = int(reached.argmax()) + 1 if reached.any() else len(order)
    kept = np.sort(order[:count])  # candidates are best first, and stay so
    return Candidates(left.ids[kept], left.logits[kept])


def probabilities(logits: Floats) -> Floats:
    """The softmax of logits `(C,)`."""
    weights = np.exp(logits - logits.max())
    return np.asarray(weights / weights.sum(), np.float32)


def scores(logits: Floats, token_id: int, num_top: int) -> Scores:
    """Log probabilities from raw logits `(V,)`: what the model said before any transform."""
    largest = logits.max()
    offset = largest + np.log(np.exp(logits - largest).sum(dtype=np.float64))
    top = best(logits, num_top) if num_top > 0 else Candidates(np.empty(0, np.intp), logits[:0])
    return Scores(
        logprob=min(0.0, float(logits[token_id] - offset)),
        top=tuple(
            (int(one), min(0.0, float(logit - offset)))
            for one, logit in zip(top.ids, top.logits, strict=True)
        ),
    )

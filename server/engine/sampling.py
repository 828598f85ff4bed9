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
from .shortlist import Floats, Ids, in_order, out_of

DEPTH: Final = 64  # of the columns in which one row's largest logits are sought
FEW: Final = 512  # tokens that are sorted where they are, for which keys take longer
MIN_TEMPERATURE: Final = 1e-20  # below it nothing is left to sharpen, and float32 overflows
AHEAD: Final = 32  # numbers drawn at once, which costs little more than one
SEED_MASK: Final = 0xFFFFFFFF  # llama.cpp keeps the low 32 bits; all of them set means random


@dataclass(frozen=True, slots=True)
class Scores:
    """Natural log probabilities of a drawn token and of the best ones, best first."""

    logprob: float
    top: tuple[tuple[int, float], ...]


@dataclass(frozen=True, slots=True)
class Candidates:
    """The tokens still in play with their logits (both `(C,)`): best first, or all by id."""

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
        self._numbers: list[float] = []  # drawn ahead, the next one last
        self._recent = list(prompt_ids[-sampling.repeat_last_n :]) if sampling.penalises else []
        min_p = -math.log(min(sampling.min_p, 1.0)) if sampling.min_p > 0 else math.inf
        # How many of the best raw logits decide, so that no other is needed; 0: any may.
        alone = sampling.greedy or sampling.penalises
        self.num_listed = 0 if alone else max(0, sampling.top_k)
        self.on_device = sampling.greedy and not sampling.penalises
        # What `chain` reads: these numbers as bytes, which are joined faster than numbers.
        temperature = max(sampling.temperature, MIN_TEMPERATURE)
        top_p = sampling.top_p if sampling.top_p < 1 else math.inf
        settings = (sampling.top_k, sampling.typical_p, top_p, min_p, temperature)
        self._temperature = np.float32(temperature)
        self.settings = np.array(settings, np.float64).tobytes()

    def draw(self, logits: Floats) -> int:
        """The next token id from raw logits `(V,)` float32, which are left as they are."""
        token_id = self._draw(self._penalised(logits))
        if self._sampling.penalises:
            self._recent.append(token_id)
            del self._recent[: -self._sampling.repeat_last_n]
        return token_id

    def uniform(self) -> float:
        """The number from 0 to 1 that decides the next token."""
        if not self._numbers:
            self._numbers = self._random.random(AHEAD).tolist()
            self._numbers.reverse()
        return self._numbers.pop()

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
        scaled = (left.logits - left.logits.max()) / self._temperature
        rising = np.exp(scaled).cumsum(dtype=np.float64)
        index = int(rising.searchsorted(self.uniform() * rising[-1], side="right"))
        return int(left.ids[min(index, len(left.ids) - 1)])


def candidates(logits: Floats, sampling: Sampling) -> Candidates:
    """What top_k, typical_p, top_p and min_p leave of logits `(V,)`: never nothing."""
    if sampling.top_k <= 0 and sampling.typical_p >= 1:
        left = _without_top_k(logits, sampling.top_p, sampling.min_p)
    else:
        left = best(logits, sampling.top_k if sampling.top_k > 0 else len(logits))
        if sampling.typical_p < 1:
            left = _typical(left, sampling.typical_p)
        if sampling.top_p < 1:
            rising = _rising(left.logits)
            left = _holding(left, rising, sampling.top_p * rising[-1])
    if sampling.min_p > 0:
        threshold = left.logits[0] + np.float32(math.log(min(sampling.min_p, 1.0)))
        left = left.first(max(1, int((left.logits >= threshold).sum())))
    return left


def _without_top_k(logits: Floats, top_p: float, min_p: float) -> Candidates:
    """What top_p leaves of all logits, and more than min_p does: the rest is never sorted."""
    largest = logits.max()
    if top_p < 1:
        wanted = top_p * np.exp(logits - largest).sum(dtype=np.float64)
        for count in (256, 2048, 16384, len(logits)):
            left = best(logits, count)
            rising = _rising(left.logits)
            if rising[-1] >= wanted:
                break
        return _holding(left, rising, wanted)
    if min_p > 0:
        threshold = largest + np.float32(math.log(min(min_p, 1.0)))
        return best(logits, int((logits >= threshold).sum()))
    return Candidates(np.arange(len(logits)), logits)


def _rising(logits: Floats) -> NDArray[np.float64]:
    """The running sums of the weights of logits, best first."""
    weights: Floats = np.exp(logits - logits[0])
    return weights.cumsum(dtype=np.float64)


def _holding(left: Candidates, rising: NDArray[np.float64], wanted: float) -> Candidates:
    """The first candidates that weigh as much together, all if none do."""
    return left.first(int(rising.searchsorted(wanted)) + 1)


def best(logits: Floats, count: int) -> Candidates:
    """The `count` largest logits, largest first; among equals the smaller id comes first."""
    ids = _likely(logits, count)
    values = logits[ids]
    if len(ids) > FEW:
        return Candidates(*out_of(np.sort(in_order(values, ids))[:count]))
    order = np.argsort(-values, kind="stable")[:count]
    return Candidates(ids[order], values[order])


def _likely(logits: Floats, count: int) -> Ids:
    """Ids that the `count` largest logits are among, rising, found in one pass over them.

    In columns of `DEPTH` logits, the largest of `count` columns are `count` logits, so that the
    smallest of these is no larger than any of the best.
    """
    whole = len(logits) - len(logits) % DEPTH
    columns = logits[:whole].reshape(DEPTH, -1)
    if count >= len(logits):
        return np.arange(len(logits))
    if not 0 < count < columns.shape[1]:
        return np.flatnonzero(logits >= np.partition(logits, -max(1, count))[-max(1, count)])
    largest = columns.max(axis=0)
    bound = np.partition(largest, -count)[-count]
    depths, places = np.nonzero(columns[:, hits := np.flatnonzero(largest >= bound)] >= bound)
    rest = whole + np.flatnonzero(logits[whole:] >= bound)
    return np.concatenate([depths * columns.shape[1] + hits[places], rest])


def _typical(left: Candidates, mass: float) -> Candidates:
    """The candidates nearest to the expected surprise that hold more than `mass` together."""
    weights = np.exp(left.logits - left.logits[0]).astype(np.float64)
    weights /= weights.cumsum()[-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        surprise = -np.log(weights)
        entropy = np.where(weights > 0, weights * surprise, 0).cumsum()[-1]
    order = np.argsort(np.abs(surprise - entropy), kind="stable")
    reached = weights[order].cumsum() > mass
    count = int(reached.argmax()) + 1 if reached.any() else len(order)
    kept = np.sort(order[:count])  # candidates are best first, and stay so
    return Candidates(left.ids[kept], left.logits[kept])


def scores(logits: Floats, token_id: int, num_top: int) -> Scores:
    """Log probabilities from raw logits `(V,)`: what the model said before any transform."""
    (norm,) = log_sums(logits[None], [0])
    return scores_from(norm, float(logits[token_id]), best(logits, num_top))


def scores_from(norm: float, logit: float, top: Candidates) -> Scores:
    """The same, from the logarithm of the sum of all exponentials."""
    above = zip(top.ids.tolist(), top.logits.tolist(), strict=True)
    return Scores(
        logprob=min(0.0, logit - norm),
        top=tuple((one, min(0.0, value - norm)) for one, value in above),
    )


def log_sums(logits: Floats, rows: Sequence[int]) -> list[float]:
    """The logarithms of the sums of the exponentials of some rows of logits `(R, V)`."""
    weights = np.empty(logits.shape[1], np.float32)
    norms = []
    for row in rows:
        largest = logits[row].max()
        np.exp(np.subtract(logits[row], largest, out=weights), out=weights)
        norms.append(float(largest) + math.log(weights.sum()))
    return norms

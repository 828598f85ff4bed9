"""From one row of logits to one token id, on the host.

The chain and its order are llama.cpp's, as Ollama leaves them: penalties, top_k, typical_p,
top_p, min_p, temperature, draw (`ggml-org/llama.cpp:src/llama-sampler.cpp`). All arithmetic is
float32 numpy on one row, with one counter-based generator a request: the same seed gives the
same tokens whatever else is in the batch.
"""

from __future__ import annotations

import math
import secrets
import threading
from collections.abc import Iterable, Sequence
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
BELOW_BEST: Final = (4.0, 5.0, 6.0, 7.0, 8.0, 10.0)  # how far down tokens are sorted
MAX_SPARE: Final = 24  # of the best tokens, looked at beyond those wanted as penalties lower some
DEVICE_LIST: Final = 255  # of the best tokens of any vocabulary that a GPU lists, fetching 256
# Of the best tokens, looked at where any may be drawn; with the spare ones they are as many. They
# hold nine tenths of the weight in 9 rows of 10 where the median needs 114.
OPEN_LIST: Final = 231
LANES: Final = 256  # numbers that are added side by side, by vectors
NO_TOKEN: Final = -1
MAX_RECENT: Final = 1 << 18  # of the last tokens, however many a request wants to be looked at
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
    """Draws the tokens of one request, in order.

    The best `num_listed` of the raw logits decide, as a rule; all of them where that is 0. With
    `is_open` any token may be drawn; then the sum of all weights may say whether they do.
    """

    def __init__(self, sampling: Sampling, prompt_ids: Sequence[int]) -> None:
        seed = sampling.seed
        if seed is None or seed & SEED_MASK == SEED_MASK:
            seed = secrets.randbits(32)
        self._sampling = sampling
        self._random = np.random.Generator(np.random.Philox(key=seed & SEED_MASK))
        self._numbers: list[float] = []  # drawn ahead, the next token's first
        self.penalises = sampling.penalises
        num_recent = min(sampling.repeat_last_n, MAX_RECENT) if self.penalises else 0
        recent = prompt_ids[-num_recent:] if num_recent else ()
        self.recent = np.full(num_recent, NO_TOKEN, np.int32)  # a ring
        self.recent[: len(recent)] = recent
        self._place = len(recent)
        self.greedy = sampling.greedy
        self.by_largest = sampling.greedy and not self.penalises
        top_k = 1 if sampling.greedy else max(0, sampling.top_k)
        min_p = -math.log(min(sampling.min_p, 1.0)) if sampling.min_p > 0 else math.inf
        top_p = sampling.top_p if sampling.top_p < 1 else math.inf
        self.is_open = not top_k and sampling.typical_p >= 1 and min(top_p, min_p) < math.inf
        self.needs_sum = self.is_open and top_p < 1
        few = OPEN_LIST if self.is_open else top_k
        listable = few > 0 and _only_lowers(sampling) and not self.by_largest
        bounded = 0 < top_k <= DEVICE_LIST and sampling.typical_p >= 1
        self.by_few = bounded and not self.greedy and not self.penalises
        self.num_listed = few + min(num_recent, MAX_SPARE) if listable else 0
        # What `chain` reads; of many rows these numbers as bytes, which are joined faster.
        self.top_k, self.typical_p, self.top_p, self.min_p = top_k, sampling.typical_p, top_p, min_p
        self.temperature = max(sampling.temperature, MIN_TEMPERATURE)
        settings = (top_k, self.typical_p, top_p, min_p, self.temperature)
        self.settings = np.array((*settings, *_penalties(sampling)), np.float64).tobytes()

    def draw(self, logits: Floats, log_sum: float | None = None) -> int:
        """The next token id from raw logits `(V,)` float32, which are left as they are.

        `log_sum` is the logarithm of the sum of their exponentials, penalised, if it is known.
        """
        token_id = self._draw(self.penalised(logits), log_sum)
        self.accept(token_id)
        return token_id

    def accept(self, token_id: int) -> None:
        """Go on behind this token, and penalise it from now on, too."""
        del self._numbers[:1]
        if self.penalises:
            self.recent[self._place % len(self.recent)] = token_id
            self._place += 1

    def uniform(self, num_in_flight: int = 0) -> float:
        """The number from 0 to 1 that decides the next token, or the one so many behind it."""
        if len(self._numbers) <= num_in_flight:
            self._numbers += self._random.random(AHEAD).tolist()
        return self._numbers[num_in_flight]

    def penalised(self, logits: Floats) -> Floats:
        """Logits `(V,)` with those of recent tokens changed; the same array if there are none."""
        ids, times = np.unique(self.recent, return_counts=True)
        if len(ids) and ids[0] == NO_TOKEN:
            ids, times = ids[1:], times[1:]
        if not len(ids):
            return logits
        penalties = np.array(_penalties(self._sampling), np.float32)
        penalised = logits.copy()
        penalised[ids] = lowered(logits[ids], times, penalties)
        return penalised

    def _draw(self, logits: Floats, log_sum: float | None) -> int:
        if self._sampling.greedy:
            return int(logits.argmax())
        return self.one_of(candidates(logits, self._sampling, log_sum))

    def one_of(self, left: Candidates) -> int:
        """One of the tokens that are left, by its weight at this temperature."""
        scaled = (left.logits - left.logits.max()) / np.float32(self.temperature)
        rising = np.exp(scaled).astype(np.float64).cumsum()
        index = int(rising.searchsorted(self.uniform() * rising[-1], side="right"))
        return int(left.ids[min(index, len(left.ids) - 1)])


def lowered(logits: Floats, times: Ids, penalties: Floats) -> Floats:
    """Logits `(N,)` of recent tokens, which came so many times, penalised.

    `penalties` are `(3,)` or `(3, N)`: for repetition, frequency and presence.
    """
    repeat, frequency, presence = penalties
    changed: Floats = np.where(logits <= 0, logits * repeat, logits / repeat)
    changed -= times.astype(np.float32) * frequency
    changed -= presence
    return changed


def _penalties(sampling: Sampling) -> tuple[float, float, float]:
    """For repetition, frequency and presence.

    The routes refuse to repeat by 0 and less, as llama.cpp does; here that changes nothing.
    """
    repeat = sampling.repeat_penalty if sampling.repeat_penalty > 0 else 1.0
    return repeat, sampling.frequency_penalty, sampling.presence_penalty


def _only_lowers(sampling: Sampling) -> bool:
    """Whether penalties never make a token likelier, so that none comes in from below."""
    repeat, frequency, presence = _penalties(sampling)
    return not sampling.penalises or (repeat >= 1 and min(frequency, presence) >= 0)


def candidates(logits: Floats, sampling: Sampling, log_sum: float | None = None) -> Candidates:
    """What top_k, typical_p, top_p and min_p leave of logits `(V,)`: never nothing."""
    if sampling.top_k > 0:
        return narrowed(best(logits, sampling.top_k), sampling)
    if sampling.typical_p < 1:
        return narrowed(best(logits, len(logits)), sampling)
    if sampling.top_p >= 1 and sampling.min_p <= 0:
        return Candidates(np.arange(len(logits)), logits)
    if sampling.top_p < 1 and log_sum is None:
        (log_sum,) = log_sums([logits])
    return _without_top_k(logits, sampling, log_sum or 0.0)


def _without_top_k(logits: Floats, sampling: Sampling, log_sum: float) -> Candidates:
    """What top_p and min_p leave of all tokens, of which few are sorted."""
    largest = logits.max()
    wanted = sampling.top_p * math.exp(log_sum - float(largest))
    sharp = -math.log(min(sampling.min_p, 1.0)) if sampling.min_p > 0 else math.inf
    ids = np.flatnonzero(logits >= largest - np.float32(BELOW_BEST[-1]))
    values = logits[ids]
    weights = np.exp(values - largest)
    for below in BELOW_BEST:
        near = values >= largest - np.float32(below)
        enough = below > sharp or weights[near].sum(dtype=np.float64) >= wanted
        left = in_list(_sorted(logits, ids[near]), sampling, log_sum) if enough else None
        if left is not None:
            return left
    everything = _sorted(logits, np.arange(len(logits)))
    return in_list(everything, sampling, log_sum) or everything  # the sum was rounded up


def in_list(best: Candidates, sampling: Sampling, log_sum: float) -> Candidates | None:
    """What top_p and min_p leave of all tokens, if that is among the best ones."""
    num_listed = len(best.ids)
    count = num_listed + 1
    if sampling.top_p < 1:
        wanted = sampling.top_p * np.exp(log_sum - best.logits[0].astype(np.float64))
        count = int(_rising(best.logits).searchsorted(wanted)) + 1
    if sampling.min_p > 0:
        num_likely = _num_likely(best.logits, sampling.min_p)
        if num_likely < num_listed:
            count = min(count, max(1, num_likely))
    return None if count > num_listed else best.first(count)


def narrowed(left: Candidates, sampling: Sampling) -> Candidates:
    """What typical_p, top_p and min_p leave of the best tokens."""
    if sampling.typical_p < 1:
        left = _typical(left, sampling.typical_p)
    count = len(left.ids)
    if sampling.top_p < 1:
        rising = _rising(left.logits)
        count = min(count, int(rising.searchsorted(sampling.top_p * rising[-1])) + 1)
    if sampling.min_p > 0:
        count = min(count, max(1, _num_likely(left.logits, sampling.min_p)))
    return left.first(count)


def _num_likely(logits: Floats, min_p: float) -> int:
    """How many of the best reach this share of the best one."""
    return int((logits >= logits[0] - np.float32(-math.log(min(min_p, 1.0)))).sum())


def _rising(logits: Floats) -> NDArray[np.float64]:
    """The running sums of the weights of logits, best first."""
    weights: Floats = np.exp(logits - logits[0])
    return weights.astype(np.float64).cumsum()


def best(logits: Floats, count: int) -> Candidates:
    """The `count` largest logits, largest first; among equals the smaller id comes first."""
    return _sorted(logits, _likely(logits, count)).first(count)


def _sorted(logits: Floats, ids: Ids) -> Candidates:
    """These tokens, of rising ids, in order."""
    values = logits[ids]
    if len(ids) > FEW:
        return Candidates(*out_of(np.sort(in_order(values, ids))))
    order = np.argsort(-values, kind="stable")
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
    (log_sum,) = log_sums([logits])
    top = best(logits, num_top)
    return scores_from(log_sum, float(logits[token_id]), top.ids.tolist(), top.logits.tolist())


def scores_from(
    log_sum: float, logit: float, ids: Sequence[int], logits: Sequence[float]
) -> Scores:
    """The same, from the logarithm of the sum of all exponentials, and the best tokens."""
    above = [min(0.0, one - log_sum) for one in logits]
    return Scores(min(0.0, logit - log_sum), tuple(zip(ids, above, strict=True)))


def log_sums(rows: Iterable[Floats]) -> list[float]:
    """The logarithms of the sums of the exponentials of rows of logits `(V,)`."""
    found = []
    for row in rows:
        weights = _scratch.of(len(row))
        largest = row.max()
        np.exp(np.subtract(row, largest, out=weights), out=weights)
        whole = len(row) - len(row) % LANES
        total = weights[:whole].reshape(-1, LANES).sum(axis=0).sum() + weights[whole:].sum()
        found.append(float(largest) + math.log(total))
    return found


class _Scratch(threading.local):
    """Room for the numbers of one row, of each thread, which stays in the processor's cache."""

    weights: Floats = np.empty(0, np.float32)

    def of(self, size: int) -> Floats:
        """As much as is wanted, with anything in it."""
        if len(self.weights) != size:
            self.weights = np.empty(size, np.float32)
        return self.weights


_scratch: Final = _Scratch()

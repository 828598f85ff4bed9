"""What a step's graph makes of its logits, so that the host has little left to do.

Engine thread only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import mlx.core as mx
import numpy as np

from .device_lists import DeviceLogits, drawn_ids, most_fetched, most_likely
from .drawing import Draw, Drawn, Outcome, draw_all
from .sampling import log_sums
from .shortlist import (
    DEPTH,
    FEW,
    TOP_DEPTH,
    Floats,
    Peaks,
    Shortlist,
    lanes,
    max_count,
    shortlist,
)

BELOW_ONE: Final = np.float32(1 - 2**-24)  # the largest number: a share of it is not all
MIN_BLOCKS: Final = 16  # of logits, for which looking for the best one's block pays


@dataclass(frozen=True, slots=True)
class Offer:
    """The tokens that the device draws, and whatever else the rows are drawn from, there."""

    tokens: mx.array  # `(R,)`, of the rows that the device draws; made only if there are any
    logits: mx.array | None  # `(R, V)`; float32 and contiguous without a GPU
    peaks: tuple[mx.array, mx.array] | None = None  # as `Peaks`, without a GPU
    fetched: tuple[mx.array, mx.array] | None = None  # ids and logits `(R, K)`, on a GPU
    log_sums: mx.array | None = None  # `(R,)`, on a GPU
    takes_tokens: bool = True
    uniforms: mx.array | None = None  # `(R,)` float32, by which a GPU draws; written at the start
    on_gpu: bool = False

    @property
    def arrays(self) -> list[mx.array]:
        """What has to be evaluated before a token is drawn."""
        made = (
            self.tokens if self.takes_tokens else None,
            self.logits,
            *(self.peaks or ()),
            *(self.fetched or ()),
            self.log_sums,
        )
        return [one for one in made if one is not None]

    def start(self, draws: Sequence[Draw], num_in_flight: int) -> None:
        """Write the numbers by which these rows are drawn, as the step that reads them begins;
        so many tokens of each row are drawn before and not known yet."""
        if self.uniforms is not None:
            view = np.array(self.uniforms, copy=False)  # the buffer itself
            view[:] = [one.sampler.uniform(num_in_flight) for one in draws]
            np.minimum(view, BELOW_ONE, out=view)

    def draw(self, draws: Sequence[Draw]) -> list[Drawn]:
        """The tokens, by row."""
        return draw_all(self.read(draws), draws)

    def read(self, draws: Sequence[Draw]) -> Outcome:
        """What was made, where the host can get at it, once it is there.

        From a GPU it takes a few numbers a row. Without one all logits lie there already, and
        numpy adds their exponentials ten times as fast as MLX.
        """
        token_ids: Any = self.tokens.tolist() if self.takes_tokens else []
        if self.logits is None:
            return Outcome(token_ids)
        scored = [row for row, draw in enumerate(draws) if draw.num_top is not None]
        summed = [row for row, draw in enumerate(draws) if draw.needs_sum]
        if self.on_gpu:
            sums: Any = [] if self.log_sums is None else self.log_sums.tolist()
            alike = [row for row in summed if not draws[row].sampler.penalises]
            known = DeviceLogits(self.logits, self.fetched)
            return Outcome(token_ids, known, _by_row(scored, sums), _by_row(alike, sums))
        peaks = None if self.peaks is None else Peaks(*(np.asarray(one) for one in self.peaks))
        logits = np.asarray(self.logits)
        changed = (draws[row].sampler.penalised(logits[row]) for row in summed)
        return Outcome(
            token_ids,
            HostLogits(logits, peaks),
            dict(zip(scored, log_sums(logits[row] for row in scored), strict=True)),
            dict(zip(summed, log_sums(changed), strict=True)),
        )


def _by_row(rows: Sequence[int], values: Sequence[float]) -> dict[int, float]:
    return {row: values[row] for row in rows}


@dataclass(frozen=True, slots=True)
class HostLogits:
    """A step's logits `(R, V)` where the host can read them, with peaks if it lists many rows."""

    logits: Floats
    peaks: Peaks | None

    @property
    def most(self) -> int:
        """How many of a row's best can be had."""
        return max_count(self.logits.shape[1])

    @property
    def listed(self) -> bool:
        """Whether they have peaks."""
        return self.peaks is not None

    def row(self, row: int) -> Floats:
        """Those of one row, which stay as they are."""
        own: Floats = self.logits[row]
        return own

    def best(self, rows: Sequence[int], counts: Sequence[int]) -> Shortlist:
        """So many of the largest of each of these rows."""
        assert self.peaks is not None
        return shortlist(self.logits, self.peaks, rows, counts)


def offered(logits: mx.array, draws: Sequence[Draw], on_gpu: bool) -> Offer:
    """What logits `(R, V)` of any type offer to these draws, of the same rows."""
    if on_gpu:
        return _offered_by_gpu(logits, draws)
    if not any(one.needs_logits for one in draws):
        return Offer(best_ids(logits), None)
    takes_tokens = any(one.on_device for one in draws)
    most = max_count(logits.shape[1])
    num_listed = sum(one.num_listed(most) > 0 for one in draws)
    logits = mx.contiguous(logits.astype(mx.float32))
    if num_listed <= FEW:
        return Offer(best_ids(logits), logits, takes_tokens=takes_tokens)
    of_logits = largest(logits, DEPTH)
    peaks = of_logits, largest(of_logits, TOP_DEPTH)
    return Offer(best_ids(logits, of_logits), logits, peaks, takes_tokens=takes_tokens)


def _offered_by_gpu(logits: mx.array, draws: Sequence[Draw]) -> Offer:
    """The host looks at the few numbers that it cannot do without."""
    takes_tokens = any(one.on_device for one in draws)
    uniforms = None
    if any(one.is_sampled_there for one in draws):
        uniforms = mx.array(np.zeros(len(draws), np.float32))
    tokens = drawn_ids(logits, draws, uniforms)
    if not any(one.needs_logits for one in draws):
        return Offer(tokens, None, uniforms=uniforms)
    most = most_fetched(logits.shape[1])
    listed = [count for one in draws if (count := one.num_listed(most))]
    fetched = most_likely(logits, max(listed)) if listed else None
    sums = any(one.num_top is not None or one.needs_sum for one in draws)
    log_sums = mx.logsumexp(logits.astype(mx.float32), axis=-1) if sums else None
    return Offer(tokens, logits, None, fetched, log_sums, takes_tokens, uniforms, on_gpu=True)


def best_ids(logits: mx.array, peaks: mx.array | None = None) -> mx.array:
    """The ids of the largest of logits `(R, V)`, the smaller among equals, as `mx.argmax`.

    On a CPU that looks at one number after the other; this finds the block first, by vectors.
    `peaks` are the logits' own, if they are known.
    """
    num_rows, num_tokens = logits.shape
    width = lanes(num_tokens // DEPTH)
    num_blocks, rest = divmod(num_tokens, DEPTH * width)
    if rest or num_blocks < MIN_BLOCKS:
        return mx.argmax(logits, axis=-1)
    columns = (largest(logits, DEPTH) if peaks is None else peaks).reshape(num_rows, -1, width)
    block = mx.argmax(mx.max(columns, axis=2), axis=1)
    blocks = logits.reshape(num_rows * num_blocks, DEPTH * width)
    own = blocks[mx.arange(num_rows) * num_blocks + block]
    return block * (DEPTH * width) + mx.argmax(own, axis=1)


def largest(numbers: mx.array, depth: int) -> mx.array:
    """The largest of each column `(R, N / depth)` of numbers `(R, N)`."""
    num_columns = numbers.shape[1] // depth
    whole = numbers[:, : num_columns * depth]
    blocks = whole.reshape(len(numbers), -1, depth, lanes(num_columns))
    return mx.contiguous(mx.max(blocks, axis=2).reshape(len(numbers), num_columns))

"""What a step costs without the model: planning, sampling, text and events."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from typing import Final

import numpy as np

from ..engine.sampling import Sampler
from ..engine.scheduler import Budget, Limits, Scheduler, Sequence
from ..engine.sequence import Sampling
from ..engine.text import TextStream, TokenText

ROWS: Final = (1, 16, 64, 128, 256)
STEPS: Final = 40
NUM_TOKENS: Final = 49152


@dataclass(frozen=True, slots=True)
class Overhead:
    """Microseconds a step at so many rows, medians: greedy ones, and ones with top_k."""

    num_rows: int
    greedy_us: float
    sampled_us: float


def overheads() -> list[Overhead]:
    """One line for each number of rows."""
    return [Overhead(rows, _step_us(rows, False), _step_us(rows, True)) for rows in ROWS]


def _step_us(num_rows: int, sampled: bool) -> float:
    budget = Budget(beside_decode=64, alone=256)
    scheduler = Scheduler(num_rows, budget, frozenset({0}))
    limits = Limits(max_output=STEPS + 1, window=4096, keep=0, shift=False)
    for number in range(num_rows):
        scheduler.submit(Sequence(number, [1 + number], limits))
    token_text = TokenText([b" word"] * NUM_TOKENS)
    streams = [TextStream(token_text, ("\n\n",)) for _ in range(num_rows)]
    samplers = [Sampler(Sampling(seed=number), ()) for number in range(num_rows)]
    logits = np.random.default_rng(0).standard_normal(NUM_TOKENS, dtype=np.float32)
    times_s = []
    for _ in range(STEPS):
        started_s = time.perf_counter()
        plan = scheduler.plan()
        drawn = [samplers[one.slot].draw(logits) if sampled else 1 for one in plan.decode]
        for token in scheduler.commit(plan, drawn):
            streams[token.sequence_id].feed(token.token_id, None)
        times_s.append(time.perf_counter() - started_s)
    return 1e6 * statistics.median(times_s)

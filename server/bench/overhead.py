"""What a step costs without the model: planning, drawing, text and events.

The logits are new in every step, as a model's are, so that none of them wait in a cache. What goes
over all of them in every step (the largest ones, the peaks, the sums of exponentials) is measured
apart. A GPU does that by itself, and lists the best tokens in order; each kind of request is
measured as it is beside one, too. There the graph of a GPU runs on the CPU, which is slow at it:
only the host's part means something then. All times are a CPU's, which others on the machine
disturb less than a clock's.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Final

import mlx.core as mx
import numpy as np

from ..engine.drawing import Draw, draw_all
from ..engine.offer import offered
from ..engine.sampling import Sampler
from ..engine.scheduler import Budget, Limits, Scheduler, Sequence
from ..engine.sequence import Sampling
from ..engine.text import TextStream, TokenText

ROWS: Final = (1, 2, 4, 16, 64, 128, 256)
STEPS: Final = 24
NUM_TOKENS: Final = 49152
FLAT: Final = 3.0  # standard deviation of the logits: 2,200 tokens make up nine tenths
USUAL: Final = 4.5  # 80 tokens do; in a text that SmolLM2-135M reads the median is 112


@dataclass(frozen=True, slots=True)
class Overhead:
    """Least microseconds a step at so many rows: on the host, and reading the logits."""

    num_rows: int
    host_us: float
    device_us: float


@dataclass(frozen=True, slots=True)
class Kind:
    """Requests of one kind, drawn as beside a GPU or without; `num_top` log probabilities."""

    name: str
    sampling: Sampling
    num_top: int | None = None
    spread: float = FLAT
    on_gpu: bool = False


REQUESTS: Final = (
    Kind("greedy", Sampling(temperature=0)),
    Kind("temperature 0.8, top_k 40, top_p 0.9", Sampling(seed=1)),
    Kind("the same, repeat_penalty 1.1", Sampling(seed=1, repeat_penalty=1.1)),
    Kind("top_k 0, top_p 0.9", Sampling(seed=1, top_k=0), spread=USUAL),
    Kind("the same, 2,200 likely tokens", Sampling(seed=1, top_k=0)),
    Kind("greedy, 5 log probabilities", Sampling(temperature=0), 5),
)
KINDS: Final = tuple(
    replace(one, name=f"{one.name}; {where}", on_gpu=on_gpu)
    for where, on_gpu in (("no GPU", False), ("listed as by a GPU", True))
    for one in REQUESTS
)


def overheads(kind: Kind) -> list[Overhead]:
    """One for each number of rows."""
    return [_overhead(rows, kind) for rows in ROWS]


def _overhead(num_rows: int, kind: Kind) -> Overhead:
    scheduler = Scheduler(num_rows, Budget(beside_decode=64, alone=256), frozenset({0}))
    limits = Limits(max_output=STEPS + 1, window=4096, keep=0, shift=False)
    for number in range(num_rows):
        scheduler.submit(Sequence(number, [1 + number], limits))
    token_text = TokenText([b" word"] * NUM_TOKENS)
    streams = [TextStream(token_text, ("\n\n",)) for _ in range(num_rows)]
    samplers = [Sampler(kind.sampling, range(64)) for _ in range(num_rows)]
    draws = [Draw(one, kind.num_top, on_gpu=kind.on_gpu) for one in samplers]
    shape = (num_rows, NUM_TOKENS)
    random = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
    some = mx.array(random) * kind.spread
    host_s, device_s = [], []
    for number in range(STEPS):
        logits = some * (1 + number / 1000)
        mx.eval(logits)
        started_s = time.thread_time()
        plan = scheduler.plan()
        host_s.append(time.thread_time() - started_s)
        started_s = time.thread_time()
        by_row = [draws[one.slot] for one in plan.decode]
        offer = offered(logits, by_row, on_gpu=kind.on_gpu)
        offer.start(by_row, 0)
        host_s[-1] += time.thread_time() - started_s
        started_s = time.process_time()  # MLX's thread included
        mx.eval(offer.arrays)
        if not kind.on_gpu:
            outcome = offer.read(by_row)
        device_s.append(time.process_time() - started_s)
        started_s = time.thread_time()
        if kind.on_gpu:  # which has made the sums: a few numbers a row are fetched
            outcome = offer.read(by_row)
        slots = (one.slot for one in plan.decode)
        drawn = dict(zip(slots, draw_all(outcome, by_row), strict=True))
        tokens = scheduler.commit({slot: one.token_id for slot, one in drawn.items()})
        for token in tokens:
            streams[token.sequence_id].feed(token.token_id, drawn[token.slot].scores)
        host_s[-1] += time.thread_time() - started_s
    return Overhead(num_rows, 1e6 * min(host_s), 1e6 * min(device_s))

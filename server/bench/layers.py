"""A decode step with the engine's layers over one with mlx-lm's, taken in turns."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ..engine.sequence import ModelSource, Sampling

ROWS: Final = (1, 8, 32)
PROMPT_TOKENS: Final = 64
STEPS: Final = 12


@dataclass(frozen=True, slots=True)
class Steps:
    """Milliseconds a step at so many rows, medians."""

    num_rows: int
    ours_ms: float
    theirs_ms: float


def steps(gguf: Path) -> list[Steps]:
    """One line for each number of rows."""
    from ..engine.loader import load

    ours = load(ModelSource(gguf), 1)
    theirs = load(ModelSource(gguf), 1, own_layers=False)
    found = []
    for num_rows in ROWS:
        runs = [_Run(ours, num_rows), _Run(theirs, num_rows)]
        times = [[run.step_ms() for run in runs] for _ in range(STEPS)]
        medians = [statistics.median(column) for column in zip(*times, strict=True)]
        found.append(Steps(num_rows, *medians))
    return found


class _Run:
    """One model with a batch of equal prompts, asked for a step at a time."""

    def __init__(self, loaded: Any, num_rows: int) -> None:  # noqa: ANN401
        from ..engine.drawing import Draw
        from ..engine.runner import Runner
        from ..engine.sampling import Sampler
        from ..engine.scheduler import Budget, Limits, Scheduler, Sequence

        budget = Budget(PROMPT_TOKENS * num_rows, PROMPT_TOKENS * num_rows)
        self._scheduler = Scheduler(num_rows, budget, frozenset())
        self._runner = Runner(loaded)
        greedy = Draw(Sampler(Sampling(temperature=0), ()), None)
        self._draws = dict.fromkeys(range(num_rows), greedy)
        limits = Limits(max_output=STEPS + 2, window=4096, keep=0, shift=False)
        for number in range(num_rows):
            ids = [100 + number, *range(200, 199 + PROMPT_TOKENS)]
            self._scheduler.submit(Sequence(number, ids, limits))
        self.step_ms()  # the prompts

    def step_ms(self) -> float:
        started_s = time.perf_counter()
        step = self._runner.launch(self._scheduler.plan(), self._draws)
        assert step is not None
        drawn = self._runner.collect(step)
        self._scheduler.commit({slot: one.token_id for slot, one in drawn.items()})
        return 1e3 * (time.perf_counter() - started_s)

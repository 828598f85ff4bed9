"""Runs a plan: the only place where the engine handles arrays.

Engine thread only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import mlx.core as mx
import numpy as np
from mlx_lm.models.cache import KVCache, make_prompt_cache

from .cache import BatchCache
from .loader import Loaded
from .sampling import Sampler, Scores, scores
from .scheduler import Chunk, Decode, Plan


@dataclass(frozen=True, slots=True)
class Draw:
    """How one slot's next token is drawn; `num_top` of None asks for no log probabilities."""

    sampler: Sampler
    num_top: int | None

    @property
    def needs_logits(self) -> bool:
        """Whether the row's logits must come to the host."""
        return self.num_top is not None or not self.sampler.on_device


@dataclass(frozen=True, slots=True)
class Drawn:
    """The token that one slot got."""

    token_id: int
    scores: Scores | None


class Runner:
    """One model and the KV caches of its sequences."""

    def __init__(self, loaded: Loaded) -> None:
        self._model = loaded.model
        self._kv = loaded.kv
        self._filling: dict[int, list[KVCache]] = {}  # by slot, until it joins the batch
        self._batch = BatchCache(loaded.kv)

    @property
    def cache_bytes(self) -> int:
        """The bytes of every KV cache."""
        filling = (int(one.nbytes) for caches in self._filling.values() for one in caches)
        return self._batch.nbytes + sum(filling)

    def run(self, plan: Plan, draws: Mapping[int, Draw]) -> list[Drawn]:
        """The successors of `plan.decode`, in its order; `draws` has an entry for each slot."""
        for slot in plan.release:
            self._filling.pop(slot, None)
            if slot in self._batch:
                self._batch.leave(slot)
        for chunk in plan.prefill:
            self._prefill(chunk)
        for decode in plan.decode:
            if decode.slot not in self._batch:
                self._batch.join(decode.slot, self._filling.pop(decode.slot, None))
        return self._decode(plan.decode, draws) if plan.decode else []

    def reset(self) -> None:
        """Forget every sequence, after a failure that may have left half a step."""
        self._filling.clear()
        self._batch = BatchCache(self._kv)

    def _prefill(self, chunk: Chunk) -> None:
        caches = self._filling.setdefault(chunk.slot, [])
        if not caches:
            caches += make_prompt_cache(self._model)
        assert caches[0].offset == chunk.start
        # the logits are never evaluated, so the output layer costs nothing here
        self._model(mx.array(chunk.token_ids)[None], cache=caches)
        mx.eval([one.state for one in caches])

    def _decode(self, decode: Sequence[Decode], draws: Mapping[int, Draw]) -> list[Drawn]:
        assert len(decode) == len(self._batch)
        assert all(one.position == self._batch.length(one.slot) for one in decode)
        by_row = sorted(decode, key=lambda one: self._batch.row(one.slot))
        self._batch.begin_step()
        token_ids = mx.array([one.token_id for one in by_row])
        logits = self._model(token_ids[:, None], cache=self._batch.layers)[:, -1]
        wanted = [row for row, one in enumerate(by_row) if draws[one.slot].needs_logits]
        greedy = mx.argmax(logits, axis=-1)
        rows = logits[mx.array(wanted)].astype(mx.float32) if wanted else mx.zeros((0,))
        mx.eval(greedy, rows)
        self._batch.end_step()
        on_host = dict(zip(wanted, np.array(rows), strict=True))
        best: Any = greedy.tolist()
        drawn = {}
        for row, one in enumerate(by_row):
            draw, own = draws[one.slot], on_host.get(row)
            token_id = (
                best[row] if draw.sampler.on_device or own is None else draw.sampler.draw(own)
            )
            said = None
            if own is not None and draw.num_top is not None:
                said = scores(own, token_id, draw.num_top)
            drawn[one.slot] = Drawn(token_id, said)
        return [drawn[one.slot] for one in decode]

"""Runs a plan: the only place where the engine handles arrays.

Engine thread only.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import mlx.core as mx
import numpy as np
from mlx_lm.models.cache import KVCache, make_prompt_cache
from numpy.typing import NDArray

from .cache import BatchCache
from .grammar import Matcher
from .kept_kv import KeptKV, seeded
from .loader import Loaded
from .pace import Pace
from .prompt_cache import PromptCache
from .sampling import Floats, Sampler, Scores, scores
from .scheduler import Chunk, Decode, Plan, Prefix, together


@dataclass(frozen=True, slots=True)
class Draw:
    """How one slot's next token is drawn; `num_top` of None asks for no log probabilities."""

    sampler: Sampler
    num_top: int | None
    matcher: Matcher | None = None

    @property
    def on_device(self) -> bool:
        """Whether the largest raw logit decides."""
        return self.sampler.on_device and self.matcher is None

    @property
    def needs_logits(self) -> bool:
        """Whether the row's logits must come to the host."""
        return self.num_top is not None or not self.on_device

    def choose(self, logits: Floats) -> int:
        """The next token, of those that the grammar allows where there is one."""
        if self.matcher is None:
            return self.sampler.draw(logits)
        token_id = self.sampler.draw(self.matcher.masked(logits))
        self.matcher.advance(token_id)
        return token_id


@dataclass(frozen=True, slots=True)
class Drawn:
    """The token that one slot got."""

    token_id: int
    scores: Scores | None


class Runner:
    """One model, the KV caches of its sequences, and up to `max_kept_bytes` of kept prefixes."""

    def __init__(self, loaded: Loaded, max_kept_bytes: int = 0) -> None:
        self._model = loaded.model
        self._kv = loaded.kv
        self._filling: dict[int, list[KVCache]] = {}  # by slot, until it joins the batch
        self._batch = BatchCache(loaded.kv)
        self.pace = Pace()
        self.max_kept_bytes = max_kept_bytes
        self._kept = PromptCache[KeptKV](max_kept_bytes, loaded.kv.bytes_per_token)

    def num_kept(self, token_ids: Sequence[int]) -> int:
        """How many of the first of these tokens need no prefill."""
        return self._kept.num_kept(token_ids)

    def keep(self, prefix: Prefix) -> None:
        """Put what a slot has into the prompt cache; its KV must still be there."""

        def take(start: int, stop: int) -> KeptKV:
            if prefix.slot in self._batch:
                return KeptKV.copied(self._batch.part(prefix.slot, start, stop))
            filling: Any = self._filling[prefix.slot]
            layers = ((one.keys, one.values) for one in filling)
            return KeptKV.copied(
                (keys[:, :, start:stop], values[:, :, start:stop]) for keys, values in layers
            )

        self._kept.insert(prefix.token_ids, take)

    @property
    def cache_bytes(self) -> int:
        """The bytes of every sequence's KV cache."""
        filling = (int(one.nbytes) for caches in self._filling.values() for one in caches)
        return self._batch.nbytes + sum(filling)

    def run(self, plan: Plan, draws: Mapping[int, Draw]) -> list[Drawn]:
        """The successors of `plan.decode`, in its order; `draws` has an entry for each slot."""
        for slot in plan.release:
            self._filling.pop(slot, None)
        self._batch.leave_all(plan.release)
        for prefix in plan.reuse:
            self._filling[prefix.slot] = seeded(self._kept.find(prefix.token_ids))
        if plan.prefill:
            self._prefill(plan.prefill)
        for decode in plan.decode:
            if decode.slot not in self._batch:
                self._batch.join(decode.slot, self._filling.pop(decode.slot, None))
        if not plan.decode:
            return []
        started_s = time.perf_counter()
        drawn = self._decode(plan.decode, draws)
        self.pace.decoded(time.perf_counter() - started_s)
        return drawn

    def reset(self) -> None:
        """Forget every sequence and every kept prefix: a failure may have left half a step."""
        self._filling.clear()
        self._batch = BatchCache(self._kv)
        self._kept.clear()

    def _prefill(self, chunks: Sequence[Chunk]) -> None:
        started_s = time.perf_counter()
        for group in together(chunks):
            if group[0].start == 0:
                self._begin(group)
            else:
                self._continue(*group)
        num_tokens = sum(chunk.size for chunk in chunks)
        self.pace.prefilled(num_tokens, time.perf_counter() - started_s)

    def _begin(self, chunks: Sequence[Chunk]) -> None:
        """Put the beginnings of sequences through the model, padded behind, where none looks."""
        token_ids = np.zeros((len(chunks), max(chunk.size for chunk in chunks)), np.int32)
        for row, chunk in enumerate(chunks):
            token_ids[row, : chunk.size] = chunk.token_ids
        caches = self._forward(token_ids, make_prompt_cache(self._model))
        for row, chunk in enumerate(chunks):
            self._filling[chunk.slot] = [one_row(cache, row, chunk.size) for cache in caches]

    def _continue(self, chunk: Chunk) -> None:
        caches = self._filling[chunk.slot]
        assert caches[0].offset == chunk.start
        self._forward(np.array(chunk.token_ids, np.int32)[None], caches)

    def _forward(self, token_ids: NDArray[np.int32], caches: list[KVCache]) -> list[KVCache]:
        """The caches with these tokens `(B, L)`; the logits are never made, and cost nothing."""
        self._model(mx.array(token_ids), cache=caches)
        mx.eval([one.state for one in caches])
        return caches

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
        mx.async_eval(greedy, rows)  # type: ignore[no-untyped-call]
        for one in by_row:  # while the forward pass runs
            matcher = draws[one.slot].matcher
            if matcher is not None:
                matcher.fill()
        mx.eval(greedy, rows)
        self._batch.end_step()
        on_host = dict(zip(wanted, np.array(rows), strict=True))
        best: Any = greedy.tolist()
        drawn = {}
        for row, one in enumerate(by_row):
            draw, own = draws[one.slot], on_host.get(row)
            token_id = best[row] if draw.on_device or own is None else draw.choose(own)
            said = None
            if own is not None and draw.num_top is not None:
                said = scores(own, token_id, draw.num_top)
            drawn[one.slot] = Drawn(token_id, said)
        return [drawn[one.slot] for one in decode]


def one_row(cache: KVCache, row: int, num_tokens: int) -> KVCache:
    """The cache of one sequence of several, with so many of its tokens."""
    own: Any = KVCache()  # type: ignore[no-untyped-call]
    keys: Any = cache.keys
    values: Any = cache.values
    own.keys = keys[row : row + 1, :, :num_tokens]
    own.values = values[row : row + 1, :, :num_tokens]
    own.offset = num_tokens
    return own  # type: ignore[no-any-return]

"""Runs a plan: the only place where the engine handles arrays.

Engine thread only.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import mlx.core as mx
import numpy as np

from .batch_cache import BatchCache
from .cache import FillingCache
from .device import device
from .drawing import Draw, Drawn
from .kept_kv import KeptKV, seeded
from .loader import Loaded
from .offer import Offer, offered
from .pace import Pace
from .plan import Chunk, Plan, Prefix, together
from .prompt_cache import PromptCache
from .vision import inputs_of


@dataclass(slots=True)
class Step:
    """A step that draws: prepared, then in flight, then collected.

    The first rows are those of the batch, which it decodes; the others end a prefill.
    """

    slots: tuple[int, ...]  # by row
    draws: tuple[Draw, ...]  # by row
    token_ids: mx.array  # int32, of the rows of the batch
    offer: Offer
    started_s: float = 0.0

    @property
    def on_device(self) -> bool:
        """Whether the device knows every token before the host does."""
        return all(one.on_device for one in self.draws)


class Runner:
    """One model, the KV caches of its sequences, and up to `max_kept_bytes` of kept prefixes."""

    def __init__(self, loaded: Loaded, max_kept_bytes: int = 0) -> None:
        self._model = loaded.model
        self._ending = loaded.ending
        self._kv = loaded.kv
        self._vision = loaded.vision
        self._filling: dict[int, list[FillingCache]] = {}  # by slot, until it joins the batch
        self._batch = BatchCache(loaded.kv)
        self.pace = Pace()
        # whether the device takes work while it is busy, so that the host need not wait
        self.queues = device().is_gpu
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
            return KeptKV.copied(one.part(start, stop) for one in self._filling[prefix.slot])

        self._kept.insert(prefix.token_ids, take)

    @property
    def kept_bytes(self) -> int:
        """The bytes of the kept prefixes."""
        return self._kept.num_bytes

    def keep_at_most(self, max_bytes: int) -> None:
        """Drop kept prefixes until they take no more than that."""
        self._kept.shrink(max_bytes)

    @property
    def cache_bytes(self) -> int:
        """The bytes of every sequence's KV cache."""
        filling = (one.nbytes for caches in self._filling.values() for one in caches)
        return self._batch.nbytes + sum(filling)

    def launch(self, plan: Plan, draws: Mapping[int, Draw]) -> Step | None:
        """Do what a plan says; what it draws from is in flight then, None if it draws nothing.

        `draws` has an entry for each slot.
        """
        for slot in plan.release:
            self._filling.pop(slot, None)
        self._batch.leave_all(plan.release)
        for prefix in plan.reuse:
            self._filling[prefix.slot] = seeded(self._kv, self._kept.find(prefix.token_ids))
        ends = self._prefill(plan.prefill, beside_decode=bool(plan.decode)) if plan.prefill else {}
        if not plan.draws:
            return None
        joining = [one.slot for one in plan.decode if one.slot not in self._batch]
        self._batch.join_all({slot: self._filling.pop(slot, ()) for slot in joining})
        step = self.prepare(plan, draws, ends=ends)
        self.dispatch(step, {one.slot: one.token_id for one in plan.decode})
        return step

    def prepare(
        self,
        plan: Plan,
        draws: Mapping[int, Draw],
        *,
        after: Step | None = None,
        ends: Mapping[int, mx.array] = MappingProxyType({}),
    ) -> Step:
        """The graph of a step, which takes Python a while; nothing is computed.

        It decodes tokens that it reads when it is dispatched, or from the device, of the step
        before, and draws from the logits `(1, V)` at the ends of prefilled slots, too.
        """
        assert len(plan.decode) == len(self._batch)
        assert all(one.position == self._batch.length(one.slot) for one in plan.decode)
        logits = [*ends.values()]
        if plan.decode:
            self._batch.begin_step()
        token_ids = self._inputs(after)
        if plan.decode:
            decoded = self._model(token_ids[:, None], cache=self._batch.layers)
            logits.insert(0, decoded[:, -1])
        slots = (*self._batch.slots, *ends)
        by_row = tuple(draws[slot] for slot in slots)
        rows = mx.concatenate(logits) if len(logits) > 1 else logits[0]
        return Step(slots, by_row, token_ids, offered(rows, by_row, on_gpu=self.queues))

    def _inputs(self, after: Step | None) -> mx.array:
        """The tokens `(R,)` that a step decodes, by the rows of the batch."""
        slots = self._batch.slots
        if after is None:
            return mx.array(np.zeros(len(slots), np.int32))
        if after.slots == slots:
            return after.offer.tokens
        # rows have moved to other bands
        return after.offer.tokens[mx.array([after.slots.index(slot) for slot in slots])]

    def dispatch(self, step: Step, token_ids: Mapping[int, int | None]) -> None:
        """Let a prepared step run, with these tokens by slot; on a CPU this takes most of it."""
        view = np.array(step.token_ids, copy=False)  # the buffer itself: the graph reads it later
        view[:] = [token_ids[slot] for slot in step.slots[: len(view)]]
        self._start(step, 0)

    def follow(self, step: Step) -> None:
        """Let a step run that reads its tokens from the device, of the step in flight."""
        self._start(step, 1)

    def _start(self, step: Step, num_in_flight: int) -> None:
        step.offer.start(step.draws, num_in_flight)
        self._batch.end_step()
        step.started_s = time.perf_counter()
        mx.async_eval(*step.offer.arrays)  # type: ignore[no-untyped-call]

    def abandon(self) -> None:
        """Forget the step that was prepared and not dispatched."""
        self._batch.abandon_step()

    def collect(self, step: Step) -> dict[int, Drawn]:
        """The token of each slot."""
        for draw in step.draws:  # while the forward pass runs
            if draw.matcher is not None:
                draw.matcher.fill()
        mx.eval(*step.offer.arrays)
        if step.token_ids.size:
            self.pace.decoded(time.perf_counter() - step.started_s)
        return dict(zip(step.slots, step.offer.draw(step.draws), strict=True))

    def reset(self) -> None:
        """Forget every sequence and every kept prefix: a failure may have left half a step."""
        self._filling.clear()
        self._batch = BatchCache(self._kv)
        self._kept.clear()

    def _prefill(self, chunks: Sequence[Chunk], *, beside_decode: bool) -> dict[int, mx.array]:
        """The logits `(1, V)` at the ends of the chunks that draw, by slot."""
        if self._vision is not None:  # before the clock: what it takes depends on no chunk's size
            self._vision.look([chunk.token_ids for chunk in chunks])
        started_s = time.perf_counter()
        ends: dict[int, mx.array] = {}
        for group in together(chunks):
            ends |= self._forward(group)
        if beside_decode:
            num_tokens = sum(chunk.size for chunk in chunks)
            self.pace.prefilled(num_tokens, time.perf_counter() - started_s)
        return ends

    def _forward(self, chunks: Sequence[Chunk]) -> dict[int, mx.array]:
        """Put chunks of one pass through the model, padded behind, where none looks.

        Logits are made at the ends that draw; others would never be looked at, and cost nothing.
        """
        caches = self._caches(chunks)
        rows = [chunk.token_ids for chunk in chunks]
        token_ids, embeddings = inputs_of(rows, self._model, self._vision)
        seeing = {} if embeddings is None else {"input_embeddings": embeddings}
        with self._ending.only([chunk.size - 1 for chunk in chunks]):
            logits = self._model(token_ids, cache=caches, **seeing)[:, -1]
        ends = {one.slot: logits[row][None] for row, one in enumerate(chunks) if one.draws}
        mx.eval([one.arrays for one in caches], list(ends.values()))
        if chunks[0].start == 0:
            for row, chunk in enumerate(chunks):
                self._filling[chunk.slot] = [one.row(row, chunk.size) for one in caches]
        return ends

    def _caches(self, chunks: Sequence[Chunk]) -> list[FillingCache]:
        """What a pass writes to: fresh for those that begin, and one's own that goes on."""
        if chunks[0].start == 0:
            return [FillingCache(self._kv) for _ in range(self._kv.num_layers)]
        caches = self._filling[chunks[0].slot]
        assert caches[0].offset == chunks[0].start
        return caches

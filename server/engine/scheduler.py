"""Which tokens run in the next step: integers only.

No arrays, clock, text or threads. A sequence is decoded when exactly one of its tokens is not
in its KV cache yet; until then it is prefilled, so the last prompt token takes the same path
as every generated one.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final, Literal

Reason = Literal["stop", "length"]

# A sequence passed over for this many steps goes before one that has this many tokens less.
AGEING_TOKENS: Final = 64
WINDOWS_WITHOUT_LIMIT: Final = 10  # llm/llama_server.go:boundedNumPredict


@dataclass(frozen=True, slots=True)
class Limits:
    """Where one sequence ends, in tokens."""

    max_output: int
    window: int
    keep: int
    shift: bool


@dataclass(frozen=True, slots=True)
class Budget:
    """Prefill tokens a step: few beside running sequences, which wait for them, else many."""

    beside_decode: int
    alone: int


@dataclass(frozen=True, slots=True)
class Chunk:
    """Tokens of one slot to put into its KV cache, from position `start` on."""

    slot: int
    start: int
    token_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Decode:
    """The last token of one slot, whose successor is wanted."""

    slot: int
    position: int
    token_id: int


@dataclass(frozen=True, slots=True)
class Plan:
    """One step: first drop the KV of the released slots, then prefill, then decode."""

    release: tuple[int, ...]
    prefill: tuple[Chunk, ...]
    decode: tuple[Decode, ...]


@dataclass(frozen=True, slots=True)
class Token:
    """A token that a sequence got in this step; `last` says why it is the last, if it is."""

    sequence_id: int
    token_id: int
    last: Reason | None


@dataclass(slots=True)
class Sequence:
    """A request inside the engine; `num_cached` of its tokens are in the KV cache."""

    sequence_id: int
    token_ids: list[int]
    limits: Limits
    slot: int = -1
    num_cached: int = 0
    num_output: int = 0
    waited: int = 0

    @property
    def num_left(self) -> int:
        """Tokens still to prefill; the last one is decoded instead."""
        return len(self.token_ids) - 1 - self.num_cached


def bounded_output(num_predict: int, window: int) -> int:
    """The most tokens a generation may have; 0 and less mean no limit of its own."""
    bound = WINDOWS_WITHOUT_LIMIT * window
    return min(num_predict, bound) if num_predict > 0 else bound


class Scheduler:
    """Gives slots to sequences in order of arrival, and plans their steps."""

    def __init__(self, num_slots: int, budget: Budget, stop_ids: frozenset[int]) -> None:
        assert num_slots > 0
        assert min(budget.beside_decode, budget.alone) > 0
        self._budget = budget
        self._stop_ids = stop_ids
        self._free = list(range(num_slots - 1, -1, -1))
        self._waiting: deque[Sequence] = deque()
        self._running: dict[int, Sequence] = {}  # by sequence id, in order of admission
        self._release: list[int] = []

    @property
    def busy(self) -> bool:
        """Whether a step would do anything."""
        return bool(self._waiting or self._running or self._release)

    @property
    def num_free_slots(self) -> int:
        """Slots that no sequence holds."""
        return len(self._free)

    def submit(self, sequence: Sequence) -> None:
        """Queue a sequence behind those that wait."""
        assert sequence.token_ids
        self._waiting.append(sequence)

    def finish(self, sequence_id: int) -> None:
        """Forget a sequence, wherever it is, and free its slot at once."""
        sequence = self._running.pop(sequence_id, None)
        if sequence is not None:
            self._free.append(sequence.slot)
            self._release.append(sequence.slot)
            return
        self._waiting = deque(one for one in self._waiting if one.sequence_id != sequence_id)

    def slots(self) -> dict[int, int]:
        """The sequence that each taken slot has."""
        return {one.slot: one.sequence_id for one in self._running.values()}

    def plan(self) -> Plan:
        """The next step."""
        release, self._release = tuple(self._release), []
        while self._waiting and self._free:
            sequence = self._waiting.popleft()
            sequence.slot = self._free.pop()
            self._running[sequence.sequence_id] = sequence
        ready = [one for one in self._running.values() if one.num_left == 0]
        budget = self._budget.beside_decode if ready else self._budget.alone
        prefill = self._prefill(budget)
        decode = tuple(
            Decode(one.slot, one.num_cached, one.token_ids[-1])
            for one in self._running.values()
            if one.num_left == 0
        )
        return Plan(release, prefill, decode)

    def _prefill(self, budget: int) -> tuple[Chunk, ...]:
        """Chunks within the budget: the shortest rest first, or one passed over for long."""
        filling = [one for one in self._running.values() if one.num_left > 0]
        filling.sort(key=lambda one: one.num_left - one.waited * AGEING_TOKENS)
        chunks = []
        for one in filling:
            if budget == 0:
                one.waited += 1  # kept when it is served at last: it goes on until it is done
                continue
            size = min(one.num_left, budget)
            token_ids = tuple(one.token_ids[one.num_cached : one.num_cached + size])
            chunks.append(Chunk(one.slot, one.num_cached, token_ids))
            one.num_cached += size
            budget -= size
        return tuple(chunks)

    def commit(self, plan: Plan, token_ids: list[int]) -> list[Token]:
        """What the step brought: `token_ids` are the successors of `plan.decode`, in its order."""
        assert len(token_ids) == len(plan.decode)
        by_slot = {one.slot: one for one in self._running.values()}
        tokens = []
        for decoded, token_id in zip(plan.decode, token_ids, strict=True):
            sequence = by_slot[decoded.slot]
            sequence.token_ids.append(token_id)
            sequence.num_cached += 1
            sequence.num_output += 1
            last = self._last(sequence, token_id)
            tokens.append(Token(sequence.sequence_id, token_id, last))
            if last is not None:
                self.finish(sequence.sequence_id)
        return tokens

    def _last(self, sequence: Sequence, token_id: int) -> Reason | None:
        """Why the sequence ends with this token, if it does; a full window may be shifted."""
        if token_id in self._stop_ids:
            return "stop"
        if sequence.num_output >= sequence.limits.max_output:
            return "length"
        if len(sequence.token_ids) >= sequence.limits.window:
            if not sequence.limits.shift:
                return "length"
            self._shift(sequence)
        return None

    def _shift(self, sequence: Sequence) -> None:
        """Drop half of what follows the kept tokens; the rest is prefilled again.

        The arithmetic is that of `ggml-org/llama.cpp:tools/server` (n_keep, n_left, n_discard).
        """
        num_kept = max(0, min(sequence.limits.keep, sequence.limits.window - 4))
        num_dropped = max(1, (len(sequence.token_ids) - num_kept) // 2)
        del sequence.token_ids[num_kept : num_kept + num_dropped]
        sequence.num_cached = 0
        self._release.append(sequence.slot)

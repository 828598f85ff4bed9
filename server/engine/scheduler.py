"""Which tokens run in the next step: integers only.

No arrays, clock, text or threads. A sequence is decoded when exactly one of its tokens is not
in its KV cache yet; until then it is prefilled, and draws its first token from the last chunk.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from .device import Device
from .plan import Chunk, Decode, Plan, Prefix

Reason = Literal["stop", "length"]

# A sequence passed over for this many steps goes before one that has this many tokens less.
AGEING_TOKENS: Final = 64
MIN_REUSED_TOKENS: Final = 32  # fewer are prefilled sooner than copied
# Copying so many kept tokens takes about as long as prefilling one.
REUSED_TOKENS_A_PREFILLED_ONE: Final = 256
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


# The most prefill tokens a step: how long a cancellation may have to wait. A CPU takes about
# 0.7 s for 256 of them on a model of 135 M weights. `Pace` puts fewer beside running sequences.
GPU_BUDGET: Final = Budget(beside_decode=256, alone=2048)
CPU_BUDGET: Final = Budget(beside_decode=256, alone=256)


def budget_of(device: Device) -> Budget:
    """What suits a device."""
    return GPU_BUDGET if device.is_gpu else CPU_BUDGET


@dataclass(frozen=True, slots=True)
class Token:
    """A token that a sequence got in this step; `last` says why it is the last, if it is."""

    sequence_id: int
    slot: int
    token_id: int
    last: Reason | None


@dataclass(slots=True)
class Sequence:
    """A request inside the engine; `num_cached` of its tokens are in the KV cache.

    The prompt cache has `num_kept` of its first tokens, None being unknown.
    """

    sequence_id: int
    token_ids: list[int]
    limits: Limits
    slot: int = -1
    num_cached: int = 0
    num_output: int = 0
    waited: int = 0
    num_kept: int | None = None

    @property
    def most_tokens(self) -> int:
        """How many tokens its KV cache may come to hold."""
        num_prompt = len(self.token_ids) - self.num_output
        return min(self.limits.window, num_prompt + self.limits.max_output)

    @property
    def num_left(self) -> int:
        """Tokens that are not in the KV cache: a single one is decoded, several are prefilled."""
        return len(self.token_ids) - self.num_cached

    @property
    def num_reusable(self) -> int:
        """How many tokens it could start with from the prompt cache; 0 if that does not pay."""
        num_kept = min(self.num_kept or 0, len(self.token_ids) - 1)
        return num_kept if num_kept - self.num_cached >= MIN_REUSED_TOKENS else 0

    @property
    def num_to_compute(self) -> int:
        """Tokens to compute once it has what it can reuse."""
        return len(self.token_ids) - max(self.num_cached, self.num_reusable)

    @property
    def cached(self) -> Prefix:
        """What the KV cache of its slot has."""
        return Prefix(self.slot, tuple(self.token_ids[: self.num_cached]))

    def follows(self, other: Sequence) -> bool:
        """Whether it does better to wait for the prompt that the other one is about to leave."""
        wanted = max(self.num_cached, self.num_reusable) + MIN_REUSED_TOKENS
        if other.num_output or wanted >= len(self.token_ids):
            return False
        return self.token_ids[:wanted] == other.token_ids[:wanted]


def bounded_output(num_predict: int, window: int) -> int:
    """The most tokens a generation may have; 0 and less mean no limit of its own."""
    bound = WINDOWS_WITHOUT_LIMIT * window
    return min(num_predict, bound) if num_predict > 0 else bound


class Scheduler:
    """Gives slots to sequences in order of arrival, and plans their steps.

    `num_kept` says how many of the first of some tokens the prompt cache has; None is no cache.
    `has_room` says whether sequences that may grow to so many tokens each fit into memory, which
    one alone always does; it is asked again when some have ended.
    """

    def __init__(
        self,
        num_slots: int,
        budget: Budget,
        stop_ids: frozenset[int],
        num_kept: Callable[[list[int]], int] | None = None,
        has_room: Callable[[list[int]], bool] = lambda _: True,
    ) -> None:
        assert num_slots > 0
        assert min(budget.beside_decode, budget.alone) > 0
        self._budget = budget
        self._affordable = budget.beside_decode
        self._stop_ids = stop_ids
        self._num_kept = num_kept
        self._has_room = has_room
        self._free = list(range(num_slots - 1, -1, -1))
        self._waiting: deque[Sequence] = deque()
        self._running: dict[int, Sequence] = {}  # by sequence id, in order of admission
        self._release: list[int] = []
        self._worth_keeping: list[Prefix] = []

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
            self._worth_keeping.append(sequence.cached)
            return
        self._waiting = deque(one for one in self._waiting if one.sequence_id != sequence_id)

    def slots(self) -> dict[int, int]:
        """The sequence that each taken slot has."""
        return {one.slot: one.sequence_id for one in self._running.values()}

    def worth_keeping(self) -> tuple[Prefix, ...]:
        """Prompts and ended sequences to put into the prompt cache before the next plan.

        Their slots still have their KV, which the next step may drop.
        """
        prefixes, self._worth_keeping = tuple(self._worth_keeping), []
        if prefixes:  # what is kept will change, for better or worse
            self.forget_kept()
        return prefixes

    def forget_kept(self) -> None:
        """Ask the prompt cache anew: it has other tokens now."""
        for one in self._running.values():
            one.num_kept = None

    def restart(self) -> None:
        """Prefill every sequence again: what their slots had is lost."""
        self._worth_keeping.clear()
        self.forget_kept()
        for one in self._running.values():
            one.num_cached = 0
            self._release.append(one.slot)

    def plan(self) -> Plan:
        """The next step."""
        release, self._release = tuple(dict.fromkeys(self._release)), []  # each slot once
        if release:
            self._has_room([one.most_tokens for one in self._running.values()])
        while self._waiting and self._free and self._fits(self._waiting[0]):
            sequence = self._waiting.popleft()
            sequence.slot = self._free.pop()
            self._running[sequence.sequence_id] = sequence
        ready = [one for one in self._running.values() if one.num_left == 1]
        budget = self._beside(len(ready)) if ready else self._budget.alone
        reuse, prefill = self._prefill(budget)
        decode = tuple(
            Decode(one.slot, one.num_cached, one.token_ids[-1])
            for one in self._running.values()
            if one.num_left == 1
        )
        return Plan(release, reuse, prefill, decode)

    def _fits(self, sequence: Sequence) -> bool:
        """Whether there is memory for it beside those that run."""
        together = [*self._running.values(), sequence]
        return self._has_room([one.most_tokens for one in together])

    def ahead(self) -> Plan | None:
        """The step after the one in flight, if what that one draws can change nothing in it.

        A sequence may still end by its last token or be cancelled: see `keeps`.
        """
        if self._release or (self._waiting and self._free) or not self._running:
            return None
        decode = []
        for one in self._running.values():
            # a chunk that draws has left none, and its sequence must join the others first
            if one.num_left != 1 or self._is_full(one, len(one.token_ids) + 1, one.num_output + 1):
                return None
            decode.append(Decode(one.slot, one.num_cached + 1, None))
        return Plan((), (), (), tuple(decode))

    @property
    def keeps(self) -> bool:
        """Whether all sequences that ran still do: then a plan made ahead is the next one."""
        return not self._release

    @property
    def has_begun(self) -> bool:
        """Whether every running sequence has got its first token."""
        return all(one.num_output for one in self._running.values())

    def pace(self, num_tokens: int) -> None:
        """Put about so many tokens of each prompt beside a decode step from now on."""
        assert num_tokens > 0
        self._affordable = num_tokens

    def _beside(self, num_ready: int) -> int:
        """The prefill budget beside so many ready sequences: each of the others adds to it."""
        num_filling = len(self._running) - num_ready
        return min(self._affordable * num_filling, self._budget.beside_decode)

    def _prefill(self, budget: int) -> tuple[tuple[Prefix, ...], tuple[Chunk, ...]]:
        """Chunks within the budget: the shortest rest first, or one passed over for long."""
        filling = [one for one in self._running.values() if one.num_left > 1]
        for one in filling:
            if one.num_kept is None:
                one.num_kept = self._num_kept(one.token_ids) if self._num_kept else 0
        filling.sort(key=lambda one: one.num_to_compute - one.waited * AGEING_TOKENS)
        reuse, chunks = [], []
        ahead: list[Sequence] = []
        for one in filling:
            if self._num_kept and any(one.follows(other) for other in ahead):
                continue  # it does not age, or it would overtake the one that it waits for
            ahead.append(one)
            if budget <= 0:
                one.waited += 1  # kept when it is served at last: it goes on until it is done
                continue
            num_copied = 0
            if one.num_reusable:
                one.num_cached = one.num_reusable
                reuse.append(one.cached)
                num_copied = 1 + one.num_cached // REUSED_TOKENS_A_PREFILLED_ONE
            size = min(one.num_left, budget)
            if one.num_left > 1:
                token_ids = tuple(one.token_ids[one.num_cached : one.num_cached + size])
                draws = size == one.num_left
                chunks.append(Chunk(one.slot, one.num_cached, token_ids, draws))
                one.num_cached += size
            budget -= size + num_copied
        return tuple(reuse), tuple(chunks)

    def commit(self, drawn: Mapping[int, int]) -> list[Token]:
        """What a step brought: the token of each slot that it drew one for.

        A slot whose sequence has ended meanwhile brings nothing.
        """
        by_slot = {one.slot: one for one in self._running.values()}
        tokens = []
        for slot, token_id in drawn.items():
            sequence = by_slot.get(slot)
            if sequence is None:
                continue
            sequence.num_cached = len(sequence.token_ids)
            sequence.token_ids.append(token_id)
            sequence.num_output += 1
            if sequence.num_output == 1:
                self._worth_keeping.append(sequence.cached)
            last = self._last(sequence, token_id)
            tokens.append(Token(sequence.sequence_id, slot, token_id, last))
            if last is not None:
                self.finish(sequence.sequence_id)
        return tokens

    def _last(self, sequence: Sequence, token_id: int) -> Reason | None:
        """Why the sequence ends with this token, if it does; a full window may be shifted."""
        if token_id in self._stop_ids:
            return "stop"
        if not self._is_full(sequence, len(sequence.token_ids), sequence.num_output):
            return None
        if sequence.num_output >= sequence.limits.max_output or not sequence.limits.shift:
            return "length"
        self._shift(sequence)
        return None

    def _is_full(self, sequence: Sequence, num_tokens: int, num_output: int) -> bool:
        """Whether so many tokens, so many of them generated, are all that go into it as it is."""
        return num_output >= sequence.limits.max_output or num_tokens >= sequence.limits.window

    def _shift(self, sequence: Sequence) -> None:
        """Drop half of what follows the kept tokens; the rest is prefilled again.

        The arithmetic is that of `ggml-org/llama.cpp:tools/server` (n_keep, n_left, n_discard).
        """
        num_kept = max(0, min(sequence.limits.keep, sequence.limits.window - 4))
        num_dropped = max(1, (len(sequence.token_ids) - num_kept) // 2)
        del sequence.token_ids[num_kept : num_kept + num_dropped]
        sequence.num_cached = 0
        sequence.num_kept = None
        self._release.append(sequence.slot)

"""What one step does, as the scheduler plans it and the runner runs it. Values only."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

# How much shorter than the longest a beginning may be to be padded to its length.
PADDING_TOKENS: Final = 8
PADDING_SHARE: Final = 0.25


@dataclass(frozen=True, slots=True)
class Chunk:
    """Tokens of one slot to put into its KV cache, from position `start` on.

    `draws` says whether they are the last ones, whose successor is wanted.
    """

    slot: int
    start: int
    token_ids: tuple[int, ...]
    draws: bool = False

    @property
    def size(self) -> int:
        """How many tokens."""
        return len(self.token_ids)


@dataclass(frozen=True, slots=True)
class Decode:
    """The only token that one slot's KV cache lacks; None: the step in flight draws it."""

    slot: int
    position: int
    token_id: int | None


@dataclass(frozen=True, slots=True)
class Prefix:
    """Tokens that one slot has in its KV cache, or gets there from the prompt cache."""

    slot: int
    token_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """One step: drop the KV of the released slots, seed others, then prefill, then decode.

    A slot in `reuse` starts anew from kept tokens, and has a chunk or a decode in the same step.
    """

    release: tuple[int, ...]
    reuse: tuple[Prefix, ...]
    prefill: tuple[Chunk, ...]
    decode: tuple[Decode, ...]

    @property
    def draws(self) -> tuple[int, ...]:
        """The slots that get a token."""
        ends = (one.slot for one in self.prefill if one.draws)
        return (*(one.slot for one in self.decode), *ends)


def together(chunks: Iterable[Chunk]) -> list[tuple[Chunk, ...]]:
    """The chunks by forward pass: beginnings of nearly one length share one, others go alone."""
    passes: list[tuple[Chunk, ...]] = []
    group: tuple[Chunk, ...] = ()
    for one in sorted(chunks, key=lambda one: one.size):
        if one.start > 0:
            passes.append((one,))
            continue
        if group and one.size - group[0].size > max(PADDING_TOKENS, one.size * PADDING_SHARE):
            passes.append(group)
            group = ()
        group += (one,)
    return [*passes, group] if group else passes

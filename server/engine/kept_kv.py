"""The KV that the prompt cache keeps: copied out of a sequence once, and read by any number.

Engine thread only.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import mlx.core as mx
from mlx_lm.models.cache import KVCache

from .prompt_cache import Part


@dataclass(frozen=True, slots=True)
class KeptKV:
    """Consecutive tokens of one sequence, never written to.

    `array` is `(2 * layers, heads, tokens, head_dim)`: keys and values of each layer in turn.
    """

    array: mx.array

    @classmethod
    def copied(cls, layers: Iterable[tuple[mx.array, mx.array]]) -> KeptKV:
        """A copy of keys and values `(1, heads, tokens, head_dim)` of every layer."""
        array = mx.concatenate([one for layer in layers for one in layer])
        mx.eval(array)
        return cls(array)

    def cut(self, start: int, stop: int) -> KeptKV:
        """A copy of some of the tokens, so that the others can be freed."""
        array = mx.contiguous(self.array[:, :, start:stop])
        mx.eval(array)
        return KeptKV(array)


def seeded(parts: Sequence[Part[KeptKV]]) -> list[KVCache]:
    """Plain caches that begin with these tokens.

    They look into the kept arrays and have no room to spare, so that the first token added
    makes them copy: nothing is written to what others share.
    """
    size = parts[0].payload.array.shape[0]
    caches = []
    for at in range(0, size, 2):
        cache: Any = KVCache()  # type: ignore[no-untyped-call]
        cache.keys, cache.values = _joined(parts, at), _joined(parts, at + 1)
        cache.offset = sum(one.num_tokens for one in parts)
        caches.append(cache)
    return caches


def _joined(parts: Sequence[Part[KeptKV]], at: int) -> mx.array:
    """Keys or values of one layer, `(1, heads, tokens, head_dim)`."""
    pieces = [one.payload.array[at : at + 1, :, : one.num_tokens] for one in parts]
    return pieces[0] if len(pieces) == 1 else mx.concatenate(pieces, axis=2)

"""The KV that the prompt cache keeps: copied out of a sequence once, and read by any number.

Engine thread only.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import mlx.core as mx

from .cache import FillingCache
from .kv_format import Arrays
from .loader import KVShape
from .prompt_cache import Part


@dataclass(frozen=True, slots=True)
class KeptKV:
    """Consecutive tokens of one sequence, never written to.

    `arrays` are those of a layer as `kv_format` stores them, each with all layers as its rows.
    """

    arrays: Arrays

    @classmethod
    def copied(cls, layers: Iterable[Arrays]) -> KeptKV:
        """A copy of the keys and values of every layer, one row each."""
        arrays = tuple(mx.concatenate([*each]) for each in zip(*layers, strict=True))
        mx.eval(arrays)
        return cls(arrays)

    def cut(self, start: int, stop: int) -> KeptKV:
        """A copy of some of the tokens, so that the others can be freed."""
        arrays = tuple(mx.contiguous(one[:, :, start:stop]) for one in self.arrays)
        mx.eval(arrays)
        return KeptKV(arrays)


def seeded(shape: KVShape, parts: Sequence[Part[KeptKV]]) -> list[FillingCache]:
    """Caches that begin with these tokens.

    They look into the kept arrays and have no room to spare, so that the first token added
    makes them copy: nothing is written to what others share.
    """
    num_tokens = sum(one.num_tokens for one in parts)
    return [
        FillingCache(shape, _joined(parts, layer), num_tokens) for layer in range(shape.num_layers)
    ]


def _joined(parts: Sequence[Part[KeptKV]], layer: int) -> Arrays:
    """Keys and values of one layer."""
    pieces = [
        [one[layer : layer + 1, :, : part.num_tokens] for one in part.payload.arrays]
        for part in parts
    ]
    if len(pieces) == 1:
        return tuple(pieces[0])
    return tuple(mx.concatenate(list(each), axis=2) for each in zip(*pieces, strict=True))

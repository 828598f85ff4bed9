"""Attention over rows that lie in several arrays: each band on its own, and joined again.

mlx-lm's layers call one function for it, `scaled_dot_product_attention`, by a name of their own
module; `see_bands` puts one in its place that also takes `Banded`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from types import ModuleType
from typing import Any, Final

import mlx.core as mx

NAME: Final = "scaled_dot_product_attention"


@dataclass(frozen=True, slots=True)
class Banded:
    """Keys or values of a batch, those of consecutive rows together.

    `parts` has them as attention takes them, `(rows, heads, end, head_dim)`, or packed.
    """

    rows: tuple[slice, ...]
    ends: tuple[int, ...]
    parts: tuple[Any, ...]


def band_by_band(
    attend: Callable[[mx.array, Any, Any, mx.array | None], mx.array],
    queries: mx.array,
    keys: Banded,
    values: Banded,
    mask: mx.array | None,
) -> mx.array:
    """What `attend` finds for the rows of each band, in the order of the batch."""
    found = [
        attend(queries[rows], own_keys, own_values, None if mask is None else mask[rows, ..., :end])
        for rows, end, own_keys, own_values in zip(
            keys.rows, keys.ends, keys.parts, values.parts, strict=True
        )
    ]
    return mx.concatenate(found)


def see_bands(module: ModuleType) -> None:
    """Let the layers of a module of mlx-lm attend over bands; again does nothing."""
    plain: Any = getattr(module, NAME, None)
    if plain is None or hasattr(plain, "__wrapped__"):
        return

    @wraps(plain)
    def attention(
        queries: mx.array,
        keys: Any,  # noqa: ANN401 (an array, packed arrays, or Banded)
        values: Any,  # noqa: ANN401
        *rest: Any,  # noqa: ANN401
        mask: Any = None,  # noqa: ANN401
        **more: Any,  # noqa: ANN401
    ) -> mx.array:
        def attend(*own: Any) -> mx.array:  # noqa: ANN401
            *arrays, own_mask = own
            found: mx.array = plain(*arrays, *rest, mask=own_mask, **more)
            return found

        if isinstance(keys, Banded):
            return band_by_band(attend, queries, keys, values, mask)
        return attend(queries, keys, values, mask)

    setattr(module, NAME, attention)

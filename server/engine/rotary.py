"""Rotary embeddings: mlx-lm's with other periods, and one computed once a step."""

from __future__ import annotations

from typing import Any

import mlx.core as mx
from mlx.nn.layers.positional_encoding import RoPE
from mlx_lm.models.rope_utils import Llama3RoPE


class ScaledRoPE:
    """Rotary embedding with given periods `(head_dim / 2,)`."""

    def __init__(self, dims: int, periods: mx.array) -> None:
        self._dims = dims
        self.periods = periods

    def __call__(self, x: mx.array, offset: int | mx.array = 0) -> mx.array:
        return mx.fast.rope(
            x,
            self._dims,
            traditional=False,
            base=None,
            scale=1.0,
            offset=offset,
            freqs=self.periods,
        )


class Rotation:
    """The rotary embedding of all layers; remembers that of the last positions asked for."""

    def __init__(self, periods: mx.array) -> None:
        self._periods = periods
        self._asked: tuple[Any, int] | None = None
        self._cosines = self._sines = periods

    def __call__(self, x: mx.array, offset: int | mx.array) -> mx.array:
        """Rotate `(B, L, heads, head_dim)`, whose first tokens are at `offset`, one or `(B,)`."""
        length = x.shape[1]
        if not self._remembers(offset, length):
            self._prepare(offset, length)
        halves = x.reshape(*x.shape[:-1], 2, -1)
        turned = halves * self._cosines + halves[..., ::-1, :] * self._sines
        return turned.reshape(x.shape)

    def _remembers(self, offset: int | mx.array, length: int) -> bool:
        if self._asked is None or self._asked[1] != length:
            return False
        asked = self._asked[0]
        same_number = isinstance(offset, int) and isinstance(asked, int) and asked == offset
        return same_number or asked is offset  # an array's values would have to be waited for

    def _prepare(self, offset: int | mx.array, length: int) -> None:
        first = mx.array(offset).reshape(-1, 1)
        angles = (first + mx.arange(length))[..., None] / self._periods  # (B, L, head_dim / 2)
        sines = mx.sin(angles)
        self._cosines = mx.cos(angles)[:, :, None, None]
        self._sines = mx.stack([-sines, sines], axis=2)[:, :, None]
        self._asked = (offset, length)


def rotation(rope: Any, head_dim: int) -> Rotation | None:  # noqa: ANN401
    """What a rotary layer does, computed once a step; None for one that is not known here."""
    if isinstance(rope, ScaledRoPE):
        return Rotation(rope.periods)
    if isinstance(rope, Llama3RoPE) and not rope.traditional and rope.dims == head_dim:
        return Rotation(rope._freqs)
    if isinstance(rope, RoPE) and not rope.traditional and rope.scale == 1.0:
        return Rotation(rope.base ** (mx.arange(0, rope.dims, 2) / rope.dims))
    return None

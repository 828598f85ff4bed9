"""The attention of Gemma 2: softcapped scores, and a window on every other layer.

mlx-lm's own neither knows the window nor rows at positions of their own. Engine thread only.
"""

from __future__ import annotations

from typing import Any

import mlx.core as mx
from mlx.nn.layers.base import Module
from mlx_lm.models.base import create_attention_mask

from .attention import Banded, band_by_band


class CappedAttention(Module):
    """One layer's attention, looking back `window` tokens or, if None, to the start."""

    def __init__(self, plain: Any, window: int | None) -> None:  # noqa: ANN401 (of mlx-lm)
        super().__init__()  # type: ignore[no-untyped-call]
        self.q_proj, self.k_proj, self.v_proj = plain.q_proj, plain.k_proj, plain.v_proj
        self.o_proj, self.rope = plain.o_proj, plain.rope
        self._num_heads = int(plain.n_heads)
        self._num_kv_heads = int(plain.n_kv_heads)
        self._scale = float(plain.scale)
        self._cap = float(plain.attn_logit_softcapping)
        self._window = window

    def __call__(
        self,
        x: mx.array,
        mask: mx.array | None = None,
        cache: Any = None,  # noqa: ANN401 (of mlx-lm or ours)
    ) -> mx.array:
        """What each token of `(B, L, hidden)` takes from those it sees."""
        if self._window is not None:
            mask = create_attention_mask(x, cache, window_size=self._window, return_array=True)
        offset = 0 if cache is None else cache.offset
        queries = self.rope(self._heads(self.q_proj(x), self._num_heads), offset=offset)
        keys = self.rope(self._heads(self.k_proj(x), self._num_kv_heads), offset=offset)
        values: Any = self._heads(self.v_proj(x), self._num_kv_heads)
        if cache is not None:
            keys, values = cache.update_and_fetch(keys, values)

        def attend(queries: mx.array, *others: Any) -> mx.array:  # noqa: ANN401
            own_keys, own_values, own_mask = others
            if isinstance(own_keys, tuple):
                own_keys, own_values = (
                    mx.dequantize(words, scales, biases, cache.group_size, cache.bits)
                    for words, scales, biases in (own_keys, own_values)
                )
            return self._attend(queries, own_keys, own_values, own_mask)

        if isinstance(keys, Banded):
            seen = band_by_band(attend, queries, keys, values, mask)
        else:
            seen = attend(queries, keys, values, mask)
        out: mx.array = self.o_proj(seen.swapaxes(1, 2).reshape(*x.shape[:2], -1))
        return out

    def _heads(self, projected: mx.array, num_heads: int) -> mx.array:
        return projected.reshape(*projected.shape[:2], num_heads, -1).swapaxes(1, 2)

    def _attend(
        self, queries: mx.array, keys: mx.array, values: mx.array, mask: mx.array | None
    ) -> mx.array:
        """What the queries `(B, heads, L, head_dim)` find, in the same shape."""
        groups = (queries * self._scale).reshape(
            queries.shape[0], self._num_kv_heads, -1, *queries.shape[2:]
        )
        scores = groups @ keys[:, :, None].swapaxes(-1, -2)  # (B, kv heads, heads of each, L, T)
        scores = mx.tanh(scores / self._cap) * self._cap
        if mask is not None:
            seen = mask[:, :, None] if mask.ndim == 4 else mask
            scores = mx.where(seen, scores, mx.finfo(scores.dtype).min)
        weights = mx.softmax(scores, axis=-1, precise=True)
        return (weights @ values[:, :, None]).reshape(queries.shape)


def see_windows(model: Any, window: int) -> None:  # noqa: ANN401
    """Let every other layer, from the first, look back so far: `google/gemma_pytorch`."""
    for index, layer in enumerate(model.layers):
        layer.self_attn = CappedAttention(layer.self_attn, None if index % 2 else window)

"""The layers of a llama as a CPU runs them: few operations, each over much.

MLX's CPU backend takes some microseconds an operation and 12 ns an exponential or a sine, which
at a few rows is more than the arithmetic. So q, k and v are one product, gate and up another,
and the rotations of a step are computed once for all layers. Linux only: Metal keeps mlx-lm's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import mlx.core as mx
from mlx.nn.layers.activations import silu
from mlx.nn.layers.base import Module
from mlx.nn.layers.embedding import Embedding
from mlx.nn.layers.linear import Linear
from mlx.nn.layers.normalization import RMSNorm

from . import host_math
from .attention import Banded, band_by_band
from .rotary import Rotation, rotation
from .tiles import TiledEmbedding, TiledLinear


class Attention(Module):
    """Attention with one product for q, k and v, and one rotation for q and k."""

    def __init__(self, plain: Any, turn: Rotation | None, tiled: bool) -> None:  # noqa: ANN401
        super().__init__()  # type: ignore[no-untyped-call]
        self._norms = (plain.q_norm, plain.k_norm) if "q_norm" in plain else None
        self._scale = float(plain.scale)
        q_proj = plain.q_proj
        if self._norms is None:  # queries come scaled
            q_proj, self._scale = times(q_proj, self._scale), 1.0
        self.qkv_proj = linear([q_proj, plain.k_proj, plain.v_proj], tiled)
        self.o_proj = linear([plain.o_proj], tiled)
        self.rope = plain.rope
        self._turn = turn
        self._num_heads = int(plain.n_heads)
        self._num_kv_heads = int(plain.n_kv_heads)

    def __call__(
        self,
        x: mx.array,
        mask: Any = None,  # noqa: ANN401 (an array, or MLX's "causal")
        cache: Any = None,  # noqa: ANN401 (of mlx-lm or ours)
    ) -> mx.array:
        """What each token of `(B, L, hidden)` takes from those it sees."""
        batch, length, _ = x.shape
        num_turned = self._num_heads + self._num_kv_heads
        num_all = num_turned + self._num_kv_heads
        heads = self.qkv_proj(x).reshape(batch, length, num_all, -1)
        unturned = self._normed(heads[:, :, :num_turned])
        turned = self._turned(unturned, 0 if cache is None else cache.offset)
        queries = turned[:, :, : self._num_heads].swapaxes(1, 2)
        keys = turned[:, :, self._num_heads :].swapaxes(1, 2)
        values = heads[:, :, num_turned:].swapaxes(1, 2)
        if cache is not None:
            keys, values = cache.update_and_fetch(keys, values)
        out: mx.array = self.o_proj(self._attend(queries, keys, values, mask))
        return out

    def _normed(self, heads: mx.array) -> mx.array:
        """The heads of q and k `(B, L, heads, head_dim)`, each normed or all of q's and k's."""
        if self._norms is None:
            return heads
        normed = []
        parts = mx.split(heads, [self._num_heads], axis=2)
        for norm, part in zip(self._norms, parts, strict=True):
            alone = norm.weight.shape[0] == part.shape[-1]
            flat = part if alone else part.reshape(*part.shape[:2], -1)
            normed.append(norm(flat).reshape(part.shape))
        return mx.concatenate(normed, axis=2)

    def _turned(self, heads: mx.array, offset: int | mx.array) -> mx.array:
        if self._turn is not None:
            return self._turn(heads, offset)
        turned: mx.array = self.rope(heads.swapaxes(1, 2), offset=offset)
        return turned.swapaxes(1, 2)

    def _attend(
        self,
        queries: mx.array,
        keys: Any,  # noqa: ANN401 (an array, or one for each band)
        values: Any,  # noqa: ANN401
        mask: Any,  # noqa: ANN401
    ) -> mx.array:
        """What the queries `(B, heads, L, head_dim)` find, `(B, L, hidden)`."""
        if isinstance(keys, Banded):
            return band_by_band(self._attend, queries, keys, values, mask)
        batch, _, length, head_dim = queries.shape
        causal = isinstance(mask, str)
        if length > 1 and not causal and mask is not None:
            seen = mx.fast.scaled_dot_product_attention(
                queries, keys, values, scale=self._scale, mask=mask
            )
            return seen.swapaxes(1, 2).reshape(batch, length, -1)
        if self._scale != 1:
            queries = queries * self._scale
        grouped = queries.reshape(batch, self._num_kv_heads, -1, head_dim)
        scores = grouped @ keys.swapaxes(-1, -2)  # (B, kv heads, heads of each times L, T)
        if causal:
            rows = host_math.causal_softmax(scores.reshape(batch, -1, length, keys.shape[2]))
            weights = rows.reshape(scores.shape)
        else:
            if mask is not None:
                scores = mx.where(mask, scores, -mx.inf)
            weights = mx.softmax(scores, axis=-1)
        found: mx.array = weights @ values
        if length > 1:
            found = found.reshape(batch, -1, length, head_dim).swapaxes(1, 2)
        return found.reshape(batch, length, -1)


class MLP(Module):
    """A gated feed-forward layer with one product for gate and up."""

    def __init__(self, plain: Any, tiled: bool) -> None:  # noqa: ANN401
        super().__init__()  # type: ignore[no-untyped-call]
        self.gate_up_proj = linear([plain.gate_proj, plain.up_proj], tiled)
        self.down_proj = linear([plain.down_proj], tiled)

    def __call__(self, x: mx.array) -> mx.array:
        """`(..., hidden)` to `(..., hidden)`."""
        gate_up = self.gate_up_proj(x)
        if x.shape[1] > 1 and gate_up.size >= 2 * host_math.WORTH_IT:
            opened = host_math.gated(gate_up)
        else:
            gate, up = mx.split(gate_up, 2, axis=-1)
            opened = silu(gate) * up
        out: mx.array = self.down_proj(opened)
        return out


class Norm(Module):
    """RMSNorm in six operations, the factors of its mean in its weight; MLX's takes twelve."""

    def __init__(self, plain: RMSNorm) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        size = plain.weight.size
        self.weight = (plain.weight * math.sqrt(size)).reshape(1, 1, -1)
        self.eps = mx.full((1, 1, 1), plain.eps * size)

    def __call__(self, x: mx.array) -> mx.array:
        """`(..., hidden)` to `(..., hidden)`."""
        total = mx.sum(mx.square(x), axis=-1, keepdims=True)
        return x * mx.rsqrt(total + self.eps) * self.weight


def times(layer: Linear, factor: float) -> Linear:
    """A layer whose outputs are so many times those of another."""
    scaled = Linear(1, 1, bias=False)
    for name, array in layer.parameters().items():  # type: ignore[no-untyped-call]
        scaled[name] = array * factor
    return scaled


def linear(layers: Sequence[Linear], tiled: bool) -> Any:  # noqa: ANN401
    """One layer whose outputs are those of all these, in order."""
    weight = mx.concatenate([one.weight for one in layers])
    biased = "bias" in layers[0]
    bias = mx.concatenate([one.bias for one in layers]) if biased else None
    if tiled:
        return evaluated(TiledLinear(weight, bias))
    layer = Linear(1, 1, bias=False)
    layer.weight = mx.contiguous(weight.T).T  # as the faster of BLAS's two ways wants it
    if bias is not None:
        layer.bias = bias
    return evaluated(layer)


def evaluated(module: Module) -> Module:
    """The module, its arrays made: what they were made of can be freed."""
    arrays: Any = module.parameters()  # type: ignore[no-untyped-call]
    mx.eval(arrays)
    return module


def lay_out(model: Any, tiled: bool) -> None:  # noqa: ANN401
    """Put these layers in the places of a llama's own; tiled where small products are fast."""
    turns: dict[type, Rotation | None] = {}  # some layers may turn nothing
    for layer in model.layers:
        plain = layer.self_attn
        if type(plain.rope) not in turns:
            head_dim = plain.q_proj.weight.shape[0] // plain.n_heads
            turns[type(plain.rope)] = rotation(plain.rope, head_dim)
        layer.self_attn = Attention(plain, turns[type(plain.rope)], tiled)
        layer.mlp = MLP(layer.mlp, tiled)
    for module in (*model.layers, model.model):
        for name, norm in module.children().items():
            if type(norm) is RMSNorm:
                setattr(module, name, evaluated(Norm(norm)))
    if not model.args.tie_word_embeddings:
        model.lm_head = linear([model.lm_head], tiled)
    elif tiled:
        embedding: Embedding = model.model.embed_tokens
        model.model.embed_tokens = evaluated(TiledEmbedding(embedding.weight))


def lay_out_linears(model: Any) -> None:  # noqa: ANN401
    """Leave mlx-lm's layers in their places, each weight as the faster of BLAS's ways wants it."""
    for module in model.modules():
        if type(module) is Linear:
            module.weight = mx.contiguous(module.weight.T).T
            evaluated(module)

"""Encoders of the BERT family in plain MLX: ids in, one vector a row out.

Post-norm blocks; BERT adds a vector for each position, nomic-bert rotates queries and keys and
gates its MLP. Engine thread only.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Final

import mlx.core as mx

from .device import device
from .embedding_shape import EncoderShape, Pooling

# A rational fit of erf(x) / x in x squared on 0..4, found by reweighted least squares
_ERF_ABOVE: Final = (
    1.921706106e-08,
    -1.990270092e-06,
    1.555283153e-04,
    4.292745157e-03,
    5.243255099e-02,
    2.139377934e-01,
    1.128378678,
)
_ERF_BELOW: Final = (1.097959411e-03, 1.555049015e-02, 1.207967596e-01, 5.229250925e-01, 1.0)


class Encoder:
    """A loaded encoder; `arrays` are those of `EncoderShape.tensors`, checked."""

    def __init__(self, shape: EncoderShape, arrays: Mapping[str, mx.array]) -> None:
        self._shape = shape
        self._arrays = {
            # laid out for a plain product, the only fast one of MLX's CPU
            name: mx.contiguous(one.T) if _is_linear(name, one) else one
            for name, one in arrays.items()
        }
        first_type = self._arrays.pop("token_types.weight", None)
        self._offset = mx.zeros((1, shape.width)) if first_type is None else first_type[:1]
        if shape.rope_base is None:  # every text is of the first type, so the sums are fixed
            rows = self._arrays.pop("position_embd.weight")[shape.first_position :]
            self._offset = rows + self._offset.astype(rows.dtype)
        self._activation = _gelu_tanh if shape.tanh_gelu else gelu
        mx.eval(self._arrays, self._offset)

    @property
    def nbytes(self) -> int:
        """What the weights take."""
        return sum(int(one.nbytes) for one in (*self._arrays.values(), self._offset))

    def __call__(self, ids: mx.array, lengths: mx.array) -> mx.array:
        """Vectors `(B, D)` of padded rows `(B, L)` with so many tokens each `(B,)`; float32."""
        size = ids.shape[1]
        inside = mx.arange(size)[None] < lengths[:, None]
        x = self._arrays["token_embd.weight"][ids]
        x = x + self._offset[:size].astype(x.dtype)
        x = self._norm("token_embd_norm", x)
        mask = inside[:, None, None, :]
        for layer in range(self._shape.layers):
            place = f"blk.{layer}."
            x = self._norm(place + "attn_output_norm", x + self._attention(place, x, mask))
            x = self._norm(place + "layer_output_norm", x + self._mlp(place, x))
        return pooled(x, lengths, self._shape.pooling)

    def _attention(self, place: str, x: mx.array, mask: mx.array) -> mx.array:
        batch, size, width = x.shape
        heads = self._shape.heads
        together = self._linear(place + "attn_qkv", x)
        q, k, v = (
            part.reshape(batch, size, heads, -1).swapaxes(1, 2)
            for part in mx.split(together, 3, axis=-1)
        )
        base = self._shape.rope_base
        if base is not None:
            q, k = (
                mx.fast.rope(one, width // heads, traditional=False, base=base, scale=1.0, offset=0)
                for one in (q, k)
            )
        scale = (width // heads) ** -0.5
        seen = mx.fast.scaled_dot_product_attention(q, k, v, scale=scale, mask=mask)
        return self._linear(place + "attn_output", seen.swapaxes(1, 2).reshape(batch, size, width))

    def _mlp(self, place: str, x: mx.array) -> mx.array:
        up = self._linear(place + "ffn_up", x)
        if self._shape.rope_base is None:
            return self._linear(place + "ffn_down", self._activation(up))
        gate = self._linear(place + "ffn_gate", x)
        return self._linear(place + "ffn_down", gate * mx.sigmoid(gate) * up)

    def _linear(self, name: str, x: mx.array) -> mx.array:
        weight, bias = self._arrays[name + ".weight"], self._arrays.get(name + ".bias")
        return x @ weight if bias is None else mx.addmm(bias, x, weight)

    def _norm(self, name: str, x: mx.array) -> mx.array:
        weight, bias = self._arrays[name + ".weight"], self._arrays[name + ".bias"]
        return mx.fast.layer_norm(x, weight, bias, self._shape.epsilon)


class Decoder:
    """A generating model whose last hidden states are its embedding; causal."""

    def __init__(
        self, hidden: Callable[[mx.array], Any], pooling: Pooling, weight_bytes: int
    ) -> None:
        self._hidden = hidden
        self._pooling = pooling
        self.nbytes = weight_bytes

    def __call__(self, ids: mx.array, lengths: mx.array) -> mx.array:
        """As an encoder's; padding comes after the text, which never looks at it."""
        return pooled(self._hidden(ids), lengths, self._pooling)


def pooled(x: mx.array, lengths: mx.array, pooling: Pooling) -> mx.array:
    """One vector `(B, D)` of each row of hidden states `(B, L, D)`; float32."""
    if pooling == "cls":
        return x[:, 0].astype(mx.float32)
    if pooling == "last":
        return x[mx.arange(x.shape[0]), lengths - 1].astype(mx.float32)
    inside = (mx.arange(x.shape[1])[None] < lengths[:, None])[..., None]
    kept = mx.where(inside, x.astype(mx.float32), 0.0)  # padding may hold anything, NaN too
    return kept.sum(axis=1) / lengths[:, None]


def _is_linear(name: str, array: mx.array) -> bool:
    return name.startswith("blk.") and array.ndim == 2


def gelu(x: mx.array) -> mx.array:
    """The exact GELU."""
    return x * (0.5 + 0.5 * _erf(x * (1 / math.sqrt(2))))


def _erf(x: mx.array) -> mx.array:
    """The error function to 4e-7; MLX's own takes 36 ns a number on a CPU, this one a quarter."""
    if device().is_gpu:
        return mx.erf(x)
    x = mx.clip(x, -4, 4)
    square = x * x
    above, below = (_polynomial(each, square) for each in (_ERF_ABOVE, _ERF_BELOW))
    return x * above / below


def _polynomial(coefficients: tuple[float, ...], x: mx.array) -> mx.array:
    """The value of a polynomial, given from its highest power down."""
    highest, second, *others = coefficients
    value = highest * x + second
    for each in others:
        value = value * x + each
    return value


def _gelu_tanh(x: mx.array) -> mx.array:
    return 0.5 * x * (1 + mx.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)))

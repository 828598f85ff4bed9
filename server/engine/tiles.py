"""Weights laid out for a CPU: as tiles that OpenBLAS multiplies where they lie.

OpenBLAS copies ("packs") the weight before it multiplies, which costs more than a step of a few
rows. Small products, up to `UNPACKED` multiply-adds, go to kernels that do not copy, on cores
with AVX-512. So a weight `(N, K)` is kept as tiles `(N / width, K, width)`, each contiguous, and
a product of many rows becomes many small ones; every number of the model is still read once a
step. Such a product of a row is the same whatever other rows are there.
"""

from __future__ import annotations

from typing import Final

import mlx.core as mx
from mlx.nn.layers.base import Module

UNPACKED: Final = 1_000_000  # OpenBLAS kernel/x86_64/sgemm_small_kernel_permit_skylakex.c
WIDTHS: Final = (64, 32, 16)  # whole AVX-512 registers
TILE_NUMBERS: Final = 64 * 2048  # half of a second-level cache of 1 MiB


class TiledLinear(Module):
    """A linear layer whose weight is `(T, K, W)`: T tiles of W outputs each."""

    def __init__(self, weight: mx.array, bias: mx.array | None = None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.weight = tiles(weight)
        self.bias = bias
        self._num_outputs = int(weight.shape[0])

    def __call__(self, x: mx.array) -> mx.array:
        """`(..., K)` to `(..., N)`."""
        out = product(x, self.weight, self._num_outputs)
        return out if self.bias is None else out + self.bias


class TiledEmbedding(Module):
    """Token embeddings that are the output layer too, kept once: as that layer needs them."""

    def __init__(self, weight: mx.array) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.weight = tiles(weight)
        self._num_tokens = int(weight.shape[0])

    def __call__(self, token_ids: mx.array) -> mx.array:
        """The embeddings `(..., K)` of token ids."""
        width = self.weight.shape[2]
        return self.weight[token_ids // width, :, token_ids % width]

    def as_linear(self, x: mx.array) -> mx.array:
        """The logits `(..., V)` of hidden states `(..., K)`."""
        return product(x, self.weight, self._num_tokens)


def tiles(weight: mx.array) -> mx.array:
    """A weight `(N, K)` as tiles `(T, K, W)`; the last one is filled up with zeros."""
    outputs, inputs = weight.shape
    widths = (outputs, *WIDTHS)  # one tile, if it stays in the cache: the fewest operations
    width = next((one for one in widths if one * inputs <= TILE_NUMBERS), WIDTHS[-1])
    missing = -outputs % width
    if missing:
        weight = mx.pad(weight, [(0, missing), (0, 0)])
    return mx.contiguous(weight.reshape(-1, width, inputs).swapaxes(1, 2))


def product(x: mx.array, weight: mx.array, num_outputs: int) -> mx.array:
    """`(..., K)` times tiles `(T, K, W)`, in portions of rows that are multiplied unpacked."""
    count, inputs, width = weight.shape
    rows = x.size // inputs
    portions = -(-rows // max(1, UNPACKED // (inputs * width)))
    size = -(-rows // portions)
    if portions == 1:  # a decode step: as few operations as it takes
        out = x.reshape(1, rows, inputs) @ weight
        if rows > 1 and count > 1:
            out = out.swapaxes(0, 1)
        if out.size == rows * num_outputs:
            return out.reshape(*x.shape[:-1], num_outputs)
        out = out.reshape(rows, count * width)
    else:
        flat = x.reshape(rows, inputs)
        if portions * size > rows:
            flat = mx.pad(flat, [(0, portions * size - rows), (0, 0)])
        # tile by tile, so that each stays in the cache for all its portions
        out = flat.reshape(1, portions, size, inputs) @ weight[:, None]
        out = out.transpose(1, 2, 0, 3).reshape(portions * size, count * width)
    if out.shape != (rows, num_outputs):
        out = out[:rows, :num_outputs]
    return out.reshape(*x.shape[:-1], num_outputs)

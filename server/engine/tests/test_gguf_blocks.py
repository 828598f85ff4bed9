"""Every quantised type against ggml's own reading of the same bytes, by PyPI's `gguf`."""

from __future__ import annotations

import gguf
import mlx.core as mx
import numpy as np
import pytest

from ...gguf import TENSOR_TYPES, TensorEntry
from .. import gguf_blocks
from ..gguf_blocks import QUANTISED, packing, read_tensor
from .tiny import Array

CODES = {one.name: code for code, one in TENSOR_TYPES.items()}
HALVES = {"Q2_K": (80, 82), "Q3_K": (108,), "Q6_K": (208,), "Q4_K": (0, 2), "Q5_K": (0, 2)}
SHAPE = (2, 3, 512)


def random_tensor(kind: str) -> tuple[Array, TensorEntry]:
    """Random blocks, only their scales and minima tame, and what a header says of them."""
    random = np.random.default_rng(3)
    stored = TENSOR_TYPES[CODES[kind]]
    count = int(np.prod(SHAPE)) // stored.block_size
    blocks = random.integers(0, 256, (count, stored.block_bytes)).astype(np.uint8)
    for at in HALVES.get(kind, (0, 2) if kind.endswith("_1") else (0,)):
        halves = random.standard_normal(count).astype(np.float16)
        blocks[:, at : at + 2] = halves[:, None].view(np.uint8)
    raw = blocks.reshape(-1)
    return raw, TensorEntry("x", SHAPE, stored, 0, len(raw))


def expected(raw: Array, kind: str) -> Array:
    """ggml's reading."""
    rows = raw.reshape(SHAPE[0] * SHAPE[1], -1)
    found: Array = gguf.quants.dequantize(rows, gguf.GGMLQuantizationType(CODES[kind]))
    return found.reshape(SHAPE)


def weights(parts: dict[str, mx.array], bits: int) -> Array:
    """The numbers of packed parts."""
    scales, biases = parts["scales"].astype(mx.float32), parts["biases"].astype(mx.float32)
    return np.array(mx.dequantize(parts["weight"], scales, biases, group_size=32, bits=bits))


@pytest.mark.parametrize("kind", QUANTISED)
def test_a_type_is_read_exactly(kind: str) -> None:
    """Repacked or plain, each weight is what ggml makes of it."""
    raw, entry = random_tensor(kind)
    parts, how = read_tensor(raw, entry), packing(entry)
    found = np.array(parts["weight"]) if how is None else weights(parts, how.bits)
    np.testing.assert_array_equal(found, expected(raw, kind))


@pytest.mark.parametrize("kind", ["Q2_K", "Q3_K", "Q6_K"])
def test_groups_of_sixteen_are_packed_anew_with_little_loss(kind: str) -> None:
    """The error is small beside the step of the type itself."""
    raw, entry = random_tensor(kind)
    parts, how = read_tensor(raw, entry, anew=True), packing(entry, anew=True)
    assert how is not None
    whole = expected(raw, kind)
    error = np.abs(weights(parts, how.bits) - whole).mean() / np.abs(whole).mean()
    assert error < 0.6 / 2 ** QUANTISED[kind].bits


def test_a_large_tensor_is_read_in_slabs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut between rows and joined again."""
    raw, entry = random_tensor("Q4_K")
    monkeypatch.setattr(gguf_blocks, "_SLAB", 1024)
    np.testing.assert_array_equal(weights(read_tensor(raw, entry), 4), expected(raw, "Q4_K"))


def test_bfloat16_is_the_upper_half_of_a_float32() -> None:
    """Each value comes out as it is."""
    values = np.array([[1.0, -2.5, 0.0, 3.0e38]], np.float32)
    raw = (values.view(np.uint32) >> 16).astype(np.uint16).view(np.uint8).reshape(-1)
    entry = TensorEntry("x", (1, 4), TENSOR_TYPES[CODES["BF16"]], 0, len(raw))
    found = np.array(read_tensor(raw, entry)["weight"])
    np.testing.assert_allclose(found, values, rtol=1e-2)

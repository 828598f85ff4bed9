"""Files to models: every format gives the weights it holds, and lies are refused."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from mlx_lm.models import llama

from .. import loader
from ..device import Device
from ..loader import Loaded, load
from ..sequence import LoadError, ModelSource
from . import tiny
from .tiny import Array

IDS = [[1, 40, 200, 7, 90, 256]]


def reference(arrays: dict[str, Array], **changes: object) -> Array:
    """The logits of mlx-lm's own model with these weights."""
    model: Any = llama.Model(llama.ModelArgs.from_dict(tiny.config() | changes))  # type: ignore[no-untyped-call]
    model.load_weights([(name, mx.array(one)) for name, one in arrays.items()])
    return np.array(model(mx.array(IDS)))


def logits(loaded: Loaded) -> Array:
    return np.array(loaded.model(mx.array(IDS), cache=None))


def from_gguf(path: Path) -> Loaded:
    return load(ModelSource(gguf=path), 1)


def from_folder(files: dict[str, Path]) -> Loaded:
    return load(ModelSource(gguf=None, safetensors=files), 1)


def test_a_float32_gguf_is_the_model_it_was_made_from(tmp_path: Path) -> None:
    """Names, tied shapes and the row order of q and k all come out right."""
    arrays = tiny.weights()
    loaded = from_gguf(tiny.write_gguf(tmp_path / "m", arrays))
    np.testing.assert_allclose(logits(loaded), reference(arrays), atol=1e-4)


@pytest.mark.parametrize("kind", ["F16", "Q8_0", "Q4_0", "Q4_1"])
def test_a_quantised_gguf_holds_what_its_blocks_say(tmp_path: Path, kind: str) -> None:
    """The logits are those of the weights decoded by ggml's formulas."""
    arrays = tiny.weights()
    decoded = {
        name: decode(tiny.stored(one, kind).raw, kind).reshape(one.shape) if one.ndim == 2 else one
        for name, one in arrays.items()
    }
    loaded = from_gguf(tiny.write_gguf(tmp_path / "m", arrays, kind))
    np.testing.assert_allclose(logits(loaded), reference(decoded), atol=2e-3)


def decode(raw: bytes, kind: str) -> Array:
    """The weights of blocks, one after the other: ggml/src/ggml-quants.c dequantize_row_*."""
    if kind == "F16":
        return np.frombuffer(raw, np.float16).astype(np.float32)
    size = {"Q8_0": 34, "Q4_0": 18, "Q4_1": 20}[kind]
    values: list[float] = []
    for start in range(0, len(raw), size):
        block = raw[start : start + size]
        scale = float(np.frombuffer(block[:2], np.float16)[0])
        if kind == "Q8_0":
            values += [scale * one for one in np.frombuffer(block[2:], np.int8).tolist()]
            continue
        lowest = -8 * scale if kind == "Q4_0" else float(np.frombuffer(block[2:4], np.float16)[0])
        quants = block[2:] if kind == "Q4_0" else block[4:]
        values += [scale * (one & 15) + lowest for one in quants]
        values += [scale * (one >> 4) + lowest for one in quants]
    return np.array(values, np.float32)


def test_a_tied_gguf_uses_its_embedding_as_output(tmp_path: Path) -> None:
    """Without output.weight the embedding is both."""
    arrays = {name: one for name, one in tiny.weights().items() if name != "lm_head.weight"}
    loaded = from_gguf(tiny.write_gguf(tmp_path / "m", arrays))
    expected = reference(arrays, tie_word_embeddings=True)
    np.testing.assert_allclose(logits(loaded), expected, atol=1e-4)


def test_rope_factors_of_a_gguf_are_applied(tmp_path: Path) -> None:
    """Factors of 4 everywhere are a linear scaling by 4."""
    arrays = tiny.weights()
    tensors = tiny.gguf_tensors(arrays)
    factors = np.full(tiny.HEAD_DIM // 2, 4, np.float32)
    tensors["rope_freqs.weight"] = tiny.stored(factors, "F32")
    (tmp_path / "m").write_bytes(tiny.gguf_bytes(tiny.metadata(), tensors))
    expected = reference(arrays, rope_scaling={"rope_type": "linear", "factor": 4.0})
    np.testing.assert_allclose(logits(from_gguf(tmp_path / "m")), expected, atol=1e-4)


def test_a_hugging_face_folder_is_the_model_it_was_made_from(tmp_path: Path) -> None:
    """Blobs without extensions are found by the names they had."""
    arrays = tiny.weights()
    loaded = from_folder(tiny.write_safetensors(tmp_path, arrays))
    np.testing.assert_allclose(logits(loaded), reference(arrays), atol=1e-4)


def test_bfloat16_tensors_keep_their_values(tmp_path: Path) -> None:
    """The upper half of a float32 is a bfloat16."""
    cut = {
        name: (one.view(np.uint32) >> 16).astype(np.uint16) for name, one in tiny.weights().items()
    }
    loaded = from_folder(tiny.write_safetensors(tmp_path, cut, dtype="BF16"))
    whole = {name: (one.astype(np.uint32) << 16).view(np.float32) for name, one in cut.items()}
    np.testing.assert_allclose(logits(loaded), reference(whole), atol=1e-4)


def test_mlxs_quantised_layout_is_read(tmp_path: Path) -> None:
    """Packed weights with scales and biases give the model that mlx dequantises."""
    packed: dict[str, Array] = {}
    whole: dict[str, Array] = {}
    for name, one in tiny.weights().items():
        if not name.endswith("proj.weight"):
            packed[name] = whole[name] = one
            continue
        weight, scales, biases = mx.quantize(mx.array(one), group_size=32, bits=4)
        whole[name] = np.array(mx.dequantize(weight, scales, biases, group_size=32, bits=4))
        place = name.removesuffix(".weight")
        packed[name] = np.array(weight)
        packed[place + ".scales"] = np.array(scales)
        packed[place + ".biases"] = np.array(biases)
    changes = {"quantization": {"group_size": 32, "bits": 4}}
    loaded = from_folder(tiny.write_safetensors(tmp_path, packed, changes))
    np.testing.assert_allclose(logits(loaded), reference(whole), atol=1e-4)


def test_both_forms_have_the_same_tokenizer(tmp_path: Path) -> None:
    """The ids of a text, its bytes and the end tokens agree."""
    text = "the thing in <|start|> été 🦙 1234<|end|>\n\n  x"
    gguf = from_gguf(tiny.write_gguf(tmp_path / "m", tiny.weights())).tokenizer
    folder = from_folder(tiny.write_safetensors(tmp_path, tiny.weights())).tokenizer
    assert gguf.encode(text) == folder.encode(text)
    assert gguf.encode(text, special=False) == folder.encode(text, special=False)
    assert (gguf.token_bytes, gguf.eos_ids) == (folder.token_bytes, folder.eos_ids)
    assert gguf.decode(gguf.encode(text, special=False)) == text


GGUF_LIES: dict[str, tuple[dict[str, Any], str]] = {
    "architecture": ({"general__architecture": "mamba"}, "'mamba' is not supported: its layers"),
    "unknown architecture": ({"general__architecture": "mystery"}, "supported: these are: .*llama"),
    "layers": ({"llama__block_count": 1}, "no place in this model"),
    "more layers": ({"llama__block_count": 3}, "9 tensors are missing"),
    "many layers": ({"llama__block_count": 2_000_000}, "layers"),
    "width": ({"llama__embedding_length": 128}, "expected"),
    "heads": ({"llama__attention__head_count": 3}, "3 heads"),
    "no heads": ({"llama__attention__head_count": 0}, "lying"),
    "feed forward": ({"llama__feed_forward_length": 32}, "expected"),
    "experts": ({"llama__expert_count": 8}, "expert_used_count is None"),
    "epsilon": ({"llama__attention__layer_norm_rms_epsilon": float("nan")}, "epsilon"),
    "text for a number": ({"llama__context_length": "many"}, "context_length is 'many'"),
    "rope": ({"llama__rope__scaling__type": "ntk"}, "'ntk' is not supported"),
    "tokenizer": ({"tokenizer__ggml__model": "rwkv"}, "'rwkv' is not supported"),
    "pre": ({"tokenizer__ggml__pre": "mystery"}, "'mystery' is not supported"),
    "tokens": ({"tokenizer__ggml__tokens": ["a", "a"]}, "names a token twice"),
    "many tokens": ({"tokenizer__ggml__tokens": [str(n) for n in range(900)]}, "differ in length"),
    "merge": ({"tokenizer__ggml__merges": ["the"]}, "no merge"),
    "foreign merge": ({"tokenizer__ggml__merges": ["x yz"]}, "do not fit"),
    "end token": ({"tokenizer__ggml__eos_token_id": 70_000}, "70000"),
}


@pytest.mark.parametrize("lie", GGUF_LIES)
def test_a_gguf_that_contradicts_itself_is_refused(tmp_path: Path, lie: str) -> None:
    """Each is a LoadError whose message says what is wrong."""
    changes, reason = GGUF_LIES[lie]
    path = tiny.write_gguf(tmp_path / "m", tiny.weights(), **changes)
    with pytest.raises(LoadError, match=reason):
        from_gguf(path)


def test_an_unsupported_quantisation_is_named(tmp_path: Path) -> None:
    """IQ4_NL cannot be read yet: the message says which can."""
    tensors = tiny.gguf_tensors(tiny.weights())
    tensors["output.weight"] = tiny.Stored(20, (1, 256), b"\0" * 144)
    (tmp_path / "m").write_bytes(tiny.gguf_bytes(tiny.metadata(), tensors))
    with pytest.raises(LoadError, match=r"IQ4_NL .* F32, F16, BF16, Q8_0"):
        from_gguf(tmp_path / "m")


CONFIG_LIES: dict[str, tuple[dict[str, Any], str]] = {
    "architecture": ({"model_type": "mamba"}, "'mamba' is not supported: its layers"),
    "no architecture": ({"model_type": ["llama"]}, "is not supported: these are"),
    "layers": ({"num_hidden_layers": 10**9}, "num_hidden_layers"),
    "width": ({"hidden_size": -1}, "hidden_size is -1"),
    "heads": ({"num_attention_heads": 3}, "3 heads|expected"),
    "epsilon": ({"rms_norm_eps": "tiny"}, "rms_norm_eps"),
    "rope": ({"rope_scaling": {"rope_type": "ntk", "factor": 2}}, "'ntk' is not supported"),
    "window": ({"layer_types": ["sliding_attention"] * 2}, "no llama can be made of this"),
    "vocabulary": ({"vocab_size": 1000}, "expected"),
}


@pytest.mark.parametrize("lie", CONFIG_LIES)
def test_a_config_that_contradicts_its_tensors_is_refused(tmp_path: Path, lie: str) -> None:
    """Each is a LoadError whose message says what is wrong."""
    changes, reason = CONFIG_LIES[lie]
    files = tiny.write_safetensors(tmp_path, tiny.weights(), changes)
    with pytest.raises(LoadError, match=reason):
        from_folder(files)


def test_safetensors_whose_offsets_lie_are_refused(tmp_path: Path) -> None:
    """A tensor that ends behind the file's end is never read."""
    files = tiny.write_safetensors(tmp_path, tiny.weights())
    path = files["model.safetensors"]
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(LoadError, match="truncated safetensors"):
        from_folder(files)


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}, "its shape needs 8"),
        ({"dtype": "F99", "shape": [2], "data_offsets": [0, 8]}, "unknown type 'F99'"),
        ({"dtype": "F32", "shape": [-1], "data_offsets": [0, -4]}, "the shape"),
        ({"dtype": "F32", "shape": 2, "data_offsets": [0, 8]}, "malformed"),
        (["F32"], "malformed"),
    ],
)
def test_safetensors_with_a_lying_entry_are_refused(
    tmp_path: Path, entry: object, reason: str
) -> None:
    """Type, shape and offsets must agree."""
    files = tiny.write_safetensors(tmp_path, tiny.weights())
    text = json.dumps({"x": entry}).encode()
    content = len(text).to_bytes(8, "little") + text + b"\0" * 64
    files["model.safetensors"].write_bytes(content)
    with pytest.raises(LoadError, match=reason):
        from_folder(files)


def test_mutated_headers_load_or_are_refused(tmp_path: Path) -> None:
    """Two hundred files with random bytes changed in the header end in a model or a LoadError."""
    path = tiny.write_gguf(tmp_path / "m", tiny.weights())
    content = path.read_bytes()
    chance = random.Random(4)
    for _ in range(200):
        mutant = bytearray(content)
        for _ in range(chance.randint(1, 6)):
            mutant[chance.randrange(12_000)] = chance.randrange(256)
        path.write_bytes(mutant)
        try:
            from_gguf(path)
        except LoadError:
            continue


@pytest.mark.parametrize("kind", ["F32", "F16", "Q8_0", "Q4_0", "Q4_1"])
def test_apple_silicon_keeps_native_types(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """The other machine's branch gives the same logits, with the file's own weight types."""
    path = tiny.write_gguf(tmp_path / "m", tiny.weights(), kind)
    here = logits(from_gguf(path))
    monkeypatch.setattr(loader, "device", lambda: Device.METAL)
    there = from_gguf(path)
    assert there.kv.dtype == (mx.float32 if kind == "F32" else mx.float16)
    np.testing.assert_allclose(logits(there), here, atol=0.1)  # half precision, logits to 4

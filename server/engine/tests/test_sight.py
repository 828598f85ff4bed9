"""The numbers of vision models: read from both kinds of files, and lies among them refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ...gguf import read_gguf_header
from ..sequence import LoadError
from ..sight import checked, sight_of_config, sight_of_gguf
from ..text_part import text_config, text_name

SEEING = Path(__file__).resolve().parents[3] / "fixtures" / "models" / "scripted-vision"
NUMBERS: dict[str, Any] = {
    "image_size": 512,
    "longest_edge": 2048,
    "patch_size": 16,
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_layers": 12,
    "num_heads": 12,
    "epsilon": 1e-6,
    "merge": 4,
    "mean": (0.5, 0.5, 0.5),
    "std": (0.5, 0.5, 0.5),
}


def folder(name: str) -> dict[str, Any]:
    """A JSON file of the scripted vision model's folder."""
    found: dict[str, Any] = json.loads((SEEING / "safetensors" / name).read_text())
    return found


def test_both_files_say_the_same() -> None:
    """The projector's header and the folder's configs give one sight."""
    header = read_gguf_header(SEEING / "mmproj.gguf")
    of_gguf = sight_of_gguf(header.metadata)
    of_folder = sight_of_config(folder("config.json"), folder("preprocessor_config.json"))
    assert of_gguf.epsilon == pytest.approx(of_folder.epsilon)
    assert of_gguf.tokens_per_view == of_folder.tokens_per_view == 4
    assert (of_gguf.image_size, of_gguf.longest_edge, of_gguf.merge) == (64, 64, 2)


def test_smolvlm_makes_64_tokens_of_a_view() -> None:
    """512 pixels in patches of 16, 4 by 4 of which are one token."""
    assert checked(**NUMBERS).tokens_per_view == 64


@pytest.mark.parametrize(
    "lie",
    [
        {"image_size": 0},
        {"image_size": "512"},
        {"image_size": True},
        {"patch_size": 15},
        {"patch_size": 1 << 20},
        {"merge": 3},
        {"merge": 1, "patch_size": 1},
        {"num_heads": 7},
        {"num_layers": 4096},
        {"longest_edge": 60_000},
        {"epsilon": 0.0},
        {"epsilon": float("nan")},
        {"mean": (0.5,)},
        {"std": (0.5, 0.0, 0.5)},
        {"std": (0.5, float("inf"), 0.5)},
        {"mean": "abc"},
    ],
)
def test_lies_are_refused(lie: dict[str, Any]) -> None:
    """Nothing is made of numbers beyond reason."""
    with pytest.raises(LoadError, match="lying vision model"):
        checked(**{**NUMBERS, **lie})


def test_other_projectors_are_refused() -> None:
    """The message says which kind is known."""
    with pytest.raises(LoadError, match="projector type 'mlp' is not supported: 'idefics3' is"):
        sight_of_gguf({"clip.projector_type": "mlp"})


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("model.text_model.layers.0.mlp.up_proj.weight", "model.layers.0.mlp.up_proj.weight"),
        ("language_model.layers.0.mlp.up_proj.weight", "model.layers.0.mlp.up_proj.weight"),
        ("language_model.model.norm.weight", "model.norm.weight"),
        ("language_model.lm_head.weight", "lm_head.weight"),
        ("lm_head.weight", "lm_head.weight"),
        ("model.layers.0.mlp.up_proj.weight", "model.layers.0.mlp.up_proj.weight"),
        ("model.vision_model.post_layernorm.bias", None),
        ("vision_model.post_layernorm.bias", None),
        ("connector.modality_projection.proj.weight", None),
    ],
)
def test_the_text_part_s_tensors_have_plain_names(name: str, wanted: str | None) -> None:
    """Of Hugging Face's names and of mlx-vlm's; those of the tower are left out."""
    assert text_name(name) == wanted


def test_the_text_part_s_config_is_the_inner_one() -> None:
    """What stands outside counts for tied embeddings; other models' configs stay."""
    inner = {"model_type": "VLlama3", "hidden_size": 8, "tie_word_embeddings": True}
    whole = {"model_type": "idefics3", "tie_word_embeddings": False, "text_config": inner}
    assert text_config(whole) == {
        "model_type": "llama",
        "hidden_size": 8,
        "tie_word_embeddings": False,
    }
    assert text_config({"model_type": "llama"}) == {"model_type": "llama"}

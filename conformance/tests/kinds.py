"""What the honest server knows of models that do something else than generate text."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import cache
from typing import Any

from ..script import SEEING
from ..vectors import EMBEDDING

TEXT, EMBEDS, SEES = "text", "embedding", "vision"
DETAILS = {"parent_model": "", "format": "gguf", "quantization_level": "F16"}
OF_KIND: dict[str, dict[str, Any]] = {
    TEXT: {
        "details": {"family": "llama", "families": ["llama"], "parameter_size": "473K"},
        "lengths": {"context_length": 4096, "embedding_length": 128},
        "model_info": {"general.architecture": "llama", "general.parameter_count": 473_000,
                       "llama.context_length": 4096, "tokenizer.ggml.tokens": None},
    },
    EMBEDS: {
        "details": {"family": "bert", "families": ["bert"], "parameter_size": "89K"},
        "lengths": {"context_length": 128, "embedding_length": 64},
        "model_info": {"general.architecture": "bert", "general.parameter_count": 89_000,
                       "bert.context_length": 128, "bert.embedding_length": 64,
                       "bert.pooling_type": 1},
    },
    SEES: {
        "details": {"family": "llama", "families": ["llama"], "parameter_size": "451K"},
        "lengths": {"context_length": 4096, "embedding_length": 128},
        "model_info": {"general.architecture": "llama", "general.parameter_count": 451_000,
                       "llama.context_length": 4096},
        "projector_info": {"general.architecture": "clip", "clip.vision.image_size": 64},
    },
}  # fmt: skip


@cache
def digests() -> dict[str, str]:
    """The files of such models, and what a model is that has them."""
    files = {EMBEDDING / "scripted-embedding.gguf": EMBEDS, SEEING / "mmproj.gguf": SEES}
    return {
        f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}": kind
        for path, kind in files.items()
    }


def kind_of(files: Iterable[str]) -> str:
    """What a model made of files with these digests is."""
    return next((digests()[one] for one in files if one in digests()), TEXT)

"""Liars about registries that say too much, or too little."""

from __future__ import annotations

from ..honest import Lie
from ..lies import values
from .liar import Liar

LIMITS = [
    Liar("a large manifest is as good as none", "pull/large-manifest", Lie(flaw="any manifest")),
    Liar("chokes on a large manifest", "pull/large-manifest", Lie(flaw="chokes on much")),
    Liar("chokes on a large error", "pull/large-error", Lie(flaw="chokes on much")),
    Liar("a bomb is as good as a manifest", "pull/packed-manifest", Lie(flaw="any manifest")),
    Liar(
        "repeats what a config says",
        "pull/unknown-quantization",
        values(
            lambda one: one["details"].update(quantization_level="unknown"),
            "/api/show",
        ),
    ),
]

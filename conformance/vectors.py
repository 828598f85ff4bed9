"""The scripted embedding model as data, and the vectors in an answer."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from .evidence import Exchange, Json, Wrong
from .script import FIXTURES, folder_files

EMBEDDING = FIXTURES / "models" / "scripted-embedding"
SAME = 0.999  # cosine of two vectors of one text, at least; the script's wrong ones have 0.98

Vector = Sequence[float]


@dataclass(frozen=True, slots=True)
class Text:
    """A text of the script, and the vector that every right engine gives to it."""

    id: str
    text: str
    tokens: int  # special ones included
    vector: tuple[float, ...]
    num_ctx: int | None  # where the vector is that of the text's beginning


@dataclass(frozen=True, slots=True)
class Vectors:
    """All of it."""

    context_length: int
    dimensions: int
    texts: dict[str, Text]

    @property
    def whole(self) -> list[Text]:
        """The texts that need no option."""
        return [one for one in self.texts.values() if one.num_ctx is None]


@cache
def load_vectors() -> Vectors:
    """The script beside the model. Raises OSError or ValueError when the fixtures are not whole."""
    script = json.loads((EMBEDDING / "script.json").read_text(encoding="utf-8"))
    if script.get("schema") != "parallama/vectors/1":
        raise ValueError(f"{EMBEDDING / 'script.json'} is no parallama/vectors/1")
    texts = [
        Text(one["id"], one["text"], one["tokens"], tuple(one["vector"]), one.get("num_ctx"))
        for one in script["texts"]
    ]
    return Vectors(script["context_length"], script["dimensions"], {one.id: one for one in texts})


def embedding_forms() -> tuple[dict[str, bytes], ...]:
    """The model's files: as GGUF, and as a folder of safetensors."""
    gguf = EMBEDDING / "scripted-embedding.gguf"
    return {gguf.name: gguf.read_bytes()}, folder_files(EMBEDDING / "safetensors")


def read_vectors(got: Exchange) -> list[list[float]]:
    """The vectors of an answer of /api/embed. Raises Wrong where it is none."""
    found = got.ok.object["embeddings"]
    if not isinstance(found, list):
        raise Wrong("`embeddings` to be a list", found)
    return [_numbers(one, f"embeddings[{place}]") for place, one in enumerate(found)]


def read_vector(got: Exchange) -> list[float]:
    """The vector of an answer of /api/embeddings. Raises Wrong where it is none."""
    return _numbers(got.ok.object["embedding"], "embedding")


def _numbers(found: Json, what: str) -> list[float]:
    if not isinstance(found, list) or not all(type(one) in (int, float) for one in found):
        raise Wrong(f"{what} to be a list of numbers", str(found)[:200])
    return [float(one) for one in found]


def length(vector: Vector) -> float:
    """How long it is."""
    return math.sqrt(sum(one * one for one in vector))


def cosine(one: Vector, other: Vector) -> float:
    """How alike two vectors are; -1 where they cannot be compared."""
    size = length(one) * length(other)
    if len(one) != len(other) or not size:
        return -1.0
    return sum(left * right for left, right in zip(one, other, strict=True)) / size

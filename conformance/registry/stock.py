"""What lies in the registry: the scripted model as a manifest and its blobs.

Every check marks its weights with a word of its own, so that no two share a digest: a server
keeps blobs by their digest, and would have one check's in its store when another asks for them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from ..script import load_script, weights

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG = "application/vnd.docker.container.image.v1+json"
LAYER = "application/vnd.ollama.image."
NAME_KEY = b"general.name"
STRING_TYPE = (8).to_bytes(4, "little")


def digest_of(content: bytes) -> str:
    """The digest that names a blob."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@dataclass(frozen=True, slots=True)
class Layer:
    """A blob and what it is."""

    media_type: str
    content: bytes
    origin: str = ""  # the `from` of a manifest: the model that the layer was taken from
    named: str | None = None  # what the manifest calls it, where that is not its digest

    @property
    def digest(self) -> str:
        """The name of the blob."""
        return digest_of(self.content)

    @property
    def entry(self) -> dict[str, Any]:
        """Itself in a manifest."""
        digest = self.digest if self.named is None else self.named
        entry = {"mediaType": self.media_type, "digest": digest, "size": len(self.content)}
        return {**entry, "from": self.origin} if self.origin else entry


@dataclass(frozen=True, slots=True)
class Package:
    """A model as a registry has it."""

    layers: tuple[Layer, ...]
    config: Layer

    @property
    def blobs(self) -> tuple[Layer, ...]:
        """All layers in the order of the manifest, config last."""
        return (*self.layers, self.config)

    @property
    def weights(self) -> Layer:
        """The layer that is large."""
        return self.layers[0]

    @property
    def size(self) -> int:
        """Of all blobs together."""
        return sum(len(layer.content) for layer in self.blobs)

    @property
    def manifest(self) -> bytes:
        """The manifest, as Ollama writes it into a registry."""
        told = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": self.config.entry,
            "layers": [layer.entry for layer in self.layers],
        }
        return json.dumps(told, separators=(",", ":")).encode()

    def with_layers(self, layers: Iterable[Layer]) -> Package:
        """The same model with other layers."""
        return replace(self, layers=tuple(layers))


def marked(content: bytes, mark: str) -> bytes:
    """A GGUF whose general.name ends in the mark, nothing else changed."""
    length_at = content.index(NAME_KEY + STRING_TYPE) + len(NAME_KEY) + len(STRING_TYPE)
    length = int.from_bytes(content[length_at : length_at + 8], "little")
    end = length_at + 8 + length
    sign = mark.encode()[:length]
    return content[: end - len(sign)] + sign + content[end:]


def scripted(mark: str, *, system: str = "", origin: str = "") -> Package:
    """The scripted model; text layers carry the mark too, where a model may have any text."""
    script = load_script()
    texts = {
        "model": marked(weights(), mark),
        "template": f"{{{{- /* {mark} */ -}}}}\n{script.template}".encode(),
        "system": system.encode(),
        "params": json.dumps(parameters_of(mark)).encode() + b"\n",
        "license": f"Apache-2.0, parallama check {mark}".encode(),
    }
    layers = [
        Layer(LAYER + kind, content, origin if kind == "model" else "")
        for kind, content in texts.items()
        if content
    ]
    return Package(tuple(layers), Layer(CONFIG, _config(mark)))


def parameters_of(mark: str) -> dict[str, Any]:
    """The parameters of the model of this mark: the mark is a stop string."""
    parameters = load_script().parameters
    return {**parameters, "stop": [*parameters.get("stop", []), mark]}


def _config(mark: str) -> bytes:
    told = {
        "model_format": "gguf",
        "model_family": "llama",
        "model_families": ["llama"],
        "model_type": "473K",
        "file_type": "F16",
        "architecture": "amd64",
        "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": [digest_of(mark.encode())]},
    }
    return json.dumps(told, separators=(",", ":")).encode() + b"\n"

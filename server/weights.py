"""Uploaded weights, examined before a model is made of them: what they are, and whether whole.

Blocking. A file that is refused here is removed from the store, unless a model uses it.
"""

import json
import struct
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TypeVar

from .decode import Json
from .engine.embedding_shape import ENCODERS
from .engine.sequence import LoadError
from .engine.sight import SEEING_TYPES
from .errors import ApiError, not_supported
from .gguf import FILE_TYPES, MAGIC, GGUFHeader, read_gguf_header
from .packed import parameter_count, quantization_name
from .safetensors import StoredTensor, read_safetensors_header
from .store import LAYER_TYPE, BadDigestError, Layer, Store, checked_digest
from .wire import Record

T = TypeVar("T")

_THOUSAND, _MILLION, _BILLION = 10**3, 10**6, 10**9


@dataclass(frozen=True, slots=True)
class Weights:
    """Layers that hold weights, and what the config blob says about them."""

    layers: tuple[Layer, ...]
    config: Mapping[str, Json]
    quantization: str


def check_path(path: str) -> None:
    """Refuse a file name that would leave its folder (CREATE-26)."""
    parts = PurePosixPath(path).parts
    if not path or path.startswith("/") or str(PurePosixPath(path)) != path or ".." in parts:
        raise ApiError(400, "file path must be relative")


def read_weights(store: Store, files: Mapping[str, str]) -> Generator[Record, None, Weights]:
    """The weights in uploaded files, telling each step; raises `ApiError` for what is wrong."""
    if any(path.endswith(".safetensors") for path in files):
        return (yield from _safetensors(store, files))
    if not any(path.endswith(".gguf") or _is_gguf(store, digest) for path, digest in files.items()):
        _forget(store, files.values())
        raise ApiError(400, "unknown type")
    return (yield from _gguf(store, files))


def _is_gguf(store: Store, digest: str) -> bool:
    """Whether a file without a telling name begins as a GGUF does (CREATE-27)."""
    try:
        with store.blob(digest).open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except (OSError, BadDigestError):
        return False


def _forget(store: Store, digests: Iterable[str]) -> None:
    """Remove files that were refused, unless a model uses them."""
    for digest in digests:
        with suppress(BadDigestError):
            store.remove_unused(frozenset({checked_digest(digest)}))


def _gguf(store: Store, files: Mapping[str, str]) -> Generator[Record, None, Weights]:
    layers, models = [], []
    for digest in files.values():
        yield {"status": "parsing GGUF"}
        header = _refusing(store, digest, _header)
        kind = _gguf_kind(header)
        if kind == "adapter":
            raise not_supported("an adapter (LoRA)")
        if kind == "model":
            models.append(header)
        layers.append(_layer(store, kind, digest))
    if len(models) != 1:
        raise not_supported(f"a model of {len(models)} GGUF files")
    declared = models[0].metadata.get("general.file_type")
    named = FILE_TYPES.get(declared, "unknown") if type(declared) is int else "unknown"
    family = models[0].architecture
    config: dict[str, Json] = {
        "model_format": "gguf",
        "model_family": family,
        "model_families": [family],
        "model_type": human(models[0].parameter_count),
        "file_type": named,
    }
    return Weights(tuple(layers), config, named)


def _header(blob: Path) -> GGUFHeader:
    with blob.open("rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            raise ApiError(400, "supplied file was not in GGUF format")
    header = read_gguf_header(blob)
    if not header.architecture:
        raise LoadError("the GGUF does not name its architecture (general.architecture)")
    return header


def _gguf_kind(header: GGUFHeader) -> str:
    """The kind of layer that a GGUF becomes (CREATE-18)."""
    declared = header.metadata.get("general.type")
    arch = header.architecture
    if declared == "adapter":
        return "adapter"
    blocks = header.metadata.get(f"{arch}.block_count")
    seeing = header.metadata.get(f"{arch}.vision.block_count")
    if declared in ("projector", "mmproj") or (seeing and not blocks) or arch == "clip":
        return "projector"
    return "model"


def _safetensors(store: Store, files: Mapping[str, str]) -> Generator[Record, None, Weights]:
    """Safetensors stay as they are: a layer a file, with its name."""
    yield {"status": "reading safetensors"}
    layers: list[Layer] = []
    tensors: list[StoredTensor] = []
    for path, digest in files.items():
        is_weights = path.endswith(".safetensors")
        if is_weights:
            tensors.extend(_refusing(store, digest, read_safetensors_header))
        layers.append(_layer(store, "tensor" if is_weights else "json", digest, path))
    if "config.json" not in files:
        raise ApiError(400, "safetensors need their config.json")
    described = _refusing(store, files["config.json"], _config_json)
    family = described.get("model_type")
    if not isinstance(family, str) or not family:
        raise ApiError(400, "unknown architecture: config.json has no model_type")
    quantization = quantization_name(tensors, described)
    config: dict[str, Json] = {
        "model_format": "safetensors",
        "model_family": family,
        "model_families": [family],
        "model_type": human(parameter_count(tensors, described)),
        "file_type": quantization,
        "capabilities": [
            "embedding" if family in ENCODERS else "completion",
            *(["vision"] if family in SEEING_TYPES else ()),
        ],
    }
    return Weights(tuple(layers), config, quantization)


def _config_json(blob: Path) -> Mapping[str, Json]:
    try:
        found = json.loads(blob.read_bytes())
    except (ValueError, RecursionError) as error:
        raise LoadError(f"config.json is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise LoadError("config.json holds no object")
    return found


def _refusing(store: Store, digest: str, read: Callable[[Path], T]) -> T:
    """What `read` finds in a blob; one that it refuses is removed, and 400 says what is wrong."""
    blob = store.blob(digest)
    if not blob.is_file():
        raise ApiError(400, f"open blobs/{blob.name}: no such file or directory")
    try:
        return read(blob)
    except (LoadError, struct.error) as error:
        _forget(store, [digest])
        raise ApiError(400, str(error)) from error
    except ApiError:
        _forget(store, [digest])
        raise


def _layer(store: Store, kind: str, digest: str, name: str = "") -> Layer:
    size_bytes = store.blob(digest).stat().st_size
    return Layer(LAYER_TYPE + kind, checked_digest(digest), size_bytes, name=name)


def human(count: int) -> str:
    """A number of weights as people say it: 134.52M, 8B, 501K (`format/format.go:HumanNumber`)."""
    if count >= _BILLION:
        return f"{count / _BILLION:.0f}B" if count % _BILLION == 0 else f"{count / _BILLION:.1f}B"
    if count >= _MILLION:
        return f"{count / _MILLION:.0f}M" if count % _MILLION == 0 else f"{count / _MILLION:.2f}M"
    return f"{count / _THOUSAND:.0f}K" if count >= _THOUSAND else str(count)

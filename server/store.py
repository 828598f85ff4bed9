"""Models on disk, in Ollama's own layout: `manifests/HOST/NAMESPACE/MODEL/TAG` and `blobs/`.

Blocking; call it from a thread. A path is built only from a `ModelName` or a checked digest, so
that nothing a client or a manifest says leaves the store. What is written appears whole or not
at all: a temporary file beside its place, synced, renamed.
"""

import dataclasses
import hashlib
import json
import os
import re
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO

from .decode import Json
from .errors import ApiError
from .framing import stored
from .names import InvalidNameError, ModelName

MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG_TYPE = "application/vnd.docker.container.image.v1+json"
LAYER_TYPE = "application/vnd.ollama.image."

_DIGEST = re.compile(r"sha256[:-]([0-9a-fA-F]{64})", re.ASCII)
_HOUR_S = 3600  # younger files may belong to a transfer in progress (STORE-14)
_SETTLED_NS = 100_000_000  # clocks of file systems tick in steps of up to 10 ms


class BadDigestError(ApiError):
    """Text that is no digest; its status where a file was named is 500, in a URL 400."""

    def __init__(self) -> None:
        super().__init__(400, "invalid digest format")


class UnreadableError(Exception):
    """A manifest or a blob of it that is damaged; `status` is the HTTP status."""

    status = 500


def checked_digest(text: str) -> str:
    """`text` as `sha256:` and 64 lower-case hex digits; raises `BadDigestError`."""
    found = _DIGEST.fullmatch(text)
    if found is None:
        raise BadDigestError
    return f"sha256:{found[1].lower()}"


@dataclass(frozen=True, slots=True)
class Layer:
    """One blob of a model; `origin` is the `from` of a layer that came from a model or a file."""

    media_type: str
    digest: str
    size_bytes: int
    origin: str = ""
    name: str = ""

    @property
    def kind(self) -> str:
        """The last word of the media type: model, template, params, ..."""
        return self.media_type.removeprefix(LAYER_TYPE)

    def to_json(self) -> dict[str, Json]:
        """The layer as manifests hold it (STORE-06)."""
        record: dict[str, Json] = {
            "mediaType": self.media_type,
            "digest": self.digest,
            "size": self.size_bytes,
        }
        optional = {"from": self.origin, "name": self.name}
        return record | {key: value for key, value in optional.items() if value}


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a model is made of; `digest` (hex) is its identity."""

    name: ModelName
    config: Layer | None
    layers: tuple[Layer, ...]
    digest: str
    modified_ns: int

    @property
    def size_bytes(self) -> int:
        """The sum of all layers as the manifest declares them (TAGS-05)."""
        config_bytes = self.config.size_bytes if self.config else 0
        return config_bytes + sum(layer.size_bytes for layer in self.layers)

    @property
    def digests(self) -> frozenset[str]:
        """All blobs in use."""
        config = {self.config.digest} if self.config else set()
        return frozenset(config | {layer.digest for layer in self.layers})

    def of(self, kind: str) -> tuple[Layer, ...]:
        """The layers of one kind, in order."""
        return tuple(layer for layer in self.layers if layer.kind == kind)


@dataclass(frozen=True, slots=True)
class Stamp:
    """What tells two writings of one file apart, by its status alone."""

    inode: int
    size_bytes: int
    modified_ns: int
    changed_ns: int


class Upload:
    """A blob being written; gone again unless `finish` was reached."""

    def __init__(self, folder: Path) -> None:
        descriptor, path = tempfile.mkstemp(prefix="sha256-", dir=folder)
        self._file: IO[bytes] = os.fdopen(descriptor, "wb")
        self._path = Path(path)
        self._hash = hashlib.sha256()
        self._folder = folder
        self.size_bytes = 0

    def __enter__(self) -> "Upload":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()
        self._path.unlink(missing_ok=True)

    def write(self, chunk: bytes) -> None:
        """Append bytes."""
        self._file.write(chunk)
        self._hash.update(chunk)
        self.size_bytes += len(chunk)

    def finish(self, expected: str | None = None) -> str:
        """Put the blob in its place and return its digest; 400 if it is not the expected one."""
        digest = f"sha256:{self._hash.hexdigest()}"
        if expected is not None and digest != expected:
            raise ApiError(400, f'digest mismatch, expected "{expected}", got "{digest}"')
        _settle(self._file, self._path, self._folder / digest.replace(":", "-"))
        return digest


def _settle(file: IO[bytes], temporary: Path, place: Path) -> None:
    """Make a temporary file durable, readable, and known under its name."""
    file.flush()
    os.fchmod(file.fileno(), 0o644)
    os.fsync(file.fileno())
    file.close()
    temporary.replace(place)


class Store:
    """The models below one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self._blobs = self.root / "blobs"
        self._manifests = self.root / "manifests"

    def blob(self, digest: str) -> Path:
        """Where the blob of that digest lies; raises `BadDigestError`."""
        return self._blobs / checked_digest(digest).replace(":", "-")

    def has_blob(self, digest: str) -> bool:
        """Whether that blob is there."""
        return self.blob(digest).is_file()

    def upload(self) -> Upload:
        """A new blob to write to."""
        self._blobs.mkdir(parents=True, exist_ok=True)
        return Upload(self._blobs)

    def add_layer(self, kind: str, content: bytes) -> tuple[Layer, bool]:
        """The layer that holds `content`, and whether its blob is new."""
        return self._add(LAYER_TYPE + kind, content)

    def add_config(self, config: Json) -> Layer:
        """The config layer, its fields in the order given."""
        return self._add(CONFIG_TYPE, stored(config))[0]

    def _add(self, media_type: str, content: bytes) -> tuple[Layer, bool]:
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        layer = Layer(media_type, digest, len(content))
        if self.has_blob(digest):
            self.touch(digest)
            return layer, False
        with self.upload() as upload:
            upload.write(content)
            upload.finish()
        return layer, True

    def touch(self, digest: str) -> None:
        """Make a blob young again, so that pruning spares it (CREATE-29)."""
        with suppress(OSError):
            os.utime(self.blob(digest))

    def find(self, name: ModelName) -> ModelName | None:
        """The stored name that means the same model, whatever its case; None if there is none."""
        if self._path(name).is_file():
            return name
        return next((each for each in self.names() if each.folded == name.folded), None)

    def stamp(self, name: ModelName) -> Stamp | None:
        """What the manifest of a stored name is known by; None where there is none.

        Also where it is too young to be told from one that is written right after it.
        """
        try:
            status = os.stat(self._path(name))
        except OSError:
            return None
        if time.time_ns() - status.st_ctime_ns < _SETTLED_NS or not stat.S_ISREG(status.st_mode):
            return None
        return Stamp(status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)

    def names(self) -> Iterator[ModelName]:
        """The names of all manifests; files that are no manifest by their place are skipped."""
        paths = [self._manifests]
        for _ in dataclasses.fields(ModelName):  # a level of folders for each part of a name
            paths = [one for each in paths for one in _inside(each)]
        for path in paths:
            with suppress(InvalidNameError):
                name = ModelName(*path.relative_to(self._manifests).parts)
                if path.is_file():
                    yield name

    def manifests(self) -> Iterator[Manifest]:
        """All manifests that can be read."""
        for name in self.names():
            with suppress(UnreadableError, OSError):
                yield self.read(name)

    def read(self, name: ModelName) -> Manifest:
        """The manifest of a stored name; raises `OSError` or `UnreadableError`."""
        path = self._path(name)
        content = path.read_bytes()
        try:
            document = json.loads(content)
            config, layers = document.get("config") or {}, document.get("layers") or ()
            return Manifest(
                name=name,
                config=_layer(config) if config.get("digest") else None,
                layers=tuple(_layer(each) for each in layers),
                digest=hashlib.sha256(content).hexdigest(),
                modified_ns=path.stat().st_mtime_ns,
            )
        except (ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
            raise UnreadableError(f"manifest of {name.short} is damaged: {error}") from error
        except BadDigestError as error:
            raise UnreadableError(str(error)) from error

    def write(self, name: ModelName, config: Layer, layers: tuple[Layer, ...]) -> None:
        """Write the manifest of a model, in place of an older one."""
        document: Json = {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": config.to_json(),
            "layers": [layer.to_json() for layer in layers],
        }
        self._write_manifest(name, stored(document))

    def copy(self, source: ModelName, destination: ModelName) -> None:
        """Give a model a second name; the manifest's bytes stay as they are (COPY-03)."""
        self._write_manifest(destination, self._path(source).read_bytes())

    def _write_manifest(self, name: ModelName, content: bytes) -> None:
        path = self._path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        # in blobs, where start-up pruning looks for what a crash left behind
        self._blobs.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(prefix="manifest-", dir=self._blobs)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            _settle(file, Path(temporary), path)

    def delete(self, name: ModelName) -> None:
        """Remove a model, and the blobs that no other model uses (DELETE-03)."""
        with suppress(UnreadableError):
            unused = self.read(name).digests
            self._remove_manifest(name)
            self.remove_unused(unused)
            return
        self._remove_manifest(name)

    def _remove_manifest(self, name: ModelName) -> None:
        path = self._path(name)
        path.unlink()
        for folder in (path.parent, path.parent.parent, path.parent.parent.parent):
            with suppress(OSError):  # another model is in there
                folder.rmdir()

    def remove_unused(self, candidates: frozenset[str]) -> None:
        """Remove those of the blobs that no readable manifest uses."""
        used = {digest for manifest in self.manifests() for digest in manifest.digests}
        for digest in candidates - used:
            self.blob(digest).unlink(missing_ok=True)

    def adopt_old_names(self) -> None:
        """Rename blobs of early releases, `sha256:...`, to `sha256-...` (STORE-04)."""
        for path in self._blobs.rglob("sha256:*"):
            path.rename(path.with_name(path.name.replace(":", "-", 1)))

    def prune(self) -> bool:
        """Remove what is older than an hour and belongs to no model; False if it dared not.

        One manifest that cannot be read stops it: its blobs are unknown (STORE-14).
        """
        try:
            names = list(self.names())
            used = {self.blob(d) for name in names for d in self.read(name).digests}
        except (UnreadableError, OSError):
            return False
        oldest_s = time.time() - _HOUR_S
        for path in self._blobs.glob("*"):
            if path not in used and path.is_file() and path.stat().st_mtime < oldest_s:
                path.unlink(missing_ok=True)
        return True

    def _path(self, name: ModelName) -> Path:
        return self._manifests.joinpath(name.host, name.namespace, name.model, name.tag)


def _inside(folder: Path) -> list[Path]:
    """What a folder has, in order; nothing where it is none, or just goes with its last model."""
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _layer(record: dict[str, Json]) -> Layer:
    """A layer of a manifest; a digest in the other spelling is normalised (STORE-16)."""
    size = record.get("size") or 0
    if not isinstance(size, int):
        raise TypeError("a layer's size is no number")
    return Layer(
        media_type=str(record.get("mediaType") or ""),
        digest=checked_digest(str(record.get("digest") or "")),
        size_bytes=size,
        origin=str(record.get("from") or ""),
        name=str(record.get("name") or ""),
    )

"""An installed model, read from the store: everything a request needs but its weights.

Blocking; `Catalog` remembers what it has read, by manifest, since a GGUF header with its
vocabulary takes a tenth of a second.
"""

import json
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from .body import parse
from .decode import DecodeError, Json
from .engine.embedding_shape import ENCODERS
from .engine.sequence import LoadError, ModelSource
from .engine.sight import SEEING_TYPES, Sight, sight_of_config, sight_of_gguf
from .gguf import FILE_TYPES, GGUFHeader, read_gguf_header
from .messages import Message, decode_messages
from .names import ModelName
from .safetensors import StoredTensor, read_safetensors_header
from .store import Layer, Manifest, Stamp, Store, UnreadableError

_MAX_KEPT = 64  # models


@dataclass(frozen=True, slots=True, eq=False)
class InstalledModel:
    """A model with its texts; `gguf` or `tensors` say what its weights are.

    One that was read again is another one.
    """

    manifest: Manifest
    config: Mapping[str, Json]
    source: ModelSource
    gguf: GGUFHeader | None
    tensors: tuple[StoredTensor, ...]
    weights_config: Mapping[str, Json]
    tokenizer_config: Mapping[str, Json]
    go_template: str | None
    chat_template: str | None
    system: str
    parameters: Mapping[str, Json]
    messages: tuple[Message, ...]
    licenses: tuple[str, ...]
    projectors: tuple[Path, ...] = ()
    projector: GGUFHeader | None = None  # of the first of them
    sight: Sight | None = None
    blindness: str = ""
    """Why it cannot see, though it has eyes; empty where it sees, or has none."""

    @property
    def name(self) -> ModelName:
        """The stored name."""
        return self.manifest.name

    def text_of(self, key: str) -> str:
        """A text of the config, empty where absent."""
        value = self.config.get(key)
        return value if isinstance(value, str) else ""

    @property
    def capabilities(self) -> tuple[str, ...]:
        """The capabilities that the config lists."""
        listed = self.config.get("capabilities")
        return tuple(str(each) for each in listed) if isinstance(listed, list) else ()

    @property
    def architecture(self) -> str:
        """The architecture that the weights declare, else the config's family."""
        declared = self.gguf.architecture if self.gguf else self.weights_config.get("model_type")
        return declared if isinstance(declared, str) and declared else self.text_of("model_family")

    @property
    def context_length(self) -> int:
        """The number of positions the model was trained for, 0 when it does not say."""
        return self._trained("context_length", "max_position_embeddings", "max_trained_positions")

    @property
    def embedding_length(self) -> int:
        """The width of the model, 0 when it does not say."""
        return self._trained("embedding_length", "hidden_size", "n_embd")

    def _trained(self, gguf_key: str, *config_keys: str) -> int:
        if self.gguf is not None:
            value: object = self.gguf.metadata.get(f"{self.gguf.architecture}.{gguf_key}")
        else:
            found = (self.weights_config.get(key) for key in config_keys)
            value = next((each for each in found if each is not None), None)
        return value if isinstance(value, int) and value > 0 else 0

    @property
    def quantization(self) -> str:
        """The name of the weights' type, `unknown` when nothing says it (SHOW-12)."""
        named = self.text_of("file_type")
        if named not in ("", "unknown") or self.gguf is None:
            return named
        declared = self.gguf.metadata.get("general.file_type")
        return FILE_TYPES.get(declared, "unknown") if type(declared) is int else "unknown"

    def details(self, parent: bool = True) -> dict[str, Json]:
        """The `details` of tags, show and ps (SHOW-11)."""
        models = self.manifest.of("model")
        families = self.config.get("model_families")
        return {
            "parent_model": models[-1].origin if models and parent else "",
            "format": self.text_of("model_format"),
            "family": self.text_of("model_family"),
            "families": families if isinstance(families, list) else None,
            "parameter_size": self.text_of("model_type"),
            "quantization_level": self.quantization,
        }


class Catalog:
    """The installed models of a store."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._read = lru_cache(maxsize=_MAX_KEPT)(self._read_now)
        self._found: OrderedDict[ModelName, tuple[Stamp, InstalledModel]] = OrderedDict()

    def get(self, name: ModelName) -> InstalledModel | None:
        """The model of that name in any case, None if there is none.

        Raises `UnreadableError` for a damaged one and `OSError` when a blob is missing.
        """
        stored_name = self.store.find(name)
        return None if stored_name is None else self._current(stored_name)

    def unchanged(self, name: ModelName) -> InstalledModel | None:
        """The model of that very name, if its manifest is the file that was read last.

        It looks at one file's status, so the event loop may ask.
        """
        return self._known(name, self.store.stamp(name))

    def _known(self, name: ModelName, stamp: Stamp | None) -> InstalledModel | None:
        found = self._found.get(name)
        return found[1] if found is not None and found[0] == stamp else None

    def _current(self, name: ModelName) -> InstalledModel:
        stamp = self.store.stamp(name)  # before reading: what is written meanwhile differs from it
        known = self._known(name, stamp)
        if known is not None:
            return known
        model = self._read(self.store.read(name))
        if stamp is not None:
            self._found[name] = stamp, model
            if len(self._found) > _MAX_KEPT:
                self._found.popitem(last=False)
        return model

    def all(self) -> list[InstalledModel]:
        """The models that can be read, newest first; the others are left out (TAGS-10)."""
        found = []
        for name in self.store.names():
            with suppress(UnreadableError, OSError):
                found.append(self._current(name))
        return sorted(found, key=lambda m: m.manifest.modified_ns // 1_000_000_000, reverse=True)

    def _read_now(self, manifest: Manifest) -> InstalledModel:
        return _Reader(self.store, manifest).model()


class _Reader:
    def __init__(self, store: Store, manifest: Manifest) -> None:
        self._store = store
        self._manifest = manifest

    def model(self) -> InstalledModel:
        source = self._source()
        gguf = _gguf(source.gguf)
        weights_config = _side_file(source, "config.json")
        config = self._json(self._manifest.config) if self._manifest.config else {}
        projectors = tuple(self._store.blob(x.digest) for x in self._manifest.of("projector"))
        projector = _gguf(projectors[0]) if projectors else None
        sight, blindness = _sight(source, projectors, projector, weights_config)
        tokenizer_config = _side_file(source, "tokenizer_config.json")
        texts = {name: self._text(name) for name in ("template", "prompt", "system")}
        return InstalledModel(
            manifest=self._manifest,
            config=_object(config, "config"),
            source=replace(
                source,
                embeds=_embeds(gguf, weights_config),
                projector=projectors[0] if sight and projectors else None,
            ),
            gguf=gguf,
            tensors=_tensors(source),
            weights_config=weights_config,
            tokenizer_config=tokenizer_config,
            go_template=texts["template"] or texts["prompt"],
            chat_template=_chat_template(gguf, source, tokenizer_config),
            system=texts["system"] or "",
            parameters=self._parameters(),
            messages=self._messages(),
            licenses=tuple(self._content(each) for each in self._manifest.of("license")),
            projectors=projectors,
            projector=projector,
            sight=sight,
            blindness=blindness,
        )

    def _source(self) -> ModelSource:
        models = self._manifest.of("model")
        files = (*self._manifest.of("tensor"), *self._manifest.of("json"))
        return ModelSource(
            gguf=self._store.blob(models[-1].digest) if models else None,
            safetensors={each.name: self._store.blob(each.digest) for each in files} or None,
        )

    def _content(self, layer: Layer) -> str:
        # bytes, as a file that is read as text has its line ends changed
        return self._store.blob(layer.digest).read_bytes().decode("utf-8", "replace")

    def _text(self, kind: str) -> str | None:
        """The text of the last layer of a kind (STORE-10), None where there is none."""
        layers = self._manifest.of(kind)
        return self._content(layers[-1]) if layers else None

    def _json(self, layer: Layer) -> Json:
        try:
            return parse(self._store.blob(layer.digest).read_bytes())
        except DecodeError as error:
            raise UnreadableError(
                f"{layer.kind} of {self._manifest.name.short}: {error}"
            ) from error

    def _parameters(self) -> Mapping[str, Json]:
        merged: dict[str, Json] = {}
        for layer in self._manifest.of("params"):
            merged |= _object(self._json(layer), "params")
        return merged

    def _messages(self) -> tuple[Message, ...]:
        layers = self._manifest.of("messages")
        if not layers:
            return ()
        try:
            return decode_messages(self._json(layers[-1]), "messages")
        except DecodeError as error:
            raise UnreadableError(f"messages of {self._manifest.name.short}: {error}") from error


def _object(value: Json, what: str) -> Mapping[str, Json]:
    if not isinstance(value, Mapping):
        raise UnreadableError(f"the {what} layer is no JSON object")
    return value


def _sight(
    source: ModelSource,
    projectors: Sequence[Path],
    projector: GGUFHeader | None,
    weights_config: Mapping[str, Json],
) -> tuple[Sight | None, str]:
    """How a model sees; None with the reason where it has eyes of a kind that is not known."""
    try:
        if projectors:
            if projector is None:
                raise LoadError("the projector cannot be read")
            return sight_of_gguf(projector.metadata), ""
        if weights_config.get("model_type") in SEEING_TYPES:
            preprocessor = _side_file(source, "preprocessor_config.json")
            return sight_of_config(weights_config, preprocessor), ""
    except LoadError as error:
        return None, str(error)
    return None, ""


def _embeds(gguf: GGUFHeader | None, weights_config: Mapping[str, Json]) -> bool:
    """Whether weights are those of an embedding model (SHOW-21)."""
    if gguf is not None:
        return f"{gguf.architecture}.pooling_type" in gguf.metadata
    declared = weights_config.get("model_type")
    return isinstance(declared, str) and declared in ENCODERS


def _gguf(path: Path | None) -> GGUFHeader | None:
    """The header of the weights; None where there are none or they cannot be read (TAGS-08)."""
    if path is None:
        return None
    try:
        return read_gguf_header(path)
    except (LoadError, OSError):
        return None


def _tensors(source: ModelSource) -> tuple[StoredTensor, ...]:
    """The tensors of all safetensors files that can be read."""
    found: list[StoredTensor] = []
    for name, path in (source.safetensors or {}).items():
        if name.endswith(".safetensors"):
            with suppress(LoadError, OSError):
                found += read_safetensors_header(path)
    return tuple(found)


def _side_file(source: ModelSource, name: str) -> Mapping[str, Json]:
    """A JSON file beside safetensors, empty where absent or damaged."""
    path = (source.safetensors or {}).get(name)
    if path is None:
        return {}
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _chat_template(
    gguf: GGUFHeader | None, source: ModelSource, tokenizer_config: Mapping[str, Json]
) -> str | None:
    """The Jinja template that comes with the weights."""
    found: object = tokenizer_config.get("chat_template")
    separate = (source.safetensors or {}).get("chat_template.jinja")
    if gguf is not None:
        found = gguf.metadata.get("tokenizer.chat_template")
    elif separate is not None:
        found = separate.read_bytes().decode("utf-8", "replace")
    return found if isinstance(found, str) else None

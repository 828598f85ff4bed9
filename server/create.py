"""Making a model out of uploaded files or of another model, step by step.

Blocking: a generator of progress records, run in a thread. Where it raises `ApiError` no
manifest was written, and what it put into the store is gone again.
"""

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from .body import fields_of, parse
from .declared import declared, merged
from .decode import Json, as_list, as_object, as_text, name_of, text
from .errors import ApiError, not_supported
from .framing import stored
from .installed import Catalog, InstalledModel
from .messages import Message, decode_messages
from .names import ModelName, Reference
from .requests import boolean
from .store import Layer
from .template import Template, TemplateError
from .weights import Weights, check_path, read_weights
from .wire import Record

_FIELDS = [
    "model",
    "name",
    "from",
    "files",
    "adapters",
    "draft_files",
    "draft_quantize",
    "template",
    "system",
    "license",
    "parameters",
    "messages",
    "quantize",
    "quantization",
    "renderer",
    "parser",
    "requires",
    "remote_host",
    "info",
    "stream",
]
_QUANTIZATIONS = ("F32", "F16", "Q4_K_S", "Q4_K_M", "Q8_0", "BF16", "Q4_K")
_CONFIG_ORDER = [
    "model_format",
    "model_family",
    "model_families",
    "model_type",
    "file_type",
    "renderer",
    "parser",
    "requires",
    "capabilities",
    "context_length",
    "embedding_length",
    "base_name",
]


@dataclass(frozen=True, slots=True)
class CreateRequest:
    """A decoded body of `/api/create`; `files` is None where absent."""

    model: str
    base: str
    files: Mapping[str, str] | None
    template: str
    system: str
    licenses: tuple[str, ...]
    parameters: Mapping[str, Json]
    messages: tuple[Message, ...]
    quantize: str
    config: Mapping[str, Json]
    wants_unsupported: str
    stream: bool

    @classmethod
    def decode(cls, body: bytes) -> "CreateRequest":
        """The request in `body`; raises `DecodeError`, and `ApiError` for bad paths and digests."""
        where = "CreateRequest"
        found = fields_of(parse(body), _FIELDS, f"api.{where}")
        files = _files(found, "files", where)
        adapters = _files(found, "adapters", where)
        drafts = _files(found, "draft_files", where)
        if text(found, "draft_quantize", where) and not drafts:
            raise ApiError(400, "--draft-quantize requires a DRAFT model")
        wanted = {
            "an adapter (adapters)": adapters,
            "a draft model (draft_files)": drafts,
            "a remote model (remote_host)": text(found, "remote_host", where),
        }
        info = as_object(found.get("info"), f"{where}.info", "map[string]interface {}")
        texts = {key: text(found, key, where) for key in ("renderer", "parser", "requires")}
        return cls(
            model=name_of(found, where),
            base=text(found, "from", where),
            files=files,
            template=text(found, "template", where),
            system=text(found, "system", where),
            licenses=_licenses(found.get("license")),
            parameters=as_object(
                found.get("parameters"), f"{where}.parameters", "map[string]interface {}"
            ),
            messages=decode_messages(found.get("messages"), f"{where}.messages"),
            quantize=(text(found, "quantize", where) or text(found, "quantization", where)).upper(),
            config=texts | declared(info),
            wants_unsupported=next((name for name, value in wanted.items() if value), ""),
            stream=boolean(found, "stream", where, default=True),
        )


def _files(found: Mapping[str, Json], key: str, where: str) -> Mapping[str, str] | None:
    value = found.get(key)
    if value is None:
        return None
    entries = as_object(value, f"{where}.{key}", "map[string]string")
    files = {path: as_text(digest, f"{where}.{key}") for path, digest in entries.items()}
    for path, digest in files.items():
        check_path(path)
        if not digest:
            raise ApiError(400, "invalid digest format")
    return files


def _licenses(value: Json) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,) if value else ()
    return tuple(as_text(each, "license") for each in as_list(value, "license", "[]string"))


@dataclass(frozen=True, slots=True)
class Parts:
    """What a model is going to be made of."""

    layers: tuple[Layer, ...]
    config: Mapping[str, Json]
    parameters: Mapping[str, Json]


def create(
    catalog: Catalog, request: CreateRequest, *, prune: bool
) -> Generator[Record, None, None]:
    """Make the model and tell each step (CREATE-02, CREATE-03).

    With `prune`, blobs that only a replaced model of this name used are removed.
    """
    store = catalog.store
    name = store.find(target := ModelName.parse(request.model)) or target
    _check(request)
    added: set[str] = set()
    try:
        if request.base:
            parts = _from_model(_base(catalog, request))
        else:
            weights = yield from read_weights(store, request.files or {})
            _check_quantize(request.quantize, weights.quantization)
            parts = _from_weights(weights)
        yield from _write(catalog, request, name, parts, added, prune=prune)
    except BaseException:
        store.remove_unused(frozenset(added))
        raise
    yield {"status": "success"}


def _check(request: CreateRequest) -> None:
    """Refuse what can be refused before any work is done."""
    if not request.base and request.files is None:
        raise ApiError(400, "neither 'from' or 'files' was specified")
    if request.wants_unsupported:
        raise not_supported(request.wants_unsupported)
    if request.quantize and request.quantize not in _QUANTIZATIONS:
        listed = ", ".join(_QUANTIZATIONS[:5])
        message = f"unsupported quantization type {request.quantize} - supported types are {listed}"
        raise ApiError(400, message)
    try:
        Template.parse(request.template)
    except TemplateError as error:
        raise ApiError(400, f"template error: {error}") from error


def _base(catalog: Catalog, request: CreateRequest) -> InstalledModel:
    reference = Reference.parse(request.base)
    base = catalog.get(reference.name)
    if base is None:
        raise ApiError(
            404, f"model '{request.base}' not found: install it first, this server cannot pull yet"
        )
    _check_quantize(request.quantize, base.quantization)
    return base


def _check_quantize(wanted: str, present: str) -> None:
    """Weights stay as they are; asking for what they are is no change (CREATE-07)."""
    if not wanted or wanted == present:
        return
    if present not in ("F16", "BF16", "F32"):
        raise ApiError(400, "quantization is only supported for F16, BF16 and F32 models")
    raise not_supported(f"quantizing from {present} to {wanted} (quantize)")


def _from_model(base: InstalledModel) -> Parts:
    """All layers of a model, which know where they came from; its parameters apart (CREATE-11)."""
    layers = (replace(layer, origin=base.name.short) for layer in base.manifest.layers)
    return Parts(
        layers=tuple(layer for layer in layers if layer.kind != "params"),
        config=base.config,
        parameters=base.parameters,
    )


def _from_weights(weights: Weights) -> Parts:
    return Parts(layers=weights.layers, config=weights.config, parameters={})


def _write(
    catalog: Catalog,
    request: CreateRequest,
    name: ModelName,
    parts: Parts,
    added: set[str],
    *,
    prune: bool,
) -> Iterator[Record]:
    store = catalog.store
    texts = _texts(request, {**parts.parameters, **request.parameters})
    replaced = {kind for kind, _ in texts if kind != "license"}
    layers = [layer for layer in parts.layers if layer.kind not in replaced]
    for layer in layers:
        store.touch(layer.digest)
        yield {"status": f"using existing layer {layer.digest}"}
    for kind, content in texts:
        layer, is_new = store.add_layer(kind, content)
        layers.append(layer)
        if is_new:
            added.add(layer.digest)
        yield {"status": f"{'creating new' if is_new else 'using existing'} layer {layer.digest}"}
    yield {"status": "writing manifest"}
    old = _digests(catalog, name)
    config = store.add_config(_config(parts.config, request.config))
    added.add(config.digest)
    store.write(name, config, tuple(layers))
    added.clear()
    if prune:
        store.remove_unused(old)


def _texts(request: CreateRequest, parameters: Mapping[str, Json]) -> list[tuple[str, bytes]]:
    """The new layers in the order of CREATE-02, as kind and content."""
    messages: Sequence[Json] = [message.to_json() for message in request.messages]
    found = [
        ("template", request.template.encode()),
        ("system", request.system.encode()),
        *(("license", each.encode()) for each in request.licenses),
        ("params", stored(dict(sorted(parameters.items()))) if parameters else b""),
        ("messages", stored(messages) if messages else b""),
    ]
    return [(kind, content) for kind, content in found if content or kind == "license"]


def _digests(catalog: Catalog, name: ModelName) -> frozenset[str]:
    """The blobs of the model that is about to be replaced."""
    stored_name = catalog.store.find(name)
    try:
        return catalog.store.read(stored_name).digests if stored_name else frozenset()
    except Exception:  # damaged: its blobs are unknown, and stay
        return frozenset()


def _config(base: Mapping[str, Json], given: Mapping[str, Json]) -> Json:
    """The config blob's fields in the order of STORE-11."""
    both = merged(base, given)
    kept = {key: both[key] for key in _CONFIG_ORDER if both.get(key) not in (None, "", [], 0)}
    defaults: dict[str, Json] = {
        "model_format": "",
        "model_family": "",
        "model_families": None,
        "model_type": "",
        "file_type": "",
    }
    return {**defaults, **kept, "architecture": "amd64", "os": "linux"}

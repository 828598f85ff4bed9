"""What who creates a model declares of it: `info` of `/api/create`, which overrides its config."""

from collections.abc import Mapping

from .decode import Json
from .errors import ApiError

_TEXTS = {
    "model_family": "model_family",
    "base_name": "base_name",
    "quantization_level": "file_type",
    "parameter_size": "model_type",
}
_COUNTS = ("context_length", "embedding_length")


def declared(info: Mapping[str, Json]) -> dict[str, Json]:
    """The config fields that `info` sets; raises `ApiError` for a wrong type. Others mean nothing.

    Source: server/create.go of the original, and its answers.
    """
    fields: dict[str, Json] = {}
    for key, field in _TEXTS.items():
        if key in info:
            fields[field] = _text(key, info[key])
    for key in _COUNTS:
        if key in info:
            fields[key] = _count(key, info[key])
    listed = info.get("capabilities")
    if isinstance(listed, list):
        fields["capabilities"] = [each for each in listed if isinstance(each, str)]
    return fields


def merged(base: Mapping[str, Json], given: Mapping[str, Json]) -> dict[str, Json]:
    """A config with these fields: a family goes before the others, capabilities behind."""
    family = given.get("model_family")
    first = [family] if isinstance(family, str) and family else []
    lists = {
        "model_families": [*first, *_listed(base, "model_families")],
        "capabilities": [*_listed(base, "capabilities"), *_listed(given, "capabilities")],
    }
    fields = {key: each for key, each in given.items() if each not in ("", 0)}
    return {**base, **fields, **{key: list(dict.fromkeys(each)) for key, each in lists.items()}}


def _listed(config: Mapping[str, Json], key: str) -> list[str]:
    value = config.get(key)
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def _text(key: str, value: Json) -> str:
    if not isinstance(value, str):
        raise ApiError(400, f'info field "{key}" must be a string')
    return value


def _count(key: str, value: Json) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ApiError(400, f'info field "{key}" must be a number')
    if value < 0 or not float(value).is_integer():
        raise ApiError(400, f'info field "{key}" must be a non-negative integer')
    return int(value)

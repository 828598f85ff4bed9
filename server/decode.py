"""Readers of decoded JSON that say what is wrong as Ollama says it.

Pure. A reader takes an object and a key and gives a Python value of the declared type, or raises
`DecodeError`. Absent and `null` are the same everywhere (REQ-005); unknown keys are never looked
at (REQ-003).
"""

import base64
import binascii
import re
from collections.abc import Mapping, Sequence

Json = None | bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"]

_SURROGATE = re.compile("[\ud800-\udfff]")
_NOT_BASE64 = re.compile(r"[^A-Za-z0-9+/=]")


class DecodeError(Exception):
    """A request whose JSON has a value of the wrong type; replied to as 400."""

    status = 400


def kind(value: Json) -> str:
    """The JSON name of a value's type, as Go's decoder spells it."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, str):
        return "string"
    if isinstance(value, (int, float)):
        return "number"
    if isinstance(value, Mapping):
        return "object"
    return "null" if value is None else "array"


def mismatch(value: Json, where: str, expected: str) -> DecodeError:
    """The error for `value` found at `where` (`ChatRequest.messages.role`)."""
    return DecodeError(
        f"json: cannot unmarshal {kind(value)} into Go struct field {where} of type {expected}"
    )


def as_object(value: Json, where: str, expected: str) -> Mapping[str, Json]:
    """`value` if it is an object, an empty one for null."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise mismatch(value, where, expected)
    return value


def as_text(value: Json, where: str) -> str:
    """`value` if it is a string, `""` for null; lone surrogates become U+FFFD (REQ-012)."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise mismatch(value, where, "string")
    return _SURROGATE.sub("�", value)


def as_list(value: Json, where: str, expected: str) -> Sequence[Json]:
    """`value` if it is an array, an empty one for null."""
    if value is None:
        return ()
    if isinstance(value, (str, Mapping)) or not isinstance(value, Sequence):
        raise mismatch(value, where, expected)
    return value


def text(fields: Mapping[str, Json], key: str, where: str) -> str:
    """The string under `key`."""
    return as_text(fields.get(key), f"{where}.{key}")


def name_of(fields: Mapping[str, Json], where: str) -> str:
    """The string under `model`, else under `name` as it was called once; both are checked."""
    model, name = text(fields, "model", where), text(fields, "name", where)
    return model or name


def texts(fields: Mapping[str, Json], key: str, where: str) -> tuple[str, ...]:
    """The array of strings under `key`."""
    place = f"{where}.{key}"
    return tuple(as_text(each, place) for each in as_list(fields.get(key), place, "[]string"))


def whole_number(fields: Mapping[str, Json], key: str, where: str) -> int:
    """The integer under `key`; fractions and strings are refused (REQ-008)."""
    value = fields.get(key)
    if value is None:
        return 0
    if isinstance(value, float):
        raise DecodeError(
            f"json: cannot unmarshal number {value!r} into Go struct field {where}.{key}"
            " of type int"
        )
    if isinstance(value, bool) or not isinstance(value, int):
        raise mismatch(value, f"{where}.{key}", "int")
    return value


def images(fields: Mapping[str, Json], key: str, where: str) -> tuple[bytes, ...]:
    """The array of base64 strings under `key`, decoded (REQ-010)."""
    place = f"{where}.{key}"
    found = as_list(fields.get(key), place, "[]api.ImageData")
    return tuple(_image(as_text(each, place)) for each in found)


def _image(encoded: str) -> bytes:
    encoded = encoded.replace("\r", "").replace("\n", "")
    wrong = _NOT_BASE64.search(encoded)
    if wrong is not None:
        raise DecodeError(f"illegal base64 data at input byte {wrong.start()}")
    try:
        return base64.b64decode(encoded, validate=True)
    except binascii.Error as error:
        raise DecodeError(f"illegal base64 data at input byte {len(encoded)}") from error

"""Profiles of one's own, from a TOML file. Every mistake is named with its key.

    name = "evening"
    about = "what our users do after work"

    [course]
    kind = "ladder"             # steps, ladder, lengths, rates or soak: see `profiles`
    users = [1, 4, 16]
    ask = {prompt_tokens = 256, output_tokens = 64}

Steps have points: `[[course.points]]` with a label, a load (`{users = 4, requests = 3}` or
`{rate_per_s = 0.5, requests = 20}`) and an ask.
"""

from __future__ import annotations

import math
import tomllib
import types
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any, TypeAlias, Union, get_args, get_origin, get_type_hints

from .load import APIS, EMBEDDING_APIS, Ask, Closed, Open, Point
from .profiles import Ladder, Lengths, Profile, Rates, Soak, Steps
from .schedule import ARRIVALS
from .workload import CHAT_APIS

Hint: TypeAlias = Any
"""The type of a field, as its annotation says."""
Value: TypeAlias = Any
COURSES: dict[str, type] = {
    "steps": Steps,
    "ladder": Ladder,
    "lengths": Lengths,
    "rates": Rates,
    "soak": Soak,
}
DEFAULTS: dict[type, dict[str, Any]] = {
    Profile: {"about": "from a file"},
    Point: {"group": "points", "value": None},
}
OURS = {"arm", "block", "model", "times_s", "notes"}
"""Fields that no file sets."""
ZERO_ALLOWED = {"warmup", "seed", "shared", "output_tokens", "value"}


class ProfileError(Exception):
    """A profile cannot be used; the message names every mistake with its key."""


def parse(text: str) -> Profile:
    """The profile that a TOML file holds; raises ProfileError."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ProfileError(f"it is not TOML: {error}") from None
    mistakes: list[str] = []
    profile = made(Profile, table, "", mistakes)
    if mistakes:
        raise ProfileError("; ".join(mistakes))
    assert isinstance(profile, Profile)
    return profile


def made(kind: type, table: object, key: str, mistakes: list[str]) -> Value:
    """A dataclass from a table; None with its mistakes noted where it cannot be."""
    if not isinstance(table, dict):
        mistakes.append(f"{key or 'the file'} must be a table")
        return None
    hints = get_type_hints(kind)
    given: dict[str, Any] = {}
    known = {field.name: field for field in fields(kind) if field.name not in OURS}
    for name in table.keys() - known.keys() - ({"kind"} if key == "course" else set()):
        mistakes.append(f"{within(key, name)} is unknown; there are: {', '.join(known)}")
    before = len(mistakes)
    for name, field in known.items():
        if name in table:
            given[name] = value(hints[name], table[name], within(key, name), mistakes)
        elif name in DEFAULTS.get(kind, {}):
            given[name] = DEFAULTS[kind][name]
        elif required(field):
            mistakes.append(f"{within(key, name)} is missing")
    if len(mistakes) > before:
        return None
    mistakes += wrong(kind, given, key)
    return kind(**given)


def within(key: str, name: str) -> str:
    """The key of a field of a table."""
    return f"{key}.{name}" if key else name


def required(field: Field[Any]) -> bool:
    """Whether a field has no default."""
    return field.default is MISSING and field.default_factory is MISSING


def value(hint: Hint, given: object, key: str, mistakes: list[str]) -> Value:
    """A value of the type that a field has; None with its mistake noted where it is none."""
    if key == "course":
        return course(given, mistakes)
    options = [one for one in alternatives(hint) if one is not type(None)]
    if set(options) == {Closed, Open}:
        kind = Open if isinstance(given, dict) and "rate_per_s" in given else Closed
        return made(kind, given, key, mistakes)
    hint = options[0]
    origin: object = get_origin(hint)
    if is_dataclass(hint):
        return made(hint, given, key, mistakes)  # type: ignore[arg-type]
    if origin is tuple:
        if not isinstance(given, list) or not given:
            mistakes.append(f"{key} must be a list with something in it")
            return None
        one = get_args(hint)[0]
        return tuple(value(one, part, f"{key}[{n}]", mistakes) for n, part in enumerate(given))
    if origin is Mapping:
        return expected(given, dict, key, "a table", mistakes)
    return scalar(hint, given, key, mistakes)


def alternatives(hint: Hint) -> tuple[Any, ...]:
    """The members of a union; a type of its own is its only member."""
    origin: object = get_origin(hint)
    return get_args(hint) if origin in (Union, types.UnionType) else (hint,)


def course(given: object, mistakes: list[str]) -> Value:
    """The course of a profile, whose kind says which fields it has."""
    kind = given.get("kind") if isinstance(given, dict) else None
    if not isinstance(kind, str) or kind not in COURSES:
        mistakes.append(f"course.kind must be one of {', '.join(COURSES)}")
        return None
    return made(COURSES[kind], given, "course", mistakes)


def scalar(hint: Hint, given: object, key: str, mistakes: list[str]) -> Value:
    """A text, number or truth value; numbers count something, so that none is negative."""
    if hint is bool or isinstance(given, bool):
        return expected(given, hint, key, "true or false" if hint is bool else "a number", mistakes)
    if hint is str:
        return expected(given, str, key, "a text", mistakes)
    if hint is float and isinstance(given, int):
        given = float(given)
    words = "a whole number" if hint is int else "a number"
    number = expected(given, hint, key, words, mistakes)
    if number is None:
        return None
    name = key.rpartition(".")[2]
    if not math.isfinite(number) or number < 0 or (number == 0 and name not in ZERO_ALLOWED):
        mistakes.append(f"{key} must be greater than 0, not {number:g}")
    return number


def expected(given: object, kind: type, key: str, words: str, mistakes: list[str]) -> Value:
    """The value, where it is of its kind."""
    if type(given) is kind:
        return given
    mistakes.append(f"{key} must be {words}, not {given!r}")
    return None


def wrong(kind: type, given: Mapping[str, Any], key: str) -> list[str]:
    """What no type tells."""
    said = []
    if kind is Ask:
        api = given.get("api", "generate")
        if api not in APIS:
            said.append(f"{within(key, 'api')} must be one of {', '.join(APIS)}, not {api!r}")
        if not 0 <= given.get("shared", 0) <= 1:
            said.append(f"{within(key, 'shared')} must be from 0 to 1")
        if given.get("turns", 1) > 1 and api not in CHAT_APIS:
            said.append(f"{within(key, 'turns')} needs one of {', '.join(sorted(CHAT_APIS))}")
        if given.get("inputs", 1) > 1 and api not in EMBEDDING_APIS:
            said.append(f"{within(key, 'inputs')} needs one of {', '.join(sorted(EMBEDDING_APIS))}")
        if not given.get("output_tokens", 1) and api not in EMBEDDING_APIS:
            said.append(f"{within(key, 'output_tokens')} must be greater than 0, not 0")
    if kind in (Open, Rates) and given.get("arrivals", "poisson") not in ARRIVALS[:2]:
        said.append(f"{within(key, 'arrivals')} must be one of {', '.join(ARRIVALS[:2])}")
    if kind is Rates and bool(given.get("shares")) == bool(given.get("rates_per_s")):
        said.append(f"{key} needs either shares or rates_per_s")
    if kind is Ladder and list(given["users"]) != sorted(set(given["users"])):
        said.append(f"{within(key, 'users')} must ascend")
    return said

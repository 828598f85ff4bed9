"""Liars about structured output."""

from __future__ import annotations

import json
from typing import Any

from ..honest import Lie
from ..lies import CHAT, GENERATE, TALK, Fields, accepts, hears, options, refuses, values
from .liar import Liar


def _schema_is(change: Any, *paths: str) -> Lie:  # noqa: ANN401
    """Schemas are read as others; what is no schema stays what it is."""

    def changed(fields: Fields) -> None:
        if isinstance(fields.get("format"), dict):
            fields["format"] = change(fields["format"])

    return hears(changed, *paths)


def _format_is(old: Any, new: Any, *paths: str) -> Lie:  # noqa: ANN401
    """One format is read as another."""

    def changed(fields: Fields) -> None:
        if "format" in fields and fields["format"] == old:
            fields["format"] = new

    return hears(changed, *paths)


def _says(change: Any, *paths: str) -> Lie:  # noqa: ANN401
    """The text of an answer in one object is another one, where it is JSON."""

    def changed(value: Fields) -> None:
        place = value.get("message", value)
        key = "content" if "message" in value else "response"
        try:
            found = json.loads(place[key])
        except (KeyError, ValueError):
            return
        place[key] = change(found)

    return values(changed, *(paths or TALK))


def _without(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {key: one for key, one in schema.items() if key != name}


def _constrains_all(fields: Fields) -> None:
    if len(fields.get("messages", ())) == 1 and not fields.get("format"):
        fields["format"] = "json"


FORMAT = [
    Liar("does not know json", "format/json-object", _format_is("json", None, *GENERATE)),
    Liar(
        "json may be a list",
        "format/json-object",
        _says(lambda found: json.dumps([found]), *GENERATE),
    ),
    Liar(
        "fences its JSON",
        "format/json-object",
        _says(lambda found: f"```json\n{json.dumps(found)}\n```", *GENERATE),
    ),
    Liar(
        "writes its own JSON",
        "format/json-as-it-would-be",
        _says(lambda found: json.dumps({})),
    ),
    Liar("no json in chat", "format/json-object-in-chat", _format_is("json", None, *CHAT)),
    Liar("ignores schemas", "format/schema", _schema_is(lambda one: None, *GENERATE)),
    Liar("schemas mean json", "format/schema", _schema_is(lambda one: "json", *GENERATE)),
    Liar(
        "forgets what is required",
        "format/schema",
        _schema_is(lambda one: _without("required", one), *GENERATE),
    ),
    Liar(
        "sorts properties",
        "format/schema-order",
        _says(lambda found: json.dumps(found, sort_keys=True), *GENERATE),
    ),
    Liar("ignores schemas in chat", "format/without-thinking", _schema_is(lambda one: None, *CHAT)),
    Liar(
        "constrains only what thinks",
        "format/without-thinking",
        hears(lambda one: {**one, "format": None} if one.get("think") is False else one, *CHAT),
    ),
    Liar(
        "constrains thinking away",
        "format/after-thinking",
        hears(lambda one: {**one, "think": False} if one.get("format") else one, *CHAT),
    ),
    Liar(
        "thinks, and forgets the schema",
        "format/after-thinking",
        hears(lambda one: {**one, "format": None} if one.get("think") else one, *CHAT),
    ),
    Liar("an empty format is json", "format/none", _format_is("", "json", *TALK)),
    Liar("a null format is refused", "format/none", _format_is(None, "null", *TALK)),
    Liar(
        "any format will do",
        "format/refused-before-a-stream",
        _format_is("xml", None, *CHAT),
    ),
    Liar(
        "a list is a schema",
        "format/refused-before-a-stream",
        accepts("/api/generate", lambda one: one.get("format") == []),
    ),
    Liar(
        "checks the format before loading",
        "format/not-looked-at-by-a-load",
        refuses("/api/generate", lambda one: one.get("format") == "xml" and "prompt" not in one),
    ),
    Liar(
        "follows no schema in silence",
        "format/bad-schema",
        _schema_is(lambda one: {} if "$ref" in one else one, *GENERATE),
    ),
    Liar("the empty schema is none", "format/any-json", _format_is({}, None, *GENERATE)),
    Liar(
        "finishes what was cut",
        "format/cut-short",
        options(lambda given: given.pop("num_predict", None)),
    ),
    Liar(
        "either tools or format",
        "format/with-tools",
        refuses("/api/chat", lambda one: bool(one.get("format") and one.get("tools"))),
    ),
    Liar("constrains the neighbours", "format/neighbours-are-free", hears(_constrains_all, *CHAT)),
]

"""Liars about templates: other languages' habits, and turns, fields and levels that are lost."""

from __future__ import annotations

from dataclasses import replace

from ..honest import Lie
from ..lies import accepts, answers, error_text, forgets, hears
from .liar import Liar

FLAWS = {
    "templates/actions": (
        "trims nothing",
        "trims blanks",
        "prints comments",
        "assigns inside",
        "declares outside",
        "range has no else",
        "never breaks",
    ),
    "templates/defined": ("passes dot", "defines in order", "blocks are only defined"),
    "templates/functions": (
        "and is a truth value",
        "or is a truth value",
        "eq of two",
        "len counts characters",
        "slice includes its end",
        "print joins by blanks",
        "println ends no line",
        "quotes as Python",
        "le is lt",
        "evaluates all",
        "order without case",
    ),
    "templates/escaping-functions": (
        "html spares quotes",
        "js spares quotes",
        "blanks as percents",
    ),
    "templates/json-and-dates": (
        "escapes nothing",
        "spaces JSON",
        "tells the time",
        "minds the form",
        "yesterday is today",
    ),
    "templates/typescript-types": ("types as they are", "first type only"),
    "templates/tell-capabilities": ("looks at the root", "minds case"),
    "templates/response-appended": ("appends nothing", "last turn only"),
    "templates/insert": ("suffix beside the prompt", "suffix with system"),
    "templates/all-messages": ("first system only", "system is taken out"),
    "templates/turn-by-turn": ("never cut", "system in every turn"),
    "templates/neighbours-merged": ("merges nothing", "merges by a line", "merges results"),
    "templates/message-fields": (
        "thinking is dropped",
        "calls have no id",
        "counts calls itself",
        "arguments as text",
        "results have no name",
        "results have no id",
    ),
    "templates/tool-fields": ("no properties", "prints Python", "no description"),
    "templates/json-as-go-writes-it": ("keeps order", "no empty description"),
    "templates/think-level": ("true is high", "levels are lost", "never set", "always set"),
}
OTHERS = [
    Liar(
        "templates of any kind",
        "templates/bad-ones-refused",
        accepts("/api/create", lambda one: "{{ nope" in str(one.get("template"))),
    ),
    Liar(
        "a bad template is a fault of the server",
        "templates/bad-ones-refused",
        answers(lambda one: replace(one, status=500) if one.status == 400 else one, "/api/create"),
    ),
    Liar(
        "a bad template is just an error",
        "templates/bad-ones-refused",
        error_text("invalid request", "/api/create", status=400),
    ),
    Liar(
        "undefined templates print nothing",
        "templates/undefined-is-found-late",
        Lie(flaw="undefined is empty"),
    ),
    Liar("JSON with blanks", "templates/json-as-go-writes-it", Lie(flaw="spaces JSON")),
    Liar("has no insert", "templates/insert", forgets("suffix")),
    Liar(
        "streams know no suffix",
        "templates/insert",
        hears(
            lambda one: None if one.get("stream") is False else one.pop("suffix", None) and None,
            "/api/generate",
        ),
    ),
    Liar(
        "a created template is kept, and not used",
        "templates/response-appended",
        hears(lambda one: {**one, "template": one.get("template") and ""}, "/api/create"),
    ),
]

TEMPLATES = [
    *(Liar(flaw, check, Lie(flaw=flaw)) for check, flaws in FLAWS.items() for flaw in flaws),
    *OTHERS,
]

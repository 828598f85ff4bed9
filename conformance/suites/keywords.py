"""Class format, part two: the words of a schema, one at a time, and calls that are made of one.

Each schema leaves so little to say that a model which is not held to it says something else.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial

from ..check import MUST, PASSED, SHOULD, Verdict, check, expect, expect_that
from ..clients import LANGCHAIN, LANGCHAIN_JS, LITELLM, LLAMAINDEX, SDKS
from ..evidence import Exchange, Json
from ..reply import read
from ..target import Target
from .format import problem
from .shown import made

BOUND = {"num_predict": 200}
MANY = 24  # tools, as agents have them
CALLED = {"num_predict": 400}
NAMED = "sea-Port.look_Up2"  # as tools of MCP servers are named
DAY = "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
WITHIN: Json = {"type": "object", "properties": {"b": {"const": "Yak 8"}}, "required": ["b"]}
NESTED: Json = {
    "type": "object",
    "properties": {
        "a": WITHIN,
        "c": {"type": "array", "items": WITHIN, "minItems": 1, "maxItems": 2},
    },
    "required": ["a", "c"],
}
SCHEMAS: tuple[tuple[str, Json], ...] = (
    ("const", {"const": 'Zebra  7 ,\t<é> & "co" .\n'}),
    ("enum", {"enum": ["Zebra 7", "Yak 8"]}),
    ("pattern", {"type": "string", "pattern": "^[a-c]{3}-[0-9]{2}$"}),
    ("minimum and maximum", {"type": "integer", "minimum": 1000, "maximum": 1003}),
    ("minLength and maxLength", {"type": "string", "minLength": 4, "maxLength": 4}),
    ("format", {"type": "string", "format": "date"}),
    ("one item", {"type": "array", "items": {"const": 1}, "minItems": 1, "maxItems": 1}),
    ("five items", {"type": "array", "items": {"const": 1}, "minItems": 5, "maxItems": 5}),
    ("anyOf", {"anyOf": [{"const": "p"}, {"const": 12}]}),
    (
        "$ref",
        {
            "type": "object",
            "properties": {"a": {"$ref": "#/$defs/one"}},
            "required": ["a"],
            "$defs": {"one": {"enum": ["u"]}},
        },
    ),
    ("what is nested", NESTED),
)
TELLS: Json = {"type": "string", "pattern": DAY}  # what `format` asks for, as it can be judged
GIVEN: Json = {
    "n": 3,
    "x": 2.5,
    "yes": True,
    "none": None,
    "s": "4 é",
    "digits": "42",
    "word": "true",
    "nothing": "null",
    "json": "[1]",
    "deepList": [1, {"a": "é", "b": False}],
}
CALLING = (
    "{{ range .Messages }}{{ .Content }}{{ range .ToolCalls }}"
    '{"name": "{{ .Function.Name }}", "arguments": {{ .Function.Arguments }}}'
    "{{ end }}{{ end }}{{ range .Tools }}{{ end }}"
)


def _asks(target: Target, schema: Json) -> list[Callable[[], Exchange]]:
    """Generate and chat under a schema."""
    asked: dict[str, Json] = {"model": target.plain, "format": schema, "options": BOUND}
    return [partial(target.generate, **asked), partial(target.chat, **asked, stream=True)]


@check(
    "format/keywords",
    MUST,
    group="format",
    source="docs/capabilities/structured-outputs.mdx",
    covers=("FMT-002", "GEN-010", "CHAT-004"),
    breaks=(*SDKS, LANGCHAIN, LANGCHAIN_JS, LLAMAINDEX, LITELLM),
)
def keywords(target: Target) -> Verdict:
    """Each keyword of a schema is kept to: constants, patterns, bounds, counts, alternatives."""
    _ = target.script
    asks = [(one, ask) for one in SCHEMAS for ask in _asks(target, one[1])]
    answers = target.several(ask for _, ask in asks)
    for ((name, schema), _), got in zip(asks, answers, strict=True):
        reply = read(got)
        wrong = problem(reply.text, TELLS if name == "format" else schema)
        if wrong is not None or reply.reason != "stop":
            told = f"{name}: JSON that conforms to {json.dumps(schema)}, and stop"
            return expect_that(False, told, [wrong, reply.text, reply.reason], got)
    return PASSED


@check(
    "tools/arguments-keep-their-types",
    SHOULD,
    group="tools",
    source="docs/capabilities/tool-calling.mdx",
    covers=("TOOL-007", "TOOL-013", "FMT-014"),
    breaks=(*SDKS, LANGCHAIN, LANGCHAIN_JS, LLAMAINDEX),
)
def arguments_keep_their_types(target: Target) -> Verdict:
    """Arguments come back as they were said: none, numbers, lists, and texts that look so.

    A schema makes the model say the call, and a template with calls of bare JSON tells it as one.
    It is the last of many tools that is called.
    """
    _ = target.script
    model = made(target, "calling", template=CALLING)
    given = {name: {"const": value} for name, value in GIVEN.items()}
    some = {"type": "object", "properties": given, "required": list(given)}
    calls: tuple[tuple[Json, dict[str, Json]], ...] = (
        (GIVEN, {"properties": {"name": {"const": NAMED}, "arguments": some}}),
        ({}, {"properties": {"name": {"const": NAMED}, "arguments": {"const": {}}}}),
    )
    names = [*(f"g{number}" for number in range(MANY)), NAMED]
    tools = [
        {"type": "function", "function": {"name": name, "parameters": {"type": "object"}}}
        for name in names
    ]
    turn = [{"role": "user", "content": "Hello"}]
    for wanted, said in calls:
        call = {"type": "object", **said, "required": ["name", "arguments"]}
        asked: dict[str, Json] = {"tools": tools, "format": call, "options": CALLED}
        for got in target.in_both_forms(partial(target.chat, model=model, messages=turn, **asked)):
            # as text: in Python True is 1, and 3.0 is 3
            found = [
                (one["name"], json.dumps(one["arguments"], sort_keys=True))
                for one in read(got).functions
            ]
            if found != [(NAMED, json.dumps(wanted, sort_keys=True))]:
                return expect(found, [(NAMED, json.dumps(wanted, sort_keys=True))], got)
    return PASSED

"""Class format, part three: each word of a schema alone stands against what would be said.

The model says JSON anyway, and each schema allows all of it but in a few places, each of which one
word forbids: whoever leaves that word aside lets the model say what it would.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial

from ..check import MUST, PASSED, Verdict, check, expect_that
from ..clients import LANGCHAIN, LANGCHAIN_JS, LITELLM, LLAMAINDEX, SDKS
from ..evidence import Exchange, Json
from ..reply import read
from ..target import Target
from .format import problem

BOUND = {"num_predict": 160}
OTHERS = ("Bob", "Eve")
Words = tuple[tuple[str, Json] | None, ...]
TAGS: Json = {"enum": ["math", "engine"]}
# of a property, the word that forbids and what it may be, request by request; where the shortest
# answer keeps to it, it stands alone in its request
WORDS: dict[str, Words] = {
    "name": (
        ("maxLength", {"type": "string", "maxLength": 2}),
        None,
        None,
        ("minLength", {"type": "string", "minLength": 5, "maxLength": 6}),
        ("pattern", {"type": "string", "pattern": "^[B-E][a-z]{2}$"}),
        ("const", {"const": OTHERS[0]}),
        ("enum", {"enum": list(OTHERS)}),
    ),
    "age": (
        None,
        ("maximum", {"type": "integer", "minimum": 10, "maximum": 35}),
        None,
        ("minimum", {"type": "integer", "minimum": 37, "maximum": 99}),
    ),
    "email": (
        None,
        None,
        None,
        ("type", {"type": "boolean"}),
        ("a list of types", {"type": ["boolean", "integer"]}),
    ),
    "tags": (
        None,
        None,
        ("maxItems", {"type": "array", "items": TAGS, "maxItems": 1}),
        ("minItems", {"type": "array", "items": TAGS, "minItems": 3, "maxItems": 3}),
        ("items", {"type": "array", "items": {"enum": ["engine", "sea"]}, "minItems": 1,
                   "maxItems": 2}),
        ("prefixItems", {"type": "array", "prefixItems": [{"const": "sea"}, {"const": "math"}],
                         "minItems": 2, "maxItems": 2}),
    ),
}  # fmt: skip
WITHIN: dict[str, Words] = {  # of the properties of an object in it
    "city": (
        None,
        None,
        None,
        ("enum, nested", {"enum": ["Paris", "Rome"]}),
        ("anyOf", {"anyOf": [{"const": one} for one in OTHERS]}),
        ("oneOf", {"oneOf": [{"const": one} for one in OTHERS]}),
        ("$ref", {"$ref": "#/$defs/other"}),
    ),
    "year": (
        None,
        None,
        None,
        ("maximum, nested", {"type": "integer", "minimum": 1700, "maximum": 1799}),
    ),
}
ROUNDS = max(map(len, (*WORDS.values(), *WITHIN.values())))


def _as_said(value: Json) -> Json:
    """A schema that allows just this value, and says so by its types."""
    if not isinstance(value, dict):
        return {"const": value} if not isinstance(value, list) else {"enum": [value]}
    properties = {name: _as_said(one) for name, one in value.items()}
    return {"type": "object", "properties": properties, "required": list(value)}


def _schemas(said: Json) -> Iterator[tuple[list[str], Json]]:
    """Which words forbid what is said, and the schema that has them: one of each property."""
    for number in range(ROUNDS):
        schema = _as_said(said)
        schema["$defs"] = {"other": {"enum": list(OTHERS)}}
        used = []
        for whole, table in ((schema, WORDS), (schema["properties"]["born"], WITHIN)):
            for name, words in table.items():
                for word, allowed in filter(None, words[number : number + 1]):
                    whole["properties"][name] = allowed
                    used.append(word)
        yield used, schema


@check(
    "format/each-word-alone",
    MUST,
    group="format",
    source="docs/capabilities/structured-outputs.mdx",
    covers=("FMT-002", "GEN-010", "CHAT-004"),
    breaks=(*SDKS, LANGCHAIN, LANGCHAIN_JS, LLAMAINDEX, LITELLM),
)
def each_word_alone(target: Target) -> Verdict:
    """Each word of a schema is kept to also where it alone forbids what the model would say."""
    said = json.loads(target.recital("json").content)
    schemas = [*_schemas(said)]
    answers = target.several(
        partial(_asked, target, schema, chat=number % 2 == 0)
        for number, (_, schema) in enumerate(schemas)
    )
    for got, (words, schema) in zip(answers, schemas, strict=True):
        reply = read(got)
        wrong = problem(reply.text, schema)
        if wrong is not None or reply.reason != "stop":
            told = f"{', '.join(words)}: JSON that conforms to {json.dumps(schema)}, and stop"
            return expect_that(False, told, [wrong, reply.text, reply.reason], got)
    return PASSED


def _asked(target: Target, schema: Json, *, chat: bool) -> Exchange:
    """What the model without thinking and tools says under a schema."""
    ask = target.chat if chat else target.generate
    return ask("json", model=target.plain, format=schema, options=BOUND, stream=chat)

"""Class format: structured output, by `json` and by JSON Schema.

What a constrained model says is judged by its shape, and word for word only where the script
says what the schema asks for anyway.
"""

from __future__ import annotations

import json
from functools import partial

from ..check import MUST, PASSED, SHOULD, Verdict, check, every, expect, expect_error, expect_that
from ..clients import LANGCHAIN, LANGCHAIN_JS, LITELLM, LLAMAINDEX, SDKS
from ..evidence import Exchange, Json
from ..reply import Reply, read
from ..target import Target

USERS = (*SDKS, LANGCHAIN, LANGCHAIN_JS, LLAMAINDEX, LITELLM)
SOURCE = "docs/capabilities/structured-outputs.mdx"
NO_FORMATS: tuple[Json, ...] = ("xml", "text", "json ", [], 5, True)
NO_SCHEMAS: tuple[Json, ...] = (
    {"type": 123},
    {"$ref": "#/$defs/nowhere"},
    {"type": "json_object"},  # as OpenAI has it
    {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}},
)
BOUND = {"num_predict": 400}  # a free string may go on for long
LEGS: Json = {
    "type": "object",
    "properties": {"legs": {"enum": [4, 8]}},
    "required": ["legs"],
    "additionalProperties": False,
}
PERSON: Json = {
    "type": "object",
    "properties": {
        "name": {"enum": ["Ada", "Bob"]},
        "born": {
            "type": "object",
            "properties": {"year": {"enum": [1815, 1816]}, "known": {"type": "boolean"}},
            "required": ["year", "known"],
        },
        "age": {"enum": [36, 37]},
        "tags": {"type": "array", "items": {"enum": ["a", "b"]}, "minItems": 1, "maxItems": 3},
    },
    "required": ["name", "born", "age", "tags"],
}


def problem(text: str, schema: Json) -> str | None:
    """Why a text is not JSON that conforms, in a few words; None where it does."""
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import best_match

    try:
        found = best_match(Draft202012Validator(schema).iter_errors(json.loads(text)))
    except ValueError as error:
        return f"no JSON: {error}"
    return None if found is None else f"{found.json_path}: {found.message[:200]}"


def _conforms(got: Exchange, schema: Json) -> Verdict:
    """Passed if the answer is whole and conforms; it cannot be long."""
    reply = read(got)
    if reply.reason != "stop":
        return expect_that(False, "done_reason stop", [reply.reason, reply.text], got)
    return _fits(reply, schema, got)


def _fits(reply: Reply, schema: Json, got: Exchange) -> Verdict:
    """Passed if the answer conforms, or was cut and at least begins like it (FMT-007)."""
    if reply.reason == "length":
        opening = "{" if schema.get("type") == "object" else ""
        begun = reply.text.lstrip().startswith(opening)
        return expect_that(begun, f"a text that begins with {opening!r}", reply.text[:200], got)
    wrong = problem(reply.text, schema)
    return expect_that(
        wrong is None, f"JSON that conforms to {json.dumps(schema)}", [wrong, reply.text], got
    )


@check(
    "format/json-object",
    MUST,
    group="format",
    source=SOURCE,
    covers=("FMT-001", "GEN-010"),
    breaks=USERS,
)
def json_object(target: Target) -> Verdict:
    """`format: "json"` makes any answer of /api/generate one JSON object, streamed or not."""
    _ = target.script
    return every(
        _fits(read(got), {"type": "object"}, got)
        for got in target.several(
            (
                partial(target.generate, "greeting", format="json", options=BOUND),
                partial(target.generate, "greeting", format="json", options=BOUND, stream=True),
                partial(target.generate, "think", format="json", options=BOUND),
            )
        )
    )


@check(
    "format/json-as-it-would-be",
    MUST,
    group="format",
    source=SOURCE,
    covers=("FMT-001", "FMT-006"),
    breaks=USERS,
)
def json_as_it_would_be(target: Target) -> Verdict:
    """A model that answers with a JSON object anyway is not changed by `format: "json"`."""
    recital = target.recital("json")
    return every(
        expect(read(got).text, recital.content, got)
        for got in target.several(
            (
                partial(target.generate, "json", format="json"),
                partial(target.chat, "json", format="json"),
                partial(target.generate, "json", format={}),
            )
        )
    )


@check(
    "format/json-object-in-chat",
    SHOULD,
    group="format",
    source=SOURCE,
    covers=("FMT-001", "CHAT-004"),
    breaks=USERS,
)
def json_object_in_chat(target: Target) -> Verdict:
    """`format: "json"` makes an answer of /api/chat one JSON object."""
    _ = target.script
    got = target.chat("greeting", think=False, format="json", options=BOUND)
    return _fits(read(got), {"type": "object"}, got)


@check(
    "format/schema",
    MUST,
    group="format",
    source=SOURCE,
    covers=("FMT-002", "GEN-010"),
    breaks=USERS,
)
def schema(target: Target) -> Verdict:
    """An answer of /api/generate conforms to the JSON Schema in `format`, and then stops."""
    _ = target.script
    return every(
        _conforms(got, PERSON)
        for got in target.several(
            partial(target.generate, id, format=PERSON, options=BOUND, stream=stream)
            for id in ("greeting", "json")
            for stream in (False, True)
        )
    )


@check(
    "format/schema-order",
    SHOULD,
    group="format",
    source="llama.cpp: common/json-schema-to-grammar.cpp",
    covers=("FMT-002",),
)
def schema_order(target: Target) -> Verdict:
    """Properties come in the order of the schema, and no others than those it names."""
    _ = target.script
    got = target.generate("greeting", format=PERSON, options=BOUND)
    found = _conforms(got, PERSON)
    if found is not PASSED:
        return found
    return expect(list(json.loads(read(got).text)), list(PERSON["properties"]), got)


@check(
    "format/without-thinking",
    MUST,
    group="format",
    source="server/routes.go:ChatHandler",
    covers=("FMT-002", "FMT-011", "CHAT-004"),
    breaks=USERS,
)
def without_thinking(target: Target) -> Verdict:
    """With `think: false` the constraint of /api/chat holds from the first token."""
    _ = target.script
    return every(
        _conforms(got, given)
        for given in (LEGS, PERSON)
        for got in target.in_both_forms(
            partial(target.chat, "think-off", format=given, options=BOUND)
        )
    )


@check(
    "format/after-thinking",
    MUST,
    group="format",
    source="server/routes.go:ChatHandler",
    covers=("FMT-009", "FMT-010", "MET-009"),
    breaks=USERS,
)
def after_thinking(target: Target) -> Verdict:
    """A chat that thinks does so freely; its content alone is constrained."""
    recital = target.recital("think")
    return every(
        verdict
        for got in target.in_both_forms(partial(target.chat, "think", format=LEGS, options=BOUND))
        for verdict in (
            expect(read(got).thinking.strip(), recital.thinking, got),
            _conforms(got, LEGS),
        )
    )


@check(
    "format/none",
    MUST,
    group="format",
    source="api/types.go:GenerateRequest",
    covers=("FMT-003",),
    breaks=(LANGCHAIN,),
)
def none(target: Target) -> Verdict:
    """`format` null or "" constrains nothing."""
    expected = target.recital("greeting").content
    return every(
        expect(read(got).text, expected, got)
        for given in (None, "")
        for got in target.several(
            partial(ask, model=target.plain, format=given) for ask in (target.generate, target.chat)
        )
    )


@check(
    "format/refused-before-a-stream",
    MUST,
    group="format",
    source="llm/llama_server.go:Completion",
    covers=("FMT-004", "STREAM-010", "ERR-029"),
    breaks=SDKS,
)
def refused_before_a_stream(target: Target) -> Verdict:
    """Any other `format` is an error with its own status, also where a stream was asked for."""
    _ = target.script
    return every(
        expect_error(got, (400, 500), containing="invalid format")
        for given in NO_FORMATS
        for got in (
            target.generate(format=given, stream=True),
            target.chat("think-off", format=given, stream=True),
        )
    )


@check(
    "format/not-looked-at-by-a-load",
    MUST,
    group="format",
    source="server/routes.go:GenerateHandler",
    covers=("FMT-004", "LIFE-001"),
)
def not_looked_at_by_a_load(target: Target) -> Verdict:
    """A request that only loads the model succeeds whatever its `format`."""
    return every(
        expect(got.ok.object["done_reason"], "load", got)
        for path in ("/api/generate", "/api/chat")
        for given in ("xml", {"type": 123})
        for got in (target.post(path, model=target.model, format=given, stream=False),)
    )


@check(
    "format/bad-schema",
    SHOULD,
    group="format",
    source="llm/llama_server.go:Completion",
    covers=("FMT-005", "ERR-030"),
    breaks=SDKS,
)
def bad_schema(target: Target) -> Verdict:
    """A schema that cannot be followed is refused with 4xx, not ignored."""
    return every(
        expect_error(target.generate(format=given, options=BOUND), tuple(range(400, 500)))
        for given in NO_SCHEMAS
    )


@check(
    "format/any-json",
    SHOULD,
    group="format",
    source="llm/llama_server.go:Completion",
    covers=("FMT-006",),
)
def any_json(target: Target) -> Verdict:
    """The empty schema allows any JSON, and nothing but JSON."""
    _ = target.script
    got = target.generate("greeting", format={}, options=BOUND)
    return _fits(read(got), {}, got)


@check(
    "format/cut-short",
    MUST,
    group="format",
    source="docs/api.md#request-json-mode",
    covers=("FMT-007",),
    breaks=USERS,
)
def cut_short(target: Target) -> Verdict:
    """JSON that `num_predict` cuts off is what there is of it, with done_reason length."""
    recital = target.recital("json")
    got = target.generate("json", format="json", options={"num_predict": 3})
    reply = read(got)
    begun = reply.text != "" and recital.content.startswith(reply.text)
    told = [reply.text, reply.reason]
    holds = begun and reply.reason == "length"
    return expect_that(holds, "the beginning of the object, and length", told, got)


@check(
    "format/with-tools",
    SHOULD,
    group="format",
    source="server/routes.go:ChatHandler",
    covers=("FMT-014",),
    breaks=(LANGCHAIN,),
)
def with_tools(target: Target) -> Verdict:
    """`format` and `tools` in one request are accepted."""
    tools = list(target.recital("tool-call").tools)
    got = target.chat("think-off", format=LEGS, tools=tools, options=BOUND)
    return expect(got.code, 200, got)


@check(
    "format/neighbours-are-free",
    MUST,
    group="format",
    source=SOURCE,
    covers=("FMT-002",),
    breaks=USERS,
)
def neighbours_are_free(target: Target) -> Verdict:
    """The constraint of one request touches no other that is served beside it."""
    script = target.script
    free = ("prose", "greeting", "json")
    asks = [lambda id=id: target.chat(id) for id in free]
    bound = lambda: target.chat("think-off", format=LEGS, options=BOUND)  # noqa: E731
    *answers, first, second = target.at_once([*asks, bound, bound])
    return every(
        (
            *(
                expect(read(got).text, script.recitals[id].content, got)
                for id, got in zip(free, answers, strict=True)
            ),
            _conforms(first, LEGS),
            _conforms(second, LEGS),
        )
    )

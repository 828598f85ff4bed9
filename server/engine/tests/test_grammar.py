"""Structured output: what the grammar lets through, on models that would say anything."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from llguidance import LLTokenizer

from .. import grammar as grammars
from ..engine import Engine
from ..grammar import Grammars, Matcher
from ..json_schema import prepared
from ..sequence import (
    Ask,
    EngineSettings,
    Event,
    Failed,
    Finished,
    Grammar,
    ModelSource,
    Piece,
    Sampling,
    Thought,
)
from ..tokenizer import Tokenizer
from . import tiny

GREEDY = Sampling(temperature=0)
WARM = Sampling(temperature=1.0, top_k=0, top_p=1.0, seed=5)
PERSON = {
    "type": "object",
    "properties": {"name": {"enum": ["Ada", "Bob"]}, "age": {"type": "integer", "maximum": 99}},
    "required": ["name", "age"],
}
TAGS = Thought("<think>", "</think>", inside=False)


@pytest.fixture(scope="module")
def scripted_engine() -> Iterator[Engine]:
    """The scripted model with four slots."""
    folder = Path(__file__).resolve().parents[3] / "fixtures" / "models" / "scripted"
    source = ModelSource(gguf=folder / "scripted.gguf")
    engine = Engine.load(source, EngineSettings(num_parallel=4))
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def built(scripted_engine: Engine) -> Grammars:
    """Matchers for the scripted model's vocabulary."""
    return Grammars(scripted_engine.tokenizer)


async def events_of(engine: Engine, ask: Ask) -> list[Event]:
    async with engine.submit(ask) as events:
        return [event async for event in events]


async def said(engine: Engine, ask: Ask) -> tuple[str, Event]:
    """The text and the last event."""
    *pieces, last = await events_of(engine, ask)
    return "".join(one.text for one in pieces if isinstance(one, Piece)), last


def takes(matcher: Matcher, tokenizer: Tokenizer, text: str) -> int:
    """How many tokens of a text the grammar lets through."""
    ids = tokenizer.encode(text, special=False)
    for place, token_id in enumerate(ids):
        if matcher.finished:
            return place
        matcher.fill()
        wanted = np.zeros(len(tokenizer.token_bytes), np.float32)
        wanted[token_id] = 1
        if matcher.masked(wanted)[token_id] != 1:
            return place
        matcher.advance(token_id)
    return len(ids)


def accepts(built: Grammars, engine: Engine, grammar: Grammar, text: str) -> bool:
    """Whether a whole answer is let through, and nothing else may follow."""
    matcher = built.build(grammar)
    num_tokens = len(engine.tokenizer.encode(text, special=False))
    return takes(matcher, engine.tokenizer, text) == num_tokens and matcher.finished


@pytest.mark.parametrize("sampling", [GREEDY, WARM], ids=["greedy", "sampled"])
async def test_an_answer_follows_its_schema(engine: Engine, sampling: Sampling) -> None:
    """A random model, sampled or not, has no choice; the end of the grammar is the end."""
    ask = Ask((1, 2, 3), sampling, num_predict=300, grammar=Grammar(PERSON))
    text, last = await said(engine, ask)
    Draft202012Validator(PERSON).validate(json.loads(text))
    assert list(json.loads(text)) == ["name", "age"]
    assert isinstance(last, Finished)
    assert last.reason == "stop"


async def test_a_limit_cuts_the_answer(engine: Engine) -> None:
    """The reason says so (FMT-007)."""
    ask = Ask((1, 2, 3), GREEDY, num_predict=3, grammar=Grammar(PERSON))
    text, last = await said(engine, ask)
    assert isinstance(last, Finished)
    assert (last.reason, last.output_tokens) == ("length", 3)
    with pytest.raises(json.JSONDecodeError):
        json.loads(text)


@pytest.mark.parametrize("sampling", [GREEDY, WARM], ids=["greedy", "sampled"])
async def test_neighbours_of_a_constrained_answer_are_as_alone(
    engine: Engine, sampling: Sampling
) -> None:
    """The mask is for one row; the constrained row has no need of company either."""
    free = [Ask(prompt, sampling, num_predict=30) for prompt in tiny.prompts(5)]
    bound = [
        Ask(prompt, sampling, num_predict=200, grammar=Grammar(PERSON))
        for prompt in tiny.prompts(3, seed=9)
    ]
    apart = [(await said(engine, ask))[0] for ask in free + bound]
    together = await asyncio.gather(*(said(engine, ask) for ask in bound[:2] + free + bound[2:]))
    texts = [text for text, _ in together]
    assert texts[2:7] + texts[:2] + texts[7:] == apart


async def test_a_recital_that_fits_is_recited(scripted_engine: Engine, scripted: Path) -> None:
    """A constraint changes nothing where the model obeys it anyway."""
    script = json.loads((scripted / "script.json").read_text())
    recital = next(one for one in script["recitals"] if one["id"] == "json")
    tokenizer = scripted_engine.tokenizer
    assert tokenizer.bos_id is not None
    ids = (tokenizer.bos_id, *tokenizer.encode(recital["prompt"]))
    for schema in ({"type": "object"}, {}):
        text, _ = await said(scripted_engine, Ask(ids, GREEDY, grammar=Grammar(schema)))
        assert text == recital["output"]


async def test_a_fault_ends_its_own_answer_only(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A grammar that breaks in the middle fails its row; the neighbour goes on."""
    fill = Matcher.fill

    def breaking(self: Matcher) -> None:
        fill(self)
        if asks := [one for one in broken if one is self]:
            asks[0]._fail("too complex\n<state>")

    broken: list[Matcher] = []
    build = Grammars.build

    def build_broken(self: Grammars, grammar: Grammar) -> Matcher:
        broken.append(build(self, grammar))
        return broken[-1]

    monkeypatch.setattr(Matcher, "fill", breaking)
    monkeypatch.setattr(Grammars, "build", build_broken)
    free = Ask((1, 2, 3), GREEDY, num_predict=20)
    bound = Ask((4, 5), GREEDY, num_predict=20, grammar=Grammar(PERSON))
    (_, failed), (_, finished) = await asyncio.gather(said(engine, bound), said(engine, free))
    assert failed == Failed("the answer cannot follow the format: too complex", 500)
    assert isinstance(finished, Finished)


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        ({"type": 123}, "type must be"),
        ({"$ref": "#/nowhere"}, "does not exist"),
        ({"$ref": "http://127.0.0.1:9/x"}, "retrieving"),
        ({"enum": []}, "Unsatisfiable"),
        ({"$ref": "#"}, "nothing can satisfy"),
        ({"type": "string", "pattern": "("}, "unclosed group"),
        ({"type": "integer", "multipleOf": 10**9}, "multipleOf"),
        ({"properties": {f"k{one}": {} for one in range(1001)}}, "1000 properties"),
        ({"enum": ["x" * 100] * 4000}, "too large"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_schema_without_grammar_is_refused(
    engine: Engine, schema: dict[str, Any], why: str
) -> None:
    """Before anything is generated, with the explanation (FMT-005)."""
    (refused,) = await events_of(engine, Ask((1, 2), GREEDY, grammar=Grammar(schema)))
    assert isinstance(refused, Failed)
    assert refused.status == 400
    assert why in refused.message


def nested(depth: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(depth):
        schema = {"type": "array", "items": schema}
    return schema


@pytest.mark.parametrize(
    "schema",
    [
        nested(150),
        {"enum": [f"value {one}" for one in range(10_000)]},
        {"anyOf": [{"properties": {f"k{one}": {}}} for one in range(2000)]},
        {"type": "string", "pattern": "^(a{1000}){1000}$"},
        {"type": "string", "pattern": "^(a|aa|aaa)*b(.*a.{20}){20}$"},
        {"type": "array", "items": nested(1), "minItems": 10**6},
        {"allOf": [{"anyOf": [{"required": [f"{x}{y}"]} for y in "ab"]} for x in range(16)]},
    ],
    ids=["deep", "enum", "alternatives", "repeats", "regex", "items", "product"],
)
async def test_a_hostile_schema_costs_its_neighbours_little(
    engine: Engine, schema: dict[str, Any]
) -> None:
    """It is answered somehow, and the neighbour's tokens keep coming."""
    gaps = []

    async def neighbour() -> None:
        async with engine.submit(Ask((1, 2, 3), WARM, num_predict=60)) as events:
            before = time.perf_counter()
            async for _ in events:
                gaps.append(time.perf_counter() - before)
                before = time.perf_counter()

    hostile = Ask((1, 2), WARM, num_predict=60, grammar=Grammar(schema))
    (events, _) = await asyncio.gather(events_of(engine, hostile), neighbour())
    assert isinstance(events[-1], Finished | Failed)
    assert max(gaps) < 3.0  # a third of a second on an idle machine


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("<think>\nA </thin <b> é 你 👩‍🚀</think>\n\n{}", True),
        ("\n<think>x</think>{}", True),
        ("<think></think>\n{}", True),
        ("{}", True),
        ("<think>x</think>Eight", False),
        ("\n{}", True),
        ("<{}", False),
        ("<think>x</think><think>y</think>{}", False),
        ("Eight", False),
    ],
)
def test_a_thought_is_free_and_the_content_is_not(
    built: Grammars, scripted_engine: Engine, text: str, fits: bool
) -> None:
    """Also where the model skips the thought (FMT-009, FMT-012)."""
    grammar = Grammar({"type": "object"}, TAGS)
    assert accepts(built, scripted_engine, grammar, text) is fits


@pytest.mark.parametrize(
    ("opening", "closing"),
    [
        ("<seed:think>", "</seed:think>"),
        ("[THINK]", "[/THINK]"),
        ("◁think▷", "◁/think▷"),
        ('<think>\n"a/\\', "\n</think>\n\n"),
    ],
)
def test_any_tags_may_stand_around_a_thought(
    built: Grammars, scripted_engine: Engine, opening: str, closing: str
) -> None:
    """They are texts, not patterns."""
    grammar = Grammar({}, Thought(opening, closing, inside=False))
    assert accepts(built, scripted_engine, grammar, f"{opening}(x) [y]{closing}{{}}")
    assert not accepts(built, scripted_engine, grammar, f"{opening}x{closing}Eight")


def test_a_thought_that_the_prompt_began_goes_on(built: Grammars, scripted_engine: Engine) -> None:
    """No opening tag is needed, and JSON inside the thought is only a thought."""
    grammar = Grammar({"type": "object"}, Thought("<think>", "</think>", inside=True))
    assert accepts(built, scripted_engine, grammar, '{"a": 1} is it.</think>\n{"b": 2}')
    assert not accepts(built, scripted_engine, grammar, '{"a": 1}')


@pytest.mark.parametrize(
    ("schema", "text", "fits"),
    [
        (PERSON, '{"name": "Ada", "age": 36}', True),
        (PERSON, '{"age": 36, "name": "Ada"}', False),  # the schema's order
        (PERSON, '{"name": "Ada", "age": 36, "more": 1}', False),
        (PERSON | {"additionalProperties": True}, '{"name": "Ada", "age": 36, "more": 1}', True),
        (PERSON, '{\n  "name": "Ada",\n  "age": 36\n}', True),
        (PERSON, '{"name":"Ada","age":36}', True),
        (PERSON, '{   "name": "Ada", "age": 36}', False),  # blanks are bounded
        ({"type": "object"}, "[1]", False),
        ({"type": "object"}, '{"a": [1, {"b": null}]}', True),
        ({}, '[1, "a"]', True),
        ({"x-guidance": {"item_separator": ";"}}, "[1; 2]", False),
        ({"type": "string", "uniqueItems": True}, '"a"', True),  # an unknown keyword
    ],
)
def test_json_is_as_the_original_writes_it(
    built: Grammars, scripted_engine: Engine, schema: dict[str, Any], text: str, fits: bool
) -> None:
    """Order, blanks, and objects without other properties than theirs."""
    assert accepts(built, scripted_engine, Grammar(schema), text) is fits


def test_objects_spread_over_schemas_stay_open() -> None:
    """Closed, each part would forbid what the other asks for."""
    part: dict[str, Any] = {"properties": {"a": {}}}
    several: list[dict[str, Any]] = [
        {"allOf": [part, {"properties": {"b": {}}}]},
        {"anyOf": [part], **part},
    ]
    for schema in several:
        assert prepared(schema) == schema
    named: dict[str, Any] = {
        "properties": {"properties": {"items": part}, "enum": {"enum": [part]}}
    }
    assert prepared(named) == {
        "properties": {
            "properties": {"items": part | {"additionalProperties": False}},
            "enum": {"enum": [part]},
        },
        "additionalProperties": False,
    }


def test_a_model_without_an_end_is_served(scripted_engine: Engine) -> None:
    """The grammar's end needs no token."""
    known = scripted_engine.tokenizer
    endless = Tokenizer(
        known._merger, known.token_bytes, bos_id=None, add_bos=False, eos_ids=frozenset()
    )
    matcher = Grammars(endless).build(Grammar({"type": "object"}))
    assert takes(matcher, endless, "{}") == 2
    assert matcher.finished


def test_the_vocabulary_is_made_once(
    scripted_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And only for a request that needs it."""
    made, make = [], grammars._vocabulary

    def counted(tokenizer: Tokenizer) -> LLTokenizer:
        made.append(1)
        return make(tokenizer)

    monkeypatch.setattr(grammars, "_vocabulary", counted)
    own = Grammars(scripted_engine.tokenizer)
    assert made == []
    own.build(Grammar({}))
    own.build(Grammar({}))
    assert made == [1]


LEAVES = st.one_of(
    st.just({"type": "boolean"}),
    st.just({"type": "null"}),
    st.just({"type": "integer", "minimum": -5, "maximum": 500}),
    st.just({"type": "string", "maxLength": 4}),
    st.lists(st.text(max_size=4) | st.integers(-9, 9), min_size=1, max_size=3).map(
        lambda values: {"enum": values}
    ),
)


def _object(parts: dict[str, Any], required: int) -> dict[str, Any]:
    return {"type": "object", "properties": parts, "required": list(parts)[:required]}


SCHEMAS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(
            _object, st.dictionaries(st.text(max_size=3), inner, max_size=3), st.integers(0, 3)
        ),
        inner.map(lambda one: {"type": "array", "items": one, "maxItems": 2}),
        st.lists(inner, min_size=1, max_size=2).map(lambda some: {"anyOf": some}),
    ),
    max_leaves=5,
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(schema=SCHEMAS, seed=st.integers(0, 2**31))
def test_any_small_schema_gives_valid_json(
    engine: Engine, schema: dict[str, Any], seed: int
) -> None:
    """A random model, sampled, answers with JSON that conforms."""
    sampling = Sampling(temperature=1.0, top_k=0, top_p=1.0, seed=seed)
    ask = Ask((1, 2, 3), sampling, num_predict=2000, grammar=Grammar(schema))
    text, last = asyncio.run(said(engine, ask))
    assert isinstance(last, Finished), last
    assert last.reason == "stop"
    Draft202012Validator(schema).validate(json.loads(text))

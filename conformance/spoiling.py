"""Families of made-up requests: valid by schema, spoilt in one way, and hard to read.

Strategies of Hypothesis, which is imported where it is used. What the schema of a request refuses
the server must refuse; `laws` has what each family is owed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from .evidence import Json
from .laws import Case, Law
from .schema import violation
from .shapes import Place, Shapes, put, request_schema
from .target import NOBODY

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

JUNK: tuple[Json, ...] = (
    5, 1.5, "x", "5", True, False, [], {}, [1], ["x"], [[]], {"a": 1},
)  # fmt: skip
OUT_OF_RANGE: tuple[Json, ...] = (-1, 21)  # of `top_logprobs`
AFTERWARDS = ("options", "format", "license")  # read late; a format may be any object at first
FIVE_MINUTES = (None, "5m", 300, "300s")
FORMATS: tuple[Json, ...] = (
    None, "", "json", {"type": "object"}, {"type": "object", "properties": {"a": {"type": "null"}}},
)  # fmt: skip


def encoded(value: Json, *, escaped: bool = False) -> bytes:
    """JSON as it is sent; escaped, it is ASCII, else a lone surrogate is what UTF-8 cannot say."""
    return json.dumps(value, ensure_ascii=escaped).encode(errors="surrogatepass")


def options() -> SearchStrategy[dict[str, Json]]:
    """Options in their ranges that need no other runner, for an answer of a few tokens."""
    from hypothesis import strategies as st

    share = st.floats(0, 1).map(lambda one: round(one, 3))
    penalty = st.floats(-2, 2).map(lambda one: round(one, 3)) | st.integers(-2, 2)
    return st.fixed_dictionaries(
        {
            "num_predict": st.integers(1, 5) | st.floats(1, 5).map(lambda one: round(one, 1)),
            "seed": st.integers(0, 2**31 - 1),
        },
        optional={
            "temperature": share | st.integers(0, 1),
            "top_k": st.integers(1, 40) | st.just(10.9),
            "top_p": share,
            "min_p": share,
            "typical_p": share,
            "num_keep": st.integers(0, 10),
            "stop": st.none() | st.lists(st.text(min_size=1, max_size=4), max_size=3),
            "repeat_penalty": st.floats(0.5, 2).map(lambda one: round(one, 3)),
            "repeat_last_n": st.integers(0, 100),
            "presence_penalty": penalty,
            "frequency_penalty": penalty,
            "num_ctx": st.none(),
            "parallama_unknown": st.none() | st.booleans() | st.text(max_size=4),
        },
    )


def _better(model: str) -> dict[Place, SearchStrategy[Json]]:
    """Where the schema allows what a small model without pictures does not."""
    from hypothesis import strategies as st

    return {
        ("model",): st.just(model),
        ("options",): options(),
        ("keep_alive",): st.sampled_from(FIVE_MINUTES),
        ("format",): st.sampled_from(FORMATS),
        ("shift",): st.sampled_from((None, True)),
        ("images",): st.none(),
        ("messages", "[]", "images"): st.none() | st.just([]),
        ("suffix",): st.sampled_from((None, "")),
        ("template",): st.sampled_from((None, "", "{{ .Prompt }}")),
        ("raw",): st.sampled_from((None, False)),
        ("context",): st.none() | st.lists(st.integers(3, 400), max_size=4),
        ("_debug_render_only",): st.sampled_from((None, False)),
        ("_debug_info",): st.none(),
    }


def valid(name: str, model: str, without: Iterable[str] = ()) -> SearchStrategy[Case]:
    """Requests to chat or generate that are valid by schema, without what the model cannot do."""
    from hypothesis import strategies as st

    def case(fields: dict[str, Json], escaped: bool) -> Case:
        loads = not fields.get("messages" if name == "chat" else "prompt")
        return Case(
            "POST",
            f"/api/{name}",
            encoded(fields, escaped=escaped),
            Law.ANSWERED,
            shape=name,
            streams=fields.get("stream") is not False,
            loads=loads,
        )

    useless: dict[Place, SearchStrategy[Json]] = {(field,): st.none() for field in without}
    better = {**_better(model), **useless}
    shapes = Shapes(request_schema(name), better, frozenset({("model",), ("options",)}))
    return st.builds(case, shapes.values(), st.booleans())


def plainly(name: str, model: str) -> list[Case]:
    """Requests to chat or generate that are often sent, so that none of these is left to chance."""
    user, answer = {"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}
    ask: dict[str, Json] = {"messages": [user]} if name == "chat" else {"prompt": "a"}
    history: dict[str, Json] = (
        {"messages": [user, answer, user]} if name == "chat" else {"prompt": "a", "context": [3, 4]}
    )
    forms: list[dict[str, Json]] = [ask, history, {**ask, "logprobs": True, "top_logprobs": 2}]
    base: dict[str, Json] = {"model": model, "options": {"num_predict": 3}}
    return [
        Case("POST", f"/api/{name}", encoded({**base, **form, "stream": stream}), Law.ANSWERED,
             name, streams=stream)
        for form in forms for stream in (True, False)
    ]  # fmt: skip


def raw(model: str) -> SearchStrategy[Case]:
    """Prompts that go to the model untouched, whatever they hold."""
    from hypothesis import strategies as st

    def case(prompt: str, given: dict[str, Json], stream: bool) -> Case:
        fields = {"model": model, "raw": True, "prompt": prompt, "stream": stream}
        body = encoded({**fields, "options": given})
        return Case("POST", "/api/generate", body, Law.ANSWERED, "generate", stream, wild=True)

    return st.builds(case, st.text(min_size=1, max_size=40), options(), st.booleans())


def shown(model: str) -> SearchStrategy[Case]:
    """Requests to show that are valid by schema."""
    from hypothesis import strategies as st

    better: dict[Place, SearchStrategy[Json]] = {
        ("model",): st.just(model),
        ("name",): st.none(),
        ("options",): st.none(),
    }
    shapes = Shapes(request_schema("show"), better, frozenset({("model",)}))
    return shapes.values().map(
        lambda fields: Case("POST", "/api/show", encoded(fields), Law.ANSWERED, shape="show")
    )


def asked_plainly() -> SearchStrategy[Case]:
    """The routes that take nothing, asked with a query and a body that they do not read."""
    from hypothesis import strategies as st

    letters = "abcdefghijklmnopqrstuvwxyz0123456789=&%5B.-_~"
    queries = st.text(letters, max_size=12).map(lambda one: f"?{one}" if one else "")
    bodies = st.none() | st.binary(max_size=12)
    return st.builds(
        lambda name, query, body: Case("GET", f"/api/{name}{query}", body, Law.ANSWERED, name),
        st.sampled_from(("tags", "ps", "version")),
        queries.map(lambda one: one.replace("%", "%41")),
        bodies,
    )


METHODS = {"delete": "DELETE"}


def wrongly_typed(
    names: Mapping[str, dict[str, Json]], *, every: bool = False, turn: int = 0
) -> list[Case]:
    """A value of another type than the schema has, at each place; all else is in order.

    :param names: routes by the name of their schema, each with fields that are in order.
    :param every: all wrong values at each place; else one, which one depends on `turn`.
    """
    cases = []
    for name, fields in names.items():
        for count, at in enumerate(Shapes(request_schema(name)).places()):
            range_ = OUT_OF_RANGE if at == ("top_logprobs",) else ()
            bodies = [put(fields, at, junk) for junk in (*range_, *JUNK) if not _taken(at, junk)]
            wrong = [body for body in bodies if violation(body, name, "request")]
            chosen = wrong if every or not wrong else [wrong[(count + turn) % len(wrong)]]
            method = METHODS.get(name, "POST")
            cases += [Case(method, f"/api/{name}", encoded(body), Law.REFUSED) for body in chosen]
    return cases


def _taken(at: Place, junk: Json) -> bool:
    """Whether Ollama takes it all the same, or refuses it late.

    Go reads bytes from base64 and from an array of numbers alike.
    """
    late = at[0] in AFTERWARDS and (len(at) > 1 or at[0] != "options")
    return late or ("images" in at and isinstance(junk, list))


def wrong_options(model: str) -> SearchStrategy[Case]:
    """An option of another type; Ollama's own status for it is 500."""
    from hypothesis import strategies as st

    numbers = ("num_ctx", "num_predict", "temperature", "top_k", "top_p", "min_p", "seed",
               "repeat_penalty", "repeat_last_n", "presence_penalty", "num_keep")  # fmt: skip
    no_number = st.sampled_from(("4", "hot", True, [], [1], {}, {"a": 1}))
    no_list = st.sampled_from(("x", 5, True, {}, [1], ["a", None], [["a"]]))
    bad = st.tuples(st.sampled_from(numbers), no_number) | st.tuples(st.just("stop"), no_list)
    base = {"model": model, "prompt": "a", "stream": False}

    def case(one: tuple[str, Json], others: dict[str, Json]) -> Case:
        fields = {**base, "options": {**others, one[0]: one[1]}}
        return Case("POST", "/api/generate", encoded(fields), Law.OPTION)

    return st.builds(case, bad, options())


def extreme_options(model: str) -> SearchStrategy[Case]:
    """Options beyond every range, and numbers beyond every type.

    Without `repeat_last_n`: Ollama hangs over one that is beyond 32 bits.
    """
    from hypothesis import strategies as st

    names = ("temperature", "top_k", "top_p", "min_p", "typical_p", "seed", "num_keep",
             "repeat_penalty", "presence_penalty", "frequency_penalty")  # fmt: skip
    words = ("1e400", "-1e400", "3e38", "-3e38", "1e-400", "-0", "-0.0", "2147483648",
             "-2147483649", "4294967295", "9223372036854775808", "-1", "0", "-5",
             "0.000000000000001", "1E2", "99999")  # fmt: skip

    def case(given: dict[str, str]) -> Case:
        parts = ", ".join(f'"{name}": {word}' for name, word in given.items())
        told = f'"prompt": "a", "stream": false, "options": {{"num_predict": 2, {parts}}}'
        body = f'{{"model": {json.dumps(model)}, {told}}}'.encode()
        return Case("POST", "/api/generate", body, Law.SURVIVED, "generate", wild=True)

    given = st.dictionaries(st.sampled_from(names), st.sampled_from(words), min_size=1, max_size=3)
    return given.map(case)


def lacking(model: str) -> SearchStrategy[Case]:
    """Requests without what they cannot do without."""
    from hypothesis import strategies as st

    none = st.sampled_from(({}, {"model": None}, {"model": ""}, {"name": model.upper() + "-not"}))
    chat = {"messages": [{"role": "user", "content": "a"}], "stream": False}
    asks: list[tuple[str, str, dict[str, Json]]] = [
        ("POST", "/api/chat", chat),
        ("POST", "/api/generate", {"prompt": "a", "stream": False}),
        ("POST", "/api/show", {}),
        ("POST", "/api/copy", {"destination": "parallama-check-nowhere/a"}),
        ("POST", "/api/copy", {"source": NOBODY}),
        ("DELETE", "/api/delete", {}),
    ]

    def case(ask: tuple[str, str, dict[str, Json]], fields: dict[str, Json], more: Json) -> Case:
        method, path, given = ask
        body = encoded({**given, **fields, "foo": more})
        return Case(method, path, body, Law.LACKING)

    return st.builds(case, st.sampled_from(asks), none, st.none() | st.booleans())

"""Families of made-up requests about models: to embed with, create, copy, delete, pull and push.

Strategies of Hypothesis, which is imported where it is used. All models that they make have names
of the run, so that nothing else on the target is touched.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .evidence import Json
from .laws import Case, Law
from .shapes import Place, Shapes, request_schema
from .spoiling import FIVE_MINUTES, encoded, options

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

Fields = dict[str, Json]
TEMPLATES = (None, "", "{{ .Prompt }}", "{{ .System }}{{ .Prompt }}")
ROLES = ("system", "user", "assistant")
LICENSES: tuple[Json, ...] = (None, "", "MIT", ["MIT", "Apache-2.0"], [])
NEVER = " !#$%&*()+,;<=>?[]^`{|}~\"'\\\x00\n\x7féß\u3000🙂"  # no part of a name has these
TOO_LONG = 81  # letters of a part
WORDS = r"[a-z0-9][a-zA-Z0-9_.-]{0,16}"


def embedded(model: str) -> SearchStrategy[Case]:
    """Requests for vectors that are valid by schema, each with the number of its texts."""
    from hypothesis import strategies as st

    texts = st.text(min_size=1, max_size=16).filter(lambda one: one.strip() and _sayable(one))
    several = st.lists(texts, min_size=1, max_size=3)
    better: dict[Place, SearchStrategy[Json]] = {
        ("model",): st.just(model),
        ("input",): st.sampled_from((None, "", [])) | texts | several | several | several,
        ("dimensions",): st.sampled_from((None, 0, 1, 7, 64, 100)),
        ("keep_alive",): st.sampled_from(FIVE_MINUTES),
        ("options",): st.none() | options(),
    }

    def case(fields: Fields, more: Json) -> Case:
        given = fields.get("input") or []
        count = 1 if isinstance(given, str) else len(given)
        body = encoded({**fields, "stream": more})
        return Case("POST", "/api/embed", body, Law.ANSWERED, "embed", vectors=count)

    always = frozenset({("model",), ("input",), ("dimensions",)})
    shapes = Shapes(request_schema("embed"), better, always)
    return st.builds(case, shapes.values(), st.none() | st.booleans())


def plainly_embedded(model: str) -> list[Case]:
    """What clients ask of vectors every day, and what is as good as nothing."""
    two: Fields = {"input": ["a b", "c"]}
    asks: list[tuple[Fields, int]] = [
        ({}, 0),
        ({"input": None}, 0),
        ({"input": ""}, 0),
        ({"input": []}, 0),
        ({"input": "a b"}, 1),
        (two, 2),
        ({**two, "dimensions": 0}, 2),
        ({**two, "dimensions": None, "truncate": None, "keep_alive": None, "options": None}, 2),
        ({**two, "dimensions": 7, "truncate": False, "stream": True}, 2),
    ]
    return [
        Case("POST", "/api/embed", encoded({"model": model, **fields}), Law.ANSWERED, "embed",
             vectors=count)
        for fields, count in asks
    ]  # fmt: skip


def _sayable(text: str) -> bool:
    """Whether UTF-8 can say it."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def created(name: str, base: str) -> SearchStrategy[Case]:
    """Requests to create a model of another one that are valid by schema."""
    from hypothesis import strategies as st

    letters = st.text('abc {}"\n.', max_size=12).filter(lambda one: "{{" not in one)
    turn = st.fixed_dictionaries({"role": st.sampled_from(ROLES), "content": letters})
    empty = st.none() | st.just("")
    parameters = options().map(
        lambda one: {key: value for key, value in one.items() if value is not None}
    )
    better: dict[Place, SearchStrategy[Json]] = {
        ("model",): st.just(name),
        ("name",): st.none(),
        ("from",): st.just(base),
        ("template",): st.sampled_from(TEMPLATES),
        ("system",): st.sampled_from((None, "", " Be brief.\n", "a\nb")) | letters,
        ("license",): st.sampled_from(LICENSES),
        ("parameters",): st.none() | parameters,
        ("messages",): st.none() | st.lists(turn, max_size=2),
        **{(key,): st.none() for key in ("files", "adapters", "draft_files", "info")},
        **{(key,): empty for key in ("quantize", "quantization", "draft_quantize", "renderer")},
        **{(key,): empty for key in ("parser", "requires", "remote_host")},
    }

    def case(fields: Fields) -> Case:
        streams = fields.get("stream") is not False
        body = encoded(fields)
        return Case("POST", "/api/create", body, Law.ANSWERED, "create", streams)

    always = frozenset({("model",), ("from",), ("system",), ("license",)})
    return Shapes(request_schema("create"), better, always).values().map(case)


def spelt(name: str) -> SearchStrategy[str]:
    """A name in the ways in which it may be given: with its tag, and in any case."""
    from hypothesis import strategies as st

    tagged = name if ":" in name.rpartition("/")[2] else f"{name}:latest"
    return st.sampled_from((name, tagged, name.upper(), tagged.title()))


def copied(source: str, prefix: str) -> SearchStrategy[Case]:
    """Copies to names that can be, below a prefix."""
    from hypothesis import strategies as st

    words = st.from_regex(WORDS, fullmatch=True)
    places = st.builds(lambda word, tag: f"{prefix}{word}{tag and f':{tag}'}", words, st.just("")
                       | words)  # fmt: skip

    def case(place: str, given: str, more: Json) -> Case:
        fields = {"source": given, "destination": place, "insecure": more}
        return Case("POST", "/api/copy", encoded(fields), Law.DONE)

    return st.builds(case, places, spelt(source), st.none() | st.booleans())


def deleted(name: str) -> SearchStrategy[Case]:
    """Requests to delete a model, named in each way that there is."""
    from hypothesis import strategies as st

    def case(key: str, given: str, other: Json, more: Json) -> Case:
        rest = {"model": "name", "name": "model"}[key]
        fields = {key: given, "insecure": more, **({rest: other} if other != "absent" else {})}
        return Case("DELETE", "/api/delete", encoded(fields), Law.DONE)

    return st.builds(
        case,
        st.sampled_from(("model", "name")),
        spelt(name),
        st.sampled_from((None, "", "absent")),
        st.none() | st.booleans(),
    )


STREAMS: tuple[Fields, ...] = ({}, {"stream": None}, {"stream": True}, {"stream": False})


def moved(route: str, name: str, key: str, fields: Fields) -> Case:
    """A pull or a push of a model that is there, over plain HTTP."""
    streams = fields.get("stream") is not False
    body = encoded({**fields, key: name, "insecure": True})
    return Case("POST", f"/api/{route}", body, Law.ANSWERED, route, streams)


def plainly_moved(route: str, name: str) -> list[Case]:
    """Streamed or not, in each way to say so, by `model` and by `name`."""
    return [moved(route, name, key, fields) for key in ("model", "name") for fields in STREAMS]


def transferred(route: str, name: str) -> SearchStrategy[Case]:
    """Requests to pull, or to push, a model that can be; valid by schema."""
    from hypothesis import strategies as st

    def case(key: str, fields: Fields, more: Json) -> Case:
        return moved(route, name, key, {**fields, "foo": more})

    better: dict[Place, SearchStrategy[Json]] = {(key,): st.none() for key in ("model", "name")}
    values = Shapes(request_schema(route), better).values()
    return st.builds(case, st.sampled_from(("model", "name")), values, st.none() | st.booleans())


def impossible_names() -> SearchStrategy[str]:
    """Names that no model can have: with a letter that none has, too long, or begun with a dot."""
    from hypothesis import strategies as st

    words = st.from_regex(r"[a-z0-9]{1,6}", fullmatch=True)
    bad = st.builds(lambda left, wrong, right: f"{left}{wrong}{right}", words,
                    st.sampled_from(NEVER), words)  # fmt: skip
    long = st.sampled_from(("m", "tag")).map(
        lambda part: "y" * TOO_LONG if part == "m" else f"a:{'y' * TOO_LONG}"
    )
    first = st.builds(lambda sign, word: f"{sign}{word}", st.sampled_from("-."), words)
    return st.builds(lambda space, word: f"{space}{word}", st.just("") | words.map("{}/".format),
                       bad | long | first)  # fmt: skip


def misnamed(asks: dict[str, Fields], keys: dict[str, str]) -> SearchStrategy[Case]:
    """Requests that are in order but for a name that no model can have.

    :param asks: routes with the fields that are in order.
    :param keys: for each route, where the name stands.
    """
    from hypothesis import strategies as st

    def case(route: str, name: str) -> Case:
        method = "DELETE" if route == "delete" else "POST"
        body = encoded({**asks[route], keys[route]: name})
        return Case(method, f"/api/{route}", body, Law.REFUSED)

    return st.builds(case, st.sampled_from(sorted(asks)), impossible_names())

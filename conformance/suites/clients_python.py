"""What the Python client needs: it is asked exactly so, and read as strictly as its types are."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from ..check import MUST, PASSED, Verdict, check, every, expect, expect_that
from ..clients import LANGCHAIN, LLAMAINDEX, OPEN_WEBUI, PYTHON
from ..evidence import Exchange, Json, Record
from ..extra import embedder
from ..target import NOBODY, Target
from ._apps import (
    CHAT,
    EMBED,
    GENERATE,
    LISTED,
    LOADED,
    PROGRESS,
    PYTHON_APP,
    SHOWN,
    Shape,
    failure,
    odd_one,
)

ON_PYTHON = (PYTHON, LANGCHAIN, LLAMAINDEX)  # those that are built on it
HELLO = [{"role": "user", "content": "Hello"}]
TYPED = "known fields of the types that the Python client checks"
MAX_LEFT_S = 300  # as long as a model stays without being told: nobody else is disturbed


def typed(got: Exchange, records: Iterable[Record], shape: Shape, *required: str) -> Verdict:
    """Passed if none of these records makes the Python client raise ValidationError."""
    odd = next((found for one in records if (found := odd_one(one, shape, *required))), None)
    return expect_that(odd is None, TYPED, odd, got)


def chat(target: Target, stream: bool, **more: Json) -> Exchange:
    """`chat()`: what was not given is not sent, but for `stream` and an empty list of tools."""
    fields = {"model": target.model, "stream": stream, "options": target.options({})}
    return PYTHON_APP.ask(target, "/api/chat", {**fields, "messages": HELLO, "tools": [], **more})


def generate(target: Target, stream: bool, **more: Json) -> Exchange:
    """`generate()`."""
    fields = {"model": target.model, "stream": stream, "options": target.options({})}
    return PYTHON_APP.ask(target, "/api/generate", {**fields, "prompt": "Hello", **more})


@check(
    "clients/python-types",
    MUST,
    group="core",
    source="ollama:_types",
    covers=("CLIENT-PY-OLL-08", "CLIENT-PY-OLL-10", "CLIENT-PY-OLL-14"),
    breaks=ON_PYTHON,
)
def python_types(target: Target) -> Verdict:
    """chat() and generate() of the Python client read every record without a ValidationError."""
    whole, said = chat(target, False), generate(target, False)
    found = [
        typed(whole, [whole.ok.object], CHAT, "message"),
        typed(said, [said.ok.object], GENERATE),
    ]
    streamed, pieces = chat(target, True), generate(target, True)
    found += [
        typed(streamed, streamed.records, CHAT, "message"),
        typed(pieces, pieces.records, GENERATE),
    ]
    return every(found)


@check(
    "clients/python-types-of-models",
    MUST,
    group="manage",
    source="ollama:_types",
    covers=("CLIENT-PY-OLL-08", "CLIENT-PY-OLL-10", "CLIENT-PY-OLL-11"),
    breaks=ON_PYTHON,
)
def python_types_of_models(target: Target) -> Verdict:
    """list() and show() of the Python client read models without a ValidationError, times too."""
    tags = PYTHON_APP.get(target, "/api/tags")
    models = tags.ok.object["models"]
    if not isinstance(models, list):
        return expect_that(False, "`models` to be a list", models, tags)
    shown = PYTHON_APP.ask(target, "/api/show", {"model": target.model})
    return every(
        (typed(tags, models, LISTED), typed(shown, [shown.ok.object], SHOWN, "model_info"))
    )


@check(
    "clients/python-types-of-loaded",
    MUST,
    group="lifecycle",
    source="ollama:_types",
    covers=("CLIENT-PY-OLL-08", "CLIENT-PY-OLL-11", "CLIENT-OWUI-02"),
    breaks=(PYTHON, OPEN_WEBUI),
)
def python_types_of_loaded(target: Target) -> Verdict:
    """ps() of the Python client reads loaded models without a ValidationError, times too."""
    generate(target, False).ok.object["done"]
    got = PYTHON_APP.get(target, "/api/ps")
    models = got.ok.object["models"]
    if not isinstance(models, list) or not models:
        return expect_that(False, "`models` to be a list with the loaded model", models, got)
    return typed(got, models, LOADED, "name", "model", "expires_at")


@check(
    "clients/python-types-of-vectors",
    MUST,
    group="embeddings",
    source="ollama:_types",
    covers=("CLIENT-PY-OLL-08", "CLIENT-PY-OLL-10"),
    breaks=(PYTHON, LANGCHAIN),
)
def python_types_of_vectors(target: Target) -> Verdict:
    """embed() of the Python client reads vectors without a ValidationError."""
    got = PYTHON_APP.ask(target, "/api/embed", {"model": embedder(target), "input": ["a", "b"]})
    return typed(got, [got.ok.object], EMBED, "embeddings")


@check(
    "clients/python-types-of-progress",
    MUST,
    group="create",
    source="ollama:_client",
    covers=("CLIENT-PY-OLL-08", "CLIENT-PY-OLL-26"),
    breaks=(PYTHON,),
)
def python_types_of_progress(target: Target) -> Verdict:
    """create() of the Python client, streamed or not, reads progress without a ValidationError."""
    fields = {
        "from": target.model,
        "license": ["MIT", "Apache-2.0"],
        "system": "You are brief.",
        "parameters": {"temperature": 0.5, "stop": ["a", "b"]},
        "messages": [{"role": "user", "content": "Hello"}],
    }
    asked = {"model": target.temporary("python-made"), "stream": True, **fields}
    streamed = PYTHON_APP.ask(target, "/api/create", asked)
    once = PYTHON_APP.ask(target, "/api/create", {**asked, "stream": False})
    return every(
        (
            typed(streamed, streamed.records, PROGRESS),
            expect([one.get("status") for one in streamed.records][-1], "success", streamed),
            typed(once, [once.ok.object], PROGRESS),
            expect(once.object.get("status"), "success", once),
        )
    )


@check(
    "clients/python-errors",
    MUST,
    group="core",
    source="ollama:_client",
    covers=("CLIENT-PY-OLL-02", "CLIENT-PY-OLL-03", "CLIENT-OWUI-03"),
    breaks=(*ON_PYTHON, OPEN_WEBUI),
)
def python_errors(target: Target) -> Verdict:
    """What fails makes the Python client raise ResponseError with the server's own words."""
    nobody = {"model": NOBODY, "options": {"temperature": 0}}
    asks: list[Exchange] = [
        chat(target, False, **nobody),
        chat(target, True, **nobody),
        generate(target, False, **nobody),
        generate(target, True, **nobody),
        chat(target, True, keep_alive="soon"),
        generate(target, False, options={"temperature": "hot"}),
    ]
    for got in asks:
        _ = failure(got)
    named = NOBODY in failure(asks[0])
    return expect_that(named, "a message that names the model", failure(asks[0]), asks[0])


@check(
    "clients/python-forms",
    MUST,
    group="core",
    source="ollama:_types",
    covers=("CLIENT-PY-OLL-25",),
    breaks=ON_PYTHON,
)
def python_forms(target: Target) -> Verdict:
    """keep_alive, format and think are taken in each form that the Python client sends them in."""
    forms: list[dict[str, Json]] = [
        {"keep_alive": MAX_LEFT_S},
        {"keep_alive": MAX_LEFT_S + 0.5},
        {"keep_alive": "5m"},
        {"format": ""},
        {"think": False},
        {"logprobs": False, "top_logprobs": 0},
    ]
    if "thinking" not in target.setup.absent and target.setup.scripted:
        forms += [{"think": True}, {"think": "low"}]
    if "format" not in target.setup.absent:
        forms += [{"format": "json"}, {"format": {"type": "object", "properties": {}}}]
    for form in forms:
        short = target.options({"num_predict": 2})
        for got in target.several(
            (
                partial(chat, target, False, options=short, **form),
                partial(generate, target, True, options=short, **form),
            )
        ):
            if got.code != 200:
                return expect_that(False, f"{form} to be taken", got.loose_text[:200], got)
    return PASSED

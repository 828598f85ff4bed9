"""Class embeddings, part three: the older route, and which models embed."""

from __future__ import annotations

import re
import time

from ..check import (
    MAY,
    MUST,
    PASSED,
    SHOULD,
    Verdict,
    check,
    every,
    expect,
    expect_error,
    expect_that,
    not_judged,
)
from ..clients import CONTINUE, LANGCHAIN, LANGCHAIN_JS, LLAMAINDEX, OPEN_WEBUI, PYTHON
from ..evidence import Exchange, Json, Record, Wrong
from ..extra import embedder, vectors
from ..moments import moment
from ..reply import read
from ..target import NOBODY, Target
from ..vectors import read_vector, read_vectors
from .embeddings import THREE, alike, embed

OLDER = (PYTHON, LANGCHAIN_JS, LLAMAINDEX, OPEN_WEBUI)  # older releases of them
DEADLINE_S = 8.0  # release is asynchronous
OF_A_RUN = re.compile(r"parallama-check-[0-9a-f]+/embedding:latest")


def older(target: Target, **fields: Json) -> Exchange:
    """Ask the older route."""
    return target.post("/api/embeddings", model=embedder(target), **fields)


@check(
    "embeddings/older",
    MUST,
    group="embeddings",
    source="docs/api.md#generate-embedding",
    covers=("EMBED-040", "MET-010"),
    breaks=OLDER,
)
def older_shape(target: Target) -> Verdict:
    """/api/embeddings answers a `prompt` with one vector in `embedding`, and nothing else."""
    got = older(target, prompt=THREE[0])
    vector = expect_that(len(read_vector(got)) > 1, "a vector", read_vector(got), got)
    return every((vector, expect(list(got.object), ["embedding"], got)))


@check(
    "embeddings/older-values",
    MUST,
    group="embeddings",
    source="llm/llama_server.go:Embedding",
    covers=("EMBED-040", "EMBED-043"),
    breaks=OLDER,
)
def older_values(target: Target) -> Verdict:
    """It points where /api/embed's vector points; how long it is, is left to the server."""
    return every(
        alike(read_vector(got), read_vectors(embed(target, text))[0], text, got)
        for text in THREE
        for got in (older(target, prompt=text),)
    )


@check(
    "embeddings/older-scripted",
    MUST,
    group="embeddings",
    source="fixtures/models/scripted-embedding",
    covers=("EMBED-040",),
    breaks=OLDER,
)
def older_scripted(target: Target) -> Verdict:
    """Its vectors are the model's."""
    texts = vectors(target).texts
    return every(
        alike(read_vector(got), texts[id].vector, texts[id].text, got)
        for id in ("sky", "man-dog", "pieces")
        for got in (older(target, prompt=texts[id].text),)
    )


@check(
    "embeddings/older-empty",
    MUST,
    group="embeddings",
    source="server/routes.go:EmbeddingsHandler",
    covers=("EMBED-042",),
    breaks=(LANGCHAIN, PYTHON),
)
def older_empty(target: Target) -> Verdict:
    """Without a prompt, or with an empty one, `embedding` is an empty list."""
    asks: tuple[dict[str, Json], ...] = ({}, {"prompt": ""}, {"prompt": None})
    return every(
        expect(read_vector(got), [], got) for ask in asks for got in (older(target, **ask),)
    )


@check(
    "embeddings/older-input-is-unknown",
    SHOULD,
    group="embeddings",
    source="api/types.go:EmbeddingRequest",
    covers=("EMBED-041",),
)
def older_input_is_unknown(target: Target) -> Verdict:
    """`input` is not read by the older route."""
    got = older(target, input=THREE[0])
    return expect(read_vector(got), [], got)


@check(
    "embeddings/older-types",
    MUST,
    group="embeddings",
    source="api/types.go:EmbeddingRequest",
    covers=("EMBED-045", "EMBED-040", "ERR-002"),
)
def older_types(target: Target) -> Verdict:
    """A prompt that is a list or a number is 400."""
    prompts: tuple[Json, ...] = ([THREE[0]], 5, {"text": "a"})
    return every(expect_error(older(target, prompt=prompt), (400,)) for prompt in prompts)


@check(
    "embeddings/older-never-cuts",
    SHOULD,
    group="embeddings",
    source="server/routes.go:EmbeddingsHandler",
    covers=("EMBED-044",),
)
def older_never_cuts(target: Target) -> Verdict:
    """A prompt that is too long is an error, not a vector of its beginning."""
    got = older(target, prompt=vectors(target).texts["long"].text)
    return expect_error(got, (400, 500))


@check(
    "embeddings/older-too-long",
    MAY,
    group="embeddings",
    source="server/routes.go:EmbeddingsHandler",
    covers=("EMBED-044",),
)
def older_too_long(target: Target) -> Verdict:
    """That error is 500, as all of the older route's are that come from the model."""
    got = older(target, prompt=vectors(target).texts["long"].text)
    return expect_error(got, (500,), containing="context length")


@check(
    "embeddings/older-unknown-model",
    MUST,
    group="embeddings",
    source="server/routes.go:handleScheduleError",
    covers=("NAME-008", "ERR-010", "ERR-053"),
    breaks=OLDER,
)
def older_unknown_model(target: Target) -> Verdict:
    """A model that is not there is 404, whether or not something is to be embedded."""
    return every(
        expect_error(
            target.post("/api/embeddings", model=NOBODY, prompt=prompt), (404,), "not found"
        )
        for prompt in ("a", "")
    )


@check(
    "embeddings/keep-alive",
    MUST,
    group="embeddings",
    alone=True,
    source="docs/faq.md#keep-a-model-loaded",
    covers=("EMBED-005", "EMBED-040", "LIFE-009"),
    breaks=(LANGCHAIN, PYTHON),
)
def keep_alive(target: Target) -> Verdict:
    """keep_alive is heard by both routes: how long the model stays, and 0 lets it go."""
    texts: dict[str, Json] = {"/api/embed": {"input": "a"}, "/api/embeddings": {"prompt": "a"}}
    for path, given in texts.items():
        _ = target.post(path, given, model=embedder(target), keep_alive="40m").ok
        left = moment(listed(target)["expires_at"]) - time.time()
        if not 38 * 60 < left < 42 * 60:
            return expect_that(False, f"{path}: forty minutes left", f"{left:.0f} s left")
        _ = target.post(path, given, model=embedder(target), keep_alive=0).ok
        if not gone(target):
            return expect_that(False, f"{path}: the model to leave /api/ps", "it stays")
    return PASSED


@check(
    "embeddings/empty-loads",
    SHOULD,
    group="embeddings",
    alone=True,
    source="server/routes.go:EmbedHandler",
    covers=("LIFE-009", "EMBED-011", "EMBED-042"),
)
def empty_loads(target: Target) -> Verdict:
    """With nothing to embed the model is loaded all the same."""
    model = embedder(target)
    for path in ("/api/embed", "/api/embeddings"):
        _ = target.post(path, model=model, input="a", prompt="a", keep_alive=0).ok
        if not gone(target):
            return expect_that(False, "the model to leave /api/ps", "it stays")
        _ = target.post(path, model=model).ok
        listed(target)
    return PASSED


def _entries(target: Target) -> list[Record]:
    """The model's entries in /api/ps; models of the same weights share one (LIFE-021), so it may
    stand there under the name of a run before this one.
    """
    if "lifecycle" in target.setup.absent:
        not_judged("needs /api/ps")
    model = embedder(target)
    named = model if ":" in model.rpartition("/")[2] else f"{model}:latest"
    models = target.get("/api/ps").ok.object["models"]
    return [one for one in models if one["name"] == named or OF_A_RUN.fullmatch(one["name"])]


def listed(target: Target) -> Record:
    """The model's entry in /api/ps. Raises Wrong where it is not loaded."""
    entries = _entries(target)
    if not entries:
        raise Wrong(f"{embedder(target)} to be in /api/ps", target.exchanges[-1].loose_text[:300])
    return entries[0]


def gone(target: Target) -> bool:
    end = time.monotonic() + DEADLINE_S
    while _entries(target):
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


@check(
    "embeddings/capability",
    MUST,
    group="embeddings",
    source="server/images.go:Capabilities",
    covers=("SHOW-19", "SHOW-21", "CLIENT-PY-OLL-15"),
    breaks=(PYTHON, CONTINUE, OPEN_WEBUI),
)
def capability(target: Target) -> Verdict:
    """/api/show lists `embedding` for a model that embeds, and not `completion`."""
    _ = vectors(target)
    got = target.post("/api/show", model=embedder(target))
    return expect(got.ok.object["capabilities"], ["embedding"], got)


@check(
    "embeddings/capability-of-others",
    MUST,
    group="embeddings",
    source="server/images.go:Capabilities",
    covers=("SHOW-21",),
    breaks=(CONTINUE, OPEN_WEBUI),
)
def capability_of_others(target: Target) -> Verdict:
    """/api/show does not list `embedding` for a model that generates."""
    _ = target.script
    got = target.post("/api/show", model=target.model)
    listed = got.ok.object["capabilities"]
    return expect_that("embedding" not in listed, "no `embedding`", listed, got)


@check(
    "embeddings/size-is-shown",
    SHOULD,
    group="embeddings",
    source="server/routes.go:GetModelInfo",
    covers=("SHOW-14",),
    breaks=(OPEN_WEBUI,),
)
def size_is_shown(target: Target) -> Verdict:
    """/api/show tells the size of vectors and the context in model_info; details, the family."""
    script = vectors(target)
    got = target.post("/api/show", model=embedder(target))
    known = got.ok.object["model_info"]
    family = known["general.architecture"]
    found = [known[f"{family}.embedding_length"], known[f"{family}.context_length"]]
    details = got.object["details"]
    return every(
        (
            expect(found, [script.dimensions, script.context_length], got),
            expect([details["family"], details["families"]], [family, [family]], got),
        )
    )


@check(
    "embeddings/does-not-generate",
    MUST,
    group="embeddings",
    source="server/images.go:CheckCapabilities",
    covers=("ERR-015", "ERR-016"),
    breaks=(PYTHON, OPEN_WEBUI),
)
def does_not_generate(target: Target) -> Verdict:
    """A model that only embeds is refused by chat and generate, a load, too: before all else."""
    _ = vectors(target)
    model = embedder(target)
    hello = [{"role": "user", "content": "Hello"}]
    tools = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]
    bad = {"options": {"num_ctx": "x"}}
    asks: tuple[tuple[str, str, dict[str, Json]], ...] = (
        ("/api/generate", "does not support generate", {"prompt": "Hello"}),
        ("/api/generate", "does not support generate", {"prompt": "Hello", "suffix": "x", **bad}),
        ("/api/generate", "does not support generate", {}),
        ("/api/chat", "does not support chat", {"messages": hello}),
        ("/api/chat", "does not support chat", {"messages": hello, "tools": tools, **bad}),
        ("/api/chat", "does not support chat", {}),
    )
    return every(
        expect_error(target.post(path, given, model=model, stream=stream), (400,), containing=told)
        for path, told, given in asks
        for stream in (False, True)
    )


@check(
    "embeddings/generator-refuses",
    SHOULD,
    group="embeddings",
    source="llm/llama_server.go:normalizeEmbeddingError",
    covers=("EMBED-025", "ERR-027"),
)
def generator_refuses(target: Target) -> Verdict:
    """A model that was made to generate does not embed: an error, not a vector made up."""
    _ = target.script
    asks: tuple[tuple[str, dict[str, Json]], ...] = (
        ("/api/embed", {"input": THREE}),
        ("/api/embeddings", {"prompt": THREE[0]}),
    )
    return every(
        expect_error(target.post(path, given, model=target.model), (400, 500, 501))
        for path, given in asks
    )


@check(
    "embeddings/beside-generating",
    MUST,
    group="embeddings",
    source="server/sched.go",
    covers=("EMBED-028",),
    breaks=(LANGCHAIN, LLAMAINDEX, CONTINUE, OPEN_WEBUI),
)
def beside_generating(target: Target) -> Verdict:
    """While another model answers, vectors are what they are, and so is its text."""
    sky = vectors(target).texts["sky"]
    model = embedder(target)
    answers = target.at_once(
        [
            target.chat,
            lambda: target.post("/api/embed", model=model, input=sky.text),
            lambda: target.chat(stream=True),
            lambda: target.post("/api/embed", model=model, input=[sky.text, "a"]),
        ]
    )
    return every(
        (
            *(
                expect(read(got).text, target.recital("greeting").content, got)
                for got in answers[::2]
            ),
            *(alike(read_vectors(got)[0], sky.vector, sky.text, got) for got in answers[1::2]),
        )
    )

"""Class embeddings, part one: what /api/embed answers, and that its vectors are the right ones."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from ..check import MAY, MUST, PASSED, SHOULD, Verdict, check, every, expect, expect_that
from ..clients import CONTINUE, JS, LANGCHAIN, LANGCHAIN_JS, LITELLM, LLAMAINDEX, OPEN_WEBUI, PYTHON
from ..evidence import Exchange, Json
from ..extra import embedder, vectors
from ..target import Target
from ..vectors import SAME, Text, Vector, cosine, length, read_vectors

EMBEDDERS = (PYTHON, JS, LANGCHAIN, LANGCHAIN_JS, LLAMAINDEX, CONTINUE, OPEN_WEBUI, LITELLM)
THREE = ["The sky is blue.", "Grass is green.", "A dog sees a man."]
MANY = 130  # more than Continue sends, which sends 64, and LangChain sends what it has
TOGETHER = 8


def embed(target: Target, given: Json, **fields: Json) -> Exchange:
    """Embed a text or several."""
    return target.post("/api/embed", model=embedder(target), input=given, **fields)


def alike(found: Vector, wanted: Vector, what: str, got: Exchange) -> Verdict:
    """Passed if both are the vector of one text."""
    near = cosine(found, wanted)
    told = f"{near:.4f} ({len(found)} numbers)"
    return expect_that(near >= SAME, f"the vector of {what!r}: a cosine of {SAME}", told, got)


def all_alike(
    found: Sequence[Vector], wanted: Sequence[Vector], texts: Sequence[str], got: Exchange
) -> Verdict:
    """Passed if each is the vector of its text."""
    if len(found) != len(wanted):
        return expect_that(False, f"{len(wanted)} vectors", f"{len(found)} vectors", got)
    named = zip(found, wanted, texts, strict=True)
    return every(alike(one, other, text, got) for one, other, text in named)


def scripted(got: Exchange, texts: Sequence[Text]) -> Verdict:
    """Passed if an answer has the script's vectors of these texts, in their order."""
    names = [one.text[:40] for one in texts]
    return all_alike(read_vectors(got), [one.vector for one in texts], names, got)


@check(
    "embeddings/one",
    MUST,
    group="embeddings",
    source="docs/api.md#generate-embeddings",
    covers=("EMBED-001", "EMBED-002", "EMBED-010"),
    breaks=EMBEDDERS,
)
def one_text(target: Target) -> Verdict:
    """A text is answered with one JSON object: `model` as asked, and one vector in `embeddings`."""
    got = embed(target, THREE[0])
    found = read_vectors(got)
    return every(
        (
            expect(got.media_type, "application/json", got),
            expect(got.object["model"], embedder(target), got),
            expect(len(found), 1, got),
            expect_that(len(found[0]) > 1, "a vector", found[0], got),
        )
    )


@check(
    "embeddings/several",
    MUST,
    group="embeddings",
    source="docs/api.md#request-multiple-input",
    covers=("EMBED-002", "EMBED-010", "CLIENT-LC-PY-10"),
    breaks=EMBEDDERS,
)
def several(target: Target) -> Verdict:
    """A list of texts is answered with as many vectors, all of one size; a list of one with one."""
    got, single = embed(target, THREE), embed(target, THREE[:1])
    sizes = [len(one) for one in read_vectors(got)]
    size = len(read_vectors(single)[0])
    return every(
        (expect(sizes, [size] * len(THREE), got), expect(len(read_vectors(single)), 1, single))
    )


@check(
    "embeddings/not-streamed",
    SHOULD,
    group="embeddings",
    source="api/types.go:EmbedRequest",
    covers=("EMBED-010",),
)
def not_streamed(target: Target) -> Verdict:
    """There are no streams of vectors: `stream` is not looked at."""
    got = embed(target, THREE, stream=True)
    return every(
        (expect(got.ok.media_type, "application/json", got), expect(len(read_vectors(got)), 3, got))
    )


@check(
    "embeddings/empty",
    MUST,
    group="embeddings",
    source="server/routes.go:EmbedHandler",
    covers=("EMBED-011", "REQ-005"),
    breaks=(PYTHON, LANGCHAIN),
)
def empty(target: Target) -> Verdict:
    """No input, null, an empty string or an empty list: the model's name and no vectors."""
    asks: tuple[dict[str, Json], ...] = ({}, {"input": None}, {"input": ""}, {"input": []})
    model = embedder(target)
    for ask in asks:
        got = target.post("/api/embed", ask, model=model)
        found = [got.ok.object["model"], read_vectors(got)]
        if found != [model, []]:
            return expect(found, [model, []], got)
    return PASSED


@check(
    "embeddings/empty-has-no-figures",
    SHOULD,
    group="embeddings",
    source="server/routes.go:EmbedHandler",
    covers=("EMBED-011",),
)
def empty_has_no_figures(target: Target) -> Verdict:
    """Where nothing was embedded nothing is counted."""
    got = embed(target, [])
    return expect(got.ok.object.get("prompt_eval_count", 0), 0, got)


@check(
    "embeddings/empty-in-a-list",
    MAY,
    group="embeddings",
    source="server/routes.go:EmbedHandler",
    covers=("EMBED-012",),
    breaks=(LANGCHAIN, LLAMAINDEX),
)
def empty_in_a_list(target: Target) -> Verdict:
    """In a list an empty string, or one of white space, is a text like others."""
    script = vectors(target).texts
    got = embed(target, ["a", "", " "])
    return scripted(got, [script["one"], script["empty"], script["empty"]])


@check(
    "embeddings/values",
    MUST,
    group="embeddings",
    source="fixtures/models/scripted-embedding",
    covers=("EMBED-010", "EMBED-028"),
    breaks=EMBEDDERS,
)
def values(target: Target) -> Verdict:
    """The vectors are the model's: tokens, pooling, positions and special tokens are right."""
    texts = vectors(target).whole
    asked = [one for one in texts if one.text]
    return scripted(embed(target, [one.text for one in asked]), asked)


@check(
    "embeddings/case-and-space",
    MUST,
    group="embeddings",
    source="fixtures/models/scripted-embedding",
    covers=("EMBED-028",),
    breaks=(LANGCHAIN, LLAMAINDEX),
)
def case_and_space(target: Target) -> Verdict:
    """An uncased model takes case, white space and accents as its tokenizer does."""
    script = vectors(target).texts
    texts = [script[id] for id in ("sky", "capitals", "spaces", "accents", "no-accents")]
    got = embed(target, [one.text for one in texts])
    first, *others = read_vectors(got)[:3]
    same = all_alike(others, [first, first], [one.text for one in texts[1:3]], got)
    return every((same, scripted(got, texts)))


@check(
    "embeddings/order",
    MUST,
    group="embeddings",
    source="server/routes.go:EmbedHandler",
    covers=("EMBED-014", "CLIENT-LC-PY-10"),
    breaks=EMBEDDERS,
)
def order(target: Target) -> Verdict:
    """Vectors come in the order of the texts, whatever that is."""
    alone = [read_vectors(embed(target, text))[0] for text in THREE]
    return every(
        all_alike(read_vectors(got), wanted, texts, got)
        for texts, wanted in ((THREE, alone), (THREE[::-1], alone[::-1]))
        for got in (embed(target, texts),)
    )


@check(
    "embeddings/order-of-lengths",
    MUST,
    group="embeddings",
    source="server/routes.go:EmbedHandler",
    covers=("EMBED-014", "CLIENT-LC-PY-10"),
    breaks=EMBEDDERS,
)
def order_of_lengths(target: Target) -> Verdict:
    """Long and short texts in turns: a server that sorts them by length puts them back."""
    script = vectors(target).texts
    texts = [script[id] for id in ("exact", "one", "signs", "sky", "long", "one", "pieces")]
    return scripted(embed(target, [one.text for one in texts]), texts)


@check(
    "embeddings/many",
    MUST,
    group="embeddings",
    source="continue: core/llm/llms/Ollama.ts",
    covers=("EMBED-014", "CLIENT-CONT-06", "CLIENT-LC-PY-10"),
    breaks=EMBEDDERS,
)
def many(target: Target) -> Verdict:
    """As many texts as clients send at once, each with its own vector, none left out."""
    texts = [one for one in vectors(target).whole if one.text and one.tokens < 30]
    asked = [texts[place % len(texts)] for place in range(MANY)]
    return scripted(embed(target, [one.text for one in asked]), asked)


@check(
    "embeddings/duplicates",
    MUST,
    group="embeddings",
    source="server/routes.go:EmbedHandler",
    covers=("EMBED-014",),
    breaks=(LANGCHAIN, LLAMAINDEX),
)
def duplicates(target: Target) -> Verdict:
    """A text that comes twice gets its vector twice."""
    got = embed(target, [THREE[0], THREE[1], THREE[0]])
    found = read_vectors(got)
    if len(found) != 3:
        return expect(len(found), 3, got)
    return every(
        (
            alike(found[2], found[0], THREE[0], got),
            expect_that(
                cosine(found[0], found[1]) < SAME, "another one between", found[1][:3], got
            ),
        )
    )


@check(
    "embeddings/batch-equals-single",
    MUST,
    group="embeddings",
    source="integration/embed_test.go",
    covers=("EMBED-028",),
    breaks=(LANGCHAIN, LLAMAINDEX, CONTINUE),
)
def batch_equals_single(target: Target) -> Verdict:
    """A text has one vector, alone or beside others, long ones too."""
    texts = ["a", THREE[0], " ".join(THREE * 4)]
    alone = [read_vectors(embed(target, text))[0] for text in texts]
    got = embed(target, texts)
    return all_alike(read_vectors(got), alone, texts, got)


@check(
    "embeddings/again",
    MUST,
    group="embeddings",
    source="integration/embed_test.go",
    covers=("EMBED-028",),
    breaks=(LANGCHAIN, LLAMAINDEX, CONTINUE),
)
def again(target: Target) -> Verdict:
    """Asked again, also after another text, the same text has the same vector and count."""
    first = embed(target, THREE[0])
    embed(target, THREE[1])
    second = embed(target, THREE[0])
    counts = [got.object["prompt_eval_count"] for got in (first, second)]
    return every(
        (
            alike(read_vectors(second)[0], read_vectors(first)[0], THREE[0], second),
            expect(counts[1], counts[0], second),
        )
    )


@check(
    "embeddings/in-company",
    MUST,
    group="embeddings",
    source="server/routes.go:EmbedHandler",
    covers=("EMBED-014", "EMBED-028"),
    breaks=EMBEDDERS,
)
def in_company(target: Target) -> Verdict:
    """Requests that come at the same time get each their own vectors and counts."""
    texts = [one for one in vectors(target).whole if one.text][:TOGETHER]
    model = embedder(target)
    asks = [partial(target.post, "/api/embed", model=model, input=[one.text]) for one in texts]
    return every(
        verdict
        for got, text in zip(target.at_once(asks), texts, strict=True)
        for verdict in (
            scripted(got, [text]),
            expect(got.object["prompt_eval_count"], text.tokens, got),
        )
    )


@check(
    "embeddings/unit-length",
    MUST,
    group="embeddings",
    source="server/routes.go:normalize",
    covers=("EMBED-015",),
    breaks=(LANGCHAIN, LLAMAINDEX, CONTINUE, OPEN_WEBUI),
)
def unit_length(target: Target) -> Verdict:
    """Every vector has length 1: clients compare by dot products."""
    got = embed(target, ["a", *THREE, " ".join(THREE)])
    lengths = [length(one) for one in read_vectors(got)]
    holds = all(abs(one - 1) < 1e-3 for one in lengths)
    return expect_that(holds, "lengths of 1", [round(one, 4) for one in lengths], got)

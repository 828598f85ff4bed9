"""Class embeddings, part four: what is counted and timed, and how finely numbers are told."""

from __future__ import annotations

import struct

from ..check import MUST, PASSED, SHOULD, Verdict, check, every, expect, expect_that
from ..clients import CONTINUE, GO, LANGCHAIN, LITELLM, LLAMAINDEX, OPEN_WEBUI
from ..evidence import Json, Record
from ..extra import embedder, vectors
from ..target import Target
from ..vectors import cosine, read_vector, read_vectors
from .embeddings import EMBEDDERS, THREE, embed
from .embeddings_models import gone, listed

CLOSE = 0.9999  # cosine: far beyond what a batch costs in single precision, or in half
BEGINNING = "the sky is blue and the sea is blue " * 12  # it fits the context, with a few words


@check(
    "embeddings/count",
    MUST,
    group="embeddings",
    source="integration/embed_test.go",
    covers=("EMBED-017", "MET-010"),
    breaks=(LANGCHAIN, LITELLM),
)
def count(target: Target) -> Verdict:
    """prompt_eval_count is the number of tokens, special ones included, of all texts together."""
    texts = [one for one in vectors(target).whole if one.text]
    single = texts[0]
    asks = ((single.text, single.tokens), ([t.text for t in texts], sum(t.tokens for t in texts)))
    return every(
        expect(got.ok.object["prompt_eval_count"], tokens, got)
        for given, tokens in asks
        for got in (embed(target, given),)
    )


@check(
    "embeddings/count-of-copies",
    MUST,
    group="embeddings",
    source="integration/embed_test.go",
    covers=("EMBED-017",),
    breaks=(LITELLM,),
)
def count_of_copies(target: Target) -> Verdict:
    """A text that comes three times is counted three times, though it may be computed once."""
    single, triple = embed(target, THREE[0]), embed(target, [THREE[0]] * 3)
    one = single.ok.object["prompt_eval_count"]
    return expect(triple.ok.object["prompt_eval_count"], 3 * one, triple)


@check(
    "embeddings/durations",
    SHOULD,
    group="embeddings",
    source="api/types.go:EmbedResponse",
    covers=("MET-010", "EMBED-010"),
    breaks=(LITELLM,),
)
def durations(target: Target) -> Verdict:
    """total_duration is in nanoseconds, holds load_duration, and fits the time that passed."""
    got = embed(target, THREE)
    answer: Record = got.ok.object
    total, load = answer["total_duration"], answer.get("load_duration", 0)
    holds = type(total) is int and type(load) is int and 0 <= load <= total
    return expect_that(
        holds and 1000 < total <= (got.elapsed_ms + 50) * 1e6,
        f"load_duration <= total_duration <= {got.elapsed_ms * 1e6:.0f} ns",
        [load, total],
        got,
    )


@check(
    "embeddings/no-other-figures",
    MUST,
    group="embeddings",
    source="api/types.go:EmbedResponse",
    covers=("MET-010",),
)
def no_other_figures(target: Target) -> Verdict:
    """Nothing is generated: there is no eval_count, no done and no response."""
    got = embed(target, THREE[0])
    there = sorted(
        {"eval_count", "eval_duration", "done", "response", "error"} & set(got.ok.object)
    )
    return expect(there, [], got)


@check(
    "embeddings/precision",
    SHOULD,
    group="embeddings",
    source="api/types.go:EmbedResponse",
    covers=("EMBED-027",),
    breaks=(LANGCHAIN, LLAMAINDEX),
)
def precision(target: Target) -> Verdict:
    """Numbers are as fine as single precision has them: not rounded, not halves, not of 8 bits."""
    got = embed(target, THREE)
    numbers = [one for vector in read_vectors(got) for one in vector]
    rounded = sum(round(one, 6) == one for one in numbers)
    halves = sum(_is_half(one) for one in numbers)
    steps = len({abs(one) for one in numbers})
    told = f"of {len(numbers)}: {rounded} rounded, {halves} halves, {steps} different"
    fine = 2 * max(rounded, halves) < len(numbers) and steps > 0.9 * len(numbers)
    return expect_that(fine, "numbers of single precision", told, got)


def _is_half(number: float) -> bool:
    """Whether a number has no more than 16 bits, of either kind."""
    try:
        single = struct.pack("<f", number)
        half = struct.unpack("<e", struct.pack("<e", number))[0]
    except OverflowError:
        return False
    return single[:2] == b"\0\0" or struct.pack("<f", half) == single


@check(
    "embeddings/batch-leaves-no-trace",
    SHOULD,
    group="embeddings",
    source="integration/embed_test.go",
    covers=("EMBED-028",),
    breaks=(LANGCHAIN, LLAMAINDEX, CONTINUE),
)
def batch_leaves_no_trace(target: Target) -> Verdict:
    """A vector owes nothing to the texts beside it: it is the one that its text has alone."""
    texts = [THREE[0], "a", " ".join(THREE * 3), THREE[1]]
    got = embed(target, texts)
    alone = [read_vectors(embed(target, text))[0] for text in texts]
    near = [cosine(one, other) for one, other in zip(read_vectors(got), alone, strict=True)]
    return expect_that(
        min(near) >= CLOSE, f"cosines of {CLOSE}", [round(one, 6) for one in near], got
    )


@check(
    "embeddings/beginnings-are-not-texts",
    MUST,
    group="embeddings",
    source="server/routes.go:EmbedHandler",
    covers=("EMBED-014", "EMBED-028", "EMBED-043"),
    breaks=EMBEDDERS,
)
def beginnings_are_not_texts(target: Target) -> Verdict:
    """Of two long texts that differ in their last word each has its own vector, on both routes."""
    texts = [f"{BEGINNING}{word}" for word in ("dog", "grass")]
    model = embedder(target)
    together = read_vectors(got := embed(target, texts))
    alone = [read_vectors(embed(target, text))[0] for text in texts]
    older = [
        read_vector(target.post("/api/embeddings", model=model, prompt=text)) for text in texts
    ]
    same = [one[0] == one[1] for one in (together, alone, older)]
    return expect(same, [False] * 3, got)


@check(
    "embeddings/unloaded-by-generate",
    MUST,
    group="embeddings",
    alone=True,
    source="server/routes.go:GenerateHandler",
    covers=("LIFE-005", "LIFE-003", "LIFE-004"),
    breaks=(GO, OPEN_WEBUI),
)
def unloaded_by_generate(target: Target) -> Verdict:
    """A model that only embeds is unloaded as others are: generate or chat with keep_alive 0."""
    model = embedder(target)
    asks: dict[str, dict[str, Json]] = {"/api/generate": {}, "/api/chat": {"messages": []}}
    for path, given in asks.items():
        _ = target.post("/api/embed", model=model, input="a").ok
        listed(target)
        got = target.post(path, given, model=model, keep_alive=0, stream=False)
        told = got.ok.object.get("done_reason")
        if told != "unload" or not gone(target):
            there = "it is in /api/ps still" if told == "unload" else told
            return expect_that(False, f"{path}: done_reason unload, and it is gone", there, got)
    return PASSED

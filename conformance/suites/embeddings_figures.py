"""Class embeddings, part four: what is counted and timed."""

from __future__ import annotations

from ..check import MUST, SHOULD, Verdict, check, every, expect, expect_that
from ..clients import LANGCHAIN, LITELLM
from ..evidence import Record
from ..extra import vectors
from ..target import Target
from .embeddings import THREE, embed


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

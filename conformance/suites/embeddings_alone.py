"""Class embeddings, part six: a text alone is as it is in a list, and so is the model."""

from __future__ import annotations

from ..check import MUST, PASSED, Verdict, check, every, expect, expect_that
from ..clients import PICKERS
from ..extra import embedder
from ..target import Target
from ..vectors import length, read_vector, read_vectors
from .embeddings import EMBEDDERS, alike, embed
from .kept import told
from .shown import entry

TEXTS = ("The sky is blue.\nGrass is green.", "a, b; c", "A dog.\r\n\r\nA man.\t", "[1, 2]", " \n ")
KEYS = ["embeddings", "load_duration", "model", "prompt_eval_count", "total_duration"]


@check(
    "embeddings/lines-are-one-text",
    MUST,
    group="embeddings",
    source="server/routes.go:EmbedHandler",
    covers=("EMBED-002", "EMBED-010", "EMBED-014", "EMBED-015", "EMBED-028"),
    breaks=EMBEDDERS,
)
def lines_are_one_text(target: Target) -> Verdict:
    """A text of several lines, with commas, or of blanks is one: one vector, as in a list."""
    together = embed(target, list(TEXTS))
    for text, wanted in zip(TEXTS, read_vectors(together), strict=True):
        got = embed(target, text)
        found = read_vectors(got)
        if len(found) != 1 or abs(length(found[0]) - 1) > 1e-3:
            lengths = [round(length(one), 4) for one in found]
            return expect_that(False, f"one vector of length 1 for {text!r}", lengths, got)
        verdict = every((alike(found[0], wanted, text, got), expect(sorted(got.object), KEYS, got)))
        if verdict is not PASSED:
            return verdict
        old = target.post("/api/embeddings", model=embedder(target), prompt=text)
        older = alike(read_vector(old), wanted, f"{text} by the older route", old)
        if older is not PASSED:
            return older
    none = embed(target, [])
    return expect(sorted(none.ok.object), ["embeddings", "model"], none)


@check(
    "embeddings/listed-as-shown",
    MUST,
    group="embeddings",
    source="server/model_list_cache.go:buildModelListSummary",
    covers=("TAGS-02", "TAGS-07", "TAGS-09", "SHOW-21"),
    breaks=PICKERS,
)
def listed_as_shown(target: Target) -> Verdict:
    """A model that embeds is listed as others are, with the details that show tells of it."""
    name = embedder(target)
    found, known = entry(target, name), told(target, name)
    keys = ("parent_model", "format", "family", "families", "parameter_size", "quantization_level")
    parts = [{key: one["details"][key] for key in keys} for one in (found, known)]
    return every(
        (
            expect(parts[0], parts[1]),
            expect(found["modified_at"], known["modified_at"]),
            expect("embedding" in known["capabilities"], True),
        )
    )

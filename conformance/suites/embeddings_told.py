"""Class embeddings: what an answer tells beside its vectors, and what no route heeds."""

from __future__ import annotations

from ..check import MUST, PASSED, SHOULD, Verdict, check, expect, expect_that
from ..clients import LITELLM, SDKS
from ..evidence import Exchange, Json
from ..extra import embedder
from ..target import Target
from ..vectors import read_vector, read_vectors
from .embeddings import THREE, alike, embed
from .embeddings_models import older
from .manage import tagged

ROUNDS = 4
ABROAD = ("Où est la mer? 日本語 😀", "a  b\tc\n d", "naïve e\u0301 ﬁ", "A. B!")
SLACK_NS = 50_000_000  # clocks of two processes, and what is seen to before the first byte


@check(
    "embeddings/called-as-asked",
    MUST,
    group="embeddings",
    source="server/routes.go:EmbedHandler",
    covers=("NAME-004", "NAME-002", "NAME-010"),
    breaks=SDKS,
)
def called_as_asked(target: Target) -> Verdict:
    """An embedding model is found by its name in any case, and called as it was asked for."""
    name = embedder(target).removesuffix(":latest")
    spellings = [name.upper(), name.capitalize(), tagged(name)]
    if ":" not in name.rpartition("/")[2]:
        spellings.append(f"{name}:local")
    for spelt in spellings:
        for got in (_ask(target, spelt, THREE[0]), _ask(target, spelt, [])):
            if (found := got.ok.object["model"]) != spelt:
                return expect(found, spelt, got)
    return PASSED


def _ask(target: Target, name: str, given: Json) -> Exchange:
    return target.post("/api/embed", model=name, input=given)


@check(
    "embeddings/durations-are-measured",
    SHOULD,
    group="embeddings",
    source="server/routes.go:EmbedHandler",
    covers=("MET-001", "MET-003", "EMBED-010"),
    breaks=(LITELLM,),
)
def durations_are_measured(target: Target) -> Verdict:
    """total_duration is what each answer took: no answer took longer, nor all the same."""
    _ = embed(target, THREE[0]).ok  # loaded, so that it is quick
    found = []
    for n in range(ROUNDS):
        got = embed(target, THREE * (n + 1))
        found.append(got.ok.object["total_duration"])
        most = int(got.elapsed_ms * 1e6) + SLACK_NS
        if not isinstance(found[-1], int) or found[-1] > most:
            return expect_that(False, f"a duration of {most} ns at most", found[-1], got)
    return expect_that(len({*found}) > 1, "durations of nanoseconds that differ", found, got)


@check(
    "embeddings/older-has-no-dimensions",
    SHOULD,
    group="embeddings",
    source="api/types.go:EmbeddingRequest",
    covers=("EMBED-040", "REQ-003"),
)
def older_has_no_dimensions(target: Target) -> Verdict:
    """`dimensions` is not read by the older route, of whatever type: the vector is whole."""
    whole = read_vector(older(target, prompt=THREE[0]))
    for given in (8, "8"):
        got = older(target, prompt=THREE[0], dimensions=given)
        found = alike(read_vector(got), whole, THREE[0], got)
        if found is not PASSED:
            return found
    return expect(len(read_vector(got)), len(whole), got)


@check(
    "embeddings/older-reads-alike",
    MUST,
    group="embeddings",
    source="server/routes.go:EmbeddingsHandler",
    covers=("EMBED-043", "NAME-001", "NAME-010"),
    breaks=SDKS,
)
def older_reads_alike(target: Target) -> Verdict:
    """The older route reads every letter that the newer does, and the same names."""
    name = embedder(target).removesuffix(":latest")
    for n, text in enumerate(ABROAD):
        spelt = name if ":" in name.rpartition("/")[2] else (f"{name}:local", tagged(name))[n % 2]
        got = target.post("/api/embeddings", model=spelt, prompt=text)
        wanted = read_vectors(embed(target, text))[0]
        found = alike(read_vector(got), wanted, text, got)
        if found is not PASSED:
            return found
    return PASSED

"""Class embeddings, part two: dimensions, texts that are too long, and what is refused."""

from __future__ import annotations

from ..check import MUST, SHOULD, Verdict, check, every, expect, expect_error, expect_that
from ..clients import CONTINUE, LANGCHAIN, LANGCHAIN_JS, LITELLM, LLAMAINDEX, OPEN_WEBUI, PYTHON
from ..evidence import Exchange, Json
from ..extra import embedder, vectors
from ..target import NOBODY, Target
from ..vectors import cosine, length, read_vectors
from .embeddings import EMBEDDERS, THREE, alike, embed, scripted

TOO_LONG = "the input length exceeds the context length"
NO_ROOM = "input after truncation exceeds maximum context length"
NO_INPUTS: tuple[Json, ...] = (
    5, True, {"text": "a"}, [1, 2], ["a", None], ["a", 3], [["a"]], [{"text": "a"}],
    [{"type": "text", "text": "a"}], ["a", {}],
)  # fmt: skip
FEW = 16  # dimensions
EXACT = 32  # tokens of the script's text of that name


def _cut(vector: list[float], size: int) -> list[float]:
    """The first numbers at length 1."""
    kept = vector[:size]
    whole = length(kept) or 1.0
    return [one / whole for one in kept]


@check(
    "embeddings/dimensions",
    MUST,
    group="embeddings",
    source="server/routes.go:EmbedHandler",
    covers=("EMBED-004", "EMBED-016"),
    breaks=(PYTHON, LITELLM, OPEN_WEBUI),
)
def dimensions(target: Target) -> Verdict:
    """With `dimensions` a vector is its first numbers, at length 1 again."""
    size = len(read_vectors(embed(target, THREE[0]))[0])
    few = min(FEW, size - 1)
    whole, got = embed(target, THREE), embed(target, THREE, dimensions=few)
    found = read_vectors(got)
    lengths = [round(length(one), 3) for one in found]
    return every(
        (
            expect([len(one) for one in found], [few] * len(THREE), got),
            *(
                alike(one, _cut(other, few), text, got)
                for one, other, text in zip(found, read_vectors(whole), THREE, strict=True)
            ),
            expect(lengths, [1.0] * len(THREE), got),
        )
    )


@check(
    "embeddings/dimensions-beyond",
    MUST,
    group="embeddings",
    source="server/routes.go:EmbedHandler",
    covers=("EMBED-016", "REQ-005"),
    breaks=(PYTHON, LITELLM),
)
def dimensions_beyond(target: Target) -> Verdict:
    """`dimensions` of null, 0, less, or as many as there are or more: the whole vector."""
    (whole,) = read_vectors(embed(target, THREE[0]))
    size = len(whole)
    return every(
        alike(read_vectors(got)[0], whole, f"{THREE[0]} with dimensions {given}", got)
        for given in (None, 0, -1, size, size + 1, 100_000)
        for got in (embed(target, THREE[0], dimensions=given),)
    )


@check(
    "embeddings/truncates",
    MUST,
    group="embeddings",
    source="integration/embed_test.go",
    covers=("EMBED-003", "EMBED-018"),
    breaks=(LANGCHAIN, LLAMAINDEX, CONTINUE, OPEN_WEBUI),
)
def truncates(target: Target) -> Verdict:
    """A text beyond the context is cut at its end, unless the request says no: it is counted so."""
    script = vectors(target)
    long = script.texts["long"]
    asks: tuple[dict[str, Json], ...] = ({}, {"truncate": True}, {"truncate": None})
    return every(
        verdict
        for ask in asks
        for got in (embed(target, long.text, **ask),)
        for verdict in (
            scripted(got, [long]),
            expect(got.object["prompt_eval_count"], script.context_length, got),
        )
    )


@check(
    "embeddings/truncate-false",
    MUST,
    group="embeddings",
    source="integration/embed_test.go",
    covers=("EMBED-003", "EMBED-019", "ERR-024", "CLIENT-LC-JS-08"),
    breaks=(LANGCHAIN_JS,),
)
def truncate_false(target: Target) -> Verdict:
    """With `truncate: false` a text that is too long is 400 and says so; another one is not."""
    script = vectors(target).texts
    refused = embed(target, script["long"].text, truncate=False)
    taken = embed(target, script["sky"].text, truncate=False)
    return every(
        (expect_error(refused, (400,), exactly=TOO_LONG), scripted(taken, [script["sky"]]))
    )


@check(
    "embeddings/all-or-none",
    MUST,
    group="embeddings",
    source="server/routes.go:EmbedHandler",
    covers=("EMBED-023",),
    breaks=(LANGCHAIN_JS, LLAMAINDEX),
)
def all_or_none(target: Target) -> Verdict:
    """One text that cannot be embedded fails the whole request; there are no vectors in it."""
    long = vectors(target).texts["long"].text
    got = embed(target, ["a", long, "b"], truncate=False)
    none = expect_that("embeddings" not in got.object, "no vectors", got.loose_text[:200], got)
    return every((expect_error(got, (400,), exactly=TOO_LONG), none))


@check(
    "embeddings/window",
    SHOULD,
    group="embeddings",
    source="server/routes.go:EmbedHandler",
    covers=("EMBED-006", "EMBED-020"),
)
def window(target: Target) -> Verdict:
    """num_ctx bounds a text's tokens, special ones included: 32 fit into 32, and not into 31."""
    exact = vectors(target).texts["exact"]

    def within(num_ctx: int) -> Exchange:
        return embed(target, exact.text, truncate=False, options={"num_ctx": num_ctx})

    fits = within(EXACT)
    return every(
        (
            scripted(fits, [exact]),
            expect(fits.object["prompt_eval_count"], EXACT, fits),
            expect_error(within(EXACT - 1), (400,), exactly=TOO_LONG),
        )
    )


@check(
    "embeddings/window-cuts",
    SHOULD,
    group="embeddings",
    source="server/routes.go:EmbedHandler",
    covers=("EMBED-006", "EMBED-018", "EMBED-020"),
)
def window_cuts(target: Target) -> Verdict:
    """In a small num_ctx a long text is cut to it: its beginning counts, not its end."""
    cut = vectors(target).texts["long-cut"]
    got = embed(target, cut.text, options={"num_ctx": cut.num_ctx})
    return every(
        (expect(got.ok.object["prompt_eval_count"], cut.num_ctx, got), scripted(got, [cut]))
    )


@check(
    "embeddings/window-not-wider",
    SHOULD,
    group="embeddings",
    source="server/routes.go:EmbedHandler",
    covers=("EMBED-020",),
)
def window_not_wider(target: Target) -> Verdict:
    """num_ctx does not reach beyond what the model was made for."""
    script = vectors(target)
    got = embed(target, script.texts["long"].text, options={"num_ctx": 4096})
    counted = expect(got.ok.object["prompt_eval_count"], script.context_length, got)
    return every((counted, scripted(got, [script.texts["long"]])))


@check(
    "embeddings/no-room",
    SHOULD,
    group="embeddings",
    source="server/routes.go:EmbedHandler",
    covers=("EMBED-021", "ERR-025"),
)
def no_room(target: Target) -> Verdict:
    """Where num_ctx leaves nothing beside the special tokens, 400 says so."""
    exact = vectors(target).texts["exact"]
    got = embed(target, exact.text, options={"num_ctx": 2})
    return expect_error(got, (400,), exactly=NO_ROOM)


@check(
    "embeddings/input-types",
    MUST,
    group="embeddings",
    source="server/routes.go:EmbedHandler",
    covers=("EMBED-013", "ERR-023", "EMBED-002"),
    breaks=(LANGCHAIN, LLAMAINDEX),
)
def input_types(target: Target) -> Verdict:
    """An input that is neither a string nor a list of strings is 400, `invalid input type`."""
    return every(
        expect_error(embed(target, given), (400,), exactly="invalid input type")
        for given in NO_INPUTS
    )


@check(
    "embeddings/input-before-model",
    SHOULD,
    group="embeddings",
    source="server/routes.go:EmbedHandler",
    covers=("EMBED-013", "ERR-052"),
)
def input_before_model(target: Target) -> Verdict:
    """The input's type is looked at before the model is looked for; an empty input is not."""
    wrong = target.post("/api/embed", model=NOBODY, input=5)
    none = target.post("/api/embed", model=NOBODY, input=[])
    refused = expect_error(wrong, (400,), exactly="invalid input type")
    return every((refused, expect_error(none, (404,), containing="not found")))


@check(
    "embeddings/field-types",
    MUST,
    group="embeddings",
    source="api/types.go:EmbedRequest",
    covers=("EMBED-001", "EMBED-003", "EMBED-004", "EMBED-005", "EMBED-006", "ERR-002"),
)
def field_types(target: Target) -> Verdict:
    """A field of another type is 400: dimensions, truncate, options, keep_alive, model."""
    wrong: tuple[dict[str, Json], ...] = (
        {"dimensions": "16"},
        {"dimensions": 16.5},
        {"truncate": "no"},
        {"options": [1]},
        {"keep_alive": "soon"},
        {"keep_alive": True},
        {"model": 5},
    )
    given = {"model": embedder(target), "input": THREE[0]}
    return every(
        expect_error(target.post("/api/embed", {**given, **fields}), (400,)) for fields in wrong
    )


@check(
    "embeddings/bodies",
    MUST,
    group="embeddings",
    source="server/routes.go:EmbedHandler",
    covers=("ERR-001", "ERR-002", "ERR-052", "ERR-053"),
)
def bodies(target: Target) -> Verdict:
    """No body, half a body, or a body that is no object: 400, and JSON says why."""
    return every(
        expect_error(target.request("POST", path, body), (400,))
        for path in ("/api/embed", "/api/embeddings")
        for body in (b"", b"{", b'{"model": "a", "input"', b"[]", b'"a"')
    )


@check(
    "embeddings/unknown-model",
    MUST,
    group="embeddings",
    source="server/routes.go:handleScheduleError",
    covers=("NAME-008", "ERR-010", "EMBED-001"),
    breaks=EMBEDDERS,
)
def unknown_model(target: Target) -> Verdict:
    """A model that is not there is 404 and named; clients offer to pull it."""
    got = target.post("/api/embed", model=NOBODY, input=THREE)
    return every(
        (expect_error(got, (404,), containing="not found"), expect_error(got, (404,), NOBODY))
    )


@check(
    "embeddings/unknown-model-text",
    SHOULD,
    group="embeddings",
    source="server/routes.go:handleScheduleError",
    covers=("NAME-008", "ERR-010"),
)
def unknown_model_text(target: Target) -> Verdict:
    """Both routes say it alike: `model "NAME" not found, try pulling it first`."""
    told = f'model "{NOBODY}" not found, try pulling it first'
    return every(
        expect_error(target.post(path, model=NOBODY, input="a", prompt="a"), (404,), exactly=told)
        for path in ("/api/embed", "/api/embeddings")
    )


@check(
    "embeddings/no-model",
    MUST,
    group="embeddings",
    source="server/routes.go:EmbedHandler",
    covers=("ERR-007", "ERR-008", "EMBED-001"),
)
def no_model(target: Target) -> Verdict:
    """Without a model: 404 of /api/embed, 400 `model is required` of the older route."""
    new = target.post("/api/embed", input="a")
    old = target.post("/api/embeddings", prompt="a")
    return every(
        (expect_error(new, (400, 404)), expect_error(old, (400,), containing="model is required"))
    )


@check(
    "embeddings/options-that-do-not-matter",
    SHOULD,
    group="embeddings",
    source="server/routes.go:EmbedHandler",
    covers=("EMBED-006", "CLIENT-LC-PY-08"),
    breaks=(LANGCHAIN,),
)
def options_that_do_not_matter(target: Target) -> Verdict:
    """Options of sampling, null ones and unknown ones change nothing."""
    options = {
        "temperature": 2.0,
        "seed": 7,
        "mirostat": 1,
        "top_k": None,
        "num_ctx": None,
        "no": 1,
    }
    (plain,) = read_vectors(embed(target, THREE[0]))
    got = embed(target, THREE[0], options=options)
    return alike(read_vectors(got)[0], plain, THREE[0], got)


@check(
    "embeddings/options-checked",
    MUST,
    group="embeddings",
    source="api/types.go:Options.FromMap",
    covers=("OPT-032", "ERR-020", "EMBED-006"),
)
def options_checked(target: Target) -> Verdict:
    """An option of the wrong type is an error that names it, here too."""
    told = 'option "num_ctx" must be of type'
    got = embed(target, THREE[0], options={"num_ctx": "4096"})
    return expect_error(got, (400, 500), containing=told)


@check(
    "embeddings/prompt-is-unknown",
    SHOULD,
    group="embeddings",
    source="api/types.go:EmbedRequest",
    covers=("EMBED-029",),
)
def prompt_is_unknown(target: Target) -> Verdict:
    """The older route's `prompt` is not read by this one: nothing was asked for."""
    got = target.post("/api/embed", model=embedder(target), prompt=THREE[0])
    return expect(read_vectors(got), [], got)


@check(
    "embeddings/separate",
    MUST,
    group="embeddings",
    source="fixtures/models/scripted-embedding",
    covers=("EMBED-028",),
    breaks=(LANGCHAIN, LLAMAINDEX, CONTINUE, OPEN_WEBUI),
)
def separate(target: Target) -> Verdict:
    """Texts that differ have vectors that differ, be it in the order of words or in one sign."""
    texts = ["a", "b", "The dog sees the man.", "The man sees the dog.", "The dog sees the man?"]
    got = embed(target, texts)
    found = read_vectors(got)
    if len(found) != len(texts):
        return expect(len(found), len(texts), got)
    near = [
        (one, other)
        for place, one in enumerate(texts)
        for other in texts[place + 1 :]
        if cosine(found[place], found[texts.index(other)]) > 0.99999
    ]
    return expect(near, [], got)

"""Laws of all other routes: lists of models, vectors, what moves, errors, and HTTP beneath."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise

from ..check import MUST, PASSED, SHOULD, Undecided, Verdict, expect, expect_that
from ..clients import CHATTERS, LITELLM, SDKS
from ..evidence import Json, Record, Wrong
from ..extra import embedder
from ..heeding import seen
from ..moments import moment
from ..said import EMBEDS, JSON, LISTS, MOVES, NDJSON, ROUTES, Said
from ..target import NOBODY, Target
from ..vectors import SAME, cosine
from ..witness import APART, Fact, law
from .always import ask_talk

EVERY = tuple(ROUTES.values())
MODELS = (*LISTS, "show", "version")
UNIT = 1e-3  # off the length 1, at most
OFF_S = 2.0  # between models that are sorted by time
CHARSET = re.compile(r'charset\s*=\s*"?([\w-]+)', re.IGNORECASE)
HTTP_BELOW = (403, 405, 413, 431, 501)  # statuses of answers that need not be JSON


def ask_lists(target: Target) -> None:
    """What models there are, and what they are."""
    for path in ("/api/tags", "/api/ps", "/api/version"):
        target.get(path)
    target.post("/api/show", model=target.setup.model or NOBODY)


def ask_moves(target: Target) -> None:
    """Make a model of another one, whole and streamed."""
    for stream in (False, True):
        made = target.temporary("always")
        target.post("/api/create", {"model": made, "from": target.model}, stream=stream)


def ask_vectors(target: Target) -> None:
    """Vectors of one text and of two."""
    model = embedder(target)
    for given in ("Hello", ["Hello", "again"]):
        target.post("/api/embed", model=model, input=given)
    target.post("/api/embeddings", model=model, prompt="Hello")


def ask_errors(target: Target) -> None:
    """What cannot be answered."""
    for path in ("/api/chat", "/api/generate", "/api/show", "/api/embed"):
        target.post(path, model=NOBODY, prompt="x", messages=[{"role": "user", "content": "x"}])


def ask_all(target: Target) -> None:
    """A little of everything."""
    ask_talk(target)
    ask_lists(target)
    ask_errors(target)
    with suppress(Undecided):
        ask_moves(target)


@law(
    "always/lists-by-schema",
    MUST,
    group="manage",
    source="api/types.go:ListModelResponse",
    routes=MODELS,
    asks=ask_lists,
    covers=("PS-001", "PS-002"),
    breaks=SDKS,
)
def lists_by_schema(said: Said) -> Verdict | None:
    """Every list of models, and all that is shown of one, has the keys and types it has to have."""
    if said.got.status != 200:
        return None
    if not said.records:
        return expect_that(False, "one JSON object", said.got.loose_text[:200], said.got)
    told = said.records[0]
    models = told.get("models") if said.route in LISTS else None
    if not isinstance(models, list):
        problem = seen().violation(told, said.route, "response")
    else:
        found = (seen().violation(one, said.route, "model") for one in models)
        problem = next((one for one in found if one), None)
    return expect_that(problem is None, f"the schema of {said.route}", problem, said.got)


@law(
    "always/lists-agree",
    SHOULD,
    group="manage",
    source="server/routes.go:ListHandler",
    routes=LISTS,
    asks=ask_lists,
    covers=("PS-003", "PS-007", "PS-009"),
    breaks=SDKS,
)
def lists_agree(said: Said) -> Verdict | None:
    """In every list `name` is `model`, no name comes twice, sizes fit, and the order is right."""
    models = said.records[0].get("models") if said.got.status == 200 and said.records else None
    if not isinstance(models, list) or not all(isinstance(one, Record) for one in models):
        return None
    names = [one.get("name") for one in models]
    odd = [one for one in models if one.get("model") != one.get("name")]
    if odd or (said.route == "tags" and len({str(one) for one in names}) < len(names)):
        return expect_that(False, "names that are models, each once", odd or names, said.got)
    if said.route == "ps":
        sizes = [(one.get("size_vram"), one.get("size")) for one in models]
        for vram, size in sizes:
            if type(vram) is int and type(size) is int and vram > size:
                return expect_that(False, "size_vram <= size", sizes, said.got)
    key = "expires_at" if said.route == "ps" else "modified_at"
    with suppress(Wrong):
        times = [moment(one.get(key)) for one in models]
        late = max((b - a for a, b in pairwise(times)), default=0.0)
        told = [one.get(key) for one in models]
        return expect_that(late < OFF_S, f"the latest {key} first", told, said.got)
    return PASSED


@law(
    "always/models-stay-what-they-are",
    MUST,
    group="manage",
    source="server/routes.go:ListHandler",
    routes=MODELS,
    asks=ask_lists,
    covers=("PS-004",),
    breaks=SDKS,
    facts=True,
)
def models_stay_what_they_are(said: Said) -> Iterator[Fact]:
    """Digest, details and all that is shown of a model that nobody changes are always the same."""
    if said.got.status != 200 or not said.records:
        return
    told = said.records[0]
    if said.route == "version":
        yield Fact("version", told)
    elif said.route == "show" and said.lasting:
        yield Fact(f"show {sorted(said.asked.items(), key=str)}", told)
    elif isinstance(told.get("models"), list):
        for one in told["models"]:
            name = str(one.get("name")).removesuffix(":latest")
            if name in (said.setup.model, said.setup.plain):
                yield Fact(f"digest {name}", one.get("digest"))
                yield Fact(f"{said.route} {name}", one.get("details"))


@law(
    "always/moves-by-schema",
    MUST,
    group="create",
    source="api/types.go:ProgressResponse",
    routes=MOVES,
    asks=ask_moves,
    covers=("CREATE-28", "PULL-05", "PULL-10"),
    breaks=SDKS,
)
def moves_by_schema(said: Said) -> Verdict | None:
    """Creating, pulling and pushing tell how far they are, and end in success or in an error."""
    if said.got.status != 200:
        return None
    if not said.records:
        return expect_that(False, "records", said.got.loose_text[:200], said.got)
    if said.got.media_type == NDJSON and "}\r\n" in said.got.text:
        return expect_that(False, "lines that end in LF alone", said.got.loose_text[:80], said.got)
    *before, last = said.records
    told = said.records if "error" not in last else before
    for record in told:
        problem = seen().violation(record, said.route, "record")
        if problem is not None:
            return expect_that(False, f"the schema of {said.route}", problem, said.got)
        if record.get("completed", 0) > record.get("total", math.inf):
            return expect_that(False, "completed <= total", record, said.got)
    ends = [n for n, record in enumerate(told) if record.get("status") == "success"]
    if said.route == "create" and str(told[:1]).find("pulling") > 0:
        ends = ends[-1:]  # what it is made from was pulled before, with success
    return expect(ends, [len(told) - 1] if "error" not in last else [], said.got)


@law(
    "always/totals-stay",
    MUST,
    group="create",
    source="api/types.go:ProgressResponse",
    routes=MOVES,
    asks=ask_moves,
    covers=("PULL-05",),
    breaks=SDKS,
)
def totals_stay(said: Said) -> Verdict | None:
    """Of each blob that moves the total stays what it is."""
    if said.got.status != 200 or not said.records:
        return None
    totals: dict[str, Json] = {}
    for record in said.records:
        digest, total = record.get("digest"), record.get("total")
        known = totals.setdefault(str(digest), total)
        if total != known:
            return expect(total, known, said.got)
    return PASSED


@law(
    "always/vectors-are-whole",
    MUST,
    group="embeddings",
    source="server/routes.go:EmbedHandler",
    routes=EMBEDS,
    asks=ask_vectors,
    covers=("EMBED-010", "EMBED-014", "EMBED-015", "EMBED-040"),
    breaks=(LITELLM, *SDKS),
)
def vectors_are_whole(said: Said) -> Verdict | None:
    """There is a vector for each text, of numbers, all of one size and of the length 1."""
    if said.got.status != 200 or not said.records:
        return None
    told = said.records[0]
    if said.route == "embed":
        problem = seen().violation({**told, "embeddings": []}, "embed", "response")
        vectors, count = told.get("embeddings"), len(_texts(said))
        if problem is not None or not isinstance(vectors, list) or len(vectors) != count:
            return expect_that(
                False, f"{count} vectors by the schema", problem or vectors, said.got
            )
    else:
        vectors = [told["embedding"]] if told.get("embedding") else []
        if list(told) != ["embedding"]:
            return expect(sorted(told), ["embedding"], said.got)
    for vector in vectors:
        if not all(type(one) in (int, float) and math.isfinite(one) for one in vector):
            return expect_that(False, "numbers", vector, said.got)
    sizes = {len(vector) for vector in vectors}
    if len(sizes) > 1:
        return expect_that(False, "vectors of one size", sizes, said.got)
    lengths = [math.hypot(*vector) for vector in vectors] if said.route == "embed" else []
    odd = [one for one in lengths if abs(one - 1) > UNIT and one != 0]
    return expect_that(not odd, "vectors of the length 1", odd, said.got)


def _texts(said: Said) -> list[str]:
    """What vectors were asked of."""
    found = said.asked.get("input" if said.route == "embed" else "prompt")
    texts = [found] if isinstance(found, str) else found if isinstance(found, list) else []
    return texts if isinstance(found, list) else [one for one in texts if one]


def _alike(known: Json, new: Json) -> Json:
    return known if cosine(known, new) >= SAME else APART


@law(
    "always/same-text-same-vector",
    MUST,
    group="embeddings",
    source="server/routes.go:EmbedHandler",
    routes=EMBEDS,
    asks=ask_vectors,
    covers=("EMBED-014", "EMBED-028", "EMBED-043"),
    breaks=(LITELLM, *SDKS),
    facts=True,
    agree=_alike,
)
def same_text_same_vector(said: Said) -> Iterator[Fact]:
    """A text has the same vector whatever stands beside it, and whichever route is asked."""
    if said.got.status != 200 or not said.records or not said.lasting:
        return
    told, texts = said.records[0], _texts(said)
    vectors = told.get("embeddings") if said.route == "embed" else [told.get("embedding")]
    window = [said.options.get("num_ctx"), said.asked.get("dimensions") or 0]
    if isinstance(vectors, list) and len(vectors) == len(texts):
        for text, vector in zip(texts, vectors, strict=True):
            yield Fact(json.dumps([said.asked.get("model"), window, text]), vector)


@law(
    "always/errors-are-told",
    MUST,
    group="core",
    source="docs/api/errors.mdx",
    routes=EVERY,
    asks=ask_errors,
    covers=("HTTP-011", "HTTP-012"),
    breaks=(*CHATTERS, *SDKS),
)
def errors_are_told(said: Said) -> Verdict | None:
    """Every error is one JSON object whose `error` is a text, and is called JSON."""
    got = said.got
    if got.status is None or got.status < 400 or got.status in HTTP_BELOW:
        return None
    if got.sent is not None and got.status == 400 and got.media_type != JSON:
        return None  # bytes of our own making: it may have been no HTTP
    problem = None if said.records else "no JSON object"
    problem = problem or seen().violation(said.records[0], "error", "response")
    if problem is None and got.media_type != JSON:
        problem = f"the type {got.media_type}"
    told = f"{problem}: {got.loose_text[:200]}"
    return expect_that(problem is None, "a JSON object with a text `error`", told, got)


@law(
    "always/types-and-frames",
    MUST,
    group="core",
    source="RFC 9112, 6",
    routes=EVERY,
    asks=ask_all,
    covers=("HTTP-011", "STREAM-002"),
    breaks=(*CHATTERS, *SDKS),
)
def types_and_frames(said: Said) -> Verdict | None:
    """Every answer is JSON or x-ndjson in UTF-8, in one framing, and not compressed."""
    got = said.got
    headers = {name.lower() for name, _ in got.headers}
    odd = [name for name in headers if name == "content-encoding"]
    if {"content-length", "transfer-encoding"} <= headers:
        odd += ["content-length and transfer-encoding"]
    if got.body and got.status == 200 and got.media_type not in (JSON, NDJSON):
        odd += [got.media_type or "no type"]
    charset = CHARSET.search(got.header("Content-Type") or "")  # by which clients decode the lines
    if charset is not None and charset[1].lower() not in ("utf-8", "utf8"):
        odd += [charset[0]]
    asked = " ".join(one for name, one in got.request.headers if name.lower() == "connection")
    if got.status == 200 and asked.lower() == "keep-alive":
        odd += ["close"] if (got.header("Connection") or "").lower() == "close" else []
    return expect(sorted(odd), [], got)


@law(
    "always/no-page-no-permission",
    SHOULD,
    group="safety",
    source="server/routes.go:GenerateRoutes",
    routes=EVERY,
    asks=ask_all,
    covers=("SEC-10", "HTTP-013"),
)
def no_page_no_permission(said: Said) -> Verdict | None:
    """An answer to who is no page of another site, and so tells no Origin, speaks of none."""
    if "origin" in {name.lower() for name, _ in said.got.request.headers}:
        return None
    told = [name for name, _ in said.got.headers if name.lower().startswith("access-control-")]
    return expect(told, [], said.got)

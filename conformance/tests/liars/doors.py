"""Liars at the doors: hosts, pages, routes, blobs, and numbers on their way out."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from dataclasses import replace

from ..honest import Answer, Heard, Lie
from ..lies import answers, shows, values, with_answers, within
from .embeddings import BOTH, _each, _unit, _vectors
from .guards import becomes, when
from .liar import Liar
from .shelves import SHOW, TAGS

BLOBS = "/api/blobs/"
COPY = "/api/copy"
DELETE = "/api/delete"


def uploads(change: Callable[[Heard, Answer], Answer]) -> Lie:
    """Uploads of blobs are answered otherwise."""

    def say(heard: Heard, answer: Answer) -> Answer:
        upload = heard.method == "POST" and heard.path.startswith(BLOBS)
        return change(heard, answer) if upload else answer

    return with_answers(say)


def no_blob_beyond(limit: int) -> Lie:
    """Bodies of blobs are bounded as those of requests are."""
    refuse = becomes(413, "Request Entity Too Large")
    return uploads(lambda heard, one: refuse(one) if len(heard.body) > limit else one)


def by_type(part: str) -> Lie:
    """Some type of a body is not taken for a blob."""
    refuse = becomes(415, "unsupported media type")
    return uploads(
        lambda heard, one: refuse(one) if part in heard.headers.get("content-type", "") else one
    )


def halves(vector: list[float]) -> list[float]:
    """Numbers of 16 bits."""
    return [float(struct.unpack("<e", struct.pack("<e", one))[0]) for one in vector]


def brain_halves(vector: list[float]) -> list[float]:
    """Numbers of 16 bits, of the other kind."""
    return [struct.unpack("<f", b"\0\0" + struct.pack("<f", one)[2:])[0] for one in vector]


def eighths(vector: list[float]) -> list[float]:
    """Numbers of 8 bits, at length 1 again."""
    most = max(map(abs, vector))
    return _unit([round(127 * one / most) / 127 for one in vector])


def leaking(found: list[list[float]]) -> list[list[float]]:
    """Vectors of a batch are drawn to its middle."""
    if len(found) < 2:
        return found
    middle = [sum(column) / len(found) for column in zip(*found, strict=True)]
    return [_unit([a + 0.08 * b for a, b in zip(one, middle, strict=True)]) for one in found]


def cached_by(size: int) -> Lie:
    """Vectors are kept by the beginning of their text."""
    known: dict[str, list[float]] = {}

    def say(heard: Heard, answer: Answer) -> Answer:
        given = heard.fields.get("input") or heard.fields.get("prompt")
        if heard.path not in BOTH or answer.status != 200 or not given:
            return answer
        texts = [given] if isinstance(given, str) else given
        value = json.loads(json.dumps(answer.value))
        found = value.get("embeddings", [value.get("embedding")])
        kept = [
            known.setdefault(f"{heard.path} {text[:size]}", vector) if len(text) > size else vector
            for text, vector in zip(texts, found, strict=True)
        ]
        fields = {"embeddings": kept} if "embeddings" in value else {"embedding": kept[0]}
        return replace(answer, value={**value, **fields})

    return with_answers(say)


def at_host(*hosts: str) -> Callable[[Heard], bool]:
    """Where a Host is one of these."""
    return lambda heard: heard.headers.get("host", "") in hosts


def evil_at(*paths: str) -> Callable[[Heard], bool]:
    """Where a foreign Host asks one of these routes."""
    return lambda heard: (
        heard.headers.get("host") == "evil.example" and heard.path.startswith(paths)
    )


def from_page(*origins: str) -> Callable[[Heard], bool]:
    """Where a page of one of these sites asks."""
    return lambda heard: heard.headers.get("origin", "") in origins


def let_in(heard: Heard, answer: Answer) -> Answer:
    """The page may read the answer."""
    granted = (("Access-Control-Allow-Origin", heard.headers["origin"]),)
    return Answer(200, value={"version": "1"}, headers=granted)


def granting(name: str, value: str) -> Lie:
    """Preflights are answered with another header."""
    key = f"Access-Control-{name}"

    def changed(one: Answer) -> Answer:
        return replace(one, headers=tuple((k, value if k == key else v) for k, v in one.headers))

    return answers(changed, method="OPTIONS")


def typed(path: str, *kinds: str) -> Callable[[Heard], bool]:
    """Where a body at a route is not said to be JSON."""
    return lambda heard: heard.path == path and heard.headers.get("content-type", "") in kinds


def asked(path: str, holds: Callable[[Heard], bool]) -> Callable[[Heard], bool]:
    """Where a route is asked, and that holds."""
    return lambda heard: heard.path == path and holds(heard)


DOORS = [
    Liar("knows no dashes", "blobs/either-spelling", Lie(flaw="knows no dashes")),
    Liar(
        "no such digest",
        "blobs/either-spelling",
        when(lambda heard: heard.path.startswith(f"{BLOBS}md5"), becomes(404)),
    ),
    Liar("blobs of a megabyte", "blobs/of-any-size", no_blob_beyond(1 << 20)),
    Liar("blobs of four", "blobs/of-any-size", no_blob_beyond(4 << 20)),
    Liar("forms are no blobs", "blobs/of-any-size", by_type("form")),
    Liar(
        "says what it stored",
        "blobs/of-any-size",
        uploads(lambda _, one: replace(one, value={"status": "success"})),
    ),
    Liar("vectors of halves", "embeddings/precision", _each(halves)),
    Liar("vectors of the other halves", "embeddings/precision", _each(brain_halves)),
    Liar("vectors of bytes", "embeddings/precision", _each(eighths)),
    Liar("vectors lean to each other", "embeddings/batch-leaves-no-trace", _vectors(leaking)),
    Liar("knows texts by 32 letters", "embeddings/beginnings-are-not-texts", cached_by(32)),
    Liar("knows texts by 400 letters", "embeddings/beginnings-are-not-texts", cached_by(400)),
    Liar(
        "all of 172 is private",
        "safety/foreign-hosts",
        when(at_host("172.15.0.1", "172.32.0.1"), lambda one: Answer(200)),
    ),
    Liar(
        "endings without a dot",
        "safety/foreign-hosts",
        when(at_host("evillocal", "evilinternal"), lambda one: Answer(200)),
    ),
    Liar(
        "no guard before blobs",
        "safety/foreign-host-everywhere",
        when(evil_at(BLOBS), becomes(404)),
    ),
    Liar(
        "no guard before other APIs",
        "safety/foreign-host-everywhere",
        when(evil_at("/v1/"), becomes(404)),
    ),
    Liar(
        "no guard before pull",
        "safety/foreign-host-everywhere",
        when(evil_at("/api/pull"), becomes(400)),
    ),
    Liar(
        "origins by their ending",
        "safety/foreign-origins",
        with_answers(
            lambda heard, one: (
                let_in(heard, one) if from_page("http://evillocalhost")(heard) else one
            )
        ),
    ),
    Liar(
        "foreign pages may copy",
        "safety/foreign-origins-refused",
        when(asked(COPY, from_page("http://evil.example", "https://evil.example")), becomes(400)),
    ),
    Liar(
        "deletes JSON only",
        "routes/bodies-are-read-alike",
        when(typed(DELETE, "", "text/plain"), becomes(415)),
    ),
    Liar(
        "embeds JSON only",
        "routes/bodies-are-read-alike",
        when(typed("/api/embed", "application/x-www-form-urlencoded"), becomes(415)),
    ),
    Liar(
        "knows each field of a copy",
        "routes/bodies-are-read-alike",
        when(asked(COPY, lambda heard: "parallama" in heard.fields), becomes(422)),
    ),
    Liar(
        "breaks over half a delete",
        "routes/errors-are-alike",
        when(asked(DELETE, lambda heard: heard.body == b"{"), becomes(500)),
    ),
    Liar(
        "wrong types are 422",
        "routes/errors-are-alike",
        when(asked(COPY, lambda heard: heard.fields.get("source") == [5]), becomes(422)),
    ),
    Liar(
        "tells more of errors",
        "routes/errors-are-alike",
        when(
            asked(SHOW, lambda heard: heard.body == b"[]"),
            lambda one: replace(one, value={"error": "no", "code": 400}),
        ),
    ),
    Liar(
        "no queries of lists",
        "routes/queries-are-ignored",
        when(asked(TAGS, lambda heard: bool(heard.query)), becomes(404)),
    ),
    Liar(
        "queries name models",
        "routes/queries-are-ignored",
        when(asked(SHOW, lambda heard: bool(heard.query)), lambda one: replace(one, status=200)),
    ),
    Liar(
        "deletes by POST",
        "routes/methods-are-kept",
        when(
            asked(DELETE, lambda heard: heard.method == "POST"), lambda one: Answer(200, value={})
        ),
    ),
    Liar(
        "lists to any method",
        "routes/methods-are-kept",
        when(asked(TAGS, lambda heard: heard.method == "PUT"), lambda one: Answer(200, value={})),
    ),
    Liar(
        "believes who forwarded",
        "safety/foreign-hosts",
        when(lambda heard: "x-forwarded-host" in heard.headers, lambda one: Answer(200)),
    ),
    Liar(
        "one family for all",
        "embeddings/size-is-shown",
        values(within("details", shows(family="llama")), "/api/show"),
    ),
    Liar(
        "no way out for embedders",
        "embeddings/unloaded-by-generate",
        when(
            asked("/api/generate", lambda heard: "embedding" in str(heard.fields.get("model"))),
            becomes(400, "does not support generate"),
        ),
    ),
    Liar(
        "unloads what it says only",
        "embeddings/unloaded-by-generate",
        Lie(flaw="never_unloads"),
    ),
    Liar("grants any header", "safety/preflight", granting("Allow-Headers", "*")),
    Liar(
        "grants what it knows of",
        "safety/preflight",
        granting("Allow-Headers", "Authorization,Content-Type"),
    ),
    Liar("grants anew each time", "safety/preflight", granting("Max-Age", "0")),
    Liar(
        "tells no digests",
        "blobs/digest-checked",
        uploads(
            lambda _, one: (
                replace(one, value={"error": "digest mismatch"}) if one.status == 400 else one
            )
        ),
    ),
]

"""Liars about HTTP, byte by byte."""

from __future__ import annotations

from dataclasses import replace

from ..bodies import by_exact_name, only_plain_chunks
from ..honest import Answer, Lie
from ..lies import answers
from .guards import OK, becomes, when
from .liar import Liar

SPEECH = [
    Liar(
        "one spelling of Content-Length", "http/header-names-in-any-case", Lie(body=by_exact_name)
    ),
    Liar("plain chunks only", "http/chunks-of-any-form", Lie(body=only_plain_chunks)),
    Liar(
        "417 to any Expect",
        "http/expect-in-any-case",
        when(lambda heard: "expect" in heard.headers, becomes(417)),
    ),
    Liar("forgets what it read ahead", "http/pipelined", Lie(keeps_alive=False)),
    Liar(
        "wants Host of everyone",
        "http/one-dot-zero-without-host",
        when(lambda heard: "host" not in heard.headers, becomes(400)),
    ),
    Liar(
        "wants Host of nobody",
        "http/one-dot-zero-without-host",
        when(lambda heard: "host" not in heard.headers, lambda one: OK),
    ),
    Liar("HEAD of everything", "http/only-some-heads", answers(lambda one: OK, method="HEAD")),
    Liar(
        "HEAD without a type",
        "http/head-tells-the-length",
        answers(lambda one: replace(one, media_type=""), "/api/version", method="HEAD"),
    ),
    Liar(
        "HEAD of nothing",
        "http/head-tells-the-length",
        answers(lambda one: replace(one, value="?"), "/", method="HEAD"),
    ),
    Liar(
        "chats on GET",
        "http/methods-of-each-route",
        answers(lambda one: OK, "/api/chat", method="GET"),
    ),
    Liar(
        "cannot generate",
        "http/methods-of-each-route",
        answers(becomes(404), "/api/generate", method="POST"),
    ),
    Liar(
        "allows whom nobody named",
        "http/options-without-origin",
        answers(
            lambda one: Answer(204, "", headers=(("Access-Control-Allow-Origin", "http://x"),)),
            method="OPTIONS",
        ),
    ),
    Liar("breaks over a slash", "http/trailing-slash", answers(becomes(500), "/api/tags/")),
    Liar(
        "a slash loses the body",
        "http/trailing-slash",
        answers(
            lambda one: Answer(301, "", headers=(("Location", "/api/generate"),)), "/api/generate/"
        ),
    ),
    Liar(
        "unpacks what is not packed",
        "http/content-encoding-of-a-request",
        when(lambda heard: "content-encoding" in heard.headers, becomes(500)),
    ),
    Liar(
        "no query for show",
        "http/query-of-management-ignored",
        when(lambda heard: bool(heard.query) and heard.path == "/api/show", becomes(400)),
    ),
    Liar(
        "nothing after the object",
        "http/bytes-after-the-object",
        when(lambda heard: heard.body.endswith(b"garbage"), becomes(400)),
    ),
    Liar(
        "text/json",
        "http/json-content-types",
        answers(lambda one: replace(one, media_type="text/json"), "/api/version"),
    ),
    Liar(
        "Latin-1",
        "http/json-content-types",
        answers(
            lambda one: replace(one, media_type="application/json; charset=iso-8859-1"), "/api/tags"
        ),
    ),
    Liar("never hangs up", "http/closed-when-asked", Lie(closes=False)),
]

"""Liars about HTTP and errors."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

from ..honest import Answer, Heard, Lie
from ..lies import (
    CHAT,
    GENERATE,
    TALK,
    answers,
    each,
    error_text,
    errors,
    forgets,
    hears,
    messages,
    options,
    refuses,
    shows,
    statuses,
    values,
    with_answers,
)
from .liar import Liar


def _text(status: int) -> Callable[[Answer], Answer]:
    return lambda one: replace(one, status=status, media_type="text/plain", value="no")


def _only_json(heard: Heard) -> Heard:
    typed = heard.headers.get("content-type", "").startswith("application/json")
    return heard if typed or heard.method != "POST" else replace(heard, body=b"")


def when(header: str, change: Callable[[Answer], Answer]) -> Lie:
    """Lie only where the request has a header."""
    return with_answers(lambda heard, one: change(one) if header in heard.headers else one)


def _method(method: str, path: str, change: Callable[[Answer], Answer]) -> Lie:
    return answers(change, path, method=method)


HTTP = [
    Liar(
        "says it runs with a newline",
        "core/root-says-running",
        answers(lambda one: replace(one, value="Ollama is running\n"), "/", method="GET"),
    ),
    Liar(
        "says JSON at the root",
        "core/root-says-running",
        answers(lambda one: replace(one, media_type="application/json"), "/"),
    ),
    Liar("knows no HEAD at the root", "core/root-head", _method("HEAD", "/", _text(405))),
    Liar("tells no version", "core/version", values(lambda one: {}, "/api/version")),
    Liar("a version of a number", "core/version", values(shows(version=1.2), "/api/version")),
    Liar(
        "a version of words",
        "core/version-is-numeric",
        values(shows(version="latest"), "/api/version"),
    ),
    Liar(
        "an old version", "core/version-is-recent", values(shows(version="0.1.9"), "/api/version")
    ),
    Liar(
        "knows no HEAD of the version",
        "core/version-head",
        _method("HEAD", "/api/version", _text(405)),
    ),
    Liar(
        "200 to everything",
        "core/unknown-route-is-404",
        errors(lambda one: Answer(200, value={"ok": True})),
    ),
    Liar("400 for unknown routes", "core/unknown-route-is-404", statuses(404, 400)),
    Liar("404 for a wrong method", "core/wrong-method-is-405", statuses(405, 404)),
    Liar(
        "405 without Allow",
        "core/wrong-method-allow",
        errors(lambda one: replace(one, headers=()), status=405),
    ),
    Liar("reads only application/json", "core/content-type-not-examined", Lie(hear=_only_json)),
    Liar(
        "events for those who accept them",
        "core/accept-not-examined",
        when("accept", lambda one: replace(one, media_type="text/event-stream")),
    ),
    Liar("asks for a key", "core/authorization-ignored", when("authorization", _text(401))),
    Liar(
        "knows bearers only",
        "core/authorization-ignored",
        with_answers(
            lambda heard, one: (
                Answer(401, value={"error": "unauthorized"})
                if not heard.headers.get("authorization", "Bearer").startswith("Bearer")
                else one
            )
        ),
    ),
    Liar("closes after each answer", "core/kept-alive", Lie(keeps_alive=False)),
    Liar(
        "does not read chunks",
        "core/chunked-request",
        Lie(hear=lambda one: replace(one, body=b"") if "transfer-encoding" in one.headers else one),
    ),
    Liar("never says 100", "core/expect-continue", Lie(continues=False)),
    Liar("417 to Expect", "core/expect-continue", when("expect", _text(417))),
    Liar(
        "reads the query",
        "core/query-ignored",
        Lie(hear=lambda one: one.saying({**one.fields, "stream": False}) if one.query else one),
    ),
    Liar(
        "refuses pre-flights",
        "core/cors-preflight",
        answers(_text(405), "/api/chat", method="OPTIONS"),
    ),
    Liar(
        "preflight without the origin",
        "core/cors-preflight",
        answers(lambda one: replace(one, headers=()), "/api/chat", method="OPTIONS"),
    ),
    Liar(
        "no origin on errors", "core/cors-on-answers", errors(lambda one: replace(one, headers=()))
    ),
    Liar(
        "allows every site",
        "core/cors-foreign-refused",
        with_answers(
            lambda heard, one: (
                Answer(
                    200,
                    value={"version": "1.0"},
                    headers=(("Access-Control-Allow-Origin", heard.headers["origin"]),),
                )
                if "origin" in heard.headers
                else one
            )
        ),
    ),
    Liar(
        "looks at Host on some routes",
        "core/foreign-host-refused",
        with_answers(
            lambda heard, one: (
                Answer(200, value={"version": "1.0"})
                if heard.headers.get("host") == "evil.example" and heard.method == "POST"
                else one
            )
        ),
    ),
    Liar("chunks for HTTP/1.0", "core/http-one-dot-zero", Lie(wire=lambda sent: b"5\r\n" + sent)),
]

ERRORS = [
    Liar("422 for an empty body", "errors/empty-body", statuses(400, 422, *TALK)),
    Liar("an empty body says EOF", "errors/empty-body", error_text("EOF", status=400)),
    Liar("500 for malformed JSON", "errors/malformed-json", statuses(400, 500, *TALK)),
    Liar(
        "repairs malformed JSON",
        "errors/malformed-json",
        errors(
            lambda one: (
                Answer(404, value={"error": "model '' not found"})
                if "invalid JSON" in str(one.value)
                else one
            )
        ),
    ),
    Liar("422 for a wrong type", "errors/wrong-type", statuses(400, 422, *TALK)),
    Liar(
        "takes numbers for text",
        "errors/wrong-type",
        hears(
            lambda one: {**one, "prompt": str(one["prompt"])} if "prompt" in one else one, *GENERATE
        ),
    ),
    Liar(
        "joins content parts",
        "errors/wrong-type",
        messages(
            lambda found: (
                [
                    {**one, "content": str(one.get("content"))} if isinstance(one, dict) else one
                    for one in found
                ]
                if isinstance(found, list)
                else found
            )
        ),
    ),
    Liar(
        '"false" is false',
        "errors/wrong-type",
        hears(
            lambda one: (
                {**one, "stream": one["stream"] not in ("false", 0)} if "stream" in one else one
            ),
            *TALK,
        ),
    ),
    Liar("400 for an unknown model", "errors/unknown-model", statuses(404, 400, *TALK)),
    Liar(
        "unknown model in double quotes",
        "errors/unknown-model",
        errors(
            lambda one: replace(one, value={"error": str(one.value["error"]).replace("'", '"')}),
            *TALK,
            status=404,
        ),
    ),
    Liar(
        "500 for no model",
        "errors/missing-model",
        with_answers(
            lambda heard, one: (
                Answer(500, value={"error": "no model"})
                if heard.path in TALK and "model" not in heard.fields
                else one
            )
        ),
    ),
    Liar(
        "any name may be",
        "errors/bad-model-name",
        errors(
            lambda one: (
                Answer(404, value={"error": "model 'x' not found"})
                if "invalid model name" in str(one.value)
                else one
            )
        ),
    ),
    Liar(
        "errors of OpenAI's kind",
        "errors/shape",
        errors(
            lambda one: (
                replace(one, value={"error": {"message": "no", "code": one.status}})
                if isinstance(one.value, dict)
                else one
            )
        ),
    ),
    Liar(
        "errors with more keys",
        "errors/shape",
        errors(
            lambda one: (
                replace(one, value={**one.value, "code": 4}) if isinstance(one.value, dict) else one
            )
        ),
    ),
    Liar(
        "errors in a list",
        "errors/shape",
        errors(
            lambda one: (
                replace(one, value=json.dumps([one.value])) if isinstance(one.value, dict) else one
            )
        ),
    ),
    Liar(
        "error with status 200", "errors/shape", errors(lambda one: replace(one, status=200), *TALK)
    ),
    Liar(
        "errors as ndjson",
        "errors/content-type",
        errors(lambda one: replace(one, media_type="application/x-ndjson"), *TALK),
    ),
    Liar(
        "errors as text",
        "errors/content-type",
        errors(lambda one: replace(one, media_type="text/plain"), *TALK),
    ),
    Liar(
        "does not recover",
        "errors/server-stays-usable",
        refuses("/api/chat", lambda one: one.get("stream") is False, 500),
    ),
    Liar(
        "refuses unknown fields",
        "errors/unknown-fields-ignored",
        refuses("/api/chat", lambda one: "foo" in one),
    ),
    Liar(
        "honours max_tokens",
        "errors/unknown-fields-ignored",
        hears(
            lambda one: (
                {**one, "options": {**one["options"], "num_predict": 1}}
                if "max_tokens" in one
                else one
            ),
            *CHAT,
        ),
    ),
    Liar(
        "null is not absent",
        "errors/nulls-are-absent",
        refuses("/api/generate", lambda one: "system" in one and one["system"] is None),
    ),
    Liar(
        "takes options of any type",
        "errors/options-checked",
        options(
            lambda given: given.update(
                {key: 1 for key, one in given.items() if isinstance(one, str)}
            )
        ),
    ),
    Liar(
        "does not name the option", "errors/options-checked", error_text("bad option", status=500)
    ),
    Liar("ignores a bad format", "errors/format-checked", forgets("format")),
    Liar(
        "takes images of any kind",
        "errors/images-decoded",
        hears(lambda one: {**one, "images": None}, *GENERATE),
    ),
    Liar("ignores images", "errors/images-refused", forgets("images")),
    Liar("ignores a suffix", "errors/suffix-refused", forgets("suffix")),
    Liar(
        "names are case sensitive",
        "errors/names-any-case",
        with_answers(
            lambda heard, one: (
                Answer(404, value={"error": "not found"})
                if str(heard.fields.get("model")).isupper()
                else one
            )
        ),
    ),
    Liar(
        "a tag is needed",
        "errors/latest-is-default",
        with_answers(
            lambda heard, one: (
                Answer(404, value={"error": "not found"})
                if heard.path == "/api/chat"
                and not str(heard.fields.get("model")).endswith(":latest")
                else one
            )
        ),
    ),
    Liar(
        "any tag will do",
        "errors/latest-is-default",
        hears(lambda one: {**one, "model": str(one.get("model")).partition(":")[0]}, *CHAT),
    ),
    Liar(
        "adds the tag to the name",
        "errors/model-echoed",
        each(lambda one: one.update(model=f"{one['model'].partition(':')[0]}:latest")),
    ),
    Liar("says its own name", "errors/model-echoed", each(shows(model="gpt-4"))),
]

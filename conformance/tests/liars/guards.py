"""Liars about safety: names, files, hosts, origins, limits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ..bodies import by_first_length
from ..honest import Answer, Heard, Lie
from ..lies import accepts, answers, error_text, hears, with_answers
from .liar import Liar

OK = Answer(200, value={"version": "1.0"})
EVIL = ("evil", "null")


def when(holds: Callable[[Heard], bool], change: Callable[[Answer], Answer]) -> Lie:
    """Lie only where the request is such."""
    return with_answers(lambda heard, one: change(one) if holds(heard) else one)


def becomes(status: int, text: str = "no") -> Callable[[Answer], Answer]:
    """Answer with this status and an error."""
    return lambda one: Answer(status, value={"error": text})


def _named(*parts: str) -> Callable[[Heard], bool]:
    return lambda heard: any(
        part in str(heard.fields.get(key, ""))
        for part in parts
        for key in ("model", "source", "destination")
    )


def _tidy(fields: dict[str, Any]) -> dict[str, Any]:
    """File names lose what is odd about them."""
    files = {path.lstrip("./") or "a": one for path, one in (fields.get("files") or {}).items()}
    return {**fields, "files": files} if files else fields


def _host(host: str) -> Callable[[Heard], bool]:
    return lambda heard: heard.headers.get("host", "") == host


def _origin(*parts: str) -> Callable[[Heard], bool]:
    return lambda heard: any(part in heard.headers.get("origin", "") for part in parts)


def _templated(part: str) -> Callable[[Heard], bool]:
    return lambda heard: part in str(heard.fields.get("template", ""))


def _mirror(heard: Heard, answer: Answer) -> Answer:
    """Any origin may read."""
    origin = heard.headers.get("origin")
    if origin is None or answer.status != 403:
        return answer
    return replace(OK, headers=(("Access-Control-Allow-Origin", origin),))


SAFETY = [
    Liar(
        "knows models outside",
        "safety/names-stay-inside",
        accepts("/api/show", lambda fields: ".." in str(fields.get("model"))),
    ),
    Liar(
        "looks outside before it says no",
        "safety/names-stay-inside",
        when(_named("/etc/"), becomes(500, "open /etc/passwd: is no manifest")),
    ),
    Liar(
        "copies to anywhere",
        "safety/names-stay-inside",
        accepts("/api/copy", lambda fields: "/.." in str(fields.get("destination")), {"x": 1}),
    ),
    Liar("breaks over NUL", "safety/names-are-plain", when(_named("\0"), becomes(500))),
    Liar("takes blanks for dashes", "safety/names-are-plain", when(_named("a b"), lambda one: OK)),
    Liar(
        "lets names into headers",
        "safety/names-are-plain",
        when(_named("X-Evil"), lambda one: replace(one, headers=(("X-Evil", "1"),))),
    ),
    Liar(
        "takes SHA-1 for SHA-256",
        "safety/digests-stay-inside",
        when(lambda heard: "/sha1:" in heard.path, lambda one: replace(one, status=200)),
    ),
    Liar(
        "unescapes digests",
        "safety/digests-stay-inside",
        when(lambda heard: "..%2f" in heard.path, becomes(500)),
    ),
    Liar(
        "creates of its own files",
        "safety/created-of-blobs-only",
        accepts("/api/create", lambda fields: "path" in fields, {"status": "success"}),
    ),
    Liar(
        "reads modelfiles of old",
        "safety/created-of-blobs-only",
        accepts("/api/create", lambda fields: "modelfile" in fields, {"status": "success"}),
    ),
    Liar("tidies file names", "safety/file-names-stay-inside", hears(_tidy, "/api/create")),
    Liar("believes GGUF", "safety/lying-gguf", Lie(flaw="weights_unchecked")),
    Liar("keeps what lied", "safety/lying-gguf", Lie(flaw="failures_stay")),
    Liar("believes safetensors", "safety/lying-safetensors", Lie(flaw="weights_unchecked")),
    Liar("unpacks archives", "safety/archives-not-unpacked", Lie(flaw="weights_unchecked")),
    Liar(
        "keeps half a blob", "safety/unfinished-upload-leaves-nothing", Lie(flaw="hash_unchecked")
    ),
    Liar(
        "tells its places",
        "safety/errors-tell-no-places",
        error_text("open /home/ada/.ollama/models/x: no such file", status=404),
    ),
    Liar(
        "tells its traces",
        "safety/errors-tell-no-places",
        error_text('Traceback (most recent call last): File "app.py", line 3', status=400),
    ),
    Liar("can be profiled", "safety/no-debug-routes", answers(lambda one: OK, "/debug/pprof/")),
    Liar(
        "serves its files",
        "safety/no-debug-routes",
        when(
            lambda heard: heard.path.endswith("/etc/passwd"),
            lambda one: replace(OK, value="root:x"),
        ),
    ),
    Liar("knows no .local", "safety/hosts-of-this-machine", when(_host("mac.local"), becomes(403))),
    Liar(
        "looks at the case of Host",
        "safety/hosts-of-this-machine",
        when(lambda heard: "LOCAL" in heard.headers.get("host", ""), becomes(403)),
    ),
    Liar(
        "localhost anywhere in Host",
        "safety/foreign-hosts",
        when(lambda heard: "localhost." in heard.headers.get("host", ""), lambda one: OK),
    ),
    Liar("any address in Host", "safety/foreign-hosts", when(_host("8.8.8.8"), lambda one: OK)),
    Liar(
        "guards only what is there",
        "safety/foreign-host-everywhere",
        when(
            lambda heard: heard.headers.get("host") == "evil.example" and "nothing" in heard.path,
            becomes(404),
        ),
    ),
    Liar(
        "guards GET only",
        "safety/foreign-host-everywhere",
        when(
            lambda heard: heard.headers.get("host") == "evil.example" and heard.method == "DELETE",
            becomes(400),
        ),
    ),
    Liar("no desktop programs", "safety/origins-allowed", when(_origin("app://"), becomes(403))),
    Liar(
        "does not tell caches",
        "safety/origins-allowed",
        answers(lambda one: replace(one, headers=tuple(x for x in one.headers if x[0] != "Vary"))),
    ),
    Liar("mirrors any origin", "safety/foreign-origins", with_answers(_mirror)),
    Liar(
        "null is an origin like any",
        "safety/foreign-origins",
        when(
            lambda heard: heard.headers.get("origin") == "null",
            lambda one: replace(OK, headers=(("Access-Control-Allow-Origin", "null"),)),
        ),
    ),
    Liar(
        "does what foreign pages say",
        "safety/foreign-origins-refused",
        when(_origin(*EVIL), lambda one: OK),
    ),
    Liar(
        "preflight only",
        "safety/foreign-origins-refused",
        when(lambda heard: heard.method != "OPTIONS" and _origin("evil")(heard), lambda one: OK),
    ),
    Liar(
        "refuses its own page",
        "safety/own-origin",
        when(
            lambda heard: heard.headers.get("origin") == f"http://{heard.headers.get('host')}",
            becomes(403),
        ),
    ),
    Liar(
        "grants no methods",
        "safety/preflight",
        answers(lambda one: replace(one, headers=one.headers[:1]), method="OPTIONS"),
    ),
    Liar(
        "preflight of what is there only",
        "safety/preflight",
        when(lambda heard: heard.method == "OPTIONS" and "nothing" in heard.path, becomes(404)),
    ),
    Liar(
        "lends credentials",
        "safety/preflight",
        answers(
            lambda one: replace(
                one, headers=(*one.headers, ("Access-Control-Allow-Credentials", "true"))
            ),
            method="OPTIONS",
        ),
    ),
    Liar(
        "dies of recursion",
        "safety/template-bombs",
        when(_templated("define"), lambda one: Answer(500, "text/plain", "RecursionError")),
    ),
    Liar(
        "templates of another kind",
        "safety/templates-reach-nothing",
        when(_templated("__class__"), becomes(500, "<class 'str'> has no such thing")),
    ),
    Liar(
        "breaks over deep JSON",
        "safety/deep-json",
        when(lambda heard: heard.body.count(b"[") > 1000, becomes(500, "RecursionError")),
    ),
    Liar(
        "no room for megabytes",
        "safety/long-bodies",
        when(lambda heard: len(heard.body) > 1 << 20, becomes(500)),
    ),
    Liar(
        "no room for cookies",
        "safety/long-heads",
        when(lambda heard: "cookie" in heard.headers, becomes(431)),
    ),
    Liar("the first length counts", "safety/contradicting-lengths", Lie(body=by_first_length)),
    Liar("says yes to anything", "safety/no-http-at-all", Lie(polite=True)),
    Liar(
        "has what was announced",
        "safety/length-that-never-comes",
        when(
            lambda heard: heard.method == "HEAD" and heard.path.startswith("/api/blobs/"),
            lambda one: replace(one, status=200),
        ),
    ),
]

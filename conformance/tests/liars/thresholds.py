"""Liars before and after a route's work: bodies, paths, connections, pages, and stays."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ..honest import Answer, Heard, Lie
from ..lies import (
    TALK,
    Fields,
    answers,
    entries,
    hears,
    shows,
    values,
    with_answers,
    within,
)
from .guards import becomes, when
from .liar import Liar

BOTH = ("/api/embed", "/api/embeddings")
KEPT = (*TALK, *BOTH)
PULL, PUSH, CREATE = "/api/pull", "/api/push", "/api/create"
SET = "lifecycle/durations-are-spelt-so"
LOADING = "lifecycle/answers-of-loading"
CLOSES = (("Connection", "close"),)


def without_body(path: str) -> Lie:
    """No body is an empty object."""

    def hear(heard: Heard) -> Heard:
        return replace(heard, body=heard.body or b"{}") if heard.path == path else heard

    return Lie(hear=hear)


def rewrites(change: Callable[[bytes], bytes], path: str = "") -> Lie:
    """Bodies are read as others."""

    def hear(heard: Heard) -> Heard:
        return replace(heard, body=change(heard.body)) if path in ("", heard.path) else heard

    return Lie(hear=hear)


def first_of_keys(body: bytes) -> bytes:
    """Of a key that is there twice the first counts."""
    try:
        return json.dumps(
            json.loads(body.decode(), object_pairs_hook=lambda pairs: dict(reversed(pairs)))
        ).encode()
    except (ValueError, TypeError):
        return body


def led_to(change: Callable[[str], str]) -> Lie:
    """Paths lead elsewhere."""
    return Lie(hear=lambda heard: replace(heard, path=change(heard.path)))


def closing(holds: Callable[[Heard, Answer], bool]) -> Lie:
    """The connection is closed after some answers."""
    return with_answers(
        lambda heard, one: (
            replace(one, headers=(*one.headers, *CLOSES)) if holds(heard, one) else one
        )
    )


def untold(holds: Callable[[Heard, Answer], bool]) -> Lie:
    """Pages may not read some answers."""
    return with_answers(lambda heard, one: replace(one, headers=()) if holds(heard, one) else one)


def own_origin(heard: Heard, answer: Answer) -> Answer:
    """One's own page is permitted, too."""
    origin = heard.headers.get("origin", "")
    if origin != f"http://{heard.headers.get('host')}":
        return answer
    return replace(answer, headers=(*answer.headers, ("Access-Control-Allow-Origin", origin)))


def simple(heard: Heard) -> Heard:
    """What needs no preflight is let in."""
    kind = heard.headers.get("content-type", "text/plain")
    if heard.method != "POST" or "json" in kind:
        return heard
    return replace(heard, headers={k: v for k, v in heard.headers.items() if k != "origin"})


def keeps(change: Callable[[Any], Any], *paths: str) -> Lie:
    """A keep_alive is read as another."""

    def changed(fields: Fields) -> None:
        if "keep_alive" in fields:
            fields["keep_alive"] = change(fields["keep_alive"])

    return hears(changed, *(paths or KEPT))


def loading(change: Callable[[Fields], Any], reason: str = "load") -> Lie:
    """Answers of loading are others."""

    def changed(value: Fields) -> None:
        if value.get("done_reason") == reason:
            change(value)

    return values(changed, *TALK)


def clock(*paths: str) -> Lie:
    """Stays are told as they were before a request of these routes."""
    known: dict[str, Any] = {}

    def say(heard: Heard, answer: Answer) -> Answer:
        if heard.path == "/api/ps":
            return values(
                lambda value: (
                    [
                        one.update(expires_at=known.setdefault(one["name"], one["expires_at"]))
                        for one in value["models"]
                    ]
                    and None
                )
            ).say(heard, answer)
        if heard.path in KEPT and (heard.path not in paths or heard.fields.get("keep_alive")):
            known.clear()
        return answer

    return Lie(say=say)


def small_words(text: Any) -> Any:  # noqa: ANN401
    """Durations as people write them."""
    if not isinstance(text, str):
        return text
    return text.lower().replace(" ", "").replace("mins", "m") or None


def flag(name: str, path: str) -> Lie:
    """A truth value may be a number."""

    def changed(fields: Fields) -> None:
        if isinstance(fields.get(name), int):
            fields[name] = bool(fields[name])

    return hears(changed, path)


def at_times(word: str) -> Callable[[Fields], None]:
    """The time of a list's entry is that of another."""

    def changed(entry: Fields) -> None:
        if word in entry["name"]:
            entry["modified_at"] = "2026-01-01T00:00:00Z"

    return changed


def name_first(fields: Fields) -> Fields:
    """`name` counts before `model`."""
    return {**fields, "model": fields.get("name") or fields.get("model")}


def marked(fields: Fields) -> None:
    """`:local` is a tag."""
    fields["model"] = re.sub(r":local$", ":here", str(fields.get("model")))


def lines(fields: Fields) -> None:
    """Each line is a text."""
    if isinstance(fields.get("input"), str):
        fields["input"] = fields["input"].split("\n")


def parts(fields: Fields) -> None:
    """Texts may be parts of a message."""
    if isinstance(fields.get("input"), list):
        fields["input"] = [
            one.get("text", "") if isinstance(one, dict) else one for one in fields["input"]
        ]


def long_when_alone(value: Fields) -> None:
    """Vectors of one text have another length."""
    if len(value["embeddings"]) == 1:
        value["embeddings"] = [[2 * one for one in value["embeddings"][0]]]


def empty(heard: Heard, one: Answer) -> bool:
    """Whether an answer of success has no body."""
    return one.status in (200, 201) and one.value is None and one.records is None


def unlisted(value: Fields) -> Fields:
    """Models that embed are not listed."""
    return {"models": [one for one in value["models"] if "embedding" not in one["name"]]}


def host(name: str) -> Lie:
    """A Host is let in."""
    return when(lambda heard: heard.headers.get("host") == name, lambda one: Answer(200))


def preflights(change: Callable[[Answer], Answer]) -> Lie:
    """Preflights are answered otherwise."""
    return answers(change, method="OPTIONS")


def header(name: str, value: str) -> Callable[[Answer], Answer]:
    """An answer with another header."""
    return lambda one: replace(
        one, headers=tuple((key, value if key == name else was) for key, was in one.headers)
    )


THRESHOLDS = [
    Liar("copies without a body", "routes/errors-are-alike", without_body("/api/copy")),
    Liar("creates nothing", "routes/errors-are-alike", without_body(CREATE)),
    Liar("blanks are a body", "routes/bodies-of-little",
         when(lambda heard: heard.body.isspace(), becomes(400, "invalid JSON"))),
    Liar("null is no object", "routes/bodies-of-little",
         when(lambda heard: heard.body == b"null", becomes(400, "not an object"))),
    Liar("skips marks", "routes/bodies-of-little",
         rewrites(lambda body: body.removeprefix(b"\xef\xbb\xbf"))),
    Liar("first of equal keys", "routes/bodies-of-little", rewrites(first_of_keys, "/api/copy")),
    Liar("unpacks requests", "routes/encodings-are-ignored",
         when(lambda heard: "content-encoding" in heard.headers, becomes(400, "no gzip"))),
    Liar("paths in any case", "routes/paths-to-the-letter", led_to(str.lower)),
    Liar("paths by their beginning", "routes/paths-to-the-letter",
         led_to(lambda path: re.sub(r"^(/api/(show|tags|version))/.*", r"\1", path))),
    Liar("chats at other doors", "routes/paths-to-the-letter",
         led_to(lambda path: path.removesuffix("/completions"))),
    Liar("traces", "routes/trace-is-no-method",
         when(lambda heard: heard.method == "TRACE", lambda one: Answer(200, value="TRACE"))),
    Liar("closes after nothing", "routes/connections-outlive-answers", closing(empty)),
    Liar("closes after creating", "routes/connections-outlive-answers",
         closing(lambda heard, one: heard.path == CREATE)),
    Liar("closes after HEAD", "routes/connections-outlive-answers",
         closing(lambda heard, one: heard.method == "HEAD")),
    Liar("pages read no HEAD", "safety/pages-read-every-answer",
         untold(lambda heard, one: heard.method == "HEAD")),
    Liar("pages read no blobs", "safety/pages-read-every-answer", untold(empty)),
    Liar("pages read no streams", "safety/pages-read-every-answer",
         untold(lambda heard, one: one.records is not None)),
    Liar("pages read no other methods", "safety/pages-read-every-answer",
         untold(lambda heard, one: one.status == 405)),
    Liar("permits itself", "safety/own-page-needs-no-permission", with_answers(own_origin)),
    Liar("simple requests pass", "safety/simple-requests-refused", Lie(hear=simple)),
    Liar("preflights say a method", "safety/preflight",
         when(lambda heard: heard.method == "OPTIONS"
              and "access-control-request-method" not in heard.headers, becomes(405))),
    Liar("preflights for all", "safety/preflight",
         preflights(header("Access-Control-Allow-Origin", "*"))),
    Liar("preflights do not vary", "safety/preflight", preflights(header("Vary", "Accept"))),
    Liar("preflights of minutes", "safety/preflight",
         preflights(header("Access-Control-Max-Age", "600"))),
    Liar("hosts with a dot", "safety/foreign-hosts", host("localhost.")),
    Liar("hosts that are numbers", "safety/foreign-hosts", host("2130706433")),
    Liar("looks at blobs again", "blobs/uploaded",
         when(lambda heard: heard.method == "POST" and not heard.body
              and heard.path.startswith("/api/blobs/"), becomes(400, "digest mismatch"))),
    Liar("digests of any case", "blobs/either-spelling",
         led_to(lambda path: path.replace("SHA256:", "sha256:"))),
    Liar("digests that go on", "blobs/either-spelling",
         led_to(lambda path: path[:82] if path.startswith("/api/blobs/sha256") else path)),
    Liar("streams by number", "routes/flags-are-true-or-false", flag("stream", PULL)),
    Liar("verbose by number", "routes/flags-are-true-or-false", flag("verbose", "/api/show")),
    Liar("knows no ms", SET, keeps(lambda one: str(one).replace("ms", "m")
                                   if "ms" in str(one) else one)),
    Liar("knows no plus", SET,
         when(lambda heard: str(heard.fields.get("keep_alive")).startswith("+"), becomes(400))),
    Liar("rounds keep_alive", SET, keeps(lambda one: int(one) if isinstance(one, float) else one)),
    Liar("null lets go", SET, keeps(lambda one: 0 if one is None else one)),
    Liar("understands people", "lifecycle/no-other-durations", keeps(small_words)),
    Liar("knows days", "lifecycle/no-other-durations",
         keeps(lambda one: 5 if one == "5d" else one)),
    Liar("embeds for any while", "lifecycle/no-other-durations", keeps(lambda one: "5m", *BOTH)),
    Liar("tells names in full", LOADING, loading(lambda one: one.update(model="full:latest"))),
    Liar("tells what loading took", LOADING, loading(shows(load_duration=1))),
    Liar("unloads at no time", LOADING, loading(shows(created_at=None), "unload")),
    Liar("loads with a context", LOADING, loading(shows(context=[]))),
    Liar("loads when asked", LOADING,
         keeps(lambda one: "1ns" if one == "10m" else one, "/api/chat")),
    Liar("chat sets no clock", "lifecycle/every-answer-sets-the-clock", clock("/api/chat")),
    Liar("older vectors set no clock", "lifecycle/every-answer-sets-the-clock",
         clock("/api/embeddings")),
    Liar("is loaded twice", "lifecycle/housekeeping-unloads-nothing",
         values(lambda one: {"models": one["models"] * 2}, "/api/ps")),
    Liar("loaded models have parents", "lifecycle/housekeeping-unloads-nothing",
         entries(within("details", shows(parent_model="base:latest")), "/api/ps")),
    Liar("says manifest twice", "pull/nothing-is-told-twice", Lie(flaw="says it twice")),
    Liar("clears away silently", "pull/nothing-is-told-twice", Lie(flaw="clears silently")),
    Liar("pulls and tells more", "pull/nothing-is-told-twice",
         values(lambda one: one.update(total=0), PULL)),
    Liar("keeps the time of a pull", "pull/renews-the-time", entries(at_times("renewed"),
                                                                     "/api/tags")),
    Liar("pulls by name", "pull/model-over-name", hears(name_first, PULL)),
    Liar("pushes by name", "pull/model-over-name", hears(name_first, PUSH)),
    Liar("pulls local ones from there", "pull/model-over-name", hears(marked, PULL)),
    Liar("trims what it pushes", "pull/model-over-name",
         hears(lambda one: {**one, "model": str(one.get("model")).strip()}, PUSH)),
    Liar("lines are texts", "embeddings/lines-are-one-text", hears(lines, "/api/embed")),
    Liar("long when alone", "embeddings/lines-are-one-text",
         values(long_when_alone, "/api/embed")),
    Liar("blanks are nothing", "embeddings/lines-are-one-text",
         hears(lambda one: {**one, "input": []} if str(one.get("input")).isspace() else one,
               "/api/embed")),
    Liar("older vectors are trimmed", "embeddings/lines-are-one-text",
         hears(lambda one: {**one, "prompt": str(one.get("prompt")).strip()}, BOTH[1])),
    Liar("both shapes", "embeddings/lines-are-one-text",
         values(lambda one: one.update(embedding=[]), "/api/embed")),
    Liar("parts are texts", "embeddings/input-types", hears(parts, "/api/embed")),
    Liar("lists no embedders", "embeddings/listed-as-shown", values(unlisted, "/api/tags")),
    Liar("lists embedders as others", "embeddings/listed-as-shown",
         entries(within("details", shows(family="other")), "/api/tags")),
]  # fmt: skip

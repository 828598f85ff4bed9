"""Liars about marks in names, lists in time, the lines of a Modelfile, and what loads a model."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ..honest import Answer, Heard, Lie
from ..lies import Fields, answers, errors, hears, refuses, values, with_answers
from .guards import becomes, when
from .liar import Liar
from .shelves import CREATE, SHOW, TAGS

PS, COPY, DELETE, GEN, TALK = (
    "/api/ps", "/api/copy", "/api/delete", "/api/generate", "/api/chat",
)  # fmt: skip
WORK = "lifecycle/only-work-loads"
DIGESTS, GRAMMAR = "blobs/either-spelling", "names/grammar"


def _digest(pattern: str) -> Callable[[Heard], bool]:
    return lambda heard: re.fullmatch(f"/api/blobs/{pattern}", heard.path) is not None


def _undotted(fields: Fields) -> None:
    if re.fullmatch(r"\w+\.\w+/\w+", str(fields.get("destination"))):
        fields["destination"] = str(fields["destination"]).replace(".", "-")


def _unmarked(heard: Heard) -> Heard:
    """A byte order mark is no more than white space."""
    return replace(heard, body=heard.body.removeprefix(b"\xef\xbb\xbf"))


def _by_making() -> Lie:
    """Lists are in the order in which names were first there."""
    seen: list[str] = []

    def sort(value: Fields) -> None:
        seen.extend(one["name"] for one in value["models"][::-1] if one["name"] not in seen)
        value["models"].sort(key=lambda one: -seen.index(one["name"]))

    return values(sort, TAGS)


def _a_day(fields: Fields) -> None:
    if fields.get("keep_alive") == "200h":
        fields["keep_alive"] = "24h"


def _not_of_loads(fields: Fields) -> None:
    given = fields.get("keep_alive")
    if not fields.get("messages") and isinstance(given, int) and given > 0:
        del fields["keep_alive"]


def _verbose(heard: Heard) -> Heard:
    if heard.path == SHOW and "verbose" in heard.query:
        return heard.saying({**heard.fields, "verbose": True})
    return heard


def _letters(fields: Fields) -> None:
    given = fields.get("parameters")
    if isinstance(given, dict) and isinstance(given.get("stop"), str):
        given["stop"] = given["stop"].split()


def _orphans() -> Lie:
    """What was made of a model is deleted with it."""
    bases: dict[str, str] = {}
    dead: set[str] = set()

    def say(heard: Heard, answer: Answer) -> Answer:
        name = str(heard.fields.get("model"))
        if heard.path == CREATE:
            bases[name] = str(heard.fields.get("from"))
        elif heard.path == DELETE and answer.status == 200:
            dead.update(one for one, base in bases.items() if base == name)
        elif heard.path == SHOW and name in dead:
            return Answer(404, value={"error": f"model '{name}' not found"})
        return answer

    return Lie(say=say)


def _file(old: str, new: str) -> Lie:
    """A part of every Modelfile is another one."""

    def change(value: Fields) -> None:
        if "modelfile" in value:
            value["modelfile"] = re.sub(old, new, value["modelfile"], flags=re.MULTILINE)

    return values(change, SHOW)


def _loads(holds: Callable[[Heard, Answer], bool], field: str = "model") -> Lie:
    """Models are loaded by what does no work."""
    loaded: list[str] = []

    def say(heard: Heard, answer: Answer) -> Answer:
        if heard.path == PS:
            more: list[Any] = [{"name": f"{one.removesuffix(':latest')}:latest"} for one in loaded]
            return replace(answer, value={"models": [*answer.value["models"], *more]})
        if holds(heard, answer) and heard.fields.get(field):
            loaded.append(str(heard.fields[field]))
        elif heard.path == GEN and heard.fields.get("keep_alive") == 0:
            loaded.clear()
        return answer

    return Lie(say=say)


def _bare_quotes(answer: Answer) -> Answer:
    return replace(answer, value={"error": answer.value["error"].replace('\\"', '"')})


def _texts(value: Fields) -> None:
    for key, one in value.get("model_info", {}).items():
        if isinstance(one, list):
            value["model_info"][key] = [str(each) for each in one]


def _sent_template() -> Lie:
    def say(heard: Heard, answer: Answer) -> Answer:
        sent = heard.fields.get("template")
        if heard.path != SHOW or not sent or answer.status != 200:
            return answer
        return replace(answer, value={**answer.value, "template": sent})

    return Lie(say=say)


def _by_order() -> Lie:
    """Digests in lists tell in which order parameters were given."""
    orders: dict[str, list[str]] = {}

    def say(heard: Heard, answer: Answer) -> Answer:
        given = heard.fields.get("parameters")
        if heard.path == CREATE and isinstance(given, dict):
            orders[str(heard.fields.get("model"))] = [*given]
        if heard.path == TAGS and answer.status == 200:
            for one in answer.value["models"]:
                order = str(orders.get(one["name"].removesuffix(":latest")))
                one["digest"] = hashlib.sha256((one["digest"] + order).encode()).hexdigest()
        return answer

    return Lie(say=say)


def _prefixed(fields: Fields) -> None:
    if isinstance(fields.get("files"), dict):
        fields["files"] = {
            name: f"sha256:{one}" if re.fullmatch("[0-9a-f]{64}", str(one)) else one
            for name, one in fields["files"].items()
        }


def _first_window() -> Lie:
    told: dict[str, int] = {}

    def keep(value: Fields) -> None:
        for gone in told.keys() - {one["name"] for one in value["models"]}:
            del told[gone]
        for one in value["models"]:
            one["context_length"] = told.setdefault(one["name"], one["context_length"])

    return values(keep, PS)


def _undead() -> Lie:
    """What was embedded once is told again, be the model deleted."""
    known: dict[tuple[str, str], Answer] = {}

    def say(heard: Heard, answer: Answer) -> Answer:
        if not heard.path.startswith("/api/embed"):
            return answer
        key = heard.path, str(heard.fields.get("model"))
        return known.setdefault(key, answer) if answer.status == 200 else known.get(key, answer)

    return Lie(say=say)


LODGERS = [
    Liar("has no blobs of other kinds", DIGESTS, when(_digest("sha512:.*"), becomes(404))),
    Liar("hex digits are letters", DIGESTS, when(_digest("sha256:g{64}"), becomes(404))),
    Liar(
        "refuses quantizations by name", GRAMMAR,
        when(
            lambda heard: heard.path == SHOW and "_K_" in str(heard.fields.get("model")),
            becomes(400, "invalid model name"),
        ),
    ),
    Liar("copies to namespaces with dots", GRAMMAR, hears(_undotted, COPY)),
    Liar(
        "local is no mark behind a tag", "names/alike-on-every-route",
        when(
            lambda heard: str(heard.fields.get("model")).endswith(":V1.b:local"),
            becomes(400, "invalid model name"),
        ),
    ),
    Liar(
        "schemes are no part of names", "names/with-their-scheme",
        when(
            lambda heard: (
                heard.path in (SHOW, DELETE) and "://" in str(heard.fields.get("model"))
            ),
            becomes(400, "invalid model name"),
        ),
    ),
    Liar(
        "allows GET and no HEAD", "http/allow-is-told-by-route",
        with_answers(
            lambda heard, one: (
                replace(one, headers=(("Allow", "GET"),))
                if one.status == 405 and heard.path == TAGS
                else one
            )
        ),
    ),
    Liar(
        "an empty Host is none of ours", "safety/hosts-of-this-machine",
        when(lambda heard: not heard.headers.get("host"), lambda one: Answer(403, "")),
    ),
    Liar("quotes are not escaped", "names/texts-of-refusals", errors(_bare_quotes, DELETE)),
    Liar("numbers of lists are texts", "show/verbose", values(_texts, SHOW)),
    Liar("shows the template that was sent", "show/system-of-the-request", _sent_template()),
    Liar("digests tell the order of parameters", "show/parameters-of-every-kind", _by_order()),
    Liar("digests need no prefix", "safety/created-of-blobs-only", hears(_prefixed, CREATE)),
    Liar("no blob is empty", "blobs/of-any-size", when(_digest("sha256:e3b0c4.*"), becomes(400))),
    Liar("tells the first window for ever", "lifecycle/window-is-told", _first_window()),
    Liar("embeds what is deleted", "embeddings/deleted-is-gone", _undead()),
    Liar(
        "names no charset", "http/json-names-its-charset",
        answers(lambda one: replace(one, media_type=one.media_type.partition(";")[0]), TAGS),
    ),
    Liar("skips marks of byte order", "manage/first-value-of-a-body", Lie(hear=_unmarked)),
    Liar("lists by first making", "tags/newest-first", _by_making()),
    Liar("stays a day at most", "lifecycle/keep-alive-forms", hears(_a_day, TALK, GEN)),
    Liar("loads by chat stay as usual", "lifecycle/stay-of-every-form", hears(_not_of_loads, TALK)),
    Liar(
        "embeds a hundred at most", "embeddings/many",
        refuses("/api/embed", lambda fields: len(fields.get("input") or ()) > 100),
    ),
    Liar(
        "bounds dimensions", "embeddings/dimensions-beyond",
        refuses("/api/embed", lambda fields: (fields.get("dimensions") or 0) > 2000),
    ),
    Liar(
        "verbose by query", "http/query-of-management-ignored", Lie(hear=_verbose),
    ),
    Liar(
        "no OPTIONS but of pages", "http/options-without-origin",
        with_answers(
            lambda heard, one: (
                Answer(405, "text/plain", "405 method not allowed")
                if heard.method == "OPTIONS" and "origin" not in heard.headers
                else one
            )
        ),
    ),
    Liar("stops are lists of words", "show/parameters-of-every-kind", hears(_letters, CREATE)),
    Liar("deletes what was made of it", "delete/takes-its-blobs", _orphans()),
    Liar(
        "names nobody in the comment", "show/modelfile-to-the-letter",
        _file("^# FROM .*$", "# FROM model"),
    ),
    Liar("no TEMPLATE where none was given", "create/replaces", _file(r"^TEMPLATE .*\n?", "")),
    Liar("loads to show", WORK, _loads(lambda heard, answer: heard.path == SHOW)),
    Liar("loads copies", WORK, _loads(lambda heard, answer: heard.path == COPY, "destination")),
    Liar(
        "loads before it refuses", WORK,
        _loads(lambda heard, answer: heard.path in (GEN, TALK) and answer.status == 400),
    ),
]  # fmt: skip

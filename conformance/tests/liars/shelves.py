"""Liars about names, lists, descriptions, making, and the order of errors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ..honest import Answer, Heard, Lie
from ..lies import (
    answers,
    entries,
    error_text,
    hears,
    shows,
    statuses,
    streams,
    values,
    within,
)
from .guards import becomes, when
from .liar import Liar

SHOW, CREATE, TAGS = "/api/show", "/api/create", "/api/tags"


def _model(test: Callable[[str], bool], *paths: str) -> Callable[[Heard], bool]:
    def holds(heard: Heard) -> bool:
        name = heard.fields.get("model")
        return isinstance(name, str) and test(name) and (not paths or heard.path in paths)

    return holds


def created(change: Callable[[dict[str, Any]], Any]) -> Lie:
    """Models are created of other fields than were given."""
    return hears(change, CREATE)


def without(*names: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """The fields but these."""
    return lambda fields: {key: one for key, one in fields.items() if key not in names}


def _spelled_out(entry: dict[str, Any]) -> None:
    for key in ("name", "model"):
        entry[key] = f"registry.ollama.ai/{entry[key]}"


def _not_taken() -> Lie:
    """A name that is taken is not copied over."""
    taken: set[str] = set()

    def hear(fields: dict[str, Any]) -> dict[str, Any]:
        name = str(fields.get("destination"))
        if name in taken:
            return {**fields, "destination": f"{name}-2"}
        taken.add(name)
        return fields

    return hears(hear, "/api/copy")


def _stale() -> Lie:
    """Show tells for ever what it told first."""
    known: dict[str, Answer] = {}

    def say(heard: Heard, answer: Answer) -> Answer:
        if heard.path != SHOW or answer.status != 200 or set(heard.fields) - {"model"}:
            return answer
        return known.setdefault(str(heard.fields.get("model")), answer)

    return Lie(say=say)


def _first_license(value: dict[str, Any]) -> None:
    if "license" in value:
        value["license"] = value["license"].partition("\n")[0]


def _numbers(value: dict[str, Any]) -> None:
    value["model_info"]["llama.block_count"] = "2"


def _loud(value: dict[str, Any]) -> None:
    value["modelfile"] = value["modelfile"].replace("parallama", "PARALLAMA")


NAMES = [
    Liar("any name is but missing", "names/grammar", statuses(400, 404, SHOW)),
    Liar(
        "names may have four parts",
        "names/grammar",
        when(_model(lambda name: name.count("/") > 2, SHOW), becomes(404, "not found")),
    ),
    Liar(
        "no names with ports",
        "names/grammar",
        when(_model(lambda name: ":5000/" in name), becomes(400, "invalid model name")),
    ),
    Liar(
        "other words for bad names",
        "names/texts-of-refusals",
        error_text("bad request", "/api/delete", status=400),
    ),
    Liar("spells names out", "names/displayed", entries(_spelled_out, TAGS)),
    Liar(
        "drops tags",
        "names/displayed",
        entries(lambda one: one.update(name=one["name"].removesuffix(":latest")), TAGS),
    ),
    Liar(
        "case matters",
        "names/any-case",
        when(_model(lambda name: "cAsE" in name), becomes(404, "not found")),
    ),
    Liar(
        "local is a tag",
        "names/local",
        when(_model(lambda name: name.endswith(":local")), becomes(404, "not found")),
    ),
    Liar(
        "local in the cloud",
        "names/local-and-cloud",
        when(_model(lambda name: ":cloud:local" in name), becomes(404, "not found")),
    ),
    Liar(
        "blanks are part of names",
        "names/blanks-around",
        when(_model(lambda name: name.startswith(" "), SHOW), becomes(400, "invalid model name")),
    ),
    Liar(
        "breaks over blanks",
        "names/blanks-break-nothing",
        when(_model(lambda name: name.startswith(" ")), becomes(500)),
    ),
    Liar(
        "copies are as old",
        "copy/renews-the-time",
        entries(shows(modified_at="2026-01-01T00:00:00Z"), TAGS),
    ),
    Liar("does not copy over", "copy/overwrites", _not_taken()),
    Liar(
        "cannot copy onto itself",
        "copy/onto-itself",
        when(
            lambda heard: heard.fields.get("source", 0) == heard.fields.get("destination"),
            becomes(400),
        ),
    ),
    Liar("deletes what is shared", "delete/leaves-what-is-shared", Lie(flaw="deletes_all")),
    Liar(
        "blanks are bad JSON",
        "manage/first-value-of-a-body",
        when(lambda heard: heard.body == b" \n ", becomes(400, "EOF")),
    ),
    Liar(
        "the first of equal keys",
        "manage/first-value-of-a-body",
        when(lambda heard: heard.body.count(b'"model"') > 1, becomes(400, "invalid model name")),
    ),
]

SHOWN = [
    Liar(
        "details of another model",
        "tags/details",
        entries(within("details", shows(family="gpt2")), TAGS),
    ),
    Liar(
        "families null",
        "tags/details",
        values(within("details", lambda one: one.update(families=None)), SHOW),
    ),
    Liar(
        "no windows in lists",
        "tags/windows",
        entries(within("details", shows(context_length=None)), TAGS),
    ),
    Liar(
        "the window of the server",
        "tags/windows",
        entries(within("details", shows(context_length=2048)), TAGS),
    ),
    Liar(
        "one capability in lists",
        "tags/capabilities",
        entries(shows(capabilities=["completion"]), TAGS),
    ),
    Liar("one size for all", "tags/size", entries(shows(size=1_000_000), TAGS)),
    Liar("kilobytes", "tags/size", entries(lambda one: one.update(size=one["size"] // 1024), TAGS)),
    Liar("the first license only", "show/license", values(_first_license, SHOW)),
    Liar("no licenses", "show/license", created(without("license"))),
    Liar(
        "a list of licenses",
        "show/license",
        values(lambda one: one.update(license=one.get("license", "").split("\n")), SHOW),
    ),
    Liar("one system for all", "show/system-of-the-request", hears(without("system"), SHOW)),
    Liar("one set of options", "show/options-of-the-request", hears(without("options"), SHOW)),
    Liar(
        "no FROM",
        "show/modelfile",
        values(lambda one: one.update(modelfile=one["modelfile"].replace("FROM ", "# ")), SHOW),
    ),
    Liar(
        "an empty modelfile",
        "show/modelfile",
        values(lambda one: one.update(modelfile=""), SHOW),
    ),
    Liar(
        "half of the tensors",
        "show/tensors",
        values(lambda one: one.update(tensors=one["tensors"][:1]), SHOW),
    ),
    Liar(
        "shapes of text",
        "show/tensors",
        values(
            lambda one: one.update(
                tensors=[{**t, "shape": str(t["shape"])} for t in one["tensors"]]
            ),
            SHOW,
        ),
    ),
    Liar("forgets messages", "show/messages", created(without("messages"))),
    Liar(
        "roles as they come",
        "show/messages",
        values(
            lambda one: one.update(
                messages=[{**m, "role": m["role"].upper()} for m in one.get("messages", [])]
            ),
            SHOW,
        ),
    ),
    Liar("shows what it knew", "show/changes-are-seen", _stale()),
    Liar(
        "a digest for ever",
        "show/changes-are-seen",
        entries(shows(digest="0" * 64), TAGS),
    ),
    Liar("names as they are typed", "show/name-as-stored", values(_loud, SHOW)),
    Liar("numbers as text", "show/model-info", values(_numbers, SHOW)),
    Liar(
        "another count of parameters",
        "show/model-info",
        values(within("model_info", shows(**{"general.parameter_count": 473_000})), SHOW),
    ),
]

MADE = [
    Liar(
        "success after an error",
        "create/error-in-mid-stream",
        streams(lambda all: [*all, {"status": "success"}] if "error" in all[-1] else all, CREATE),
    ),
    Liar(
        "an error with a status",
        "create/error-in-mid-stream",
        streams(
            lambda all: all[-1].update(status="failed") if "error" in all[-1] else None, CREATE
        ),
    ),
    Liar(
        "errors with 200",
        "create/error-unstreamed",
        answers(lambda one: replace(one, status=200) if one.status >= 400 else one, CREATE),
    ),
    Liar(
        "success only",
        "create/records-of-a-base",
        streams(lambda all: all[-1:], CREATE),
    ),
    Liar(
        "success before and after",
        "create/records-of-a-base",
        streams(lambda all: [{"status": "success"}, *all], CREATE),
    ),
    Liar(
        "short digests",
        "create/records-of-a-base",
        streams(lambda all: [{**one, "status": one["status"][:40]} for one in all], CREATE),
    ),
    Liar(
        "parameters replace",
        "create/parameters-merge",
        created(lambda one: {**one, "parameters": {**(one.get("parameters") or {}), "top_k": 40}}),
    ),
    Liar(
        "knows only its parameters",
        "create/parameters-merge",
        created(
            lambda one: {
                **one,
                "parameters": {
                    k: v for k, v in (one.get("parameters") or {}).items() if "_unknown" not in k
                },
            }
        ),
    ),
    Liar("drops bad parameters", "create/bad-parameter-surfaces", created(without("parameters"))),
    Liar(
        "empty is none",
        "create/empty-keeps",
        created(lambda one: {**one, "system": one.get("system") or "None."}),
    ),
    Liar(
        "not from itself",
        "create/from-itself",
        when(lambda heard: "itself" in str(heard.fields.get("from")), becomes(400)),
    ),
    Liar(
        "by the ending of names",
        "create/by-its-first-bytes",
        when(
            lambda heard: "weights" in (heard.fields.get("files") or {}),
            becomes(400, "unknown type"),
        ),
    ),
    Liar("any license", "create/license-of-a-wrong-type", created(without("license"))),
    Liar("any quantisation", "create/quantize-checked", created(without("quantize"))),
    Liar("says it quantised", "create/quantize", created(without("quantize"))),
    Liar(
        "name counts",
        "create/model-over-name",
        created(lambda one: {**one, "model": one.get("name") or one.get("model")}),
    ),
    Liar(
        "no legacy names",
        "create/model-over-name",
        created(without("name")),
    ),
    Liar(
        "grandchildren lose their template",
        "create/of-a-model-of-a-model",
        created(
            lambda one: (
                {**one, "template": "{{ .Prompt }}"} if "child" in str(one.get("from")) else one
            )
        ),
    ),
]

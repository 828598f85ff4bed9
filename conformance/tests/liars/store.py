"""Liars about models: loading, listing, creating."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from ...moments import moment
from ..honest import Answer, Heard, Lie
from ..lies import (
    CHAT,
    TALK,
    Fields,
    accepts,
    answers,
    entries,
    error_text,
    forgets_option,
    hears,
    messages,
    refuses,
    shows,
    statuses,
    streams,
    values,
    with_answers,
    within,
)
from ..shelf import iso
from .liar import Liar


def _text(status: int) -> Callable[[Answer], Answer]:
    return lambda one: replace(one, status=status, media_type="text/plain", value="no")


def _counted_anew() -> Callable[[Fields], None]:
    """What expires_at was when it was first told is added to the time of each look."""
    left_s: dict[str, float] = {}

    def shown(entry: Fields) -> None:
        told = str(entry["expires_at"])
        left = left_s.setdefault(told, moment(told) - time.time())
        entry["expires_at"] = iso(datetime.fromtimestamp(time.time() + left, UTC))

    return shown


def _no_name_alias(heard: Heard) -> Heard:
    fields = heard.fields
    return (
        heard.saying({key: one for key, one in fields.items() if key != "name"})
        if fields
        else heard
    )


def _method(method: str, path: str, change: Callable[[Answer], Answer]) -> Lie:
    return answers(change, path, method=method)


LIFECYCLE = [
    Liar(
        "lists nothing",
        "lifecycle/listed-when-loaded",
        values(lambda one: {"models": []}, "/api/ps"),
    ),
    Liar(
        "null for no models",
        "lifecycle/listed-when-loaded",
        values(lambda one: {"models": one["models"] or None}, "/api/ps"),
    ),
    Liar(
        "no expires_at", "lifecycle/listed-when-loaded", entries(shows(expires_at=None), "/api/ps")
    ),
    Liar(
        "sizes as strings", "lifecycle/listed-when-loaded", entries(shows(size="2 MB"), "/api/ps")
    ),
    Liar("never unloads", "lifecycle/unloaded-on-demand", Lie(flaw="never_unloads")),
    Liar(
        "stop where it is unload",
        "lifecycle/unloaded-on-demand",
        values(
            lambda one: one.get("done_reason") == "unload" and one.update(done_reason="stop"), *TALK
        ),
    ),
    Liar(
        "keeps after keep_alive 0",
        "lifecycle/zero-after-an-answer",
        hears(lambda one: {**one, "keep_alive": 60} if one.get("messages") else one, *CHAT),
    ),
    Liar(
        "never expires",
        "lifecycle/expires",
        hears(
            lambda one: {**one, "keep_alive": 60} if one.get("keep_alive") == 0.5 else one, *TALK
        ),
    ),
    Liar(
        "keep_alive in minutes",
        "lifecycle/keep-alive-forms",
        hears(
            lambda one: (
                {**one, "keep_alive": one["keep_alive"] * 60}
                if isinstance(one.get("keep_alive"), int | float)
                else one
            ),
            *TALK,
        ),
    ),
    Liar(
        "no compound durations",
        "lifecycle/keep-alive-forms",
        refuses("/api/chat", lambda one: one.get("keep_alive") == "1h30m"),
    ),
    Liar(
        "keep_alive in whole seconds",
        "lifecycle/expires-at-stands",
        hears(
            lambda one: (
                {**one, "keep_alive": int(one["keep_alive"])}
                if isinstance(one.get("keep_alive"), float) and one["keep_alive"] > 1
                else one
            ),
            *TALK,
        ),
    ),
    Liar(
        "whole seconds of a duration",
        "lifecycle/expires-at-stands",
        hears(
            lambda one: (
                {**one, "keep_alive": str(one.get("keep_alive")).replace(".5s", "s")}
                if isinstance(one.get("keep_alive"), str)
                else one
            ),
            *TALK,
        ),
    ),
    Liar(
        "expires_at counted anew at each look",
        "lifecycle/expires-at-stands",
        entries(_counted_anew(), "/api/ps"),
    ),
    Liar(
        "negative is nothing",
        "lifecycle/keep-alive-forever",
        hears(
            lambda one: {**one, "keep_alive": 300} if one.get("keep_alive") in (-1, "-1m") else one,
            *TALK,
        ),
    ),
    Liar(
        "forgets keep_alive",
        "lifecycle/keep-alive-kept",
        hears(lambda one: {"keep_alive": "5m", **one}, *TALK),
    ),
    Liar(
        "expires in the past",
        "lifecycle/default-is-minutes",
        entries(shows(expires_at="2020-01-01T00:00:00Z"), "/api/ps"),
    ),
    Liar(
        "any keep_alive will do",
        "lifecycle/bad-keep-alive",
        hears(lambda one: {**one, "keep_alive": None}, *TALK),
    ),
    Liar(
        "tells the model's own window",
        "lifecycle/window-is-told",
        entries(shows(context_length=4096), "/api/ps"),
    ),
    Liar(
        "more in VRAM than there is", "lifecycle/sizes", entries(shows(size_vram=10**12), "/api/ps")
    ),
    Liar("another digest", "lifecycle/digest-of-tags", entries(shows(digest="0" * 64), "/api/ps")),
]

MANAGE = [
    Liar("null for no list", "tags/shape", values(lambda one: {"models": None}, "/api/tags")),
    Liar("no details", "tags/shape", entries(shows(details=None), "/api/tags")),
    Liar(
        "family null",
        "tags/shape",
        entries(within("details", lambda one: one.update(family=None)), "/api/tags"),
    ),
    Liar("OpenAI's list", "tags/shape", values(lambda one: {"data": one["models"]}, "/api/tags")),
    Liar(
        "names without tags",
        "tags/lists-the-model",
        entries(lambda one: one.update(name=one["name"].partition(":")[0]), "/api/tags"),
    ),
    Liar(
        "lists a model twice",
        "tags/lists-the-model",
        values(lambda one: {"models": one["models"] * 2}, "/api/tags"),
    ),
    Liar(
        "digests with a prefix",
        "tags/times-and-digests",
        entries(lambda one: one.update(digest=f"sha256:{one['digest']}"), "/api/tags"),
    ),
    Liar("times as numbers", "tags/times-and-digests", entries(shows(modified_at=17), "/api/tags")),
    Liar(
        "expires_at in tags",
        "tags/no-runtime-fields",
        entries(shows(expires_at="2030-01-01T00:00:00Z"), "/api/tags"),
    ),
    Liar("no HEAD of tags", "tags/head", _method("HEAD", "/api/tags", _text(405))),
    Liar("no model_info", "show/shape", values(shows(model_info=None), "/api/show")),
    Liar("no capabilities", "show/shape", values(shows(capabilities=None), "/api/show")),
    Liar(
        "another window",
        "show/window",
        values(
            within("model_info", lambda one: one.update({"llama.context_length": 2048})),
            "/api/show",
        ),
    ),
    Liar(
        "no architecture",
        "show/window",
        values(within("model_info", lambda one: one.pop("general.architecture")), "/api/show"),
    ),
    Liar(
        "everything can call tools",
        "show/capabilities",
        values(shows(capabilities=["completion", "tools", "thinking"]), "/api/show"),
    ),
    Liar(
        "nothing can", "show/capabilities", values(shows(capabilities=["completion"]), "/api/show")
    ),
    Liar("show reads model only", "show/by-name", Lie(hear=_no_name_alias)),
    Liar(
        "parameters end in a blank line",
        "show/parameters",
        values(lambda one: one.update(parameters=one["parameters"] + "\n\n"), "/api/show"),
    ),
    Liar(
        "parameters are an object",
        "show/parameters",
        values(shows(parameters={"stop": "<|end|>"}), "/api/show"),
    ),
    Liar(
        "shows no template", "show/template", values(shows(template="{{ .Prompt }}"), "/api/show")
    ),
    Liar(
        "200 for a model that is not there", "show/missing", accepts("/api/show", lambda one: True)
    ),
    Liar(
        "all tokens",
        "show/tokens-left-out",
        values(
            within("model_info", lambda one: one.update({"tokenizer.ggml.tokens": ["a"] * 500})),
            "/api/show",
        ),
    ),
    Liar(
        "copies nothing",
        "copy/copies",
        hears(lambda one: {**one, "destination": one.get("source")}, "/api/copy"),
    ),
    Liar(
        "copy says so",
        "copy/copies",
        answers(
            lambda one: replace(one, value={"status": "success"}) if one.status == 200 else one,
            "/api/copy",
        ),
    ),
    Liar("500 for no source", "copy/errors", statuses(404, 500, "/api/copy")),
    Liar("204 for a deletion", "delete/deletes", statuses(200, 204, "/api/delete")),
    Liar("deletes nothing", "delete/deletes", Lie(flaw="never_deletes")),
    Liar("deletes all copies", "delete/deletes", Lie(flaw="deletes_all")),
    Liar("200 for nothing to delete", "delete/errors", accepts("/api/delete", lambda one: True)),
    Liar(
        "EOF for an empty body", "manage/empty-bodies", error_text("EOF", "/api/show", status=400)
    ),
]


def _lost(heard: Heard) -> Heard:
    """The template that a model is created with does not arrive."""
    if heard.path != "/api/create":
        return heard
    return heard.saying({key: one for key, one in heard.fields.items() if key != "template"})


def _creates(*names: str) -> Lie:
    """These fields of a create are not read."""
    return hears(
        lambda fields: {key: one for key, one in fields.items() if key not in names}, "/api/create"
    )


CREATE = [
    Liar(
        "knows no GGUF",
        "create/from-gguf",
        refuses("/api/create", lambda one: "scripted.gguf" in (one.get("files") or {})),
    ),
    Liar("creates, lists not", "create/from-gguf", Lie(flaw="hides_new")),
    Liar(
        "knows no safetensors",
        "create/from-safetensors",
        refuses("/api/create", lambda one: "model.safetensors" in (one.get("files") or {})),
    ),
    Liar("no success at the end", "create/stream", streams(lambda all: all[:-1], "/api/create")),
    Liar(
        "progress without status",
        "create/stream",
        streams(lambda all: [{"progress": 5}, *all], "/api/create"),
    ),
    Liar("success twice", "create/stream", streams(lambda all: [*all, all[-1]], "/api/create")),
    Liar(
        "always streams creations",
        "create/no-stream",
        hears(lambda one: {**one, "stream": True}, "/api/create"),
    ),
    Liar("ok where it is success", "create/no-stream", values(shows(status="ok"), "/api/create")),
    Liar("forgets the system text", "create/system", _creates("system")),
    Liar(
        "the model's system text wins",
        "create/system",
        messages(lambda all: [one for one in all if one.get("role") != "system"]),
    ),
    Liar("forgets parameters", "create/parameters", _creates("parameters")),
    Liar("adds stop strings up", "create/parameters", forgets_option("stop")),
    Liar("forgets the template", "create/template", Lie(hear=_lost)),
    Liar(
        "derives without the system text",
        "create/from-model",
        hears(
            lambda one: (
                {key: found for key, found in one.items() if key != "system"}
                if "from" in one
                else one
            ),
            "/api/create",
        ),
    ),
    Liar("keeps the first", "create/replaces", Lie(flaw="never_replaces")),
    Liar("a failure destroys", "create/replaces", Lie(flaw="failures_destroy")),
    Liar(
        "any path will do",
        "create/refuses-bad-requests",
        hears(
            lambda one: (
                {**one, "files": dict.fromkeys(("x.gguf",), next(iter(one["files"].values())))}
                if one.get("files")
                else one
            ),
            "/api/create",
        ),
    ),
    Liar("failures leave a model", "create/refuses-bad-requests", Lie(flaw="failures_stay")),
    Liar("any bytes are weights", "create/refuses-bad-weights", Lie(flaw="weights_unchecked")),
    Liar(
        "failures say success",
        "create/refuses-bad-weights",
        streams(lambda all: [*all[:-1], {"status": "success"}], "/api/create"),
    ),
    Liar(
        "200 for a new blob",
        "blobs/uploaded",
        with_answers(lambda heard, one: replace(one, status=200) if one.status == 201 else one),
    ),
    Liar(
        "has every blob",
        "blobs/uploaded",
        with_answers(lambda heard, one: Answer(200) if heard.method == "HEAD" else one),
    ),
    Liar("checks no digest", "blobs/digest-checked", Lie(flaw="hash_unchecked")),
    Liar(
        "no chunks for blobs",
        "blobs/chunked",
        with_answers(
            lambda heard, one: (
                Answer(411, value={"error": "length required"})
                if heard.path.startswith("/api/blobs") and "transfer-encoding" in heard.headers
                else one
            )
        ),
    ),
    Liar(
        "gives blobs away",
        "blobs/not-readable",
        with_answers(
            lambda heard, one: (
                Answer(200, value="secret")
                if heard.path.startswith("/api/blobs") and heard.method == "GET"
                else one
            )
        ),
    ),
]

"""Servers that one client breaks on: each check of a client has its own."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

from ..honest import Answer, Heard, Lie
from ..lies import (
    CHAT,
    GENERATE,
    TALK,
    answers,
    calls,
    each,
    entries,
    error_text,
    errors,
    finals,
    forgets,
    hears,
    logprobs,
    refuses,
    shows,
    streams,
    values,
    with_answers,
    within,
)
from ..shelf import json_text
from .liar import Liar

Fields = dict[str, Any]
TAGS, PS, SHOW, EMBED = "/api/tags", "/api/ps", "/api/show", "/api/embed"


def _lines(change: Callable[[Fields], Any]) -> Lie:
    """Records of pulls and of creating, as they are sent."""

    def line(record: Fields) -> bytes:
        told = dict(record)
        returned = change(told) if "status" in record else None
        return json_text(told if returned is None else returned) + b"\n"

    return Lie(line=line)


def _running(records: list[Fields]) -> None:
    """Counts in every record, as they grow."""
    for number, record in enumerate(records[:-1], 1):
        record |= {"eval_count": number, "prompt_eval_count": 10}


def _last_without(key: str, *paths: str) -> Lie:
    """The last record of a stream lacks a key."""
    return streams(lambda records: [*records[:-1], _less(records[-1], key)], *paths)


def _less(fields: Fields, *keys: str) -> Fields:
    return {key: value for key, value in fields.items() if key not in keys}


def _done_twice(records: list[Fields]) -> list[Fields]:
    return [*records[:-1], {**records[-2], "done": True}, records[-1]]


def _alternating(fields: Fields) -> bool:
    """Whether two messages of one role follow each other, as some templates refuse."""
    roles = [one.get("role") for one in fields.get("messages") or ()]
    return any(one == other for one, other in pairwise(roles))


def _empty_content(fields: Fields) -> bool:
    return any(one.get("content") == "" for one in fields.get("messages") or ())


def _no_content(fields: Fields) -> bool:
    return any("content" not in one for one in fields.get("messages") or ())


def _nameless_result(fields: Fields) -> bool:
    turns = fields.get("messages") or ()
    return any(one.get("role") == "tool" and "tool_call_id" not in one for one in turns)


def _loads_first(heard: Heard, answer: Answer) -> Answer:
    """An empty list of tools is taken for an empty request."""
    if heard.path != "/api/chat" or heard.fields.get("tools") != [] or not answer.records:
        return answer
    final = {"message": {"role": "assistant", "content": ""}, "done_reason": "load"}
    return replace(answer, records=[{**answer.records[-1], **final}])


def _tagged(record: Fields) -> None:
    """Thoughts inside the content."""
    message = record.get("message", {})
    thought = message.pop("thinking", None)
    if thought is not None:
        message["content"] = f"<think>{thought}</think>{message['content']}"


def _all_at_the_end(records: list[Fields]) -> None:
    """Log probabilities in the last record only."""
    gathered = [entry for record in records for entry in record.pop("logprobs", ())]
    if gathered:
        records[-1]["logprobs"] = gathered


def _preflight(change: Callable[[dict[str, str]], Any]) -> Lie:
    """Other headers in answer to a preflight."""

    def say(heard: Heard, answer: Answer) -> Answer:
        if heard.method != "OPTIONS":
            return answer
        kept = dict(answer.headers)
        change(kept)
        return replace(answer, headers=tuple(kept.items()))

    return with_answers(say)


def _closed_to_pages(heard: Heard, answer: Answer) -> Answer:
    """Leave is given, and then the answer cannot be read."""
    if heard.method == "OPTIONS":
        return answer
    kept = tuple(one for one in answer.headers if not one[0].startswith("Access-Control"))
    return replace(answer, headers=kept)


def _window(value: object) -> Callable[[Fields], None]:
    def change(shown: Fields) -> None:
        known = shown["model_info"]
        shown["model_info"] = {"general.context_length_hint": value, **known}

    return change


def _unsuffixed(shown: Fields) -> None:
    shown["template"] = shown["template"].replace("{{ .Suffix }}", "")


def _untagged(value: Fields) -> None:
    for entry in value["models"]:
        entry["name"] = entry["name"].partition("/")[2].removesuffix(":latest")


def _flat(value: Fields) -> None:
    value["embeddings"] = [number for vector in value["embeddings"] for number in vector]


def _refuses_form(key: str, *values_: object) -> Lie:
    """A value that is as good as others is refused."""

    def say(heard: Heard, answer: Answer) -> Answer:
        if heard.path in TALK and key in heard.fields and heard.fields[key] in values_:
            return Answer(400, value={"error": f"invalid {key}"})
        return answer

    return with_answers(say)


def _refuses_floats(heard: Heard, answer: Answer) -> Answer:
    if isinstance(heard.fields.get("keep_alive"), float):
        return Answer(400, value={"error": "keep_alive must be an integer"})
    return answer


def _never_fails(heard: Heard, answer: Answer) -> Answer:
    """A model that nobody has is pulled with success."""
    if heard.path == "/api/pull" and "nowhere" in str(heard.fields.get("model")):
        return Answer(media_type="application/x-ndjson", records=[{"status": "success"}])
    return answer


def _only_model(heard: Heard, answer: Answer) -> Answer:
    if heard.path == "/api/pull" and "model" not in heard.fields:
        return Answer(400, value={"error": "model is required"})
    return answer


def _no_references(fields: Fields) -> bool:
    return "$ref" in json.dumps(fields.get("format"))


CLIENTS = [
    Liar("durations in fractions", "clients/python-types",
         finals(lambda one: one.__setitem__("eval_duration", 0.5))),
    Liar("created_at in seconds", "clients/python-types", each(shows(created_at=1_700_000_000))),
    Liar("done as a word", "clients/python-types",
         finals(lambda one: one.__setitem__("done", "true"), *GENERATE)),
    Liar("no role beside the content", "clients/python-types",
         each(within("message", shows(role=None)), *CHAT)),
    Liar("modified_at in seconds", "clients/python-types-of-models",
         entries(shows(modified_at=1_700_000_000), TAGS)),
    Liar("modified_at for people", "clients/python-types-of-models",
         entries(shows(modified_at="2 weeks ago"), TAGS)),
    Liar("licenses in a list", "clients/python-types-of-models",
         values(shows(license=["MIT"]), SHOW)),
    Liar("shows no model_info", "clients/python-types-of-models",
         values(lambda one: _less(one, "model_info"), SHOW)),
    Liar("expires_at in seconds", "clients/python-types-of-loaded",
         entries(shows(expires_at=1_700_000_000), PS)),
    Liar("a size for people", "clients/python-types-of-loaded",
         entries(shows(size="1.1 GB"), PS)),
    Liar("vectors in one list", "clients/python-types-of-vectors", values(_flat, EMBED)),
    Liar("numbers of progress as texts", "clients/python-types-of-progress",
         _lines(lambda one: one.__setitem__("total", "100 MB"))),
    Liar("created, and says nothing of it", "clients/python-types-of-progress",
         values(lambda one: {}, "/api/create")),
    Liar("an error with 200", "clients/python-errors",
         errors(lambda one: replace(one, status=200), *TALK)),
    Liar("a list for an error", "clients/python-errors",
         errors(lambda one: replace(one, value=[one.value]), *TALK)),
    Liar("errors as objects with a message", "clients/python-errors",
         errors(lambda one: replace(one, value={"error": {"message": "not found"}}), *TALK)),
    Liar("does not say which model", "clients/python-errors",
         error_text("not found", *TALK, status=404)),
    Liar("wants whole seconds", "clients/python-forms", with_answers(_refuses_floats)),
    Liar("wants a real format", "clients/python-forms", _refuses_form("format", "")),
    Liar("thinks yes or no", "clients/python-forms", _refuses_form("think", "low")),
    Liar("lets no User-Agent through", "clients/javascript-browser",
         _preflight(lambda one: one.__setitem__("Access-Control-Allow-Headers", "Content-Type"))),
    Liar("leave for another page", "clients/javascript-browser",
         _preflight(lambda one: one.__setitem__("Access-Control-Allow-Origin",
                                                "http://localhost"))),
    Liar("closed after the preflight", "clients/javascript-browser",
         with_answers(_closed_to_pages)),
    Liar("an error that is null", "clients/javascript-bodies",
         values(lambda one: one.__setitem__("error", None), SHOW)),
    Liar("shows nothing", "clients/javascript-bodies",
         answers(lambda one: replace(one, value="") if one.status == 200 else one, SHOW)),
    Liar("usage as it goes", "clients/cline-chat", streams(_running, *CHAT)),
    Liar("a last record without a message", "clients/cline-chat",
         _last_without("message", *CHAT)),
    Liar("usage in words", "clients/cline-chat",
         finals(lambda one: one.__setitem__("eval_count", "15"), *CHAT)),
    Liar("turns must alternate", "clients/langchain-js-turns",
         refuses("/api/chat", _alternating)),
    Liar("a result needs the id of its call", "clients/langchain-js-turns",
         refuses("/api/chat", _nameless_result)),
    Liar("no message without words", "clients/langchain-js-pictures",
         refuses("/api/chat", _empty_content)),
    Liar("lists without hosts and tags", "clients/langchain-js-pull", values(_untagged, TAGS)),
    Liar("pulls by model only", "clients/langchain-js-pull", with_answers(_only_model)),
    Liar("done, and done again", "clients/langchain-invoke", streams(_done_twice, *CHAT)),
    Liar("counts to be added up", "clients/langchain-invoke", streams(_running, *CHAT)),
    Liar("no tools is a load", "clients/langchain-invoke", with_answers(_loads_first)),
    Liar("done is 1", "clients/langchain-invoke",
         finals(lambda one: one.__setitem__("done", 1), *CHAT)),
    Liar("the last record has no response", "clients/langchain-generate",
         _last_without("response", *GENERATE)),
    Liar("an empty format is none it knows", "clients/langchain-generate",
         refuses("/api/generate", lambda fields: fields.get("format") == "")),
    Liar("arguments in a text", "clients/langchain-tools",
         calls(lambda one: one["function"].__setitem__(
             "arguments", json.dumps(one["function"]["arguments"])))),
    Liar("no turn without content", "clients/langchain-tools", refuses("/api/chat", _no_content)),
    Liar("thoughts in the text, if not asked", "clients/langchain-reasoning",
         Lie(say=lambda heard, one: one if "think" in heard.fields
             else each(_tagged, *CHAT).say(heard, one))),
    Liar("thinks all the same", "clients/langchain-reasoning",
         hears(lambda fields: _less(fields, "think"), *CHAT)),
    Liar("log probabilities at the end", "clients/langchain-logprobs",
         streams(_all_at_the_end, *CHAT)),
    Liar("log probabilities as texts", "clients/langchain-logprobs",
         logprobs(lambda one: one.__setitem__("logprob", "-0.1"))),
    Liar("no references in schemas", "clients/langchain-structured",
         refuses("/api/chat", _no_references)),
    Liar("does not look at schemas", "clients/langchain-structured", forgets("format")),
    Liar("a context_length in words first", "clients/llamaindex-chat",
         values(_window("long"), SHOW)),
    Liar("no figures where a window is asked for", "clients/llamaindex-chat",
         Lie(say=lambda heard, one: finals(shows(eval_count=None), *CHAT).say(heard, one)
             if "num_ctx" in (heard.fields.get("options") or {}) else one)),
    Liar("hides the suffix of templates", "clients/continue-completes-the-middle",
         values(_unsuffixed, SHOW)),
    Liar("reads no suffix", "clients/continue-completes-the-middle",
         hears(lambda fields: _less(fields, "suffix"), *GENERATE)),
    Liar("completes in `content`", "clients/continue-completes-the-middle",
         each(lambda one: one.__setitem__("content", one.pop("response")), *GENERATE)),
    Liar("calls have a type", "clients/zed-tools",
         calls(lambda one: one.__setitem__("type", "function"))),
    Liar("ids are numbers", "clients/zed-tools", calls(lambda one: one.__setitem__("id", 1))),
    Liar("the assistant in capitals", "clients/zed-tools",
         each(within("message", shows(role="Assistant")), *CHAT)),
    Liar("no model in the records", "clients/litellm-chat",
         streams(lambda records: [_less(one, "model") for one in records], *CHAT)),
    Liar("finishes for a reason of its own", "clients/litellm-chat",
         finals(shows(done_reason="eos"), *CHAT)),
    Liar("no counts in one object", "clients/litellm-chat",
         values(shows(prompt_eval_count=None), *CHAT)),
    Liar("loaded models expire some day", "clients/open-webui-lists",
         entries(shows(expires_at="in 5 minutes"), PS)),
    Liar("lists as text", "clients/open-webui-lists",
         answers(lambda one: replace(one, media_type="text/plain"), TAGS)),
    Liar("another name to show", "clients/open-webui-lists",
         entries(lambda one: one.__setitem__("name", one["name"].title()), TAGS)),
    Liar("a pull in states", "clients/codex-setup",
         _lines(lambda one: one.__setitem__("state", one.pop("status")))),
    Liar("percent for bytes", "clients/codex-setup",
         _lines(lambda one: one.__setitem__("completed", "50%") if "total" in one else None)),
    Liar("pulls what is nowhere", "clients/codex-setup", with_answers(_never_fails)),
]  # fmt: skip

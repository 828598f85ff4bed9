"""Liars who leave single words of a schema aside, and who know words of other servers."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from ..honest import Answer, Heard, Lie
from ..lies import (
    CHAT,
    GENERATE,
    TALK,
    Fields,
    calls,
    finals,
    hears,
    messages,
    options,
    refuses,
    values,
    with_answers,
)
from .liar import Liar

WORDS = ("maxLength", "minLength", "pattern", "const", "enum", "anyOf", "oneOf", "$ref", "maximum",
         "minimum", "maxItems", "minItems", "items", "prefixItems")  # fmt: skip
AS_OPTIONS = (
    ("max_tokens", "num_predict"),
    ("max_completion_tokens", "num_predict"),
    ("n_predict", "num_predict"),
    ("max_length", "num_predict"),
    ("stop_sequences", "stop"),
)
FROM_OPTIONS = ("format", "logprobs", "raw", "system")


def _without(word: str, value: Any) -> Any:  # noqa: ANN401
    """A schema without one of its words; names of properties are none."""
    if isinstance(value, list):
        return [_without(word, one) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        name: {key: _without(word, one) for key, one in inner.items()}
        if name in ("properties", "$defs")
        else _without(word, inner)
        for name, inner in value.items()
        if name != word
    }


def _reads(change: Any) -> Lie:  # noqa: ANN401
    """Schemas are read as others."""

    def changed(fields: Fields) -> None:
        if isinstance(fields.get("format"), dict):
            fields["format"] = change(fields["format"])

    return hears(changed, *TALK)


def _one_type(value: Any) -> Any:  # noqa: ANN401
    """A schema without its lists of types."""
    if isinstance(value, list):
        return [_one_type(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        name: _one_type(one)
        for name, one in value.items()
        if name != "type" or not isinstance(one, list)
    }


def _flat(schema: Any) -> Any:  # noqa: ANN401
    """A schema whose inner objects may be anything."""
    properties = {
        name: {"type": "object"} if one.get("type") == "object" else one
        for name, one in schema.get("properties", {}).items()
    }
    return {**schema, "properties": properties} if properties else schema


def _sorted(value: Any) -> Any:  # noqa: ANN401
    """A schema with its properties in alphabetical order."""
    if not isinstance(value, dict):
        return value
    return {
        name: dict(sorted(one.items())) if name == "properties" else one
        for name, one in value.items()
    }


def _tuples(fields: Fields) -> bool:
    return "prefixItems" in json.dumps(fields.get("format"))


def _in_options(there: str, here: str) -> Lie:
    """An option has a second name."""

    def changed(given: Fields) -> None:
        if there in given:
            given.setdefault(here, given[there])

    return options(changed)


def _at_the_top(there: str, here: str, *paths: str) -> Lie:
    """A field that means nothing is an option."""

    def changed(fields: Fields) -> None:
        if there in fields:
            fields["options"] = {here: fields[there], **(fields.get("options") or {})}

    return hears(changed, *paths)


def _out_of_options(name: str) -> Lie:
    """A field of requests is looked for among the options."""

    def changed(fields: Fields) -> None:
        if name in (given := fields.get("options") or {}):
            fields.setdefault(name, given[name])

    return hears(changed, *TALK)


def _prompted(fields: Fields) -> None:
    if not fields.get("messages") and fields.get("prompt"):
        fields["messages"] = [{"role": "user", "content": fields["prompt"]}]


def _messaged(fields: Fields) -> None:
    if not fields.get("prompt") and fields.get("messages"):
        fields["prompt"] = fields["messages"][-1]["content"]


def _led(fields: Fields) -> None:
    if fields.get("system") and fields.get("messages"):
        fields["messages"] = [{"role": "system", "content": fields["system"]}, *fields["messages"]]


def _bounded(given: Fields) -> None:
    if "num_predict" in given and given["num_predict"] is None:
        given["num_predict"] = 128


def _whole_for_json(heard: Heard) -> Heard:
    """Who accepts JSON gets one object."""
    wanted = heard.headers.get("accept") == "application/json" and heard.path in TALK
    return heard.saying({**heard.fields, "stream": False}) if wanted else heard


def _told_the_schema(heard: Heard, answer: Any) -> Any:  # noqa: ANN401
    """The schema is counted with the prompt."""
    more = len(json.dumps(heard.fields.get("format"))) // 4 if heard.fields.get("format") else 0

    def change(record: Fields) -> None:
        if more and "prompt_eval_count" in record:
            record["prompt_eval_count"] += more

    return finals(change).say(heard, answer)


def _read_again(function: Fields) -> None:
    """Texts among the arguments that look like JSON are read as JSON."""
    for name, one in function["arguments"].items():
        if isinstance(one, str) and one[:1] in "0123456789tfn[{":
            try:
                function["arguments"][name] = json.loads(one)
            except ValueError:
                continue


def _few(fields: Fields) -> None:
    if isinstance(fields.get("tools"), list):
        fields["tools"] = fields["tools"][:8]


def _forgets_beside_context(name: str) -> Lie:
    """A field that is not read beside a context."""

    def changed(fields: Fields) -> None:
        if fields.get("context"):
            fields.pop(name, None)

    return hears(changed, *GENERATE)


def _cut_prompts_end(heard: Heard, answer: Answer) -> Answer:
    """An answer to a conversation that lost turns says that something was too long."""

    def change(record: Fields) -> None:
        window = (heard.fields.get("options") or {}).get("num_ctx")
        if window and len(str(heard.fields.get("messages"))) > 4 * window:
            record["done_reason"] = "length"

    return finals(change, *CHAT).say(heard, answer)


def _users(all: list[Fields]) -> None:
    for one in all:
        if isinstance(one, dict) and one.get("role") not in ("system", "assistant", "tool"):
            one["role"] = "user"


def _silenced(fields: Fields) -> None:
    if fields.get("think") in ("none", "off", "minimal"):
        fields["think"] = False


def _thinks(fields: Fields) -> None:
    if "think" in fields and fields["think"] is None:
        fields["think"] = True


def _patterns(old: str, new: str) -> Lie:
    """A letter that stands for others in stop strings."""

    def changed(given: Fields) -> None:
        if isinstance(given.get("stop"), list):
            given["stop"] = [str(one).replace(old, new) for one in given["stop"]]

    return options(changed)


def _no_arguments(function: Fields) -> None:
    function["arguments"] = function["arguments"] or None


def _textual(fields: Fields) -> None:
    if fields.get("format") == "text":
        del fields["format"]


def _beside(*names: str) -> Lie:
    """What stands beside the options counts where they have none of it."""

    def change(fields: Fields) -> None:
        given = fields.setdefault("options", {})
        for name in names:
            if given.get(name) is None and fields.get(name) is not None:
                given[name] = fields[name]

    return hears(change, *GENERATE)


def _falsy(given: Fields) -> None:
    if given.get("top_p") == 0:
        del given["top_p"]


def _wordy(given: Fields) -> None:
    if isinstance(given.get("stop"), list):
        given["stop"] = [one for one in given["stop"] if str(one).strip()]


def _named(change: Callable[[str], str]) -> Lie:
    return calls(lambda one: one["function"].update(name=change(one["function"]["name"])))


OTHER_WORDS = [
    *(
        Liar(f"{word} alone is left aside", "format/each-word-alone",
             _reads(lambda schema, word=word: _without(word, schema)))
        for word in WORDS
    ),
    Liar("lists of types are left aside", "format/each-word-alone", _reads(_one_type)),
    Liar("inner objects are free", "format/each-word-alone", _reads(_flat)),
    Liar("properties by the alphabet", "format/schema-order", _reads(_sorted)),
    Liar("no tuples", "format/each-word-alone", refuses("/api/generate", _tuples)),
    *(
        Liar(f"{there} among the options", "options/names-of-other-servers",
             _in_options(there, here))
        for there, here in AS_OPTIONS
    ),
    *(
        Liar(f"{name} out of the options", "options/names-of-other-servers",
             _out_of_options(name))
        for name in FROM_OPTIONS
    ),
    Liar("refuses grammars among the options", "options/names-of-other-servers",
         refuses("/api/chat", lambda one: "grammar" in (one.get("options") or {}))),
    *(
        Liar(f"{there} at the top of {path}", "errors/fields-of-elsewhere",
             _at_the_top(there, here, path))
        for there, here in (*AS_OPTIONS, ("num_predict", "num_predict"), ("stop", "stop"))
        for path in TALK
    ),
    Liar("a system text at the top of chat", "errors/fields-of-elsewhere", hears(_led, *CHAT)),
    Liar("refuses response_format", "errors/fields-of-elsewhere",
         refuses("/api/generate", lambda one: "response_format" in one)),
    Liar("refuses tools where nothing is called", "errors/fields-of-elsewhere",
         refuses("/api/generate", lambda one: "tools" in one)),
    Liar("chat answers a prompt", "lifecycle/of-the-other-route", hears(_prompted, *CHAT)),
    Liar("generate answers messages", "lifecycle/of-the-other-route",
         hears(_messaged, *GENERATE)),
    Liar("null bounds at 128", "options/nulls-bound-nothing", options(_bounded)),
    Liar("no stream for those who accept JSON", "core/accept-not-examined",
         Lie(hear=_whole_for_json)),
    Liar("the schema is part of the prompt", "always/same-prompt-same-count",
         with_answers(_told_the_schema), ("format/each-word-alone",)),
    Liar("texts in arguments are read again", "tools/arguments-keep-their-types",
         calls(lambda one: _read_again(one["function"]))),
    Liar("eight tools at the most", "tools/arguments-keep-their-types", hears(_few, *CHAT)),
    *(
        Liar(f"no {name} beside a context", "context/all-is-read-by-generate",
             _forgets_beside_context(name))
        for name in ("system", "template")
    ),
    Liar("log probabilities of one at a time", "concurrency/mixed-crowd",
         Lie(flaw="logprobs_of_one")),
    Liar("length where the prompt was cut", "always/length-is-a-bound",
         with_answers(_cut_prompts_end), ("context/keeps-what-fits",)),
    Liar("any other role is a user", "chat/roles-of-other-servers", messages(_users)),
    Liar("an effort is no thought", "errors/types-of-every-field", hears(_silenced, *TALK)),
    Liar("null thinks", "errors/nulls-ask-nothing", hears(_thinks, *TALK)),
    Liar("a dot is any letter", "options/stop-strings-are-no-patterns", _patterns(".", "h")),
    Liar("a star is anything", "options/stop-strings-are-no-patterns", _patterns("*", "")),
    Liar("no arguments are null", "tools/arguments-keep-their-types",
         calls(lambda one: _no_arguments(one["function"]))),
    Liar("refuses a window of nothing", "context/no-window-is-a-small-one",
         refuses("/api/generate", lambda one: (one.get("options") or {}).get("num_ctx") == 0)),
    Liar("a turn needs a text", "vision/turn-of-a-picture-alone",
         messages(lambda all: [one for one in all if one.get("content")] or all[:1])),
    Liar("text is a format", "format/refused-before-a-stream", hears(_textual, *TALK)),
    Liar("a temperature at the top", "options/only-in-options", _beside("temperature", "top_k")),
    Liar("a seed at the top", "options/only-in-options", _beside("seed")),
    Liar("no nucleus of nothing", "options/nought-is-a-value", options(_falsy)),
    Liar("answers end in letters", "generate/line-feeds",
         values(lambda one: one.update(response=one["response"].rstrip()), "/api/generate")),
    Liar("answers begin with letters", "generate/line-feeds",
         values(lambda one: one.update(response=one["response"].lstrip("\n")), "/api/generate")),
    Liar("line feeds stop nothing", "generate/line-feeds", options(_wordy)),
    Liar("tools in small letters", "tools/arguments-keep-their-types", _named(str.lower)),
    Liar("tools without dots", "tools/arguments-keep-their-types",
         _named(lambda name: name.replace(".", "_"))),
    Liar("tools without dashes", "tools/arguments-keep-their-types",
         _named(lambda name: name.replace("-", "_"))),
]  # fmt: skip

"""Liars that read what they should refuse, refuse what they should read, or read it otherwise."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ..honest import Answer, Heard, Lie
from ..lies import (
    CHAT,
    GENERATE,
    TALK,
    Fields,
    calls,
    each,
    hears,
    messages,
    options,
    refuses,
    with_answers,
)
from .liar import Liar

TRUTHS = {"true": True, "false": False, 1: True, 0: False}


def _lax(name: str) -> Lie:
    """A field is read as pydantic does where nobody forbids it."""

    def changed(fields: Fields) -> None:
        value = fields.get(name)
        if isinstance(value, str | int) and not isinstance(value, bool):
            fields[name] = TRUTHS.get(value, value)

    return hears(changed, *TALK)


def _as_text(*names: str) -> Lie:
    """A number is read as its text."""

    def changed(fields: Fields) -> None:
        for one in (fields, *_dicts(fields.get("messages"))):
            for name in names:
                if type(one.get(name)) in (int, float):
                    one[name] = str(one[name])

    return hears(changed, *TALK)


def _dicts(value: object) -> list[Fields]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _think(change: Callable[[Any], Any]) -> Lie:
    def changed(fields: Fields) -> None:
        if isinstance(fields.get("think"), str):
            fields["think"] = change(fields["think"])

    return hears(changed, *TALK)


def _typed(*names: str, number: type) -> Lie:
    """True counts as one, as it does in Python."""

    def changed(given: Fields) -> None:
        for name in names:
            if isinstance(given.get(name), bool):
                given[name] = number(given[name])

    return options(changed)


def _no_null(path: str, name: str) -> Lie:
    return refuses(path, lambda one: one.get(name, 1) is None)


def _stops(change: Callable[[list[Any]], list[Any]]) -> Lie:
    def changed(given: Fields) -> None:
        if isinstance(given.get("stop"), list):
            given["stop"] = change(given["stop"])

    return options(changed)


def _without(given: Fields, *names: str) -> None:
    for name in names:
        given.pop(name, None)


def _tools(change: Callable[[Fields], Any]) -> Lie:
    """Functions of tools are read otherwise."""

    def changed(fields: Fields) -> None:
        for tool in _dicts(fields.get("tools")):
            if isinstance(tool.get("function"), dict):
                change(tool["function"])

    return hears(changed, *CHAT)


def _true_is_any(function: Fields) -> None:
    given: Any = function.get("parameters")
    found = given.get("properties") if isinstance(given, dict) else None
    if isinstance(found, dict):
        given["properties"] = {name: {} if one is True else one for name, one in found.items()}


def _first_type(function: Fields) -> None:
    given = function.get("parameters")
    if isinstance(given, dict) and isinstance(given.get("type"), list):
        given["type"] = given["type"][0]


def _odd_tools(fields: Fields) -> bool:
    return any("strict" in one for one in _dicts(fields.get("tools")))


def _odd_calls(fields: Fields) -> bool:
    told = [call for one in _dicts(fields.get("messages")) for call in one.get("tool_calls") or ()]
    return any("strict" in call for call in told)


def _no_arguments(fields: Fields) -> bool:
    told = [call for one in _dicts(fields.get("messages")) for call in one.get("tool_calls") or ()]
    return any(call["function"].get("arguments") is None for call in told)


def _no_choice(fields: Fields) -> None:
    if fields.get("tool_choice") == "none":
        fields.pop("tools", None)


def _one_call(heard: Heard, answer: Answer) -> Answer:
    if heard.fields.get("parallel_tool_calls") is not False or not isinstance(answer.value, dict):
        return answer
    value = json.loads(json.dumps(answer.value))
    value["message"]["tool_calls"] = value["message"]["tool_calls"][:1]
    return replace(answer, value=value)


def _of_bodies(text: str, *bodies: bytes) -> Lie:
    """Another error for some bodies."""

    def say(heard: Heard, answer: Answer) -> Answer:
        return Answer(400, value={"error": text}) if heard.body.strip() in bodies else answer

    return with_answers(say)


def _unlocked(heard: Heard, answer: Answer) -> Answer:
    asked = {name.lower() for name in heard.headers}
    locked = heard.path in TALK and "authorization" in asked
    return Answer(401, value={"error": "invalid key"}) if locked else answer


def _shortened(record: Fields) -> None:
    record["model"] = record["model"].removeprefix("registry.ollama.ai/")


def _unshelved(record: Fields) -> None:
    record["model"] = record["model"].removeprefix("library/")


def _not_found(heard: Heard, answer: Answer) -> Answer:
    if heard.path == "/api/chat" and "invalid model name" in str(answer.value):
        return Answer(404, value={"error": "model 'x' not found"})
    return answer


def _reads(change: Callable[[str], str]) -> Lie:
    """Texts of all kinds are read as others."""

    def changed(fields: Fields) -> None:
        for one in (fields, *_dicts(fields.get("messages"))):
            for name in ("prompt", "content", "suffix"):
                if isinstance(one.get(name), str):
                    one[name] = change(one[name])

    return hears(changed, *TALK)


def _rewritten(found: list[Fields]) -> None:
    for one in found:
        try:
            one["content"] = json.dumps(json.loads(one["content"]), separators=(",", ":"))
        except (ValueError, KeyError):
            continue


def _last_thought(found: list[Fields]) -> None:
    for one in [one for one in found if one.get("thinking")][:-1]:
        one.pop("thinking")


def _escaped(found: list[Fields]) -> None:
    for one in found:
        for call in one.get("tool_calls") or ():
            call["function"]["arguments"] = {
                name: value.encode("ascii", "backslashreplace").decode()
                if isinstance(value, str)
                else value
                for name, value in (call["function"].get("arguments") or {}).items()
            }


def _no_nulls(call: Fields) -> None:
    given = call["function"]["arguments"]
    call["function"]["arguments"] = {k: one for k, one in given.items() if one is not None}


def _renamed(function: Fields) -> None:
    function["name"] = function["name"].replace("-", "_").replace(".", "_")


def _added_system(fields: Fields) -> None:
    if "parrot" in str(fields.get("model")) and fields.get("system"):
        fields["system"] = "You are a parrot. " + fields["system"]


def _uncounted(heard: Heard, answer: Answer) -> Answer:
    value = answer.value
    if not isinstance(value, dict) or not heard.fields.get("suffix") or answer.status != 200:
        return answer
    return replace(answer, value={**value, "prompt_eval_count": value["prompt_eval_count"] - 1})


def _own_template(fields: Fields) -> None:
    if fields.get("template"):
        fields.pop("system", None)


def _null_is_false(name: str) -> Lie:
    def changed(fields: Fields) -> None:
        if name in fields and fields[name] is None:
            fields[name] = False

    return hears(changed, *TALK)


EVERY_FIELD, OPTION = "errors/types-of-every-field", "options/types-of-every-option"
LOADING = "options/types-of-loading"
NULLS, ODD = "errors/nulls-everywhere", "errors/unknown-fields-everywhere"
NOTHING, NAMED = "errors/bodies-of-nothing", "names/echoed-on-both-routes"
TEXTS, PROMPTS = "chat/texts-are-not-touched", "generate/texts-are-not-touched"
LENIENT = [
    *(Liar(f"{one} as a text", EVERY_FIELD, _lax(one))
      for one in ("stream", "truncate", "shift", "logprobs", "raw")),
    *(Liar(f"{one} of a number", EVERY_FIELD, _as_text(one))
      for one in ("prompt", "suffix", "system", "content", "model", "tool_name")),
    Liar("think true as a text", EVERY_FIELD, _think(lambda one: TRUTHS.get(one, one))),
    Liar("levels of any case", EVERY_FIELD, _think(str.lower)),
    Liar("any level", EVERY_FIELD, _think(lambda _: "low")),
    Liar("a property that is true", EVERY_FIELD, _tools(_true_is_any)),
    Liar("parameters of several types", EVERY_FIELD, _tools(_first_type)),
    Liar("true is an integer", OPTION,
         _typed("top_k", "seed", "num_predict", "num_keep", number=int)),
    Liar("true is a number", OPTION,
         _typed("temperature", "top_p", "min_p", "repeat_penalty", number=float)),
    Liar("nulls in stop", OPTION,
         _stops(lambda one: [text for text in one if text is not None])),
    Liar("numbers in stop", OPTION,
         _stops(lambda one: [str(text) for text in one if text is not None])),
    Liar("num_gpu of any type", LOADING,
         options(lambda one: _without(one, "num_gpu", "num_batch", "num_thread"))),
    Liar("use_mmap of any type", LOADING,
         options(lambda one: _without(one, "use_mmap"))),
    Liar("tools without strict", ODD, refuses("/api/chat", _odd_tools)),
    Liar("calls without strict", ODD, refuses("/api/chat", _odd_calls)),
    Liar("tool_choice none", ODD, hears(_no_choice, *CHAT)),
    Liar("one call at a time", ODD, with_answers(_one_call)),
    Liar("null is no think", NULLS, _null_is_false("think")),
    *(Liar(f"null {name} for {path}", NULLS, _no_null(path, name))
      for name in ("options", "keep_alive", "logprobs", "stream") for path in TALK),
    Liar("null tools", NULLS, refuses("/api/chat", lambda one: one.get("tools", 1) is None)),
    Liar("null context", NULLS,
         refuses("/api/generate", lambda one: one.get("context", 1) is None)),
    Liar("calls with arguments", NULLS, refuses("/api/chat", _no_arguments)),
    Liar("blanks are no JSON", NOTHING, _of_bodies("unexpected EOF", b"")),
    Liar("null is missing", NOTHING, _of_bodies("missing request body", b"null")),
    Liar("{} is missing", NOTHING, _of_bodies("missing request body", b"{}")),
    Liar("asks for a key where it talks", NAMED, with_answers(_unlocked)),
    Liar("names without host", NAMED, each(_shortened, *TALK)),
    Liar("names without library", NAMED, each(_unshelved, *TALK)),
    Liar("bad names are not found", NAMED, with_answers(_not_found)),
    *(Liar(f"{name} by {check}", check, _reads(change))
      for check in (TEXTS, PROMPTS)
      for name, change in (
          ("no tabs", lambda one: one.replace("\t", "    ")),
          ("few empty lines", lambda one: one.replace("\n\n\n", "\n\n")),
          ("texts of C", lambda one: one.split("\0")[0]),
          ("no marks of templates", lambda one: one.replace("{{ .Content }}", "")),
          ("HTML", lambda one: one.replace("&amp;", "&")),
          ("no letters of no width", lambda one: one.replace("\u200b", "")),
          ("trimmed", str.strip),
      )),
    Liar("JSON anew", TEXTS, messages(_rewritten)),
    Liar("suffixes are trimmed", PROMPTS,
         hears(lambda one: one.update(suffix=(one.get("suffix") or "").strip()), *GENERATE)),
    Liar("suffixes are not counted", PROMPTS, with_answers(_uncounted)),
    Liar("own templates have no system", PROMPTS, hears(_own_template, *GENERATE)),
    Liar("one thought", "chat/earlier-turns-are-whole", messages(_last_thought)),
    Liar("escaped arguments", "chat/earlier-turns-are-whole", messages(_escaped)),
    Liar("no nulls among arguments", "tools/arguments-keep-their-types", calls(_no_nulls)),
    Liar("clean names", "tools/told-as-defined", _tools(_renamed)),
    Liar("no $defs", "tools/told-as-defined",
         _tools(lambda one: one.get("parameters", {}).pop("$defs", None))),
    Liar("a system beside its own", "generate/system-replaces-the-own",
         hears(_added_system, *GENERATE)),
]  # fmt: skip

"""Liars as there are some in the wild: found in reports about servers, and in their sources."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ..honest import Answer, Heard, Lie
from ..lies import (
    CHAT,
    GENERATE,
    TALK,
    Fields,
    each,
    hears,
    messages,
    refuses,
    streams,
    values,
    with_answers,
)
from .liar import Liar

LARGE = 100_000  # bytes: what Express takes by default
CUT_THOUGHTS = "thinking/cut-short-in-every-way"
FOREIGN = "routes/fields-of-others-are-ignored"
IN_FORCE = "create/is-in-force-on-both-routes"


def _null(name: str, path: str) -> Lie:
    """A field that may not be null."""
    return refuses(path, lambda fields: name in fields and fields[name] is None)


def _stopped_beside(fields: Fields) -> None:
    """`stop` is read where OpenAI has it."""
    if "stop" in fields and isinstance(fields.get("options"), dict):
        fields["options"].setdefault("stop", fields["stop"])


def _conversed(fields: Fields) -> None:
    """Without a prompt the last message is one."""
    if fields.get("prompt") == "" and fields.get("messages"):
        fields["prompt"] = fields["messages"][-1]["content"]


def _system(fields: Fields, text: str) -> Fields:
    """The request as if it had brought a system text of its own."""
    if "messages" not in fields:
        return {**fields, "system": text}
    return {**fields, "messages": [{"role": "system", "content": text}, *fields["messages"]]}


def _first_made(heard: Heard, known: dict[str, str]) -> Heard:
    """Models keep the system text with which they were made first."""
    fields = heard.fields
    name = str(fields.get("model"))
    if heard.path == "/api/create":
        known.setdefault(name, fields.get("system") or "")
    elif heard.path in CHAT and name in known:
        return heard.saying(_system(fields, known[name]))
    return heard


def _copied_over(heard: Heard, known: dict[str, str]) -> Heard:
    """What a copy covers goes on without the copy's system text."""
    fields = heard.fields
    if heard.path == "/api/copy":
        known[str(fields.get("destination"))] = ""
    elif heard.path in CHAT and str(fields.get("model")) in known:
        return heard.saying(_system(fields, ""))
    return heard


def _remembering(hear: Any) -> Lie:  # noqa: ANN401
    known: dict[str, str] = {}
    return Lie(hear=lambda heard: hear(heard, known))


def _unbounded(fields: Fields) -> None:
    """A model's own bound of its answers is not kept."""
    options = fields.setdefault("options", {})
    if isinstance(options, dict):
        options.setdefault("num_predict", -1)


def _too_large(heard: Heard, answer: Answer) -> Answer:
    if len(heard.body) > LARGE and not heard.path.startswith("/api/blobs"):
        return Answer(413, value={"error": "request entity too large"})
    return answer


def _null_of_nothing(heard: Heard, answer: Answer) -> Answer:
    """An empty list of models is null."""
    empty = heard.path == "/api/tags" and json.dumps(answer.value) == '{"models": []}'
    return replace(answer, value={"models": None}) if empty else answer


def _any_prefix(heard: Heard) -> Heard:
    """A route is what a path ends in."""
    before, found, after = heard.path.partition("/api/")
    return replace(heard, path=f"/api/{after}") if before and found else heard


def _told_again(records: list[Fields]) -> None:
    """The record with the calls has all of the thought once more."""
    thought = "".join(one["message"].get("thinking", "") for one in records)
    for one in records:
        if one["message"].get("tool_calls") and thought:
            one["message"]["thinking"] = thought


def _endless_thoughts(records: list[Fields]) -> list[Fields]:
    """A stream that is cut in a thought has no end."""
    said = any(one.get("message", one).get("content", one.get("response")) for one in records)
    cut = records[-1].get("done_reason") == "length"
    return records[:-1] if cut and not said else records


def _stop_in_thoughts(record: Fields) -> None:
    """What is cut in a thought of generate says stop."""
    if record.get("done_reason") == "length" and not record["response"]:
        record["done_reason"] = "stop"


def _some_other(change: Any) -> Lie:  # noqa: ANN401
    """Of names only a part is read."""

    def read(fields: Fields) -> Fields:
        keys = [key for key in ("model", "source") if "only-this" in str(fields.get(key))]
        return {**fields, **{key: change(fields[key]) for key in keys}}

    return hears(read)


def _in_one_space(name: str) -> str:
    return name.replace("-other/", "/")


def _of_one_host(name: str) -> str:
    return name.removeprefix("other.example/")


def _named(fields: Fields) -> Fields:
    """`name` counts before `model`."""
    return {**fields, "model": fields.get("name") or fields.get("model")}


def _prompted(fields: Fields) -> Fields:
    """A prompt beside the messages is one more of them."""
    if not isinstance(fields.get("prompt"), str):
        return fields
    return {**fields, "messages": [*fields["messages"], {"role": "user", "content": "Count."}]}


def _beside(fields: Fields) -> bool:
    return not isinstance(fields.get("images") or [], list)


def _written_anew(record: Fields) -> None:
    """An answer that is JSON comes as another one writes it."""
    place, name = (record["message"], "content") if "message" in record else (record, "response")
    if place[name].startswith("{"):
        place[name] = json.dumps(json.loads(place[name]), indent=1)


def _one_line(role: str) -> Lie:
    """What one speaks twice stands in two lines, without a blank one."""

    def change(found: list[Fields]) -> list[Fields]:
        made: list[Fields] = []
        for one in found:
            if made and one.get("role") == made[-1].get("role") == role:
                made[-1] = {**one, "content": f"{made[-1]['content']}\n{one['content']}"}
            else:
                made.append(one)
        return made

    return messages(change)


def _of_role(role: str, change: Callable[[str], str]) -> Lie:
    """Texts of one role are read as others."""

    def changed(found: list[Fields]) -> None:
        for one in found:
            if one.get("role") == role and isinstance(one.get("content"), str):
                one["content"] = change(one["content"])

    return messages(changed)


def _anew(text: str) -> str:
    return json.dumps(json.loads(text)) if text.startswith("{") else text


NULL_WHERE_EMPTY = with_answers(_null_of_nothing)

REPORTED = [
    *(
        Liar(f"no null {name} in {path}", "manage/nulls-are-absent", _null(name, path))
        for name, path in (
            ("parameters", "/api/create"),
            ("messages", "/api/create"),
            ("options", "/api/show"),
            ("verbose", "/api/show"),
        )
    ),
    Liar("systems stay as they were made first", IN_FORCE, _remembering(_first_made)),
    Liar("covered models go on", IN_FORCE, _remembering(_copied_over)),
    Liar("no bounds of models", IN_FORCE, hears(_unbounded, *TALK)),
    Liar("no more than 100 kB", "http/bodies-as-pictures-make-them", with_answers(_too_large)),
    Liar(
        "works for those who wanted all at once",
        "stream/hang-up-stops-the-work",
        Lie(flaw="outlives_unstreamed"),
    ),
    Liar("any prefix will do", "core/unknown-route-is-404", Lie(hear=_any_prefix)),
    Liar("stop stands beside the options", FOREIGN, hears(_stopped_beside, *TALK)),
    Liar("generate takes messages", FOREIGN, hears(_conversed, "/api/generate")),
    Liar("takes name for the model", FOREIGN, hears(_named, *TALK)),
    Liar("chat has a prompt", FOREIGN, hears(_prompted, *CHAT)),
    Liar("chat looks at images beside messages", FOREIGN, refuses("/api/chat", _beside)),
    Liar("generate has tools", FOREIGN, refuses("/api/generate", lambda one: "tools" in one)),
    Liar("writes JSON anew", "format/same-letters-streamed", values(_written_anew, *TALK)),
]
LETTERS = "chat/every-role-to-the-letter"
WILD = [
    *(
        Liar(f"{role} texts {name}", LETTERS, _of_role(role, change))
        for role in ("system", "assistant", "tool")
        for name, change in (
            ("in NFC", lambda text: unicodedata.normalize("NFC", text)),
            ("of 1000 letters", lambda text: text[:1000]),
            ("without thoughts", lambda text: re.sub(r"<think>.*</think>", "", text)),
            ("with JSON written anew", _anew),
        )
    ),
    Liar("systems without a blank line", "templates/neighbours-merged", _one_line("system")),
    Liar("answers without a blank line", "templates/neighbours-merged", _one_line("assistant")),
    Liar("namespaces do not count", "names/spaces-and-hosts-count", _some_other(_in_one_space)),
    Liar("hosts do not count", "names/spaces-and-hosts-count", _some_other(_of_one_host)),
    *(
        Liar(f"makes up {key}", "show/nothing-made-up", values(made_up, "/api/show"))
        for key, made_up in (
            ("license", lambda one: {**one, "license": one.get("license") or "Unknown"}),
            ("a system text", lambda one: {**one, "system": one["system"] or "Be helpful."}),
            ("a line", lambda one: {**one, "modelfile": one["modelfile"] + "\nLICENSE MIT"}),
        )
    ),
    Liar("thinks twice before calls", "tools/after-thinking", streams(_told_again, *CHAT)),
    Liar("cut thoughts do not end", CUT_THOUGHTS, streams(_endless_thoughts, *TALK)),
    Liar("cut thoughts stop", CUT_THOUGHTS, each(_stop_in_thoughts, *GENERATE)),
]

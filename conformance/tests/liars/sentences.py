"""Liars that had got away: texts that are changed on their way, calls, schemas and what is late."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable
from typing import Any

from ..honest import Heard, Lie
from ..lies import (
    CHAT,
    GENERATE,
    TALK,
    Fields,
    calls,
    hears,
    logprobs,
    messages,
    streams,
    with_answers,
)
from .answers import unstreamed
from .liar import Liar


def _reads(change: Callable[[str], str]) -> Lie:
    """Texts are read as others."""

    def changed(fields: Fields) -> None:
        for one in (fields, *(fields.get("messages") or ())):
            for name in ("prompt", "content"):
                if isinstance(one, dict) and isinstance(one.get(name), str):
                    one[name] = change(one[name])

    return hears(changed, *TALK)


def _says(change: Callable[[str], str]) -> Lie:
    """Texts of streams are others; what is not streamed is right."""

    def changed(records: list[Fields]) -> None:
        for record in records:
            place = record.get("message", record)
            name = "content" if "message" in record else "response"
            place[name] = change(place[name])

    return streams(changed, *TALK)


def _first_trimmed(records: list[Fields]) -> None:
    place = records[0].get("message", records[0])
    name = "content" if "message" in records[0] else "response"
    place[name] = place[name].lstrip()


def _pictures_of_users(found: list[Fields]) -> None:
    for one in found:
        if one.get("role") != "user":
            one.pop("images", None)


def _any_system(found: list[Fields]) -> list[Fields]:
    """The model's own system text is not used where any message is a system's."""
    systems = [one for one in found if one.get("role") == "system"]
    return [{"role": "system", "content": ""}, *found] if systems else found


def _systems_first(found: list[Fields]) -> list[Fields]:
    return sorted(found, key=lambda one: one.get("role") != "system")


def _one_call(found: list[Fields]) -> None:
    for one in found:
        if one.get("tool_calls"):
            one["tool_calls"] = one["tool_calls"][:1]


def _texts_of_numbers(found: list[Fields]) -> None:
    for one in found:
        for call in one.get("tool_calls") or ():
            given = call["function"].get("arguments") or {}
            call["function"]["arguments"] = {
                name: str(value) if type(value) in (int, float) else value
                for name, value in given.items()
            }


def _argument(change: Callable[[Any], Any]) -> Lie:
    """Arguments of calls come back as others."""

    def changed(call: Fields) -> None:
        given = call["function"]["arguments"]
        call["function"]["arguments"] = {name: change(value) for name, value in given.items()}

    return calls(changed)


def _undefined(name: str) -> Lie:
    """A keyword of parameters of tools that is lost on the way."""

    def without(value: Any) -> Any:  # noqa: ANN401
        if isinstance(value, list):
            return [without(one) for one in value]
        if not isinstance(value, dict):
            return value
        return {key: without(one) for key, one in value.items() if key != name}

    def changed(fields: Fields) -> None:
        for tool in fields.get("tools") or ():
            given = tool["function"]["parameters"]
            if name == "properties":
                for one in given.get("properties", {}).values():
                    one.pop(name, None)
            else:
                tool["function"]["parameters"] = without(given)

    return hears(changed, *CHAT)


def _formless(name: str) -> Lie:
    """A keyword of schemas that is passed over, where it stands at the top."""

    def changed(fields: Fields) -> None:
        found = fields.get("format")
        if isinstance(found, dict) and name in found:
            rest = {key: one for key, one in found.items() if key != name}
            fields["format"] = rest if rest.get("type") or rest.get("anyOf") else {}

    return hears(changed, *TALK)


def _forgets_first_turn(heard: Heard, answer: Any) -> Any:  # noqa: ANN401
    """The `context` of a second turn is that turn's alone."""
    given = heard.fields.get("context") or []
    for one in (answer.value, *(answer.records or ())):
        if isinstance(one, dict) and one.get("context") and given:
            one["context"] = one["context"][len(given) :]
    return answer


def _short_context(records: list[Fields]) -> None:
    """The `context` of a stream has the prompt only."""
    last = records[-1]
    if last.get("context"):
        last["context"] = last["context"][: last["prompt_eval_count"]]


def _gathered(records: list[Fields]) -> list[Fields]:
    """Thinking is kept back until it is over."""
    made: list[Fields] = []
    for record in records:
        place = record.get("message", record)
        before = made[-1].get("message", made[-1]) if made else {}
        if place.get("thinking") and before.get("thinking"):
            before["thinking"] += place["thinking"]
        else:
            made.append(record)
    return made


def _no_entries_of_thinking(records: list[Fields]) -> None:
    for record in records:
        if record.get("message", record).get("thinking"):
            record.pop("logprobs", None)


def _other_value(entry: Fields) -> None:
    entry["logprob"] -= 0.5


def _late_half(lines: list[bytes]) -> list[bytes]:
    """The records after the first dozen are sent with the last one."""
    return [*lines[:12], b"".join(lines[12:])]


TEXTS = [
    Liar("pictures of users alone", "vision/any-role", messages(_pictures_of_users)),
    Liar("eight turns", "chat/every-turn-is-read", messages(lambda found: found[-8:])),
    Liar(
        "texts of 2000 characters",
        "generate/long-prompts-are-read",
        _reads(lambda text: text[:2000]),
    ),
    *(
        Liar(f"reads {name}", "chat/text-is-read-as-it-is", _reads(change))
        for name, change in (
            ("NFC", lambda text: unicodedata.normalize("NFC", text)),
            ("NFKC", lambda text: unicodedata.normalize("NFKC", text)),
            ("LF for CR LF", lambda text: text.replace("\r\n", "\n")),
            ("no blanks in front", lambda text: text.lstrip() or text),
            ("no blanks at the end", lambda text: text.rstrip() or text),
            ("single blanks", lambda text: text.replace("  ", " ")),
            ("no joiners", lambda text: text.replace("\u200d", "")),
            ("no control characters", lambda text: text.replace("\x01", "")),
            (
                "markup as text",
                lambda text: text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"),
            ),
        )
    ),
    Liar("any system is the first", "chat/later-system-beside-its-own", messages(_any_system)),
    Liar("systems first", "chat/system-in-its-place", messages(_systems_first)),
    Liar(
        "no blank in front of a stream", "chat/blanks-are-delivered", streams(_first_trimmed, *TALK)
    ),
    Liar(
        "CR LF in streams",
        "chat/blanks-are-delivered",
        _says(lambda text: text.replace("\n", "\r\n")),
    ),
    Liar("one call of a turn", "chat/every-call-of-a-turn-is-read", messages(_one_call)),
    Liar(
        "numbers in calls are texts",
        "chat/every-call-of-a-turn-is-read",
        messages(_texts_of_numbers),
    ),
    Liar("a context of one turn", "context/grows", with_answers(_forgets_first_turn)),
    Liar("a context of the prompt in streams", "context/grows", streams(_short_context, *GENERATE)),
]
FORMS = [
    *(
        Liar(f"tools without {name}", "tools/definitions-are-whole", _undefined(name))
        for name in ("description", "enum", "items", "anyOf", "properties", "required")
    ),
    *(
        Liar(f"schemas without {name}", "format/keywords", _formless(name))
        for name in (
            "const",
            "enum",
            "pattern",
            "minimum",
            "minLength",
            "format",
            "minItems",
            "anyOf",
        )
    ),
    Liar(
        "numbers of calls come back as texts",
        "tools/arguments-keep-their-types",
        _argument(lambda one: str(one) if type(one) in (int, float) else one),
    ),
    Liar(
        "numbers of calls come back as floats",
        "tools/arguments-keep-their-types",
        _argument(lambda one: float(one) if type(one) is int else one),
    ),
    Liar(
        "calls in ASCII",
        "tools/arguments-keep-their-types",
        _argument(
            lambda one: one.encode("ascii", "replace").decode() if isinstance(one, str) else one
        ),
    ),
    Liar(
        "arguments as texts in JSON",
        "tools/arguments-keep-their-types",
        _argument(lambda one: json.dumps(one) if isinstance(one, bool) else one),
    ),
    Liar("tools unsupported but streamed", "tools/unsupported", unstreamed("tools", *CHAT)),
    Liar(
        "thinking unsupported but streamed",
        "thinking/unsupported",
        unstreamed("think", *TALK),
    ),
    Liar("thinking in one record", "thinking/as-it-comes", streams(_gathered, *TALK)),
    Liar(
        "no entries of thinking in streams",
        "logprobs/of-thinking",
        streams(_no_entries_of_thinking, *TALK),
    ),
    Liar(
        "an empty list of alternatives",
        "logprobs/only-when-asked",
        logprobs(lambda entry: entry.setdefault("top_logprobs", []) and None),
    ),
    Liar("values of other entries", "logprobs/shape", logprobs(_other_value)),
    Liar("late from the middle on", "stream/arrives-as-made", Lie(gather=_late_half)),
]
SENTENCES = [*TEXTS, *FORMS]

"""The ways of lying that `liars` is written with: small changes of a request or an answer."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ..evidence import Json
from .honest import Answer, Heard, Lie, Say

Fields = dict[str, Any]
CHAT, GENERATE, TALK = ("/api/chat",), ("/api/generate",), ("/api/chat", "/api/generate")


def answers(change: Callable[[Answer], Answer], *paths: str, method: str = "") -> Lie:
    """Every answer of these paths (all, if none is named) is another one."""

    def say(heard: Heard, answer: Answer) -> Answer:
        if (paths and heard.path not in paths) or (method and heard.method != method):
            return answer
        return change(answer)

    return Lie(say=say)


def with_answers(say: Say) -> Lie:
    """An answer that depends on the request."""
    return Lie(say=say)


def errors(change: Callable[[Answer], Answer], *paths: str, status: int = 0) -> Lie:
    """Every error, or those of one status, is another one."""

    def changed(answer: Answer) -> Answer:
        wrong = answer.status >= 400 and (not status or answer.status == status)
        return change(answer) if wrong else answer

    return answers(changed, *paths)


def statuses(status: int, new: int, *paths: str) -> Lie:
    """One status in the place of another."""
    return answers(lambda one: replace(one, status=new) if one.status == status else one, *paths)


def error_text(text: str, *paths: str, status: int = 0) -> Lie:
    """Errors say something else."""
    return errors(lambda one: replace(one, value={"error": text}), *paths, status=status)


def values(change: Callable[[Fields], Any], *paths: str) -> Lie:
    """The JSON value of every success is another one; `change` may change it in place."""

    def changed(answer: Answer) -> Answer:
        if answer.status != 200 or not isinstance(answer.value, dict):
            return answer
        value = copy.deepcopy(answer.value)
        returned = change(value)
        return replace(answer, value=value if returned is None else returned)

    return answers(changed, *paths)


def streams(change: Callable[[list[Fields]], Any], *paths: str) -> Lie:
    """The records of every stream are others."""

    def changed(answer: Answer) -> Answer:
        if answer.records is None:
            return answer
        records = copy.deepcopy(answer.records)
        returned = change(records)
        return replace(answer, records=records if returned is None else returned)

    return answers(changed, *paths)


def each(change: Callable[[Fields], Any], *paths: str) -> Lie:
    """Every record of a stream, and every object that is not streamed."""

    def whole(records: list[Fields]) -> None:
        for record in records:
            change(record)

    streamed, single = streams(whole, *(paths or TALK)), values(change, *(paths or TALK))
    return Lie(say=lambda heard, one: single.say(heard, streamed.say(heard, one)))


def finals(change: Callable[[Fields], Any], *paths: str) -> Lie:
    """The record that ends an answer."""

    def one(record: Fields) -> None:
        if record.get("done"):
            change(record)

    return each(one, *paths)


def hears(change: Callable[[Fields], Any], *paths: str) -> Lie:
    """The server reads other fields than were sent."""

    def hear(heard: Heard) -> Heard:
        try:
            fields = json.loads(heard.body)
        except ValueError:
            return heard
        if not isinstance(fields, dict) or (paths and heard.path not in paths):
            return heard
        returned = change(fields)
        return heard.saying(fields if returned is None else returned)

    return Lie(hear=hear)


def forgets(*names: str) -> Lie:
    """These fields are not read."""
    return hears(
        lambda fields: {key: one for key, one in fields.items() if key not in names}, *TALK
    )


def options(change: Callable[[Fields], Any]) -> Lie:
    """The options are read otherwise; a null or a wrong type stays what it is."""

    def changed(fields: Fields) -> None:
        if isinstance(fields.get("options"), dict):
            change(fields["options"])

    return hears(changed, *TALK)


def forgets_option(*names: str) -> Lie:
    """These options are not read."""

    def drop(given: Fields) -> None:
        for name in names:
            given.pop(name, None)

    return options(drop)


def messages(change: Callable[[list[Fields]], Any]) -> Lie:
    """The conversation is read otherwise."""

    def changed(fields: Fields) -> None:
        if isinstance(fields.get("messages"), list):
            returned = change(fields["messages"])
            fields["messages"] = fields["messages"] if returned is None else returned

    return hears(changed, *CHAT)


def shows(**given: Json) -> Callable[[Fields], None]:
    """Set keys of a value; None takes one away."""

    def change(value: Fields) -> None:
        for key, one in given.items():
            value.pop(key, None)
            if one is not None:
                value[key] = one

    return change


def entries(change: Callable[[Fields], Any], *paths: str) -> Lie:
    """The entries of a list of models."""

    def changed(value: Fields) -> None:
        for entry in value["models"]:
            change(entry)

    return values(changed, *paths)


def within(name: str, change: Callable[[Fields], Any]) -> Callable[[Fields], None]:
    """Change the object under a key, where there is one."""

    def changed(value: Fields) -> None:
        if isinstance(value.get(name), dict):
            change(value[name])

    return changed


def calls(change: Callable[[Fields], Any]) -> Lie:
    """The tool calls of a message."""

    def changed(record: Fields) -> None:
        for call in record.get("message", {}).get("tool_calls", ()):
            change(call)

    return each(changed, *CHAT)


def logprobs(change: Callable[[Fields], Any]) -> Lie:
    """The entries of log probabilities."""

    def changed(record: Fields) -> None:
        for entry in record.get("logprobs", ()):
            change(entry)

    return each(changed)


def refuses(path: str, when: Callable[[Fields], bool], status: int = 400) -> Lie:
    """What is right is refused."""

    def say(heard: Heard, answer: Answer) -> Answer:
        if heard.path == path and answer.status < 400 and when(heard.fields):
            return Answer(status, value={"error": "refused"})
        return answer

    return Lie(say=say)


def accepts(path: str, when: Callable[[Fields], bool], value: Json = None) -> Lie:
    """What is wrong is answered like something right."""

    def say(heard: Heard, answer: Answer) -> Answer:
        if heard.path == path and answer.status >= 400 and when(heard.fields):
            return Answer(200, value=value or {"done": True, "response": "", "done_reason": "stop"})
        return answer

    return Lie(say=say)

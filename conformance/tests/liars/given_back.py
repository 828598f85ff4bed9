"""Liars who keep what they are given too long or changed, and who break at names."""

from __future__ import annotations

import html
import json
import re
import threading
from collections.abc import Callable
from dataclasses import replace
from email.message import Message
from io import BufferedIOBase
from typing import Any

from ...evidence import Json
from ..bodies import read_body
from ..honest import Answer, Heard, Lie
from ..lies import TALK, Fields, hears, refuses, values
from .embeddings import OLD
from .guards import becomes, when
from .liar import Liar
from .shelves import CREATE, SHOW, created

PS = "/api/ps"
STAY, ZERO = "lifecycle/stay-of-every-form", "lifecycle/zero-of-every-form"
WORDY, KINDS = "create/long-texts", "show/parameters-of-every-kind"
ODD, ALIKE = "names/refused-and-no-worse", "embeddings/older-reads-alike"
ALONG = "concurrency/upload-meanwhile"


def _deaf(holds: Callable[[Fields], Any], keeps: Json = None) -> Lie:
    """keep_alive of such requests is not read."""

    def change(fields: Fields) -> None:
        if fields.get("keep_alive") is not None and holds(fields):
            fields["keep_alive"] = keeps

    return hears(change, *TALK)


def _says(fields: Fields) -> bool:
    return bool(fields.get("prompt") or fields.get("messages"))


def _zero(fields: Fields) -> bool:
    return bool(fields["keep_alive"] == 0)


def _sticks() -> Lie:
    """Once for ever is for ever."""
    ever: list[bool] = []

    def change(fields: Fields) -> None:
        given = fields.get("keep_alive")
        if given == -1:
            ever.append(True)
        elif given == 0:
            ever.clear()
        elif ever:
            fields["keep_alive"] = -1

    return hears(change, *TALK)


def _typed() -> Lie:
    """/api/ps tells the name by which a model was asked last."""
    last: list[str] = []

    def hear(heard: Heard) -> Heard:
        if heard.path in TALK and heard.fields.get("model"):
            last.append(str(heard.fields["model"]))
        return heard

    def change(told: Fields) -> None:
        for one in told["models"]:
            if last and one["name"].lower().startswith(last[-1].lower()):
                one["name"] = one["model"] = last[-1].removesuffix(":latest") + ":latest"

    return Lie(hear=hear, say=values(change, PS).say)


def _kept(change: Callable[[str], str]) -> Lie:
    """Texts of models are kept otherwise."""

    def changed(fields: Fields) -> None:
        for key in ("system", "license"):
            if isinstance(fields.get(key), str):
                fields[key] = change(fields[key])
        for turn in fields.get("messages") or ():
            turn["content"] = change(turn["content"])

    return created(changed)


def _lines(pattern: str, to: str | Callable[[re.Match[str]], str]) -> Lie:
    """Lines of parameters are others."""

    def change(told: Fields) -> None:
        if told.get("parameters"):
            told["parameters"] = re.sub(pattern, to, told["parameters"], flags=re.MULTILINE)

    return values(change, SHOW)


def _emptied(heard: Heard, answer: Answer) -> Answer:
    if heard.path == SHOW and heard.fields.get("system") == "" and answer.status == 200:
        return replace(answer, value={**answer.value, "system": None})
    return answer


def _doubles() -> Lie:
    """What is created under a tag is listed as `latest`, too."""
    tags: set[str] = set()

    def say(heard: Heard, answer: Answer) -> Answer:
        name = str(heard.fields.get("model"))
        if heard.path == CREATE and re.search(r":[^:/]+$", name):
            tags.add(name)
        if heard.path != "/api/tags" or answer.value is None:
            return answer
        more = [
            {**one, "name": f"{one['name'].rpartition(':')[0]}:latest"}
            for one in answer.value["models"]
            if one["name"] in tags
        ]
        return replace(answer, value={"models": answer.value["models"] + more})

    return Lie(say=say)


def _breaks(pattern: str) -> Lie:
    """A name of this kind is a fault of the server."""
    bad = re.compile(pattern)

    def holds(heard: Heard) -> bool:
        return bool(bad.search(str(heard.fields.get("model", ""))))

    return when(holds, becomes(500))


def _from_query(heard: Heard) -> Heard:
    named = re.search(r"model=([^&]+)", heard.query)
    if heard.method != "DELETE" or heard.body or named is None:
        return heard
    return replace(heard, body=json.dumps({"model": named[1]}).encode())


def _one_upload() -> Lie:
    """What is asked while a file is sent waits for its end."""
    turn = threading.Lock()

    def body(head: Message, stream: BufferedIOBase) -> bytes:
        if turn.acquire(timeout=5.0):
            try:
                return read_body(head, stream)
            finally:
                turn.release()
        return read_body(head, stream)

    return Lie(body=body)


def _reads(change: Callable[[str], str]) -> Lie:
    def changed(fields: Fields) -> None:
        if isinstance(fields.get("prompt"), str):
            fields["prompt"] = change(fields["prompt"])

    return hears(changed, OLD)


GIVEN_BACK = [
    Liar("keep_alive of empty requests alone", STAY, _deaf(_says)),
    Liar("keep_alive of questions alone", STAY, _deaf(lambda one: not _says(one))),
    Liar("keep_alive of generate alone", STAY, _deaf(lambda one: "messages" in one)),
    Liar("keep_alive of what is not streamed", STAY,
         _deaf(lambda one: one.get("stream") and _says(one))),
    Liar("for ever, once and for all", STAY, _sticks()),
    Liar("listed as it was called", STAY, _typed()),
    Liar("zero of what is not streamed", ZERO,
         _deaf(lambda one: _zero(one) and _says(one) and one.get("stream") is not False, 300)),
    Liar("zero of small letters", ZERO,
         _deaf(lambda one: _zero(one) and one["model"].isupper(), 300)),
    Liar("zero of empty requests", ZERO, _deaf(lambda one: _zero(one) and _says(one), 300)),
    Liar("texts of 64 kB", WORDY, _kept(lambda text: text[:65_536])),
    Liar("texts of 4096 letters", WORDY, _kept(lambda text: text[:4096])),
    Liar("texts of entities", WORDY, _kept(html.escape)),
    Liar("texts without the last line", WORDY, _kept(str.rstrip)),
    Liar("two places of fractions", KINDS, _lines(r"(\.\d\d)\d+$", r"\1")),
    Liar("booleans of Python", KINDS, _lines(r" true$", " True")),
    Liar("whole numbers as fractions", KINDS, _lines(r"^(seed +\d+)$", r"\1.0")),
    Liar("a system that is empty", "show/as-the-command-line-asks", Lie(say=_emptied)),
    Liar("null are no options", "show/as-the-command-line-asks", refuses(
        SHOW, lambda one: "options" in one and one["options"] is None)),
    Liar("an empty model hides the name", "show/as-the-command-line-asks", refuses(
        SHOW, lambda one: one.get("model") == "")),
    Liar("latest of every tag", "create/that-tag-alone", _doubles()),
    Liar("half a character breaks", ODD, _breaks("[\ud800-\udfff]")),
    Liar("NUL breaks", ODD, _breaks("\0")),
    Liar("long names break", ODD, _breaks("^.{256,}$")),
    Liar("names that are too long are missing", ODD, when(
        lambda heard: 80 < len(str(heard.fields.get("model", ""))) < 256, becomes(404))),
    Liar("infinity breaks", "http/numbers-beyond", when(
        lambda heard: b"1e400" in heard.body, becomes(500))),
    Liar("infinity is a number", "http/numbers-beyond", Lie(
        hear=lambda heard: replace(heard, body=heard.body.replace(b"1e400", b"1")))),
    Liar("deletes by its query", "delete/by-its-body-alone", Lie(hear=_from_query)),
    Liar("one body at a time", ALONG, _one_upload()),
    Liar("foreign under other names", "safety/own-origin", when(
        lambda heard: heard.headers.get("origin", "").endswith(".local"), becomes(403))),
    Liar("older reads ASCII", ALIKE, _reads(
        lambda text: text.encode("ascii", "ignore").decode() or "x")),
    Liar("older joins blanks", ALIKE, _reads(lambda text: " ".join(text.split()))),
    Liar("older knows no :local", ALIKE, when(
        lambda heard: heard.path == OLD and ":local" in str(heard.fields.get("model")),
        becomes(404))),
]  # fmt: skip

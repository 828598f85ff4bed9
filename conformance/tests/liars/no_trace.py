"""Liars whose refusals leave traces, and who mix up what is asked at once."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from ..honest import Answer, Heard, Lie
from ..lies import Fields, entries, hears, refuses, shows, values
from .embeddings import NEW, OLD
from .guards import when
from .liar import Liar
from .shelves import CREATE, SHOW, TAGS

PS, VERSION = "/api/ps", "/api/version"
LOADED, STAND = "lifecycle/refused-changes-nothing", "manage/refused-changes-nothing"
EMPTIED, MANY = "lifecycle/unload-loads-nothing", "concurrency/models-of-many"
WIDE, NARROW = "lifecycle/window-of-the-weights", "show/window-whatever-num-ctx"
CALLED, TIMED = "embeddings/called-as-asked", "embeddings/durations-are-measured"
HEAVY = "delete/takes-its-weights"
Holds = Callable[[Heard, Answer], bool]


def _failed(heard: Heard, answer: Answer) -> bool:
    """Whether it was refused, or failed on its way."""
    return answer.status >= 400 or bool(answer.records and "error" in answer.records[-1])


def _ends(holds: Holds, change: Callable[[Fields], Any]) -> Lie:
    """After a refusal of a kind /api/ps tells something else, until a model is loaded."""
    done: list[bool] = []
    told = values(change, PS)

    def say(heard: Heard, answer: Answer) -> Answer:
        if heard.path in ("/api/generate", "/api/chat", NEW) and answer.status == 200:
            done.clear()
        elif _failed(heard, answer) and holds(heard, answer):
            done.append(True)
        return told.say(heard, answer) if done else answer

    return Lie(say=say)


def _gone(models: Fields) -> None:
    models["models"] = []


def _hasty(models: Fields) -> None:
    for one in models["models"]:
        one["expires_at"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 300))


def _wrecks(path: str, holds: Holds = lambda heard, answer: True, *, lists: bool = False) -> Lie:
    """A model whose name is in a request that failed is not found any more, or not listed."""
    dead: set[str] = set()

    def say(heard: Heard, answer: Answer) -> Answer:
        given = heard.fields
        name = str(given.get("destination") or given.get("model"))
        if heard.path == path and _failed(heard, answer) and holds(heard, answer):
            dead.add(re.sub(r":nobody$", "", name))
        elif heard.path == SHOW and name in dead and not lists:
            return Answer(404, value={"error": "gone"})
        elif heard.path == TAGS and lists:
            kept = [one for one in answer.value["models"] if one["name"][:-7] not in dead]
            return replace(answer, value={"models": kept})
        return answer

    return Lie(say=say)


def _of(text: str) -> Holds:
    return lambda heard, answer: text in str(answer.value or answer.records)


def _streamed(heard: Heard, answer: Answer) -> bool:
    return answer.status == 200


def _route(*paths: str) -> Holds:
    return lambda heard, answer: heard.path in paths


def _loads_first() -> Lie:
    """To unload is to load for a second."""

    def change(fields: Fields) -> None:
        if fields.get("keep_alive") in (0, "0s") and not fields.get("messages"):
            fields["keep_alive"] = 1

    def say(heard: Heard, answer: Answer) -> Answer:
        if heard.fields.get("keep_alive") != 1 or not isinstance(answer.value, dict):
            return answer
        return replace(answer, value={**answer.value, "done_reason": "unload"})

    return replace(hears(change, "/api/generate", "/api/chat"), say=say)


def _as_asked() -> Lie:
    """/api/ps tells the num_ctx that was asked for."""
    asked: list[int] = []

    def hear(heard: Heard) -> Heard:
        if (given := (heard.fields.get("options") or {}).get("num_ctx")) is not None:
            asked.append(given)
        return heard

    def wide(entry: Fields) -> None:
        entry["context_length"] = asked[-1] if asked else entry["context_length"]

    return Lie(hear=hear, say=entries(wide, PS).say)


def _cuts_when_deleted() -> Lie:
    """Streams end when a model is deleted."""
    deleted = threading.Event()

    def hear(heard: Heard) -> Heard:
        if heard.method == "DELETE":
            deleted.set()
        elif heard.path == "/api/generate" or heard.fields.get("stream"):
            deleted.clear()
        return heard

    def slowly(records: list[Fields]) -> Iterator[Fields]:
        for record in records:
            if deleted.is_set() and not record["done"]:
                continue
            time.sleep(0.001)
            yield record

    def say(heard: Heard, answer: Answer) -> Answer:
        if heard.path != "/api/chat" or not answer.records:
            return answer
        return replace(answer, records=None, live=slowly(answer.records))

    return Lie(hear=hear, say=say)


def _crossed(path: str, *names: str) -> Lie:
    """What is asked of a route at the same time is asked of one variable."""
    last: Fields = {}

    def hear(heard: Heard) -> Heard:
        if heard.path != path:
            return heard
        last.update({name: heard.fields.get(name) for name in names})
        time.sleep(0.01)
        return heard.saying({**heard.fields, **{k: v for k, v in last.items() if v is not None}})

    return Lie(hear=hear)


def _one_at_a_time(path: str) -> Lie:
    """A second request of a kind is refused while the first is worked on."""
    busy = threading.Lock()
    mine = threading.local()

    def hear(heard: Heard) -> Heard:
        mine.has = heard.path == path and busy.acquire(blocking=False)
        if mine.has:
            time.sleep(0.01)
        return heard

    def say(heard: Heard, answer: Answer) -> Answer:
        if heard.path != path:
            return answer
        if mine.has:
            busy.release()
            return answer
        return Answer(409, value={"error": "another create is in progress"})

    return Lie(hear=hear, say=say)


def _locked() -> Lie:
    """Lists fail while models are created."""
    making: list[bool] = []

    def hear(heard: Heard) -> Heard:
        if heard.path == CREATE:
            making.append(True)
            time.sleep(0.02)
        return heard

    def say(heard: Heard, answer: Answer) -> Answer:
        if heard.path == CREATE:
            making.pop()
        elif heard.path in (TAGS, SHOW) and making:
            return Answer(500, value={"error": "the database is locked"})
        return answer

    return Lie(hear=hear, say=say)


def _narrowed(value: Fields) -> None:
    found = re.search(r"^num_ctx +(\d+)", value.get("parameters", ""), re.MULTILINE)
    if found:
        value["model_info"]["llama.context_length"] = int(found[1])


def _narrow_in_lists(entry: Fields) -> None:
    if entry["name"].endswith("/narrow:latest"):
        entry["details"]["context_length"] = 512


def _of_eight(heard: Heard, answer: Answer) -> Answer:
    if heard.path == OLD and heard.fields.get("dimensions") and answer.status == 200:
        return replace(answer, value={"embedding": answer.value["embedding"][:8]})
    return answer


def _head(change: Callable[[Answer], Answer]) -> Lie:
    return when(lambda heard: (heard.method, heard.path) == ("HEAD", TAGS), change)


NO_TRACE = [
    Liar("any refusal unloads", LOADED, _ends(lambda heard, answer: True, _gone)),
    Liar("bad options unload", LOADED, _ends(_of("option"), _gone)),
    Liar("refusals set the default stay", LOADED, _ends(lambda heard, answer: True, _hasty)),
    Liar("a model that is missing unloads all", LOADED, _ends(_of("not found"), _gone)),
    Liar("refused chats unload", LOADED, _ends(_route("/api/chat"), _gone)),
    Liar("refused texts to embed unload", LOADED, _ends(_route(NEW), _gone)),
    Liar("loads what it unloads", EMPTIED, _loads_first()),
    Liar("window as asked", WIDE, _as_asked()),
    Liar("window of 2048 at most", WIDE, entries(
        lambda one: one.update(context_length=min(one["context_length"], 2048)), PS)),
    Liar("deleting cuts streams", "lifecycle/deleted-in-mid-stream", _cuts_when_deleted()),
    Liar("bad templates wreck", STAND, _wrecks(CREATE, _of("template error"))),
    Liar("no source wrecks", STAND, _wrecks(CREATE, _of("neither"))),
    Liar("streams that fail wreck", STAND, _wrecks(CREATE, _streamed)),
    Liar("what fails is not listed", STAND, _wrecks(CREATE, lists=True)),
    Liar("copies of nothing wreck", STAND, _wrecks("/api/copy")),
    Liar("no tag is any tag", STAND, _wrecks("/api/delete")),
    Liar("pulls that fail wreck", STAND, _wrecks("/api/pull")),
    Liar("pushes that fail wreck", STAND, _wrecks("/api/push")),
    Liar("creates one at a time", MANY, _one_at_a_time(CREATE)),
    Liar("lists wait for no create", MANY, _locked()),
    Liar("creates of one variable", MANY, _crossed(CREATE, "model")),
    Liar("systems of one variable", MANY, _crossed(CREATE, "system")),
    Liar("cards of one variable", MANY, _crossed(SHOW, "model")),
    Liar("no base is :local", "create/from-local", refuses(
        CREATE, lambda one: str(one.get("from")).endswith(":local"))),
    Liar("cards of num_ctx", NARROW, values(_narrowed, SHOW)),
    Liar("lists of num_ctx", NARROW, entries(_narrow_in_lists, TAGS)),
    Liar("weights stay", HEAVY, Lie(flaw="leaves layers")),
    Liar("weights are no layer", HEAVY, Lie(flaw="weights are no layer")),
    Liar("HEAD of an empty list", "http/head-of-the-list",
         _head(lambda one: replace(one, value={"models": []}))),
    Liar("HEAD of a list of no type", "http/head-of-the-list",
         _head(lambda one: replace(one, media_type="text/plain"))),
    Liar("tells its build", "http/told-alone", values(shows(build="ab12"), VERSION)),
    Liar("version with a letter", "core/version-is-numeric", values(shows(version="v0.12.3"),
                                                                     VERSION)),
    Liar("called in lower case", CALLED, values(
        lambda one: one.update(model=one["model"].lower()), NEW)),
    Liar("called without :local", CALLED, values(
        lambda one: one.update(model=one["model"].removesuffix(":local")), NEW)),
    Liar("called without :latest", CALLED, values(
        lambda one: one.update(model=one["model"].removesuffix(":latest")), NEW)),
    Liar("embeds in a millisecond", TIMED, values(shows(total_duration=1_000_000), NEW)),
    Liar("embeds in an hour", TIMED, values(
        lambda one: one.update(total_duration=one.get("total_duration", 0) + 3_600 * 10**9), NEW)),
    Liar("older has dimensions", "embeddings/older-has-no-dimensions", Lie(say=_of_eight)),
    Liar("older checks dimensions", "embeddings/older-has-no-dimensions", refuses(
        OLD, lambda one: isinstance(one.get("dimensions"), str))),
]  # fmt: skip

"""Liars about pictures."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ..honest import Answer, Heard, Lie
from ..lies import (
    CHAT,
    GENERATE,
    TALK,
    Fields,
    accepts,
    answers,
    entries,
    error_text,
    finals,
    hears,
    messages,
    refuses,
    statuses,
    streams,
    values,
)
from .liar import Liar

SEEN = {"message": {"role": "assistant", "content": "A cat."}, "response": "A cat.", "done": True,
        "done_reason": "stop"}  # fmt: skip


def _images(fields: Fields) -> list[Any]:
    """All pictures of a request."""
    found = list(fields["images"] or []) if isinstance(fields.get("images"), list) else []
    for message in fields.get("messages") or ():
        if isinstance(message, dict) and isinstance(message.get("images"), list):
            found += message["images"]
    return found


def _pictures(change: Callable[[list[Any]], list[Any]], *paths: str) -> Lie:
    """Other pictures are looked at than were sent."""

    def changed(fields: Fields) -> None:
        for place in (fields, *(fields.get("messages") or ())):
            if isinstance(place, dict) and isinstance(place.get("images"), list):
                place["images"] = change(place["images"])

    return hears(changed, *(paths or TALK))


def _unshown(asked: list[Fields]) -> None:
    """Turns before the last have no pictures."""
    for message in asked[:-1]:
        message.pop("images", None)


def _behind(asked: list[Fields]) -> None:
    for message in asked:
        if message.get("images") and "[img]" not in message["content"]:
            message["content"] += "[img]" * len(message["images"])


def _unplaced(asked: list[Fields]) -> None:
    for message in asked:
        message["content"] = str(message.get("content")).replace("[img]", "")


def _systemless(fields: Fields) -> None:
    if _images(fields):
        fields.pop("system", None)
        if fields.get("messages"):
            fields["messages"] = [one for one in fields["messages"] if one["role"] != "system"]


def _remembered() -> Lie:
    """The first picture that was shown with some words is what is looked at ever after."""
    kept: dict[str, list[Any]] = {}

    def hear(heard: Heard) -> Heard:
        fields = heard.fields
        if heard.path != "/api/chat" or len(fields.get("messages") or ()) != 1:
            return heard
        (message,) = fields["messages"]
        if message.get("images"):
            message["images"] = kept.setdefault(str(message["content"]), message["images"])
        return heard.saying(fields)

    return Lie(hear=hear)


def _crossed() -> Lie:
    """Requests that come together look at one picture."""
    lock, waiting = threading.Lock(), list[list[Fields]]()

    def hear(heard: Heard) -> Heard:
        fields = heard.fields
        if heard.path != "/api/chat" or not fields.get("messages"):
            return heard
        with lock:
            waiting.append(fields["messages"])
            first = waiting[0]
        threading.Event().wait(0.02)
        with lock:
            waiting.remove(fields["messages"])
        return heard.saying({**fields, "messages": first})

    return Lie(hear=hear)


def _counts(change: Callable[[int, int], int]) -> Lie:
    """prompt_eval_count is another one, by the pictures and the count."""

    def say(heard: Heard, answer: Answer) -> Answer:
        shown = len(_images(heard.fields))
        lie = finals(
            lambda one: one.update(prompt_eval_count=change(shown, one["prompt_eval_count"])), *CHAT
        )
        return lie.say(heard, answer)

    return Lie(say=say)


def _skips_unreadable(images: list[Any]) -> list[Any]:
    """What begins like none of the known formats is not looked at."""
    return [one for one in images if str(one)[:4] in ("iVBO", "/9j/", "UklG") and len(one) > 80]


def _is_cut(fields: Fields) -> bool:
    return any(str(one)[:4] in ("iVBO", "") and len(str(one)) < 100 for one in _images(fields))


def _late(heard: Heard, answer: Answer) -> Answer:
    """An error comes as the first record of a stream."""
    if heard.path in TALK and answer.status >= 400 and heard.fields.get("stream"):
        return Answer(media_type="application/x-ndjson", records=[answer.value])
    return answer


def _dies() -> Lie:
    """After a spoilt picture nothing is seen any more."""
    broken = threading.Event()

    def say(heard: Heard, answer: Answer) -> Answer:
        if heard.path in TALK and answer.status >= 400 and _images(heard.fields):
            broken.set()
        if heard.path in TALK and broken.is_set():
            return Answer(500, value={"error": "runner has unexpectedly stopped"})
        return answer

    return Lie(say=say)


def _drops_connection(heard: Heard, answer: Answer) -> Answer:
    if heard.path not in TALK or answer.status < 400 or not _images(heard.fields):
        return answer
    return replace(answer, media_type="", headers=(("Content-Length", "9999"),))


def _capabilities(change: Callable[[list[str]], list[str]], path: str = "/api/show") -> Lie:
    def changed(value: Fields) -> None:
        value["capabilities"] = change(value["capabilities"])

    return entries(changed, path) if path == "/api/tags" else values(changed, path)


def _sees_urls(image: Any) -> Any:  # noqa: ANN401 (a picture, or what stands for one)
    return str(image).partition("base64,")[2] or image


def _padded(image: Any) -> Any:  # noqa: ANN401
    text = str(image).replace("-", "+").replace("_", "/")
    return text + "=" * (-len(text) % 4)


def _lenient(image: Any) -> Any:  # noqa: ANN401
    return image if "*" not in str(image) else str(image).replace("*", "A")


VISION = [
    Liar("blind in chat", "vision/chat", _pictures(lambda found: [], *CHAT)),
    Liar("refuses pictures in chat", "vision/chat", refuses(
        "/api/chat", lambda one: bool(_images(one)))),
    Liar("blind in generate", "vision/generate", _pictures(lambda found: [], *GENERATE)),
    Liar("one picture is like another", "vision/every-picture", values(
        lambda one: {**one, "message": {**one["message"], "content": one["message"]["content"]
                     .replace("stand", "lie")}}, *CHAT)),
    Liar("remembers words, not pictures", "vision/same-words-other-picture", _remembered()),
    Liar("wants a picture", "vision/no-picture", refuses(
        "/api/chat", lambda one: not _images(one) and "hello" not in str(one).lower())),
    Liar("null is a picture", "vision/no-picture", refuses(
        "/api/generate", lambda one: "images" in one and one["images"] is None)),
    Liar("never without a picture", "vision/words-alone", refuses(
        "/api/chat", lambda one: not _images(one))),
    Liar("knows no JPEG", "vision/jpeg", refuses(
        "/api/chat", lambda one: any(str(image).startswith("/9j/") for image in _images(one)))),
    Liar("generate knows no JPEG", "vision/jpeg", refuses(
        "/api/generate", lambda one: any(str(image).startswith("/9j/") for image in _images(one)))),
    Liar("knows no WebP", "vision/webp", refuses(
        "/api/chat", lambda one: any(str(image).startswith("UklG") for image in _images(one)))),
    Liar("looks at one picture", "vision/two-in-order", _pictures(lambda found: found[:1])),
    Liar("last picture first", "vision/two-in-order", _pictures(lambda found: found[::-1])),
    Liar("generate swaps pictures", "vision/two-in-order", _pictures(
        lambda found: found[::-1], *GENERATE)),
    Liar("one of two that are the same", "vision/two-in-order", _pictures(
        lambda found: list(dict.fromkeys(found)))),
    Liar("pictures behind the text", "vision/placed", messages(_behind)),
    Liar("does not place pictures", "vision/placed", messages(_unplaced)),
    Liar("streams are blind", "vision/streamed", hears(
        lambda one: {**one, "messages": [{**each, "images": []} for each in one["messages"]]}
        if one.get("stream") else one, *CHAT)),
    Liar("streams count no pictures", "vision/streamed", streams(
        lambda found: found[-1].update(prompt_eval_count=11), *CHAT)),
    Liar("streams in one piece", "vision/streamed", streams(
        lambda found: [
            {**found[0], "message": {**found[0]["message"], "content": "".join(
                one["message"]["content"] for one in found)}}, found[-1]], *CHAT)),
    Liar("forgets pictures", "vision/history", messages(_unshown)),
    Liar("pictures go with the newest turn", "vision/history", messages(
        lambda asked: [*asked[:-1], {**asked[-1], "images": [
            image for one in asked for image in one.get("images") or ()]}]
        if len(asked) == 3 else asked)),
    Liar("no system beside pictures", "vision/system", hears(_systemless, *TALK)),
    Liar("generate has no system beside pictures", "vision/system", hears(
        _systemless, *GENERATE)),
    Liar("counts no pictures", "vision/counted", _counts(lambda shown, count: count - 14 * shown)),
    Liar("counts pictures once", "vision/counted", _counts(
        lambda shown, count: count - 14 * max(0, shown - 1))),
    Liar("a picture without a picture", "vision/counted", _counts(
        lambda shown, count: count + 14 * (not shown))),
    Liar("answers count pictures", "vision/answer-counted", finals(
        lambda one: one.update(eval_count=one.get("eval_count", 0) + 14), *CHAT)),
    Liar("pictures cross", "vision/in-company", _crossed()),
    Liar("raw is blind", "vision/raw", hears(
        lambda one: {**one, "images": [], "prompt": one["prompt"].replace("[img-0] ", "")}
        if one.get("raw") else one, *GENERATE)),
    Liar("drops no pictures", "vision/dropped", hears(
        lambda one: {**one, "options": {**one["options"], "num_ctx": 4096}}
        if one.get("options") else one, *CHAT)),
    Liar("drops words, not pictures", "vision/dropped", messages(
        lambda asked: [{**asked[-1], "images": [
            image for one in asked for image in one.get("images") or ()]}])),
    Liar("any text is base64", "vision/spoilt-base64", _pictures(
        lambda found: [_lenient(one) for one in found])),
    Liar("spoilt base64 is 500", "vision/spoilt-base64", statuses(400, 500, *TALK)),
    Liar("does not say base64", "vision/spoilt-base64", error_text("bad image", *TALK)),
    Liar("reads data URLs", "vision/other-base64", _pictures(
        lambda found: [_sees_urls(one) for one in found])),
    Liar("pads base64", "vision/other-base64", _pictures(
        lambda found: [_padded(one) for one in found])),
    Liar("one line of base64", "vision/lines-in-base64", refuses(
        "/api/chat", lambda one: any("\n" in str(image) for image in _images(one)))),
    Liar("skips what it cannot read", "vision/not-a-picture", _pictures(_skips_unreadable)),
    Liar("sees a cat in anything", "vision/not-a-picture", accepts(
        "/api/generate", lambda one: bool(_images(one)), SEEN)),
    Liar("skips pictures that are cut", "vision/cut-picture", _pictures(
        lambda found: [one for one in found if len(str(one)) > 100])),
    Liar("sees what is cut off", "vision/cut-picture", accepts("/api/chat", _is_cut, SEEN)),
    Liar("skips spoilt WebP", "vision/spoilt-webp", _pictures(_skips_unreadable)),
    Liar("takes the one that is whole", "vision/one-of-two-spoilt", _pictures(
        lambda found: _skips_unreadable(found) if len(found) > 1 else found)),
    Liar("looks at the first alone", "vision/one-of-two-spoilt", _pictures(
        lambda found: found[:1])),
    Liar("tells in the stream", "vision/refused-before-a-stream", Lie(say=_late)),
    Liar("dies of a spoilt picture", "vision/after-a-refusal", _dies()),
    Liar("hangs up on a spoilt picture", "vision/after-a-refusal", Lie(say=_drops_connection)),
    Liar("one picture needs no list", "vision/types", hears(
        lambda one: {**one, "images": [one["images"]]} if isinstance(one.get("images"), str)
        else one, *GENERATE)),
    Liar("pictures may be numbers", "vision/types", accepts(
        "/api/chat", lambda one: 5 in _images(one), SEEN)),
    Liar("pictures may be objects", "vision/types", accepts(
        "/api/generate", lambda one: any(isinstance(image, dict) for image in _images(one)), SEEN)),
    Liar("does not list vision", "vision/capability", _capabilities(
        lambda found: [one for one in found if one != "vision"])),
    Liar("sees and does nothing else", "vision/capability", _capabilities(
        lambda found: ["vision"] if "vision" in found else found)),
    Liar("calls it image", "vision/capability", _capabilities(
        lambda found: ["image" if one == "vision" else one for one in found])),
    Liar("all models see", "vision/capability-of-others", _capabilities(
        lambda found: [*dict.fromkeys([*found, "vision"])])),
    Liar("lists no vision in tags", "vision/listed", _capabilities(
        lambda found: [one for one in found if one != "vision"], "/api/tags")),
    Liar("hides the projector", "vision/projector-shown", values(
        lambda one: {key: each for key, each in one.items() if key != "projector_info"},
        "/api/show")),
    Liar("shows the model as projector", "vision/projector-shown", values(
        lambda one: {**one, "projector_info": one["model_info"]}, "/api/show")),
    Liar("the blind ignore pictures", "vision/blind-model", hears(
        lambda one: {**one, "images": [], "messages": [
            {**each, "images": []} for each in one.get("messages", ())]}
        if "scripted" in str(one.get("model")) else one, *TALK)),
    Liar("the blind ignore pictures in streams", "vision/blind-model", hears(
        lambda one: {**one, "images": []} if one.get("stream") else one, *GENERATE)),
    Liar("answers without a prompt", "vision/load-with-a-picture", hears(
        lambda one: {**one, "prompt": "What is this?"} if one.get("prompt") == "" else one,
        *GENERATE)),
    Liar("refuses no prompt", "vision/load-with-a-picture", refuses(
        "/api/generate", lambda one: one.get("prompt") == "")),
    Liar("answers pictures in HTML", "vision/chat", answers(
        lambda one: replace(one, value="<html></html>", media_type="text/html"), *CHAT)),
]  # fmt: skip

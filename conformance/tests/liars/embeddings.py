"""Liars about embeddings: they know the script's vectors, and do one thing wrong with them."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ...vectors import load_vectors
from ..honest import Answer, Heard, Lie
from ..lies import (
    Fields,
    accepts,
    answers,
    error_text,
    hears,
    refuses,
    shows,
    statuses,
    values,
    with_answers,
)
from .liar import Liar

NEW, OLD, BOTH = "/api/embed", "/api/embeddings", ("/api/embed", "/api/embeddings")
Vectors = list[list[float]]
MADE_UP = {"embeddings": [[0.6, 0.8]], "embedding": [0.6, 0.8], "prompt_eval_count": 1}


def _vectors(change: Callable[[Vectors], Any]) -> Lie:
    """The vectors of an answer are others."""

    def changed(value: Fields) -> None:
        if value.get("embeddings"):
            returned = change(value["embeddings"])
            value["embeddings"] = value["embeddings"] if returned is None else returned

    return values(changed, NEW)


def _each(change: Callable[[list[float]], list[float]]) -> Lie:
    """Every vector is another one."""
    return _vectors(lambda found: [change(one) for one in found])


def _unit(vector: list[float]) -> list[float]:
    length = math.sqrt(sum(one * one for one in vector)) or 1.0
    return [one / length for one in vector]


def of_other(id: str, other: str) -> Lie:
    """One text of the script has another one's vector."""
    script = load_vectors().texts
    old, new = list(script[id].vector), list(script[other].vector)
    return _each(lambda one: new if _near(one, old) else one)


def _near(one: list[float], other: list[float]) -> bool:
    return len(one) == len(other) and sum(a * b for a, b in zip(one, other, strict=True)) > 0.9999


def _by_request(change: Callable[[Fields, Fields], Any], *paths: str) -> Lie:
    """A success is changed by what was asked for."""

    def say(heard: Heard, answer: Answer) -> Answer:
        if heard.path not in (paths or BOTH) or answer.status != 200:
            return answer
        value = json.loads(json.dumps(answer.value))
        change(heard.fields, value)
        return replace(answer, value=value)

    return with_answers(say)


def _texts(change: Callable[[list[str]], list[str]]) -> Lie:
    """Other texts are embedded than were sent."""

    def changed(fields: Fields) -> None:
        given = fields.get("input")
        if isinstance(given, list) and all(isinstance(one, str) for one in given):
            fields["input"] = change(given)
        elif isinstance(given, str) and given:
            fields["input"] = change([given])

    return hears(changed, NEW)


def _crossed() -> Lie:
    """Requests that come together get what the first of them asked for."""
    lock = threading.Lock()
    waiting: list[Fields] = []

    def hear(heard: Heard) -> Heard:
        if heard.path != NEW:
            return heard
        with lock:
            waiting.append(heard.fields)
            mine = waiting[0]
        threading.Event().wait(0.02)
        with lock:
            waiting.remove(heard.fields)
        return heard.saying({**heard.fields, "input": mine.get("input")})

    return Lie(hear=hear)


def _differs_later() -> Lie:
    """What was asked before is remembered wrongly."""
    seen: set[str] = set()

    def change(asked: Fields, value: Fields) -> None:
        key = json.dumps(asked.get("input"))
        if key in seen and value.get("embeddings"):
            value["embeddings"][0] = value["embeddings"][0][::-1]
        seen.add(key)

    return _by_request(change, NEW)


def _padded(found: Vectors) -> Vectors:
    """What stands beside longer texts is a little like them."""
    mean = [sum(one) / len(found) for one in zip(*found, strict=True)]
    return [_unit([a + 0.3 * b for a, b in zip(one, mean, strict=True)]) for one in found]


def too_long(fields: Fields) -> bool:
    return len(str(fields.get("input", fields.get("prompt")))) > 500


def _halved(value: Fields) -> None:
    value["prompt_eval_count"] = max(1, value.get("prompt_eval_count", 0) // 2)


def _counted_once(asked: Fields, value: Fields) -> None:
    given = asked.get("input")
    if isinstance(given, list) and len(set(map(str, given))) < len(given):
        value["prompt_eval_count"] = value["prompt_eval_count"] // len(given)


def _ctx(fields: Fields) -> int:
    found = (fields.get("options") or {}).get("num_ctx")
    return found if isinstance(found, int) else 0


def _window(change: Callable[[int], int]) -> Lie:
    """num_ctx is read as another one."""

    def changed(fields: Fields) -> None:
        if isinstance(fields.get("options"), dict) and _ctx(fields):
            fields["options"]["num_ctx"] = change(_ctx(fields))

    return hears(changed, *BOTH)


def _from_the_end(fields: Fields) -> None:
    if too_long(fields) and isinstance(fields.get("input"), str):
        fields["input"] = " ".join(fields["input"].split()[::-1])


def _generates(asked: Fields, value: Fields) -> None:
    value["response"] = ""


def any_model(fields: Fields) -> bool:
    return "nobody" in str(fields.get("model"))


ANSWERS = [
    Liar("one vector without a list", "embeddings/one", _vectors(lambda found: found[0])),
    Liar("calls its vectors data", "embeddings/one", values(
        lambda one: {"data": one.pop("embeddings"), **one}, NEW)),
    Liar("forgets the model's name", "embeddings/one", values(shows(model=None), NEW)),
    Liar("says another model's name", "embeddings/one", values(shows(model="bert"), NEW)),
    Liar("writes numbers as text", "embeddings/one", _each(lambda one: [str(n) for n in one])),  # type: ignore[misc]
    Liar("vectors are base64", "embeddings/one", _vectors(lambda found: ["AAAA"] * len(found))),
    Liar("embeds as a stream", "embeddings/one", answers(
        lambda one: replace(one, media_type="application/x-ndjson"), NEW)),
    Liar("embeds the first alone", "embeddings/several", _vectors(lambda found: found[:1])),
    Liar("joins the texts", "embeddings/several", _texts(lambda texts: [" ".join(texts)])),
    Liar("one too many", "embeddings/several", _vectors(lambda found: [*found, found[0]])),
    Liar("refuses lists", "embeddings/several", refuses(
        NEW, lambda one: isinstance(one.get("input"), list))),
    Liar("streams vectors", "embeddings/not-streamed", _by_request(
        lambda asked, value: value.update(embeddings=[]) if asked.get("stream") else None, NEW)),
    Liar("nothing is an error", "embeddings/empty", refuses(NEW, lambda one: not one.get("input"))),
    Liar("an empty list is an error", "embeddings/empty", refuses(
        NEW, lambda one: one.get("input") == [])),
    Liar("an empty text has a vector", "embeddings/empty", hears(
        lambda one: {**one, "input": [""]} if one.get("input") == "" else one, NEW)),
    Liar("no vectors is null", "embeddings/empty", values(
        lambda one: {**one, "embeddings": one["embeddings"] or None}, NEW)),
    Liar("counts nothing", "embeddings/empty-has-no-figures", values(
        lambda one: {**one, "prompt_eval_count": one.get("prompt_eval_count", 2)}, NEW)),
    Liar("drops empty texts", "embeddings/empty-in-a-list", _texts(
        lambda texts: [one for one in texts if one.strip()])),
    Liar("first token for the mean", "embeddings/values", of_other("sky", "grass")),
    Liar("reverses its vectors", "embeddings/values", _each(lambda one: one[::-1])),
    Liar("loses signs", "embeddings/values", _each(lambda one: [abs(n) for n in one])),
    Liar("pads its vectors", "embeddings/values", _each(lambda one: [*one, 0.0])),
    Liar("cased", "embeddings/case-and-space", _texts(
        lambda texts: [one.replace("THE SKY", "X") for one in texts])),
    Liar("keeps accents", "embeddings/case-and-space", _texts(
        lambda texts: [one.replace("ï", "i-") for one in texts])),
    Liar("trims what it is sent", "embeddings/case-and-space", _texts(
        lambda texts: [one.strip() + "!" if one != one.strip() else one for one in texts])),
    Liar("sorts texts", "embeddings/order", _texts(sorted)),
    Liar("newest first", "embeddings/order", _vectors(lambda found: found[::-1])),
    Liar("longest first", "embeddings/order-of-lengths", _texts(
        lambda texts: sorted(texts, key=len, reverse=True))),
    Liar("embeds thirty-two at most", "embeddings/many", _vectors(lambda found: found[:32])),
    Liar("shifts the second batch", "embeddings/many", _vectors(
        lambda found: found[:32] + found[33:] + found[32:33])),
    Liar("embeds a text once", "embeddings/duplicates", _texts(
        lambda texts: list(dict.fromkeys(texts)))),
    Liar("one vector for all", "embeddings/duplicates", _vectors(
        lambda found: [found[0] for _ in found])),
    Liar("looks at padding", "embeddings/batch-equals-single", _vectors(_padded)),
    Liar("remembers wrongly", "embeddings/again", _differs_later()),
    Liar("crosses requests", "embeddings/in-company", _crossed()),
    Liar("raw vectors", "embeddings/unit-length", _each(lambda one: [3 * n for n in one])),
    Liar("largest is 1", "embeddings/unit-length", _each(
        lambda one: [n / max(map(abs, one)) for n in one])),
    Liar("rounds to three places", "embeddings/precision", _each(
        lambda one: [round(n, 3) for n in one])),
    Liar("eight bits a number", "embeddings/precision", _each(
        lambda one: [round(n * 100) / 100 for n in one])),
    Liar("counts words of what it embeds", "embeddings/count", values(_halved, NEW)),
    Liar("no count", "embeddings/count", values(shows(prompt_eval_count=None), NEW)),
    Liar("counts without special tokens", "embeddings/count", _by_request(
        lambda asked, value: value.update(
            prompt_eval_count=value.get("prompt_eval_count", 0) - 2), NEW)),
    Liar("counts copies once", "embeddings/count-of-copies", _by_request(_counted_once, NEW)),
    Liar("durations in milliseconds", "embeddings/durations", values(
        shows(total_duration=3, load_duration=1), NEW)),
    Liar("embeds in seconds", "embeddings/durations", values(shows(total_duration=0.003), NEW)),
    Liar("loads for longer than all", "embeddings/durations", values(
        shows(load_duration=10**12), NEW)),
    Liar("no total", "embeddings/durations", values(shows(total_duration=None), NEW)),
    Liar("evaluates", "embeddings/no-other-figures", values(shows(eval_count=0), NEW)),
    Liar("has a response", "embeddings/no-other-figures", _by_request(_generates, NEW)),
]  # fmt: skip

LIMITS = [
    Liar("ignores dimensions", "embeddings/dimensions", hears(
        lambda one: {k: v for k, v in one.items() if k != "dimensions"}, NEW)),
    Liar("cuts without normalising", "embeddings/dimensions", _by_request(
        lambda asked, value: value.update(embeddings=[
            [0.5 * n for n in one] if len(one) == 16 else one for one in value["embeddings"]]),
        NEW)),
    Liar("the last dimensions", "embeddings/dimensions", _by_request(
        lambda asked, value: value.update(embeddings=[
            one[::-1] if len(one) == 16 else one for one in value["embeddings"]]), NEW)),
    Liar("refuses dimensions", "embeddings/dimensions", refuses(
        NEW, lambda one: bool(one.get("dimensions")))),
    Liar("no dimensions at all", "embeddings/dimensions-beyond", _by_request(
        lambda asked, value: value.update(embeddings=[[]]) if asked.get("dimensions") == 0
        else None, NEW)),
    Liar("more dimensions are refused", "embeddings/dimensions-beyond", refuses(
        NEW, lambda one: (one.get("dimensions") or 0) > 64)),
    Liar("fills up with zeros", "embeddings/dimensions-beyond", _by_request(
        lambda asked, value: value.update(embeddings=[
            [*one, *[0.0] * ((asked.get("dimensions") or 0) - 64)]
            for one in value["embeddings"]]), NEW)),
    Liar("never cuts", "embeddings/truncates", refuses(NEW, too_long)),
    Liar("null does not cut", "embeddings/truncates", hears(
        lambda one: {**one, "truncate": False} if "truncate" in one and one["truncate"] is None
        else one, NEW)),
    Liar("counts what it cut off", "embeddings/truncates", _by_request(
        lambda asked, value: value.update(prompt_eval_count=232) if too_long(asked) else None,
        NEW)),
    Liar("keeps the end of a long text", "embeddings/truncates", hears(_from_the_end, NEW)),
    Liar("always cuts", "embeddings/truncate-false", hears(
        lambda one: {**one, "truncate": True}, NEW)),
    Liar("too long is 500", "embeddings/truncate-false", statuses(400, 500, NEW)),
    Liar("too long in other words", "embeddings/truncate-false", error_text(
        "too long", NEW, status=400)),
    Liar("truncate false refuses all", "embeddings/truncate-false", refuses(
        NEW, lambda one: one.get("truncate") is False)),
    Liar("leaves out what is too long", "embeddings/all-or-none", accepts(
        NEW, lambda one: isinstance(one.get("input"), list), {"embeddings": [[0.6, 0.8]] * 2})),
    Liar("null for what is too long", "embeddings/all-or-none", accepts(
        NEW, lambda one: isinstance(one.get("input"), list),
        {"embeddings": [[0.6, 0.8], None, [0.6, 0.8]]})),
    Liar("ignores num_ctx", "embeddings/window", _window(lambda found: 4096)),
    Liar("num_ctx without special tokens", "embeddings/window", _window(lambda found: found + 2)),
    Liar("one less than num_ctx", "embeddings/window", _window(lambda found: found - 1)),
    Liar("rounds num_ctx up", "embeddings/window-cuts", _window(lambda found: max(found, 256))),
    Liar("wants what fits num_ctx", "embeddings/window-not-wider", refuses(
        NEW, lambda one: _ctx(one) > 128)),
    Liar("counts beyond the context", "embeddings/window-not-wider", _by_request(
        lambda asked, value: value.update(prompt_eval_count=232) if _ctx(asked) > 128 else None,
        NEW)),
    Liar("embeds nothing but special tokens", "embeddings/no-room", _window(
        lambda found: max(found, 3))),
    Liar("numbers are texts", "embeddings/input-types", hears(
        lambda one: {**one, "input": [str(one["input"])]} if isinstance(one.get("input"), int)
        else one, NEW)),
    Liar("takes token ids", "embeddings/input-types", accepts(
        NEW, lambda one: one.get("input") == [1, 2], MADE_UP)),
    Liar("null is a text", "embeddings/input-types", accepts(
        NEW, lambda one: one.get("input") == ["a", None], MADE_UP)),
    Liar("wrong input is 422", "embeddings/input-types", statuses(400, 422, NEW)),
    Liar("looks for the model first", "embeddings/input-before-model", with_answers(
        lambda heard, answer: replace(answer, status=404, value={"error": "model not found"})
        if heard.path == NEW and any_model(heard.fields) else answer)),
    Liar("nothing needs no model", "embeddings/input-before-model", accepts(
        NEW, lambda one: one.get("input") == [], {"embeddings": []})),
    Liar("reads numbers out of text", "embeddings/field-types", hears(
        lambda one: {**one, "dimensions": 16} if one.get("dimensions") == "16" else one, NEW)),
    Liar("rounds dimensions", "embeddings/field-types", hears(
        lambda one: {**one, "dimensions": 16} if one.get("dimensions") == 16.5 else one, NEW)),
    Liar("truncates by any word", "embeddings/field-types", hears(
        lambda one: {**one, "truncate": True} if one.get("truncate") == "no" else one, NEW)),
    Liar("keeps alive for soon", "embeddings/field-types", hears(
        lambda one: {**one, "keep_alive": 1} if one.get("keep_alive") == "soon" else one, NEW)),
    Liar("half a body is no body", "embeddings/bodies", with_answers(
        lambda heard, answer: Answer(200, value={"embeddings": []})
        if heard.path == NEW and heard.body.startswith(b"{") and not heard.body.endswith(b"}")
        else answer)),
    Liar("no body is 500", "embeddings/bodies", with_answers(
        lambda heard, answer: replace(answer, status=500)
        if heard.path == OLD and not heard.body else answer)),
    Liar("any model embeds", "embeddings/unknown-model", accepts(NEW, any_model, MADE_UP)),
    Liar("no model is 400", "embeddings/unknown-model", statuses(404, 400, NEW)),
    Liar("says not which model", "embeddings/unknown-model", error_text(
        "model not found", NEW, status=404)),
    Liar("does not say pull it", "embeddings/unknown-model-text", error_text(
        'model "parallama-check-nobody" not found', *BOTH, status=404)),
    Liar("has a model of its own", "embeddings/no-model", accepts(
        NEW, lambda one: "model" not in one, MADE_UP)),
    Liar("older needs no model", "embeddings/no-model", accepts(
        OLD, lambda one: "model" not in one, MADE_UP)),
    Liar("refuses options of sampling", "embeddings/options-that-do-not-matter", refuses(
        NEW, lambda one: "temperature" in (one.get("options") or {}))),
    Liar("seeds its vectors", "embeddings/options-that-do-not-matter", _by_request(
        lambda asked, value: value.update(embeddings=[value["embeddings"][0][::-1]])
        if (asked.get("options") or {}).get("seed") else None, NEW)),
    Liar("does not check options", "embeddings/options-checked", hears(
        lambda one: {**one, "options": {}} if _ctx(one) == 0 and one.get("options") else one,
        NEW)),
    Liar("takes prompt for input", "embeddings/prompt-is-unknown", hears(
        lambda one: {"input": one.get("prompt"), **one}, NEW)),
    Liar("forgets the order of words", "embeddings/separate", _texts(
        lambda texts: [" ".join(sorted(one.lower().replace("?", " ?").replace(".", " .").split()))
                       for one in texts])),
    Liar("always the same vector", "embeddings/separate", _vectors(
        lambda found: [found[0] for _ in found])),
    Liar("drops signs", "embeddings/separate", _texts(
        lambda texts: [one.rstrip("?.!") for one in texts])),
]  # fmt: skip

EMBEDDINGS = [*ANSWERS, *LIMITS]

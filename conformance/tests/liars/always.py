"""Liars about laws: wrong only now and then, or only in company with something else.

Each is seen through the answers that some checks get which do not look for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from typing import Any

from ...evidence import Json
from ..honest import Answer, Heard, Lie
from ..lies import TALK, Fields, each, entries, errors, finals, shows, streams, values
from .liar import Liar

When = Callable[[Fields, int], Any]
LONG = 10  # records
EIGHT = ("usage/reasons",)  # chat and generate, whole and streamed, to their end and cut
LOGPROBS = ("logprobs/on-both-routes",)
VECTORS = ("embeddings/several", "embeddings/older-values")


def _sometimes(lie: Lie, when: When) -> Lie:
    """A lie that is told where the request, or how many there were, makes it."""
    asked = count(1)

    def say(heard: Heard, answer: Answer) -> Answer:
        told = heard.path.startswith("/api/") and when(heard.fields, next(asked))
        return lie.say(heard, answer) if told else answer

    return Lie(say=say)


def _every(number: int) -> When:
    return lambda fields, asked: asked % number == 0


def _later(fields: Fields, asked: int) -> bool:
    return asked > 1


def _with(*names: str) -> When:
    return lambda fields, asked: all(fields.get(name) for name in names)


def _given(name: str) -> When:
    """Where an option is given."""
    return lambda fields, asked: name in (fields.get("options") or {})


def _streamed(fields: Fields, asked: int) -> bool:
    return fields.get("stream") is not False


def _again(change: Callable[[Fields], Any]) -> Lie:
    """What comes second on a connection is another answer."""

    def again(answer: Answer, asked: int) -> Answer:
        if asked < 2 or not isinstance(answer.value, dict):
            return answer
        value = {**answer.value}
        change(value)
        return replace(answer, value=value)

    return Lie(again=again)


def _long(change: Callable[[list[Fields]], Any]) -> Lie:
    """Only long streams are others."""
    return streams(lambda records: change(records) if len(records) > LONG else None, *TALK)


def _more(name: str, by: int) -> Lie:
    """A figure of the last record is off."""
    return finals(lambda record: record.update({name: record.get(name, 0) + by}))


def _says(change: Callable[[str], str]) -> Lie:
    """What is said is something else, in one record."""

    def changed(record: Fields) -> None:
        place = record.get("message", record)
        name = "response" if place is record else "content"
        if place.get(name):
            place[name] = change(place[name])

    return each(changed)


def _calls(change: Callable[[int, Fields], Any]) -> Lie:
    def changed(record: Fields) -> None:
        for number, call in enumerate(record.get("message", {}).get("tool_calls", ())):
            change(number, call)

    return each(changed)


def _logprobs(change: Callable[[Fields], Any]) -> Lie:
    def changed(record: Fields) -> None:
        for entry in record.get("logprobs", ())[:1]:
            change(entry)

    return each(changed)


def _thinks_last(records: list[Fields]) -> None:
    place = records[-1].get("message", records[-1])
    place["thinking"] = "One more thing."


def _texted(answer: Answer) -> Answer:
    return replace(answer, media_type="text/plain")


def _second_done(records: list[Fields]) -> None:
    records[1]["done"] = True


def _back(records: list[Fields]) -> None:
    records[-2]["created_at"] = records[0]["created_at"][:-6] + "Z"


def _origins(heard: Heard, answer: Answer) -> Answer:
    return replace(answer, headers=(*answer.headers, ("Access-Control-Allow-Origin", "*")))


def _message(value: Fields) -> None:
    if "error" in value:
        value["message"] = value.pop("error")


def _stop(record: Fields) -> None:
    record.get("message", record)["content" if "message" in record else "response"] = " 17 11 4 20"


def _with_pictures(fields: Fields, asked: int) -> bool:
    return "images" in str(fields.get("messages"))


def _moved(**given: Json) -> Lie:
    """The first record of creating a model."""
    return streams(lambda records: records[0].update(given), "/api/create")


def _growing(heard: Heard, answer: Answer) -> Answer:
    """The total of what moves is told anew with each record."""
    live = answer.live

    def flow() -> Iterator[Fields]:
        for number, record in enumerate(live or ()):
            yield {**record, "total": record["total"] + number} if "total" in record else record

    return answer if live is None else replace(answer, live=flow())


def _vectors(change: Callable[[list[list[float]]], Any]) -> Lie:
    """The vectors of several texts."""

    def changed(value: Fields) -> None:
        if len(value["embeddings"]) > 1:
            change(value["embeddings"])

    return values(changed, "/api/embed")


def _swap(vectors: list[list[float]]) -> None:
    vectors.reverse()


def _double(vectors: list[list[float]]) -> None:
    vectors[-1] = [2 * one for one in vectors[-1]]


def _law(law: str, name: str, lie: Lie, *met_by: str) -> Liar:
    return Liar(name, f"always/{law}", lie, met_by or EIGHT)


def _number(name: str) -> Callable[[Fields], None]:
    return lambda record: record.update({name: str(record[name])}) if name in record else None


ALWAYS = [
    _law("answers-by-schema", "no time with logprobs",
         _sometimes(each(shows(created_at=None)), _with("logprobs")), *LOGPROBS),
    _law("answers-by-schema", "every third count is a text",
         _sometimes(finals(_number("eval_count")), _every(3))),
    _law("answers-by-schema", "figures within long streams",
         _long(lambda records: records[LONG // 2].update(eval_count=3)), "chat/recites",
         "stream/joined-equals-whole"),
    _law("answers-by-schema", "a role that is missing with pictures",
         _sometimes(each(lambda one: one["message"].pop("role"), "/api/chat"), _with_pictures),
         "vision/counted"),
    _law("done-is-last", "long streams end twice", _long(_second_done),
         "stream/joined-equals-whole"),
    _law("model-is-echoed", "stopped answers name the tag",
         _sometimes(finals(lambda one: one.update(model=f"{one['model']}:latest")), _given("stop")),
         "usage/stopped-count"),
    _law("model-is-echoed", "the second on a connection names the tag",
         _again(lambda value: value.update(model="m") if "model" in value else None),
         "concurrency/everything-twice"),
    _law("times-of-the-answer", "a year off each fourth time",
         _sometimes(each(lambda one: one.update(created_at="2019" + one["created_at"][4:])),
                    _every(4))),
    _law("times-of-the-answer", "long streams go back in time", _long(_back),
         "stream/joined-equals-whole"),
    _law("durations-fit", "a total in other units each third time",
         _sometimes(finals(lambda one: one.update(total_duration=one["total_duration"] * 1000)),
                    _every(3))),
    _law("durations-fit", "a part is longer than the whole with logprobs",
         _sometimes(_more("load_duration", 10**10), _with("logprobs")), *LOGPROBS),
    _law("counts-fit", "streams with logprobs count one more",
         _sometimes(_more("eval_count", 1), _with("logprobs")), "logprobs/cover-the-text",
         "logprobs/on-both-routes", "logprobs/shape"),
    _law("counts-fit", "every fourth count is one less", _sometimes(_more("eval_count", -1),
                                                                      _every(4))),
    _law("types-of-answers", "streams with logprobs are called JSON",
         _sometimes(Lie(say=lambda heard, one: replace(one, media_type="application/json")),
                    _with("logprobs")), "logprobs/cover-the-text", *LOGPROBS, "logprobs/shape"),
    _law("stop-strings-are-not-said", "a stop string of streams ends what it ends",
         _sometimes(_long(lambda records: _stop(records[-1])), _given("stop")), "options/stop",
         "options/stop-first-match", "options/stop-withheld"),
    _law("stop-strings-are-not-said", "a stop string ends what it ends",
         _sometimes(_says(lambda text: f"{text} 17 "), _given("stop")), "usage/stopped-count"),
    _law("marks-are-not-said", "every fifth answer ends in its mark",
         _sometimes(_says(lambda text: f"{text}<|end|>"), _every(5))),
    _law("thoughts-come-first", "thinks again in long streams", _long(_thinks_last),
         "stream/joined-equals-whole"),
    _law("calls-are-whole", "streamed calls are all the first",
         _sometimes(_calls(lambda number, call: call["function"].update(index=0)), _streamed),
         "tools/two-at-once", "tools/streamed-whole", "tools/indexes"),
    _law("calls-are-whole", "calls have one id",
         _calls(lambda number, call: call.update(id="call_aaaaaaaa")), "tools/two-at-once"),
    _law("logprobs-as-asked", "logprobs that nobody asked for", _sometimes(
        each(lambda one: one.update(logprobs=[{"token": "a", "logprob": -1, "bytes": [97]}])),
        _every(4))),
    _law("logprobs-as-asked", "the first entry has no bytes",
         _sometimes(_logprobs(lambda entry: entry.pop("bytes")), _every(2)), *LOGPROBS),
    _law("logprobs-as-asked", "one more than were asked for",
         _sometimes(_logprobs(lambda entry: entry.get("top_logprobs", []).append(
             {"token": "a", "logprob": -99.0, "bytes": [97]})), _later), *LOGPROBS,
         "logprobs/shape"),
    _law("lists-by-schema", "the second list has texts for sizes",
         _sometimes(entries(_number("size"), "/api/tags", "/api/ps"), _later),
         "tags/times-and-digests", "tags/lists-the-model", "lifecycle/digest-of-tags"),
    _law("lists-agree", "the second list names the model otherwise",
         _sometimes(entries(lambda one: one.update(model="m:latest"), "/api/tags", "/api/ps"),
                    _later), "tags/times-and-digests", "lifecycle/digest-of-tags"),
    _law("models-stay-what-they-are", "another digest the second time", _sometimes(
        entries(lambda one: one.update(digest="0" * 64), "/api/tags", "/api/ps"), _later),
         "tags/times-and-digests", "lifecycle/digest-of-tags"),
    _law("models-stay-what-they-are", "shown otherwise the second time",
         _sometimes(values(shows(template="{{ .Prompt }}"), "/api/show"), _later),
         "show/template", "show/parameters", "show/shape"),
    _law("moves-by-schema", "succeeds twice", _moved(status="success"), "create/from-model"),
    _law("moves-by-schema", "more than there is", _moved(total=1, completed=2),
         "create/from-model"),
    _law("totals-stay", "totals grow", Lie(say=_growing), "pull/progress-goes-on"),
    _law("vectors-are-whole", "the last of several is longer", _vectors(_double), *VECTORS),
    _law("vectors-are-whole", "the last of several is lost", _vectors(lambda found: found.pop()),
         *VECTORS),
    _law("same-text-same-vector", "several are in another order", _vectors(_swap), *VECTORS,
         "embeddings/batch-equals-single", "embeddings/order"),
    _law("errors-are-told", "every second error is an object", _sometimes(
        errors(lambda one: replace(one, value={"error": {"message": "no"}})), _every(2)),
         "errors/unknown-model", "errors/shape"),
    _law("errors-are-told", "the second error on a connection is told otherwise",
         _again(_message),
         "core/kept-alive", "concurrency/everything-twice"),
    _law("errors-are-told", "every second error is called a text",
         _sometimes(errors(_texted), _every(2)), "errors/unknown-model", "errors/shape"),
    _law("no-page-no-permission", "answers with logprobs are for all origins",
         _sometimes(Lie(say=_origins), _with("logprobs")), *LOGPROBS),
    _law("types-and-frames", "streams say that they close", Lie(say=lambda heard, one: replace(
        one, headers=(*one.headers, ("Connection", "close"))) if one.records else one),
         "concurrency/everything-twice"),
    _law("words-of-the-script", "every fifth answer is louder",
         _sometimes(_says(str.upper), _every(5))),
    _law("words-of-the-script", "streams with logprobs count a token less",
         _sometimes(_more("prompt_eval_count", -1), _with("logprobs")), *LOGPROBS),
    _law("same-question-same-answer", "every fifth answer has another last word",
         _sometimes(_more("eval_count", 1), _every(5))),
    _law("same-question-same-answer", "every third is one too many",
         _sometimes(Lie(say=lambda heard, one: Answer(500, value={"error": "no slot"})),
                    _every(3)), "concurrency/same-question", "context/answers-are-bounded"),
    _law("durations-fit", "vectors take an hour", _sometimes(values(
        lambda one: one.update(total_duration=3600 * 10**9), "/api/embed"), _later), *VECTORS),
    _law("same-prompt-same-count", "the second time a text has no begin", _sometimes(values(
        lambda one: one.update(prompt_eval_count=one["prompt_eval_count"] - 1), "/api/embed"),
        _later), "embeddings/again", "embeddings/count"),
    _law("cut-answers-are-beginnings", "cut answers are others",
         _sometimes(_says(lambda text: f" {text}"), _given("num_predict"))),
    _law("same-prompt-same-count", "cached prompts count for less",
         _sometimes(_more("prompt_eval_count", -1), _every(5))),
]  # fmt: skip

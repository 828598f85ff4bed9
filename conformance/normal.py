"""Exchanges without what differs from run to run, so that two servers' answers compare.

Times, durations, digests, paths and our own names become words in angle brackets; the records
of an answer become one, since how it was cut into pieces is nobody's business. Pure.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from .evidence import Exchange, Json

MAX_TEXT = 2_000  # characters kept of a text; of the rest its hash
OUR_NAME = "parallama-check-"
TIMES = {"created_at", "modified_at", "expires_at"}
DURATIONS = {"total_duration", "load_duration", "prompt_eval_duration", "eval_duration"}
SIZES = {"size", "size_vram"}
DIGITS = 2  # of log probabilities and vectors: engines round differently

_DIGEST = re.compile(r"(sha256[:-])?\b[0-9a-f]{64}\b")
_PATH = re.compile(r"(?<![\w/])(?!/api/)(/[\w.@+-]+)+/blobs/<digest>")
_LAYER = re.compile(r"(creating new|using existing) layer")  # it depends on what was there
_CALL_ID = re.compile(r"call_[a-z0-9]+")
_PULLING = re.compile(r"\b(pulling|pushing) [0-9a-f]{12}\b")


@dataclass(frozen=True, slots=True)
class Parting:
    """One request to which two servers said different things."""

    request: dict[str, Any]
    reference: Json
    actual: Json

    def document(self) -> dict[str, Any]:
        """Itself as run.jsonl has it."""
        return {"request": self.request, "reference": self.reference, "actual": self.actual}


def normal(exchanges: Sequence[Exchange], token: str) -> list[dict[str, Any]]:
    """Request and answer of each exchange that was answered whole, without what is its own."""
    whole = (one for one in exchanges if one.error is None and not one.tail)
    return [_pair(one, token) for one in whole if not _asks_what_is_there(one)]


def _asks_what_is_there(one: Exchange) -> bool:
    """Whether the answer tells of the server's store only: a blob that is there or is not."""
    return one.request.path.startswith("/api/blobs/") and one.status in (200, 201, 404)


def partings(
    reference: Sequence[dict[str, Any]], actual: Sequence[dict[str, Any]]
) -> list[Parting]:
    """The requests that both were asked, and answered differently; order does not matter."""
    there, here = _by_request(reference), _by_request(actual)
    found = []
    for key, (request, answers) in here.items():
        if key not in there:
            continue
        theirs = there[key][1]
        ours_only = [one for one in answers if one not in theirs]
        theirs_only = [one for one in theirs if one not in answers]
        if ours_only and theirs_only:
            found.append(Parting(request, theirs_only[0], ours_only[0]))
    return found


def first_difference(reference: Json, actual: Json, place: str = "") -> tuple[str, Json, Json]:
    """Where two values part first: the place, and both values there."""
    if isinstance(reference, dict) and isinstance(actual, dict):
        for key in [*reference, *(key for key in actual if key not in reference)]:
            if key not in reference or key not in actual or reference[key] != actual[key]:
                inside = f"{place}.{key}" if place else str(key)
                return first_difference(reference.get(key), actual.get(key), inside)
    if isinstance(reference, list) and isinstance(actual, list) and len(reference) == len(actual):
        for index, (one, other) in enumerate(zip(reference, actual, strict=True)):
            if one != other:
                return first_difference(one, other, f"{place}[{index}]")
    return place, reference, actual


def _by_request(
    pairs: Sequence[dict[str, Any]],
) -> dict[str, tuple[dict[str, Any], list[Json]]]:
    found: dict[str, tuple[dict[str, Any], list[Json]]] = {}
    for pair in pairs:
        key = json.dumps(pair["request"], sort_keys=True)
        found.setdefault(key, (pair["request"], []))[1].append(pair["answer"])
    return found


def _pair(one: Exchange, token: str) -> dict[str, Any]:
    sent = one.request.body
    request: dict[str, Any] = {
        "method": one.request.method,
        "path": _text(one.request.path, token),
    }
    asked: Json = None
    if sent is not None:
        asked = _parsed(sent.decode(errors="replace"))
        request["body"] = _value(asked, token)
    answer: dict[str, Any] = {"status": one.status}
    if one.media_type:
        answer["type"] = one.media_type
    if one.body:
        answer["body"] = _body(one, asked, token)
    return {"request": request, "answer": answer}


def _body(one: Exchange, asked: Json, token: str) -> Json:
    records = _records(one.loose_text)
    if records is None:
        return _value(one.loose_text, token)
    if one.request.path.startswith(("/api/chat", "/api/generate")):
        records = [_joined(records)]
        if _draws(asked):
            _forget_words(records[0])
    told = [_value(record, token) for record in records]
    return told[0] if len(told) == 1 else list(_without_repeats(told))


def _records(text: str) -> list[dict[str, Any]] | None:
    """The JSON objects of a body; None where it is something else."""
    found = [_parsed(line) for line in text.split("\n") if line.strip()]
    if not found or not all(isinstance(one, dict) for one in found):
        whole = _parsed(text)
        return [whole] if isinstance(whole, dict) else None
    return found


def _joined(records: list[dict[str, Any]]) -> dict[str, Any]:
    """The records of one answer as one: texts and lists joined, the rest from the last."""
    made: dict[str, Any] = {}
    for record in records:
        for key, value in record.items():
            made[key] = _together(made.get(key), value) if key in JOINED else value
    return made


JOINED = {"response", "thinking", "message", "content", "tool_calls", "logprobs"}


def _together(before: Json, value: Json) -> Json:
    if isinstance(before, dict) and isinstance(value, dict):
        return {**before, **{key: _together(before.get(key), one) if key in JOINED else one
                             for key, one in value.items()}}  # fmt: skip
    if isinstance(before, str) and isinstance(value, str):
        return before + value
    if isinstance(before, list) and isinstance(value, list):
        return before + value
    return value


def _draws(asked: Json) -> bool:
    """Whether a request leaves its words to chance."""
    options = asked.get("options") if isinstance(asked, dict) else None
    return not (isinstance(options, dict) and options.get("temperature") == 0)


def _forget_words(record: dict[str, Any]) -> None:
    for key in ("response", "thinking", "context", "eval_count", "logprobs"):
        if key in record:
            record[key] = "<drawn>"
    message = record.get("message")
    if isinstance(message, dict):
        record["message"] = {
            key: "<drawn>" if key in ("content", "thinking", "tool_calls") else value
            for key, value in message.items()
        }


def _without_repeats(records: Sequence[Json]) -> Iterator[Json]:
    """Progress that says the same again is one record."""
    for place, record in enumerate(records):
        if place == 0 or record != records[place - 1]:
            yield record


def _parsed(text: str) -> Json:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _value(value: Json, token: str, key: str = "") -> Json:
    if key in TIMES:
        return "<time>" if isinstance(value, str) else value
    if key in DURATIONS or key in SIZES or key == "completed":
        return "<number>" if isinstance(value, int | float) else value
    if isinstance(value, dict):
        return {name: _value(one, token, name) for name, one in value.items()}
    if isinstance(value, list):
        kept = _ours(value, token) if key == "models" else value
        return [_value(one, token) for one in kept]
    if isinstance(value, float):
        return round(value, DIGITS)
    return _text(value, token) if isinstance(value, str) else value


def _ours(models: list[Json], token: str) -> list[Json]:
    """Without the models that this run did not create."""
    name = f"{OUR_NAME}{token}"
    ours = [one for one in models if isinstance(one, dict) and name in str(one.get("name"))]
    return sorted(ours, key=lambda one: str(one.get("name")))


def _text(text: str, token: str) -> str:
    text = re.sub(f"({OUR_NAME}){re.escape(token)}", r"\1TOKEN", text, flags=re.IGNORECASE)
    text = _DIGEST.sub("<digest>", text)
    text = _PATH.sub("<path>", text)
    text = _LAYER.sub("layer", text)
    text = _PULLING.sub(r"\1 <digest>", text)
    text = _CALL_ID.sub("<call>", text)
    if len(text) <= MAX_TEXT:
        return text
    rest = hashlib.sha256(text.encode(errors="replace")).hexdigest()[:16]
    return f"{text[:MAX_TEXT]}<and more: {rest}>"

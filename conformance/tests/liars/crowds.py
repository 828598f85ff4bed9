"""Liars about time, about clients that leave, and about company."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from ..bodies import what_came_first
from ..honest import Answer, Heard, Lie
from ..lies import TALK, answers, hears, streams, values, with_answers
from ..shelf import iso
from .liar import Liar

BLOCK = 4096


def _blocks(lines: list[bytes]) -> list[bytes]:
    whole = b"".join(lines)
    return [whole[at : at + BLOCK] for at in range(0, len(whole), BLOCK)]


def _dozens(lines: list[bytes]) -> list[bytes]:
    return [b"".join(lines[at : at + 12]) for at in range(0, len(lines), 12)]


def _too_even(records: list[dict[str, Any]]) -> None:
    """A second between any two records, whenever they were made."""
    for number, record in enumerate(records):
        record["created_at"] = iso(datetime.now(UTC) + timedelta(seconds=number))


def _as_stream(heard: Heard, answer: Answer) -> Answer:
    """An error of a stream is a record of it, with status 200."""
    if heard.path in TALK and answer.status >= 400 and heard.fields.get("stream") is True:
        return Answer(media_type="application/x-ndjson", records=[answer.value])
    return answer


def _ended_by_error(heard: Heard, answer: Answer) -> Answer:
    if heard.path in TALK and answer.status >= 400 and heard.fields.get("stream") is True:
        return replace(answer, media_type="application/x-ndjson")
    return answer


def _slow_tail(answer: Answer, count: int) -> Answer:
    """What is asked late on a connection is answered by another model."""
    if count < 13 or not isinstance(answer.value, dict) or "version" not in answer.value:
        return answer
    return replace(answer, value={"version": "0.0.1"})


def _forgets_words(answer: Answer, count: int) -> Answer:
    """Streams lose their first record once the connection is old."""
    return replace(answer, records=answer.records[1:]) if count > 13 and answer.records else answer


def _twin_tags(value: dict[str, Any]) -> None:
    value["models"] += [one for one in value["models"] if "twins" in one["name"]]


def _hasty(fields: dict[str, Any]) -> dict[str, Any]:
    """An answer ends when its keep_alive has passed."""
    kept = fields.get("keep_alive")
    if isinstance(kept, float) and 0 < kept < 1 and isinstance(fields.get("options"), dict):
        return {**fields, "options": {**fields["options"], "num_predict": 20}}
    return fields


ARRIVAL = [
    Liar("flushes blocks of 4 KB", "stream/flushed-line-by-line", Lie(gather=_blocks, pace=6.0)),
    Liar(
        "flushes a dozen at a time", "stream/flushed-line-by-line", Lie(gather=_dozens, pace=15.0)
    ),
    Liar("lingers before the end", "stream/ends-at-once", Lie(lingers_s=0.9)),
    Liar("makes its times up", "stream/times-are-of-the-making", streams(_too_even, *TALK)),
    Liar("errors within 200", "stream/errors-before-the-first-record", with_answers(_as_stream)),
    Liar(
        "errors as a line of a stream",
        "stream/errors-before-the-first-record",
        with_answers(_ended_by_error),
    ),
    Liar("gives the next what was left", "stream/hang-up-leaves-nothing", Lie(flaw="leftovers")),
    Liar("serves the departed first", "stream/hang-up-anywhere", Lie(flaw="serves_out")),
    Liar(
        "works on for the departed", "stream/hang-up-stops-the-work", Lie(flaw="outlives_clients")
    ),
    Liar("one slow reader stalls all", "stream/slow-reader", Lie(flaw="one_writer")),
    Liar(
        "one slow reader stalls streams", "stream/slow-reader-beside-others", Lie(flaw="one_talker")
    ),
    Liar("takes the first part for the body", "stream/body-in-pieces", Lie(body=what_came_first)),
    Liar(
        "no origin on streams",
        "stream/cors",
        answers(lambda one: replace(one, headers=()) if one.records else one, *TALK),
    ),
]

CONCURRENCY = [
    Liar("crosses a crowd", "concurrency/mixed-crowd", Lie(flaw="crosses")),
    Liar("one set of options for all", "concurrency/mixed-crowd", Lie(flaw="shares_options")),
    Liar("equal prompts share an end", "concurrency/same-question", Lie(flaw="shares_prompts")),
    Liar("a queue of eight", "concurrency/long-queue", Lie(flaw="short_queue")),
    Liar("refuses any company", "concurrency/long-queue", Lie(flaw="refuses_company")),
    Liar("a batch fails together", "concurrency/errors-beside-answers", Lie(flaw="errors_spread")),
    Liar("leaks the places of the departed", "concurrency/abort-storm", Lie(flaw="leaks_slots")),
    Liar("old connections lose words", "concurrency/everything-twice", Lie(again=_forgets_words)),
    Liar("old connections, old versions", "concurrency/everything-twice", Lie(again=_slow_tail)),
    Liar("options leak", "concurrency/options-do-not-leak", Lie(flaw="shares_options")),
    Liar("unloading cuts", "concurrency/unload-while-busy", Lie(flaw="cuts_on_unload", pace=5.0)),
    Liar(
        "a short keep_alive cuts", "concurrency/keep-alive-shorter-than-the-answer", hears(_hasty)
    ),
    Liar(
        "reloading cuts", "concurrency/other-window-meanwhile", Lie(flaw="cuts_on_reload", pace=5.0)
    ),
    Liar(
        "lists nothing while it creates",
        "concurrency/create-and-delete-meanwhile",
        Lie(flaw="rewrites_store"),
    ),
    Liar(
        "lists twins twice", "concurrency/one-name-created-twice", values(_twin_tags, "/api/tags")
    ),
    Liar(
        "no blob comes twice",
        "concurrency/one-blob-uploaded-twice",
        with_answers(
            lambda heard, one: (
                Answer(409, value={"error": "exists"})
                if heard.path.startswith("/api/blobs")
                and heard.method == "POST"
                and one.status == 200
                else one
            )
        ),
    ),
    Liar("one thread", "concurrency/other-routes-meanwhile", Lie(flaw="one_thread", pace=8.0)),
]

RESIDENCY = [
    Liar("holds what the departed used", "lifecycle/hang-up-lets-go", Lie(flaw="outlives_clients")),
    Liar(
        "holds what those wanted whole",
        "lifecycle/hang-up-lets-go-unstreamed",
        Lie(flaw="outlives_unstreamed"),
    ),
    Liar(
        "unloads when one leaves",
        "lifecycle/hang-up-keeps-the-model",
        Lie(flaw="departure_unloads"),
    ),
    Liar(
        "loads whatever is asked",
        "lifecycle/load-is-checked",
        hears(lambda one: {**one, "options": {}} if not one.get("prompt") else one, *TALK),
    ),
    Liar(
        "checks before it unloads",
        "lifecycle/unload-is-not-checked",
        with_answers(
            lambda heard, one: (
                Answer(400, value={"error": "bad option"})
                if one.status == 200 and heard.fields.get("options", {}).get("num_ctx") == "many"
                else one
            )
        ),
    ),
    Liar(
        "unloads whom it does not know",
        "lifecycle/unload-of-nobody",
        with_answers(
            lambda heard, one: (
                Answer(200, value={"done": True, "done_reason": "unload"})
                if heard.fields.get("keep_alive") == 0
                else one
            )
        ),
    ),
    Liar(
        "null where no model is loaded",
        "lifecycle/empty-list",
        values(lambda one: {"models": one["models"] or None}, "/api/ps"),
    ),
    Liar(
        "lists the next to go first",
        "lifecycle/two-models",
        values(lambda one: {"models": one["models"][::-1]}, "/api/ps"),
    ),
    Liar(
        "short with a second model",
        "lifecycle/two-models-at-once",
        hears(
            lambda one: (
                {**one, "options": {**one["options"], "num_predict": 3}}
                if "second" in str(one.get("model")) and "options" in one
                else one
            ),
            *TALK,
        ),
    ),
]

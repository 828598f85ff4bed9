"""Liars that only an odd request about models finds out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from ..honest import Answer, Heard, Lie
from ..lies import answers, hears, refuses, statuses, with_answers
from .fuzz import OOPS, _instead, _lenient
from .liar import Liar

Fields = dict[str, Any]
CREATE, COPY, DELETE, SHOW = "/api/create", "/api/copy", "/api/delete", "/api/show"
EMBED, PULL, PUSH = "/api/embed", "/api/pull", "/api/push"
NAMED = ("model", "name", "source")


def _one_short(heard: Heard, answer: Answer) -> Answer:
    """The last of several texts is not embedded."""
    made = (answer.value or {}).get("embeddings") if heard.path == EMBED else None
    if made is None or len(made) < 2:
        return answer
    return replace(answer, value={**answer.value, "embeddings": made[:-1]})


def _cut_by_half(heard: Heard, answer: Answer) -> Answer:
    """The last vector of several is of another size."""
    made = (answer.value or {}).get("embeddings") if heard.path == EMBED else None
    if not made or len(made) < 2 or answer.status != 200:
        return answer
    return replace(answer, value={**answer.value, "embeddings": [*made[:-1], made[-1][:1]]})


def _stripped(fields: Fields) -> None:
    if isinstance(fields.get("system"), str):
        fields["system"] = fields["system"].strip()


def _knows_case(heard: Heard, answer: Answer) -> Answer:
    """Names are as they were written; another spelling is another model."""
    given = [heard.fields.get(key) for key in NAMED]
    odd = any(isinstance(one, str) and one != one.lower() for one in given)
    if heard.path in (COPY, DELETE, SHOW) and odd and answer.status == 200:
        return Answer(404, value={"error": "model not found"})
    return answer


def _untagged(fields: Fields) -> None:
    """The tag of a copy is dropped."""
    place = fields.get("destination")
    if isinstance(place, str):
        fields["destination"] = place.partition(":")[0]


def _lowered_name(fields: Fields) -> Fields:
    """`name` is not known."""
    return {key: value for key, value in fields.items() if key != "name"}


def _tame(fields: Fields) -> None:
    """A name that cannot be is made one that can."""
    for key in ("model", "name"):
        if isinstance(fields.get(key), str):
            kept = "".join(one for one in fields[key] if one.isascii() and one.isprintable())
            fields[key] = "".join(one if one.isalnum() or one in "-_.:/" else "-" for one in kept)


def _twice(answer: Answer) -> Answer:
    """Success is told, and told again."""
    if answer.live is None:
        return answer

    def told(records: Iterator[Fields]) -> Iterator[Fields]:
        for record in records:
            yield record
            if record.get("status") == "success":
                yield record

    return replace(answer, live=told(answer.live))


def _always_streams(fields: Fields) -> Fields:
    return {**fields, "stream": True}


FUZZ_MODELS = [
    Liar("one vector short of several", "fuzz/embed", with_answers(_one_short)),
    Liar("a vector of another size", "fuzz/embed", with_answers(_cut_by_half)),
    Liar("no dimensions is a wrong number of them", "fuzz/embed",
         refuses(EMBED, lambda one: one.get("dimensions") == 0)),
    Liar("nothing to embed is an error", "fuzz/embed",
         refuses(EMBED, lambda one: not one.get("input"))),
    Liar("looks at stream in embed", "fuzz/embed",
         refuses(EMBED, lambda one: one.get("stream") is True)),
    Liar("any truncate will do", "fuzz/wrong-types-of-embed",
         _lenient(lambda fields: fields["truncate"], bool)),
    Liar("422 in embed", "fuzz/wrong-types-of-embed", statuses(400, 422, EMBED)),
    Liar("trims system texts", "fuzz/create", hears(_stripped, CREATE)),
    Liar("no license is a wrong one", "fuzz/create",
         refuses(CREATE, lambda one: "license" in one and one["license"] is None)),
    Liar("500 over a null stream in create", "fuzz/create",
         _instead(OOPS, lambda one: one.path == CREATE and one.fields.get("stream", 1) is None)),
    Liar("makes names that can be", "fuzz/impossible-names-of-create", hears(_tame, CREATE)),
    Liar("500 for a name that cannot be", "fuzz/impossible-names-of-create",
         statuses(400, 500, CREATE)),
    Liar("copies under no tag", "fuzz/copy", hears(_untagged, COPY)),
    Liar("copies by one spelling only", "fuzz/copy", with_answers(_knows_case)),
    Liar("says what it copied", "fuzz/copy",
         answers(lambda one: replace(one, value={"status": "success"})
                 if one.status == 200 else one, COPY)),
    Liar("deletes with 204", "fuzz/delete", statuses(200, 204, DELETE)),
    Liar("deletes by model only", "fuzz/delete", hears(_lowered_name, DELETE)),
    Liar("deletes by one spelling only", "fuzz/delete", with_answers(_knows_case)),
    Liar("promises to delete", "fuzz/delete", Lie(flaw="never_deletes")),
    Liar("shows by one spelling only", "fuzz/show-spelt", with_answers(_knows_case)),
    Liar("404 for a name that cannot be", "fuzz/impossible-names", statuses(400, 404, SHOW)),
    Liar("500 for a place that cannot be", "fuzz/impossible-names", statuses(400, 500, COPY)),
    Liar("pulls, and says so twice", "fuzz/pull", answers(_twice, PULL)),
    Liar("a null stream is a wrong one", "fuzz/pull",
         _instead(Answer(400, value={"error": "stream"}),
                  lambda one: one.path == PULL and one.fields.get("stream", 1) is None)),
    Liar("pulls in streams only", "fuzz/pull", hears(_always_streams, PULL)),
    Liar("pushes in streams only", "fuzz/push", hears(_always_streams, PUSH)),
    Liar("lets nobody in by name", "fuzz/push",
         _instead(Answer(401, value={"error": "unauthorized"}),
                  lambda one: one.path == PUSH and bool(one.fields.get("username")))),
    Liar("any insecure will do", "fuzz/wrong-transfers",
         _lenient(lambda fields: fields["insecure"], bool)),
    Liar("looks for names that cannot be", "fuzz/wrong-transfers", hears(_tame, PULL)),
    Liar("500 for wrong types in push", "fuzz/wrong-transfers", statuses(400, 500, PUSH)),
]  # fmt: skip

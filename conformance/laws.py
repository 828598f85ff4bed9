"""What may be answered to a request that was made up: pure, from the exchange alone.

The laws say what is forbidden and tolerate the rest. Never is a connection dropped, never does
nothing come, and no answer is a 5xx, but where Ollama itself says 500 (a wrong type in `options`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from .evidence import Exchange, Record, Wrong, parse_object, shortened
from .schema import violation


class Law(StrEnum):
    """What an answer owes."""

    ANSWERED = "status 200 and an answer by the schema"
    REFUSED = "status 400 and a JSON error"
    LACKING = "status 400 or 404 and a JSON error"
    OPTION = "status 400 (or 500, as Ollama has it) and a JSON error"
    SURVIVED = "status 200 and an answer by the schema, or 4xx and a JSON error"
    DONE = "status 200 and an empty body"


STATUSES = {
    Law.ANSWERED: (200,),
    Law.REFUSED: (400,),
    Law.LACKING: (400, 404),
    Law.OPTION: (400, 500),
    Law.SURVIVED: (200, *range(400, 500)),
    Law.DONE: (200,),
}
PROGRESS = ("create", "pull", "push")  # their records end in success


@dataclass(frozen=True, slots=True)
class Case:
    """A request that was made up, and the law for its answer."""

    method: str
    path: str
    body: bytes | None
    law: Law
    shape: str = ""  # the schema of its answers; empty: any JSON will do
    streams: bool = False
    loads: bool = False  # nothing is asked: the answer is that of loading
    wild: bool = False  # the model may say bytes that are no text
    vectors: int | None = None  # how many there have to be


def broken(got: Exchange, case: Case) -> str | None:
    """What is wrong with an answer, as a sentence; None where it keeps the law."""
    try:
        if got.code not in STATUSES[case.law]:
            return f"status {got.status}: {shortened(got.loose_text)}"
        if case.law is Law.DONE:
            return f"a body: {shortened(got.loose_text)}" if got.body else None
        return _answer(got, case) if got.code == 200 else _error(got)
    except Wrong as wrong:
        return f"{wrong.actual}, where {wrong.expected} belongs"


def _error(got: Exchange) -> str | None:
    if got.media_type != "application/json":
        return f"status {got.status} with the type {got.media_type or 'of nothing'}"
    _ = got.error_text
    return violation(got.object, "error", "response")


def _answer(got: Exchange, case: Case) -> str | None:
    if not case.shape or (case.wild and _unfinished(got)):
        return None
    if not case.streams or (case.loads and len(got.body.splitlines()) == 1):
        told = parse_object(got.text, "the body")
        return violation(told, case.shape, "response") or _counted(told, case)
    problems = (violation(record, case.shape, "record") for record in got.records)
    found = next((problem for problem in problems if problem), None)
    if found is None and case.shape in ("chat", "generate"):
        done = [record["done"] for record in got.records]
        if done != [False] * (len(done) - 1) + [True]:
            return f"`done` was {done}"
    if found is None and case.shape in PROGRESS:
        ended = [record["status"] == "success" for record in got.records]
        if ended != [False] * (len(ended) - 1) + [True]:
            return f"success was told in records {[at for at, one in enumerate(ended) if one]}"
    return found


def _counted(told: Record, case: Case) -> str | None:
    """What is wrong with the number of vectors, or with their sizes."""
    if case.vectors is None:
        return None
    sizes = [len(one) for one in told["embeddings"]]
    if len(sizes) != case.vectors:
        return f"{len(sizes)} vectors for {case.vectors} texts"
    return f"vectors of the sizes {sizes}" if len(set(sizes)) > 1 else None


def _unfinished(got: Exchange) -> bool:
    """Whether nothing says that the answer is over, be it streamed or one object.

    Ollama forgets the end, and at times all, where the last bytes of an answer are no text.
    """
    if not got.body:
        return True
    lines = got.text.splitlines()
    return parse_object(lines[-1], "the last line").get("done") is False

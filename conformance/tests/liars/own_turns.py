"""Liars about the turns that a model has of its own, and about what was seen beside them."""

from __future__ import annotations

import re

from ..honest import Lie
from ..lies import (
    CHAT,
    GENERATE,
    TALK,
    Fields,
    accepts,
    hears,
    logprobs,
    messages,
    options,
    refuses,
    values,
)
from .liar import Liar

SPECIAL = re.compile(r"[\[\]().*+?^$|\\{}]")
LONGEST = 10_000  # letters of a prompt
PREDICTED = 4096  # tokens


def _says_none(fields: Fields) -> None:
    """Nothing is a word."""
    for one in fields.get("messages") or []:
        if isinstance(one, dict) and one.get("content", "") is None:
            one["content"] = "None"


def _no_patterns(given: Fields) -> None:
    """A stop string that looks like a pattern is never met."""
    if isinstance(given.get("stop"), list):
        given["stop"] = [one for one in given["stop"] if not SPECIAL.search(str(one))]


def _cut(fields: Fields) -> None:
    fields["prompt"] = str(fields.get("prompt") or "")[:LONGEST]


def _warmed(entry: Fields) -> None:
    """Of what was drawn the chance is after temperature, of the others it is not."""
    entry["logprob"] *= 2


def _single_blanks(record: Fields) -> None:
    if "response" in record:
        record["response"] = re.sub("  +", " ", record["response"])


def _level_is_yes(fields: Fields) -> None:
    if isinstance(fields.get("think"), str):
        fields["think"] = True


def _thoughtless(turns: list[Fields]) -> None:
    """What looks like thinking is taken out of earlier answers, whatever the model."""
    for one in turns:
        if one.get("role") == "assistant":
            one["content"] = re.sub(
                r"(?s)^<think>.*?</think>\s*", "", str(one.get("content") or "")
            )


def _predicts_too_much(fields: Fields) -> bool:
    bound = (fields.get("options") or {}).get("num_predict")
    return isinstance(bound, int) and bound > PREDICTED


def _not_at_once(given: Fields) -> None:
    """A stop string is found where its place is not nought."""
    given["stop"] = [one for one in given.get("stop") or [] if one != "1 2"]


def _context_of_late(record: Fields) -> None:
    if record.get("context"):
        record["context"] = record["context"][-256:]


def _keeps_nothing(fields: Fields) -> None:
    if isinstance(fields.get("options"), dict):
        fields["options"].pop("num_keep", None)


def _forgets_answered(fields: Fields) -> None:
    """Whose result it is, is lost where the answer is streamed."""
    for one in fields.get("messages") or [] if fields.get("stream") is not False else []:
        if isinstance(one, dict):
            one.pop("tool_call_id", None)


def _as_openai(fields: Fields) -> bool:
    given = fields.get("format")
    return isinstance(given, dict) and given.get("type") in ("json_object", "json_schema")


OWN_TURNS = [
    *(
        Liar(f"own turns are {how}: {route}", f"{route}/own-turns-come-first", Lie(flaw=flaw))
        for how, flaw in (
            ("not read", "own turns unread"),
            ("before the system text", "own turns before all"),
        )
        for route in ("chat", "generate")
    ),
    Liar("own turns beside a context", "context/instead-of-own-turns", Lie(flaw="own turns again")),
    Liar("a context of 256 tokens", "context/holds-all-of-it", values(_context_of_late)),
    Liar("keeps nothing in a chat", "context/num-keep-counts", hears(_keeps_nothing, *CHAT)),
    Liar("no ids of calls in streams", "templates/message-fields", hears(_forgets_answered, *CHAT)),
    Liar("levels are true", "templates/think-level", hears(_level_is_yes, *GENERATE)),
    Liar("takes thoughts out", "chat/texts-are-not-touched", messages(_thoughtless)),
    Liar(
        "bounds what may be asked for",
        "options/num-predict-large",
        refuses("/api/chat", _predicts_too_much),
    ),
    Liar("no stop at the start", "options/stop-as-given", options(_not_at_once)),
    Liar(
        "needs a function in a tool",
        "tools/schemas-accepted",
        refuses("/api/chat", lambda fields: {} in (fields.get("tools") or [])),
    ),
    Liar("null is a word in calls", "errors/nulls-everywhere", hears(_says_none, *TALK)),
    Liar("null is a word", "chat/content-may-be-missing", hears(_says_none, *TALK)),
    Liar("stops at no pattern", "options/stop-strings-are-no-patterns", options(_no_patterns)),
    Liar("cuts prompts", "generate/long-prompts-are-read", hears(_cut, *GENERATE)),
    Liar(
        "chances after temperature",
        "always/logprobs-as-asked",
        logprobs(_warmed),
        met_by=("logprobs/known-distribution",),
    ),
    Liar("two blanks are one", "format/keywords", values(_single_blanks, *GENERATE)),
    Liar("unwraps OpenAI's formats", "format/bad-schema", accepts("/api/generate", _as_openai)),
    Liar("serves who left a whole answer", "stream/hang-up-frees", Lie(flaw="serves_out_whole")),
]

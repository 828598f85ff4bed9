"""Liars that only an odd request finds out."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ..honest import Answer, Heard, Lie
from ..lies import TALK, answers, each, errors, finals, hears, statuses, with_answers
from .liar import Liar

Fields = dict[str, Any]
OOPS = Answer(500, value={"error": "internal server error"})
CONTROLS = [f"\\u{code:04x}".encode() for code in range(32)]


def _instead(answer: Answer, when: Callable[[Heard], bool]) -> Lie:
    """Requests of a kind get this answer."""
    return with_answers(lambda heard, one: answer if when(heard) else one)


def _listed(answer: Answer) -> Answer:
    """An error as FastAPI words it."""
    return replace(answer, value={"detail": [{"msg": "Input should be a valid string"}]})


def _poisoned() -> Lie:
    """After a body that is no JSON, every answer is that of a stranger."""
    bad = {"yes": False}

    def say(heard: Heard, answer: Answer) -> Answer:
        bad["yes"] = bad["yes"] or answer.status == 400
        if bad["yes"] and isinstance(answer.value, dict) and "message" in answer.value:
            message = {"role": "assistant", "content": "I was interrupted."}
            return replace(answer, value={**answer.value, "message": message})
        return answer

    return with_answers(say)


def _lenient(place: Callable[[Fields], Any], *kinds: type) -> Lie:
    """A wrong type at one place is not seen."""

    def say(heard: Heard, answer: Answer) -> Answer:
        try:
            found = place(heard.fields)
            odd = answer.status == 400 and found is not None and type(found) not in kinds
        except (LookupError, TypeError, AttributeError):
            odd = False
        return Answer(404, value={"error": "model 'x' not found"}) if odd else answer

    return with_answers(say)


def _first_model(fields: Fields) -> None:
    """Where no model is named, some model answers."""
    if not fields.get("model") and not fields.get("name"):
        fields["model"] = "parallama-check-liar/scripted"


def _numbers_only(fields: Fields) -> None:
    """Options of a wrong type are left out."""
    if isinstance(fields.get("options"), dict):
        kept = {name: one for name, one in fields["options"].items() if type(one) in (int, float)}
        fields["options"] = kept


def _exact_keys(fields: Fields) -> Fields:
    return {key: value for key, value in fields.items() if key == key.lower()}


def _says_nan(heard: Heard) -> Heard:
    """NaN is taken for null."""
    return replace(heard, body=heard.body.replace(b"NaN", b"null"))


def _closed(heard: Heard) -> Heard:
    """What is cut short is made whole."""
    if heard.body[:1] == b"{" and not heard.body.rstrip().endswith(b"}"):
        return replace(heard, body=b"{}")
    return heard


def _empty_is_an_object(heard: Heard) -> Heard:
    return replace(heard, body=heard.body.strip() or b"{}")


def _deep(heard: Heard) -> bool:
    return b"[" * 1000 in heard.body or b'{"a":' * 1000 in heard.body


def _latin(heard: Heard) -> bool:
    """Whether a body is not UTF-8."""
    try:
        heard.body.decode()
    except UnicodeDecodeError:
        return True
    return False


def _fractional(heard: Heard) -> bool:
    bound = (heard.fields.get("options") or {}).get("num_predict")
    return isinstance(bound, float) and bound != int(bound)


def _beyond(heard: Heard) -> bool:
    return any(
        word in heard.body for word in (b"2147483648", b"9223372036854775808", b"4294967295")
    )


def _no_reason(record: Fields) -> None:
    if record.get("logprobs") or record.get("done"):
        record.pop("eval_duration", None)


FUZZ = [
    Liar("500 over null tools", "fuzz/chat",
         _instead(OOPS, lambda one: one.path == "/api/chat" and None in one.fields.values())),
    Liar("refuses a fraction", "fuzz/chat",
         _instead(Answer(400, value={"error": "num_predict must be an integer"}), _fractional)),
    Liar("forgets eval_duration", "fuzz/chat", each(_no_reason)),
    Liar("500 over two messages", "fuzz/chat",
         _instead(OOPS, lambda one: len(one.fields.get("messages") or ()) > 1)),
    Liar("null for no alternatives", "fuzz/generate",
         finals(lambda one: one.update(done_reason=None), "/api/generate")),
    Liar("500 over a context", "fuzz/generate",
         _instead(OOPS, lambda one: bool(one.fields.get("context")))),
    Liar("answers a stream in one object", "fuzz/generate",
         with_answers(lambda heard, one: replace(one, records=None, value={"response": "a"})
                      if one.records and "logprobs" in heard.fields else one)),
    Liar("500 over a control character", "fuzz/raw",
         _instead(OOPS, lambda one: any(code in one.body for code in CONTROLS))),
    Liar("refuses what is beyond the first plane", "fuzz/raw",
         _instead(Answer(400, value={"error": "bad character"}),
                  lambda one: any(byte >= 0xF0 for byte in one.body))),
    Liar("refuses a null verbose", "fuzz/show",
         _instead(Answer(400, value={"error": "verbose"}),
                  lambda one: "verbose" in one.fields and one.fields["verbose"] is None)),
    Liar("loses the details of the talkative", "fuzz/show",
         with_answers(lambda heard, one: replace(one, value={"model_info": {}})
                      if one.status == 200 and heard.path == "/api/show"
                      and heard.fields.get("verbose") else one)),
    Liar("404 with a query", "fuzz/plain-routes",
         _instead(Answer(404, "text/plain", "404 page not found"), lambda one: bool(one.query))),
    Liar("refuses a body with a GET", "fuzz/plain-routes",
         _instead(Answer(400, value={"error": "unexpected body"}),
                  lambda one: one.method == "GET" and bool(one.body))),
    Liar("422 for any wrong type", "fuzz/wrong-types", statuses(400, 422)),
    Liar("500 for a wrong type", "fuzz/wrong-types", statuses(400, 500)),
    Liar("a detail, not an error", "fuzz/wrong-types", errors(_listed, status=400)),
    Liar("any role will do", "fuzz/wrong-types",
         _lenient(lambda fields: fields["messages"][0]["role"], str)),
    Liar("any system will do", "fuzz/wrong-types", _lenient(lambda fields: fields["system"], str)),
    Liar("any name of a tool will do", "fuzz/wrong-types",
         _lenient(lambda fields: fields["tools"][0]["function"]["name"], str)),
    Liar("500 for a wrong type in copy", "fuzz/wrong-types-of-models",
         statuses(400, 500, "/api/copy")),
    Liar("reads any verbose", "fuzz/wrong-types-of-models",
         _lenient(lambda fields: fields["verbose"], bool)),
    Liar("creates from any template", "fuzz/wrong-types-of-create",
         _lenient(lambda fields: fields["template"], str)),
    Liar("500 for a wrong type in create", "fuzz/wrong-types-of-create",
         statuses(400, 500, "/api/create")),
    Liar("NaN is null", "fuzz/no-json", Lie(hear=_says_nan)),
    Liar("an empty body is an object", "fuzz/no-json", Lie(hear=_empty_is_an_object)),
    Liar("reads what is cut short", "fuzz/no-json", Lie(hear=_closed)),
    Liar("plain text for bad JSON", "fuzz/no-json",
         errors(lambda one: replace(one, media_type="text/plain", value="bad request"),
                status=400)),
    Liar("is never itself again", "fuzz/no-json", _poisoned()),
    Liar("500 over surrogates", "fuzz/hard-to-read",
         _instead(OOPS, lambda one: b"\\ud8" in one.body or b"\\udc" in one.body)),
    Liar("500 over depth", "fuzz/hard-to-read", _instead(OOPS, _deep)),
    Liar("500 over bad UTF-8", "fuzz/hard-to-read", _instead(OOPS, _latin)),
    Liar("some model will do", "fuzz/lacking", hears(_first_model)),
    Liar("500 without a model", "fuzz/lacking",
         _instead(OOPS, lambda one: one.path in TALK and not one.fields.get("model"))),
    Liar("leaves out wrong options", "fuzz/wrong-options", hears(_numbers_only, *TALK)),
    Liar("500 beyond 32 bits", "fuzz/extreme-options", _instead(OOPS, _beyond)),
    Liar("keys as they are written", "fuzz/keys-any-case", hears(_exact_keys)),
    Liar("no content type", "fuzz/show", answers(lambda one: replace(one, value=json.dumps(None)),
                                                  "/api/show")),
]  # fmt: skip

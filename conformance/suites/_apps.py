"""Clients as they are: the headers that they send, and how strictly they read what comes back.

No check is in here. The requests are those that the published packages were seen to send (`ollama`
0.6.3 for Python and 0.6.4 for JavaScript, `langchain-ollama` 1.1.0, `@langchain/ollama` 1.3.0,
`llama-index-llms-ollama` 0.11.0), the others are those of their sources.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ..evidence import Exchange, Json, Record, Wrong, parse_object
from ..moments import moment
from ..target import Target

Kind = Callable[[Json], bool]
Shape = Mapping[str, Kind]


@dataclass(frozen=True, slots=True)
class App:
    """A client: what it says of itself in every request."""

    headers: tuple[tuple[str, str], ...]

    def ask(
        self, target: Target, path: str, fields: Mapping[str, Json], method: str = "POST"
    ) -> Exchange:
        """Send these fields in its way: as compact JSON, with its headers."""
        body = json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()
        return target.request(method, path, body, dict(self.headers))

    def get(self, target: Target, path: str) -> Exchange:
        """Ask without a body."""
        return target.get(path, dict(self.headers))


PYTHON_APP = App((
    ("Accept-Encoding", "gzip, deflate, zstd"),
    ("content-type", "application/json"),
    ("accept", "application/json"),
    ("user-agent", "ollama-python/0.6.3 (x86_64 linux) Python/3.11.7"),
))  # fmt: skip
JS_APP = App((
    ("Content-Type", "application/json"),
    ("Accept", "application/json"),
    ("User-Agent", "ollama-js/0.6.4 (x64 linux Node.js/v20.20.2)"),
    ("accept-language", "*"),
    ("sec-fetch-mode", "cors"),
    ("accept-encoding", "gzip, deflate"),
))  # fmt: skip
CONTINUE_APP = App((
    ("Content-Type", "application/json"),
    ("Accept", "*/*"),
    ("User-Agent", "node-fetch"),
    ("Accept-Encoding", "gzip, deflate, br"),
))  # fmt: skip
ZED_APP = App((("Content-Type", "application/json"), ("User-Agent", "Zed/0.200.0 (linux; x86_64)")))
AIOHTTP_APP = App((  # Open WebUI
    ("Content-Type", "application/json"),
    ("Accept", "*/*"),
    ("Accept-Encoding", "gzip, deflate, br"),
    ("User-Agent", "Python/3.11 aiohttp/3.12.15"),
))  # fmt: skip
LITELLM_APP = App((
    ("Content-Type", "application/json"),
    ("Accept", "*/*"),
    ("Accept-Encoding", "gzip, deflate"),
    ("User-Agent", "litellm/1.77.1"),
))  # fmt: skip
CODEX_APP = App((("Content-Type", "application/json"), ("Accept", "*/*")))


# -- what the Python client's types take -----------------------------------------------------------


def text(value: Json) -> bool:
    """A string."""
    return isinstance(value, str)


def whole(value: Json) -> bool:
    """A number without a fraction."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and value == int(value)


def number(value: Json) -> bool:
    """Any number."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def flag(value: Json) -> bool:
    """true or false."""
    return isinstance(value, bool)


def anything(value: Json) -> bool:
    """Whatever there is."""
    del value
    return True


def mapping(value: Json) -> bool:
    """An object."""
    return isinstance(value, dict)


def time_(value: Json) -> bool:
    """A time as text."""
    try:
        moment(value)
    except (Wrong, ValueError, TypeError):
        return False
    return isinstance(value, str)


def many(kind: Kind) -> Kind:
    """A list of such."""
    return lambda value: isinstance(value, list) and all(kind(one) for one in value)


def shaped(shape: Shape, *required: str) -> Kind:
    """An object whose known keys are null or of their kind; `required` ones are there."""
    return lambda value: isinstance(value, dict) and odd_one(value, shape, *required) is None


def odd_one(value: Mapping[str, Json], shape: Shape, *required: str) -> str | None:
    """The first key over which the Python client raises ValidationError, with its value."""
    for key in required:
        if key not in value or not shape[key](value[key]):
            return f"{key}: {value.get(key, 'it is not there')!r}"
    for key, kind in shape.items():
        if value.get(key) is not None and not kind(value[key]):
            return f"{key}: {value[key]!r}"
    return None


FIGURES: Shape = {
    "model": text, "created_at": text, "done": flag, "done_reason": text,
    "total_duration": whole, "load_duration": whole, "prompt_eval_count": whole,
    "prompt_eval_duration": whole, "eval_count": whole, "eval_duration": whole,
}  # fmt: skip
LOGPROB: Shape = {"token": text, "logprob": number, "top_logprobs": many(mapping)}
CALL: Shape = {"function": shaped({"name": text, "arguments": mapping}, "name", "arguments")}
MESSAGE: Shape = {
    "role": text, "content": text, "thinking": text, "images": many(text), "tool_name": text,
    "tool_calls": many(shaped(CALL, "function")),
}  # fmt: skip
CHAT: Shape = {**FIGURES, "message": shaped(MESSAGE, "role"), "logprobs": many(mapping)}
GENERATE: Shape = {
    **FIGURES, "response": text, "thinking": text, "context": many(whole), "image": text,
    "logprobs": many(mapping), "completed": whole, "total": whole,
}  # fmt: skip
EMBED: Shape = {**FIGURES, "embeddings": many(many(number))}
DETAILS: Shape = {
    "parent_model": text, "format": text, "family": text, "families": many(text),
    "parameter_size": text, "quantization_level": text,
}  # fmt: skip
LISTED: Shape = {
    "model": text, "modified_at": time_, "digest": text, "size": whole, "details": shaped(DETAILS),
}  # fmt: skip
LOADED: Shape = {
    "model": text, "name": text, "digest": text, "expires_at": time_, "size": whole,
    "size_vram": whole, "details": shaped(DETAILS), "context_length": whole,
}  # fmt: skip
SHOWN: Shape = {
    "modified_at": time_, "template": text, "modelfile": text, "license": text,
    "details": shaped(DETAILS), "model_info": mapping, "parameters": text,
    "capabilities": many(text),
}  # fmt: skip
PROGRESS: Shape = {"status": text, "digest": text, "total": whole, "completed": whole}


# -- how answers are read --------------------------------------------------------------------------


def of_javascript(got: Exchange) -> list[Record]:
    """What the JavaScript client hands on of a stream: up to `done` or `success`. Raises Wrong."""
    found: list[Record] = []
    for line in got.ok.text.split("\n"):
        if not line.strip():
            continue
        record = parse_object(line, "a line", got)
        if "error" in record:
            raise Wrong("no key `error` in a good record", record, got)
        found.append(record)
        if record.get("done") or record.get("status") == "success":
            return found
    raise Wrong("a record with `done` or with status success", got.loose_text[-200:], got)


def spoke(target: Target, text: str, wanted: str | None = None) -> bool:
    """Whether that is what the script says; an ordinary model may think until it is cut."""
    if not target.setup.scripted:
        return True
    return bool(text) and (wanted is None or text == wanted)


def failure(got: Exchange) -> str:
    """The message that the Python client raises with. Raises Wrong where it would not, or crash."""
    if 200 <= got.code < 300:
        raise Wrong("no 2xx for an error", f"status {got.status}: {got.loose_text[:200]}", got)
    return got.error_text

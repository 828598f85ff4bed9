"""The inference requests, as values decoded from untrusted bytes.

Decoding checks types and nothing else; it comes before every other check (REQ-011).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

from .body import fields_of, parse
from .decode import (
    DecodeError,
    Json,
    as_list,
    as_object,
    as_text,
    images,
    mismatch,
    text,
    whole_number,
)
from .durations import keep_alive
from .engine.json_schema import ANY_OBJECT
from .errors import ApiError
from .messages import Message, Think, Tool, decode_messages, decode_tools

_LEVELS = ("high", "medium", "low", "max")
_MESSAGE_FIELDS = tuple(each.name for each in fields(Message))
_TERMS = [
    "model",
    "stream",
    "format",
    "keep_alive",
    "options",
    "think",
    "truncate",
    "shift",
    "logprobs",
    "top_logprobs",
    "_debug_render_only",
]
_GENERATE = [*_TERMS, *["prompt", "suffix", "images", "system", "template", "context", "raw"]]
_CHAT = [*_TERMS, "messages", "tools"]


@dataclass(frozen=True, slots=True)
class Terms:
    """What generate and chat have in common.

    `top_logprobs` is None where no log probabilities were asked for.
    """

    model: str
    stream: bool
    format: Json
    keep_alive_ns: int | None
    options: Mapping[str, Json]
    think: Think
    truncate: bool
    shift: bool
    top_logprobs: int | None
    render_only: bool

    @classmethod
    def decode(cls, found: Mapping[str, Json], where: str) -> "Terms":
        """The terms of a request; raises `DecodeError`."""
        top_logprobs = whole_number(found, "top_logprobs", where)
        logprobs = boolean(found, "logprobs", where, default=False)
        return cls(
            model=text(found, "model", where),
            stream=boolean(found, "stream", where, default=True),
            format=found.get("format"),
            keep_alive_ns=keep_alive(found.get("keep_alive")),
            options=as_object(found.get("options"), f"{where}.options", "map[string]interface {}"),
            think=_think(found.get("think")),
            truncate=boolean(found, "truncate", where, default=True),
            shift=boolean(found, "shift", where, default=True),
            top_logprobs=top_logprobs if logprobs else None,
            render_only=boolean(found, "_debug_render_only", where, default=False),
        )

    def schema(self) -> Mapping[str, Json] | None:
        """The JSON Schema that the answer has to follow, None where it is free.

        Raises `ApiError` for a `format` that is none (FMT-004).
        """
        if self.format is None or self.format == "":
            return None
        if self.format == "json":
            return ANY_OBJECT
        if isinstance(self.format, Mapping):
            return self.format
        from .framing import encode

        shown = encode({"": self.format}).decode()[4:-1].replace('"', '\\"')
        raise ApiError(
            400, f'invalid format: "{shown}"; expected "json" or a valid JSON Schema object'
        )


@dataclass(frozen=True, slots=True)
class GenerateRequest:
    """A decoded body of `/api/generate`. `context` is None where absent (GEN-028)."""

    terms: Terms
    prompt: str
    suffix: str
    images: tuple[bytes, ...]
    system: str
    template: str
    context: tuple[int, ...] | None
    raw: bool

    @classmethod
    def decode(cls, body: bytes) -> "GenerateRequest":
        """The request in `body`; raises `DecodeError`, and `ApiError` for `top_logprobs`."""
        where = "GenerateRequest"
        found = fields_of(parse(body), _GENERATE, f"api.{where}")
        request = cls(
            terms=Terms.decode(found, where),
            prompt=text(found, "prompt", where),
            suffix=text(found, "suffix", where),
            images=images(found, "images", where),
            system=text(found, "system", where),
            template=text(found, "template", where),
            context=_context(found.get("context"), f"{where}.context"),
            raw=boolean(found, "raw", where, default=False),
        )
        _check_top_logprobs(found, where)
        return request


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A decoded body of `/api/chat`."""

    terms: Terms
    messages: tuple[Message, ...]
    tools: tuple[Tool, ...]

    @classmethod
    def decode(cls, body: bytes) -> "ChatRequest":
        """The request in `body`; raises `DecodeError`, and `ApiError` for `top_logprobs`."""
        where = "ChatRequest"
        found = fields_of(parse(body), _CHAT, f"api.{where}")
        request = cls(
            terms=Terms.decode(found, where),
            messages=decode_messages(_folded_messages(found.get("messages"))),
            tools=decode_tools(found.get("tools")),
        )
        _check_top_logprobs(found, where)
        return request


@dataclass(frozen=True, slots=True)
class EmbedRequest:
    """A decoded body of `/api/embed`; `input` is looked at later (ERR-052)."""

    model: str
    input: Json
    truncate: bool
    dimensions: int
    keep_alive_ns: int | None
    options: Mapping[str, Json]

    @classmethod
    def decode(cls, body: bytes) -> "EmbedRequest":
        """The request in `body`; raises `DecodeError`."""
        where = "EmbedRequest"
        names = ("model", "input", "truncate", "dimensions", "keep_alive", "options")
        found = fields_of(parse(body), names, f"api.{where}")
        return cls(
            model=text(found, "model", where),
            input=found.get("input"),
            truncate=boolean(found, "truncate", where, default=True),
            dimensions=whole_number(found, "dimensions", where),
            keep_alive_ns=keep_alive(found.get("keep_alive")),
            options=as_object(found.get("options"), f"{where}.options", "map[string]interface {}"),
        )

    def texts(self) -> tuple[str, ...]:
        """The texts to embed, none for an empty one; raises `ApiError` (EMBED-011..013)."""
        if isinstance(self.input, str):
            return (as_text(self.input, "input"),) if self.input else ()
        if isinstance(self.input, Mapping) or not isinstance(self.input, Sequence | None):
            raise ApiError(400, "invalid input type")
        if not all(isinstance(each, str) for each in self.input or ()):
            raise ApiError(400, "invalid input type")
        return tuple(as_text(each, "input") for each in self.input or ())


@dataclass(frozen=True, slots=True)
class EmbeddingsRequest:
    """A decoded body of `/api/embeddings`, the older of the two."""

    model: str
    prompt: str
    keep_alive_ns: int | None
    options: Mapping[str, Json]

    @classmethod
    def decode(cls, body: bytes) -> "EmbeddingsRequest":
        """The request in `body`; raises `DecodeError`."""
        where = "EmbeddingRequest"
        found = fields_of(parse(body), ("model", "prompt", "keep_alive", "options"), f"api.{where}")
        return cls(
            model=text(found, "model", where),
            prompt=text(found, "prompt", where),
            keep_alive_ns=keep_alive(found.get("keep_alive")),
            options=as_object(found.get("options"), f"{where}.options", "map[string]interface {}"),
        )


def boolean(found: Mapping[str, Json], key: str, where: str, *, default: bool) -> bool:
    """The boolean under `key`; strings and numbers are refused (REQ-009)."""
    value = found.get(key)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise mismatch(value, f"{where}.{key}", "bool")
    return value


def _check_top_logprobs(found: Mapping[str, Json], where: str) -> None:
    """The range holds whether or not log probabilities were asked for (LOGP-001)."""
    if not 0 <= whole_number(found, "top_logprobs", where) <= 20:
        raise ApiError(400, "top_logprobs must be between 0 and 20")


def _think(value: Json) -> Think:
    if value is None or isinstance(value, bool):
        return value
    if not isinstance(value, str):
        raise DecodeError(
            'think must be a boolean or string ("high", "medium", "low", "max", true, or false)'
        )
    if value not in _LEVELS:
        raise DecodeError(
            f'invalid think value: "{value}"'
            ' (must be "high", "medium", "low", "max", true, or false)'
        )
    return value


def _context(value: Json, where: str) -> tuple[int, ...] | None:
    if value is None:
        return None
    return tuple(whole_number({"": each}, "", where) for each in as_list(value, where, "[]int"))


def _folded_messages(value: Json) -> Json:
    """The messages with their keys in the declared case."""
    if isinstance(value, (str, Mapping)) or not isinstance(value, Sequence):
        return value
    return [_folded(each) if isinstance(each, Mapping) else each for each in value]


def _folded(message: Mapping[str, Json]) -> Mapping[str, Json]:
    return fields_of(message, _MESSAGE_FIELDS, "api.Message")

"""An answer as the laws of the house see it: what was asked for, and the records that came.

Read once for all laws, and leniently: what is not there reads as nothing, so that only the law
that is about it says so. Pure.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

from .evidence import Exchange, Json, Record, Wrong, parse_object
from .reply import COUNTS, DURATIONS
from .script import SEEING, Recital, load_script
from .setup import Setup

ROUTES = {
    ("POST", "/api/chat"): "chat",
    ("POST", "/api/generate"): "generate",
    ("POST", "/api/embed"): "embed",
    ("POST", "/api/embeddings"): "embeddings",
    ("POST", "/api/show"): "show",
    ("POST", "/api/create"): "create",
    ("POST", "/api/pull"): "pull",
    ("POST", "/api/push"): "push",
    ("POST", "/api/copy"): "copy",
    ("DELETE", "/api/delete"): "delete",
    ("GET", "/api/tags"): "tags",
    ("GET", "/api/ps"): "ps",
    ("GET", "/api/version"): "version",
}
TALK = ("chat", "generate")
MOVES = ("create", "pull", "push")  # they tell how far they are
LISTS = ("tags", "ps")
EMBEDS = ("embed", "embeddings")
NDJSON, JSON = "application/x-ndjson", "application/json"
FIGURES = (*COUNTS, *DURATIONS)
PLAIN = {"model", "messages", "prompt", "stream", "think", "tools", "options", "keep_alive",
         "logprobs", "top_logprobs", "shift", "truncate"}  # fmt: skip
BESIDE = {"stream", "keep_alive", "logprobs", "top_logprobs", "options", "format"}
SPARING = {
    "temperature",
    "seed",
    "num_predict",
    "stop",
    "top_k",
    "top_p",
    "min_p",
    "typical_p",
    "num_thread",
    "num_batch",
}  # options that leave the likeliest tokens what they are


@dataclass(frozen=True)
class Said:
    """A whole answer to a request whose body, if it has one, is a JSON object."""

    got: Exchange
    setup: Setup
    check: str  # for which it was asked
    route: str  # the name of its schema
    asked: dict[str, Any]

    @cached_property
    def records(self) -> tuple[Record, ...]:
        """The objects of the answer; none where there is one that is not JSON."""
        try:
            if self.got.media_type == NDJSON:
                return tuple(self.got.records)
            return (self.got.object,)
        except Wrong:
            return ()

    @property
    def final(self) -> Record | None:
        """The record that ends an answer to chat or generate, with its figures."""
        last = self.records[-1] if self.records else Record()
        ends = last.get("done") is True and last.get("done_reason") not in ("load", "unload")
        return last if ends else None

    @property
    def streams(self) -> bool:
        """Whether a stream was asked for."""
        return self.route in (*TALK, *MOVES) and self.asked.get("stream") is not False

    @property
    def options(self) -> dict[str, Any]:
        """The options that were given."""
        found = self.asked.get("options")
        return found if isinstance(found, dict) else {}

    @cached_property
    def messages(self) -> tuple[Record, ...]:
        """What each record adds, a record of generate in the shape of a message."""
        if self.route == "chat":
            found = [record.get("message") for record in self.records]
            return tuple(one if isinstance(one, Record) else Record() for one in found)
        return tuple(
            Record(content=record.get("response"), thinking=record.get("thinking"))
            for record in self.records
        )

    @cached_property
    def text(self) -> str:
        """All that was said."""
        return "".join(text_of(one, "content") for one in self.messages)

    @cached_property
    def thinking(self) -> str:
        """All that was thought."""
        return "".join(text_of(one, "thinking") for one in self.messages)

    @cached_property
    def calls(self) -> tuple[Record, ...]:
        """The calls of functions, as far as they are any."""
        found = [one.get("tool_calls") for one in self.messages]
        calls = [call for some in found if isinstance(some, list) for call in some]
        return tuple(call for call in calls if isinstance(call, Record))

    @cached_property
    def logprobs(self) -> tuple[Record, ...]:
        """The entries of all records."""
        found = [record.get("logprobs") for record in self.records]
        entries = [one for some in found if isinstance(some, list) for one in some]
        return tuple(one for one in entries if isinstance(one, Record))

    @property
    def lasting(self) -> bool:
        """Whether it is about a model that stays what it is as long as the run lasts."""
        setup, ours = self.setup, f"parallama-check-{self.setup.token}"
        names = {setup.model, setup.plain, f"{ours}/embedding", f"{ours}/vision"}
        return self.asked.get("model") in (names | set(setup.extras.values())) - {None}

    @property
    def greedy(self) -> bool:
        """Whether chance was excluded."""
        return type(found := self.options.get("temperature")) in (int, float) and found == 0

    @cached_property
    def plain(self) -> bool:
        """Whether what is said depends on the conversation alone, but for where it ends."""
        found = {name for name, one in self.asked.items() if one not in (None, "", False, [])}
        return self.greedy and found <= PLAIN and set(self.options) <= SPARING

    @property
    def over(self) -> bool:
        """Whether it ends, or has to: Ollama forgets that where what is made up is no text."""
        if not self.records:
            return False
        ended = self.records[-1].get("done") is not False
        return ended or (self.recital is not None and self.recital.output.isascii())

    @cached_property
    def recital(self) -> Recital | None:
        """What is asked for, where it is of the script and nothing changes its words."""
        setup, model = self.setup, self.asked.get("model")
        sees = model in (f"parallama-check-{setup.token}/vision", setup.extras.get("vision"))
        if self.route not in TALK or not (setup.scripted and self.plain):
            return None
        if not sees and model != setup.model:
            return None
        messages = self.asked.get("messages")
        if self.route == "generate":
            messages = [{"role": "user", "content": self.asked.get("prompt")}]
        last = messages[-1] if isinstance(messages, list) and messages else None
        if str(last) not in _last(sees):
            return None
        asked = _question(messages, self.asked.get("tools"), self.asked.get("think"))
        return _recitals(sees).get(asked)

    @cached_property
    def question(self) -> str:
        """What the model is given, as one line, for a key."""
        kept = {name: one for name, one in self.asked.items() if name not in BESIDE}
        return f"{self.route} {json.dumps(kept, sort_keys=True)}"


def said_of(got: Exchange, setup: Setup, check: str) -> Said | None:
    """The exchange for the laws; None where it is nothing to them.

    That is where it was broken off, where the route is not one of those with a schema, and where
    what was sent was no JSON object.
    """
    path = got.request.path.partition("?")[0]
    route = ROUTES.get((got.request.method, path))
    if route is None or got.cut or got.error is not None or got.tail or got.status is None:
        return None
    if got.request.method == "GET":
        return Said(got, setup, check, route, {})
    try:
        asked = parse_object((got.request.body or b"").decode(), "the request")
    except (Wrong, UnicodeDecodeError, RecursionError):
        return None
    return Said(got, setup, check, route, asked)


@cache
def _recitals(seeing: bool) -> dict[str, Recital]:
    """Those of a model, by what is asked for them."""
    script = load_script(SEEING) if seeing else load_script()
    return {
        _question(list(one.messages), list(one.tools), one.think): one
        for one in script.recitals.values()
    }


@cache
def _last(seeing: bool) -> frozenset[str]:
    """The last message of each: what has another one needs no closer look."""
    return frozenset(str(one.messages[-1]) for one in _recitals(seeing).values() if one.messages)


def _question(messages: Json, tools: Json, think: Json) -> str:
    return json.dumps([messages, tools or [], think], sort_keys=True)


def text_of(message: Record, key: str) -> str:
    """A text of a message; nothing where it is none."""
    found: Json = message.get(key)
    return found if isinstance(found, str) else ""

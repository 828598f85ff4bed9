"""Inside the honest server: a store of models, and talking to them."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from zlib import crc32

from ..arithmetic import load_contexts
from ..evidence import Json
from .company import Crowd
from .forms import form_of
from .gofuncs import BadTemplate
from .gorender import inserted
from .kinds import EMBEDS, SEES
from .making import Maker
from .reciter import Part, Reciter, Token, made_until, parts, render, stopped
from .shelf import HouseError, Model, iso
from .sight import decoded, placed, placed_raw, seeing_reciter

DEFAULTS: dict[str, Any] = {
    "seed": -1, "num_predict": -1, "top_k": 40, "top_p": 0.9, "min_p": 0.0, "typical_p": 1.0,
    "repeat_last_n": 64, "temperature": 0.8, "repeat_penalty": 1.0, "presence_penalty": 0.0,
    "frequency_penalty": 0.0, "stop": [], "num_ctx": 4096, "num_keep": 4,
}  # fmt: skip
TYPES: dict[str, Any] = {
    "prompt": str, "suffix": str, "system": str, "template": str, "stream": bool, "raw": bool,
    "truncate": bool, "shift": bool, "logprobs": bool, "options": dict, "messages": list,
    "tools": list, "context": list, "images": list, "model": str, "top_logprobs": int,
}  # fmt: skip
OF_CHAT = ("messages", "tools")
OF_GENERATE = ("prompt", "suffix", "system", "template", "raw", "context", "images")
MESSAGE_TYPES: dict[str, Any] = {
    "role": str, "content": str, "thinking": str, "images": list, "tool_calls": list,
    "tool_name": str, "tool_call_id": str,
}  # fmt: skip
OF_LOADING: dict[str, Any] = {
    "num_batch": int, "num_gpu": int, "main_gpu": int, "num_thread": int, "draft_num_predict": int,
    "use_mmap": bool,
}  # fmt: skip
UNITS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
PACE_S = 150e-6  # half of the time for one token, so that a stream takes some
MOST_TOKENS = 100_000_000
FOREVER_S = 292 * 365 * 86400.0
LOADS_S = 0.45  # that a flawed server takes
LEVELS = ("low", "medium", "high", "max")


@dataclass
class House(Maker):
    """All state of the server."""

    contexts: dict[tuple[int, ...], str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.reciter = Reciter(self.script, truncates=self.flaw != "never_truncates")
        self.seeing = seeing_reciter()
        self._serial = count(100_000)
        self._seen: set[str] = set()
        self.crowd = Crowd(self.flaw)

    # -- talking ------------------------------------------------------------------------------

    def chat(self, fields: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """/api/chat: records."""
        given = checked({key: one for key, one in fields.items() if key not in OF_GENERATE})
        messages = [_message(one) for one in given["messages"]]
        if not str(given["model"]).strip():
            raise HouseError(400, "model is required")
        model = self.find(given["model"], f"model '{given['model']}' not found")
        if not messages and given["keep_alive"] == 0:
            self._let_go(model)
            yield self._record(given, "chat", done_reason="unload")
            return
        self._capable(model, given, "chat")
        options = self.options(model, given)
        if not messages:
            self.keep(model, given, options)
            yield self._record(given, "chat", done_reason="load")
            return
        self._sighted(model, given)
        own = model.system if messages[0]["role"] != "system" else ""
        messages = [*map(_message, model.begun(own, self.flaw)), *messages]
        prompt = self._fitting(model, messages, given, options)
        yield from self._speak("chat", model, given, prompt, options)

    def generate(self, fields: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """/api/generate: records."""
        given = checked({key: one for key, one in fields.items() if key not in OF_CHAT})
        model = (
            self.find(given["model"], f"model '{given['model']}' not found")
            if given["model"]
            else None
        )
        if model is None:
            raise HouseError(404, "model '' not found")
        if not given["prompt"] and given["keep_alive"] == 0:
            self._let_go(model)
            yield self._record(given, "generate", done_reason="unload")
            return
        if given["raw"] and (given["template"] or given["system"] or given["context"]):
            raise HouseError(400, "raw mode does not support template, system, or context")
        self._capable(model, given, "generate")
        if given["suffix"] and "insert" not in self.capabilities(model):
            raise HouseError(400, f"{given['model']} does not support insert")
        options = self.options(model, given)
        if not given["prompt"]:
            self.keep(model, given, options)
            time.sleep(2 * LOADS_S if self.flaw == "listed too soon" else 0)
            yield self._record(given, "generate", done_reason="load")
            return
        self._sighted(model, given)
        yield from self._speak(
            "generate", model, given, self._prompt(model, given, options), options
        )

    def departed(self) -> None:
        """A client has hung up."""
        self.crowd.departed()
        if self.flaw == "departure_unloads":
            for model in self.models.values():
                model.loaded_until = 0

    def _let_go(self, model: Model) -> None:
        self.crowd.unloading()
        if self.flaw != "never_unloads" and not self.crowd.haunted:
            model.loaded_until = 0

    def _prompt(self, model: Model, given: dict[str, Any], options: dict[str, Any]) -> str:
        prompt: str = given["prompt"]
        if given["suffix"]:
            return inserted(model.template, prompt, given["suffix"], given["think"], self.flaw)
        images = given["images"] or []
        if given["raw"] and images:
            prompt = placed_raw(prompt, images)
        if not given["raw"]:
            system = given["system"] or model.system
            if given["system"] == "" and self.flaw == "empty system blanks":
                system = ""
            messages = [_message(one) for one in model.begun(system, self.flaw, given["context"])]
            messages.append(_message({"role": "user", "content": prompt, "images": images}))
            prompt = self._fitting(model, messages, given, options)
        if any(id > MOST_TOKENS for id in given["context"]):
            raise HouseError(500, "detokenize error: no such token")
        return self.contexts.get(tuple(given["context"]), "") + prompt

    def _fitting(
        self,
        model: Model,
        messages: list[dict[str, Any]],
        given: dict[str, Any],
        options: dict[str, Any],
    ) -> str:
        """The prompt of the newest messages that fit the window, system messages kept."""
        if self.flaw == "forgets_history":
            messages = [one for one in messages[:-1] if one["role"] == "system"] + messages[-1:]
        template = given["template"] or model.template
        reciter, think = self._reciter(model), given["think"]
        if think is None and "thinking" in self.capabilities(model):
            think = True
        while True:
            try:
                shown = placed(messages)
                prompt = render(template, reciter.script, shown, given["tools"], think, self.flaw)
            except BadTemplate as error:
                raise HouseError(500, str(error)) from None
            size = reciter.count(prompt)
            if given["truncate"] is False and size > options["num_ctx"]:
                raise HouseError(400, "the prompt is longer than the context")
            oldest = next(
                (n for n, one in enumerate(messages[:-1]) if one["role"] != "system"), None
            )
            if size <= options["num_ctx"] or oldest is None or self.flaw == "never_truncates":
                break
            if self.flaw == "forgets_all":
                messages = messages[-1:]
                continue
            del messages[oldest]
        return prompt

    def options(self, model: Model, given: dict[str, Any]) -> dict[str, Any]:
        """The options of a request over the model's own."""
        options = {**DEFAULTS, **model.parameters}
        for name, value in {**model.parameters, **given["options"]}.items():
            default = DEFAULTS.get(name)
            if value is not None and not isinstance(value, OF_LOADING.get(name, object)):
                kind = "boolean" if name == "use_mmap" else "integer"
                raise HouseError(500, f'option "{name}" must be of type {kind}')
            if default is None or value is None:
                continue
            if name == "stop":
                if not isinstance(value, list):
                    raise HouseError(500, 'option "stop" must be of type array')
                if not all(isinstance(one, str) for one in value):
                    raise HouseError(500, 'option "stop" must be of an array of strings')
            elif isinstance(value, bool) or not isinstance(value, int | float):
                kind = "integer" if isinstance(default, int) else "float32"
                raise HouseError(500, f'option "{name}" must be of type {kind}')
            elif isinstance(default, int):
                value = int(value)
            options[name] = value
        return options

    def _sighted(self, model: Model, given: dict[str, Any]) -> None:
        """Refuse pictures that the model cannot see."""
        shown = given["images"] or any(one.get("images") for one in given["messages"])
        if shown and model.kind != SEES:
            raise HouseError(400, "the model does not support images")

    def _reciter(self, model: Model) -> Reciter:
        return self.seeing if model.kind == SEES else self.reciter

    def _capable(self, model: Model, given: dict[str, Any], route: str) -> None:
        capabilities = self.capabilities(model)
        if model.kind == EMBEDS:
            raise HouseError(400, f'"{given["model"]}" does not support {route}')
        if given["think"] and "thinking" not in capabilities:
            raise HouseError(400, f'"{given["model"]}" does not support thinking')
        if given["tools"] and "tools" not in capabilities:
            raise HouseError(400, f"{given['model']} does not support tools")

    def keep(self, model: Model, given: dict[str, Any], options: dict[str, Any]) -> None:
        """Load, and set when it is let go."""
        if given["keep_alive"] is not None:
            model.keep_s = given["keep_alive"] if given["keep_alive"] >= 0 else FOREVER_S
        elif model.loaded_until <= time.time():
            model.keep_s = 300.0
        model.num_ctx = max(4, min(options["num_ctx"], 4096))
        model.loaded_until = time.time() + model.keep_s

    def _speak(
        self, kind: str, model: Model, given: dict[str, Any], prompt: str, options: dict[str, Any]
    ) -> Iterator[dict[str, Any]]:
        if self._reciter(model).refuses(prompt, given, options["num_ctx"]):
            raise HouseError(400, "the prompt is longer than the context length")
        loaded = model.loaded_until > time.time()
        if self.flaw == "loads for nobody" and loaded and options["num_ctx"] != model.num_ctx:
            time.sleep(LOADS_S)
        started = time.monotonic_ns()
        thinks = "thinking" in self.capabilities(model) and not given["raw"]
        form = form_of(given["format"], thinks)
        spoken = self._reciter(model).say(prompt, options, given["shift"] is not False, form)
        tokens, hit = stopped(spoken.tokens, options["stop"])
        if self.flaw == "wavers":
            tokens = [replace(tokens[0], text=f"{next(self._serial)}"), *tokens[1:]]
        if self.flaw == "counts_uncached" and prompt in self._seen:
            spoken.prompt_tokens = 1
        self._seen.add(prompt)
        raw = "".join(token.text for token in tokens)
        if left := self.crowd.left():
            tokens = [replace(tokens[0], text=left + tokens[0].text), *tokens[1:]]
        made = self._parts(tokens, thinks, given, prompt)
        said_at = datetime.now(UTC)
        for token, part in zip(tokens, made, strict=True):
            extra = _logprobs(token, given) if given["logprobs"] and token.text else {}
            if part.content or part.thinking or part.calls or extra:
                said_at += timedelta(seconds=3 * PACE_S)
                yield {**self._record(given, kind, part=part, **extra), "created_at": iso(said_at)}
        self.keep(model, given, options)
        final: dict[str, Any] = {"done_reason": "stop" if hit else spoken.reason}
        evaluated = spoken.output_tokens
        if hit:
            evaluated = made_until(spoken.tokens, options["stop"])
        if kind == "generate" and not given["raw"]:
            ids = self._ids(prompt, raw, spoken.prompt_tokens + len(tokens))
            self.contexts[tuple(ids)] = prompt + raw
            final["context"] = ids
        lasted = time.monotonic_ns() - started + len(tokens) * round(2e9 * PACE_S)
        final |= {"total_duration": lasted + 2000, "load_duration": 1000,
                  "prompt_eval_count": spoken.prompt_tokens, "prompt_eval_duration": 500,
                  "eval_count": evaluated, "eval_duration": lasted}  # fmt: skip
        yield {**self._record(given, kind, **final), "created_at": iso(said_at)}

    def _parts(
        self, tokens: list[Token], thinks: bool, given: dict[str, Any], prompt: str
    ) -> list[Part]:
        """What each token adds; a prompt may have opened the thought already."""
        tools = () if self.flaw == "calls are text when cut" else given["tools"] or ()
        if not thinks or not prompt.endswith("<think>") or self.flaw == "opens no thought":
            return parts(tokens, thinks, tools)
        if given["think"] is False and self.flaw != "thinks though off":
            return parts(tokens, False, tools)
        return parts([Token("<think>", 0.0, ()), *tokens], True, tools)[1:]

    def _ids(self, prompt: str, raw: str, count: int) -> list[int]:
        """Token ids: those of the script where they are known, else as many as there are."""
        for id, (before, after) in load_contexts().items():
            known = self.script.recitals[id]
            if (prompt, raw) == (known.prompt, known.output):
                return [*before, *after]
        return [
            100_000 + crc32((prompt + raw).encode(errors="surrogatepass")) % 10_000_000,
            *range(count - 1),
        ]

    def _record(
        self, given: dict[str, Any], kind: str, *, part: Part | None = None, **more: Json
    ) -> dict[str, Any]:
        record: dict[str, Any] = {"model": given["model"], "created_at": iso(datetime.now(UTC))}
        content = part.content if part else ""
        extra = {"thinking": part.thinking} if part and part.thinking else {}
        if kind == "chat":
            calls = {"tool_calls": list(part.calls)} if part and part.calls else {}
            record["message"] = {"role": "assistant", "content": content, **extra, **calls}
        else:
            record |= {"response": content, **extra}
        return {**record, "done": "done_reason" in more, **more}

    def joined(self, records: list[dict[str, Any]]) -> dict[str, Any]:
        """The records of a stream as one object."""
        whole = json.loads(json.dumps(records[-1]))
        place = whole.get("message", whole)
        key = "content" if "message" in whole else "response"
        parts = [one.get("message", one) for one in records]
        place[key] = "".join(one[key] for one in parts)
        for name, empty in (("thinking", ""), ("tool_calls", [])):
            found = [one[name] for one in parts if name in one]
            if found:
                place[name] = sum(found, empty) if empty == [] else "".join(found)
        entries = [entry for one in records for entry in one.get("logprobs", [])]
        return {**whole, "logprobs": entries} if entries else whole


def _logprobs(token: Token, given: dict[str, Any]) -> dict[str, Any]:
    def entry(text: str, logprob: float) -> dict[str, Any]:
        return {"token": text, "logprob": logprob, "bytes": list(text.encode())}

    made = entry(token.text, token.logprob)
    if given["top_logprobs"]:
        made["top_logprobs"] = [entry(*one) for one in token.top[: given["top_logprobs"]]]
    return {"logprobs": [made]}


def checked(fields: dict[str, Any]) -> dict[str, Any]:
    """A request with every field present, of the right type or refused."""
    given = {**dict.fromkeys(TYPES), "format": None, **fields}
    for name, kind in TYPES.items():
        _typed(given, name, kind)
    for name in ("messages", "options", "tools", "prompt", "model", "context"):
        given[name] = given[name] if given[name] is not None else TYPES[name]()
    given["keep_alive"] = duration(fields.get("keep_alive"))
    think = given["think"] = fields.get("think")
    if think is not None and not isinstance(think, bool) and think not in LEVELS:
        raise HouseError(400, "think must be a boolean or string")
    if not 0 <= (given["top_logprobs"] or 0) <= 20:
        raise HouseError(400, "top_logprobs must be between 0 and 20")
    for image in given["images"] or ():
        decoded(image)
    if not all(type(one) is int for one in given["context"]):
        raise HouseError(400, "context must be a list of whole numbers")
    for tool in given["tools"]:
        for one in tool["function"].get("parameters", {}).get("properties", {}).values():
            if not isinstance(one.get("type", ""), str | list):
                raise HouseError(400, "bad type of a property")
    return given


def _typed(given: dict[str, Any], name: str, kind: type) -> None:
    value = given.get(name)
    if value is not None and (
        not isinstance(value, kind) or isinstance(value, bool) > (kind is bool)
    ):
        raise HouseError(400, f"{name} must be {kind.__name__}")


def _message(given: Json) -> dict[str, Any]:
    given = {} if given is None else given
    if not isinstance(given, dict):
        raise HouseError(400, "a message must be an object")
    for name, kind in MESSAGE_TYPES.items():
        _typed(given, name, kind)
    for image in given.get("images") or ():
        decoded(image)
    for call in given.get("tool_calls") or ():
        if not isinstance(call["function"].get("arguments", {}), dict):
            raise HouseError(400, "arguments must be an object")
    return {
        **given,
        "role": (given.get("role") or "").lower(),
        "content": given.get("content") or "",
    }


def duration(value: Json) -> float | None:
    """A keep_alive in seconds; None where it is absent."""
    if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
        return value
    found = re.fullmatch(r"([+-]?)((?:(?:\d+\.?\d*|\.\d+)(?:ns|us|ms|s|m|h))+|0)", str(value))
    if not isinstance(value, str) or found is None:
        raise HouseError(400, f"time: invalid duration {value!r}")
    parts = re.findall(r"([\d.]+)(ns|us|ms|s|m|h)", found[2])
    sign = -1 if found[1] == "-" else 1
    return sign * sum(float(number) * UNITS[unit] for number, unit in parts)

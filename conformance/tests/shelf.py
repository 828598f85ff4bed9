"""The honest server's store: blobs, and models made of them."""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from ..evidence import Json
from ..script import Script, load_script
from .declaring import overridden
from .gorender import capabilities_of
from .kinds import DETAILS, OF_KIND, SEES, TEXT
from .naming import conflicting, tagged, unmarked, valid
from .wares import INFO, LISTS, TENSORS, modelfile_of, parameters_of

COMMENT = re.compile(r"^\{\{- /\*.*?\*/ -\}\}\s*")
DIGEST = re.compile(r"sha256[:-][0-9a-fA-F]{64}")


class HouseError(Exception):
    """A request is refused."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def layer(content: str) -> str:
    """The digest of a layer of text."""
    return f"sha256:{hashlib.sha256(content.encode()).hexdigest()}"


WEIGHTS = layer("x")  # of the weights of all of them


@dataclass
class Model:
    """A model of the store."""

    template: str
    system: str
    parameters: dict[str, Any]
    digest: str
    modified: datetime
    keep_s: float = 300.0
    loaded_until: float = 0.0
    num_ctx: int = 4096
    kind: str = TEXT
    license: str = ""
    licenses: tuple[str, ...] = ()  # one by one, where they were given so
    size: int = 1_000_000
    manifest: bytes = b""  # of one that was pulled
    messages: tuple[dict[str, str], ...] = ()
    quantization: str = "F16"
    parent: str = ""
    config: dict[str, str] = field(default_factory=dict)  # requires, renderer, parser
    info: dict[str, Any] = field(default_factory=dict)  # what its maker says of it
    weights: str = WEIGHTS  # the digest of what was uploaded, where that is known

    @property
    def layers(self) -> tuple[str, ...]:
        """The digests of its weights and its texts."""
        return self.weights, *(layer(one) for one in (self.template, self.system) if one)

    def begun(self, system: str, flaw: str, context: Sequence[int] = ()) -> list[dict[str, str]]:
        """What stands before a request's turns: a system text and, without a context, its own."""
        own = [{"role": "system", "content": system}] if system else []
        kept = context and flaw != "own turns again"
        turns = [] if kept or flaw == "own turns unread" else self.messages
        return [*turns, *own] if flaw == "own turns before all" else [*own, *turns]


@dataclass
class Shelf:
    """Blobs and models."""

    flaw: str = ""  # what is wrong with it; see `liars`
    models: dict[str, Model] = field(default_factory=dict)
    copies: dict[str, str] = field(default_factory=dict)  # of what, for those who lie
    deleted: dict[str, Model] = field(default_factory=dict)  # they may be loaded still
    blobs: dict[str, bytes] = field(default_factory=lambda: {WEIGHTS: b""})
    script: Script = field(default_factory=load_script)

    def blob(self, method: str, digest: str, body: bytes) -> int:
        """HEAD or POST of a blob: its status."""
        if not DIGEST.fullmatch(digest):
            raise HouseError(400, "invalid digest format")
        if method == "HEAD" and self.flaw != "knows no dashes":
            digest = digest.replace("-", ":")
        there = digest in self.blobs
        if method == "HEAD" and not there:
            raise HouseError(404, f'blob "{digest}" not found')
        if there:
            return 200
        found = f"sha256:{hashlib.sha256(body).hexdigest()}"
        if found != digest and self.flaw != "hash_unchecked":
            raise HouseError(400, f'digest mismatch, expected "{digest}", got "{found}"')
        self.blobs[digest] = body
        return 201

    def tags(self) -> dict[str, Any]:
        """/api/tags."""
        newest = sorted(self.models.items(), key=lambda one: one[1].modified, reverse=True)
        if self.flaw == "hides_new":
            newest = [one for one in newest if "gguf" not in one[0]]
        return {"models": [self._entry(name, model) for name, model in newest]}

    def _entry(self, name: str, model: Model) -> dict[str, Any]:
        return {
            "name": name,
            "model": name,
            "modified_at": iso(model.modified),
            "size": model.size,
            "digest": model.digest,
            "details": {**self._details(model), **OF_KIND[model.kind]["lengths"]},
            "capabilities": self.capabilities(model),
        }

    def _details(self, model: Model) -> dict[str, Any]:
        if not model.size:  # it has neither weights nor a config
            words = dict.fromkeys((*DETAILS, "family", "parameter_size"), "")
            return {**words, "families": None}
        own = {"quantization_level": model.quantization, "parent_model": model.parent}
        return overridden({**DETAILS, **OF_KIND[model.kind]["details"], **own}, model.info)

    def capabilities(self, model: Model) -> list[str]:
        """What the weights and the template can, and what its maker says."""
        declared = model.info.get("capabilities") or []
        return [*(one for one in declared if isinstance(one, str)), *self._found(model)]

    def _found(self, model: Model) -> list[str]:
        if model.kind != TEXT:
            return ["completion", "vision"] if model.kind == SEES else [model.kind]
        template = uncommented(model.template)
        if template == self.script.template:
            return ["completion", "tools", "thinking"]
        return ["completion", *capabilities_of(template, self.flaw)]

    def ps(self) -> dict[str, Any]:
        """/api/ps."""
        now = time.time()
        entries = []
        kept = {} if self.flaw == "delete unloads" else self.deleted
        for name, model in {**kept, **self.models}.items():
            if model.loaded_until > now:
                entry = {
                    "name": name,
                    "model": name,
                    "size": 2_000_000,
                    "digest": model.digest,
                    "details": {**self._details(model), "parent_model": ""},
                    "size_vram": 0,
                    "context_length": model.num_ctx,
                    "expires_at": iso(datetime.fromtimestamp(model.loaded_until, UTC)),
                }
                entries.append(entry)
        return {"models": sorted(entries, key=lambda one: str(one["expires_at"]), reverse=True)}

    def show(self, fields: dict[str, Any]) -> dict[str, Any]:
        """/api/show."""
        name = fields.get("model") or fields.get("name") or ""
        if not str(name).strip():
            raise HouseError(400, "model is required")
        model = self.find(name, f"model '{tagged(name)}' not found")
        known = self.stored(unmarked(name))
        system = fields.get("system") or model.system
        info = INFO if model.kind == TEXT else OF_KIND[model.kind]["model_info"]
        info = {**info, **(LISTS if fields.get("verbose") and model.kind == TEXT else {})}
        shown = {
            "modelfile": modelfile_of(known, model, system, fields.get("options") or {}),
            "parameters": parameters_of(model),
            "template": model.template,
            "system": system,
            "messages": list(model.messages) or "",
            "license": model.license,
            "details": self._details(model),
            "model_info": info,
            "projector_info": OF_KIND[model.kind].get("projector_info", ""),
            "tensors": TENSORS,
            "capabilities": self.capabilities(model),
            "modified_at": iso(model.modified),
            "requires": model.config.get("requires", ""),
        }  # fmt: skip
        return {key: value for key, value in shown.items() if value != ""}

    def copy(self, fields: dict[str, Any]) -> Json:
        """/api/copy."""
        source, destination = fields.get("source", ""), fields.get("destination", "")
        for word, name in (("source", source), ("destination", destination)):
            if not valid(name):
                raise HouseError(400, f"{word} {json.dumps(name, ensure_ascii=False)} is invalid")
        model = self.find(source, f'model "{source}" not found')
        if self.stored(source) == self.stored(destination):
            return
        self.models[self.stored(destination)] = replace(
            model, modified=datetime.now(UTC), loaded_until=0
        )
        self.copies[self.stored(destination)] = self.stored(source)

    def delete(self, fields: dict[str, Any]) -> Json:
        """/api/delete."""
        name = fields.get("model") or fields.get("name") or ""
        if not name:
            raise HouseError(400, "model is required")
        if not conflicting(name) and not valid(name):
            raise HouseError(400, f"name {json.dumps(name, ensure_ascii=False)} is invalid")
        self.find(name, f"model '{name}' not found")
        stored = self.stored(unmarked(name))
        if self.flaw == "deletes_all":
            self.models.clear()
        elif self.flaw != "never_deletes":
            self.deleted[stored] = self.models.pop(stored)
            self._sweep(self.deleted[stored])
        for one in [*self.models]:
            tag = self.flaw == "deletes every tag" and one.startswith(
                stored.rpartition(":")[0] + ":"
            )
            if tag or (self.flaw == "copies go along" and self.copies.get(one) == stored):
                del self.models[one]

    def _sweep(self, gone: Model) -> None:
        """Drop the layers that no other model has."""
        held = {WEIGHTS, *(one for model in self.models.values() for one in model.layers)}
        for digest in set(gone.layers) - (set() if self.flaw == "takes all layers" else held):
            if self.flaw != "leaves layers":
                self.blobs.pop(digest, None)

    def find(self, name: str, message: str) -> Model:
        """A model by its name."""
        if isinstance(name, str) and conflicting(name):
            raise HouseError(400, f'use either :local or :cloud, not both: "{name}"')
        if not isinstance(name, str) or not valid(unmarked(name)):
            raise HouseError(400, "invalid model name")
        stored = self.stored(unmarked(name))
        if stored not in self.models:
            raise HouseError(404, message)
        return self.models[stored]

    def stored(self, name: str) -> str:
        """The name as it is written in the store."""
        wanted = tagged(name).lower()
        return next((one for one in self.models if one.lower() == wanted), tagged(name))


def uncommented(template: str) -> str:
    """A template without the comment that it begins with."""
    return COMMENT.sub("", template)


def iso(moment: datetime) -> str:
    """A time as the API writes it."""
    return moment.isoformat().replace("+00:00", "Z")


def json_text(value: Json) -> bytes:
    """JSON as Ollama writes it: UTF-8, with what splits lines escaped."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for character in "\u0085\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text.encode()

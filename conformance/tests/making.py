"""How the honest server makes models: of files, or of another model."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from .declaring import mistyped
from .freight import problem_of, strays
from .gofuncs import BadTemplate
from .gotext import parse
from .kinds import digests, kind_of
from .naming import tagged, valid
from .shelf import WEIGHTS, HouseError, Model, Shelf

TYPED: dict[str, type] = {
    "model": str, "name": str, "from": str, "files": dict, "adapters": dict, "template": str,
    "system": str, "parameters": dict, "messages": list, "quantize": str, "stream": bool,
}  # fmt: skip
TYPES = ("F32", "F16", "Q4_K_S", "Q4_K_M", "Q8_0")


NAMED: dict[str, Any] = {  # phi-3
    "template": "{{ range .Messages }}<|{{ .Role }}|>\n{{ .Content }}<|end|>\n{{ end }}"
    "<|assistant|>\n",
    "parameters": {"stop": ["<|end|>", "<|system|>", "<|user|>", "<|assistant|>"]},
}


@dataclass
class Maker(Shelf):
    """The store, and what creates models in it."""

    def create(self, fields: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """/api/create: progress; an error as the first record has a status."""
        files = fields.get("files")
        name = fields.get("model") or fields.get("name") or ""
        self._synchronous(fields, name)
        if files is None and not fields.get("from"):
            yield {"error": "neither 'from' or 'files' was specified"}
            return
        base = self._base(fields)
        if base is None and fields.get("from"):
            yield {"status": "pulling manifest"}
            yield {"error": "pull model manifest: file does not exist"}
            return
        if base is None and not files:
            yield {"error": "unknown type"}
            return
        problem = self._problem(fields, base)
        if problem == "unknown type":
            yield {"error": problem}
            return
        parsing = "parsing GGUF" if base is None else f"using existing layer {base.weights}"
        yield {"status": parsing}
        if problem is not None and self.flaw == "failures_destroy":
            self.models.pop(tagged(name), None)
        if problem is not None and self.flaw == "failures_stay":
            self.models[tagged(name)] = Model("", "", {}, "0" * 64, datetime.now(UTC))
        if problem is not None:
            yield {"error": problem}
            return
        named = base is None and self._knows(files or {})
        made = self._made({**NAMED, **fields} if named else fields, base)
        if named and self.flaw != "names no template":
            yield {"status": "using autodetected template phi-3"}
        if self.flaw == "rewrites_store":
            kept, self.models = self.models, {}
            time.sleep(0.05)
            self.models = kept
        if self.flaw != "never_replaces" or self.stored(name) not in self.models:
            self.models[self.stored(name)] = made
            self.copies.pop(self.stored(name), None)
        for one, source in self.copies.items():
            if self.flaw == "copies are links" and source == self.stored(name):
                self.models[one] = made
        if base is None and self.flaw != "weights are no layer":
            yield {"status": f"using existing layer {made.weights}"}
        yield from self._keeps(made, base)
        yield {"status": "writing manifest"}
        yield {"status": "success"}

    def _keeps(self, made: Model, base: Model | None) -> Iterator[dict[str, Any]]:
        """Put the layers of a model's texts there: a record for each."""
        known = set(base.layers) if base else set()
        for digest in made.layers[1:]:
            word = "using existing" if digest in known or digest in self.blobs else "creating new"
            yield {"status": f"{word} layer {digest}"}
            self.blobs.setdefault(digest, b"")

    def _knows(self, files: dict[str, str]) -> bool:
        """Whether weights bring the one chat template that is known here."""
        brought = [self.blobs.get(digest, b"") for digest in files.values()]
        known = any(b"tokenizer.chat_template" in content[:4096] for content in brought)
        return known and self.flaw != "no chat template"

    def _synchronous(self, fields: dict[str, Any], name: str) -> None:
        """Refuse what can be refused before any work."""
        for key, kind in TYPED.items():
            if fields.get(key) is not None and not isinstance(fields[key], kind):
                raise HouseError(400, f"{key} must be {kind.__name__}")
        files = {**(fields.get("files") or {}), **(fields.get("adapters") or {})}
        if any(strays(path) for path in files):
            raise HouseError(400, "file path must be relative")
        if not all(isinstance(one, str) and one for one in files.values()):
            raise HouseError(400, "invalid digest format")
        if not valid(name):
            raise HouseError(400, "invalid model name")

    def _base(self, fields: dict[str, Any]) -> Model | None:
        """What it is made from; None where that is not there."""
        try:
            return self.find(fields["from"], "no such base") if fields.get("from") else None
        except HouseError as error:
            if error.status == 404:
                return None
            raise

    def _problem(self, fields: dict[str, Any], base: Model | None) -> str | None:
        """Why it cannot be made."""
        files = fields.get("files") or {}
        known = {path: one for path, one in files.items() if one not in digests()}
        if base is None and known and self.flaw != "weights_unchecked":
            found = problem_of(known, self.blobs)
            if found is not None:
                return found
        try:
            parse(fields.get("template") or "", self.flaw)
        except BadTemplate as error:
            return f"template error: {error}"
        if (fields.get("quantize") or "F16").upper() not in TYPES:
            return f"unsupported quantization type {fields['quantize']}"
        if (wrong := mistyped(fields.get("info") or {})) is not None:
            return wrong
        given = fields.get("license") or ""
        if not isinstance(given, str | list) or not all(isinstance(one, str) for one in given):
            return "json: cannot unmarshal license"
        return None

    def _uploaded(self, files: dict[str, str]) -> str:
        """The one file that a model is made of, if it is one."""
        there = [digest for digest in files.values() if digest in self.blobs]
        return there[0] if len(files) == 1 == len(there) else WEIGHTS

    def _made(self, fields: dict[str, Any], base: Model | None) -> Model:
        before = base or Model("{{ .Prompt }}", "", {}, "", datetime.now(UTC))
        template = fields.get("template") or before.template
        system = fields.get("system") or before.system
        parameters = {**before.parameters, **(fields.get("parameters") or {})}
        given = fields.get("license") or []
        more = [given] if isinstance(given, str) else given
        messages = tuple(
            {"role": one["role"].lower(), "content": one["content"]}
            for one in fields.get("messages") or before.messages
        )
        given = {key: fields.get(key) or "" for key in ("requires", "renderer", "parser")}
        config = {**before.config, **{key: one for key, one in given.items() if one}}
        said = [template, system, parameters, more, messages, config, fields.get("info")]
        return replace(
            before,
            template=template,
            system=system,
            parameters=parameters,
            messages=messages,
            license="\n".join([*([before.license] if before.license else []), *more]),
            licenses=(*before.licenses, *more),
            quantization=(fields.get("quantize") or before.quantization).upper(),
            size=1_000_000 + len(f"{system}{template}".encode()),
            digest=hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest(),
            modified=datetime.now(UTC),
            loaded_until=0.0,
            parent=tagged(fields["from"].strip()) if base else "",
            config=config,
            info={**before.info, **(fields.get("info") or {})},
            weights=base.weights if base else self._uploaded(fields.get("files") or {}),
            kind=base.kind if base else kind_of((fields.get("files") or {}).values()),
        )

"""The scripted model as data: what it was trained to recite, and the files that hold it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures"
SCRIPTED = FIXTURES / "models" / "scripted"
SEEING = FIXTURES / "models" / "scripted-vision"


@dataclass(frozen=True, slots=True)
class Recital:
    """A prompt of the script, and the answer that every right engine gives to it."""

    id: str
    messages: tuple[dict[str, Any], ...]
    tools: tuple[dict[str, Any], ...]
    think: bool | None
    prompt: str  # rendered, byte for byte
    prompt_tokens: int
    output: str  # generated, raw, without the end token
    output_tokens: int
    content: str
    thinking: str
    tool_calls: tuple[dict[str, Any], ...]  # name, arguments
    ends: bool
    images: tuple[str, ...] = ()  # beside a raw prompt; others are in their messages

    @property
    def asked(self) -> dict[str, Any]:
        """The fields of an /api/chat request that ask for it."""
        fields: dict[str, Any] = {"messages": list(self.messages)}
        if self.tools:
            fields["tools"] = list(self.tools)
        if self.think is not None:
            fields["think"] = self.think
        return fields


@dataclass(frozen=True, slots=True)
class Distribution:
    """A raw prompt after which the next token's probabilities are known."""

    id: str
    prompt: str
    prompt_tokens: int
    probabilities: tuple[tuple[str, float], ...]  # token text, probability; most likely first
    rest: float  # mass on all other tokens together


@dataclass(frozen=True, slots=True)
class Script:
    """All of it."""

    context_length: int
    parameters: dict[str, Any]
    recitals: dict[str, Recital]
    distributions: dict[str, Distribution]
    template: str
    plain_template: str


@cache
def load_script(folder: Path = SCRIPTED) -> Script:
    """The script beside a model. Raises OSError or ValueError when the fixtures are not whole."""
    script = json.loads((folder / "script.json").read_text(encoding="utf-8"))
    if script.get("schema") != "parallama/script/1":
        raise ValueError(f"{folder / 'script.json'} is no parallama/script/1")
    return Script(
        context_length=script["context_length"],
        parameters=script["parameters"],
        recitals={entry["id"]: _recital(entry) for entry in script["recitals"]},
        distributions={entry["id"]: _distribution(entry) for entry in script["distributions"]},
        template=(folder / script["template"]).read_text(encoding="utf-8"),
        plain_template=(folder / script["plain_template"]).read_text(encoding="utf-8"),
    )


def _recital(entry: dict[str, Any]) -> Recital:
    return Recital(
        id=entry["id"],
        messages=tuple(entry["messages"]),
        tools=tuple(entry.get("tools") or ()),
        think=entry.get("think"),
        prompt=entry["prompt"],
        prompt_tokens=entry["prompt_tokens"],
        output=entry["output"],
        output_tokens=entry["output_tokens"],
        content=entry.get("content", ""),
        thinking=entry.get("thinking") or "",
        tool_calls=tuple(entry.get("tool_calls") or ()),
        ends=entry["ends"],
        images=tuple(entry.get("images") or ()),
    )


def _distribution(entry: dict[str, Any]) -> Distribution:
    known = [(token["text"], token["probability"]) for token in entry["tokens"]]
    return Distribution(
        id=entry["id"],
        prompt=entry["prompt"],
        prompt_tokens=entry["prompt_tokens"],
        probabilities=tuple(sorted(known, key=lambda token: -token[1])),
        rest=entry["rest"],
    )


def weights() -> bytes:
    """The scripted model as GGUF."""
    return (SCRIPTED / "scripted.gguf").read_bytes()


def safetensors() -> dict[str, bytes]:
    """The same weights as a folder of safetensors: file name to content."""
    return folder_files(SCRIPTED / "safetensors")


def folder_files(folder: Path) -> dict[str, bytes]:
    """The files of a folder: their paths within it to their contents."""
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}

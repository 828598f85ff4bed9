"""What a template made of a conversation, seen from outside: known answers to exact prompts.

The scripted model recites only where the prompt is right byte for byte. A template is therefore
written in parts, each of which prints a piece of a known prompt; where the whole is not recited,
each part is tried alone, so that a finding names what was rendered wrongly.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..check import Verdict, every, expect, expect_that
from ..evidence import Exchange, Json
from ..reply import read
from ..script import Recital
from ..target import GREEDY, Target
from .shown import made

TURNS = "{{ range .Messages }}{{ end }}"  # a template that names messages is told of all of them
ALL = TURNS + "{{ range .Tools }}{{ end }}"  # and of tools, which are refused otherwise
FIRST: dict[str, Json] = {**GREEDY, "num_predict": 24}  # tokens, by which an answer is known
HELLO = [{"role": "user", "content": "Hello"}]


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a template, by the feature that it uses, and what it has to print."""

    feature: str
    source: str
    prints: str


def literal(text: str) -> Part:
    """A part that prints itself."""
    return Part("", text, text)


def prompt_of(parts: Sequence[Part]) -> str:
    """What the parts print together."""
    return "".join(one.prints for one in parts)


def ask(target: Target, model: str, messages: Sequence[Json], **fields: Json) -> Exchange:
    """Have a model answer, greedy and whole."""
    given: dict[str, Any] = {"model": model, "stream": False, "messages": list(messages)}
    return target.post("/api/chat", {**given, "options": GREEDY, **fields})


def prints(
    target: Target, word: str, parts: Sequence[Part], recital: Recital, **asked: Json
) -> Verdict:
    """Passed if a template of these parts makes the recital's prompt; else names the culprits.

    What is read of a request is no other if its answer is streamed.
    """
    asked = {"messages": HELLO, **asked}
    got = _answered(target, word, ALL + "".join(one.source for one in parts), asked)
    if _recited(got, recital):
        again = {**json.loads(got.request.body or b"{}"), "stream": True}
        wanted = [recital.output, recital.prompt_tokens]
        return every(
            expect([read(one).text, read(one).count("prompt_eval_count")], wanted, one)
            for one in (got, target.post("/api/chat", again))
        )
    wrong = [
        one.feature
        for n, one in enumerate(parts)
        if one.feature and not _alone(target, f"{word}-{n}", parts, one, recital, asked)
    ]
    told = f"not so rendered: {', '.join(wrong) or 'all of them together'}"
    return expect_that(False, "every part of a template to print what it has to", told, got)


def _alone(
    target: Target,
    word: str,
    parts: Sequence[Part],
    part: Part,
    recital: Recital,
    asked: dict[str, Any],
) -> bool:
    """Whether one part prints what it has to, all others being text."""
    source = "".join(one.source if one is part else one.prints for one in parts)
    return _recited(_answered(target, word, ALL + source, asked), recital)


def _answered(target: Target, word: str, template: str, asked: dict[str, Any]) -> Exchange:
    """The answer of a model with this template; where it cannot be made, what was said to that."""
    name = target.temporary(word)
    fields = {"model": name, "from": target.model, "template": template}
    got = target.post("/api/create", fields, stream=False)
    return got if got.code != 200 else ask(target, name, **asked)


def _recited(got: Exchange, recital: Recital) -> bool:
    return got.code == 200 and "message" in got.object and read(got).text == recital.output


def answers(
    target: Target, model: str, messages: Sequence[Json], text: str, **fields: Json
) -> Verdict:
    """Passed if the model gives this answer."""
    got = ask(target, model, messages, **fields)
    return expect(read(got).text, text, got)


def begins(got: Exchange, recital: Recital) -> Verdict:
    """Passed if what was asked for with `FIRST` is the beginning of a longer recital."""
    reply = read(got)
    begun = reply.text != "" and recital.content.startswith(reply.text)
    holds = begun and reply.reason == "length"
    return expect_that(holds, f"the beginning of {recital.content!r}", reply.text, got)


def templated(target: Target, word: str, template: str, **fields: Json) -> str:
    """A model with this template; its name."""
    return made(target, word, template=template, **fields)

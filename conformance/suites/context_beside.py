"""Class context, part two: all of a prompt is read, whatever stands beside it in the request.

What is read is told by its tokens: a part of a prompt adds as many beside any other field as it
adds alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from ..check import MUST, Verdict, check, every, expect_that
from ..clients import CHATTERS, LANGCHAIN, LITELLM, SDKS
from ..evidence import Exchange, Json, Wrong
from ..reply import read
from ..target import Target
from .busy import offered
from .shown import made

NEAR = 3  # tokens, for a text that is read again in other pieces
JOINED = 7  # tokens, for what several parts share
ONE: Json = {"num_predict": 1}
DRAWN: Json = {"num_predict": 1, "temperature": 1.0, "top_k": 5, "seed": 3, "stop": ["Zebra"]}
AND = " and "  # between parts that are given together
QUESTION = "Tell me of the sea, of ships, and of the weather there."
SYSTEM = "You are a pirate who has seen many ships and few towns."
SUFFIX = "And so, after many years on ships, the pirate came back to a town that knew him not."
TURNS: Json = [
    {"role": "user", "content": "I am Ada, and I like ships."},
    {"role": "assistant", "content": "Then you will like the sea, Ada."},
]
POET = "Say all that follows like a poet, in four lines, and rhyme."  # before a template
BESIDE: tuple[dict[str, Json], ...] = (
    {"think": True},
    {"think": False},
    {"format": {"const": "Zebra 7"}, "think": False},
    {"logprobs": True, "top_logprobs": 2},
    {"truncate": False},
    {"options": DRAWN},
    {"stream": True},
    {"shift": False},
)
FIELDS = {"thinking": "think", "format": "format", "logprobs": "logprobs"}  # of a class
Parts = dict[str, dict[str, Json]]  # what may be added to a request, by name


def _added(
    target: Target, ask: Callable[..., Exchange], parts: Parts, bare: dict[str, Json]
) -> Iterator[Verdict]:
    """Passed if each part adds as much beside each other field as it adds alone."""

    def count(**beside: Json) -> list[tuple[int, Exchange]]:
        given = {"options": ONE, "stream": False, **bare, **beside}
        asks = (partial(ask, **{**given, **fields}) for fields in ({}, *parts.values()))
        return [(read(got).count("prompt_eval_count"), got) for got in target.several(asks)]

    (nothing, _), *added_alone = count()
    alone = {name: one - nothing for name, (one, _) in zip(parts, added_alone, strict=True)}
    absent = {FIELDS.get(group) for group in target.setup.absent}
    for beside in (one for one in BESIDE if not absent & one.keys()):
        (without, _), *with_it = count(**beside)
        for name, (found, got) in zip(parts, with_it, strict=True):
            told = f"{name} to add about {alone[name]} tokens beside {beside}, as without that"
            yield expect_that(
                abs(found - without - alone[name]) <= NEAR, told, found - without, got
            )
    for name, added in alone.items():
        several = sum(alone[one] for one in name.split(AND)) if AND in name else added
        told = f"{name} to add about {several} tokens to the prompt"
        yield expect_that(added > NEAR and abs(added - several) <= JOINED, told, added)


@check(
    "context/all-is-read-by-generate",
    MUST,
    group="context",
    source="server/routes.go:GenerateHandler",
    covers=("GEN-005", "GEN-006", "GEN-020", "GEN-027", "GEN-057", "MET-005"),
    breaks=(*SDKS, LANGCHAIN, LITELLM),
)
def all_is_read_by_generate(target: Target) -> Verdict:
    """System texts, templates and contexts are read by generate whatever stands beside them."""
    _ = target.script
    given = read(target.generate("history-first")).final.get("context")
    if not isinstance(given, list):
        raise Wrong("a `context` to give back", given)
    insert = "{{ if .Suffix }}{{ .Prompt }} {{ .Suffix }}{{ end }}" + target.script.template
    template, own = POET + target.script.template, made(target, "pirate", system=SYSTEM)
    parts: Parts = {
        "system": {"system": SYSTEM},
        "template": {"template": template},
        "context": {"context": given},
        "model": {"model": own},  # that has a system text
        "context and system": {"context": given, "system": SYSTEM},
        "context and system and template": {
            "context": given,
            "template": template,
            "system": SYSTEM,
        },
        "suffix": {"model": made(target, "insert", template=insert), "suffix": SUFFIX},
        "model and context": {"model": own, "context": given},
    }
    bare: dict[str, Json] = {"prompt": QUESTION}
    return every(_added(target, target.generate, parts, bare))


@check(
    "context/all-is-read-by-chat",
    MUST,
    group="context",
    source="server/routes.go:ChatHandler",
    covers=("CHAT-002", "CHAT-025", "CHAT-032", "CHAT-006", "TOOL-003", "MET-005"),
    breaks=(*CHATTERS, LANGCHAIN, LITELLM),
)
def all_is_read_by_chat(target: Target) -> Verdict:
    """System messages, histories and tools are read by chat whatever stands beside them."""
    offered(target, "tools")
    last = {"role": "user", "content": QUESTION}
    first = {"role": "system", "content": SYSTEM}
    tools = list(target.recital("tool-call").tools)
    parts: Parts = {
        "a system message": {"messages": [first, last]},
        "a history": {"messages": [*TURNS, last]},
        "tools": {"tools": tools},
        "a system message and a history and tools": {
            "messages": [first, *TURNS, last],
            "tools": tools,
        },
    }
    return every(_added(target, target.chat, parts, {"messages": [last]}))

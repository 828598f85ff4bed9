"""Class create, part: turns that a model has of its own stand before those of a request."""

from __future__ import annotations

from ..check import MUST, SHOULD, Verdict, check, every, expect
from ..clients import CHATTERS, SDKS
from ..evidence import Exchange
from ..reply import read
from ..target import Target
from ._rendered import HELLO, TURNS, ask
from .shown import made

PIRATE = "You are a pirate."
PAIR = [{"role": "user", "content": "Ahoy"}, {"role": "assistant", "content": "Aye"}]


def _placed(place: int) -> str:
    """A template that asks a known question where a place of the conversation is a system text."""
    return (
        f'{TURNS}{{{{ if eq (index .Messages {place}).Content "{PIRATE}" }}}}'
        "<|user|>\nHello<|end|>\n<|assistant|>\n{{ end }}"
    )


def _told(target: Target, asked: list[tuple[str, int, Exchange]]) -> Verdict:
    """Passed if each answer is a recital to a prompt of so many tokens."""
    return every(
        expect([read(got).text, read(got).count("prompt_eval_count")], [text, count], got)
        for text, count, got in asked
    )


@check(
    "chat/own-turns-come-first",
    MUST,
    group="create",
    source="server/routes.go:ChatHandler",
    covers=("CHAT-025", "CREATE-14"),
    breaks=(*CHATTERS, *SDKS),
)
def chat_own_turns(target: Target) -> Verdict:
    """The turns of a model stand before a conversation's, system text and all, after its own."""
    history, hello = target.recital("history"), target.recital("greeting")
    *before, last = history.messages
    begun = made(target, "own-turns", messages=list(before))
    late = made(target, "own-turns-late", messages=PAIR, template=_placed(2))
    early = made(target, "own-turns-early", messages=PAIR, template=_placed(0), system=PIRATE)
    system = {"role": "system", "content": PIRATE}
    whole, known = (history.content, history.prompt_tokens), (hello.content, hello.prompt_tokens)
    return _told(
        target,
        [
            (*whole, ask(target, begun, [last])),
            (*whole, target.chat(model=begun, messages=[last], stream=True)),
            (*known, ask(target, late, [system, *HELLO])),
            (*known, ask(target, early, HELLO)),
        ],
    )


@check(
    "generate/own-turns-come-first",
    MUST,
    group="create",
    source="server/routes.go:GenerateHandler",
    covers=("GEN-020", "GEN-024", "CREATE-14"),
    breaks=SDKS,
)
def generate_own_turns(target: Target) -> Verdict:
    """The turns of a model stand between the system text and the prompt, if that is not raw."""
    history, hello = target.recital("history"), target.recital("greeting")
    *before, last = history.messages
    begun = made(target, "own-turns-of-a-prompt", messages=list(before))
    early = made(target, "own-turns-after-system", messages=PAIR, template=_placed(0))
    whole, known = (history.content, history.prompt_tokens), (hello.content, hello.prompt_tokens)
    prompt = last["content"]
    return _told(
        target,
        [
            (*whole, target.generate(model=begun, prompt=prompt)),
            (*whole, target.generate(model=begun, prompt=prompt, stream=True)),
            (*known, target.generate(model=early, prompt="Hello", system=PIRATE)),
            (*known, target.generate(model=begun, prompt=hello.prompt, raw=True)),
        ],
    )


@check(
    "context/instead-of-own-turns",
    SHOULD,
    group="context",
    source="server/routes.go:GenerateHandler",
    covers=("GEN-027", "GEN-057"),
    breaks=SDKS,
)
def context_instead(target: Target) -> Verdict:
    """A `context` stands in the place of the model's turns: they are not put in front of it."""
    wanted = target.script.recitals["context"]
    first = target.generate("history-first").ok.object.get("context", [])
    begun = made(target, "own-turns-and-context", messages=PAIR)
    got = target.generate("history-none", model=begun, context=first)
    found = [read(got).text, read(got).count("prompt_eval_count")]
    return expect(found, [wanted.content, wanted.prompt_tokens], got)

"""Class core, part eleven: what is sent is read whole and as it is, seen in how much is read.

The tokens of an arbitrary text are not known, but laws of theirs are: they grow evenly with the
turns and with the length, and texts that are not the same bytes are not as long.
"""

from __future__ import annotations

from functools import partial

from ..check import MUST, PASSED, SHOULD, Verdict, check, every, expect, expect_that
from ..clients import CHATTERS, CONTINUE, LANGCHAIN, LANGCHAIN_JS, LLAMAINDEX, SDKS
from ..evidence import Exchange, Json
from ..reply import read
from ..target import Target
from .every_way import BARE
from .shown import made

TURNS = (2, 12, 22)  # pairs of turns
LENGTHS = (50, 250, 450)  # times `PHRASE`
PHRASE = "weather weather weather "  # few tokens of many letters
ROUNDING = 2  # tokens
CALLS = (  # a template of the names of calls whose arguments are what they were
    "{{ range .Messages }}{{ range .ToolCalls }}{{ if eq (print .Function.Arguments) "
    '`{"deep":{"a":[1,"\u00e9"]},"n":3,"none":null,"s":"4","x":2.5,"yes":true}` }}'
    "{{ .Function.Name }}{{ end }}{{ end }}{{ end }}"
)
ONE = {"num_predict": 1}
DESCRIPTION = "Where the ship lies, and how long she will lie there. " * 12
# texts that careless servers make the same, and how they are told apart
ALIKE = (
    ("combining marks, composed", "e\u0301" * 30, "\u00e9" * 30),
    ("ligatures, taken apart", "\ufb01" * 30, "fi" * 30),
    ("CR LF, as LF", "a\r\nb" * 30, "a\nb" * 30),
    ("blanks in front", " " * 30 + "Hello", "Hello"),
    ("blanks at the end", "Hello" + " " * 30, "Hello"),
    ("line feeds at the end", "Hello" + "\n" * 30, "Hello"),
    ("double blanks", "a  b" * 30, "a b" * 30),
    ("zero width joiners", "a\u200db" * 30, "ab" * 30),
    ("control characters", "a\u0001b" * 30, "ab" * 30),
    ("markup, escaped", "<b>&" * 30, "&lt;b&gt;&amp;" * 30),
)


def pieces_of(prompt: str) -> tuple[str, str, str]:
    """A prompt in three."""
    third = len(prompt) // 3
    return prompt[:third], prompt[third : 2 * third], prompt[2 * third :]


def _even(counts: list[int]) -> bool:
    first, second = (counts[n + 1] - counts[n] for n in (0, 1))
    return first > 0 and abs(second - first) <= ROUNDING


@check(
    "chat/every-turn-is-read",
    MUST,
    group="core",
    source="docs/api.md#chat-request-with-history",
    covers=("CHAT-002", "CHAT-025", "MET-005"),
    breaks=CHATTERS,
)
def every_turn(target: Target) -> Verdict:
    """Ten more pairs of turns are as many more tokens, however long the conversation is."""
    pair = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hello!"}]
    found = [
        read(target.chat(messages=[*pair * pairs, pair[0]], options=ONE)).count("prompt_eval_count")
        for pairs in TURNS
    ]
    return expect_that(_even(found), f"even steps for {TURNS} pairs of turns", found)


@check(
    "generate/long-prompts-are-read",
    MUST,
    group="core",
    source="docs/api.md#generate-a-completion",
    covers=("GEN-002", "CHAT-016", "MET-005"),
    breaks=(*SDKS, CONTINUE),
)
def long_prompts(target: Target) -> Verdict:
    """A prompt that fits the window is read to its end: twice as many more words count double."""
    texts = [PHRASE * times for times in LENGTHS]
    options = {**ONE, "num_ctx": 4096}
    ways = {
        "generate": [partial(target.generate, prompt=text, options=options) for text in texts],
        "chat": [
            partial(target.chat, messages=[{"role": "user", "content": text}], options=options)
            for text in texts
        ],
    }
    counts = {
        way: [read(got).count("prompt_eval_count") for got in target.several(asks)]
        for way, asks in ways.items()
    }
    holds = all(_even(found) for found in counts.values())
    lengths = [len(text) for text in texts]
    return expect_that(holds, f"even steps for {lengths} characters", counts)


@check(
    "chat/text-is-read-as-it-is",
    MUST,
    group="core",
    source="server/routes.go:ChatHandler",
    covers=("GEN-024", "CHAT-016", "GEN-002"),
    breaks=(*SDKS, *CHATTERS),
)
def as_it_is(target: Target) -> Verdict:
    """A text is not normalised, trimmed or escaped before the model reads it."""
    _ = target.script  # a model of many tokens may have one for each of two texts
    chat = partial(target.chat, options=ONE)
    generate = partial(target.generate, options=ONE)
    for name, text, other in ALIKE:
        both = (text, other)
        asks = {
            "chat": [partial(chat, messages=[{"role": "user", "content": one}]) for one in both],
            "generate": [partial(generate, prompt=one) for one in both],
            "raw": [partial(generate, prompt=one, raw=True) for one in both],
        }
        told = iter(target.several(ask for pair in asks.values() for ask in pair))
        counts = {way: [_counted(next(told)) for _ in both] for way in asks}
        same = {
            way: found
            for way, found in counts.items()
            if None not in found and found[0] == found[1]
        }
        if same:
            return expect_that(False, f"other token counts for {name}", same)
    return PASSED


def _counted(got: Exchange) -> int | None:
    """The tokens of a prompt; None where Ollama forgets them.

    It does where the answer's only token is a part of a character.
    """
    if got.ok.object["done"] is False:
        return None
    return read(got).count("prompt_eval_count")


@check(
    "chat/system-in-its-place",
    SHOULD,
    group="core",
    source="server/routes_generate_test.go:TestGenerateChat",
    covers=("CHAT-032",),
    breaks=CHATTERS,
)
def system_in_its_place(target: Target) -> Verdict:
    """A system message in the midst of a conversation stays where it is."""
    recital = target.recital("greeting")
    pieces = pieces_of(recital.prompt)
    turns = [
        {"role": role, "content": piece}
        for role, piece in zip(("user", "system", "user"), pieces, strict=True)
    ]
    got = target.chat(model=made(target, "in-place", template=BARE), messages=turns)
    return expect(read(got).text, recital.output, got)


@check(
    "chat/later-system-beside-its-own",
    MUST,
    group="core",
    source="server/routes_generate_test.go:TestGenerateChat",
    covers=("CHAT-025", "CHAT-026"),
    breaks=CHATTERS,
)
def later_system(target: Target) -> Verdict:
    """The model's own system text stays in front where a system message comes later on."""
    recital = target.recital("greeting")
    own, second, third = pieces_of(recital.prompt)
    turns = [{"role": "user", "content": second}, {"role": "system", "content": third}]
    model = made(target, "own-system", template=BARE, system=own)
    got = target.chat(model=model, messages=turns)
    return expect(read(got).text, recital.output, got)


@check(
    "chat/blanks-are-delivered",
    SHOULD,
    group="core",
    source="server/routes.go:ChatHandler",
    covers=("GEN-061",),
    breaks=CHATTERS,
)
def blanks_are_delivered(target: Target) -> Verdict:
    """Blanks and line feeds of an answer are delivered, in chat and generate, streamed or not."""
    model = made(target, "blanks", template=BARE)  # one that cannot think: all is content
    for recital in (target.recital("raw"), target.recital("think")):
        turn = [{"role": "user", "content": recital.prompt}]
        for got in target.several(
            partial(ask, stream=stream)
            for ask in (
                partial(target.chat, model=model, messages=turn),
                partial(target.generate, model=model, prompt=recital.prompt),
            )
            for stream in (False, True)
        ):
            if read(got).text != recital.output:
                return expect(read(got).text, recital.output, got)
    return PASSED


@check(
    "chat/every-call-of-a-turn-is-read",
    MUST,
    group="tools",
    source="api/types.go:Message",
    covers=("CHAT-019", "CHAT-033", "TOOL-019"),
    breaks=(LANGCHAIN, LANGCHAIN_JS, LLAMAINDEX),
)
def every_call(target: Target) -> Verdict:
    """All calls of an earlier turn reach the model, with their arguments as they were."""
    recital = target.recital("greeting")
    pieces = pieces_of(recital.prompt)
    given = {"n": 3, "x": 2.5, "yes": True, "none": None, "deep": {"a": [1, "\u00e9"]}, "s": "4"}
    calls = [{"function": {"name": piece, "arguments": given}} for piece in pieces]
    turns = [
        {"role": "user", "content": ""},
        {"role": "assistant", "content": "", "tool_calls": calls},
        {"role": "tool", "content": "", "tool_name": pieces[0]},
    ]
    model = made(target, "every-call", template=CALLS)
    got = target.chat(model=model, messages=turns)
    return expect(read(got).text, recital.output, got)


@check(
    "tools/definitions-are-whole",
    MUST,
    group="tools",
    source="api/types.go:ToolProperty",
    covers=("TOOL-003", "TOOL-004"),
    breaks=(*SDKS, LANGCHAIN, LANGCHAIN_JS, LLAMAINDEX),
)
def definitions_are_whole(target: Target) -> Verdict:
    """What a tool's definition says of a parameter reaches the template: each word of it counts."""
    _ = target.script
    model = made(target, "definitions", template=BARE + "{{ range .Tools }}{{ . }}{{ end }}")
    bare = _tokens(target, model, {}, [])
    found = {
        name: _tokens(target, model, property, required)
        for name, property, required in (
            ("description", {"description": "Where the ship lies"}, []),
            ("enum", {"enum": ["celsius", "fahrenheit"]}, []),
            ("items", {"items": {"type": "integer"}}, []),
            ("anyOf", {"anyOf": [{"type": "integer"}, {"type": "boolean"}]}, []),
            ("properties", {"properties": {"harbour": {"type": "string"}}}, []),
            ("required", {}, ["ship"]),
        )
    }
    lost = [name for name, count in found.items() if count <= bare]
    less, whole = (
        [
            _tokens(target, model, {"description": text}, []),
            _tokens(target, model, {}, [], description=text),
        ]
        for text in (DESCRIPTION[:-8], DESCRIPTION)
    )
    return every(
        (
            expect_that(not lost, f"more than the {bare} tokens without them", found),
            expect_that(
                all(few < all_ for few, all_ in zip(less, whole, strict=True)),
                f"descriptions of {len(DESCRIPTION)} characters to their end",
                {"without the last word": less, "whole": whole},
            ),
        )
    )


def _tokens(
    target: Target, model: str, more: dict[str, Json], required: list[str], **about: Json
) -> int:
    """How long the prompt is with a tool of one parameter that is described so."""
    parameters = {
        "type": "object",
        "properties": {"ship": {"type": "string", **more}},
        "required": required,
    }
    tool = {"type": "function", "function": {"name": "f", **about, "parameters": parameters}}
    got = target.chat(model=model, tools=[tool], options=ONE)
    return read(got).count("prompt_eval_count")


@check(
    "chat/no-user-is-needed",
    SHOULD,
    group="core",
    source="api/types.go:Message",
    covers=("CHAT-015", "CHAT-031", "CHAT-032"),
    breaks=(LANGCHAIN, LANGCHAIN_JS, LLAMAINDEX),
)
def no_user_is_needed(target: Target) -> Verdict:
    """A conversation without a user's turn is answered, whoever else speaks in it."""
    recital = target.recital("greeting")
    name = made(target, "no-user", template=BARE)
    for got in target.several(
        partial(target.chat, model=name, messages=[{"role": role, "content": recital.prompt}])
        for role in ("system", "assistant", "tool")
    ):
        if read(got).text != recital.content:
            return expect(read(got).text, recital.content, got)
    return PASSED

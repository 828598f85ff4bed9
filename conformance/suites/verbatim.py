"""Class core, part twelve: what a client writes reaches the template as it was written.

A template compares what it is told with what was sent and prints its part of a known prompt
where they are the same, so that one answer tells of many texts.
"""

from __future__ import annotations

import json
from functools import partial

from ..check import MUST, SHOULD, Verdict, check, every, expect
from ..clients import CHATTERS, CONTINUE, LANGCHAIN, LANGCHAIN_JS, SDKS
from ..evidence import Json
from ..reply import read
from ..target import Target
from ._rendered import HELLO, Part, ask, literal, prints, templated
from .shown import made

TEXTS = {
    "tabs and blanks at both ends": " \ta\tb \n",
    "empty lines": "a\n\n\n\nb",
    "U+0000": "a\u0000b",
    "marks of thinking and templates": "<think>a</think>\n{{ .Content }} {% raw %} {0} $a %s",
    "marks of HTML": "<b>&amp; &lt; </b>",
    "letters of no width": "a\u200b\u2060b\ufeff",
    "separators of lines": "a\u2028b\u0085c\r\nd",
    "letters in two parts": "e\u0301 \ufb01 \u212b",
    "JSON": '{"a":  1.0, "b": [ ]}',
    "backslashes": "a\\nb \\u0041 \"c\" 'd'",
}
PIECES = ("<|user|>", "\n", "H", "ello", "<|end|>", "\n", "<|", "assistant", "|>", "\n")
ROLES = ("user", "assistant", "user", "assistant", "tool", "user", "assistant", "user", "tool")
GIVEN: Json = {"a": "é <x>", "b": 3, "l": [1, 2.5], "n": None, "y": True}
TOLD = '{"a":"é \\u003cx\\u003e","b":3,"l":[1,2.5],"n":null,"y":true}'
DEFS: Json = {"x": {"type": "integer"}}
NAME = "get-the.weather_2"
SUFFIX = "\n  b \t"


def quoted(text: str) -> str:
    """A text as a template writes it; what JSON has to escape Go escapes in the same way."""
    return json.dumps(text, ensure_ascii=False)


@check(
    "chat/texts-are-not-touched",
    MUST,
    group="core",
    source="server/routes.go:ChatHandler",
    covers=("CHAT-016", "CHAT-032", "TOOL-018", "TMPL-06"),
    breaks=(*CHATTERS, *SDKS, LANGCHAIN),
)
def texts_are_not_touched(target: Target) -> Verdict:
    """Contents of all roles reach the template as they were sent: blanks, marks and all."""
    parts, messages = [], []
    for n, (feature, text) in enumerate(TEXTS.items()):
        role = (*ROLES, "user")[n]
        messages.append({"role": role, "content": text})
        same = f"eq (index .Messages {n}).Content {quoted(text)}"
        same = f"{{{{ if {same} }}}}{PIECES[n]}{{{{ end }}}}"
        parts.append(Part(f"{feature} in a message of role {role}", same, PIECES[n]))
    return prints(target, "texts", parts, target.recital("greeting"), messages=messages)


@check(
    "generate/texts-are-not-touched",
    MUST,
    group="core",
    source="server/routes.go:GenerateHandler",
    covers=("GEN-002", "GEN-003", "GEN-005", "GEN-006", "GEN-020"),
    breaks=(*SDKS, CONTINUE),
)
def prompts_are_not_touched(target: Target) -> Verdict:
    """Prompt, system text and suffix reach the template as they were sent, a request's, too."""
    whole, greeting = "".join(TEXTS.values()), target.recital("greeting")

    def printing(field: str, text: str) -> str:
        """A template that prints where prompt and field are told as they were sent."""
        same = f"and (eq .Prompt {quoted(whole)}) (eq .{field} {quoted(text)})"
        return f"{{{{ if {same} }}}}{greeting.prompt}{{{{ end }}}}{{{{ .Response }}}}"

    model = templated(target, "prompt", printing("Prompt", whole))
    inserts = templated(target, "inserting", printing("Suffix", SUFFIX))
    beside = {"system": whole, "template": printing("System", whole)}
    asked: tuple[tuple[str, dict[str, Json]], ...] = (
        ("prompt", {"model": model}),
        ("system beside a template of the request", beside),
        ("suffix", {"model": inserts, "suffix": SUFFIX}),
    )
    for name, fields in asked:
        got = target.generate(**{"prompt": whole, **fields})
        found = [name, read(got).text, read(got).count("prompt_eval_count")]
        if found != (wanted := [name, greeting.content, greeting.prompt_tokens]):
            return expect(found, wanted, got)
    return expect(got.code, 200, got)


@check(
    "chat/earlier-turns-are-whole",
    MUST,
    group="tools",
    source="api/types.go:Message",
    covers=("CHAT-017", "CHAT-019", "CHAT-020", "THINK-012", "TOOL-019", "TOOL-021"),
    breaks=(*CHATTERS, LANGCHAIN, LANGCHAIN_JS),
)
def earlier_turns_are_whole(target: Target) -> Verdict:
    """Of every earlier turn thinking and calls are told, arguments with the types they have."""
    arguments = f"{{{{ if eq (print .Function.Arguments) `{TOLD}` }}}}Hello{{{{ end }}}}"
    parts = (
        literal("<|user|>\n"),
        Part(
            "arguments of a call",
            f"{{{{ range (index .Messages 1).ToolCalls }}}}{arguments}{{{{ end }}}}",
            "Hello",
        ),
        Part("thinking of an earlier turn", "{{ (index .Messages 1).Thinking }}", "<|end|>\n<|"),
        Part("the name of a tool", "{{ (index .Messages 2).ToolName }}", "assist"),
        Part("thinking of the last turn", "{{ (index .Messages 3).Thinking }}", "ant|>\n"),
    )
    call = {"function": {"name": "f", "arguments": GIVEN}}
    first = {"role": "assistant", "thinking": "<|end|>\n<|", "content": "a", "tool_calls": [call]}
    messages = [
        *HELLO,
        first,
        {"role": "tool", "tool_name": "assist", "content": "b"},
        {"role": "assistant", "thinking": "ant|>\n", "content": "c"},
        {"role": "user", "content": "d"},
    ]
    return prints(target, "turns", parts, target.recital("greeting"), messages=messages)


@check(
    "tools/told-as-defined",
    SHOULD,
    group="tools",
    source="api/types.go:Tool",
    covers=("TOOL-003", "TOOL-006", "TOOL-004"),
    breaks=(LANGCHAIN, LANGCHAIN_JS),
)
def told_as_defined(target: Target) -> Verdict:
    """All tools are told, in their order, by the names they have, with types of any name."""
    parameters = {"type": "object", "$defs": DEFS, "properties": {"a": {"type": "string"}}}
    tools: list[Json] = [
        {"type": "function", "function": {"name": NAME, "parameters": parameters}},
        {"type": "custom", "function": {"name": "Hello"}},
        {"type": "function", "function": {"name": "<|end|>", "parameters": {}}},
    ]
    parts = (
        Part(
            "a name with dashes and dots",
            f'{{{{ if eq (index .Tools 0).Function.Name "{NAME}" }}}}<|user|>{{{{ end }}}}',
            "<|user|>",
        ),
        Part(
            "$defs",
            "{{ if eq (json (index .Tools 0).Function.Parameters.Defs) "
            f"`{json.dumps(DEFS, separators=(',', ':'))}` }}}}\n{{{{ end }}}}",
            "\n",
        ),
        Part("the second tool", "{{ (index .Tools 1).Function.Name }}", "Hello"),
        Part("the third tool", "{{ (index .Tools 2).Function.Name }}", "<|end|>"),
        Part(
            "another type than function",
            '{{ if eq (index .Tools 1).Type "custom" }}\n<|assistant|>\n{{ end }}',
            "\n<|assistant|>\n",
        ),
    )
    return prints(target, "defined-tools", parts, target.recital("greeting"), tools=tools)


@check(
    "generate/system-replaces-the-own",
    MUST,
    group="create",
    source="server/routes.go:GenerateHandler",
    covers=("GEN-005", "CHAT-026", "GEN-020"),
    breaks=(*SDKS, LANGCHAIN),
)
def system_replaces_the_own(target: Target) -> Verdict:
    """A request's system text stands in the place of the model's, in generate as in chat."""
    pirate = target.recital("greeting-system")
    name = made(target, "parrot", system="You are a parrot.")
    system = pirate.messages[0]["content"]
    return every(
        expect([read(got).text, read(got).count("prompt_eval_count")],
               [pirate.content, pirate.prompt_tokens], got)
        for got in (
            *target.in_both_forms(partial(target.generate, model=name, system=system)),
            ask(target, name, pirate.messages),
        )
    )  # fmt: skip

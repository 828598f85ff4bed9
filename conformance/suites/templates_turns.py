"""Class create, part five: what templates are told of a conversation, its messages and tools."""

from __future__ import annotations

from functools import partial

from ..check import MUST, SHOULD, Verdict, check, every, expect
from ..clients import CHATTERS, CONTINUE, GO, LANGCHAIN, SDKS
from ..evidence import Json
from ..reply import read
from ..target import GREEDY, Target
from ._rendered import FIRST, HELLO, TURNS, Part, answers, ask, begins, literal, prints, templated

ADA = {"role": "user", "content": "My name is Ada."}
NICE = {"role": "assistant", "content": "Nice to meet you, Ada."}
TURN = (
    "{{ if .System }}<|system|>\n{{ .System }}<|end|>\n{{ end }}"
    "{{ if .Prompt }}<|user|>\n{{ .Prompt }}<|end|>\n{{ end }}"
    "<|assistant|>\n{{ .Response }}<|end|>\n"
)
NAMED = (  # a turn that has a system text shows that in the place of its prompt
    "<|user|>\n{{ if .System }}My name is {{ .System }}.{{ else }}{{ .Prompt }}{{ end }}<|end|>\n"
    "<|assistant|>\n{{ .Response }}<|end|>\n"
)
CALL = {"id": " do", "function": {"index": 7, "name": " two", "arguments": {"place": " have?"}}}
FIELDS_OF = (
    {"role": "user", "content": "How"},
    {"role": "assistant", "content": " many", "thinking": " legs", "tool_calls": [CALL]},
    {"role": "tool", "content": "Eight", "tool_name": " legs", "tool_call_id": "."},
)
CALLS = "{{ range (index .Messages 1).ToolCalls }}"
MESSAGE_FIELDS = (
    Part("Role", "<|{{ (index .Messages 0).Role }}|>\n", "<|user|>\n"),
    Part(
        "Content", "{{ (index .Messages 0).Content }}{{ (index .Messages 1).Content }}", "How many"
    ),
    Part("Thinking", "{{ (index .Messages 1).Thinking }}", " legs"),
    Part("ToolCalls.ID", f"{CALLS}{{{{ .ID }}}}{{{{ end }}}}", " do"),
    Part("ToolCalls.Function.Name", f"{CALLS}{{{{ .Function.Name }}}}{{{{ end }}}}", " two"),
    Part(
        "ToolCalls.Function.Index",
        f"{CALLS}{{{{ if eq .Function.Index 7 }}}} cats{{{{ end }}}}{{{{ end }}}}",
        " cats",
    ),
    Part(
        "ToolCalls.Function.Arguments by name",
        CALLS + '{{ range $key, $one := .Function.Arguments }}{{ if eq $key "place" }}{{ $one }}'
        "{{ end }}{{ end }}{{ end }}",
        " have?",
    ),
    Part(
        "ToolCalls.Function.Arguments as JSON",
        CALLS + '{{ if eq (print .Function.Arguments) `{"place":" have?"}` `{"place": " have?"}` }}'
        "<|end|>\n{{ end }}{{ end }}",
        "<|end|>\n",
    ),
    literal("<|assistant|>\nEight"),
    Part("ToolName", "{{ (index .Messages 2).ToolName }}", " legs"),
    Part("ToolCallID", "{{ (index .Messages 2).ToolCallID }}", "."),
    literal("<|end|>\n<|user|>\nHow did you know?<|end|>\n<|assistant|>\n"),
)
DESCRIBED = {
    "type": "function",
    "function": {
        "name": " weather",
        "description": " in",
        "parameters": {
            "type": "object",
            "required": [" is"],
            "properties": {" the": {"type": "string", "description": " Paris?"}},
        },
    },
}
TOOL_FIELDS = (
    Part(
        "Type",
        '{{ range .Tools }}{{ if eq .Type "function" }}<|user|>\n{{ end }}{{ end }}',
        "<|user|>\n",
    ),
    Part(
        "Function.Parameters.Type",
        '{{ range .Tools }}{{ if eq .Function.Parameters.Type "object" }}What{{ end }}{{ end }}',
        "What",
    ),
    Part(
        "Function.Parameters.Required",
        "{{ range .Tools }}{{ range .Function.Parameters.Required }}{{ . }}{{ end }}{{ end }}",
        " is",
    ),
    Part(
        "Function.Parameters.Properties by name",
        "{{ range .Tools }}{{ range $name, $one := .Function.Parameters.Properties }}{{ $name }}"
        "{{ end }}{{ end }}",
        " the",
    ),
    Part("Function.Name", "{{ range .Tools }}{{ .Function.Name }}{{ end }}", " weather"),
    Part("Function.Description", "{{ range .Tools }}{{ .Function.Description }}{{ end }}", " in"),
    Part(
        "Description of a property",
        "{{ range .Tools }}{{ range $name, $one := .Function.Parameters.Properties }}"
        "{{ $one.Description }}{{ end }}{{ end }}",
        " Paris?",
    ),
    Part(
        "tools as JSON",
        '{{ $text := print .Tools }}{{ if eq (slice $text 0 3) `[{"` }}<|end|>\n{{ end }}',
        "<|end|>\n",
    ),
    Part(
        "a tool as JSON",
        '{{ range .Tools }}{{ $text := print . }}{{ if eq (slice $text 0 2) `{"` }}<|assistant|>\n'
        "{{ end }}{{ end }}",
        "<|assistant|>\n",
    ),
)
UNSORTED = {
    "type": "function",
    "function": {
        "name": "f",
        "parameters": {
            "properties": {"b": {"type": ["string", "null"]}, "a": {"type": "string"}},
            "required": ["b"],
            "type": "object",
        },
    },
}
AS_GO_WRITES = (
    '{"type":"function","function":{"name":"f","description":"","parameters":{"type":"object",'
    '"required":["b"],"properties":{"a":{"type":"string"},"b":{"type":["string","null"]}}}}}'
)
LEVELS: tuple[tuple[Json, str], ...] = (
    ("low", "greeting"),
    ("medium", "history-first"),
    (True, "history-first"),
    ("high", "history-other-first"),
    ("max", "history-none"),
    (False, "raw-not"),
)
LEVEL = (
    "{{ range .Messages }}{{ if .Thinking }}<think>{{ .Thinking }}</think>{{ end }}{{ end }}"
    '<|user|>\n{{ if eq .ThinkLevel "low" }}Hello{{ else if eq .ThinkLevel "medium" }}'
    'My name is Ada.{{ else if eq .ThinkLevel "high" }}My name is Bob.'
    '{{ else if eq .ThinkLevel "max" }}What is my name?'
    "{{ else if and .IsThinkSet (not .Think) }}Once upon a time{{ end }}"
    "<|end|>\n<|assistant|>\n"
)


@check(
    "templates/response-appended",
    MUST,
    group="create",
    source="template/template.go:Parse",
    covers=("TMPL-04", "TMPL-07"),
    breaks=CHATTERS,
)
def response_appended(target: Target) -> Verdict:
    """A template of a prompt alone has the response after it: earlier answers are not lost."""
    name = templated(target, "bare", "<|user|>\n{{ .Prompt }}<|end|>\n<|assistant|>\n")
    asked = (ADA, NICE, {"role": "user", "content": "What is my name?"})
    return answers(target, name, asked, target.recital("context").content)


@check(
    "templates/insert",
    MUST,
    group="create",
    source="template/template.go:Execute",
    covers=("TMPL-05", "GEN-003", "GEN-023"),
    breaks=(*SDKS, CONTINUE),
)
def insert(target: Target) -> Verdict:
    """With a suffix a template is told prompt and suffix, and nothing of a system text."""
    template = (
        "{{ if .System }}Be dull.{{ end }}{{ if .Suffix }}<|user|>\n{{ .Prompt }} {{ .Suffix }}"
        "<|end|>\n<|assistant|>\n{{ else }}{{ .Prompt }}{{ end }}{{ .Response }}"
    )
    name = templated(target, "insert", template, system="Be duller.")
    fields = {"model": name, "options": FIRST, "system": "Be dullest.", "suffix": "a story."}
    asked = target.in_both_forms(partial(target.post, "/api/generate", fields, prompt="Tell me"))
    plain = templated(target, "insert-plain", template)
    whole = target.post(
        "/api/generate",
        {"model": plain, "stream": False},
        prompt="Once upon a time",
        options=GREEDY,
    )
    return every(
        (
            *(begins(got, target.recital("prose")) for got in asked),
            expect(read(whole).text, target.recital("raw").output, whole),
        )
    )


@check(
    "templates/all-messages",
    MUST,
    group="create",
    source="template/template.go:Execute",
    covers=("TMPL-06", "CHAT-032"),
    breaks=CHATTERS,
)
def all_messages(target: Target) -> Verdict:
    """`.System` is all system messages, a blank line between; `.Messages` has them in place."""
    whole = target.recital("tool-system")
    system, question = whole.messages
    later = {"role": "system", "content": "Tools: get_weather get_time"}
    joined = templated(
        target,
        "joined",
        "<|system|>\n{{ .System }}<|end|>\n{{ range .Messages }}{{ if eq .Role `user` }}<|user|>\n"
        "{{ .Content }}<|end|>\n{{ end }}{{ end }}<|assistant|>\n{{ .Response }}",
    )
    each = templated(
        target,
        "each",
        "{{ range .Messages }}<|{{ .Role }}|>\n{{ .Content }}<|end|>\n{{ end }}<|assistant|>\n",
    )
    pirate = target.recital("greeting-system")
    return every(
        (
            answers(target, joined, (system, question, later), whole.output),
            answers(target, each, pirate.messages, pirate.content),
        )
    )


@check(
    "templates/turn-by-turn",
    MUST,
    group="create",
    source="template/template.go:Execute",
    covers=("TMPL-07", "GEN-032"),
    breaks=CHATTERS,
)
def turn_by_turn(target: Target) -> Verdict:
    """A template without messages is executed for each turn, the last one up to the response."""
    name, named = templated(target, "turns", TURN), templated(target, "turns-named", NAMED)
    recitals = [target.recital(id) for id in ("history", "greeting-system")]
    second = target.recital("history-second")
    once = ({"role": "system", "content": "Ada"}, {"role": "user", "content": "x"}, NICE)
    return every(
        (
            *(answers(target, name, one.messages, one.content) for one in recitals),
            answers(target, named, (*once, second.messages[-1]), second.content),
        )
    )


OTHERS = ("system", "assistant")  # who may speak twice


@check(
    "templates/neighbours-merged",
    MUST,
    group="create",
    source="template/template.go:collate",
    covers=("TMPL-08", "CHAT-028"),
    breaks=CHATTERS,
)
def neighbours_merged(target: Target) -> Verdict:
    """Messages of one role that follow each other are one, a blank line between; not results."""
    merged = templated(
        target,
        "merged",
        '{{ range .Messages }}{{ if eq .Content "Hel\\n\\nlo" }}<|user|>\nHello<|end|>\n{{ else }}'
        "[{{ .Content }}]{{ end }}{{ end }}<|assistant|>\n",
    )
    apart = templated(
        target,
        "apart",
        "<|user|>\n{{ range .Messages }}{{ if eq .Role `tool` }}{{ .Content }}{{ end }}{{ end }}"
        "<|end|>\n<|assistant|>\n",
    )
    found = templated(
        target,
        "found",
        '{{ range .Messages }}{{ if eq .Content "Hel\\n\\nlo" }}<|user|>\nHello<|end|>\n'
        "{{ end }}{{ end }}<|assistant|>\n",
    )
    halves = ("Hel", "lo")
    others = [[{"role": role, "content": one} for one in halves] for role in OTHERS]
    users = [{"role": "user", "content": one} for one in halves]
    tools = [{"role": "tool", "content": one} for one in halves]
    text = target.recital("greeting").content
    return every(
        (
            answers(target, merged, users, text),
            answers(target, apart, [users[0], *tools], text),
            *(answers(target, found, [*one, users[0]], text) for one in others),
        )
    )


@check(
    "templates/message-fields",
    MUST,
    group="create",
    source="template/template.go:templateMessage",
    covers=("TMPL-09", "CHAT-017", "CHAT-020", "CHAT-021"),
    breaks=(*SDKS, LANGCHAIN),
)
def message_fields(target: Target) -> Verdict:
    """Templates are told of a message's role, content, thinking, calls and results."""
    recital = target.recital("think-history-none")
    return prints(target, "fields", MESSAGE_FIELDS, recital, messages=FIELDS_OF)


@check(
    "templates/tool-fields",
    MUST,
    group="create",
    source="template/template.go:templateTool",
    covers=("TMPL-10", "TOOL-003"),
    breaks=(*SDKS, LANGCHAIN),
)
def tool_fields(target: Target) -> Verdict:
    """Templates are told of a tool's name, description and parameters; tools print as JSON."""
    recital = target.recital("tool-missing")
    return prints(target, "tool", TOOL_FIELDS, recital, tools=[DESCRIBED])


@check(
    "templates/json-as-go-writes-it",
    SHOULD,
    group="create",
    source="api/types.go:ToolFunction",
    covers=("TMPL-10", "TOOL-021"),
    breaks=(GO,),
)
def json_as_go_writes_it(target: Target) -> Verdict:
    """Tools and arguments print compactly, keys in Go's order, a description always there."""
    arguments = {"z": {"y": 1, "b": "<"}, "a": [True, None]}
    parts = (
        Part(
            "a tool",
            f"{{{{ range .Tools }}}}{{{{ if eq (print .) `{AS_GO_WRITES}` }}}}<|user|>\n"
            "{{ end }}{{ end }}",
            "<|user|>\n",
        ),
        Part(
            "arguments",
            "{{ range .Messages }}{{ range .ToolCalls }}{{ if eq (print .Function.Arguments) "
            '`{"a":[true,null],"z":{"b":"\\u003c","y":1}}` }}What is{{ end }}{{ end }}{{ end }}',
            "What is",
        ),
        literal(" the weather in Paris?<|end|>\n<|assistant|>\n"),
    )
    call = {"function": {"name": "f", "arguments": arguments}}
    asked = [*HELLO, {"role": "assistant", "content": "", "tool_calls": [call]}, *HELLO]
    return prints(
        target, "json", parts, target.recital("tool-missing"), messages=asked, tools=[UNSORTED]
    )


@check(
    "templates/think-level",
    SHOULD,
    group="create",
    source="api/types.go:ThinkValue.String",
    covers=("TMPL-11", "THINK-011"),
    breaks=(LANGCHAIN,),
)
def think_level(target: Target) -> Verdict:
    """`.ThinkLevel` is the level: medium for true, none for false; `.IsThinkSet` if it is set."""
    name = templated(target, "level", LEVEL)
    unset = templated(
        target,
        "unset",
        TURNS + "<|user|>\n{{ if .IsThinkSet }}My name is Ada.{{ else }}Hello{{ end }}<|end|>\n"
        "<|assistant|>\n",
    )
    asks = (
        one
        for level, _ in LEVELS
        for one in (
            partial(ask, target, name, HELLO, think=level),
            partial(target.generate, model=name, prompt="Hello", think=level),
        )
    )
    texts = [read(got).text for got in target.several(asks)]
    found = {str(level): texts[2 * n : 2 * n + 2] for n, (level, _) in enumerate(LEVELS)}
    wanted = {str(level): [target.recital(id).content] * 2 for level, id in LEVELS}
    return every(
        (
            expect(found, wanted),
            answers(target, unset, HELLO, target.recital("greeting").content),
            answers(target, unset, HELLO, target.recital("history-first").content, think=False),
        )
    )

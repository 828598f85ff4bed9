"""Class create, part four: the language of templates, which is Go's text/template."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from ..check import MUST, SHOULD, Verdict, check, every, expect, expect_error, expect_that
from ..clients import GO, OPEN_WEBUI, SDKS
from ..target import Target
from ._rendered import HELLO, TURNS, Part, ask, literal, prints, templated
from .busy import offered

SAID = (
    {"role": "user", "content": " to"},
    {"role": "assistant", "content": " meet"},
    {"role": "user", "content": " you"},
)
ACTIONS = (
    Part("trim markers", '<|user|>  \n\n{{- "\\n" -}}  \n\t  My', "<|user|>\nMy"),
    Part("a comment", " na{{/* nothing */}}me", " name"),
    Part("else if", "{{ if eq 1 2 }}!{{ else if false }}?{{ else }} is{{ end }}", " is"),
    Part(
        "a variable that is set in a block",
        '{{ $a := "" }}{{ if true }}{{ $a = " Ada." }}{{ end }}{{ $a }}',
        " Ada.",
    ),
    Part(
        "a variable that is declared in a block",
        '{{ $b := "<|end|>" }}{{ if true }}{{ $b := "x" }}{{ end }}{{ $b }}',
        "<|end|>",
    ),
    Part("with", '{{ with "\\n<|assistant|>\\n" }}{{ . }}{{ end }}', "\n<|assistant|>\n"),
    Part("with and else", '{{ with "" }}x{{ else }}Nice{{ end }}', "Nice"),
    Part("range", "{{ range $n, $one := .Messages }}{{ $one.Content }}{{ end }}", " to meet you"),
    Part("range and else", "{{ range .Tools }}x{{ else }}, Ada.{{ end }}", ", Ada."),
    Part(
        "break and continue",
        "{{ range $n, $one := .Messages }}{{ if eq $n 0 }}{{ continue }}{{ end }}<|end|>"
        "{{ if eq $n 1 }}{{ break }}{{ end }}{{ end }}",
        "<|end|>",
    ),
    Part("a pipeline", '{{ "user" | printf "\\n<|%s|>\\n" }}', "\n<|user|>\n"),
    Part("a raw string", "{{ `What` }}", "What"),
    Part("parentheses", ' is{{ print (print " two") " plus" }}', " is two plus"),
    literal(" two?<|end|>\n<|"),
    Part("a field of an element", "{{ (index .Messages 1).Role }}", "assistant"),
    literal("|>\n"),
    Part(
        "the root in a loop",
        '{{ range .Messages }}{{ if and (eq .Content " to") (eq (len $.Messages) 3) }}'
        "It is four.{{ end }}{{ end }}",
        "It is four.",
    ),
    Part("a name that nobody knows", "{{ if .Nothing }}x{{ else }}<|end|>\n{{ end }}", "<|end|>\n"),
    literal("<|user|>\nWhat is my name?<|end|>\n<|assistant|>\n"),
)
DEFINED = (
    Part(
        "a template before it is defined",
        '{{ template "mark" "system" }}{{ define "mark" }}<|{{ . }}|>\n{{ end }}',
        "<|system|>\n",
    ),
    Part(
        "a template with a message",
        '{{ define "turn" }}{{ .Content }}<|end|>\n{{ end }}'
        '{{ template "turn" (index .Messages 0) }}',
        "You are a pirate.<|end|>\n",
    ),
    Part(
        "a template in a template",
        '{{ define "inner" }}Hello{{ end }}'
        '{{ define "outer" }}<|user|>\n{{ template "inner" . }}<|end|>\n{{ end }}'
        '{{ template "outer" . }}',
        "<|user|>\nHello<|end|>\n",
    ),
    Part(
        "a block",
        '{{ block "last" .Messages }}{{ if eq (len .) 2 }}<|assistant|>\n{{ end }}{{ end }}',
        "<|assistant|>\n",
    ),
)
FUNCTIONS = (
    literal("<|user|>\n"),
    Part("and gives a value", '{{ and 1 "How" }}', "How"),
    Part("or gives a value", '{{ or "" " many" }}', " many"),
    Part("not", "{{ if not (eq 1 2) }} legs{{ end }}", " legs"),
    Part("eq of several", "{{ if eq 3 1 2 3 }} do{{ end }}", " do"),
    Part(
        "ne, lt, le, gt, ge",
        "{{ if and (ne 1 2) (lt 1 2) (le 2 2) (gt 3 2) (ge 3 3) (not (lt 2 2)) }} two{{ end }}",
        " two",
    ),
    Part("the order of texts", '{{ if and (lt "B" "a") (lt "a" "b") }} cats{{ end }}', " cats"),
    Part("len in bytes", '{{ if eq (len "né") 3 }} have?{{ end }}', " have?"),
    literal("<|end|>\n<|assistant|>\n"),
    Part("slice", '{{ slice "xEightx" 1 6 }}{{ slice " legs." 0 }}', "Eight legs."),
    Part("slice of a list", "{{ range slice .Messages 0 1 }}<|end|>{{ end }}", "<|end|>"),
    Part("println", '{{ if eq (println 1 "a") "1 a\\n" }}\n{{ end }}', "\n"),
    Part("print", '{{ if eq (print 1 2 "a" "b") "1 2ab" }}<|user|>\n{{ end }}', "<|user|>\n"),
    Part(
        "printf",
        '{{ if eq (printf "%03d|%q|%v|%.1f|%t|%s" 7 "x" 8 1.5 true "y") '
        '"007|\\"x\\"|8|1.5|true|y" }}How did{{ end }}',
        "How did",
    ),
    Part("and that stops", "{{ if and .Tools (index .Tools 0) }}x{{ else }} you{{ end }}", " you"),
    literal(" know?<|end|>\n<|assistant|>\n"),
)
ESCAPING = (
    Part(
        "html",
        '{{ if eq (html `<a b="c">&\'`) `&lt;a b=&#34;c&#34;&gt;&amp;&#39;` }}<|user|>\n{{ end }}',
        "<|user|>\n",
    ),
    Part(
        "js",
        '{{ if eq (js `it\'s "x" <b>`) `it\\\'s \\"x\\" \\u003Cb\\u003E` }}Hello{{ end }}',
        "Hello",
    ),
    Part(
        "urlquery", '{{ if eq (urlquery "a b&c/d") "a+b%26c%2Fd" }}<|end|>\n{{ end }}', "<|end|>\n"
    ),
    literal("<|assistant|>\n"),
)
TYPES = {
    "a": {"type": ["string", "null"]},
    "b": {"type": "array", "items": {"type": "string"}},
    "c": {"type": "object"},
    "d": {"type": "integer"},
    "e": {"type": "boolean"},
    "f": {},
}
TOOL = {
    "type": "function",
    "function": {
        "name": "f",
        "description": "A function.",
        "parameters": {"type": "object", "required": ["b", "a"], "properties": TYPES},
    },
}
TYPESCRIPT = "a:string | null;b:any[];c:Record<string, any>;d:number;e:boolean;f:any;"
BAD = (
    "{{ nope .Prompt }}",
    "{{ if .Prompt }}",
    "{{ .Prompt",
    "{{ end }}",
    "{{ range }}x{{ end }}",
    "{{ $undeclared }}",
)
MAKERS = (*SDKS, GO)


@check(
    "templates/actions",
    MUST,
    group="create",
    source="docs/template.mdx",
    covers=("TMPL-01", "TMPL-06"),
    breaks=MAKERS,
)
def actions(target: Target) -> Verdict:
    """Templates have Go's actions: if, with, range, break, variables, pipelines, trim markers."""
    return prints(target, "actions", ACTIONS, target.recital("history"), messages=SAID)


@check(
    "templates/defined",
    MUST,
    group="create",
    source="docs/template.mdx",
    covers=("TMPL-01",),
    breaks=MAKERS,
)
def defined(target: Target) -> Verdict:
    """Templates define templates, with `define` and `block`, and use them before and after."""
    recital = target.recital("greeting-system")
    return prints(target, "defined", DEFINED, recital, messages=recital.messages)


@check(
    "templates/functions",
    MUST,
    group="create",
    source="text/template",
    covers=("TMPL-01",),
    breaks=MAKERS,
)
def functions(target: Target) -> Verdict:
    """Templates have Go's functions, which compare, join, cut and print as Go's do."""
    return prints(target, "functions", FUNCTIONS, target.recital("think-history-none"))


@check(
    "templates/escaping-functions",
    MUST,
    group="create",
    source="text/template",
    covers=("TMPL-01",),
)
def escaping(target: Target) -> Verdict:
    """Templates have `html`, `js` and `urlquery`."""
    return prints(target, "escaping", ESCAPING, target.recital("greeting"))


@check(
    "templates/json-and-dates",
    MUST,
    group="create",
    source="template/template.go:funcs",
    covers=("TMPL-02",),
    breaks=MAKERS,
)
def json_and_dates(target: Target) -> Verdict:
    """`json` is compact and escapes as Go does; `currentDate` and `yesterdayDate` are dates."""
    # the target's clock may be of another zone
    days = [datetime.now(UTC).date() + timedelta(days=n) for n in (-2, -1, 0, 1)]
    pairs = " ".join(
        f'(and (eq (currentDate "%d.%m.") "{now}") (eq yesterdayDate "{before}"))'
        for before, now in pairwise(days)
    )
    parts = (
        Part(
            "json of a text",
            '{{ if eq (json `<a> & "b"`) `"\\u003ca\\u003e \\u0026 \\"b\\""` }}<|user|>\n{{ end }}',
            "<|user|>\n",
        ),
        Part(
            "json of a list",
            '{{ range .Tools }}{{ if eq (json .Function.Parameters.Required) `["b","a"]` }}'
            "What is{{ end }}{{ end }}",
            "What is",
        ),
        Part("dates", f"{{{{ if or {pairs} }}}} the{{{{ end }}}}", " the"),
        literal(" weather in Paris?<|end|>\n<|assistant|>\n"),
    )
    return prints(target, "dates", parts, target.recital("tool-missing"), tools=[TOOL])


@check(
    "templates/typescript-types",
    MUST,
    group="create",
    source="template/template.go:funcs",
    covers=("TMPL-02", "TMPL-10"),
)
def typescript_types(target: Target) -> Verdict:
    """`toTypeScriptType` tells a property's type; properties come in the order of their names."""
    types = Part(
        "toTypeScriptType",
        '{{ $told := "" }}{{ range .Tools }}'
        "{{ range $name, $one := .Function.Parameters.Properties }}"
        '{{ $told = print $told $name ":" (toTypeScriptType $one) ";" }}{{ end }}{{ end }}'
        f'{{{{ if eq $told "{TYPESCRIPT}" }}}}<|user|>\n{{{{ end }}}}',
        "<|user|>\n",
    )
    rest = literal("What is the weather in Paris?<|end|>\n<|assistant|>\n")
    backwards = dict(reversed(TYPES.items()))
    function = {**TOOL["function"], "parameters": {"type": "object", "properties": backwards}}  # type: ignore[dict-item]
    tools = [{**TOOL, "function": function}]
    return prints(target, "types", (types, rest), target.recital("tool-missing"), tools=tools)


@check(
    "templates/bad-ones-refused",
    MUST,
    group="create",
    source="template/template.go:Parse",
    covers=("TMPL-03", "GEN-022", "ERR-033"),
    breaks=MAKERS,
)
def bad_ones_refused(target: Target) -> Verdict:
    """A template that does not parse is refused: by create with 400 `template error`."""
    offered(target, "create")
    name = target.temporary("bad")
    made = [
        target.post(
            "/api/create", {"model": name, "from": target.model, "template": one}, stream=False
        )
        for one in BAD
    ]
    used = [target.generate(template=one, options={"num_predict": 1}) for one in BAD]
    left = target.post("/api/show", model=name)
    return every(
        (
            *(expect_error(got, (400,), containing="template error") for got in made),
            *(expect_error(got, (400, 500)) for got in used),
            expect(left.code, 404, left),
        )
    )


@check(
    "templates/undefined-is-found-late",
    SHOULD,
    group="create",
    source="text/template",
    covers=("TMPL-03",),
)
def undefined_is_found_late(target: Target) -> Verdict:
    """A template that uses one which nobody defines parses; it is an error where it is rendered."""
    name = templated(target, "undefined", TURNS + '{{ template "x" . }}')
    return expect_error(ask(target, name, HELLO), (400, 500))


@check(
    "templates/tell-capabilities",
    SHOULD,
    group="create",
    source="server/images.go:Capabilities",
    covers=("TMPL-12", "SHOW-23"),
    breaks=(OPEN_WEBUI,),
)
def tell_capabilities(target: Target) -> Verdict:
    """What a model can do is told by the names its template uses, wherever, whatever their case."""
    rest = "{{ range .Messages }}{{ .Content }}{{ end }}"
    templates = {
        "no-tools": ("", []),
        "tools": ("{{ range .Tools }}{{ end }}", ["tools"]),
        "tools-within": (
            '{{ define "x" }}{{ if .a }}{{ json .b.Tools }}{{ end }}{{ end }}{{ template "x" . }}',
            ["tools"],
        ),
        "suffix": ("{{ if .suffix }}{{ .TOOLS }}{{ end }}", ["insert", "tools"]),
    }
    found, wanted = {}, {}
    for word, (template, names) in templates.items():
        shown = target.post("/api/show", model=templated(target, word, template + rest))
        told = shown.ok.object["capabilities"]
        found[word] = sorted(one for one in told if one in ("tools", "insert"))
        wanted[word] = names
    return expect_that(found == wanted, wanted, found)

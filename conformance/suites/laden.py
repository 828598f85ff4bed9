"""Class create, part five: a model that was given everything has it all, to the letter.

What is told of it is compared as a whole, so that nothing is lost between two of its fields.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from ..check import MUST, PASSED, SHOULD, Verdict, check, every, expect
from ..clients import CONTINUE, GO, OPEN_WEBUI, PYTHON, SDKS
from ..evidence import Json, Record, Wrong
from ..provision import create
from ..target import Target
from .kept import told
from .manage import tagged
from .shown import entry, made

SYSTEM = 'Say "hi"\r\nto Zoe\u0301.\t'  # a quote at the end of a line, an accent beside its letter
TEMPLATE = '{{- /* "hm" */ -}}\n{{ .System }} {{ .Prompt }}'
LICENSES = ["MIT\n\n as is", "BSD"]
TURNS = [
    {"role": "SYSTEM", "content": "Rhyme."},
    {"role": "user", "content": ' a "q"\nb'},
    {"role": "Assistant", "content": "x"},
]
GIVEN: Mapping[str, Json] = {
    "top_k": 7, "top_p": 0.25, "temperature": 1.0, "seed": -3, "use_mmap": True,
    "stop": ["z", "a", "a\n\tb", '<b> & "é"'], "parallama": "bar  baz",
}  # fmt: skip
TURNED = [{**one, "role": one["role"].lower()} for one in TURNS]
NOTHING: tuple[dict[str, Json], ...] = (
    {"system": "", "template": ""},
    {"messages": [], "license": ""},
    {"parameters": {}, "license": []},
    {"requires": "", "renderer": "", "parser": ""},
)
OTHERS: tuple[dict[str, Json], ...] = (
    {"system": "Be dull."},
    {"template": "{{ .Prompt }}"},
    {"messages": [{"role": "user", "content": "Why?"}]},
    {"requires": "0.10.0"},
)
EDGES = " \t\n"


def laden(target: Target, word: str) -> str:
    """A model that was given everything; its name."""
    return made(
        target, word, system=SYSTEM, template=TEMPLATE, license=LICENSES, messages=TURNS,
        parameters=dict(GIVEN), requires="0.9.0", renderer="qwen3-coder", parser="qwen3-coder",
    )  # fmt: skip


def whole(found: Record) -> dict[str, object]:
    """What was given for a model, as /api/show tells it; parameters in any order but for lists."""
    lines = str(found.get("parameters", "")).split("\n")
    stops = [one for one in lines if one.partition(" ")[0] == "stop"]
    keys = ("system", "template", "license", "messages", "requires")
    return {
        **{key: found.get(key) for key in keys},
        "stop": stops,
        "parameters": sorted(set(lines) - set(stops)),
    }


def _line(key: str, value: Json) -> str:
    return f"{key:<30} {json.dumps(value, ensure_ascii=False)}"


def _values(given: Mapping[str, Json]) -> list[tuple[str, Json]]:
    """Names and single values; whole numbers without a point."""
    return [
        (key, int(one) if isinstance(one, float) and one.is_integer() else one)
        for key, value in given.items()
        for one in (value if isinstance(value, list) else [value])
    ]


@check(
    "create/keeps-all-it-was-given",
    MUST,
    group="create",
    source="server/routes.go:GetModelInfo",
    covers=("CREATE-09", "CREATE-12", "CREATE-14", "SHOW-03", "SHOW-04", "SHOW-07", "SHOW-27"),
    breaks=(GO, OPEN_WEBUI, CONTINUE, *SDKS),
)
def keeps_all(target: Target) -> Verdict:
    """Texts, turns, licenses and parameters of every type are shown as they were given."""
    lines = [_line(key, value) for key, value in _values(GIVEN)]
    stops = [one for one in lines if one.startswith("stop ")]
    wanted = {
        "system": SYSTEM, "template": TEMPLATE, "license": "\n".join(LICENSES),
        "messages": TURNED, "requires": "0.9.0", "stop": stops,
        "parameters": sorted(set(lines) - set(stops)),
    }  # fmt: skip
    found = whole(told(target, laden(target, "laden")))
    return every(expect({key: found[key]}, {key: one}) for key, one in wanted.items())


@check(
    "create/nothing-given-keeps-all",
    MUST,
    group="create",
    source="server/create.go:createModel",
    covers=("CREATE-10", "CREATE-11", "CREATE-13", "CREATE-14", "CREATE-16"),
    breaks=(GO, PYTHON),
)
def nothing_given_keeps_all(target: Target) -> Verdict:
    """Empty texts, lists and objects are nothing given: what the base has stays, each of it."""
    base, name = laden(target, "laden-base"), target.temporary("laden-child")
    before = told(target, base)
    wanted = (whole(before), commands(before["modelfile"])[1:])
    for fields in NOTHING:
        create(target, name, **{"from": base, **fields})
        after = told(target, name)
        found = (whole(after), commands(after["modelfile"])[1:])
        if found != wanted:
            return expect({json.dumps(fields): found}, {json.dumps(fields): wanted})
    return expect(after["details"]["parent_model"], tagged(base))


@check(
    "create/given-replaces",
    MUST,
    group="create",
    source="server/create.go:createModel",
    covers=("CREATE-09", "CREATE-10", "CREATE-14"),
    breaks=(GO, PYTHON, OPEN_WEBUI),
)
def given_replaces(target: Target) -> Verdict:
    """A text or turns that are given take the place of the base's; all else of it stays."""
    base, name = laden(target, "laden-under"), target.temporary("laden-over")
    before = whole(told(target, base))
    for fields in OTHERS:
        create(target, name, **{"from": base, **fields})
        found = whole(told(target, name))
        if found != {**before, **fields}:
            return expect(found, {**before, **fields})
    return PASSED


@check(
    "show/modelfile-to-the-letter",
    MUST,
    group="create",
    source="server/images.go:Model.String",
    covers=("SHOW-08", "SHOW-03", "SHOW-07"),
    breaks=(GO, OPEN_WEBUI),
)
def modelfile_to_the_letter(target: Target) -> Verdict:
    """`modelfile`, read as one, gives each command once, in order, with the text it was given."""
    text = told(target, laden(target, "laden-file"))["modelfile"]
    wanted = [
        ("TEMPLATE", TEMPLATE), ("SYSTEM", SYSTEM), ("RENDERER", "qwen3-coder"),
        ("PARSER", "qwen3-coder"),
        *sorted(("PARAMETER", f"{key} {_plain(value)}") for key, value in _values(GIVEN)),
        *(("LICENSE", one) for one in LICENSES),
        *(("MESSAGE", f"{one['role']} {one['content']}") for one in TURNED),
    ]  # fmt: skip
    found = commands(text)
    return every(
        (
            expect(found[:1] and found[0][0], "FROM"),
            expect([one for one, _ in found[1:]], [one for one, _ in wanted]),
            *(expect(one, other) for one, other in zip(found[1:], wanted, strict=True)),
        )
    )


def _plain(value: Json) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def commands(text: str) -> list[tuple[str, str]]:
    """The commands of a Modelfile and their values, without quotes; parameters sorted."""
    found: list[tuple[str, str]] = []
    lines = iter(text.split("\n"))
    for line in lines:
        if not line.strip() or line.startswith("#"):
            continue
        word, _, value = line.partition(" ")
        head = ""
        if word in ("PARAMETER", "MESSAGE"):
            head, _, value = value.partition(" ")
            head += " "
        mark = next((one for one in ('"""', '"') if value.startswith(one)), "")
        while mark and not _closed(value, mark):
            more = next(lines, None)
            if more is None:
                raise Wrong(f"the quotes of {word} to be closed", value)
            value += f"\n{more}"
        found.append((word, head + (value.strip(EDGES)[len(mark) : -len(mark)] if mark else value)))
    places = [n for n, (word, _) in enumerate(found) if word == "PARAMETER"]
    ordered = sorted(found[n] for n in places)
    for n, one in zip(places, ordered, strict=True):
        found[n] = one
    return found


def _closed(value: str, mark: str) -> bool:
    """Whether a quoted value ends at the end of this line."""
    cut = value.rstrip(EDGES)
    return len(cut) >= 2 * len(mark) and cut.endswith(mark)


@check(
    "tags/size-to-the-byte",
    SHOULD,
    group="create",
    source="manifest.go:Size",
    covers=("TAGS-05",),
    breaks=(GO,),
)
def size_to_the_byte(target: Target) -> Verdict:
    """`size` is that of all layers, small ones too: a text of so many bytes more, so much more."""
    texts = ("ab", "ab" + "é" * 50)
    names = [
        made(target, f"weighed-{n}", system=text, template="{{ .Prompt }}")
        for n, text in enumerate(texts)
    ]
    less, more = (entry(target, name)["size"] for name in names)
    return expect(more - less, 100)


@check(
    "tags/tells-what-show-tells",
    MUST,
    group="create",
    source="server/model_list_cache.go:buildModelListSummary",
    covers=("TAGS-02", "TAGS-06", "TAGS-07", "SHOW-11", "SHOW-27", "NAME-13"),
    breaks=(OPEN_WEBUI, CONTINUE, *SDKS),
)
def tells_what_show_tells(target: Target) -> Verdict:
    """A model's entry, listed once, tells its name twice, and the details and time of show."""
    name = f"parallama-check-{target.setup.token}-bare"  # no namespace of its own
    target.created.append(name)
    _ = target.post("/api/copy", source=target.model, destination=name).ok
    listed = target.get("/api/tags").ok.object["models"]
    names = [one["name"] for one in listed]
    twice = sorted({one for one in names if names.count(one) > 1})
    found, known = entry(target, name), told(target, name)
    keys = ("parent_model", "format", "family", "families", "parameter_size", "quantization_level")
    parts = [{key: one["details"][key] for key in keys} for one in (found, known)]
    return every(
        (
            expect(twice, []),
            expect([found["name"], found["model"]], [tagged(name)] * 2),
            expect(parts[0], parts[1]),
            expect(set(found.get("capabilities", [])) <= set(known["capabilities"]), True),
            expect(found["modified_at"], known["modified_at"]),
        )
    )

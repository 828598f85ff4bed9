"""Calls in the formats of the families come apart from text, however the text comes in."""

from collections.abc import Sequence
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ..messages import ToolCall
from ..parser import Content, Part
from ..tool_formats import FORMATS, ToolFormat, format_of
from ..tool_formats_stream import MAX_CLOSINGS, FormatRecogniser
from ..tool_formats_values import CallParser
from ..tools import Tool
from .test_parser import merged

TYPES: dict[str, Any] = {
    "city": {"type": "string"},
    "days": {"type": "integer"},
    "share": {"type": "number"},
    "warm": {"type": "boolean"},
    "tags": {"type": "array"},
    "place": {"type": "object"},
    "code": {"type": ["string", "null"]},
    "any": {},
}
PARAMETERS: dict[str, Any] = {"type": "object", "properties": TYPES}
TOOLS = tuple(
    Tool.decode({"type": "function", "function": {"name": name, "parameters": PARAMETERS}})
    for name in ("weather", "look-up")
)
CITY = {"city": "Ulm"}

# One call `weather(city="Ulm")` and one `weather(city="Ulm", days=3)` as each family writes them.
WRITTEN = {
    "minimax_m2": (
        '\n<invoke name="weather">\n<parameter name="city">Ulm</parameter>\n</invoke>\n',
        '<invoke name="weather"><parameter name="city">Ulm</parameter>'
        '<parameter name="days">3</parameter></invoke>',
    ),
    "gemma4": ('call:weather{city:<|"|>Ulm<|"|>}', 'call:weather{city:<|"|>Ulm<|"|>,days:3}'),
    "function_gemma": (
        "call:weather{city:<escape>Ulm<escape>}",
        "call:weather{city:<escape>Ulm<escape>,days:3}",
    ),
    "longcat": (
        "weather\n<longcat_arg_key>city</longcat_arg_key>\n"
        "<longcat_arg_value>Ulm</longcat_arg_value>\n",
        "weather<longcat_arg_key>city</longcat_arg_key><longcat_arg_value>Ulm</longcat_arg_value>"
        "<longcat_arg_key>days</longcat_arg_key><longcat_arg_value>3</longcat_arg_value>",
    ),
    "glm47": (
        "weather<arg_key>city</arg_key><arg_value>Ulm</arg_value>",
        "weather\n<arg_key>city</arg_key>\n<arg_value>Ulm</arg_value>\n"
        "<arg_key>days</arg_key>\n<arg_value>3</arg_value>\n",
    ),
    "pythonic": ('[weather(city="Ulm")]', "[weather(city='Ulm', days=3)]"),
    "qwen3_coder": (
        "\n<function=weather>\n<parameter=city>\nUlm\n</parameter>\n</function>\n",
        "<function=weather><parameter=city>Ulm</parameter><parameter=days>3</parameter></function>",
    ),
    "kimi_k2": (
        "<|tool_call_begin|>functions.weather:0<|tool_call_argument_begin|>"
        '{"city": "Ulm"}<|tool_call_end|>',
        "<|tool_call_begin|>functions.weather:1<|tool_call_argument_begin|>"
        '{"city": "Ulm", "days": 3}<|tool_call_end|>',
    ),
    "minicpm5": (
        '"weather"><param name="city">Ulm</param>',
        '"weather"><param name="city"><![CDATA[Ulm]]></param><param name="days">3</param>',
    ),
    "mistral": (
        'weather[ARGS]{"city": "Ulm"}',
        ' [{"name": "weather", "arguments": {"city": "Ulm", "days": 3}}]',
    ),
    "muse_spark": (
        '<atem:invoke name="weather">'
        '<atem:parameter name="city">Ulm</atem:parameter></atem:invoke>',
        '<atem:invoke name="weather"><atem:parameter name="city">Ulm</atem:parameter>'
        '<atem:parameter name="days">3</atem:parameter></atem:invoke>',
    ),
    "kimi_k3": (
        '<|open|>call tool="weather" index="1"<|sep|><|open|>argument key="city" type="string"'
        "<|sep|>Ulm<|close|>argument<|sep|><|close|>call<|sep|>",
        '<|open|>call tool="weather"<|sep|><|open|>json type="object"<|sep|>'
        '{"city": "Ulm", "days": 3}<|close|>json<|sep|><|close|>call<|sep|>',
    ),
    "deepseek": (
        "<｜tool▁call▁begin｜>function<｜tool▁sep｜>weather\n```json\n"
        '{"city": "Ulm"}\n```<｜tool▁call▁end｜>',
        '<｜tool▁call▁begin｜>weather<｜tool▁sep｜>{"city": "Ulm", "days": 3}<｜tool▁call▁end｜>',
    ),
    "seed_oss": (
        "\n<function=weather>\n<parameter=city>Ulm</parameter>\n</function>\n",
        "<function=weather><parameter=city>Ulm</parameter><parameter=days>3</parameter></function>",
    ),
    "nemotron": (
        '[{"name": "weather", "arguments": {"city": "Ulm"}}]',
        '[{"name": "weather", "arguments": {"city": "Ulm", "days": 3}}]',
    ),
    "command_r": (
        '[\n  {"tool_call_id": "0", "tool_name": "weather", "parameters": {"city": "Ulm"}}\n]',
        '[{"tool_name": "weather", "parameters": {"city": "Ulm", "days": 3}}]',
    ),
    "granite": (
        '[{"name": "weather", "arguments": {"city": "Ulm"}}]',
        ' [{"name": "weather", "arguments": {"city": "Ulm", "days": 3}}]',
    ),
    "json_tools": (
        '\n{"name": "weather", "arguments": {"city": "Ulm"}}\n',
        '{"name": "weather", "parameters": {"city": "Ulm", "days": 3}}',
    ),
}
BY_NAME = {one.name: one for one in FORMATS}
formats = pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)


def told(form: ToolFormat, *pieces: str, tools: Sequence[Tool] = TOOLS) -> list[Part]:
    """What the recogniser of a format makes of text in pieces; ids are left out."""
    recogniser = FormatRecogniser(form, CallParser(form, tools))
    parts = [part for piece in pieces for part in recogniser.feed(piece)]
    parts = merged([*parts, *recogniser.close()])
    return [
        ToolCall(p.name, p.arguments, "", p.index) if isinstance(p, ToolCall) else p for p in parts
    ]


def call(form: ToolFormat, number: int = 0) -> str:
    """A call as a model of this family writes it."""
    return form.opening + WRITTEN[form.name][number] + form.closing


def weather(index: int = 0, **arguments: object) -> ToolCall:
    """A call of the tool `weather` in Ulm."""
    given: dict[str, Any] = CITY | arguments
    return ToolCall("weather", given, index=index)


@formats
def test_call_is_told_from_the_text_around_it(form: ToolFormat) -> None:
    """Text before and after is the answer, tags are neither."""
    assert told(form, f"Look: {call(form)} So.") == [Content("Look: "), weather(), Content(" So.")]


@formats
def test_several_calls_count_from_zero(form: ToolFormat) -> None:
    """Blanks between calls are no answer; numbers are numbers."""
    text = f"\n{call(form)}\n{call(form, 1)}\n"
    assert told(form, text) == [weather(), weather(1, days=3)]


@formats
def test_half_a_call_at_the_end_is_given_back(form: ToolFormat) -> None:
    """As text, with its opening tag: nothing of it is lost, and nothing called."""
    text = "Look: " + form.opening + WRITTEN[form.name][0].rstrip()[:-4]
    assert told(form, text) == [Content(text)]


@formats
def test_call_that_lacks_its_closing_tag_only_is_made(form: ToolFormat) -> None:
    """Where its own end shows that it is whole; elsewhere more arguments might have come."""
    text = form.opening + WRITTEN[form.name][0]
    whole = bool(form.ends) or not form.closing
    assert told(form, text) == ([weather()] if whole else [Content(text)])


@formats
def test_call_of_a_tool_that_was_not_offered_is_text(form: ToolFormat) -> None:
    """As with Ollama's own way (TOOL-014); the calls behind it are still found."""
    other = call(form).replace("weather", "climate")
    assert told(form, f"{other} {call(form)}") == [Content(f"{other} "), weather()]


@formats
@settings(deadline=None, max_examples=40)
@given(text=st.text(max_size=12), at=st.integers(0, 200))
def test_what_is_no_call_between_tags_comes_back(form: ToolFormat, text: str, at: int) -> None:
    """Whatever stands there, nothing is raised and no character is lost."""
    body = WRITTEN[form.name][0]
    broken = form.opening + body[: at % len(body)] + text + form.closing
    parts = told(form, broken, *broken)
    if not any(isinstance(part, ToolCall) for part in parts):
        assert "".join(part.text for part in parts if isinstance(part, Content)) == broken * 2


def fragments(form: ToolFormat) -> st.SearchStrategy[str]:
    """Texts made of whole calls, their parts, tags and other things."""
    bodies = WRITTEN[form.name]
    halves = [body[: len(body) // 2] for body in bodies] + [
        body[len(body) // 2 :] for body in bodies
    ]
    others = ["a", " ", "\n", "<", '"', "\\", "{", "}", "]", "é"]
    tags = [form.opening, form.closing, form.opening[:3], form.ends]
    known = [call(form), call(form, 1), *bodies, *halves, *tags, *others]
    return st.lists(st.sampled_from([one for one in known if one]), max_size=8).map("".join)


@formats
@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_recognising_does_not_depend_on_the_pieces(form: ToolFormat, data: st.DataObject) -> None:
    """Whole, by character and cut in two are the same."""
    text = data.draw(fragments(form))
    at = data.draw(st.integers(0, len(text)))
    whole = told(form, text)
    assert told(form, *text) == whole
    assert told(form, text[:at], text[at:]) == whole


@formats
@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_nothing_is_lost(form: ToolFormat, data: st.DataObject) -> None:
    """Answer, and tags with what a call was read from, are all the text but blanks."""
    text = data.draw(fragments(form))
    read: list[str] = []
    parse = CallParser(form, TOOLS)

    def noted(body: str) -> list[ToolCall] | None:
        calls = parse(body)
        if calls:
            read.append(body)
        return calls and calls[:1]

    recogniser = FormatRecogniser(form, noted)
    parts = [*recogniser.feed(text), *recogniser.close()]
    bodies = iter(read)
    again = "".join(
        part.text if isinstance(part, Content) else form.opening + next(bodies) + form.closing
        for part in parts
    )
    blank = str.maketrans("", "", " \n")
    said = text.translate(blank)
    assert again.translate(blank) in (said, said + form.closing.translate(blank))


@pytest.mark.parametrize("parser", ["json_tools", "qwen3_coder"])
def test_closing_tag_inside_a_value_closes_nothing(parser: str) -> None:
    """Models that write code write about tags, too."""
    form = BY_NAME[parser]
    text = call(form).replace("Ulm", f"a {form.closing} b")
    assert told(form, *text) == [weather(city=f"a {form.closing} b")]


def test_value_that_never_ends_gives_the_text_back() -> None:
    """Up to the first tag; a call behind it is found."""
    form = BY_NAME["json_tools"]
    text = '<tool_call>{"name": "weath</tool_call>' * MAX_CLOSINGS
    assert told(form, text + call(form))[-1] == weather()


@pytest.mark.parametrize(
    ("name", "written", "value"),
    [
        ("city", "3", "3"),
        ("city", "null", "null"),
        ("city", "true", "true"),
        ("days", "3", 3),
        ("days", "3.0", 3),
        ("days", "many", "many"),
        ("share", "0.5", 0.5),
        ("share", "2", 2),
        ("share", "nan", "nan"),
        ("warm", "True", True),
        ("warm", "false", False),
        ("warm", "yes", "yes"),
        ("tags", '["a", 1]', ["a", 1]),
        ("tags", "['a', 1]", ["a", 1]),
        ("place", '{"x": {"y": null}}', {"x": {"y": None}}),
        ("place", "{'x': True}", {"x": True}),
        ("code", "null", None),
        ("code", "007", "007"),
        ("any", "[1]", [1]),
        ("any", "Ulm", "Ulm"),
        ("any", "NaN", "NaN"),
    ],
)
@pytest.mark.parametrize("parser", ["qwen3_coder", "glm47", "minimax_m2"])
def test_bare_text_gets_the_declared_type(
    parser: str,
    name: str,
    written: str,
    value: Any,  # noqa: ANN401
) -> None:
    """The same in every format whose arguments are bare text; what does not fit stays text."""
    form = BY_NAME[parser]
    text = call(form).replace("city", name).replace("Ulm", written)
    assert told(form, text) == [ToolCall("weather", {name: value})]


@pytest.mark.parametrize(
    "value", ["{1, 2}", "b'x'", "1e999", "float('x')", "1j", "0x" + "f" * 5000]
)
def test_values_that_json_has_not_make_no_call(value: str) -> None:
    """Python's own notation can say more than a reply can carry."""
    text = f"<|tool_call_start|>[weather(city={value})]<|tool_call_end|>"
    parts = told(BY_NAME["pythonic"], text)
    made = [part.arguments["city"] for part in parts if isinstance(part, ToolCall)]
    assert all(isinstance(each, str) for each in made)


def test_ids_of_the_model_are_kept() -> None:
    """Kimi's and Mistral's templates want them back as they were."""
    kimi, mistral = BY_NAME["kimi_k2"], BY_NAME["mistral"]
    newer = 'weather[CALL_ID]abc123DEF[ARGS]{"city": "Ulm"}'
    read = [CallParser(kimi, TOOLS)(WRITTEN["kimi_k2"][0]), CallParser(mistral, TOOLS)(newer)]
    assert read == [
        [ToolCall("weather", CITY, id="functions.weather:0")],
        [ToolCall("weather", CITY, id="abc123DEF")],
    ]


def test_arguments_may_be_missing() -> None:
    """A tool without any is called with an empty object."""
    form = BY_NAME["json_tools"]
    assert told(form, '<tool_call>{"name": "look-up"}</tool_call>') == [ToolCall("look-up")]


@formats
def test_tags_are_those_of_the_parser(form: ToolFormat) -> None:
    """What mlx-lm's module declares; the module is imported when it is used."""
    if form.read_by or form.name == "deepseek":
        return
    module = import_module(f"mlx_lm.tool_parsers.{form.parser}")
    assert (module.tool_call_start, module.tool_call_end) == (form.opening, form.closing)


@formats
def test_template_tells_the_format_as_mlx_lm_infers_it(form: ToolFormat) -> None:
    """From each of the signs; and what mlx-lm leaves open is ours to choose."""
    infer: Any = import_module("mlx_lm.tokenizer_utils")._infer_tool_parser

    for group in form.signs:
        template = " ".join((*group, "tool_call.name"))
        inferred = infer(SimpleNamespace(chat_template=template, get_vocab=dict))
        assert format_of(template) == form
        assert inferred in (form.name, None)


def test_declared_format_wins() -> None:
    """The config of a conversion may name it; another name says nothing."""
    assert format_of("<tool_call></tool_call>", "laguna") == BY_NAME["glm47"]
    assert format_of("<tool_call></tool_call>", "os") == BY_NAME["json_tools"]


def test_tokens_tell_where_the_template_does_not() -> None:
    """LFM2.5 has the tokens and a template without them."""
    tokens = ("<|tool_call_start|>", "<|tool_call_end|>")
    assert format_of("{{ tools }}", None, tokens) == BY_NAME["pythonic"]


def test_template_without_signs_teaches_no_format() -> None:
    """Llama 3 writes bare JSON: Ollama's way finds it."""
    assert format_of('{{ tools }} {"name": function name, "parameters": {}}') is None

"""The channels of gpt-oss come apart the same way however the text comes in."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ..harmony import CLOSING, OPENING, HarmonyParser, is_taught_by, respelled, spellings
from ..messages import Message, ToolCall
from ..parser import Content, Part, Thinking
from ..tools import Tool
from .test_parser import merged

TOOLS = (Tool("function", "get-weather"), Tool("function", "search"))
PROMPT = "<|start|>user<|message|>Hi<|end|><|start|>assistant"
TO = "<|channel|>commentary to=functions.get_weather <|constrain|>json<|message|>"
THOUGHT = "<|channel|>analysis<|message|>So.<|end|><|start|>assistant"
FINAL = "<|channel|>final<|message|>"
FRAGMENTS = st.lists(
    st.sampled_from(
        [THOUGHT, TO, FINAL, '{"a": 1}', "<|end|>", "<|start|>assistant", "<|channel|>", "<|"]
    )
    | st.sampled_from(["<|message|>", " to=search", " ", "\n", "{", "é", "analysis", "tool"]),
    max_size=9,
).map("".join)


def told(*pieces: str, prompt: str = PROMPT) -> list[Part]:
    """What the parser makes of text in pieces behind a prompt."""
    parser = HarmonyParser(prompt, TOOLS)
    parts = [part for piece in pieces for part in parser.feed(piece)]
    return merged([*parts, *parser.close()])


@settings(deadline=None)
@given(FRAGMENTS, st.integers(0, 80))
def test_telling_does_not_depend_on_the_pieces(text: str, at: int) -> None:
    """Whole, by character and cut in two are the same."""
    whole = told(text)
    assert told(*text) == whole
    assert told(text[:at], text[at:]) == whole


@settings(deadline=None)
@given(st.text(), st.text())
def test_thought_and_answer_are_whole(thought: str, answer: str) -> None:
    """Every character of both, and nothing of the channels."""
    text = OPENING + thought + CLOSING + answer
    parts = [*([Thinking(thought)] if thought else []), *([Content(answer)] if answer else [])]
    assert told(text) == parts


def test_message_to_a_tool_is_a_call() -> None:
    """Under the name that the request gave it, with text before and after (TOOL-022)."""
    text = THOUGHT + "<|channel|>commentary<|message|>Look:<|end|><|start|>assistant" + TO
    got = told(text + '{"city": "Ulm"}')
    call = ToolCall("get-weather", {"city": "Ulm"})
    assert got == [Thinking("So."), Content("Look:"), call]


@pytest.mark.parametrize(
    "header",
    [
        " to=functions.search<|channel|>commentary json",
        "<|channel|>analysis to=search code",
        "<|channel|>commentary to=functions.search<|constrain|>json",
    ],
)
def test_recipient_may_stand_on_either_side(header: str) -> None:
    """Models write the header in several ways."""
    assert told(f'{header}<|message|>{{"a": 1}}') == [ToolCall("search", {"a": 1})]


def test_several_calls_count_from_zero() -> None:
    """Ollama makes the last one only; none is lost here."""
    call = f"{TO}{{}}<|end|><|start|>assistant"
    assert told(call + call) == [ToolCall("get-weather"), ToolCall("get-weather", index=1)]


@pytest.mark.parametrize(
    "text", [TO + '{"city": "Ul', TO.replace("get_weather", "other") + "{}", TO + "[1]"]
)
def test_what_is_no_call_comes_back(text: str) -> None:
    """Half a call, one of a tool that was not offered, one without an object."""
    assert told(text) == [Content(text)]


def test_answer_without_a_channel_is_an_answer() -> None:
    """At once, as soon as it cannot be a header."""
    parser = HarmonyParser(PROMPT, ())
    assert parser.feed(" {") == [Content(" {")]
    assert told("Hello <|channel|>") == [Content("Hello <|channel|>")]


def test_prompt_may_have_begun_the_answer() -> None:
    """Its own text is not told again."""
    assert told(" Sure", prompt=f"{PROMPT}{FINAL}Well,") == [Content(" Sure")]


def test_prompt_may_leave_the_role_to_the_model() -> None:
    """It is no answer."""
    assert told(*f"assistant{FINAL}Yes", prompt="<|start|>") == [Content("Yes")]


def test_half_a_header_at_the_end_is_answer() -> None:
    """Nothing is lost."""
    assert told("<|channel|>fin") == [Content("<|channel|>fin")]


def test_names_become_identifiers() -> None:
    """No two the same; built-in ones stay (TOOL-023)."""
    names = ["a-b", "a.b", "1st", "söl!", "%", "browser.open"]
    tools = [Tool("function", name) for name in names]
    spelled = ["a_b", "a_b_2", "_1st", "söl", "unnamed", "browser.open"]
    assert spellings(tools) == dict(zip(names, spelled, strict=True))


def test_history_has_the_names_that_the_model_knows() -> None:
    """In calls and in results."""
    call = Message("assistant", tool_calls=(ToolCall("get-weather"), ToolCall("old")))
    messages, tools = respelled([call, Message("tool", "9", tool_name="get-weather")], TOOLS)
    assert [each.name for each in messages[0].tool_calls] == ["get_weather", "old"]
    assert (messages[1].tool_name, tools[0].name) == ("get_weather", "get_weather")


def test_template_shows_the_channels() -> None:
    """All their signs; other models have some of them."""
    assert is_taught_by("<|start|>{{ role }}<|channel|>analysis<|message|>{{ text }}<|end|>")
    assert not is_taught_by("<|start|>{{ role }}{{ text }}<|end|>")

"""The template language gives what Go's `text/template` gives.

`template_cases.json` holds templates with what Go 1.26 and Ollama's own functions made of them,
for the conversation and the tools at its head; errors are part of it, word for word.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ..messages import Message, decode_messages, decode_tools
from ..template import Template, TemplateError

CASES: dict[str, Any] = json.loads(
    (Path(__file__).parent / "template_cases.json").read_text("utf-8")
)
MESSAGES = decode_messages(CASES["messages"])
TOOLS = decode_tools(CASES["tools"])
PIECES = st.sampled_from(
    ["{{", "{{-", "}}", "-}}", " ", "\n", "if", "range", "end", "else", ".Messages", "$x", ":="]
) | st.sampled_from(["(", ")", "|", "nil", "len", "printf", "1", "'c'", '"a"', "`b`", "é", "."])


def outcome(template: str) -> dict[str, str]:
    """What a template gives, under the keys of the cases."""
    try:
        parsed = Template.parse(template)
    except TemplateError as error:
        return {"parse_error": str(error)}
    try:
        return {"text": parsed.render(MESSAGES, TOOLS)}
    except TemplateError as error:
        return {"error": str(error)}


@pytest.mark.parametrize("case", CASES["cases"], ids=lambda case: f"{case['about']}")
def test_a_template_gives_what_go_gives(case: dict[str, str]) -> None:
    """Text, parse error or execution error are Go's."""
    expected = {key: case[key] for key in ("text", "error", "parse_error") if key in case}
    assert outcome(case["template"]) == expected


@given(st.lists(PIECES, max_size=12).map("".join))
def test_any_text_renders_or_is_refused(text: str) -> None:
    """No text makes the language fail in another way than by a template error."""
    outcome(text)


@given(st.text())
def test_text_without_actions_is_itself(text: str) -> None:
    """Text in which no action begins is written as it stands, braces that close included."""
    plain = text.replace("{", "")
    shown = Template.parse("{{ with .Messages }}{{ end }}" + plain)
    assert shown.render([]) == plain


@given(st.text())
def test_a_message_is_never_read_as_a_template(content: str) -> None:
    """What a message says is data, whatever it looks like."""
    shown = Template.parse("{{ range .Messages }}{{ .Content }}{{ end }}")
    assert shown.render([Message("user", content)]) == content

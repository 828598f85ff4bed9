"""A template tells which names it uses and which tags surround thoughts and tool calls."""

import pytest

from ..template import Template, TemplateError


def thinking(template: str) -> tuple[str, str] | None:
    """The thinking tags that a template implies."""
    return Template.parse(template).thinking_tags


def tool(template: str) -> str:
    """The tool tag that a template implies."""
    return Template.parse(template).tool_tag


def test_variables_are_lower_case_and_come_from_definitions_too() -> None:
    """Capabilities hang on them."""
    template = Template.parse('{{ define "x" }}{{ .Suffix }}{{ end }}{{ if .Tools }}{{ end }}')
    assert {"suffix", "tools", "response"} <= template.variables


def test_template_call_without_a_value_is_refused() -> None:
    """Ollama refuses it when a model is created."""
    with pytest.raises(TemplateError, match="undefined template specified"):
        Template.parse('{{ define "x" }}y{{ end }}{{ template "x" }}')


@pytest.mark.parametrize(
    "body",
    [
        "{{ if .Thinking }}<think>{{ .Thinking }}</think>{{ end }}",
        "{{ if and .Thinking true }}\n <think>\n{{ .Thinking }} </think>\n{{ end }}",
        "<think>{{ .Thinking }}</think>",
    ],
)
def test_thinking_tags_are_the_texts_around_the_thought(body: str) -> None:
    """Blanks do not belong to them."""
    assert thinking(f"{{{{ range .Messages }}}}{body}{{{{ end }}}}") == ("<think>", "</think>")


@pytest.mark.parametrize(
    "template",
    [
        "{{ if .Thinking }}<think>{{ .Thinking }}</think>{{ end }}{{ .Messages }}",
        "{{ range .Messages }}{{ range .Parts }}<a>{{ .Thinking }}</a>{{ end }}{{ end }}",
        "{{ range .Messages }}{{ if .Thinking }}{{ .Thinking }}</a>{{ end }}{{ end }}",
        "{{ range .Messages }}{{ .Content }}{{ end }}",
    ],
)
def test_without_texts_around_it_in_the_loop_there_are_no_thinking_tags(template: str) -> None:
    """The nearest loop has to be the one over messages, and both tags have to be there."""
    assert thinking(template) is None


@pytest.mark.parametrize(
    ("section", "tag"),
    [
        ('{{ range .ToolCalls }}<tool_call>{"name": "{{ .Function.Name }}"}', "<tool_call>"),
        ('[TOOL_CALLS] [{{ range .ToolCalls }}{"name": ', "[TOOL_CALLS] ["),
        ('{{ range .ToolCalls }}{"name": "{{ .Function.Name }}"}', "{"),
        ("[{{ range .ToolCalls }}{{ . }}", "["),
        ("{{ range .ToolCalls }}{{ . }}<late>", "{"),
    ],
)
def test_tool_tag_is_the_first_text_of_the_section_on_calls(section: str, tag: str) -> None:
    """Up to the JSON, and only before the first action."""
    ends = "{{ end }}" * (1 + section.count("range"))
    assert tool("{{ if .ToolCalls }}" + section + ends) == tag


def test_loop_over_calls_without_a_condition_gives_no_tag() -> None:
    """Only an `if` makes a section."""
    assert tool("{{ range .ToolCalls }}<tool_call>{{ . }}{{ end }}") == "{"

"""A template from a stranger cannot run, recurse or write without end."""

import pytest

from ..messages import Message, ToolCall
from ..template import Template, TemplateError


def refused(template: str) -> str:
    """Why a template that parses does not render."""
    parsed = Template.parse(template + "{{ if false }}{{ .Messages }}{{ end }}")
    with pytest.raises(TemplateError) as raised:
        parsed.render([Message("user", "x" * 1000)])
    return str(raised.value)


def test_template_that_calls_itself_ends() -> None:
    """Recursion has a depth."""
    looping = '{{ define "t" }}{{ template "t" . }}{{ end }}{{ template "t" . }}'
    assert "maximum template depth" in refused(looping)


def test_loops_inside_loops_end() -> None:
    """A billion rounds are too many, also when they write nothing."""
    looping = "{{ range 99999 }}{{ range 99999 }}{{ end }}{{ end }}"
    assert "too many steps" in refused(looping)


def test_doubling_text_ends() -> None:
    """Text that is never written counts too."""
    doubling = '{{ $x := "aaaa" }}{{ range 99 }}{{ $x = print $x $x }}{{ end }}'
    assert "too much text" in refused(doubling)


def test_output_ends() -> None:
    """A thousand characters a million times are too much."""
    writing = "{{ range 999999 }}{{ (index $.Messages 0).Content }}{{ end }}"
    assert "too much text" in refused(writing)


def test_format_width_is_bounded() -> None:
    """A small format cannot ask for a gigabyte."""
    assert "width is too large" in refused('{{ printf "%999999999d" 1 }}')


def test_format_that_repeats_an_operand_is_bounded() -> None:
    """Nor can a long one that names the same text again and again."""
    repeating = '{{ $s := printf "%9999d" 1 }}{{ printf "' + "%[1]s" * 9999 + '" $s }}'
    assert "too long" in refused(repeating)


@pytest.mark.parametrize("opening", ["(", "{{ if 1 }}"])
def test_nesting_is_bounded_by_the_parser(opening: str) -> None:
    """Ten thousand parentheses or blocks are an error, not a crash."""
    text = "{{ " + opening * 10_000 if opening == "(" else opening * 10_000
    with pytest.raises(TemplateError, match="max expression depth"):
        Template.parse(text)


def test_deep_arguments_are_refused() -> None:
    """What a template is given may not be nested without end either."""
    deep: dict[str, object] = {}
    for _ in range(500):
        deep = {"a": deep}
    template = Template.parse(
        "{{ range .Messages }}{{ range .ToolCalls }}{{ . }}{{ end }}{{ end }}"
    )
    call = ToolCall("f", deep)  # type: ignore[arg-type]
    with pytest.raises(TemplateError, match="too deeply"):
        template.render([Message("assistant", tool_calls=(call,))])


def test_long_conversation_renders() -> None:
    """The bounds leave two thousand turns alone."""
    template = Template.parse(
        "{{ range $i, $m := .Messages }}{{ $last := eq (len (slice $.Messages $i)) 1 }}"
        '{{ if eq .Role "user" }}U{{ .Content }}{{ else }}A{{ .Content }}{{ end }}{{ end }}'
    )
    turns = [Message(("user", "assistant")[turn % 2], "x" * 500) for turn in range(4000)]
    assert len(template.render(turns)) == 4000 * 501

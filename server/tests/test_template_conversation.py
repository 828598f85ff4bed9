"""Templates are executed with a conversation as Ollama executes them."""

from datetime import datetime

import pytest

from ..messages import Message, Think
from ..template import DEFAULT, Template

TURN = "{{ if .System }}[{{ .System }}]{{ end }}<{{ .Prompt }}>{{ .Response }};"
LOOP = "{{ range .Messages }}{{ .Role }}:{{ .Content }};{{ end }}"


def render(template: str, *messages: Message, think: Think = None) -> str:
    """What a template makes of messages."""
    return Template.parse(template).render(messages, think=think)


def test_default_template_is_the_prompt_alone() -> None:
    """A model without a template sees what the user wrote."""
    assert render(DEFAULT, Message("user", "Hi")) == "Hi"


def test_response_is_appended_where_a_template_mentions_neither_it_nor_messages() -> None:
    """History does not get lost in a template that only knows prompts."""
    got = render("<{{ .Prompt }}>", Message("user", "a"), Message("assistant", "b"))
    assert got == "<a>b"


def test_each_turn_executes_a_template_without_a_loop_once() -> None:
    """Turns follow one another, the last one open at its response."""
    history = [Message("user", "a"), Message("assistant", "b"), Message("user", "c")]
    assert render(TURN, Message("system", "s"), *history) == "[s]<a>b;<c>"


def test_text_after_the_response_is_cut_from_the_last_turn_only() -> None:
    """The model goes on exactly where its answer belongs."""
    got = render("{{ .Prompt }}({{ .Response }})", Message("user", "a"))
    assert got == "a("


def test_answer_at_the_end_is_left_open() -> None:
    """An assistant message in last place is begun, not closed."""
    got = render(TURN, Message("user", "a"), Message("assistant", "Sure, "))
    assert got == "<a>Sure, "


def test_system_message_between_turns_begins_a_turn() -> None:
    """A later system message closes the turn before it."""
    got = render(TURN, Message("user", "a"), Message("system", "s"), Message("user", "b"))
    assert got == "<a>;[s]<b>"


def test_unknown_roles_are_dropped_by_a_template_without_a_loop() -> None:
    """Only system, user and assistant have a place in it."""
    assert render(TURN, Message("critic", "no"), Message("user", "a")) == "<a>"


def test_neighbours_of_one_role_are_merged_with_a_blank_line() -> None:
    """Two user messages in a row are one."""
    assert render(LOOP, Message("user", "a"), Message("user", "b")) == "user:a\n\nb;"


def test_tool_results_are_never_merged() -> None:
    """Each result keeps the name of its tool."""
    got = render(LOOP, Message("tool", "a"), Message("tool", "b"))
    assert got == "tool:a;tool:b;"


def test_system_holds_all_system_messages() -> None:
    """They are joined by a blank line, wherever they stand."""
    got = render(
        "{{ .System }}{{ len .Messages }}",
        Message("system", "a"),
        Message("user", "b"),
        Message("system", "c"),
    )
    assert got == "a\n\nc3"


@pytest.mark.parametrize(
    ("think", "shown"),
    [
        (None, "false  false"),
        (True, "true medium true"),
        (False, "false  true"),
        ("high", "true high true"),
    ],
)
def test_thinking_reaches_the_template(think: Think, shown: str) -> None:
    """Whether, how much, and whether the request said so."""
    got = render("{{ .Think }} {{ .ThinkLevel }} {{ .IsThinkSet }}{{ .Response }}", think=think)
    assert got == shown


def test_insertion_sees_prompt_and_suffix_only() -> None:
    """No system text and no messages in the middle of a file."""
    template = Template.parse("{{ .System }}<P>{{ .Prompt }}<S>{{ .Suffix }}<M>{{ .Response }}")
    assert template.render_insert("def f(", "return") == "<no value><P>def f(<S>return<M>"


def test_dates_are_local_and_ignore_their_format() -> None:
    """`currentDate` and `yesterdayDate` count from the moment of rendering."""
    template = Template.parse('{{ currentDate "x" }} {{ yesterdayDate }}{{ .Response }}')
    got = template.render([], now=lambda: datetime(2026, 3, 1, 9))
    assert got == "2026-03-01 2026-02-28"


def test_functions_work_in_the_last_turn_too() -> None:
    """Ollama loses them there; no template is worse off for having them."""
    assert render("{{ json .Prompt }}{{ .Response }}", Message("user", "a")) == '"a"'

"""Chat templates render as `transformers` renders them, inside their bounds."""

from datetime import datetime

import pytest

from ..messages import Message, Think, ToolCall
from ..template import TemplateError
from ..template.jinja import JinjaTemplate
from ..tools import Tool

CHATML = (
    "{{ bos_token }}{% for message in messages %}\n"
    "    {% if message.role == 'system' %}{% continue %}{% endif %}\n"
    "<|{{ message['role'] }}|>{{ message['content'] | trim }}\n"
    "{% endfor %}\n"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)

DOUBLING = (
    "{%% set n = namespace(x='aa') %%}"
    "{%% for i in range(60) %%}{%% set n.x = n.x %s n.x %%}{%% endfor %%}"
)


def render(template: str, *messages: Message, think: Think = None) -> str:
    """What a chat template makes of messages."""
    return JinjaTemplate.parse(template, "<s>", "</s>").render(messages, think=think)


def test_conversation_ends_where_the_model_goes_on() -> None:
    """Block lines leave no blanks, and the generation prompt is asked for."""
    got = render(CHATML, Message("system", "s"), Message("user", " Hi "))
    assert got == "<s><|user|>Hi\n<|assistant|>"


def test_answer_at_the_end_is_continued() -> None:
    """Its text stands behind the generation prompt."""
    got = render(CHATML, Message("user", "Hi"), Message("assistant", "Sure, "))
    assert got == "<s><|user|>Hi\n<|assistant|>Sure, "


def test_tojson_keeps_html_signs_and_key_order() -> None:
    """Jinja's own filter would write \\u003c."""
    call = ToolCall("f", {"b": "<é>", "a": 1})
    got = render("{{ messages[0].tool_calls[0]|tojson }}", Message("assistant", tool_calls=(call,)))
    assert (
        got == '{"type": "function", "function": {"name": "f", "arguments": {"b": "<é>", "a": 1}}}'
    )


def test_tools_are_absent_where_there_are_none() -> None:
    """Templates test `tools is none` as often as `tools`."""
    template = JinjaTemplate.parse("{{ tools is none }}{{ tools[0].function.name if tools }}")
    shown = [template.render([]), template.render([], [Tool("function", "f")])]
    assert shown == ["True", "Falsef"]


@pytest.mark.parametrize(
    ("think", "shown"), [(None, "True-"), (False, "False-"), ("low", "Truelow")]
)
def test_thinking_is_told_as_these_templates_know_it(think: Think, shown: str) -> None:
    """`enable_thinking` always, `reasoning_effort` where the request gave a level."""
    got = render("{{ enable_thinking }}{{ reasoning_effort|default('-') }}", think=think)
    assert got == shown


def test_generation_marks_leave_their_text() -> None:
    """They are for training."""
    assert render("a{% generation %}b{% endgeneration %}") == "ab"


def test_date_comes_from_the_caller() -> None:
    """`strftime_now` asks the clock it was given."""
    template = JinjaTemplate.parse("{{ strftime_now('%d %b %Y') }}")
    assert template.render([], now=lambda: datetime(2026, 3, 1)) == "01 Mar 2026"


def test_template_can_refuse_a_conversation() -> None:
    """With the message it gives."""
    with pytest.raises(TemplateError, match="roles must alternate"):
        render("{{ raise_exception('roles must alternate') }}")


@pytest.mark.parametrize(
    "template",
    [
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{{ 'a' * 999999999 }}",
        "{% for i in range(99999) %}{{ 'a' * 10000 }}{% endfor %}",
        DOUBLING % "~",
        DOUBLING % "+",
        "{{ 10 ** 9999 }}",
        "{{ '%999999999d' % 1 }}",
        "{{ 'a'.ljust(999999999) }}",
        "{{ 'a'|center(('9' * 9)|int) }}",
        "{{ ''.__class__.__mro__ }}",
        "{{ cycler.__init__.__globals__ }}",
        "{{ messages.append(1) }}",
        "{% if %}",
    ],
)
def test_template_that_goes_too_far_is_refused(template: str) -> None:
    """Work without end, text without end, and the way into the process."""
    with pytest.raises(TemplateError):
        render(template, Message("user", "Hi"))


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        ("<think>{{ x }}</think>", ("<think>", "</think>")),
        ("{{ content.split('</think>')[-1] }}", ("<think>", "</think>")),
        ("{{ content.split('</think>')[-1] }}{{ reasoning_content }}", None),
        ("{{ content }}", None),
    ],
)
def test_thinking_tags_follow_from_the_text(text: str, tags: tuple[str, str] | None) -> None:
    """Also where earlier thoughts are only taken out."""
    assert JinjaTemplate.parse(text).thinking_tags == tags


def test_tool_tag_follows_from_the_text() -> None:
    """JSON is looked for where the template shows no tag."""
    shown = [JinjaTemplate.parse(text).tool_tag for text in ("a <tool_call> b", "{{ tools }}")]
    assert shown == ["<tool_call>", "{"]


PARTS = (
    "{% for message in messages %}{{ message['role'] | capitalize }}:"
    "{% if message['content'][0]['type'] == 'image' %}{% else %} {% endif %}"
    "{% for line in message['content'] %}{% if line['type'] == 'text' %}{{ line['text'] }}"
    "{% elif line['type'] == 'image' %}<image>{% endif %}{% endfor %}{{ '\n' }}{% endfor %}"
    "Assistant:"
)


def test_templates_that_read_parts_get_the_content_as_one() -> None:
    """As SmolVLM's; tags of images are in the text."""
    got = render(PARTS, Message("user", "[img-0]What?"))
    assert got == "User: [img-0]What?\nAssistant:"


def test_templates_that_read_both_get_a_text() -> None:
    """Where they ask whether the content is one."""
    both = "{% if messages[0].content is string %}text{% else %}" + PARTS + "{% endif %}"
    assert render(both, Message("user", "x")) == "text"

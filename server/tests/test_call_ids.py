"""Ids of calls for the templates that insist on nine letters and digits."""

from ..messages import Message, ToolCall
from ..template.call_ids import with_short_ids
from ..template.jinja import JinjaTemplate

TEMPLATE = (
    "{%- for message in messages %}{%- for call in message.tool_calls or [] %}"
    "{%- if call.id is not defined or call.id|length != 9 %}{{ raise_exception('short') }}"
    "{%- endif %}{{ call.function.name }}={{ call.id }} {% endfor %}"
    "{{- message.tool_call_id or '' }} {% endfor %}"
)


def ids(*messages: Message) -> list[list[str]]:
    """The ids of the calls and of the answer in each message."""
    found = with_short_ids(messages)
    return [
        [*(call.id for call in each.tool_calls), *filter(None, [each.tool_call_id])]
        for each in found
    ]


def calls(*given: str) -> Message:
    """A message with calls of these ids."""
    return Message("assistant", tool_calls=tuple(ToolCall("f", id=each) for each in given))


def result(identity: str = "") -> Message:
    """The result of the call of this id."""
    return Message("tool", "9", tool_call_id=identity)


def test_ids_that_fit_stay() -> None:
    """The model's own do."""
    assert ids(calls("abc123DEF"), result("abc123DEF")) == [["abc123DEF"], ["abc123DEF"]]


def test_results_keep_to_their_calls() -> None:
    """Whatever ids the client or this server gave."""
    given = ids(calls("call_x", "call_y"), result("call_y"), result("call_x"))
    assert given == [["call00000", "call00001"], ["call00001"], ["call00000"]]


def test_missing_ids_are_given_in_order() -> None:
    """Ollama's API wants none."""
    given = ids(calls("", ""), result(), result(), calls(""), result())
    first, second, third = "call00000", "call00001", "call00002"
    assert given == [[first, second], [first], [second], [third], [third]]


def test_template_that_insists_is_satisfied() -> None:
    """With the ids that `/api/chat` gives, sent back as they were."""
    template = JinjaTemplate.parse(TEMPLATE)
    assert template.render([calls("call_1234abcd"), result("call_1234abcd")]) == (
        "f=call00000  call00000 "
    )
    other = JinjaTemplate.parse(TEMPLATE.replace("9", "13"))
    assert "call_1234abcd" in other.render([calls("call_1234abcd")])

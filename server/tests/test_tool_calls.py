"""A call is found in each of the forms that models write."""

import json

import pytest

from ..messages import ToolCall
from ..tool_calls import CallReader

ARGUMENTS = {"city": 'a "q" {b}', "days": [1, 2.5, None]}
NAMES = ("get_weather", "get")


def calls(text: str) -> list[tuple[str, object]]:
    """The calls in a text."""
    return [(call.name, call.arguments) for call in CallReader(NAMES).feed(text)]


@pytest.mark.parametrize(
    "call",
    [
        {"name": "get", "arguments": ARGUMENTS},
        {"name": "get", "parameters": ARGUMENTS},
        {"arguments": ARGUMENTS, "name": "get"},
        {"name": "get", "arguments": json.dumps(ARGUMENTS)},
        {"type": "function", "function": {"name": "get", "arguments": ARGUMENTS}},
        {"tool_calls": [{"function": {"name": "get", "arguments": ARGUMENTS}}]},
        {"get": ARGUMENTS},
    ],
)
def test_object_is_a_call(call: dict[str, object]) -> None:
    """However it is laid out."""
    assert calls(json.dumps(call, indent=1)) == [("get", ARGUMENTS)]


def test_name_in_front_of_an_object_calls_with_it() -> None:
    """As in `<function=get_weather>{...}</function>`; the longest name counts."""
    got = calls(f"<function=get_weather>{json.dumps(ARGUMENTS)}</function>")
    assert got == [("get_weather", ARGUMENTS)]


def test_argument_called_name_is_an_argument() -> None:
    """It does not make the object say who is called."""
    assert calls('get{"name": "Ada"}') == [("get", {"name": "Ada"})]


def test_call_without_arguments_has_none() -> None:
    """A tool that needs nothing can be called with nothing."""
    assert calls('{"name": "get"}') == [("get", {})]


def test_broken_object_is_passed_over() -> None:
    """The next whole one counts."""
    assert calls('get {city: Ulm} {"city": "Ulm"}') == [("get", {"city": "Ulm"})]


@pytest.mark.parametrize(
    "text",
    ['{"name": "other", "arguments": {}}', '{"a": NaN}get', "{" * 5000 + "}" * 5000, "get", "}}]"],
)
def test_other_text_calls_nothing(text: str) -> None:
    """Unknown names, what is not JSON, and what is nested beyond reason."""
    assert calls(text) == []


def test_calls_are_numbered() -> None:
    """Across pieces of text."""
    reader = CallReader(NAMES)
    told = [call for _ in range(3) for call in reader.feed('get{"a": 1}')]
    assert told == [ToolCall("get", {"a": 1}, index=index) for index in range(3)]

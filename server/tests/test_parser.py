"""Thoughts, answers and calls come apart the same way however the text comes in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ..messages import ToolCall
from ..parser import Content, OutputParser, Part, Thinking, ThinkingSplitter, ToolRecogniser

NAMES = ("get_weather", "get", "search")
CALL = '{"name": "get", "arguments": {"city": "Ulm"}}'
THOUGHTS = st.lists(
    st.sampled_from(["<think>", "</think>", "<", "</th", " ", "\n", "a", "\u2003", "é"]), max_size=9
).map("".join)
CALLS = st.lists(
    st.sampled_from([CALL, "<tool_call>", "</tool_call>", "[", "]", "{", "}", '"', "\\", ",", " "])
    | st.sampled_from(["get", "search", '{"a": 1}', "text", "<tool", '{"name": "get"}']),
    max_size=8,
).map("".join)
TAGS = st.sampled_from(["<tool_call>", "{", "["])


def merged(parts: list[Part]) -> list[Part]:
    """Parts with neighbours of one kind joined."""
    joined: list[Part] = []
    for part in parts:
        last = joined[-1] if joined else None
        if isinstance(part, Content) and isinstance(last, Content):
            joined[-1] = Content(last.text + part.text)
        elif isinstance(part, Thinking) and isinstance(last, Thinking):
            joined[-1] = Thinking(last.text + part.text)
        else:
            joined.append(part)
    return joined


def split(*pieces: str, inside: bool = False) -> list[Part]:
    """What a splitter for `<think>` makes of text in pieces."""
    splitter = ThinkingSplitter("<think>", "</think>", inside=inside)
    told = [part for piece in pieces for part in splitter.feed(piece)]
    return merged([*told, *splitter.close()])


def recognise(tag: str, *pieces: str) -> list[Part]:
    """What a recogniser for `tag` makes of text in pieces."""
    recogniser = ToolRecogniser(NAMES, tag)
    told = [part for piece in pieces for part in recogniser.feed(piece)]
    return merged([*told, *recogniser.close()])


def get(city: str = "Ulm", index: int = 0) -> ToolCall:
    """A call of the tool `get`."""
    return ToolCall("get", {"city": city}, index=index)


@given(THOUGHTS, st.integers(0, 40), st.booleans())
def test_splitting_does_not_depend_on_the_pieces(text: str, at: int, inside: bool) -> None:
    """Whole, by character and cut in two are the same."""
    whole = split(text, inside=inside)
    assert split(*text, inside=inside) == whole
    assert split(text[:at], text[at:], inside=inside) == whole


@given(CALLS, st.integers(0, 60), TAGS)
def test_recognising_does_not_depend_on_the_pieces(text: str, at: int, tag: str) -> None:
    """Whole, by character and cut in two are the same."""
    whole = recognise(tag, text)
    assert recognise(tag, *text) == whole
    assert recognise(tag, text[:at], text[at:]) == whole


@given(st.text())
def test_text_without_a_thought_is_untouched(text: str) -> None:
    """Blanks at its start stay where no tag follows."""
    told = text if text.strip() else text + "x"
    if not told.lstrip().startswith("<"):
        assert split(told) == [Content(told)]


def test_blanks_next_to_the_tags_belong_to_neither_side() -> None:
    """Those before a closing tag are the thought's."""
    got = split(" \n<think>\n so \n</think>\n\n Yes. ")
    assert got == [Thinking("so \n"), Content("Yes. ")]


def test_only_the_first_thought_is_one() -> None:
    """A second pair of tags is text of the answer."""
    got = split("<think>a</think>b<think>c</think>")
    assert got == [Thinking("a"), Content("b<think>c</think>")]


def test_empty_thought_leaves_the_answer() -> None:
    """Models write one when they are told not to think."""
    assert split("<think>\n\n</think>\n\nYes") == [Content("Yes")]


def test_prompt_that_opened_the_tag_begins_inside() -> None:
    """The first characters are a thought already."""
    assert split("\nso</think>\nYes", inside=True) == [Thinking("so"), Content("Yes")]


def test_part_of_a_tag_is_withheld_until_it_is_none() -> None:
    """What cannot become a tag any more is let go at once."""
    splitter = ThinkingSplitter("<think>", "</think>")
    told = [splitter.feed(piece) for piece in ("<think>a</", "thi", "s")]
    assert told == [[Thinking("a")], [], [Thinking("</this")]]


def test_part_of_a_tag_at_the_end_is_dropped() -> None:
    """As in Ollama: neither thought nor answer."""
    assert split("<think>so</thi") == [Thinking("so")]


def test_call_between_tags_is_told_without_them() -> None:
    """Text before it is answer, text behind it is dropped."""
    got = recognise("<tool_call>", f"Look: <tool_call>\n{CALL}\n</tool_call> bye")
    assert got == [Content("Look: "), get()]


def test_several_calls_count_from_zero() -> None:
    """Each with its own arguments."""
    other = CALL.replace("Ulm", "Bonn")
    got = recognise("<tool_call>", f"<tool_call>{CALL}</tool_call><tool_call>{other}</tool_call>")
    assert got == [get(), get("Bonn", index=1)]


def test_calls_in_a_list_are_all_told() -> None:
    """The tag of some models is the bracket."""
    assert recognise("[", f"[{CALL}, {CALL}]") == [get(), get(index=1)]


def test_bare_json_is_a_call_only_in_first_place() -> None:
    """After other text it is part of the answer."""
    assert recognise("{", f" \n{CALL}") == [Content(" \n"), get()]
    assert recognise("{", f"Call {CALL}") == [Content(f"Call {CALL}")]


def test_json_that_calls_nothing_is_the_answer() -> None:
    """And so is everything behind it, calls included."""
    text = '{"answer": "}"} and ' + CALL
    assert recognise("{", text) == [Content(text)]
    assert recognise("[", "[1, [2]] " + CALL) == [Content("[1, [2]] " + CALL)]


@pytest.mark.parametrize(("tag", "left"), [("{", CALL[:-3]), ("<tool_call>", "")])
def test_half_a_call_at_the_end_is_answer_only_where_the_tag_is_json(tag: str, left: str) -> None:
    """No partial call is ever told (TOOL-025)."""
    text = CALL[:-3] if tag == "{" else tag + CALL[:-3]
    assert recognise(tag, text) == ([Content(left)] if left else [])


def test_name_that_was_not_offered_is_not_called() -> None:
    """Nor does a later call inherit its arguments."""
    unknown = '{"name": "getaway", "arguments": {"car": "red"}}'
    got = recognise("<tool_call>", f"<tool_call>{unknown}</tool_call><tool_call>{CALL}</tool_call>")
    assert got == [get()]


def test_thoughts_are_never_searched_for_calls() -> None:
    """A model may think about a call without making it."""
    both = OutputParser(
        ThinkingSplitter("<think>", "</think>"), ToolRecogniser(NAMES, "<tool_call>")
    )
    text = f"<think><tool_call>{CALL}</tool_call></think><tool_call>{CALL}</tool_call>"
    told = [part for sign in text for part in both.feed(sign)] + both.close()
    assert merged(told) == [Thinking(f"<tool_call>{CALL}</tool_call>"), get()]


def test_without_splitter_and_recogniser_all_is_answer() -> None:
    """A plain model's text goes through."""
    plain = OutputParser()
    assert [*plain.feed("<think>{"), *plain.feed(""), *plain.close()] == [Content("<think>{")]

"""Messages decode as the contract says, and wrong ones are refused with a reason."""

import pytest

from ..decode import DecodeError, Json
from ..messages import Message, ToolCall, decode_messages


def test_role_becomes_lower_case() -> None:
    """`USER` is a user."""
    assert Message.decode({"role": "USER"}).role == "user"


@pytest.mark.parametrize("value", [None, {}, {"role": None, "content": None, "tool_calls": None}])
def test_null_is_absent(value: Json) -> None:
    """An empty message is a message."""
    assert Message.decode(value) == Message("")


def test_unknown_fields_are_ignored() -> None:
    """Also inside a call."""
    call: Json = {"type": "function", "function": {"name": "f", "strict": True}}
    got = Message.decode({"role": "assistant", "name": "x", "tool_calls": [call]})
    assert got == Message("assistant", tool_calls=(ToolCall("f"),))


def test_reply_comes_back_as_it_was() -> None:
    """An assistant message may be sent again as received."""
    message = Message("assistant", "a", "t", tool_calls=(ToolCall("f", {"b": [1]}, "call_1", 2),))
    assert Message.decode(message.to_json()) == message


def test_images_are_base64() -> None:
    """Line ends inside are allowed, and an empty image is one."""
    assert Message.decode({"images": ["aGk=\r\n", ""]}).images == (b"hi", b"")


@pytest.mark.parametrize("image", ["data:image/png;base64,aGk=", "aGk", "aG-_", "====="])
def test_other_encodings_of_images_are_refused(image: str) -> None:
    """With the place of the fault."""
    with pytest.raises(DecodeError, match="illegal base64 data at input byte"):
        Message.decode({"images": [image]})


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ({"content": []}, "cannot unmarshal array .* ChatRequest.messages.content of type string"),
        ({"role": 5}, "cannot unmarshal number .* ChatRequest.messages.role of type string"),
        (5, "cannot unmarshal number .* ChatRequest.messages of type api.Message"),
        ({"tool_calls": {}}, "cannot unmarshal object"),
        ({"tool_calls": [{"function": {"arguments": "{}"}}]}, "cannot unmarshal string"),
        ({"tool_calls": [{"function": {"index": 1.5}}]}, "cannot unmarshal number 1.5"),
        ({"tool_calls": [{"function": {"index": True}}]}, "cannot unmarshal bool"),
    ],
)
def test_wrong_types_are_refused(message: Json, reason: str) -> None:
    """The field is named as Ollama names it."""
    with pytest.raises(DecodeError, match=reason):
        decode_messages([message])


def test_lone_surrogates_become_replacement_characters() -> None:
    """No text can leave the server that is no Unicode."""
    assert Message.decode({"content": "a\ud800b"}).content == "a\ufffdb"

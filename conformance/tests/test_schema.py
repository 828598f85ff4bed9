"""What is said of a value that breaks a schema leads to what is wrong with it."""

from __future__ import annotations

from ..schema import violation

FINAL = {
    "model": "m",
    "created_at": "2026-11-21T18:05:07.341Z",
    "message": {"role": "assistant", "content": ""},
    "done": True,
    "done_reason": "stop",
    "total_duration": 0,
    "load_duration": 1,
    "prompt_eval_count": 1,
    "prompt_eval_duration": 1,
    "eval_count": 1,
    "eval_duration": 1,
}


def test_record_that_is_done_is_not_blamed_for_being_no_chunk() -> None:
    """Of several forms the one is meant that it comes nearest to."""
    told = violation(FINAL, "chat", "record")
    assert told == "total_duration: 0 is less than the minimum of 1"


def test_key_that_does_not_belong_there_is_told_as_such() -> None:
    """Not in the words of the validator, which nobody can read."""
    entry = {"name": "m:latest", "model": "m:latest", "expires_at": None}
    told = violation({"models": [entry]}, "tags", "response")
    assert told is not None
    assert "False schema" not in told


def test_schema_that_holds_itself_is_judged_to_its_bottom() -> None:
    """As deep as the value goes."""
    inner = {"properties": {"b": {"properties": {"c": {"required": 1}}}}}
    parameters = {"type": "object", "properties": {"a": inner}}
    asked = {"model": "m", "tools": [{"function": {"parameters": parameters}}]}
    told = violation(asked, "chat", "request")
    assert told is not None
    assert told.startswith(
        "tools[0].function.parameters.properties.a.properties.b.properties.c.required: "
    )


def test_valid_value_has_nothing_wrong() -> None:
    """None."""
    assert violation({**FINAL, "total_duration": 5}, "chat", "record") is None

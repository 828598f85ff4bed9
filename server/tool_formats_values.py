"""From what a tool parser read to calls that may be made: names, JSON values, declared types.

Pure but for the import of the parser. What does not fit makes no call at all.
"""

import ast
import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from typing import Any

from .decode import Json
from .messages import ToolCall
from .tool_calls import MAX_DEPTH
from .tool_formats import ToolFormat
from .tools import Tool, ToolProperty

MAX_CHARACTERS = 1 << 20
"""A longer call is not read: the parsers' patterns would hold up everybody else."""

_MAX_INTEGER_BITS = 4096  # more digits than that Python does not print
_CALL_ID = re.compile(r"\[CALL_ID\](\w*)")
_DEEPSEEK_CALL = re.compile(
    r"<｜tool▁call▁begin｜>(?:function<｜tool▁sep｜>)?([^<\n]+?)\s*(?:<｜tool▁sep｜>|\n```json\n)"
    r"(.*?)(?:\n```)?\s*<｜tool▁call▁end｜>",
    re.DOTALL,
)

Read = Callable[[str, Sequence[Mapping[str, Any]]], Any]
"""What stands between the tags and the tools, to one call or a list of them; may raise anything."""


class CallParser:
    """Reads what stands between the tags of one format, for the tools that a request offers."""

    def __init__(self, form: ToolFormat, tools: Sequence[Tool], read: Read | None = None) -> None:
        self._form = form
        self._tools = {tool.name: tool for tool in tools if tool.name}
        # Bare text comes as written, and gets its types here, the same way for every format.
        as_text = form.is_bare
        self._offered = [_as_text(tool) if as_text else tool.to_json() for tool in tools]
        self._read = read or reader_of(form)

    def __call__(self, text: str) -> list[ToolCall] | None:
        """The calls in it, None where it is not all calls of offered tools."""
        text = text.strip()
        form = self._form
        if len(text) > MAX_CHARACTERS:
            return None
        if not (text.startswith(form.begins) and text.endswith(form.ends)):
            return None
        try:
            read = self._read(text, self._offered)
            several = read if isinstance(read, list) else [read]
            return [self._call(each) for each in several] or None
        # The parsers raise whatever their text makes them stumble over.
        except Exception:
            return None

    def _call(self, read: Mapping[str, Any]) -> ToolCall:
        """One call; raises for what is none."""
        function = read.get("function")
        read = function if isinstance(function, Mapping) else read
        name = read["name"] if "name" in read else read["tool_name"]
        tool = self._tools.get(name) or self._tools[name.removeprefix("functions.")]
        given = read.get("arguments", read.get("parameters"))
        given = json.loads(given) if isinstance(given, str) else given
        properties = tool.parameters.properties or {}
        arguments = {
            key: _typed(value, properties.get(key)) if self._form.is_bare else value
            for key, value in (given or {}).items()
        }
        identity = read.get("id")
        return ToolCall(
            tool.name,
            {_text(key): _json(value) for key, value in arguments.items()},
            id=identity if isinstance(identity, str) else "",
        )


def reader_of(form: ToolFormat) -> Read:
    """The function that reads a format: mlx-lm's, or ours where it has none.

    The first import of mlx-lm takes seconds: not on the event loop.
    """
    if form.parser == "deepseek":
        return _deepseek
    read: Read = import_module(f"mlx_lm.tool_parsers.{form.parser}").parse_tool_call
    return read if form.parser != "mistral" else lambda text, tools: _mistral(read, text, tools)


def is_open(form: ToolFormat, text: str) -> bool:
    """Whether a call goes on behind this text though a closing tag follows: it is in a value."""
    text = text.strip()
    if not form.begins or not text.startswith(form.begins):
        return False
    return _ends_in_string(text) if form.parser == "json_tools" else not text.endswith(form.ends)


def _ends_in_string(text: str) -> bool:
    return len(re.findall(r'(?<!\\)(?:\\\\)*"', text)) % 2 == 1


def _mistral(read: Read, text: str, tools: Sequence[Mapping[str, Any]]) -> Any:  # noqa: ANN401
    """The calls of newer models, too, that put an id before the arguments."""
    found = _CALL_ID.search(text)
    calls = read(_CALL_ID.sub("", text, count=1) if found else text, tools)
    if found and found[1] and isinstance(calls, dict):
        calls["id"] = found[1]
    return calls


def _deepseek(text: str, tools: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Calls as V3, R1 and V3.1 write them (`deepseek-ai/DeepSeek-V3.1:assets/chat_template`)."""
    calls: list[Mapping[str, Any]] = [
        {"name": name, "arguments": json.loads(arguments)}
        for name, arguments in _DEEPSEEK_CALL.findall(text)
    ]
    if _DEEPSEEK_CALL.sub("", text).strip():
        raise ValueError("more than calls")
    return calls


def _as_text(tool: Tool) -> dict[str, Any]:
    """The tool with all its arguments declared as strings."""
    names = tool.parameters.properties or {}
    properties = {name: {"type": "string"} for name in names}
    parameters = {"type": "object", "properties": properties}
    return {"type": "function", "function": {"name": tool.name, "parameters": parameters}}


def _typed(value: Any, declared: ToolProperty | None) -> Any:  # noqa: ANN401
    """The value of bare text, of the first declared type that it can have."""
    types = _types(declared) if declared else []
    if value is None:  # some parsers take the word for the value, whatever was declared
        return "null" if types == ["string"] else None
    if not isinstance(value, str):
        return value
    if not types:
        with suppress(ValueError):
            return _json_value(value)
        return value
    for kind in types:
        with suppress(ValueError, SyntaxError):
            return _READ.get(kind, str)(value.strip() if kind != "string" else value)
    return value


def _types(declared: ToolProperty) -> list[str]:
    """The declared types, a string last: every text is one."""
    found = [*declared.type, *(kind for each in declared.any_of for kind in _types(each))]
    return sorted(dict.fromkeys(found), key=lambda kind: kind == "string")


def _integer(text: str) -> int:
    number = float(text)
    if not number.is_integer():
        raise ValueError(text)
    return int(text) if re.fullmatch(r"[+-]?\d+", text) else int(number)


def _number(text: str) -> int | float:
    if re.fullmatch(r"[+-]?\d+", text):
        return int(text)
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def _boolean(text: str) -> bool:
    if text.lower() not in ("true", "1", "false", "0"):
        raise ValueError(text)
    return text.lower() in ("true", "1")


def _null(text: str) -> None:
    if text.lower() not in ("null", "none"):
        raise ValueError(text)


def _structure(text: str) -> Any:  # noqa: ANN401
    """JSON, or what Python would write for it."""
    try:
        return _json_value(text)
    except ValueError:
        return ast.literal_eval(text)


def _json_value(text: str) -> Any:  # noqa: ANN401
    return json.loads(text, parse_constant=_no_constant, strict=False)


def _no_constant(name: str) -> Json:
    raise ValueError(f"{name} is not JSON")


_READ: dict[str, Callable[[str], Any]] = {
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
    "null": _null,
    "object": _structure,
    "array": _structure,
}


def _json(value: Any, depth: int = 0) -> Json:  # noqa: ANN401
    """The value as JSON has it; raises for what JSON does not have."""
    if depth > MAX_DEPTH:
        raise ValueError("too deep")
    if isinstance(value, Mapping):
        return {_text(key): _json(each, depth + 1) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_json(each, depth + 1) for each in value]
    if isinstance(value, bool | str) or value is None:
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, int) and value.bit_length() <= _MAX_INTEGER_BITS:
        return value
    raise ValueError(f"{type(value).__name__} is not JSON")


def _text(key: object) -> str:
    if not isinstance(key, str):
        raise ValueError("a key is no text")
    return key

"""What a Go template is told of a conversation, and the modes in which it is executed."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from ..evidence import Json
from .gofuncs import Printed, Struct
from .gotext import Execution, Parsed, parse

Message = dict[str, Any]


def rendered(
    template: str, messages: list[Message], tools: list[Any] | None, think: Json, flaw: str = ""
) -> str:
    """The prompt that a template makes of a conversation. Raises BadTemplate."""
    parsed = parse(template, flaw)
    system, merged = collated(messages, flaw)
    if "messages" not in parsed.names:
        return _in_turns(parsed, merged, think, flaw)
    if flaw == "system is taken out":
        merged = [one for one in merged if one["role"] != "system"]
    root = {
        "System": system,
        "Messages": [_message(one, flaw) for one in merged],
        "Tools": _tools(tools or [], flaw),
        "Response": "",
        **thought(think, flaw),
    }
    return Execution(parsed, root, flaw).run()


def inserted(template: str, prompt: str, suffix: str, think: Json, flaw: str = "") -> str:
    """The prompt for what stands between a prompt and a suffix."""
    given = {"Prompt": prompt, "Suffix": suffix, "Response": "", **thought(think, flaw)}
    if flaw == "suffix beside the prompt":
        given |= {"Prompt": prompt + suffix, "Suffix": ""}
    if flaw == "suffix with system":
        given |= {"System": "You are a helpful assistant."}
    return Execution(parse(template, flaw), given, flaw).run()


@lru_cache(maxsize=512)
def capabilities_of(template: str, flaw: str = "") -> tuple[str, ...]:
    """What a model can do by its template."""
    parsed = parse(template, flaw)
    names = set(parsed.names)
    if flaw == "looks at the root":
        names = {name.lower() for name in _root_names(parsed)}
    kinds = {"tools": "tools", "suffix": "insert", "thinking": "thinking"}
    shown = [kind for name, kind in kinds.items() if name in names]
    return tuple(one for one in shown if one != "thinking" or "messages" in names)


def _root_names(parsed: Parsed) -> set[str]:
    import re

    return set(re.findall(r"\.(\w+)", repr([one for one in parsed.nodes if one[0] != "template"])))


def thought(think: Json, flaw: str) -> dict[str, Any]:
    """What a template is told about thinking."""
    level = think if isinstance(think, str) else "medium" if think else ""
    if flaw == "true is high" and think is True:
        level = "high"
    if flaw == "levels are lost":
        level = "medium" if think else ""
    known = (think is not None and flaw != "never set") or flaw == "always set"
    return {"Think": bool(think), "ThinkLevel": level, "IsThinkSet": known}


def collated(messages: Sequence[Message], flaw: str) -> tuple[str, list[Message]]:
    """All system text, and neighbours of one role as one."""
    merged: list[Message] = []
    between = "\n" if flaw == "merges by a line" else "\n\n"
    for one in messages:
        alike = merged and merged[-1]["role"] == one["role"]
        apart = one["role"] == "tool" and flaw != "merges results"
        if alike and not apart and flaw != "merges nothing":
            merged[-1] = {**merged[-1], "content": merged[-1]["content"] + between + one["content"]}
        else:
            merged.append(dict(one))
    systems = [one["content"] for one in messages if one["role"] == "system"]
    systems = systems[:1] if flaw == "first system only" else systems
    return "\n\n".join(systems), merged


def _in_turns(parsed: Parsed, messages: list[Message], think: Json, flaw: str) -> str:
    """Once for each turn, the last cut where the response would be."""
    turns: list[dict[str, str]] = [{}]
    for one in messages:
        turn, role = turns[-1], one["role"]
        if role == "system" and (turn.get("Prompt") or turn.get("Response")):
            turns.append({})
        if role == "user" and turn.get("Response"):
            turns.append({})
        key = {"system": "System", "user": "Prompt", "assistant": "Response"}.get(role)
        if key:
            turns[-1][key] = one["content"]
    if flaw == "last turn only":
        turns = turns[-1:]
    if flaw == "system in every turn":
        turns = [{**turns[0], **turn} if "System" in turns[0] else turn for turn in turns]
    text = ""
    for n, turn in enumerate(turns):
        last = n == len(turns) - 1
        root = {"System": "", "Prompt": "", "Response": "", **turn, **thought(think, flaw)}
        cut = last and flaw != "never cut"
        text += Execution(parsed, root, flaw, stops_at_response=cut).run()
    return text


def _message(one: Message, flaw: str) -> Struct:
    calls = [_call(call, n, flaw) for n, call in enumerate(one.get("tool_calls") or ())]
    names = {"ToolName": "tool_name", "ToolCallID": "tool_call_id", "Thinking": "thinking"}
    fields = {go: one.get(key) or "" for go, key in names.items()}
    if flaw == "results have no id":
        fields["ToolCallID"] = ""
    if flaw == "results have no name":
        fields["ToolName"] = ""
    if flaw == "thinking is dropped":
        fields["Thinking"] = ""
    fields |= {"Role": one["role"], "Content": one["content"], "ToolCalls": calls}
    return Struct({**fields, "Images": one.get("images") or []})


def _call(call: dict[str, Any], n: int, flaw: str) -> Struct:
    function = call["function"]
    given = function.get("arguments") or {}
    arguments = given if flaw == "keeps order" else _sorted(given)
    index = n if flaw == "counts calls itself" else function.get("index", 0)
    fields = {"Index": index, "Name": function["name"], "Arguments": Printed(given, arguments)}
    if flaw == "arguments as text":
        fields["Arguments"] = str(arguments)
    id = "" if flaw == "calls have no id" else call.get("id", "")
    return Struct({"ID": id, "Function": Struct(fields)})


def _sorted(value: Json) -> Json:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(one) for one in value] if isinstance(value, list) else value


def _tools(tools: list[dict[str, Any]], flaw: str) -> Printed:
    made = [_tool(one, flaw) for one in tools]
    return Printed(made, [one.json for one in made])


def _tool(tool: dict[str, Any], flaw: str) -> Struct:
    function = tool["function"]
    parameters = function.get("parameters") or {}
    properties = parameters.get("properties")
    told: dict[str, Any] = {"type": parameters.get("type", "")}
    told |= {key: parameters[key] for key in ("$defs", "items", "required") if key in parameters}
    sorted_ = properties if flaw == "keeps order" else _sorted(properties)
    told |= {"properties": sorted_}
    described = {"description": function.get("description", "")}
    if flaw == "no empty description" and not described["description"]:
        described = {}
    shown = {"name": function["name"], **described, "parameters": told}
    each = {name: _property(one) for name, one in (properties or {}).items()}
    fields = {
        "Type": told["type"],
        "Defs": told.get("$defs"),
        "Items": told.get("items"),
        "Required": told.get("required") or [],
        "Properties": {} if flaw == "no properties" else each,
    }
    inner = {
        "Name": function["name"],
        "Description": "" if flaw == "no description" else function.get("description", ""),
        "Parameters": Struct(fields, told),
    }
    whole = {"type": tool.get("type", ""), "function": shown}
    return Struct(
        {"Type": whole["type"], "Items": tool.get("items"), "Function": Struct(inner, shown)}, whole
    )


def _property(one: dict[str, Any]) -> Struct:
    names = ("Type", "Items", "Description", "Enum", "Properties", "Required")
    return Struct({name: one.get(name.lower(), "") for name in names}, one)

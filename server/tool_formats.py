"""How the families of models write tool calls, and which of these ways a chat template teaches.

Values only. The way is told from the template or declared in the tokenizer's config, never from
a model's name; the rules and tags are those of `mlx_lm.tokenizer_utils._infer_tool_parser` and
`mlx_lm.tool_parsers`. Templates that teach none of them, and Ollama's own, are `ToolRecogniser`'s.
"""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ToolFormat:
    """One way of writing calls: between two tags, in a form that one parser reads.

    The parser is the one of this name, unless `read_by` says which. Without `closing` a call ends
    with the JSON value in it. `begins` and `ends` are how every text between the tags does, empty
    where that says nothing. `marks` are control tokens inside calls. `is_bare` tells of arguments
    that stand there as bare text, their types lost.
    """

    name: str
    opening: str
    closing: str
    signs: tuple[tuple[str, ...], ...]
    begins: str = ""
    ends: str = ""
    marks: tuple[str, ...] = ()
    is_bare: bool = False
    read_by: str = ""

    @property
    def parser(self) -> str:
        """The module of mlx-lm that reads the calls, or our own function."""
        return self.read_by or self.name

    def is_taught_by(self, template: str) -> bool:
        """Whether one group of signs is in the template, all of it."""
        return any(all(sign in template for sign in group) for group in self.signs)

    @property
    def shown(self) -> tuple[str, ...]:
        """The texts that must be seen in what the model says, control tokens or not."""
        return tuple(text for text in (self.opening, self.closing, *self.marks) if text)


FORMATS = (
    ToolFormat(
        "minimax_m2",
        "<minimax:tool_call>",
        "</minimax:tool_call>",
        signs=(("<minimax:tool_call>",),),
        begins="<invoke",
        ends="</invoke>",
        is_bare=True,
    ),
    ToolFormat(
        "gemma4",
        "<|tool_call>",
        "<tool_call|>",
        signs=(("<|tool_call>", "<tool_call|>"),),
        begins="call:",
        ends="}",
        marks=('<|"|>',),
    ),
    ToolFormat(
        "function_gemma",
        "<start_function_call>",
        "<end_function_call>",
        signs=(("<start_function_call>",),),
        begins="call:",
        ends="}",
        marks=("<escape>",),
    ),
    ToolFormat(
        "longcat",
        "<longcat_tool_call>",
        "</longcat_tool_call>",
        signs=(("<longcat_tool_call>",),),
        marks=tuple(
            f"<{slash}longcat_arg_{part}>" for part in ("key", "value") for slash in ("", "/")
        ),
        is_bare=True,
    ),
    ToolFormat(
        "glm47",
        "<tool_call>",
        "</tool_call>",
        signs=(("<arg_key>",),),
        marks=("<arg_key>", "</arg_key>", "<arg_value>", "</arg_value>"),
        is_bare=True,
    ),
    ToolFormat(
        "pythonic",
        "<|tool_call_start|>",
        "<|tool_call_end|>",
        signs=(("<|tool_list_start|>",), ("<|tool_call_start|>",)),
        begins="[",
        ends="]",
    ),
    ToolFormat(
        "qwen3_coder",
        "<tool_call>",
        "</tool_call>",
        signs=(("<tool_call>\\n<function=",), ("<tool_call>\n<function=",)),
        begins="<function=",
        ends="</function>",
        is_bare=True,
    ),
    ToolFormat(
        "kimi_k2",
        "<|tool_calls_section_begin|>",
        "<|tool_calls_section_end|>",
        signs=(("<|tool_calls_section_begin|>",),),
        begins="<|tool_call_begin|>",
        ends="<|tool_call_end|>",
        marks=("<|tool_call_begin|>", "<|tool_call_argument_begin|>", "<|tool_call_end|>"),
    ),
    ToolFormat(
        "minicpm5",
        "<function name=",
        "</function>",
        signs=(('<function name="', '<param name="'),),
        is_bare=True,
    ),
    ToolFormat(
        "mistral",
        "[TOOL_CALLS]",
        "",
        signs=(("[TOOL_CALLS]",),),
        marks=("[ARGS]", "[CALL_ID]"),
    ),
    ToolFormat(
        "muse_spark",
        "<atem:function_calls>",
        "</atem:function_calls>",
        signs=(("<atem:function_calls>",),),
        begins="<atem:invoke",
        ends="</atem:invoke>",
        is_bare=True,
    ),
    ToolFormat(
        "kimi_k3",
        "<|open|>tools<|sep|>",
        "<|close|>tools<|sep|>",
        signs=(("<|open|>", "<|close|>", "<|sep|>"),),
        begins="<|open|>call",
        ends="<|close|>call<|sep|>",
        marks=("<|open|>", "<|close|>", "<|sep|>"),
    ),
    ToolFormat(
        "deepseek",
        "<｜tool▁calls▁begin｜>",
        "<｜tool▁calls▁end｜>",
        signs=(("<｜tool▁calls▁begin｜>",),),
        begins="<｜tool▁call▁begin｜>",
        ends="<｜tool▁call▁end｜>",
        marks=("<｜tool▁call▁begin｜>", "<｜tool▁sep｜>", "<｜tool▁call▁end｜>"),
    ),
    ToolFormat(
        "seed_oss",
        "<seed:tool_call>",
        "</seed:tool_call>",
        signs=(("<seed:tool_call>",),),
        begins="<function=",
        ends="</function>",
        is_bare=True,
        read_by="qwen3_coder",
    ),
    ToolFormat(
        "nemotron",
        "<TOOLCALL>",
        "</TOOLCALL>",
        signs=(("<TOOLCALL>",),),
        begins="[",
        ends="]",
        read_by="json_tools",
    ),
    ToolFormat(
        "command_r",
        "<|START_ACTION|>",
        "<|END_ACTION|>",
        signs=(("<|START_ACTION|>", "tool_name"),),
        begins="[",
        ends="]",
        read_by="json_tools",
    ),
    ToolFormat(
        "granite",
        "<|tool_call|>",
        "",
        signs=(("<|tool_call|>",),),
        begins="[",
        ends="]",
        read_by="json_tools",
    ),
    ToolFormat(
        "json_tools",
        "<tool_call>",
        "</tool_call>",
        signs=(("<tool_call>", "</tool_call>"),),
        begins="{",
        ends="}",
    ),
)
"""The first one that a template teaches is taken."""

_BY_NAME = {one.name: one for one in FORMATS}
_BY_NAME["laguna"] = _BY_NAME["glm47"]


def format_of(
    template: str, declared: str | None = None, tokens: Iterable[str] = ()
) -> ToolFormat | None:
    """The format that a model is taught; None where nothing says that it is one of these.

    `declared` is the config's `tool_parser_type`, `tokens` the added ones that the config lists:
    some templates do not name the tags of calls though the model has tokens for them.
    """
    if declared in _BY_NAME:
        return _BY_NAME[declared]
    taught = next((one for one in FORMATS if one.is_taught_by(template)), None)
    if taught is None and {"<|tool_call_start|>", "<|tool_call_end|>"} <= set(tokens):
        return _BY_NAME["pythonic"]
    return taught

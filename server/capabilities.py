"""What a model can do, told from its template, its weights' metadata and its config.

Pure. The rules are the contract's SHOW-19..26; clients read the list to choose what to send.
"""

from collections.abc import Mapping, Sequence

from .harmony import is_taught_by
from .template import Template
from .template.jinja import shows_thoughts, shows_tools

_TOOL_RESULTS = (
    "tool_response",
    "tool_results",
    "role'] == 'tool'",
    'role\'] == "tool"',
    "role\"] == 'tool'",
    'role"] == "tool"',
    "message.role == 'tool'",
    'message.role == "tool"',
    "ipython",
)
"""Signs that a chat template renders the results of tools."""


def capabilities(
    metadata: Mapping[str, object],
    go_template: Template | None,
    chat_template: str | None,
    *,
    listed: Sequence[str] = (),
    family: str = "",
    has_projector: bool = False,
) -> tuple[str, ...]:
    """The capabilities of a model, in the order of the original.

    `metadata` is the GGUF's, empty for other weights; `listed` and `family` come from the config.
    """
    preferred = prefers_chat_template(go_template, chat_template, listed)
    found = [
        *listed,
        *(_of_chat_template(chat_template) if preferred else ()),
        *_of_weights(metadata, listed),
        *(["vision"] if has_projector else ()),
        *(() if preferred else _of_go_template(go_template)),
        *(["thinking"] if family in ("gptoss", "gpt-oss") else ()),
    ]
    return tuple(dict.fromkeys(found))


def prefers_chat_template(
    go_template: Template | None, chat_template: str | None, listed: Sequence[str] = ()
) -> bool:
    """Whether the chat template of the weights is used rather than the model's own (SHOW-20).

    It is where there is no other, where it can do more, or where only it can tell a model the
    results of the tools that both know.
    """
    if not chat_template:
        return False
    if go_template is None:
        return True
    chat = {*listed, *_of_chat_template(chat_template)}
    own = {*listed, *_of_go_template(go_template)}
    if len(chat) > len(own):
        return not _go_round_trip(go_template) or _chat_round_trip(chat_template)
    if chat != own or "tools" not in chat:
        return False
    return _chat_round_trip(chat_template) and not _go_round_trip(go_template)


def _of_weights(metadata: Mapping[str, object], listed: Sequence[str]) -> list[str]:
    if not metadata and "embedding" in listed:
        return []  # no GGUF, and the config says it all
    kind = metadata.get("general.architecture", "")
    found = ["embedding" if f"{kind}.pooling_type" in metadata else "completion"]
    return found + [
        sense for sense in ("vision", "audio") if f"{kind}.{sense}.block_count" in metadata
    ]


def _of_chat_template(text: str | None) -> list[str]:
    if not text:
        return []
    tools = ["tools"] if shows_tools(text) else []
    return [*tools, "thinking"] if shows_thoughts(text) or is_taught_by(text) else tools


def _of_go_template(template: Template | None) -> list[str]:
    if template is None:
        return []
    has = {
        "tools": "tools" in template.variables,
        "insert": "suffix" in template.variables,
        "thinking": template.thinking_tags is not None or is_taught_by(template.text),
    }
    return [name for name, there in has.items() if there]


def _go_round_trip(template: Template) -> bool:
    """Whether a template renders calls and their results."""
    if not template.variables >= {"tools", "toolcalls"}:
        return False
    return any(
        sign in template.text for sign in ('eq .Role "tool"', "tool_response", "TOOL_RESULTS")
    )


def _chat_round_trip(text: str) -> bool:
    """Whether a chat template renders calls and their results."""
    calls = "tool_calls" in text or "assistant_tool_call" in text
    return shows_tools(text) and calls and any(sign in text for sign in _TOOL_RESULTS)

"""Hugging Face chat templates: the Jinja text that comes inside GGUF and tokenizer files.

They are as little trusted as Go templates; `sandbox` keeps them and their work in bounds.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import jinja2

from ..decode import Json
from ..messages import Message, Think, ToolCall
from ..tools import Tool
from .call_ids import with_short_ids
from .errors import TemplateError
from .functions import MAX_TEXT
from .sandbox import Environment, rounds, watch

_THINKING_TAGS = (
    ("<think>", "</think>"),
    ("[THINK]", "[/THINK]"),  # Magistral
    ("<seed:think>", "</seed:think>"),
    ("<longcat_think>", "</longcat_think>"),
    ("<|think:start|>", "<|think:end|>"),
    ("<|channel>thought", "<channel|>"),  # Gemma 4
    ("<|START_THINKING|>", "<|END_THINKING|>"),  # Command
)
"""What stands around thoughts: Ollama knows the first pair, mlx-lm and llama.cpp the others."""
_SHORT_IDS = "id|length != 9"
"""How Mistral's templates refuse the ids that servers give to calls, and missing ones."""
_PARTS = re.compile(r"""\bfor \w+ in message(\[['"]content['"]\]|\.content\b)""")
"""How templates of models that see read a message's parts (SmolVLM's, Idefics3's)."""
_TOOL_TAGS = ("<tool_call>", "[TOOL_CALLS]", "<|tool_call|>")


@dataclass(frozen=True, slots=True)
class JinjaTemplate:
    """A chat template with the texts of the tokens that it may write."""

    text: str
    compiled: jinja2.Template
    bos_token: str
    eos_token: str

    @classmethod
    def parse(cls, text: str, bos_token: str = "", eos_token: str = "") -> "JinjaTemplate":
        """The template of this text; raises `TemplateError`."""
        environment = Environment()
        try:
            tree = environment.parse(text)
            watch(tree)
            code = environment.compile(tree)
        except (jinja2.TemplateError, RecursionError, OverflowError) as error:
            raise TemplateError(f"chat template: {error}") from error
        compiled = jinja2.Template.from_code(environment, code, environment.make_globals(None))
        return cls(text, compiled, bos_token, eos_token)

    @property
    def thinking_tags(self) -> tuple[str, str] | None:
        """The texts around a thought in the model's output; None if it shows no thoughts."""
        if not shows_thoughts(self.text):
            return None
        return _tags(self.text) or _THINKING_TAGS[0]

    @property
    def tool_tag(self) -> str:
        """The text with which the model begins tool calls, `{` where the template shows none."""
        return next((tag for tag in _TOOL_TAGS if tag in self.text), "{")

    def render(
        self,
        messages: Sequence[Message],
        tools: Sequence[Tool] = (),
        think: Think = None,
        now: Callable[[], datetime] = datetime.now,
    ) -> str:
        """The prompt for a conversation, up to where the model goes on.

        An answer at the end of the messages is one to be continued (CHAT-030).
        """
        begun = ""
        if messages and messages[-1].role == "assistant" and not messages[-1].tool_calls:
            begun = messages[-1].content
            messages = messages[:-1]
        values: dict[str, Any] = {
            "messages": [self._known(each) for each in self._with_ids(messages)],
            "tools": [tool.to_json() for tool in tools] or None,
            "add_generation_prompt": True,
            "bos_token": self.bos_token,
            "eos_token": self.eos_token,
            "enable_thinking": think is not False,
            "thinking": bool(think),
            "strftime_now": lambda form: now().strftime(form),
        }
        if isinstance(think, str):
            values["reasoning_effort"] = think
        return self._written(values) + begun

    def _known(self, message: Message) -> dict[str, Json]:
        """A message as the template knows it: its content as one part where it reads parts only."""
        record = _message(message)
        if _PARTS.search(self.text) and "is string" not in self.text:
            return {**record, "content": [{"type": "text", "text": message.content}]}
        return record

    def _with_ids(self, messages: Sequence[Message]) -> Sequence[Message]:
        """The messages, with ids of nine signs for calls where the template insists on them."""
        return with_short_ids(messages) if _SHORT_IDS in self.text else messages

    def _written(self, values: dict[str, Any]) -> str:
        before = rounds.set(0)
        pieces: list[str] = []
        length = 0
        try:
            for piece in self.compiled.generate(values):
                length += len(piece)
                if length > MAX_TEXT:
                    raise TemplateError("chat template: execution makes too much text")
                pieces.append(piece)
        except TemplateError:
            raise
        # What goes wrong inside the sandbox is the template's fault, whatever its type.
        except Exception as error:
            raise TemplateError(f"chat template: {error}") from error
        finally:
            rounds.reset(before)
        return "".join(pieces)


def shows_tools(text: str) -> bool:
    """Whether a chat template knows tools (SHOW-22)."""
    return "tools" in text or "tool_call" in text


def shows_thoughts(text: str) -> bool:
    """Whether a chat template knows thoughts, or takes them out of earlier answers (SHOW-22)."""
    if _tags(text):
        return True
    strips = "content.split('</think>')" in text or 'content.split("</think>")' in text
    return strips and "reasoning_content" not in text and "<SPECIAL_12>" not in text


def _tags(text: str) -> tuple[str, str] | None:
    """The first pair of tags that a template names, both of it."""
    return next((pair for pair in _THINKING_TAGS if all(tag in text for tag in pair)), None)


def _message(message: Message) -> dict[str, Json]:
    """A message as these templates know it; thoughts are not among what they get (THINK-012)."""
    record: dict[str, Json] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        record["tool_calls"] = [_call(call) for call in message.tool_calls]
    if message.tool_name:
        record["name"] = message.tool_name
    if message.tool_call_id:
        record["tool_call_id"] = message.tool_call_id
    return record


def _call(call: ToolCall) -> dict[str, Json]:
    function: dict[str, Json] = {"name": call.name, "arguments": call.arguments}
    record: dict[str, Json] = {"type": "function", "function": function}
    return {"id": call.id, **record} if call.id else record

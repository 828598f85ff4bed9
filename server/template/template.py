"""A model's template: parsed once, rendered for each conversation."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from ..messages import Message, Think
from ..tools import Tool
from .collation import Turn, collate, turns
from .evaluator import Execution
from .functions import NAMES
from .nodes import Action, Command, Field, Nodes, Pipe
from .parser import parse
from .subjects import messages_value, tools_value
from .values import Map, Value
from .walk import names_used, thinking_tags, tool_tag, up_to_response

DEFAULT = "{{ .Prompt }}"
"""The template of a model that brings none."""


@dataclass(frozen=True, slots=True)
class Template:
    """A Go template. `text` is as written; `variables` are the names it uses, in lower case."""

    text: str
    root: Nodes
    definitions: Mapping[str, Nodes]
    variables: frozenset[str]
    thinking_tags: tuple[str, str] | None
    """The texts around a thought, in the model's output too; None if it shows no thoughts."""
    tool_tag: str
    """The text with which the model begins tool calls (TOOL-013)."""

    @classmethod
    def parse(cls, text: str) -> "Template":
        """The template of this text; raises `TemplateError` with Go's message.

        One that uses neither messages nor the response gets the response at its end.
        """
        root, definitions = parse(text, NAMES)
        variables = set(names_used(root))
        for nodes in definitions.values():
            variables.update(names_used(nodes))
        if not variables & {"messages", "response"}:
            at = len(text)
            field = Field(at, ("Response",))
            root = (*root, Action(at, Pipe(at, (Command(at, (field,)),))))
            variables.add("response")
        opening, closing = thinking_tags(root)
        tags = (opening, closing) if opening and closing else None
        return cls(text, root, definitions, frozenset(variables), tags, tool_tag(root))

    def render(
        self,
        messages: Sequence[Message],
        tools: Sequence[Tool] = (),
        think: Think = None,
        now: Callable[[], datetime] = datetime.now,
    ) -> str:
        """The prompt for a conversation, up to where the model goes on (TMPL-06, TMPL-07)."""
        system, merged = collate(messages)
        if "messages" in self.variables:
            values: dict[str, Value] = {
                "System": system,
                "Messages": messages_value(merged),
                "Tools": tools_value(tools),
                "Response": "",
            }
            return self._execute(self.root, values, think, now)
        *done, open_turn = turns(merged)
        before = [self._execute(self.root, _turn(turn), think, now) for turn in done]
        last = self._execute(up_to_response(self.root), _turn(open_turn), think, now)
        return "".join((*before, last))

    def render_insert(
        self,
        prompt: str,
        suffix: str,
        think: Think = None,
        now: Callable[[], datetime] = datetime.now,
    ) -> str:
        """The prompt for text between `prompt` and `suffix`, both non-empty (TMPL-05)."""
        values: dict[str, Value] = {"Prompt": prompt, "Suffix": suffix, "Response": ""}
        return self._execute(self.root, values, think, now)

    def _execute(
        self,
        root: Nodes,
        values: Mapping[str, Value],
        think: Think,
        now: Callable[[], datetime],
    ) -> str:
        thinking: dict[str, Value] = {
            "Think": bool(think),
            "ThinkLevel": think if isinstance(think, str) else "medium" if think else "",
            "IsThinkSet": think is not None,
        }
        execution = Execution(self.text, {**self.definitions, "": root}, now)
        return execution.run(root, Map({**values, **thinking}))


def _turn(turn: Turn) -> dict[str, Value]:
    return {"System": turn.system, "Prompt": turn.prompt, "Response": turn.response}

"""What a template says about its model: the names it uses, its thinking tags, its tool tag.

The rules are Ollama's (`ollama/ollama:template/template.go`, `thinking/template.go`,
`tools/template.go`); parsing of a model's output and its capabilities hang on them.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from .errors import TemplateError
from .nodes import (
    Action,
    Branch,
    Call,
    Command,
    Field,
    If,
    Node,
    Nodes,
    Operand,
    Pipe,
    Range,
    Text,
    Variable,
)

SPACE = (
    "\t\n\v\f\r \x85\xa0\u1680"
    + "".join(map(chr, range(0x2000, 0x200B)))
    + ("\u2028\u2029\u202f\u205f\u3000")
)
"""The characters that Go's `unicode.IsSpace` calls space; Python's own notion has four more."""


def names_used(nodes: Nodes) -> Iterator[str]:
    """Every field and variable that pipelines mention, in lower case.

    Raises `TemplateError` for a `{{template}}` without a pipeline, which Ollama refuses.
    """
    for node in nodes:
        if isinstance(node, (Action, Branch)):
            yield from _names_in(node.pipe)
        elif isinstance(node, Call):
            if node.pipe is None:
                raise TemplateError("undefined template specified")
            yield from _names_in(node.pipe)
        if isinstance(node, Branch):
            yield from names_used(node.body)
            yield from names_used(node.otherwise or ())


def _names_in(pipe: Pipe) -> Iterator[str]:
    for command in pipe.commands:
        for operand in command.operands:
            if isinstance(operand, Field):
                yield from (name.lower() for name in operand.names)
            elif isinstance(operand, Variable):
                yield from (name.lower() for name in (operand.name, *operand.fields))
            elif isinstance(operand, Pipe):
                yield from _names_in(operand)


def thinking_tags(root: Nodes) -> tuple[str, str]:
    """The texts around `.Thinking` in the loop over messages; empty where there are none."""
    opening = closing = ""
    for mention in _mentions(root, None):
        first, last = mention[0], mention[-1]
        if isinstance(first, Text):
            opening = first.text.strip(SPACE)
        if isinstance(last, Text):
            closing = last.text.strip(SPACE)
    return opening, closing


def _mentions(nodes: Nodes, loop: Range | None) -> Iterator[Nodes]:
    """The list around each mention of `.Thinking` whose nearest loop runs over messages."""
    for node in nodes:
        if isinstance(node, (Action, Branch)) or (isinstance(node, Call) and node.pipe):
            within = node if isinstance(node, Range) else loop
            if node.pipe is not None and within is not None and _starts(within.pipe, "Messages"):
                yield from (nodes for _ in range(_count(node.pipe, "Thinking")))
        if isinstance(node, Branch):
            inner = node if isinstance(node, Range) else loop
            yield from _mentions(node.body, inner)
            yield from _mentions(node.otherwise or (), inner)


def _starts(pipe: Pipe, name: str) -> bool:
    return _count(pipe, name) > 0


def _count(pipe: Pipe, name: str) -> int:
    """How often fields that begin with `name` stand in a pipeline."""
    found = 0
    for command in pipe.commands:
        for operand in command.operands:
            if isinstance(operand, Field):
                found += operand.names[0] == name
            elif isinstance(operand, Pipe):
                found += _count(operand, name)
    return found


def tool_tag(root: Nodes) -> str:
    """The text with which tool calls begin, `{` where the template shows none."""
    section = _tool_section(root)
    text = "" if section is None else _first_text(section.body) or ""
    tag = text.replace("\r\n", "\n").partition("{")[0].strip(SPACE)
    return tag or "{"


def _tool_section(nodes: Nodes) -> If | None:
    """The first `if` that asks for tool calls."""
    for node in nodes:
        if isinstance(node, If) and _asks_for_calls(node.pipe):
            return node
        if isinstance(node, Branch):
            found = _tool_section(node.body) or _tool_section(node.otherwise or ())
            if found is not None:
                return found
    return None


def _asks_for_calls(pipe: Pipe) -> bool:
    operands = [operand for command in pipe.commands for operand in command.operands]
    return any(isinstance(each, Field) and "ToolCalls" in each.names for each in operands)


def _first_text(nodes: Nodes) -> str | None:
    """The first text that is not blank, unless an action or an empty branch comes before."""
    for node in nodes:
        if isinstance(node, Text) and node.text.strip(SPACE):
            return node.text
        if isinstance(node, Branch):
            return _first_text(node.body) or _first_text(node.otherwise or ())
        if isinstance(node, Action):
            return None
    return None


@dataclass(slots=True)
class _Cut:
    """Whether `.Response` has been passed."""

    passed: bool = False


def up_to_response(root: Nodes) -> Nodes:
    """The tree without what comes after the first `.Response`: an open assistant turn."""
    return _kept(root, _Cut())


def _kept(nodes: Nodes, cut: _Cut) -> Nodes:
    kept: list[Node] = []
    for node in nodes:
        if cut.passed:
            break
        if isinstance(node, Action):
            pipe = _kept_pipe(node.pipe, cut)
            if pipe is not None:
                kept.append(Action(node.position, pipe))
        elif isinstance(node, Branch):
            body = _kept(node.body, cut)
            otherwise = None if node.otherwise is None else _kept(node.otherwise, cut)
            kept.append(replace(node, body=body, otherwise=otherwise))
        else:
            kept.append(node)
    return tuple(kept)


def _kept_pipe(pipe: Pipe, cut: _Cut) -> Pipe | None:
    """A pipeline up to `.Response` itself; None where that is handed on to a further command."""
    commands: list[Command] = []
    for command in pipe.commands:
        if cut.passed:
            return None
        operands: list[Operand] = []
        for operand in command.operands:
            if cut.passed:
                break
            kept: Operand | None = operand
            if isinstance(operand, Field):
                cut.passed = "Response" in operand.names
            elif isinstance(operand, Pipe):
                kept = _kept_pipe(operand, cut)
            if kept is not None:
                operands.append(kept)
        if not operands:
            return None
        commands.append(Command(command.position, tuple(operands)))
    return replace(pipe, commands=tuple(commands))

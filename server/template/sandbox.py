"""The environment in which chat templates run: what `transformers` gives them, with bounds.

Jinja's immutable sandbox keeps templates from the process. What it leaves open, work without end,
is bounded here: rounds of loops and macros, the size of numbers, the length of joined text.
"""

import json
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from jinja2 import nodes
from jinja2.ext import Extension
from jinja2.parser import Parser
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from .errors import TemplateError
from .functions import MAX_TEXT

MAX_ROUNDS = 200_000
"""Rounds of loops and calls of macros in one rendering."""
MAX_NUMBER = 1_000_000
"""The largest number that arithmetic and conversion may give: numbers become widths and counts."""

rounds: ContextVar[int] = ContextVar("rounds")
"""The rounds of the rendering that runs; whoever renders sets it to 0."""


class Generation(Extension):
    """`{% generation %}`: marks answers for training, and does nothing here."""

    tags = {"generation"}  # noqa: RUF012 - Jinja declares it without ClassVar

    def parse(self, parser: Parser) -> list[nodes.Node]:
        """The nodes between the tags."""
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


class Environment(ImmutableSandboxedEnvironment):
    """The environment that `transformers` gives chat templates, with bounds."""

    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def __init__(self) -> None:
        super().__init__(
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=[Generation, "jinja2.ext.loopcontrols"],
        )
        whole_number = self.filters["int"]
        self.filters["tojson"] = _to_json
        self.filters["int"] = lambda *given, **named: _bounded(whole_number(*given, **named))
        for name in ("center", "format", "indent", "wordwrap"):
            self.filters[name] = _bounded_filter(self.filters[name])
        self.globals["raise_exception"] = _raise_exception

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> object:  # noqa: ANN401 - as in Jinja
        """An arithmetic operation, refused when its result would be too large."""
        sizes = [_size(left), _size(right)]
        product = sizes[0] * sizes[1] if operator == "*" else sum(sizes)
        if operator == "**" and (sizes[0] > MAX_NUMBER or sizes[1] > 32):
            raise TemplateError("chat template: a number is too large")
        if operator == "%" and isinstance(left, str):
            raise TemplateError("chat template: % formatting is not available")
        if product > MAX_TEXT:
            raise TemplateError("chat template: execution makes too much text")
        return _bounded(super().call_binop(context, operator, left, right))

    def round(self) -> str:
        """Count one round; compiled templates call it at the start of each."""
        count = rounds.get() + 1
        if count > MAX_ROUNDS:
            raise TemplateError("chat template: execution takes too many steps")
        rounds.set(count)
        return ""

    def concatenated(self, *values: object) -> str:
        """What `~` makes of its operands."""
        texts = [str(value) for value in values]
        if sum(map(len, texts)) > MAX_TEXT:
            raise TemplateError("chat template: execution makes too much text")
        return "".join(texts)


def _size(value: object) -> int:
    if isinstance(value, (str, list, tuple, dict)):
        return len(value)
    return abs(int(value)) if isinstance(value, (int, float)) else 0


def _bounded(value: object) -> object:
    if isinstance(value, (int, float)) and abs(value) > MAX_NUMBER:
        raise TemplateError("chat template: a number is too large")
    return value


def _bounded_filter(original: Callable[..., object]) -> Callable[..., object]:
    """A filter that makes text as wide as it is told, with what it is told bounded."""

    def bounded(value: object, *given: object, **named: object) -> object:
        if any(_size(each) > 1000 for each in (*given, *named.values())):
            raise TemplateError("chat template: a width is too large")
        return original(value, *given, **named)

    return bounded


def watch(tree: nodes.Template) -> None:
    """Make every loop and macro of a template count its rounds, and `~` mind its length."""
    for loop in tree.find_all(nodes.For):
        loop.body.insert(0, _counting(loop.lineno))
    for macro in tree.find_all(nodes.Macro):
        macro.body.insert(0, _counting(macro.lineno))
    for constant in tree.find_all(nodes.Const):
        _bounded(constant.value)
    _replace_concatenations(tree)


def _replace_concatenations(node: nodes.Node) -> None:
    for name, value in node.iter_fields():
        if isinstance(value, nodes.Concat):
            setattr(node, name, _own_call("concatenated", value.nodes))
        elif isinstance(value, list):
            value[:] = [
                _own_call("concatenated", each.nodes) if isinstance(each, nodes.Concat) else each
                for each in value
            ]
    for child in node.iter_child_nodes():
        _replace_concatenations(child)


def _counting(line: int) -> nodes.Node:
    return nodes.ExprStmt(_own_call("round", [])).set_lineno(line)


def _own_call(name: str, arguments: list[nodes.Expr]) -> nodes.Call:
    made = nodes.Call(nodes.EnvironmentAttribute(name), arguments, [], None, None)
    made.set_lineno(1)
    return made


def _to_json(
    value: object,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """JSON without the HTML escapes of Jinja's own filter."""
    return json.dumps(
        value,
        ensure_ascii=ensure_ascii,
        indent=indent,
        separators=separators,
        sort_keys=sort_keys,
    )


def _raise_exception(message: str) -> None:
    raise TemplateError(message)

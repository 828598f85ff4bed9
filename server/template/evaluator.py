"""A tree and a value to text.

Templates come with models and are not trusted: the steps, the nesting and the characters that one
rendering may take are bounded, whatever the template says.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from enum import Enum, auto

from .errors import CallError, TemplateError
from .functions import MAX_TEXT, Builtin, builtins
from .nodes import (
    Action,
    Break,
    Call,
    Chain,
    Command,
    Constant,
    Continue,
    Dot,
    Field,
    Function,
    If,
    Nil,
    Node,
    Nodes,
    Operand,
    Pipe,
    Range,
    Text,
    Variable,
    With,
)
from .printing import show, show_result
from .quoting import quote
from .values import Map, Record, Slice, Value, truth, type_name

MAX_STEPS = 1_000_000
"""Nodes and operands that one rendering may visit; a thousand-turn chat takes some 100,000."""
MAX_NESTING = 100
"""Lists of nodes and parentheses inside one another, called templates included."""


class _Flow(Enum):
    """How a list of nodes ended."""

    ON = auto()
    BREAK = auto()
    CONTINUE = auto()


class _Absent(Enum):
    """Marks that no value came down the pipeline, which a value of None cannot."""

    ABSENT = auto()


_ABSENT = _Absent.ABSENT


class Execution:
    """One rendering. `text` is the template's own, for the place of an error."""

    def __init__(
        self, text: str, definitions: Mapping[str, Nodes], now: Callable[[], datetime]
    ) -> None:
        self._text = text
        self._definitions = definitions
        self._functions = builtins(now)
        self._output: list[str] = []
        self._variables: list[tuple[str, Value]] = []
        self._name = ""
        self._steps = 0
        self._characters = 0
        self._nesting = 0

    def run(self, root: Nodes, value: Value) -> str:
        """The text that `root` makes of `value`."""
        self._variables = [("$", value)]
        self._walk(root, value)
        # Bytes that are no UTF-8 (of a string cut between them) cannot leave as text.
        made = "".join(self._output).encode("utf-8", "surrogateescape")
        return made.decode("utf-8", "replace")

    # Bounds and errors

    def _error(self, node: object, message: str) -> TemplateError:
        position = getattr(node, "position", 0)
        before = self._text[:position]
        line = before.count("\n") + 1
        column = len(before[before.rfind("\n") + 1 :].encode("utf-8", "surrogateescape"))
        place = f":{line}:{column}: executing {quote(self._name)} at <{node}>"
        return TemplateError(f"template: {place}: {message}")

    def _step(self) -> None:
        self._steps += 1
        if self._steps > MAX_STEPS:
            raise TemplateError("template: execution takes too many steps")

    def _spend(self, *values: Value) -> None:
        self._characters += sum(len(value) for value in values if isinstance(value, str))
        if self._characters > MAX_TEXT:
            raise TemplateError("template: execution makes too much text")

    def _deeper(self) -> None:
        self._nesting += 1
        if self._nesting > MAX_NESTING:
            raise TemplateError("template: exceeded maximum template depth")

    # Nodes

    def _write(self, text: str) -> None:
        self._spend(text)
        self._output.append(text)

    def _walk(self, nodes: Nodes, dot: Value) -> _Flow:
        self._deeper()
        flow = _Flow.ON
        for node in nodes:
            flow = self._visit(node, dot)
            if flow is not _Flow.ON:
                break
        self._nesting -= 1
        return flow

    def _visit(self, node: Node, dot: Value) -> _Flow:
        self._step()
        if isinstance(node, Text):
            self._write(node.text)
        elif isinstance(node, Action):
            value = self._pipe(node.pipe, dot)
            if not node.pipe.declared:
                self._write(show_result(value))
        elif isinstance(node, (If, With)):
            return self._branch(node, dot)
        elif isinstance(node, Range):
            return self._range(node, dot)
        elif isinstance(node, Call):
            self._call_template(node, dot)
        else:
            assert isinstance(node, (Break, Continue))
            return _Flow.BREAK if isinstance(node, Break) else _Flow.CONTINUE
        return _Flow.ON

    def _branch(self, node: If | With, dot: Value) -> _Flow:
        mark = len(self._variables)
        value = self._pipe(node.pipe, dot)
        flow = _Flow.ON
        if truth(value):
            flow = self._walk(node.body, value if isinstance(node, With) else dot)
        elif node.otherwise is not None:
            flow = self._walk(node.otherwise, dot)
        del self._variables[mark:]
        return flow

    def _range(self, node: Range, dot: Value) -> _Flow:
        outer = len(self._variables)
        value = self._pipe(node.pipe, dot)
        mark = len(self._variables)
        flow = _Flow.ON
        ran = False
        for key, element in self._elements(node, value):
            ran = True
            self._step()
            self._bind(node.pipe, key, element)
            flow = self._walk(node.body, element)
            del self._variables[mark:]
            if flow is _Flow.BREAK:
                break
        if not ran and node.otherwise is not None:
            flow = self._walk(node.otherwise, dot)
            del self._variables[outer:]
            return flow
        del self._variables[outer:]
        return _Flow.ON

    def _elements(self, node: Range, value: Value) -> Iterator[tuple[Value, Value]]:
        if value is None:
            return iter(())
        if isinstance(value, (Slice, bytes)):
            return enumerate(value if isinstance(value, bytes) else value.items)
        if isinstance(value, Map):
            return iter(value.pairs())
        if isinstance(value, int) and not isinstance(value, bool):
            if len(node.pipe.declared) > 1:
                message = f"can't use {value} to iterate over more than one variable"
                raise self._error(node.pipe, message)
            return ((None, number) for number in range(value))
        raise self._error(node.pipe, f"range can't iterate over {show(value)}")

    def _bind(self, pipe: Pipe, key: Value, element: Value) -> None:
        """Give the variables of a range their values for one round."""
        values = (element,) if len(pipe.declared) == 1 else (key, element)
        for place, (name, value) in enumerate(zip(pipe.declared, values, strict=False)):
            if pipe.assigns:
                self._assign(pipe, name, value)
            else:
                self._variables[place - len(pipe.declared)] = (name, value)

    def _call_template(self, node: Call, dot: Value) -> None:
        nodes = self._definitions.get(node.name)
        if nodes is None:
            raise self._error(node, f"template {quote(node.name)} not defined")
        value = None if node.pipe is None else self._pipe(node.pipe, dot)
        variables, self._variables = self._variables, [("$", value)]
        name, self._name = self._name, node.name
        self._walk(nodes, value)
        self._variables, self._name = variables, name

    # Variables

    def _assign(self, node: object, name: str, value: Value) -> None:
        for place in range(len(self._variables) - 1, -1, -1):
            if self._variables[place][0] == name:
                self._variables[place] = (name, value)
                return
        raise self._error(node, f"undefined variable: {name}")

    def _variable(self, node: Variable) -> Value:
        for name, value in reversed(self._variables):
            if name == node.name:
                return value
        raise self._error(node, f"undefined variable: {node.name}")

    # Pipelines

    def _pipe(self, pipe: Pipe, dot: Value) -> Value:
        self._step()
        passed: Value | _Absent = _ABSENT
        for command in pipe.commands:
            passed = self._command(command, dot, passed)
        assert passed is not _ABSENT, "a pipeline has a command"
        for name in pipe.declared:
            if pipe.assigns:
                self._assign(pipe, name, passed)
            else:
                self._variables.append((name, passed))
        return passed

    def _command(self, command: Command, dot: Value, passed: Value | _Absent) -> Value:
        first, *arguments = command.operands
        if isinstance(first, Function):
            return self._call(first, command, arguments, dot, passed)
        if isinstance(first, Nil):
            raise self._error(first, "nil is not a command")
        if arguments or passed is not _ABSENT:
            if isinstance(first, (Field, Chain)) or (isinstance(first, Variable) and first.fields):
                return self._refused_arguments(first, dot)
            raise self._error(first, f"can't give argument to non-function {first}")
        return self._operand(first, dot)

    def _refused_arguments(self, node: Field | Chain | Variable, dot: Value) -> Value:
        """Raise for a field that is given arguments: no value here has such methods."""
        self._operand(node, dot)
        name = str(node).rsplit(".", 1)[-1]
        raise self._error(node, f"{name} is not a method but has arguments")

    def _operand(self, operand: Operand, dot: Value) -> Value:
        self._step()
        match operand:
            case Constant():
                return operand.value
            case Dot():
                return dot
            case Nil():
                return None
            case Field():
                return self._fields(operand, dot, operand.names)
            case Variable():
                return self._fields(operand, self._variable(operand), operand.fields)
            case Function():
                return self._call(operand, operand, (), dot, _ABSENT)
            case Chain():
                if isinstance(operand.operand, Nil):
                    message = f"indirection through explicit nil in {operand}"
                    raise self._error(operand, message)
                return self._fields(operand, self._operand(operand.operand, dot), operand.names)
        self._deeper()
        value = self._pipe(operand, dot)
        self._nesting -= 1
        return value

    def _fields(self, node: Operand, value: Value, names: Sequence[str]) -> Value:
        for place, name in enumerate(names):
            if place and value is None:
                raise self._error(node, f"nil pointer evaluating interface {{}}.{name}")
            value = self._field(node, value, name)
        return value

    def _field(self, node: Operand, value: Value, name: str) -> Value:
        if value is None:
            return None
        if isinstance(value, (Slice, Map, Record)):
            own = value.method(name) if isinstance(value, Record) else None
            if own is None and name == "String":
                own = value.text()
            if own is not None:
                self._spend(own)
                return own
        if isinstance(value, Map):
            return value.entries.get(name, value.missing)
        if isinstance(value, Record) and name in value.fields:
            return value.fields[name]
        raise self._error(node, f"can't evaluate field {name} in type {type_name(value)}")

    # Functions

    def _call(
        self,
        node: Function,
        whole: object,
        arguments: Sequence[Operand],
        dot: Value,
        passed: Value | _Absent,
    ) -> Value:
        if node.name in ("and", "or"):
            return self._logic(node, arguments, dot, passed)
        function = self._functions[node.name]
        count = len(arguments) + (passed is not _ABSENT)
        if count < function.least or (function.most is not None and count > function.most):
            raise self._wrong_count(node, function.least, function.most, len(arguments), count)
        values = [self._operand(argument, dot) for argument in arguments]
        if passed is not _ABSENT:
            values.append(passed)
        self._check_types(node, function, values)
        self._spend(*values)
        try:
            made = function.call(*values)
        except CallError as error:
            raise self._error(whole, f"error calling {node.name}: {error}") from error
        self._spend(made)
        return made

    def _check_types(self, node: Function, function: Builtin, values: Sequence[Value]) -> None:
        if function.takes is None:
            return
        for value in values[:1] if node.name == "printf" else values:
            if value is None:
                raise self._error(node, "invalid value; expected string")
            if not isinstance(value, function.takes):
                raise self._error(
                    node, f"wrong type for value; expected string; got {type_name(value)}"
                )

    def _wrong_count(
        self, node: Function, least: int, most: int | None, given: int, count: int
    ) -> TemplateError:
        wanted = (
            f"want at least {least} got {given}" if most is None else f"want {most} got {count}"
        )
        return self._error(node, f"wrong number of args for {node.name}: {wanted}")

    def _logic(
        self, node: Function, arguments: Sequence[Operand], dot: Value, passed: Value | _Absent
    ) -> Value:
        """`and` and `or`: the first operand that decides, else the last."""
        if not arguments and passed is _ABSENT:
            raise self._wrong_count(node, 1, None, 0, 0)
        value: Value = None
        for argument in arguments:
            value = self._operand(argument, dot)
            if truth(value) == (node.name == "or"):
                return value
        return value if passed is _ABSENT else passed

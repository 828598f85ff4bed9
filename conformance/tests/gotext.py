"""As much of Go's text/template as the templates of the checks use: parsed and executed.

The honest server renders with it. What it does wrong on purpose is a flaw, see `liars.templates`.
Its functions are in `gofuncs`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from ..evidence import Json
from .gofuncs import FUNCTIONS, Absent, BadTemplate, Printed, printed, truth

ACTION = re.compile(
    r'\{\{(- )?((?:/\*.*?\*/|"(?:[^"\\]|\\.)*"|`[^`]*`|[^"`])*?)( -)?\}\}', re.DOTALL
)
QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"|`[^`]*`', re.DOTALL)
TOKEN = re.compile(
    r'\s*("(?:[^"\\]|\\.)*"|`[^`]*`|:=|\$\w*(?:\.\w+)*|(?:\.\w+)+|-?\d+(?:\.\d+)?|\w+|[().|=,])',
    re.DOTALL,
)
CONSTANTS = {"true": True, "false": False, "nil": None}
OPENERS = ("if", "range", "with", "define", "block")
Node = tuple[Any, ...]


@dataclass(frozen=True)
class Parsed:
    """A template: its nodes, those it defines, and the names it uses."""

    nodes: tuple[Node, ...]
    defined: Mapping[str, tuple[Node, ...]]
    names: frozenset[str]  # in lower case


class _Break(Exception):  # noqa: N818
    """Leaves a loop, or goes on with it."""


def pieces(text: str, flaw: str = "") -> list[Node]:
    """Text and actions; white space beside trim markers is gone."""
    found: list[Node] = []
    at, trims = 0, False
    for action in ACTION.finditer(text):
        before = text[at : action.start()]
        before = before.lstrip() if trims else before
        if action[1] and flaw != "trims nothing":
            before = before.rstrip(" ") if flaw == "trims blanks" else before.rstrip()
        inside = action[2].strip()
        found.append(("text", before))
        if not inside.startswith("/*"):
            found.append(("action", inside))
        elif flaw == "prints comments":
            found.append(("text", inside))
        at, trims = action.end(), bool(action[3]) and flaw != "trims nothing"
    rest = text[at:].lstrip() if trims else text[at:]
    if "{{" in rest:
        raise BadTemplate("template: :1: unclosed action")
    return [one for one in [*found, ("text", rest)] if one != ("text", "")]


class _Parser:
    """Actions to nodes."""

    def __init__(self, text: str, flaw: str) -> None:
        self.pieces = pieces(text, flaw)
        self.flaw = flaw
        self.at = 0
        self.defined: dict[str, tuple[Node, ...]] = {}

    def block(self, opener: str = "") -> tuple[list[Node], str]:
        """Nodes up to `end` or `else`, and what the last action was."""
        nodes: list[Node] = []
        while self.at < len(self.pieces):
            kind, text = self.pieces[self.at]
            self.at += 1
            if kind == "text":
                nodes.append(("text", text))
                continue
            word = text.partition(" ")[0]
            if word in ("end", "else"):
                if not opener:
                    raise BadTemplate(f"template: :1: unexpected {{{{{word}}}}}")
                return nodes, text
            nodes.extend(self._action(word, text))
        if opener:
            raise BadTemplate("template: :1: unexpected EOF")
        return nodes, ""

    def _action(self, word: str, text: str) -> list[Node]:
        rest = text.removeprefix(word).strip()
        if word in ("break", "continue"):
            return [(word,)]
        if word == "template":
            return [self._call(rest)]
        if word not in OPENERS:
            return [("print", pipeline(text))]
        if word in ("define", "block"):
            name, _, given = rest.partition(" ")
            nodes, _ = self.block(word)
            self.defined[name.strip('"`')] = tuple(nodes)
            shown = word == "block" and self.flaw != "blocks are only defined"
            return [("template", name.strip('"`'), pipeline(given))] if shown else []
        if not rest:
            raise BadTemplate(f"template: :1: missing value for {word}")
        return [self._branch(word, rest)]

    def _call(self, rest: str) -> Node:
        name, _, given = rest.partition(" ")
        if self.flaw == "defines in order" and name.strip('"`') not in self.defined:
            raise BadTemplate(f"template: :1: no such template {name}")
        return ("template", name.strip('"`'), pipeline(given) if given.strip() else None)

    def _branch(self, word: str, condition: str) -> Node:
        nodes, ended = self.block(word)
        other: list[Node] = []
        if ended.startswith("else"):
            more = ended.removeprefix("else").strip()
            if more:
                kind, _, rest = more.partition(" ")
                other = [self._branch(kind, rest)]
            else:
                other, _ = self.block(word)
        return (word, pipeline(condition), tuple(nodes), tuple(other))


@lru_cache(maxsize=512)
def parse(text: str, flaw: str = "") -> Parsed:
    """A template. Raises BadTemplate."""
    parser = _Parser(text, flaw)
    try:
        nodes, _ = parser.block()
    except (LookupError, RecursionError) as error:
        raise BadTemplate(f"template: :1: {error}") from None
    actions = " ".join(one[1] for one in parser.pieces if one[0] == "action")
    actions = QUOTED.sub('""', actions)
    unknown = set(re.findall(r"\$\w+", actions)) - set(re.findall(r"\$\w+(?=[^|=]*:=)", actions))
    if unknown:
        raise BadTemplate(f'template: :1: undefined variable "{min(unknown)}"')
    used = re.findall(r"\.(\w+)", actions)
    names = {one if flaw == "minds case" else one.lower() for one in used}
    if not names & {"messages", "response"} and flaw != "appends nothing":
        nodes.append(("print", pipeline(".Response")))
    return Parsed(tuple(nodes), parser.defined, frozenset(names))


def pipeline(text: str) -> Node:
    """`$x := a | b c`: what is declared or assigned, and the commands."""
    tokens = TOKEN.findall(text)
    if "".join(tokens) != re.sub(r"\s", "", text) and '"' not in text and "`" not in text:
        raise BadTemplate("template: :1: unexpected character in operand")
    if text.count('"') % 2 and "`" not in text and '\\"' not in text:
        raise BadTemplate("template: :1: unterminated quoted string")
    mark = next((n for n, one in enumerate(tokens[:4]) if one in (":=", "=")), None)
    declared = [] if mark is None else [one for one in tokens[:mark] if one != ","]
    commands, _ = _commands(tokens, 0 if mark is None else mark + 1)
    sets = "" if mark is None else tokens[mark]
    return (tuple(declared), sets, commands)


def _commands(tokens: list[str], at: int) -> tuple[tuple[Node, ...], int]:
    """Commands up to a closing parenthesis."""
    commands: list[Node] = []
    current: list[Node] = []
    while at < len(tokens) and tokens[at] != ")":
        token = tokens[at]
        at += 1
        if token == "|":
            commands.append(tuple(current))
            current = []
        elif token == "(":
            inner, at = _commands(tokens, at)
            at += 1
            path = ""
            if at < len(tokens) and re.fullmatch(r"(\.\w+)+", tokens[at]):
                path, at = tokens[at], at + 1
            current.append(("pipe", ((), "", inner), path))
        else:
            current.append(_operand(token))
    return (*commands, tuple(current)), at


def _operand(token: str) -> Node:
    if token[0] == '"':
        ascii_only = token[1:-1].encode("ascii", "backslashreplace")
        return ("constant", ascii_only.decode("unicode_escape"))
    if token[0] == "`":
        return ("constant", token[1:-1])
    if token in CONSTANTS:
        return ("constant", CONSTANTS[token])
    if re.fullmatch(r"-?\d+(\.\d+)?", token):
        return ("constant", float(token) if "." in token else int(token))
    if token[0] in ".$":
        return ("path", token)
    if token not in FUNCTIONS:
        raise BadTemplate(f'template: :1: function "{token}" not defined')
    return ("function", token)


@dataclass
class Execution:
    """One execution: variables by scope, and what is printed."""

    parsed: Parsed
    root: Json
    flaw: str = ""
    scopes: list[dict[str, Any]] = field(default_factory=list)
    out: list[str] = field(default_factory=list)
    stops_at_response: bool = False
    stopped: bool = False

    def run(self) -> str:
        """The text. Raises BadTemplate."""
        self.scopes = [{"$": self.root}]
        try:
            self._nodes(self.parsed.nodes, self.root)
        except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError) as error:
            raise BadTemplate(f"template: :1: {error}") from None
        return "".join(self.out)

    def _nodes(self, nodes: tuple[Node, ...], dot: Json) -> None:
        self.scopes.append({})
        try:
            for node in nodes:
                if self.stopped:
                    return
                self._node(node, dot)
        finally:
            self.scopes.pop()

    def _node(self, node: Node, dot: Json) -> None:
        if self.stops_at_response and ".Response'" in repr(node):
            self.stopped = True
            return
        match node[0]:
            case "text":
                self.out.append(node[1])
            case "print":
                value = self._pipe(node[1], dot)
                if not node[1][1]:
                    self.out.append(printed(value, self.flaw))
            case "template":
                self._template(node, dot)
            case "break" | "continue":
                raise _Break(node[0] if self.flaw != "never breaks" else "continue")
            case "range":
                self._range(node, dot)
            case _:
                self.scopes.append({})
                value = self._pipe(node[1], dot)
                inner = value if node[0] == "with" else dot
                self._nodes(node[2] if truth(value) else node[3], inner if truth(value) else dot)
                self.scopes.pop()

    def _template(self, node: Node, dot: Json) -> None:
        if node[1] not in self.parsed.defined:
            if self.flaw == "undefined is empty":
                return
            raise BadTemplate(f'template: :1: template "{node[1]}" not defined')
        given = dot if self.flaw == "passes dot" else None
        given = self._pipe(node[2], dot) if node[2] and self.flaw != "passes dot" else given
        kept, self.scopes = self.scopes, [{"$": given}]
        self._nodes(self.parsed.defined[node[1]], given)
        self.scopes = kept

    def _range(self, node: Node, dot: Json) -> None:
        declared, _, commands = node[1]
        value = self._pipe(((), "", commands), dot)
        value = value.value if isinstance(value, Printed) else value
        entries = list(value.items() if isinstance(value, dict) else enumerate(value or ()))
        if isinstance(value, dict) and self.flaw != "keeps order":
            entries.sort()
        if not entries and self.flaw != "range has no else":
            self._nodes(node[3], dot)
        for key, one in entries:
            named = [key, one] if len(declared) == 2 else [one]
            self.scopes.append(dict(zip(declared, named, strict=False)))
            try:
                self._nodes(node[2], one)
            except _Break as left:
                if str(left) == "break":
                    break
            finally:
                self.scopes.pop()

    def _pipe(self, pipe: Node, dot: Json) -> Json:
        declared, sets, commands = pipe
        value: Json = None
        for n, command in enumerate(commands):
            value = self._command(command, dot, (value,) if n else ())
        for name in declared:
            scope = self.scopes[-1]
            if sets == "=" and self.flaw != "assigns inside":
                scope = next((one for one in reversed(self.scopes) if name in one), scope)
            if self.flaw == "declares outside":
                scope = self.scopes[0]
            scope[name] = value
        return value

    def _command(self, command: Node, dot: Json, more: tuple[Any, ...]) -> Json:
        if not command:
            return more[0] if more else None
        kind, name, *_ = command[0]
        if name in ("and", "or") and kind == "function" and self.flaw != "evaluates all":
            return self._until(name == "and", command[1:], dot)
        if kind == "function":
            given = [self._value(one, dot) for one in command[1:]]
            return FUNCTIONS[name](self.flaw, *given, *more)
        return self._value(command[0], dot)

    def _until(self, holds: bool, operands: tuple[Node, ...], dot: Json) -> Json:
        """The operands of `and` while they hold, of `or` while they do not; the last one."""
        found: Json = None
        for operand in operands:
            found = self._value(operand, dot)
            if truth(found) is not holds:
                break
        as_truth = "and is a truth value" if holds else "or is a truth value"
        return truth(found) if self.flaw == as_truth else found

    def _value(self, operand: Node, dot: Json) -> Json:
        match operand[0]:
            case "constant":
                return operand[1]
            case "function":
                return FUNCTIONS[operand[1]](self.flaw)
            case "pipe":
                return _walked(self._pipe(operand[1], dot), operand[2])
        path: str = operand[1]
        if path.startswith("$"):
            name, dotted, rest = path.partition(".")
            return _walked(self._variable(name), dotted + rest)
        return _walked(dot, path if path != "." else "")

    def _variable(self, name: str) -> Json:
        for scope in reversed(self.scopes):
            if name in scope:
                return scope[name]
        raise BadTemplate(f'template: :1: undefined variable "{name}"')


def _walked(value: Json, path: str) -> Json:
    """Fields of fields; what a map lacks is nothing, what a struct lacks an error."""
    for name in filter(None, path.split(".")):
        if isinstance(value, dict):
            value = value.get(name)
        elif hasattr(value, "field"):
            value = value.field(name)
        else:
            raise Absent(f"can't evaluate field {name}")
    return value

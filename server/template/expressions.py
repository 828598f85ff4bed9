"""Tokens to pipelines: the part of the parser that reads inside an action.

Errors carry Go's wording with the line, in the form `template: :1: unclosed action`.
"""

import re
from collections.abc import Container

from .errors import TemplateError
from .lexer import Kind, Token, tokens
from .nodes import Chain, Command, Constant, Dot, Field, Function, Nil, Operand, Pipe, Variable
from .quoting import quote, unquote

MAX_NESTING = 60
"""Blocks and parentheses inside one another; real templates stay under 15."""

_OPERANDS = frozenset(
    {
        Kind.BOOL,
        Kind.CHARACTER,
        Kind.DOT,
        Kind.FIELD,
        Kind.IDENTIFIER,
        Kind.NUMBER,
        Kind.NIL,
        Kind.RAW_STRING,
        Kind.STRING,
        Kind.VARIABLE,
        Kind.LEFT_PAREN,
    }
)
_OCTAL = re.compile(r"([+-]?)0([0-7_]+)\Z")


class Expressions:
    """Recursive descent over one token list."""

    def __init__(self, text: str, functions: Container[str]) -> None:
        self.tokens = tokens(text)
        self.functions = functions
        self.place = 0
        self.furthest = 0
        self.variables = ["$"]
        self.nesting = 0
        self.action_line = 0

    # Reading tokens

    def peek(self) -> Token:
        self.furthest = max(self.furthest, self.place)
        return self.tokens[self.place]

    def next(self) -> Token:
        token = self.peek()
        self.place = min(self.place + 1, len(self.tokens) - 1)
        return token

    def peek_solid(self) -> Token:
        while self.peek().kind is Kind.SPACE:
            self.next()
        return self.peek()

    def next_solid(self) -> Token:
        self.peek_solid()
        return self.next()

    def at_keyword(self, word: str) -> bool:
        token = self.peek_solid()
        return token.kind is Kind.KEYWORD and token.text == word

    def expect(self, context: str, *kinds: Kind) -> Token:
        token = self.next_solid()
        if token.kind not in kinds:
            raise self.unexpected(token, context)
        return token

    # Errors

    def error(self, message: str) -> TemplateError:
        return TemplateError(f"template: :{self.tokens[self.furthest].line}: {message}")

    def unexpected(self, token: Token, context: str) -> TemplateError:
        if token.kind is not Kind.ERROR:
            return self.error(f"unexpected {token} in {context}")
        where = ""
        if self.action_line not in (0, token.line):
            begun = f" started at :{self.action_line}"
            where = begun if token.text.endswith(" action") else f" in action{begun}"
        return self.error(f"{token}{where}")

    def deeper(self) -> None:
        self.nesting += 1
        if self.nesting > MAX_NESTING:
            raise self.error("max expression depth exceeded")

    # Pipelines

    def pipeline(self, context: str, end: Kind) -> Pipe:
        position = self.peek_solid().position
        declared, assigns = self.declarations(context)
        commands: list[Command] = []
        while (token := self.peek_solid()).kind is not end:
            if token.kind not in _OPERANDS:
                self.next()
                raise self.unexpected(token, context)
            commands.append(self.command())
        self.next()
        if not commands:
            raise self.error(f"missing value for {context}")
        for stage, command in enumerate(commands[1:], start=2):
            if isinstance(command.operands[0], (Dot, Nil, Constant)):
                raise self.error(f"non executable command in pipeline stage {stage}")
        return Pipe(position, tuple(commands), declared, assigns)

    def declarations(self, context: str) -> tuple[tuple[str, ...], bool]:
        """The variables a pipeline sets, and whether it assigns rather than declares."""
        names: list[str] = []
        while self.peek_solid().kind is Kind.VARIABLE:
            start = self.place
            name = self.next().text
            sign = self.peek_solid()
            if sign.kind in (Kind.ASSIGN, Kind.DECLARE):
                self.next()
                names.append(name)
                self.variables.append(name)
                return tuple(names), sign.kind is Kind.ASSIGN
            if sign.kind is not Kind.PUNCTUATION or sign.text != ",":
                self.place = start
                break
            self.next()
            names.append(name)
            self.variables.append(name)
            if context != "range" or len(names) > 1:
                raise self.error(f"too many declarations in {context}")
            if self.peek_solid().kind not in (Kind.VARIABLE, Kind.RIGHT, Kind.RIGHT_PAREN):
                raise self.error("range can only initialize variables")
        return tuple(names), False

    def command(self) -> Command:
        position = self.peek_solid().position
        operands: list[Operand] = []
        while True:
            self.peek_solid()
            operand = self.operand()
            if operand is not None:
                operands.append(operand)
            token = self.next()
            if token.kind is Kind.SPACE:
                continue
            if token.kind in (Kind.RIGHT, Kind.RIGHT_PAREN):
                self.place -= 1
            elif token.kind is not Kind.PIPE:
                raise self.unexpected(token, "operand")
            break
        if not operands:
            raise self.error("empty command")
        return Command(position, tuple(operands))

    def operand(self) -> Operand | None:
        term = self.term()
        if term is None or self.peek().kind is not Kind.FIELD:
            return term
        position = self.peek().position
        names: list[str] = []
        while self.peek().kind is Kind.FIELD:
            names.append(self.next().text[1:])
        if isinstance(term, Field):
            return Field(position, (*term.names, *names))
        if isinstance(term, Variable):
            return Variable(position, term.name, (*term.fields, *names))
        if isinstance(term, (Constant, Nil, Dot)):
            raise self.error(f"unexpected . after term {quote(str(term))}")
        return Chain(position, term, tuple(names))

    def term(self) -> Operand | None:
        token = self.peek_solid()
        if token.kind not in _OPERANDS:
            return None
        self.next()
        match token.kind:
            case Kind.DOT:
                return Dot(token.position)
            case Kind.NIL:
                return Nil(token.position)
            case Kind.FIELD:
                return Field(token.position, (token.text[1:],))
            case Kind.BOOL:
                return Constant(token.position, token.text == "true", token.text)
            case Kind.STRING | Kind.RAW_STRING:
                return Constant(token.position, self.string(token), token.text)
            case Kind.NUMBER | Kind.CHARACTER:
                return Constant(token.position, self.number(token), token.text)
        return self.name_or_parenthesis(token)

    def name_or_parenthesis(self, token: Token) -> Operand:
        if token.kind is Kind.LEFT_PAREN:
            self.deeper()
            pipe = self.pipeline("parenthesized pipeline", Kind.RIGHT_PAREN)
            self.nesting -= 1
            return pipe
        if token.kind is Kind.VARIABLE:
            if token.text not in self.variables:
                raise self.error(f"undefined variable {quote(token.text)}")
            return Variable(token.position, token.text, ())
        if token.text not in self.functions:
            raise self.error(f"function {quote(token.text)} not defined")
        return Function(token.position, token.text)

    # Literals

    def string(self, token: Token) -> str:
        value = unquote(token.text)
        if value is None:
            raise self.error("invalid syntax")
        return value

    def number(self, token: Token) -> int | float:
        if token.kind is Kind.CHARACTER:
            value = unquote(token.text)
            if value is None or len(value) != 1:
                raise self.error(f"malformed character constant: {token.text}")
            return ord(value)
        number = _number(token.text)
        if number is None:
            raise self.error(f"illegal number syntax: {quote(token.text)}")
        if isinstance(number, int) and not -(2**63) <= number < 2**63:
            raise self.error(f"{token.text} overflows int")
        return number


def _number(text: str) -> int | float | None:
    octal = _OCTAL.match(text)
    try:
        if octal is not None:
            return int(octal[1] + octal[2].replace("_", ""), 8)
        lowered = text.lower()
        hexadecimal = lowered.lstrip("+-").startswith("0x")
        if hexadecimal and ("p" in lowered or "." in lowered):
            return float.fromhex(text)
        if not hexadecimal and any(sign in lowered for sign in ".e"):
            return float(text)
        return int(text, 0)
    except (ValueError, OverflowError):
        return None

"""Tokens to a tree: text, control actions and definitions."""

from collections.abc import Container, Mapping
from dataclasses import dataclass

from .expressions import Expressions
from .lexer import BLANKS, Kind, Token
from .nodes import Action, Break, Call, Continue, If, Node, Nodes, Range, Text, With
from .quoting import quote


@dataclass(frozen=True, slots=True)
class _Mark:
    """The `{{end}}` or `{{else}}` that a list of nodes ran into; `word` is that or `else if`."""

    word: str

    def __str__(self) -> str:
        return f"{{{{{self.word.split()[0]}}}}}"


def parse(text: str, functions: Container[str]) -> tuple[Nodes, Mapping[str, Nodes]]:
    """The tree of a template and the trees it defines by name."""
    parser = _Parser(text, functions)
    root = parser.whole()
    return root, parser.definitions


class _Parser(Expressions):
    """The expressions, and the actions around them."""

    def __init__(self, text: str, functions: Container[str]) -> None:
        super().__init__(text, functions)
        self.definitions: dict[str, Nodes] = {}
        self.ranges = 0

    # Lists of nodes

    def whole(self) -> Nodes:
        found: list[Node] = []
        while self.peek().kind is not Kind.END_OF_TEXT:
            if self.begins_definition():
                self.definition()
                continue
            node = self.text_or_action()
            if isinstance(node, _Mark):
                raise self.error(f"unexpected {node}")
            found.append(node)
        return tuple(found)

    def begins_definition(self) -> bool:
        if self.peek().kind is not Kind.LEFT:
            return False
        start = self.place
        self.next()
        if self.at_keyword("define"):
            self.next()
            return True
        self.place = start
        return False

    def listing(self) -> tuple[Nodes, _Mark]:
        """The nodes up to the `{{end}}` or `{{else}}` that closes them."""
        self.deeper()
        found: list[Node] = []
        while self.peek_solid().kind is not Kind.END_OF_TEXT:
            node = self.text_or_action()
            if isinstance(node, _Mark):
                self.nesting -= 1
                return tuple(found), node
            found.append(node)
        raise self.error("unexpected EOF")

    def text_or_action(self) -> Node | _Mark:
        token = self.next_solid()
        if token.kind is Kind.TEXT:
            return Text(token.position, token.text)
        if token.kind is not Kind.LEFT:
            raise self.unexpected(token, "input")
        self.action_line = token.line
        node = self.action()
        self.action_line = 0
        return node

    def action(self) -> Node | _Mark:
        token = self.peek_solid()
        if token.kind is not Kind.KEYWORD or token.text == "define":
            return Action(token.position, self.pipeline("command", Kind.RIGHT))
        self.next()
        match token.text:
            case "if" | "with" | "range":
                return self.control(token.text)
            case "break" | "continue":
                return self.jump(token)
            case "else":
                return self.otherwise()
            case "template":
                return self.call()
            case "block":
                return self.block()
        self.expect("end", Kind.RIGHT)
        return _Mark("end")

    # Actions that begin with a keyword

    def otherwise(self) -> _Mark:
        for word in ("if", "with"):
            if self.at_keyword(word):
                return _Mark(f"else {word}")
        self.expect("else", Kind.RIGHT)
        return _Mark("else")

    def jump(self, token: Token) -> Break | Continue:
        self.expect(f"{{{{{token.text}}}}}", Kind.RIGHT)
        if not self.ranges:
            raise self.error(f"{{{{{token.text}}}}} outside {{{{range}}}}")
        return Break(token.position) if token.text == "break" else Continue(token.position)

    def control(self, word: str) -> If | With | Range:
        depth = len(self.variables)
        self.deeper()
        pipe = self.pipeline(word, Kind.RIGHT)
        self.ranges += word == "range"
        body, mark = self.listing()
        self.ranges -= word == "range"
        otherwise = self.else_part(word, mark)
        self.nesting -= 1
        del self.variables[depth:]
        if word == "range":
            return Range(pipe.position, pipe, body, otherwise)
        made = If if word == "if" else With
        return made(pipe.position, pipe, body, otherwise)

    def else_part(self, word: str, mark: _Mark) -> Nodes | None:
        if mark.word == "end":
            return None
        if word != "range" and mark.word == f"else {word}":
            self.next_solid()
            return (self.control(word),)
        nodes, mark = self.listing()
        if mark.word != "end":
            raise self.error(f"expected end; found {mark}")
        return nodes

    def template_name(self, token: Token, context: str) -> str:
        if token.kind not in (Kind.STRING, Kind.RAW_STRING):
            raise self.unexpected(token, context)
        return self.string(token)

    def call(self) -> Call:
        token = self.next_solid()
        name = self.template_name(token, "template clause")
        if self.peek_solid().kind is Kind.RIGHT:
            self.next()
            return Call(token.position, name, None)
        return Call(token.position, name, self.pipeline("template clause", Kind.RIGHT))

    def block(self) -> Call:
        token = self.next_solid()
        name = self.template_name(token, "block clause")
        pipe = self.pipeline("block clause", Kind.RIGHT)
        self.define(name, "block clause")
        return Call(token.position, name, pipe)

    def definition(self) -> None:
        token = self.expect("define clause", Kind.STRING, Kind.RAW_STRING)
        name = self.string(token)
        self.expect("define clause", Kind.RIGHT)
        self.define(name, "define clause")

    def define(self, name: str, context: str) -> None:
        """Take the body of a definition, which sees none of the variables and ranges around it."""
        outer, self.variables = self.variables, ["$"]
        ranges, self.ranges = self.ranges, 0
        nodes, mark = self.listing()
        if mark.word != "end":
            raise self.error(f"unexpected {mark} in {context}")
        self.variables, self.ranges = outer, ranges
        if not _is_blank(self.definitions.get(name, ())):
            if not _is_blank(nodes):
                raise self.error(f"template: multiple definition of template {quote(name)}")
            return
        self.definitions[name] = nodes


def _is_blank(nodes: Nodes) -> bool:
    return all(isinstance(node, Text) and not node.text.strip(BLANKS) for node in nodes)

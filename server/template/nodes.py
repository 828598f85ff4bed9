"""The tree that a template's text becomes. Values only; `position` counts characters."""

from dataclasses import dataclass

from .quoting import quote


@dataclass(frozen=True, slots=True)
class Dot:
    """`.`, the current value."""

    position: int

    def __str__(self) -> str:
        return "."


@dataclass(frozen=True, slots=True)
class Nil:
    """`nil`."""

    position: int

    def __str__(self) -> str:
        return "nil"


@dataclass(frozen=True, slots=True)
class Constant:
    """A literal; `source` is how it was written."""

    position: int
    value: bool | int | float | str
    source: str

    def __str__(self) -> str:
        return self.source


@dataclass(frozen=True, slots=True)
class Field:
    """`.A.B`."""

    position: int
    names: tuple[str, ...]

    def __str__(self) -> str:
        return "".join(f".{name}" for name in self.names)


@dataclass(frozen=True, slots=True)
class Variable:
    """`$name.A.B`; `name` includes the dollar sign."""

    position: int
    name: str
    fields: tuple[str, ...]

    def __str__(self) -> str:
        return ".".join((self.name, *self.fields))


@dataclass(frozen=True, slots=True)
class Function:
    """The name of a function."""

    position: int
    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Chain:
    """`(pipeline).A.B`, or a function name with fields."""

    position: int
    operand: "Operand"
    names: tuple[str, ...]

    def __str__(self) -> str:
        shown = f"({self.operand})" if isinstance(self.operand, Pipe) else str(self.operand)
        return shown + "".join(f".{name}" for name in self.names)


@dataclass(frozen=True, slots=True)
class Command:
    """Operands side by side: a value, or a function with its arguments."""

    position: int
    operands: tuple["Operand", ...]

    def __str__(self) -> str:
        return " ".join(
            f"({each})" if isinstance(each, Pipe) else str(each) for each in self.operands
        )


@dataclass(frozen=True, slots=True)
class Pipe:
    """Commands, each handed the value of the one before; `declared` variables take the last."""

    position: int
    commands: tuple[Command, ...]
    declared: tuple[str, ...] = ()
    assigns: bool = False

    def __str__(self) -> str:
        shown = " | ".join(str(command) for command in self.commands)
        if not self.declared:
            return shown
        return f"{', '.join(self.declared)} {'=' if self.assigns else ':='} {shown}"


Operand = Dot | Nil | Constant | Field | Variable | Function | Chain | Pipe


@dataclass(frozen=True, slots=True)
class Text:
    """Text that is written as it stands."""

    position: int
    text: str


@dataclass(frozen=True, slots=True)
class Action:
    """A pipeline whose value is written, unless it declares variables."""

    position: int
    pipe: Pipe

    def __str__(self) -> str:
        return f"{{{{{self.pipe}}}}}"


@dataclass(frozen=True, slots=True)
class Branch:
    """What `if`, `with` and `range` have in common."""

    position: int
    pipe: Pipe
    body: tuple["Node", ...]
    otherwise: tuple["Node", ...] | None


@dataclass(frozen=True, slots=True)
class If(Branch):
    """`{{if pipe}}`."""


@dataclass(frozen=True, slots=True)
class With(Branch):
    """`{{with pipe}}`."""


@dataclass(frozen=True, slots=True)
class Range(Branch):
    """`{{range pipe}}`."""


@dataclass(frozen=True, slots=True)
class Call:
    """`{{template "name" pipe}}`, and what a `{{block}}` leaves where it stands."""

    position: int
    name: str
    pipe: Pipe | None

    def __str__(self) -> str:
        argument = "" if self.pipe is None else f" {self.pipe}"
        return f"{{{{template {quote(self.name)}{argument}}}}}"


@dataclass(frozen=True, slots=True)
class Break:
    """`{{break}}`."""

    position: int


@dataclass(frozen=True, slots=True)
class Continue:
    """`{{continue}}`."""

    position: int


Node = Text | Action | If | With | Range | Call | Break | Continue
Nodes = tuple[Node, ...]

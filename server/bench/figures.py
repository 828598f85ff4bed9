"""The figures of a run, against what they are to reach: values, a table and a document."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:  # `--help` does not wait for rich
    from rich.table import Table

EXACT: Final = "Scripted answers, exact to the byte"  # the one part whose misses are failures


@dataclass(frozen=True, slots=True)
class Target:
    """What a figure is to reach, at least or at most."""

    bound: float
    at_least: bool

    def met(self, measured: float) -> bool:
        """Whether this is reached."""
        return measured >= self.bound if self.at_least else measured <= self.bound

    def __str__(self) -> str:
        return f"{'>=' if self.at_least else '<='} {self.bound:g}"


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number; without a target it is there to explain another."""

    part: str
    name: str
    measured: float
    target: Target | None = None
    runs: tuple[str, ...] = ()

    @property
    def met(self) -> bool | None:
        """Whether the target is reached; None where there is none."""
        return None if self.target is None else self.target.met(self.measured)


def at_least(bound: float) -> Target:
    """A target to reach or pass."""
    return Target(bound, at_least=True)


def at_most(bound: float) -> Target:
    """A target to stay within."""
    return Target(bound, at_least=False)


def table(figures: Sequence[Figure]) -> Table:
    """All figures, a line each."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    made = Table(box=SIMPLE_HEAD, pad_edge=False)
    made.add_column("figure", ratio=1)
    for name in ("target", "measured", ""):
        made.add_column(name, justify="right" if name else "left", no_wrap=True)
    part = ""
    for one in figures:
        if one.part != part:
            part = one.part
            made.add_row(f"[bold]{part}[/]")
        verdict = {None: "", True: "[green]met[/]", False: "[red]missed[/]"}[one.met]
        measured = f"{one.measured:.4g}"
        made.add_row(f"  {one.name}", str(one.target or ""), measured, verdict)
    return made


def document(figures: Sequence[Figure], machine: dict[str, Any]) -> dict[str, Any]:
    """The same as JSON, with the runs behind each figure."""
    return {"machine": machine, "figures": [_record(one) for one in figures]}


def _record(figure: Figure) -> dict[str, Any]:
    target = None if figure.target is None else str(figure.target)
    return {
        "part": figure.part,
        "name": figure.name,
        "target": target,
        "measured": figure.measured,
        "met": figure.met,
        "runs": list(figure.runs),
    }

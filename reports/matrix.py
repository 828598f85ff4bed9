"""Several conformance runs beside each other: servers by classes, the best first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from . import verdicts
from .documents import LEVELS, Run, Verdict
from .verdicts import Cell


@dataclass(frozen=True, slots=True)
class Server:
    """A server by the name it goes by here, and its run."""

    name: str
    run: Run

    @property
    def cells(self) -> dict[str, Cell]:
        """Its verdicts counted by class."""
        counted: dict[str, Counter[str]] = {}
        for verdict in self.run.verdicts:
            counted.setdefault(verdict.class_name, Counter())[verdict.outcome] += 1
        return {name: Cell(counts) for name, counts in counted.items()}

    @property
    def levels(self) -> tuple[Cell, ...]:
        """Its verdicts counted by level, in the order of `LEVELS`."""
        return tuple(
            Cell(Counter(one.outcome for one in self.run.verdicts if one.level == level))
            for level in LEVELS
        )

    @property
    def findings(self) -> dict[str, tuple[Verdict, ...]]:
        """What asks for a reader, by class."""
        asking = verdicts.findings(self.run)
        names = dict.fromkeys(one.class_name for one in self.run.verdicts)
        return {
            name: found
            for name in names
            if (found := tuple(one for one in asking if one.class_name == name))
        }

    @property
    def rank(self) -> tuple[int, ...]:
        """What it is ordered by: how many checks passed, MUST before SHOULD."""
        return tuple(cell.passed for cell in self.levels)


def ranked(servers: Sequence[Server]) -> tuple[Server, ...]:
    """The best first; of equals the one that was named first."""
    return tuple(sorted(servers, key=lambda server: server.rank, reverse=True))


def classes(servers: Sequence[Server]) -> tuple[str, ...]:
    """Every class of any run, in the order in which they come."""
    return tuple(dict.fromkeys(one.class_name for server in servers for one in server.run.verdicts))


def state(cell: Cell | None) -> str:
    """How a cell looks: all, most, some, none or absent."""
    if cell is None or not cell.judged:
        return "absent"
    if cell.passed == cell.judged:
        return "all"
    share = cell.passed / cell.judged
    return "most" if share >= 0.8 else "some" if share > 0 else "none"

"""Several conformance runs beside each other: servers by classes, the best first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from . import verdicts
from .documents import LEVELS, Run, Verdict
from .verdicts import Cell

ORDER = (  # what most servers offer first, so that one page reads like another
    "core",
    "streaming",
    "options",
    "context",
    "format",
    "thinking",
    "tools",
    "logprobs",
    "vision",
    "embeddings",
    "lifecycle",
    "manage",
    "create",
    "transfer",
    "openai",
    "responses",
    "anthropic",
    "concurrency",
    "safety",
)


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
    def broken(self) -> dict[str, int]:
        """How many MUST checks are red, by class; classes without are not named."""
        return Counter(
            one.class_name
            for one in self.run.verdicts
            if one.level == "MUST" and one.outcome in verdicts.RED
        )

    @property
    def findings(self) -> dict[str, tuple[tuple[Verdict, ...], ...]]:
        """What asks for a reader, by class, and there by cause."""
        asking = {one.id: one for one in verdicts.findings(self.run)}
        cause = {id: ids[0] for ids in self.run.causes for id in ids}
        found: dict[str, dict[str, list[Verdict]]] = {}
        for one in asking.values():
            of_class = found.setdefault(one.class_name, {})
            of_class.setdefault(cause.get(one.id, one.id), []).append(one)
        names = dict.fromkeys(one.class_name for one in self.run.verdicts)
        return {
            name: tuple(tuple(group) for group in found[name].values())
            for name in names
            if name in found
        }

    @property
    def rank(self) -> tuple[int, ...]:
        """What it is ordered by: how many checks passed, MUST before SHOULD."""
        return tuple(cell.passed for cell in self.levels)


def ranked(servers: Sequence[Server]) -> tuple[Server, ...]:
    """The best first; of equals the one that was named first."""
    return tuple(sorted(servers, key=lambda server: server.rank, reverse=True))


def classes(servers: Sequence[Server]) -> tuple[str, ...]:
    """Every class of any run: those that we know in their order, then others as they come."""
    found = dict.fromkeys(one.class_name for server in servers for one in server.run.verdicts)
    return (*(name for name in ORDER if name in found), *(one for one in found if one not in ORDER))


def state(cell: Cell | None, broken: int = 0) -> str:
    """How a cell looks: all, fine (where no MUST is red), some, none or absent."""
    if cell is None or not cell.judged:
        return "absent"
    if cell.passed == cell.judged:
        return "all"
    if not broken:
        return "fine"
    return "some" if cell.passed else "none"

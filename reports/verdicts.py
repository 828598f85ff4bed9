"""A conformance run, arranged for readers: what to look at first, and how classes stand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from . import words
from .documents import LEVELS, OUTCOMES, Client, Run, Verdict

SYMBOLS = {  # colour is never the only sign
    "passed": "✓",
    "failed": "✗",
    "not_testable": "⊘",
    "unstable": "≈",
    "errored": "!",
    "not_offered": "–",
    "not_judged": "?",
}
MEANINGS = {
    "passed": "the target does what the sentence says",
    "failed": "the target is wrong",
    "not_testable": "offered, but what the check needs first failed",
    "unstable": "passed on some tries and failed on others; never counted as a pass",
    "errored": "we could not tell: our fault or the line's",
    "not_offered": "the target consistently lacks that class; not an error",
    "not_judged": "needs the scripted model, and another was named",
}
NEEDS = {"works": "✓", "breaks": "✗", "not_offered": "–", "not_judged": "?"}
RED = ("failed", "not_testable")
FINDINGS = ("failed", "not_testable", "unstable", "errored")
UNJUDGED = ("not_offered", "not_judged")


def name(outcome: str) -> str:
    """The outcome in words."""
    return outcome.replace("_", " ")


@dataclass(frozen=True, slots=True)
class Cell:
    """The verdicts of one class and level."""

    counts: Counter[str]

    @property
    def total(self) -> int:
        return self.counts.total()

    @property
    def passed(self) -> int:
        return self.counts["passed"]

    @property
    def judged(self) -> int:
        return self.total - sum(self.counts[outcome] for outcome in UNJUDGED)

    @property
    def others(self) -> tuple[tuple[str, int], ...]:
        """Everything that is not a pass, with its count."""
        rest = [outcome for outcome in OUTCOMES if outcome != "passed"]
        return tuple((outcome, self.counts[outcome]) for outcome in rest if self.counts[outcome])


@dataclass(frozen=True, slots=True)
class ClassRow:
    """A class of features by level, in the order of `LEVELS`."""

    name: str
    cells: tuple[Cell, ...]
    total: Cell


def class_rows(run: Run) -> tuple[ClassRow, ...]:
    """A row for each class, in the order of the document."""
    counted: dict[str, dict[str, Counter[str]]] = {}
    for verdict in run.verdicts:
        levels = counted.setdefault(verdict.class_name, {level: Counter() for level in LEVELS})
        levels[verdict.level][verdict.outcome] += 1
    return tuple(
        ClassRow(
            class_name,
            tuple(Cell(levels[level]) for level in LEVELS),
            Cell(sum(levels.values(), Counter())),
        )
        for class_name, levels in counted.items()
    )


def findings(run: Run) -> tuple[Verdict, ...]:
    """What asks for a reader: the wrong before the doubtful, MUST before SHOULD."""
    asking = [verdict for verdict in run.verdicts if verdict.outcome in FINDINGS]
    return tuple(sorted(asking, key=lambda v: (FINDINGS.index(v.outcome), LEVELS.index(v.level))))


def causes(run: Run) -> tuple[tuple[Verdict, ...], ...]:
    """The findings, those of one cause together, but for those that the baseline tolerates."""
    known = {entry.id for entry in run.baseline.get("known", ())}
    asking = {verdict.id: verdict for verdict in findings(run) if verdict.id not in known}
    groups = [[id for id in ids if id in asking] for ids in run.causes]
    named = {id for ids in groups for id in ids}
    groups += [[id] for id in asking if id not in named]
    place = {id: number for number, id in enumerate(asking)}
    ordered = sorted((ids for ids in groups if ids), key=lambda ids: min(place[id] for id in ids))
    return tuple(tuple(asking[id] for id in ids) for ids in ordered)


def consequences(group: Sequence[Verdict]) -> dict[str, str]:
    """The clients that a cause breaks, each with what it does; empty where that is not known."""
    does: dict[str, str] = {}
    for verdict in group:
        for client, what in verdict.consequences:
            does.setdefault(client, what)
    rest = {client: "" for verdict in group for client in verdict.breaks if client not in does}
    return {**does, **rest}


def parted(run: Run) -> tuple[Verdict, ...]:
    """The checks that ended, or were answered, otherwise at the reference."""
    return tuple(
        verdict
        for verdict in run.verdicts
        if verdict.beside is not None
        and (verdict.beside.parted or verdict.beside.outcome != verdict.outcome)
    )


def clients(run: Run) -> tuple[Client, ...]:
    """The clients of which something is known, those that break first."""
    return tuple(
        sorted(
            (client for client in run.clients if client.works is not None),
            key=lambda client: client.works is True,
        )
    )


def lacking(run: Run, *, offered: bool) -> dict[str, list[str]]:
    """The clients that are not known to work, by the classes that they lack.

    :param offered: those of which too little was judged; else those that need what is not offered.
    """
    found: dict[str, list[str]] = {}
    for client in run.clients:
        if client.works is None and client.offered == offered:
            found.setdefault(", ".join(client.lacks), []).append(client.name)
    return found


def working(run: Run) -> tuple[int, int]:
    """How many clients will work, of how many of which that is known."""
    known = [client for client in run.clients if client.works is not None]
    return sum(client.works is True for client in known), len(known)


def state(run: Run) -> str:
    """good, bad or doubtful: the colour of the badge."""
    if run.interrupted or run.exit_status > 1 or not run.verdicts:
        return "doubtful"
    return "bad" if run.exit_status == 1 or _red(run, "MUST") else "good"


def sentence(run: Run) -> str:
    """The run in one sentence."""
    if not run.verdicts:
        return "Nothing was judged."
    if run.exit_status == 3:
        return "The target could not be reached."
    if run.exit_status == 4:
        return "The suite itself failed, so this run proves little."
    red = [f"{number} {level}" for level in LEVELS if (number := _red(run, level))]
    if not red:
        said = "Nothing failed."
    elif _red(run, "MUST"):
        said = f"{_join(red)} failed."
    else:
        said = f"No MUST failed; {_join(red)} did."
    broken = sum(client.works is False for client in run.clients)
    if broken:
        said += f" {words.plural(broken, 'client')} would break."
    return said


def _red(run: Run, level: str) -> int:
    return sum(verdict.level == level and verdict.outcome in RED for verdict in run.verdicts)


def _join(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"

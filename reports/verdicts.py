"""A conformance run, arranged for readers: what to look at first, and how classes stand."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from . import words
from .documents import LEVELS, OUTCOMES, Run, Verdict

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

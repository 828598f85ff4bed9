"""Which rows of the contract the checks cover; writes docs/coverage.md.

python -m conformance.coverage    in a checkout: takes rows that are covered by now out of
                                  those left out, and writes the page anew
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from .check import CLASSES, Check, Level
from .contract import LEFT_OUT, NOT_YET, OWED, Row, left_out_text, load_left_out, load_rows

PAGE = Path(__file__).resolve().parent.parent / "docs" / "coverage.md"


@dataclass(frozen=True, slots=True)
class Coverage:
    """Rows, checks and reasons, held against each other."""

    rows: dict[str, Row]
    checks: tuple[Check, ...]
    reasons: dict[str, tuple[str, ...]]

    @property
    def covered(self) -> dict[str, list[str]]:
        """Each row that checks cover, with their ids."""
        found: dict[str, list[str]] = {}
        for one in self.checks:
            for row in one.covers:
                found.setdefault(row, []).append(one.id)
        return found

    @property
    def left_out(self) -> list[str]:
        """The rows left out, those of all reasons."""
        return [row for rows in self.reasons.values() for row in rows]

    @property
    def owed(self) -> list[str]:
        """The rows for which a check or a reason has to stand."""
        return [row.id for row in self.rows.values() if row.owed]

    @property
    def faults(self) -> list[str]:
        """What is wrong between the three, a sentence each; none when they are complete."""
        covered, left_out = self.covered, self.left_out
        unknown = [f"{row} is covered by {covered[row][0]}, but there is no such row"
                   for row in covered if row not in self.rows]  # fmt: skip
        unknown += [f"{row} is left out, but there is no such row"
                    for row in left_out if row not in self.rows]  # fmt: skip
        twice = [f"{row} is left out twice" for row in sorted(set(left_out))
                 if left_out.count(row) > 1]  # fmt: skip
        both = [f"{row} is left out, but {covered[row][0]} covers it"
                for row in left_out if row in covered]  # fmt: skip
        lost = [f"{row} is neither covered nor left out"
                for row in self.owed if row not in covered and row not in left_out]  # fmt: skip
        return [*unknown, *twice, *both, *lost]

    @property
    def settled(self) -> dict[str, tuple[str, ...]]:
        """The reasons without the rows that checks cover by now, and with those forgotten."""
        covered = self.covered
        kept = {
            reason: tuple(row for row in rows if row not in covered)
            for reason, rows in self.reasons.items()
        }
        lost = [row for row in self.owed if row not in covered and row not in self.left_out]
        if lost:
            kept[NOT_YET] = (*kept.get(NOT_YET, ()), *lost)
        return {reason: rows for reason, rows in kept.items() if rows}

    @property
    def sentence(self) -> str:
        """The state in a line."""
        owed = self.owed
        held = sum(row in self.covered for row in owed)
        without = len(self.reasons.get(NOT_YET, ()))
        return (
            f"contract rows covered: {held} of {len(owed)} MUST and SHOULD; "
            f"{len(owed) - held} left out, {without} of them without a check yet"
        )


def measured() -> Coverage:
    """The coverage as it is."""
    from .run import load_checks

    return Coverage(load_rows(), tuple(load_checks().values()), load_left_out())


def page(coverage: Coverage) -> str:
    """docs/coverage.md."""
    parts = [
        "# Coverage\n",
        "What the suite judges, class by class, and what of the API it does not, with the "
        "reason. Written by `nox -s coverage` from the checks, `fixtures/contract/rows.json` "
        "and `fixtures/contract/left_out.json`; a test keeps it current.\n",
        _levels(coverage),
        _classes(coverage),
        *(_class(coverage, group) for group in _groups(coverage)),
        _reasons(coverage),
    ]
    return "\n".join(parts)


def _groups(coverage: Coverage) -> list[str]:
    used = {one.group for one in coverage.checks}
    return [group for group in CLASSES if group in used]


def _levels(coverage: Coverage) -> str:
    lines = ["| level | checks | rows | covered | left out |", "| --- | --: | --: | --: | --: |"]
    left_out = set(coverage.left_out)
    for level in Level:
        owed = [row for row in coverage.rows.values() if row.part in OWED]
        rows = [row.id for row in owed if row.level == level]
        held = sum(row in coverage.covered for row in rows)
        out = sum(row in left_out for row in rows)
        checks = sum(one.level == level for one in coverage.checks)
        lines.append(f"| {level} | {checks} | {len(rows)} | {held} | {out} |")
    note = (
        "MAY rows are tolerated either way and need neither a check nor a reason; "
        "rows of storage and of the command line are covered where they show.\n"
    )
    return "\n".join([*lines, "", note])


def _classes(coverage: Coverage) -> str:
    lines = ["| class | MUST | SHOULD | MAY | rows |", "| --- | --: | --: | --: | --: |"]
    for group in _groups(coverage):
        checks = [one for one in coverage.checks if one.group == group]
        counted = [str(sum(one.level == level for one in checks)) for level in Level]
        rows = {row for one in checks for row in one.covers}
        lines.append(f"| [{group}](#{group}) | {' | '.join(counted)} | {len(rows)} |")
    return "\n".join([*lines, ""])


def _class(coverage: Coverage, group: str) -> str:
    lines = [f"## {group}\n", "| check | level | sentence | rows |", "| --- | --- | --- | --- |"]
    for one in sorted(coverage.checks, key=lambda one: one.id):
        if one.group == group:
            lines.append(
                f"| `{one.id}` | {one.level} | {_cell(one.title)} | {', '.join(one.covers)} |"
            )
    return "\n".join([*lines, ""])


def _reasons(coverage: Coverage) -> str:
    lines = ["## Left out\n"]
    for reason, rows in coverage.reasons.items():
        lines.append(f"### {reason[:1].upper()}{reason[1:]} ({len(rows)})\n")
        lines += [f"- {_told(coverage.rows[row])}" for row in rows if row in coverage.rows]
        lines.append("")
    return "\n".join(lines)


def _told(row: Row) -> str:
    return f"{row.id} {row.level}: {row.topic}"


def _cell(text: str) -> str:
    """A sentence inside a table, where a bar would end the cell and `<` would begin markup."""
    return text.replace("|", "\\|").replace("<", "&lt;")


def main(arguments: Sequence[str] = ()) -> int:
    """Settle the rows left out, write the page; 1 where something stays wrong."""
    del arguments
    before = measured()
    settled = before.settled
    if settled != before.reasons:
        LEFT_OUT.write_text(left_out_text(settled), encoding="utf-8")
    now = measured()
    PAGE.write_text(page(now), encoding="utf-8")
    _say([now.sentence, *now.faults])
    return 1 if now.faults else 0


def _say(sentences: Iterable[str]) -> None:
    for one in sentences:
        print(one)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

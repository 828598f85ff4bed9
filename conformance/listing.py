"""The checks as a list: for people by class, for programs a line each, for tools as JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest
    from rich.console import Console

    from .check import Check


class Listing:
    """Prints the checks that pytest collected."""

    def __init__(self, console: Console, *, as_json: bool = False) -> None:
        self.console = console
        self.as_json = as_json

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Id, level, class, sentence and rows of each."""
        listed: list[Check] = [item.check for item in session.items if hasattr(item, "check")]
        if self.as_json:
            print(json.dumps([entry(one) for one in listed], indent=2))
        elif not self.console.is_terminal:
            for one in listed:
                fields = (one.id, one.level, one.group, one.title, " ".join(one.covers))
                print("\t".join(fields))  # rich would make blanks of tabs
        else:
            self._for_people(listed)

    def _for_people(self, listed: list[Check]) -> None:
        group = ""
        for one in sorted(listed, key=lambda one: one.group):
            if one.group != group:
                group = one.group
                self.console.rule(group, align="left")
            self.console.print(f"[bold]{one.id}[/]  {one.level}  [dim]{' '.join(one.covers)}[/]")
            self.console.print(f"    {one.title}", markup=False)


def entry(check: Check) -> dict[str, Any]:
    """A check as tools read it; the keys are those of a verdict."""
    return {
        "id": check.id,
        "level": check.level.value,
        "class": check.group,
        "title": check.title,
        "source": check.source,
        "covers": list(check.covers),
        "breaks": list(check.breaks),
    }

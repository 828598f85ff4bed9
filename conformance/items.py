"""Checks as pytest sees them: suites are its files, checks its items."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from .check import Check
from .evidence import Json
from .judgement import FINDINGS
from .run import selected

if TYPE_CHECKING:
    from .plugin import Judge

PROPERTY = "parallama"  # under which a verdict travels


class Suite(pytest.File):
    """A module of checks."""

    def __init__(self, *, judge: Judge, **given: Json) -> None:
        super().__init__(**given)
        self.judge = judge

    def collect(self) -> Iterator[pytest.Item]:
        """Its checks, as far as they are selected."""
        settings = self.judge.settings
        module = f"{__package__}.suites.{self.path.stem}"
        for one in selected(settings.classes, settings.level):
            if one.run.__module__ == module:
                yield CheckItem.from_parent(self, name=one.id, check=one, judge=self.judge)


class CheckItem(pytest.Item):
    """A check."""

    def __init__(self, *, check: Check, judge: Judge, **given: Json) -> None:
        super().__init__(**given)
        self.check = check
        self.judge = judge
        self.extra_keyword_matches |= {check.level.value.lower(), check.group}

    def runtest(self) -> None:
        """Judge, and say to pytest what it can say."""
        try:
            verdict = self.judge.verdict(self.check)
        finally:
            if not self.check.law:
                self.judge.gathering.tell()
        self.user_properties.append((PROPERTY, json.dumps(verdict)))
        outcome = verdict["verdict"]
        known = self.judge.settings.baseline
        if known is not None and known.outdated(verdict):
            raise CheckFailed({**verdict, "reason": "fixed: take it out of the baseline"})
        if known is not None and known.tolerates(verdict):
            pytest.xfail(f"known: {known.known[self.check.id].reason}")
        counted = ("MUST", "SHOULD") if self.judge.settings.strict else ("MUST",)
        if outcome == "errored" or (outcome in FINDINGS and self.check.level in counted):
            raise CheckFailed(verdict)
        if outcome in ("not_offered", "not_judged"):
            pytest.skip(verdict["reason"])
        if outcome != "passed":
            pytest.xfail(f"{outcome}: {verdict['reason']}")

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException]) -> str:  # type: ignore[override]
        """Expected, actual and a curl line, instead of a traceback."""
        if isinstance(excinfo.value, CheckFailed):
            return str(excinfo.value)
        return str(super().repr_failure(excinfo))

    def reportinfo(self) -> tuple[Path, int, str]:
        """Where the check is written."""
        return self.path, self.check.run.__code__.co_firstlineno, self.name


class CheckFailed(Exception):  # noqa: N818
    """A finding, told in the words of its verdict."""

    def __init__(self, verdict: dict[str, Any]) -> None:
        lines = [f"{verdict['level']}: {verdict['title']}"]
        lines += [f"{key + ':':10}{verdict[key]}" for key in ("expected", "actual", "reason")]
        lines += [f"breaks:   {', '.join(verdict['breaks'])}"] if verdict["breaks"] else []
        super().__init__("\n".join([*lines, f"{verdict['curl']}"]))

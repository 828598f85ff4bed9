"""A baseline: failures that are known and tolerated for a while, each with its reason.

    [[known]]
    id = "core/kept-alive"
    reason = "issue 12"
    date = 2026-11-21
    expires = 2027-02-01

A failure that is not listed is red; so is a listed check that passes, and a listed failure
whose time is over. Pure but for `read_baseline`.
"""

from __future__ import annotations

import datetime
import json
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .check import Outcome

FINDINGS = (Outcome.FAILED, Outcome.NOT_TESTABLE)
FIELDS = ("id", "reason", "date", "expires")


class BaselineError(ValueError):
    """Why a baseline cannot be used, as a sentence."""


@dataclass(frozen=True, slots=True)
class Known:
    """A failure that is known."""

    id: str
    reason: str
    date: datetime.date
    expires: datetime.date


@dataclass(frozen=True, slots=True)
class Baseline:
    """What is known, and the day on which it is asked."""

    known: Mapping[str, Known] = field(default_factory=dict)
    today: datetime.date = datetime.date.max

    def tolerates(self, line: Mapping[str, Any]) -> bool:
        """Whether this verdict is a failure that is known and whose time is not over."""
        entry = self.known.get(line["id"])
        return entry is not None and line["verdict"] in FINDINGS and entry.expires >= self.today

    def outdated(self, line: Mapping[str, Any]) -> bool:
        """Whether this verdict is a pass of a check that is listed as failing."""
        return line["id"] in self.known and line["verdict"] == Outcome.PASSED

    def expired(self, line: Mapping[str, Any]) -> bool:
        """Whether this verdict is a failure that was tolerated once."""
        entry = self.known.get(line["id"])
        return entry is not None and line["verdict"] in FINDINGS and entry.expires < self.today

    def weighed(self, verdicts: Iterable[Mapping[str, Any]]) -> dict[str, list[dict[str, str]]]:
        """The known, the expired and the fixed among these verdicts, as a footer has them."""
        lines = list(verdicts)
        return {
            "known": [self._told(line) for line in lines if self.tolerates(line)],
            "expired": [self._told(line) for line in lines if self.expired(line)],
            "fixed": [self._told(line) for line in lines if self.outdated(line)],
        }

    def _told(self, line: Mapping[str, Any]) -> dict[str, str]:
        entry = self.known[line["id"]]
        return {"id": entry.id, "reason": entry.reason, "expires": entry.expires.isoformat()}


def read_baseline(path: Path, checks: Iterable[str], today: datetime.date) -> Baseline:
    """The baseline in a file. Raises BaselineError."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BaselineError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BaselineError(f"{path}: is not TOML: {error}") from error
    listed = document.get("known", [])
    if set(document) - {"known"} or not isinstance(listed, list):
        raise BaselineError(f"{path}: a baseline is a list of tables [[known]], and nothing else")
    entries: dict[str, Known] = {}
    for number, table in enumerate(listed, 1):
        entry = _known(table, f"{path}, entry {number}")
        if entry.id in entries:
            raise BaselineError(f"{path}: {entry.id} is listed twice")
        entries[entry.id] = entry
    strange = sorted(set(entries) - set(checks))
    if strange:
        raise BaselineError(
            f"{path}: there is no check {strange[0]!r}; --list shows those there are"
        )
    return Baseline(entries, today)


def _known(table: object, where: str) -> Known:
    if not isinstance(table, dict) or set(table) != set(FIELDS):
        raise BaselineError(f"{where}: needs exactly {', '.join(FIELDS)}")
    for name in ("id", "reason"):
        if not isinstance(table[name], str) or not table[name].strip():
            raise BaselineError(f"{where}: {name} has to be a text that is not empty")
    for name in ("date", "expires"):
        if type(table[name]) is not datetime.date:
            raise BaselineError(f"{where}: {name} has to be a day such as 2027-02-01, unquoted")
    return Known(table["id"], table["reason"], table["date"], table["expires"])


def baseline_text(
    ids: Sequence[str], reason: str, today: datetime.date, expires: datetime.date
) -> str:
    """A baseline that knows these failures."""
    entries = [
        f"[[known]]\nid = {json.dumps(id)}\nreason = {json.dumps(reason, ensure_ascii=False)}\n"
        f"date = {today.isoformat()}\nexpires = {expires.isoformat()}\n"
        for id in ids
    ]
    return "\n".join(entries)

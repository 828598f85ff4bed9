"""The contract's rows as data: what a server owes, and which of it no check can or does judge."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache

from .script import FIXTURES

ROWS = FIXTURES / "contract" / "rows.json"
LEFT_OUT = FIXTURES / "contract" / "left_out.json"
OWED = ("inference", "management", "clients")  # not storage, nor the command line
NOT_YET = "no check yet"  # the one reason that is meant to vanish


@dataclass(frozen=True, slots=True)
class Row:
    """One row: a thing that servers do, or that a client needs."""

    id: str
    level: str
    part: str  # inference, management, clients, storage or command line
    topic: str
    quirk: bool
    otherwise: str  # what a client does where a server departs from it; empty if not known

    @property
    def owed(self) -> bool:
        """Whether a check or a reason has to stand for it."""
        return self.level in ("MUST", "SHOULD") and self.part in OWED


@cache
def load_rows() -> dict[str, Row]:
    """All rows by id, in the order of the contract."""
    document = json.loads(ROWS.read_text(encoding="utf-8"))
    if document.get("schema") != "parallama/contract/1":
        raise ValueError(f"{ROWS} is no parallama/contract/1")
    return {one["id"]: _row(one) for one in document["rows"]}


def _row(one: dict[str, str | bool]) -> Row:
    return Row(
        id=str(one["id"]),
        level=str(one["level"]),
        part=str(one["part"]),
        topic=str(one["topic"]),
        quirk=bool(one.get("quirk")),
        otherwise=str(one.get("otherwise", "")),
    )


def load_left_out() -> dict[str, tuple[str, ...]]:
    """Reasons, each with the rows that no check covers for it."""
    document = json.loads(LEFT_OUT.read_text(encoding="utf-8"))
    if document.get("schema") != "parallama/left-out/1":
        raise ValueError(f"{LEFT_OUT} is no parallama/left-out/1")
    return {one["reason"]: tuple(one["rows"]) for one in document["reasons"]}


def left_out_text(reasons: dict[str, tuple[str, ...]]) -> str:
    """The file of rows left out, as it is written."""
    groups = [
        f'    {{\n      "reason": {json.dumps(reason, ensure_ascii=False)},\n'
        f'      "rows": {json.dumps(rows)}\n    }}'
        for reason, rows in reasons.items()
    ]
    told = ",\n".join(groups)
    return f'{{\n  "schema": "parallama/left-out/1",\n  "reasons": [\n{told}\n  ]\n}}\n'

"""What a run amounts to: one pure function that every rendering is derived from."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from .baseline import Baseline
from .check import Level, Outcome
from .parameters import judged, support

FINDINGS = ("failed", "not_testable")
JUDGED = ("passed", "failed", "not_testable")
UNDECIDED = ("not_judged", "unstable", "errored")
SHOWN = (*FINDINGS, "unstable", "errored")  # what asks for a reader

Line = dict[str, Any]  # a verdict of run.jsonl

# An answer that says nothing about the check it was given to: one cause of many failures.
_BELOW = re.compile(
    r"status \d+|no connection|nothing came for|the connection broke|bytes that are"
)


def judge_run(
    verdicts: Sequence[Line],
    *,
    strict: bool = False,
    missing_claims: Iterable[str] = (),
    interrupted: bool = False,
    partial: bool = False,
    every_client: Iterable[str] = (),
    baseline: Baseline | None = None,
) -> dict[str, Any]:
    """The footer of a run, all but its time."""
    known = baseline or Baseline()
    made: dict[str, Any] = {
        "headline": headline(verdicts, known),
        "counts": counts(verdicts),
        "by_level": _split(verdicts, "level"),
        "by_class": _split(verdicts, "class"),
        "clients": clients(verdicts, every_client),
        "identical": identical(verdicts, partial=partial),
        "causes": [[line["id"] for line in group] for group in causes(verdicts)],
        "exit_status": exit_status(verdicts, strict, missing_claims, interrupted, known),
        "interrupted": interrupted,
    }
    matrix = support(verdicts)
    made |= {"parameters": matrix} if judged(matrix) else {}
    return made if baseline is None else {**made, "baseline": baseline.weighed(verdicts)}


def counts(verdicts: Iterable[Line]) -> dict[str, int]:
    """How many verdicts there are of each outcome."""
    found = Counter(line["verdict"] for line in verdicts)
    return {outcome.value: found[outcome.value] for outcome in Outcome}


def _split(verdicts: Sequence[Line], key: str) -> dict[str, dict[str, int]]:
    names = dict.fromkeys(line[key] for line in verdicts)
    return {name: counts(line for line in verdicts if line[key] == name) for name in names}


def headline(verdicts: Sequence[Line], known: Baseline | None = None) -> str:
    """Such as `118/118 of 164 MUST (46 not offered)`: never a bare yes."""
    must = [line for line in verdicts if line["level"] == "MUST"]
    found = counts(must)
    judged = sum(found[outcome] for outcome in JUDGED)
    words = ("not_offered", *UNDECIDED)
    apart = [f"{found[word]} {word.replace('_', ' ')}" for word in words if found[word]]
    tolerated = sum(known.tolerates(line) for line in must) if known else 0
    apart = [f"{tolerated} known", *apart] if tolerated else apart
    note = f" ({', '.join(apart)})" if apart else ""
    return f"{found['passed']}/{judged} of {len(must)} MUST{note}"


def identical(verdicts: Sequence[Line], *, partial: bool = False) -> dict[str, Any]:
    """Whether anything tells the target from Ollama; None where something was left undecided."""
    findings = [line for line in verdicts if line["verdict"] in FINDINGS]
    levels = [f"{number} {level}" for level in Level
              if (number := sum(line["level"] == level for line in findings))]  # fmt: skip
    absent = dict.fromkeys(line["class"] for line in verdicts if line["verdict"] == "not_offered")
    parts = [f"{', '.join(levels)} failed"] if levels else []
    parts += [f"{', '.join(absent)} not offered"] if absent else []
    if parts:
        return {"verdict": False, "because": "; ".join(parts)}
    found = counts(verdicts)
    open_ = [f"{found[word]} {word.replace('_', ' ')}" for word in UNDECIDED if found[word]]
    open_ += [f"only {len(verdicts)} checks ran"] if partial else []
    if open_ or not verdicts:
        return {"verdict": None, "because": ", ".join(open_) or "nothing was judged"}
    return {"verdict": True, "because": f"none of {len(verdicts)} checks tells them apart"}


def clients(verdicts: Iterable[Line], every: Iterable[str] = ()) -> list[dict[str, Any]]:
    """For each client: whether a failed check breaks it; None if nothing of it was judged."""
    of: dict[str, list[Line]] = {name: [] for name in every}
    for line in verdicts:
        for client in line["breaks"]:
            of.setdefault(client, []).append(line)
    return [_client(name, of[name]) for name in sorted(of, key=str.lower)]


def _client(name: str, lines: list[Line]) -> dict[str, Any]:
    failed = [line["id"] for line in lines if line["verdict"] in FINDINGS]
    judged = any(line["verdict"] in JUDGED for line in lines)
    groups = dict.fromkeys(line["class"] for line in lines)
    by_class = {group: _needs([one for one in lines if one["class"] == group]) for group in groups}
    return {
        "client": name,
        "works": not failed if judged else None,
        "failed": failed,
        "by_class": by_class,
    }


def _needs(lines: list[Line]) -> str:
    """How a client fares with one class."""
    found = {line["verdict"] for line in lines}
    if found & set(FINDINGS):
        return "breaks"
    if "passed" in found:
        return "works"
    return "not_offered" if "not_offered" in found else "not_judged"


def causes(verdicts: Iterable[Line]) -> list[list[Line]]:
    """What asks for a reader, those of one cause together; MUST first."""
    order = [level.value for level in Level]
    shown = [line for line in verdicts if line["verdict"] in SHOWN]
    groups: dict[str, list[Line]] = {}
    for line in sorted(shown, key=lambda line: order.index(line["level"])):
        groups.setdefault(_cause(line), []).append(line)
    return list(groups.values())


def _cause(line: Line) -> str:
    """What findings of one cause have in common: route, what was expected, what came.

    Where the answer failed below what was asked (a status, a broken line) or lacked a key, what
    the check was about does not matter.
    """
    expected, actual = line.get("expected"), line.get("actual")
    if isinstance(actual, str) and _BELOW.match(actual):
        return json.dumps([line["verdict"], actual])
    if isinstance(expected, str) and expected.startswith("a key "):
        return json.dumps([line["verdict"], expected])
    if line["verdict"] == "not_testable":
        return json.dumps([line["verdict"], line.get("reason")])
    said = (line.get("evidence") or [{}])[-1]
    asked = [said.get("method"), said.get("path")]
    return json.dumps([line["verdict"], asked, expected, actual], default=str)


def exit_status(
    verdicts: Sequence[Line],
    strict: bool,
    missing_claims: Iterable[str],
    interrupted: bool,
    known: Baseline,
) -> int:
    """0 no MUST failed, 1 findings, 2 interrupted (as pytest has it), 4 our own fault."""
    if interrupted:
        return 2
    counted = {"MUST", "SHOULD"} if strict else {"MUST"}
    new = [line for line in verdicts if line["verdict"] in FINDINGS and not known.tolerates(line)]
    if any(line["level"] in counted for line in new) or list(missing_claims):
        return 1
    if any(known.outdated(line) or known.expired(line) for line in verdicts):
        return 1
    return 4 if any(line["verdict"] == "errored" for line in verdicts) else 0

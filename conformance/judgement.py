"""What a run amounts to: one pure function that every rendering is derived from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from .check import Outcome

FINDINGS = ("failed", "not_testable")
JUDGED = ("passed", "failed", "not_testable")

Line = dict[str, Any]  # a verdict of run.jsonl


def judge_run(
    verdicts: Sequence[Line],
    *,
    strict: bool = False,
    missing_claims: Iterable[str] = (),
    interrupted: bool = False,
) -> dict[str, Any]:
    """The footer of a run, all but its time."""
    return {
        "headline": headline(verdicts),
        "counts": counts(verdicts),
        "by_level": _split(verdicts, "level"),
        "by_class": _split(verdicts, "class"),
        "clients": clients(verdicts),
        "exit_status": exit_status(verdicts, strict, missing_claims, interrupted),
        "interrupted": interrupted,
    }


def counts(verdicts: Iterable[Line]) -> dict[str, int]:
    """How many verdicts there are of each outcome."""
    found = Counter(line["verdict"] for line in verdicts)
    return {outcome.value: found[outcome.value] for outcome in Outcome}


def _split(verdicts: Sequence[Line], key: str) -> dict[str, dict[str, int]]:
    names = dict.fromkeys(line[key] for line in verdicts)
    return {name: counts(line for line in verdicts if line[key] == name) for name in names}


def headline(verdicts: Sequence[Line]) -> str:
    """Such as `118/118 of 164 MUST (46 not offered)`: never a bare yes."""
    must = [line for line in verdicts if line["level"] == "MUST"]
    found = counts(must)
    judged = sum(found[outcome] for outcome in JUDGED)
    words = ("not_offered", "not_judged", "unstable", "errored")
    apart = [f"{found[word]} {word.replace('_', ' ')}" for word in words if found[word]]
    note = f" ({', '.join(apart)})" if apart else ""
    return f"{found['passed']}/{judged} of {len(must)} MUST{note}"


def clients(verdicts: Iterable[Line]) -> list[dict[str, Any]]:
    """For each client: whether a failed check breaks it; None if nothing of it was judged."""
    of: dict[str, list[Line]] = {}
    for line in verdicts:
        for client in line["breaks"]:
            of.setdefault(client, []).append(line)
    return [_client(name, of[name]) for name in sorted(of, key=str.lower)]


def _client(name: str, lines: list[Line]) -> dict[str, Any]:
    failed = [line["id"] for line in lines if line["verdict"] in FINDINGS]
    judged = any(line["verdict"] in JUDGED for line in lines)
    return {"client": name, "works": not failed if judged else None, "failed": failed}


def exit_status(
    verdicts: Sequence[Line], strict: bool, missing_claims: Iterable[str], interrupted: bool
) -> int:
    """0 no MUST failed, 1 findings, 2 interrupted (as pytest has it), 4 our own fault."""
    if interrupted:
        return 2
    counted = {"MUST", "SHOULD"} if strict else {"MUST"}
    findings = [line for line in verdicts if line["verdict"] in FINDINGS]
    if any(line["level"] in counted for line in findings) or list(missing_claims):
        return 1
    return 4 if any(line["verdict"] == "errored" for line in verdicts) else 0

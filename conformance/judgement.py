"""What a run amounts to: one pure function that every rendering is derived from."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from .baseline import Baseline
from .check import Level, Outcome
from .parameters import judged, support

FINDINGS = ("failed", "not_testable")
JUDGED = ("passed", "failed", "not_testable")
UNDECIDED = ("not_judged", "unstable", "errored")
OF_CLIENTS = "clients/"  # checks that ask what one client asks
SHOWN = (*FINDINGS, "unstable", "errored")  # what asks for a reader

Line = dict[str, Any]  # a verdict of run.jsonl

# An answer that says nothing about the check it was given to: one cause of many failures.
_BELOW = re.compile(
    r"status \d+|no connection|nothing came for|the connection broke|bytes that are"
)


_NO_ROUTE = re.compile(r"/\S+ is answered ")  # see calibrate.missing_routes


def judge_run(
    verdicts: Sequence[Line],
    *,
    strict: bool = False,
    missing_claims: Iterable[str] = (),
    interrupted: bool = False,
    partial: bool = False,
    needs: Mapping[str, Sequence[str]] = MappingProxyType({}),
    absent: Iterable[str] = (),
    baseline: Baseline | None = None,
) -> dict[str, Any]:
    """The footer of a run, all but its time.

    :param needs: the clients there are, each with the classes that it cannot do without.
    :param absent: the classes that the target does not offer, also those that no check judges.
    """
    known = baseline or Baseline()
    made: dict[str, Any] = {
        "headline": headline(verdicts, known),
        "counts": counts(verdicts),
        "by_level": _split(verdicts, "level"),
        "by_class": _split(verdicts, "class"),
        "clients": clients(verdicts, needs, absent),
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
    some = dict.fromkeys(line["class"] for line in verdicts if line["verdict"] == "not_offered")
    there = {line["class"] for line in verdicts if line["verdict"] != "not_offered"}
    lacks = [name for name in some if name not in there]
    partly = [name for name in some if name in there]
    parts = [f"{', '.join(levels)} failed"] if levels else []
    parts += [f"{', '.join(lacks)} not offered"] if lacks else []
    parts += [f"parts of {', '.join(partly)} not offered"] if partly else []
    if parts:
        return {"verdict": False, "because": "; ".join(parts)}
    found = counts(verdicts)
    open_ = [f"{found[word]} {word.replace('_', ' ')}" for word in UNDECIDED if found[word]]
    open_ += [f"only {len(verdicts)} checks ran"] if partial else []
    if open_ or not verdicts:
        return {"verdict": None, "because": ", ".join(open_) or "nothing was judged"}
    return {"verdict": True, "because": f"none of {len(verdicts)} checks tells them apart"}


def clients(
    verdicts: Iterable[Line],
    needs: Mapping[str, Sequence[str]] = MappingProxyType({}),
    absent: Iterable[str] = (),
) -> list[dict[str, Any]]:
    """For each client: whether it works, breaks, or is not offered, or not judged, its needs."""
    of: dict[str, list[Line]] = {name: [] for name in needs}
    for line in verdicts:
        for client in line["breaks"]:
            of.setdefault(client, []).append(line)
    gone = set(absent)
    return [
        _client(name, of[name], needs.get(name, ()), gone) for name in sorted(of, key=str.lower)
    ]


def _client(name: str, lines: list[Line], needs: Sequence[str], gone: set[str]) -> dict[str, Any]:
    failed = [line["id"] for line in lines if line["verdict"] in FINDINGS]
    groups = dict.fromkeys([*(line["class"] for line in lines), *needs])
    by_class = {
        group: _needs([one for one in lines if one["class"] == group], group in gone)
        for group in groups
    }
    verdict = _whether(by_class, needs)
    missing = "not_judged" if verdict == "not_judged" else "not_offered"
    return {
        "client": name,
        "works": {"works": True, "breaks": False}.get(verdict),
        "verdict": verdict,
        "lacks": [group for group in needs if by_class[group] == missing],
        "failed": failed,
        "by_class": by_class,
    }


def _whether(by_class: Mapping[str, str], needs: Sequence[str]) -> str:
    """How a client fares as a whole: what breaks comes first, then what it cannot do without."""
    words = [by_class[group] for group in needs] or list(by_class.values())
    if "breaks" in by_class.values():
        return "breaks"
    if needs:
        return next((one for one in ("not_offered", "not_judged") if one in words), "works")
    return next((one for one in ("works", "not_offered") if one in words), "not_judged")


def _needs(lines: list[Line], gone: bool) -> str:
    """How a client fares with one class, which may be gone without that a check says so."""
    found = {line["verdict"] for line in lines}
    if found & set(FINDINGS):
        return "breaks"
    own = {line["verdict"] for line in lines
           if line["id"].startswith(OF_CLIENTS) and line["level"] == "MUST"}  # fmt: skip
    if "passed" in found and "not_offered" not in own:
        return "works"
    return "not_offered" if gone or "not_offered" in found else "not_judged"


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
    expected, actual, reason = line.get("expected"), line.get("actual"), line.get("reason") or ""
    if _NO_ROUTE.match(reason):
        return reason
    if isinstance(actual, str) and _BELOW.match(actual):
        return json.dumps([line["verdict"], actual])
    if isinstance(expected, str) and expected.startswith(("a key ", "`error` to be")):
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

"""Runs checks: one at a time into a verdict of run.jsonl; and what comes before and after them."""

from __future__ import annotations

import math
import secrets
import time
import traceback
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from .address import Address
from .calibrate import (
    absent_classes,
    calibrate,
    listed_names,
    missing_routes,
    mute,
    recites,
)
from .check import CHECKS, Check, Level, Outcome, Undecided, Verdict
from .clients import consequences
from .evidence import Exchange, Json, Wrong
from .extra import dismiss_extras
from .provision import left, provision, remove
from .setup import FAMILIES, Calibration, Setup, lacking
from .target import Target
from .wire import Patience
from .witness import Witness

SUITES = Path(__file__).resolve().parent / "suites"
RACE_ATTEMPTS = 5
RACE_S = 10.0  # after so long a time two attempts are enough: what disturbs a clock is short
UNREADABLE = (LookupError, TypeError, AttributeError, ValueError)
READERS = ("reply.py", "moments.py")  # beside the suites, what reads answers
MAX_EVIDENCE = 8  # exchanges kept of one verdict
UNKNOWING = Calibration(trusts_status=True, notes=(), unknown={})
ROUTE_SILENCE_S = 15.0  # an unknown route needs no model
FAREWELL = Patience(silence_s=10.0, total_s=20.0)


class NoSuchModel(Exception):  # noqa: N818
    """The target has no model of the name that the user gave; the message says which it has."""


class Unreachable(Exception):  # noqa: N818
    """Nobody answers HTTP at the target; the message says why, in one line."""


@cache
def load_checks() -> dict[str, Check]:
    """All checks there are, in the order of the suites."""
    for path in sorted(SUITES.glob("[!_]*.py")):
        import_module(f".suites.{path.stem}", __package__)
    return CHECKS


def selected(classes: Iterable[str], level: str | None) -> list[Check]:
    """The checks of these classes (all, if none is named) at this level or above."""
    levels = list(Level)
    kept = levels[: levels.index(Level(level.upper())) + 1] if level else levels
    wanted = set(classes)
    checks = load_checks().values()
    return [one for one in checks if one.level in kept and (not wanted or one.group in wanted)]


def reach(address: Address, silence_s: float = 90.0) -> Exchange:
    """What the target says of its version. Raises Unreachable where nobody answers HTTP."""
    unknown = Setup(address.url, "", None, None, False, UNKNOWING, silence_s=silence_s)
    first = Target(unknown).get("/api/version")
    if first.status is None:
        raise Unreachable(f"{address.url} cannot be judged: {first.error}")
    return first


def prepare(address: Address, model: str | None, silence_s: float = 90.0) -> Setup:
    """Calibrate the target and create the scripted models on it.

    Raises Unreachable and NoSuchModel.
    """
    token = secrets.token_hex(4)
    setup = Setup(address.url, token, None, None, False, UNKNOWING, silence_s=silence_s)
    first = reach(address, silence_s)
    calibration = calibrate(Target(setup, Patience(silence_s=min(silence_s, ROUTE_SILENCE_S))))
    setup = replace(setup, calibration=calibration, server=first.header("Server"))
    setup = replace(setup, missing=missing_routes(Target(setup)), version=_version(Target(setup)))
    try:
        setup = _with_models(setup, model)
        return replace(setup, absent=absent_classes(Target(setup)))
    except BaseException:
        dismiss(setup)
        raise


def _version(target: Target) -> str | None:
    try:
        found = target.get("/api/version").ok.object.get("version")
    except Wrong:
        return None
    return found if isinstance(found, str) else None


def _with_models(setup: Setup, model: str | None) -> Setup:
    target = Target(setup)
    if model is not None:
        scripted = recites(target, model)
        if setup.calibration.trusts_status and target.exchanges[-1].status == 404:
            _require_listed(target, model)
        return replace(setup, model=model, scripted=scripted)
    if mute(setup) is not None:  # a name is all that is needed
        return replace(setup, model=next(iter(listed_names(target)), None))
    prefix = f"parallama-check-{setup.token}"
    try:
        made = provision(target, prefix)
    except BaseException:
        remove(Target(setup, FAREWELL), [f"{prefix}/scripted", f"{prefix}/plain"])
        raise
    if not made.created:
        return replace(setup, provision=made)
    return replace(
        setup,
        provision=made,
        scripted=True,
        model=f"{prefix}/scripted",
        plain=f"{prefix}/plain",
    )


def _require_listed(target: Target, model: str) -> None:
    """Raises NoSuchModel where a model that is not found is not listed either."""
    names = listed_names(target)
    found = {model, f"{model}:latest"} & set(names) or "/api/generate" in target.setup.missing
    if not found:
        there = f"; there are: {', '.join(names)}" if names else ""
        raise NoSuchModel(f"{target.setup.url} has no model {model!r}{there}")


def dismiss(setup: Setup) -> list[str]:
    """Delete what was created on the target in this run; the models that are kept, where they are.

    Also what checks left that were broken off, of which only the target knows.
    """
    target = Target(setup, FAREWELL)
    dismiss_extras(target)
    if setup.keep:
        return left(target)
    prefix = f"parallama-check-{setup.token}"
    made = [f"{prefix}/scripted", f"{prefix}/plain"] if setup.provision is not None else []
    remove(target, made)
    remove(target, left(target))
    return []


def judge(
    check: Check, setup: Setup, claims: Iterable[str] = (), witness: Witness | None = None
) -> dict[str, Any]:
    """Run one check into a verdict of run.jsonl; a race that is lost is run again."""
    return judge_whole(check, setup, claims, witness)[0]


def judge_whole(
    check: Check, setup: Setup, claims: Iterable[str] = (), witness: Witness | None = None
) -> tuple[dict[str, Any], list[Exchange]]:
    """The verdict of one check, and all that was said for it; a witness hears that, too."""
    started = time.monotonic()
    attempts = [_attempt(check, setup, claims, witness)]
    while check.race and _worth_another(attempts, time.monotonic() - started):
        attempts.append(_attempt(check, setup, claims, witness))
    verdict, target = attempts[-1] if len(attempts) == 1 else _of_race(attempts)
    line = verdict_line(check, verdict, target)
    line["duration_ms"] = round((time.monotonic() - started) * 1e3, 3)
    if len(attempts) > 1:
        line["attempts"] = [one.outcome.value for one, _ in attempts]
    if witness is not None and not check.law:
        for _, asked in attempts:
            witness.hear(check.id, setup, asked.exchanges)
    return line, target.exchanges


def _worth_another(attempts: list[tuple[Verdict, Target]], spent_s: float) -> bool:
    first, last = attempts[0][0], attempts[-1][0]
    enough = 2 if spent_s > RACE_S else RACE_ATTEMPTS
    return first.outcome is Outcome.FAILED and not last.sure and len(attempts) < enough


def _of_race(attempts: list[tuple[Verdict, Target]]) -> tuple[Verdict, Target]:
    """Failed if every attempt failed, else unstable; the first failure is what is shown."""
    verdict, target = attempts[0]
    failed = sum(one.outcome is Outcome.FAILED for one, _ in attempts)
    if failed == len(attempts):
        return verdict, target
    reason = f"failed {failed} of {len(attempts)} times"
    return replace(verdict, outcome=Outcome.UNSTABLE, reason=reason), target


def _attempt(
    check: Check, setup: Setup, claims: Iterable[str], witness: Witness | None
) -> tuple[Verdict, Target]:
    target = Target(setup)
    target.witness = witness
    absent = setup.absent.get(check.group)
    if absent is not None:
        return _absent(check, absent, claims), target
    try:
        found = _run(check, target)
    finally:
        target.clean()
    if found.outcome is Outcome.FAILED:
        found = _for_want_of_a_route(found, target)
    if found.outcome is Outcome.NOT_OFFERED:
        found = _absent(check, found.reason or "", claims)
    return found, target


def _run(check: Check, target: Target) -> Verdict:
    try:
        return check.run(target)
    except Wrong as wrong:
        return _wrong(wrong)
    except Undecided as undecided:
        return Verdict(undecided.outcome, reason=undecided.reason)
    except Exception as error:
        return _raised(check, error)


def _for_want_of_a_route(verdict: Verdict, target: Target) -> Verdict:
    """A failure, told as what it is where all it shows is that a route is missing.

    It stays one where nothing else was asked; where it was asked on the way, we could not tell.
    """
    reasons = [target.missing(one) for one in target.exchanges]
    shown = target.missing(verdict.evidence) if verdict.evidence else next(iter(reasons[-1:]), None)
    if shown is None:
        return verdict
    for family, paths in FAMILIES.items():
        if shown.split()[0] in paths and (why := lacking(target.setup, family)):
            return replace(verdict, outcome=Outcome.NOT_OFFERED, reason=why)
    outcome = Outcome.FAILED if all(reasons) else Outcome.NOT_TESTABLE
    return replace(verdict, outcome=outcome, reason=shown)


def _wrong(wrong: Wrong) -> Verdict:
    return Verdict(Outcome.FAILED, wrong.expected, wrong.actual, str(wrong), wrong.evidence)


def _absent(check: Check, why: str, claims: Iterable[str]) -> Verdict:
    """What a class that is not there amounts to: nothing, unless it was claimed."""
    expected = f"class {check.group} to be offered"
    if check.group in set(claims):
        why = f"{check.group} was claimed, but is absent: {why}"
        return Verdict(Outcome.FAILED, expected, "it is absent", why)
    return Verdict(Outcome.NOT_OFFERED, expected, "it is absent", why)


def _raised(check: Check, error: Exception) -> Verdict:
    """Failed where an answer could not be read, else errored.

    Every check reads an honest server's answers to their end (`test_liars` proves it), so what
    cannot be looked up in an answer is the answer's fault.
    """
    place = traceback.extract_tb(error.__traceback__)[-1]
    what = f"{type(error).__name__}: {error} ({Path(place.filename).name}:{place.lineno})"
    reads = Path(place.filename).parent == SUITES or Path(place.filename).name in READERS
    if reads and isinstance(error, UNREADABLE):
        reason = "the answer is not of the shape that it has to have"
        return Verdict(Outcome.FAILED, check.title, what, reason)
    return Verdict(Outcome.ERRORED, check.title, what, "the check itself broke; this is our fault")


def told(value: Json) -> Json:
    """What a check expected or got, as JSON can say it; keys that are not text become text."""
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, Mapping):
        return {str(key): told(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [told(one) for one in value]
    if isinstance(value, set | frozenset):
        return sorted((told(one) for one in value), key=str)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if value is None or isinstance(value, str | int | float) else str(value)


def verdict_line(check: Check, verdict: Verdict, target: Target) -> dict[str, Any]:
    """A verdict as run.jsonl has it, without its duration."""
    shown = verdict.evidence or (target.exchanges[-1] if target.exchanges else None)
    made = target.setup.provision  # what a check that asked nothing was told of
    untold = made.curl if made is not None else None
    line: dict[str, Any] = {
        "kind": "verdict",
        "id": check.id,
        "level": check.level.value,
        "class": check.group,
        "title": check.title,
        "source": check.source,
        "verdict": verdict.outcome.value,
        "covers": list(check.covers),
        "breaks": list(check.breaks),
        "expected": told(verdict.expected),
        "actual": told(verdict.actual),
        "reason": verdict.reason,
        "curl": target.command(shown) if shown else untold,
    }
    if verdict.outcome not in (Outcome.PASSED, Outcome.NOT_OFFERED, Outcome.NOT_JUDGED):
        kept = [one for one in target.exchanges if one is not shown][-(MAX_EVIDENCE - 1) :]
        exchanges = [*kept, shown] if shown else kept
        line["evidence"] = [one.document() for one in exchanges]
    if verdict.outcome is Outcome.FAILED:
        line["consequences"] = consequences(check.covers)
    return line

"""What a check is, what it may say, and the few words with which a check says it.

A check is one sentence of the API and a pure function from a target to a verdict. How checks
are run lives in `run`; what a whole run amounts to in `judgement`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NoReturn

from .evidence import Exchange

if TYPE_CHECKING:
    from .target import Target


class Level(StrEnum):
    """How much depends on it (RFC 2119)."""

    MUST = "MUST"
    SHOULD = "SHOULD"
    MAY = "MAY"


MUST, SHOULD, MAY = Level.MUST, Level.SHOULD, Level.MAY


class Outcome(StrEnum):
    """What came of a check."""

    PASSED = "passed"
    FAILED = "failed"  # the target is wrong
    NOT_OFFERED = "not_offered"  # its class is consistently absent
    NOT_TESTABLE = "not_testable"  # offered, but its prerequisite failed: red
    NOT_JUDGED = "not_judged"  # needs the scripted model: grey
    UNSTABLE = "unstable"  # sometimes so, sometimes so: never a pass
    ERRORED = "errored"  # we could not tell


CLASSES = [
    "core",
    "streaming",
    "options",
    "context",
    "format",
    "thinking",
    "tools",
    "logprobs",
    "vision",
    "embeddings",
    "lifecycle",
    "manage",
    "create",
    "transfer",
    "openai",
    "responses",
    "anthropic",
    "concurrency",
    "safety",
]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check says. `evidence` is the exchange to show; the last one if None."""

    outcome: Outcome
    expected: object = None
    actual: object = None
    reason: str | None = None
    evidence: Exchange | None = None
    sure: bool = False  # of a clock: so far off that another attempt would tell nothing new


PASSED = Verdict(Outcome.PASSED)


class Undecided(Exception):  # noqa: N818  # no error: an outcome
    """Ends a check with an outcome that is neither passed nor failed."""

    def __init__(self, outcome: Outcome, reason: str) -> None:
        super().__init__(reason)
        self.outcome = outcome
        self.reason = reason


def not_judged(reason: str) -> NoReturn:
    """End the check: this target gives us nothing to judge it by."""
    raise Undecided(Outcome.NOT_JUDGED, reason)


def not_testable(reason: str) -> NoReturn:
    """End the check: what has to work before it did not."""
    raise Undecided(Outcome.NOT_TESTABLE, reason)


@dataclass(frozen=True, slots=True)
class Check:
    """One sentence of the API and the function that judges it."""

    id: str
    level: Level
    group: str  # its class
    title: str
    source: str
    covers: tuple[str, ...]
    breaks: tuple[str, ...]
    race: bool  # judged by the clock: a failure is tried again
    alone: bool  # disturbs, or is disturbed by, other checks on the same target
    run: Callable[[Target], Verdict]
    law: bool = False  # about the answers that all other checks got: it is judged after them


CHECKS: dict[str, Check] = {}


def check(
    id: str,
    level: Level,
    *,
    group: str,
    source: str,
    covers: tuple[str, ...] = (),
    breaks: tuple[str, ...] = (),
    race: bool = False,
    alone: bool = False,
) -> Callable[[Callable[[Target], Verdict]], Callable[[Target], Verdict]]:
    """Make a check of a function whose docstring is one sentence of the API."""
    assert group in CLASSES, group
    assert not isinstance(covers, str), f"{id} covers a text, not a tuple: a comma is missing"

    def enter(run: Callable[[Target], Verdict]) -> Callable[[Target], Verdict]:
        assert id not in CHECKS, f"two checks are named {id}"
        assert run.__doc__, f"{id} has no sentence"
        title = " ".join(run.__doc__.split())
        CHECKS[id] = Check(id, level, group, title, source, covers, breaks, race, alone, run)
        return run

    return enter


def expect(actual: object, expected: object, evidence: Exchange | None = None) -> Verdict:
    """Passed if both are equal, as JSON sees it: true is not 1, nor anywhere inside."""
    if type(actual) is type(expected) and _alike(actual, expected):
        return PASSED
    return Verdict(Outcome.FAILED, expected, actual, "the values differ", evidence)


def _alike(one: object, other: object) -> bool:
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_alike(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        alike = all(_alike(left, right) for left, right in zip(one, other, strict=False))
        return type(one) is type(other) and len(one) == len(other) and alike
    return one == other


def expect_that(
    holds: bool, expected: object, actual: object, evidence: Exchange | None = None
) -> Verdict:
    """Passed if it holds; `expected` is a sentence that says what."""
    if holds:
        return PASSED
    return Verdict(Outcome.FAILED, expected, actual, "the rule does not hold", evidence)


def every(verdicts: Iterable[Verdict]) -> Verdict:
    """The first verdict that is not passed; the rest is not looked at."""
    return next((found for found in verdicts if found.outcome is not Outcome.PASSED), PASSED)


def expect_error(
    got: Exchange, statuses: tuple[int, ...], containing: str = "", exactly: str = ""
) -> Verdict:
    """Passed if it is a JSON error with one of these statuses and, where given, this text."""
    wanted = f"status {' or '.join(map(str, statuses))}"
    if got.code not in statuses:
        return expect_that(False, wanted, f"status {got.status}: {got.loose_text[:200]}", got)
    text = got.error_text
    if exactly and text != exactly:
        return Verdict(Outcome.FAILED, exactly, text, "the text of the error differs", got)
    said = containing.lower() in text.lower()
    return expect_that(said, f"an error that says {containing!r}", text, got)

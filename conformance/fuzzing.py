"""Runs made-up requests against a target, and shrinks the one that fails to its smallest form.

Hypothesis makes them up and shrinks; it is imported where it is used. A seed makes a run
repeatable, and nothing is kept on disk.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from .check import PASSED, Outcome, Verdict, expect, expect_that
from .evidence import Exchange
from .laws import Case, broken
from .reply import read
from .target import Target
from .wire import Patience

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

EXAMPLES = 25  # of each family, unless --fuzz says otherwise
SILENCE_S = 15.0  # these requests are small
SHRINKING_S = 8.0
SHRINKING_REQUESTS = 300


class Broken(Exception):  # noqa: N818  # a finding
    """An answer that breaks its law."""

    def __init__(self, case: Case, got: Exchange, what: str) -> None:
        super().__init__(what)
        self.case = case
        self.got = got
        self.what = what


Before = Callable[[Target, Case], None]
After = Callable[[Target, Case], "str | None"]


@dataclass
class Shrinking:
    """Judges cases; once one has failed, only for a while, so that shrinking has an end.

    `before` makes what a case needs; `after` says what is wrong with what came of it.
    """

    target: Target
    before: Before | None = None
    after: After | None = None
    found: dict[Case, Exception] = field(default_factory=dict)
    since: float | None = None
    asked: int = 0

    def judge(self, case: Case) -> None:
        """Ask, and raise Broken where the law is; what failed once is not asked again.

        It fails again as it did, whatever it was: Hypothesis would blame us for what comes and
        goes.
        """
        if case in self.found:
            raise self.found[case]
        if self.since is not None and self._spent():
            return
        self.asked += 1
        try:
            self._ask(case)
        except Exception as error:
            if self.since is None:
                self.since, self.asked = time.monotonic(), 0
            self.found[case] = error
            raise

    def _ask(self, case: Case) -> None:
        if self.before is not None:
            self.before(self.target, case)
        headers = {"Content-Type": "application/json"} if case.body is not None else {}
        got = self.target.request(case.method, case.path, case.body, headers)
        what = broken(got, case)
        if what is None and self.after is not None:
            what = self.after(self.target, case)
        if what is not None:
            raise Broken(case, got, what)

    def _spent(self) -> bool:
        assert self.since is not None
        over = time.monotonic() - self.since > SHRINKING_S
        return over or self.asked > SHRINKING_REQUESTS


@cache
def _draw_by_the_seed_alone() -> None:
    """Take from Hypothesis the words of our own modules, which it mixes in where we are a checkout.

    Which modules are loaded differs from process to process, so a seed would not repeat a run.
    There is no setting for it; where the name is gone, nothing is changed.
    """
    from hypothesis.internal.conjecture import providers

    kept = getattr(providers, "_get_local_constants", None)
    if kept is not None:
        none = type(kept())()
        providers._get_local_constants = lambda: none


def keeps_law(
    target: Target,
    family: str,
    cases: SearchStrategy[Case],
    share: float = 1.0,
    *,
    before: Before | None = None,
    after: After | None = None,
) -> Verdict:
    """Passed if no made-up request breaks its law, and the server answers as before after them.

    :param share: how many of them there are, of as many as were asked for.
    """
    from hypothesis import HealthCheck, Phase, given, seed, settings

    _draw_by_the_seed_alone()
    setup = target.setup
    target.patience = Patience(silence_s=min(setup.silence_s, SILENCE_S))
    examples = max(1, round((setup.fuzz or EXAMPLES) * share))
    shrinking = Shrinking(target, before, after)
    quiet: dict[str, Any] = {"database": None, "deadline": None, "print_blob": False}
    start = zlib.crc32(f"{setup.fuzz_seed}/{family}".encode())

    @seed(start)
    @settings(
        max_examples=examples,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
        **quiet,
    )
    @given(cases)
    def run(case: Case) -> None:
        shrinking.judge(case)

    try:
        try:
            run()
        except SystemError:  # CPython 3.11 may lose count while Hypothesis has it parse a lambda
            run()
    except Broken as found:
        again = f"found with --fuzz {examples} --fuzz-seed {setup.fuzz_seed}"
        return Verdict(Outcome.FAILED, found.case.law.value, found.what, again, found.got)
    return _as_before(target)


def keep_law(target: Target, cases: Iterable[Case]) -> Verdict:
    """Passed if none of these requests breaks its law, and the server answers as before."""
    target.patience = Patience(silence_s=min(target.setup.silence_s, SILENCE_S))
    try:
        for case in cases:
            Shrinking(target).judge(case)
    except Broken as found:
        return expect_that(False, found.case.law.value, found.what, found.got)
    return _as_before(target)


def _as_before(target: Target) -> Verdict:
    """Passed if a recital is answered as it has to be."""
    if target.setup.model is None:
        return PASSED
    got = target.chat()
    text = read(got).text
    if not target.setup.scripted:
        return PASSED
    return expect(text, target.recital("greeting").content, got)

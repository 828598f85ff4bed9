"""The pytest plugin: checks become items, so that -k, -x, --lf, --junitxml and xdist work.

    pytest -p parallama.conformance.plugin --target URL

A failed MUST fails its item; a failed SHOULD is an expected failure unless --target-strict.
"""

from __future__ import annotations

import fcntl
import gc
import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from . import hooks
from .baseline import Baseline, BaselineError, read_baseline
from .check import Check
from .clients import NEEDS
from .document import RunDocument
from .evidence import Json
from .gathering import Gathering
from .heading import header, now
from .items import PROPERTY, CheckItem, Suite
from .judgement import FINDINGS, judge_run
from .normal import normal
from .provision import farewell
from .reference import Reference, find_reference, read_reference
from .run import (
    SUITES,
    NoSuchModel,
    Unreachable,
    dismiss,
    judge_whole,
    load_checks,
    prepare,
)
from .settings import Settings, target_address
from .setup import Setup, read_setup

MAX_SILENCES, IMPATIENT_S = 2, 3.0
SILENT = "nothing came for"  # of a target that hangs
CRASHED = "???"  # when, in the words of xdist, a check ran whose process died over it
MAX_REASON = 400  # characters
YOUNG = 10_000  # objects, after which garbage is looked for; by default so often that it tells
DOUBTED = (*FINDINGS, "unstable")


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of a run, named so that they do not meet pytest's own."""
    group = parser.getgroup("parallama", "conformance of an Ollama server")
    group.addoption("--target", metavar="URL", help="the server to judge")
    group.addoption("--target-model", metavar="NAME", help="a model that is there already")
    group.addoption("--target-class", metavar="NAME", action="append", default=[])
    group.addoption("--target-claim", metavar="NAME", action="append", default=[])
    group.addoption("--target-level", choices=("must", "should", "may"))
    group.addoption("--target-registry-host", metavar="HOST", help="how the target reaches us")
    group.addoption("--target-registry-bind", metavar="HOST", help="where our registry listens")
    group.addoption("--target-strict", action="store_true", help="a failed SHOULD counts")
    group.addoption("--target-baseline", metavar="FILE", type=Path, help="failures that are known")
    group.addoption("--target-reference", metavar="URL", help="a second server, or a recording")
    group.addoption("--target-record", action="store_true", help="tell listeners what was said")
    group.addoption("--target-fuzz", metavar="N", type=int, default=0, help="made-up requests")
    group.addoption("--target-fuzz-seed", metavar="N", type=int, default=0)
    group.addoption("--target-keep", action="store_true", help="leave what the run creates")
    group.addoption("--target-out", metavar="DIR", type=Path, help="write the documents here")


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Let listeners be plugins."""
    pluginmanager.add_hookspecs(hooks)


def pytest_configure(config: pytest.Config) -> None:
    """With a target, the suites are what is collected."""
    option = config.option
    if option.target is None:
        return
    try:
        known = read_known(option.target_baseline)
    except BaselineError as error:
        raise pytest.UsageError(str(error)) from None
    settings = Settings(
        address=target_address(option.target),
        model=option.target_model,
        classes=tuple(option.target_class),
        claims=tuple(option.target_claim),
        level=option.target_level,
        strict=option.target_strict,
        expression=option.keyword or None,
        out=option.target_out,
        registry_host=option.target_registry_host,
        registry_bind=option.target_registry_bind,
        baseline=known,
        reference=option.target_reference,
        record=option.target_record,
        fuzz=option.target_fuzz,
        fuzz_seed=option.target_fuzz_seed,
        keep=option.target_keep,
    )
    gc.set_threshold(YOUNG)
    if config.args_source is not config.ArgsSource.ARGS:
        config.args = [str(SUITES)]
    if settings.out is not None and not hasattr(config, "workerinput"):
        config.pluginmanager.register(RunDocument(settings.out), "parallama-document")
    config.pluginmanager.register(Judge(config, settings), "parallama-judge")


def read_known(path: Path | None) -> Baseline | None:
    """The baseline in a file, as of today; None without a file. Raises BaselineError."""
    today = datetime.now(UTC).date()
    return None if path is None else read_baseline(path, load_checks(), today)


class Judge:
    """Collects, prepares, judges, and sums up; in xdist, judging is what the workers do."""

    def __init__(self, config: pytest.Config, settings: Settings) -> None:
        self.config = config
        self.settings = settings
        self.worker: dict[str, Any] | None = getattr(config, "workerinput", None)
        self.setup: Setup | None = None
        self.reference: Reference | None = None
        self.total = 0  # checks of this run
        self.whole = 0  # checks there are
        self.verdicts: list[dict[str, Any]] = []
        self.started = False
        self.silences = 0
        self.gathering = Gathering()

    # -- before -----------------------------------------------------------------------------

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        """Calibrate and provision, once."""
        if self.worker is not None:
            known = json.loads(self.worker[PROPERTY])
            self.setup = read_setup(known["setup"])
            self.reference = read_reference(known["reference"]) if known["reference"] else None
            self.gathering.share(self.setup.token)
        elif not self.config.option.collectonly:
            try:
                self._prepare()
            except Unreachable as why:
                pytest.exit(str(why), returncode=3)
            except (NoSuchModel, ValueError) as why:
                raise pytest.UsageError(str(why)) from None

    def _prepare(self) -> None:
        settings = self.settings
        self.whole = len(load_checks())
        if settings.reference is not None:
            self.reference = find_reference(settings.reference, settings.model)
            if self.reference.setup is not None:  # asked as the target is, by the same chance
                setup = replace(self._as_asked(self.reference.setup), keep=False)
                self.reference = replace(self.reference, setup=setup)
        try:
            self.setup = self._as_asked(prepare(settings.address, settings.model))
        except BaseException:
            if self.reference is not None and self.reference.setup is not None:
                dismiss(self.reference.setup)
            raise

    def _as_asked(self, setup: Setup) -> Setup:
        """With what the user said of registries and of made-up requests."""
        settings = self.settings
        return replace(
            setup,
            registry_host=settings.registry_host,
            registry_bind=settings.registry_bind,
            fuzz=settings.fuzz,
            fuzz_seed=settings.fuzz_seed,
            keep=settings.keep,
        )

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Json) -> None:
        """Tell an xdist worker what we know."""
        assert self.setup is not None
        reference = self.reference.document() if self.reference else None
        known = {"setup": self.setup.document(), "reference": reference}
        self.gathering.open(self.setup.token)
        node.workerinput[PROPERTY] = json.dumps(known)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: list[str]) -> None:
        """Learn from a worker how many checks there will be."""
        self.total = len(ids)

    def pytest_collect_directory(self, path: Path, parent: pytest.Collector) -> object:
        """The suites, without importing them as test modules."""
        return pytest.Dir.from_parent(parent, path=path) if path == SUITES else None

    def pytest_collect_file(self, file_path: Path, parent: pytest.Collector) -> object:
        """A suite."""
        is_suite = file_path.parent == SUITES and file_path.name[0] != "_"
        return Suite.from_parent(parent, path=file_path, judge=self) if is_suite else None

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Laws come last; before them, where several share the checks, those to be alone."""
        if self.worker is not None:
            items.sort(key=lambda item: isinstance(item, CheckItem) and item.check.alone)
        items.sort(key=lambda item: isinstance(item, CheckItem) and item.check.law)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Count what has to be over before a law is judged."""
        checks = (item.check for item in session.items if isinstance(item, CheckItem))
        self.gathering.expected = sum(not one.law for one in checks)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> None:
        """Tell the listeners how many checks there will be."""
        if self.setup is not None and self.worker is None and session.items:
            self._start(len(session.items))

    def _start(self, total: int) -> None:
        assert self.setup is not None
        self.started = True
        made = header(self.setup, self.settings, self.reference)
        self.config.hook.pytest_parallama_started(setup=self.setup, header=made, total=total)

    # -- during -----------------------------------------------------------------------------

    def verdict(self, check: Check) -> dict[str, Any]:
        """Judge one check; in company, one that must be alone waits for the others, as laws do."""
        if check.law:
            self.gathering.gather()
        line = self._judge(check) if self.worker is None else self._in_company(check)
        self._lose_patience(SILENT in str(line["actual"]))
        return line

    def _in_company(self, check: Check) -> dict[str, Any]:
        """The verdict beside other workers; what does not pass beside them is judged again, alone.

        So a run of several workers finds what a run of one finds: company only saves time.
        """
        assert self.setup is not None
        with _company(self.setup.token, alone=check.alone):
            line = self._judge(check)
        if (
            check.law
            or check.alone
            or line["verdict"] not in DOUBTED
            or SILENT in str(line["actual"])
        ):
            return line
        with _company(self.setup.token, alone=True):
            again = self._judge(check)
        if again["verdict"] != line["verdict"]:
            again["attempts"] = [line["verdict"], *again.get("attempts", [again["verdict"]])]
            why = f"only beside other checks: {line['reason']}: {line['actual']}"[:MAX_REASON]
            again["reason"] = again["reason"] or why
        return again

    def _judge(self, check: Check) -> dict[str, Any]:
        """The verdict; with what was said where someone wants that, and what another said."""
        assert self.setup is not None
        witness = self.gathering.witness
        line, exchanges = judge_whole(check, self.setup, self.settings.claims, witness)
        if self.reference is None and not self.settings.record:
            return line
        pairs = normal(exchanges, self.setup.token)
        if self.reference is not None:
            beside = self.reference.beside(check, pairs, self.settings.claims)
            line |= {"reference": beside} if beside is not None else {}
        return line | ({"exchanges": pairs} if self.settings.record else {})

    def _lose_patience(self, hung: bool) -> None:
        """After some silences in a row the target is taken for dead, and waited for less."""
        self.silences = self.silences + 1 if hung else 0
        if self.silences == MAX_SILENCES and self.setup is not None:
            self.setup = replace(self.setup, silence_s=IMPATIENT_S)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Pass a verdict on, whichever process it comes from."""
        if report.when == CRASHED and self.worker is None:
            self.gathering.close()  # what it had to judge may be given to one that waits for it
        found = dict(report.user_properties).get(PROPERTY)
        if report.when != "call" or self.worker is not None or not isinstance(found, str):
            return
        if not self.started:
            self._start(self.total)
        verdict = json.loads(found)
        said = verdict.pop("exchanges", None)
        if said is not None:
            self.config.hook.pytest_parallama_exchanges(verdict=verdict, exchanges=said)
        self.verdicts.append(verdict)
        self.config.hook.pytest_parallama_verdict(verdict=verdict)

    # -- after ------------------------------------------------------------------------------

    @pytest.hookimpl(wrapper=True)
    def pytest_sessionfinish(self, exitstatus: int) -> Iterator[None]:
        """Clean up and sum up, also after Ctrl-C; first of all, no law waits any longer."""
        if self.worker is None:
            self.gathering.close()
        yield
        self._finish(exitstatus)

    def _finish(self, exitstatus: int) -> None:
        if self.worker is None and self.reference is not None and self.reference.setup is not None:
            dismiss(self.reference.setup)
        if self.worker is not None or self.setup is None:
            return
        kept = dismiss(self.setup)
        _lock(self.setup.token).unlink(missing_ok=True)
        if not self.started:
            return
        missing = set(self.settings.claims) & set(self.setup.absent)
        footer = judge_run(
            self.verdicts,
            strict=self.settings.strict,
            missing_claims=missing,
            interrupted=exitstatus == pytest.ExitCode.INTERRUPTED,
            partial=len(self.verdicts) < self.whole,
            needs=NEEDS,
            absent=self.setup.absent,
            baseline=self.settings.baseline,
        )
        made = {"kind": "footer", "finished_at": now(), **footer}
        if self.setup.keep:
            made["kept"] = {"models": kept, "delete": farewell(self.setup.url, kept)}
        self.config.hook.pytest_parallama_finished(footer=made)


@contextmanager
def _company(token: str, *, alone: bool) -> Iterator[None]:
    """Hold a lock among the workers of a run: shared, or for oneself."""
    with _lock(token).open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        yield


def _lock(token: str) -> Path:
    return Path(tempfile.gettempdir()) / f"parallama-check-{token}.lock"

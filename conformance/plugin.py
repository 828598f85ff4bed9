"""The pytest plugin: checks become items, so that -k, -x, --lf, --junitxml and xdist work.

    pytest -p parallama.conformance.plugin --target URL

A failed MUST fails its item; a failed SHOULD is an expected failure unless --target-strict.
"""

from __future__ import annotations

import fcntl
import json
import platform
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from . import hooks
from .check import Check
from .document import RunDocument
from .evidence import Json
from .judgement import FINDINGS, judge_run
from .run import SUITES, NoSuchModel, Unreachable, dismiss, judge, prepare, selected
from .settings import Settings, target_address
from .setup import Setup, read_setup

PROPERTY = "parallama"
MAX_SILENCES, IMPATIENT_S = 2, 3.0


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of a run, named so that they do not meet pytest's own."""
    group = parser.getgroup("parallama", "conformance of an Ollama server")
    group.addoption("--target", metavar="URL", help="the server to judge")
    group.addoption("--target-model", metavar="NAME", help="a model that is there already")
    group.addoption("--target-class", metavar="NAME", action="append", default=[])
    group.addoption("--target-claim", metavar="NAME", action="append", default=[])
    group.addoption("--target-level", choices=("must", "should", "may"))
    group.addoption("--target-strict", action="store_true", help="a failed SHOULD counts")
    group.addoption("--target-out", metavar="DIR", type=Path, help="write the documents here")


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Let listeners be plugins."""
    pluginmanager.add_hookspecs(hooks)


def pytest_configure(config: pytest.Config) -> None:
    """With a target, the suites are what is collected."""
    option = config.option
    if option.target is None:
        return
    settings = Settings(
        address=target_address(option.target),
        model=option.target_model,
        classes=tuple(option.target_class),
        claims=tuple(option.target_claim),
        level=option.target_level,
        strict=option.target_strict,
        expression=option.keyword or None,
        out=option.target_out,
    )
    if config.args_source is not config.ArgsSource.ARGS:
        config.args = [str(SUITES)]
    if settings.out is not None and not hasattr(config, "workerinput"):
        config.pluginmanager.register(RunDocument(settings.out), "parallama-document")
    config.pluginmanager.register(Judge(config, settings), "parallama-judge")


class Judge:
    """Collects, prepares, judges, and sums up; in xdist, judging is what the workers do."""

    def __init__(self, config: pytest.Config, settings: Settings) -> None:
        self.config = config
        self.settings = settings
        self.worker: dict[str, Any] | None = getattr(config, "workerinput", None)
        self.setup: Setup | None = None
        self.verdicts: list[dict[str, Any]] = []
        self.started = False
        self.silences = 0

    # -- before -----------------------------------------------------------------------------

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        """Calibrate and provision, once."""
        if self.worker is not None:
            self.setup = read_setup(json.loads(self.worker[PROPERTY]))
        elif not self.config.option.collectonly:
            try:
                self.setup = prepare(self.settings.address, self.settings.model)
            except Unreachable as why:
                pytest.exit(str(why), returncode=3)
            except NoSuchModel as why:
                raise pytest.UsageError(str(why)) from None

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Json) -> None:
        """Tell an xdist worker what we know."""
        assert self.setup is not None
        node.workerinput[PROPERTY] = json.dumps(self.setup.document())

    def pytest_collect_directory(self, path: Path, parent: pytest.Collector) -> object:
        """The suites, without importing them as test modules."""
        return pytest.Dir.from_parent(parent, path=path) if path == SUITES else None

    def pytest_collect_file(self, file_path: Path, parent: pytest.Collector) -> object:
        """A suite."""
        is_suite = file_path.parent == SUITES and file_path.name[0] != "_"
        return Suite.from_parent(parent, path=file_path, judge=self) if is_suite else None

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> None:
        """Tell the listeners how many checks there will be."""
        if self.setup is not None and self.worker is None and session.items:
            self._start(len(session.items))

    def _start(self, total: int) -> None:
        assert self.setup is not None
        self.started = True
        made = header(self.setup, self.settings)
        self.config.hook.pytest_parallama_started(setup=self.setup, header=made, total=total)

    # -- during -----------------------------------------------------------------------------

    def verdict(self, check: Check) -> dict[str, Any]:
        """Judge one check; in company, one that must be alone waits for the others."""
        assert self.setup is not None
        if self.worker is None:
            line = judge(check, self.setup, self.settings.claims)
        else:
            with _company(self.setup.token, alone=check.alone or check.race):
                line = judge(check, self.setup, self.settings.claims)
        self._lose_patience("nothing came for" in str(line["actual"]))
        return line

    def _lose_patience(self, hung: bool) -> None:
        """After some silences in a row the target is taken for dead, and waited for less."""
        self.silences = self.silences + 1 if hung else 0
        if self.silences == MAX_SILENCES and self.setup is not None:
            self.setup = replace(self.setup, silence_s=IMPATIENT_S)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Pass a verdict on, whichever process it comes from."""
        found = dict(report.user_properties).get(PROPERTY)
        if report.when != "call" or self.worker is not None or not isinstance(found, str):
            return
        if not self.started:
            self._start(0)
        verdict = json.loads(found)
        self.verdicts.append(verdict)
        self.config.hook.pytest_parallama_verdict(verdict=verdict)

    # -- after ------------------------------------------------------------------------------

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, exitstatus: int) -> None:
        """Clean up and sum up, also after Ctrl-C."""
        if self.worker is not None or self.setup is None:
            return
        dismiss(self.setup)
        _lock(self.setup.token).unlink(missing_ok=True)
        if not self.started:
            return
        missing = set(self.settings.claims) & set(self.setup.absent)
        footer = judge_run(
            self.verdicts,
            strict=self.settings.strict,
            missing_claims=missing,
            interrupted=exitstatus == pytest.ExitCode.INTERRUPTED,
        )
        made = {"kind": "footer", "finished_at": now(), **footer}
        self.config.hook.pytest_parallama_finished(footer=made)


class Suite(pytest.File):
    """A module of checks."""

    def __init__(self, *, judge: Judge, **given: Json) -> None:
        super().__init__(**given)
        self.judge = judge

    def collect(self) -> Iterator[pytest.Item]:
        """Its checks, as far as they are selected."""
        settings = self.judge.settings
        for one in selected(settings.classes, settings.level):
            if one.run.__module__.rpartition(".")[2] == self.path.stem:
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
        verdict = self.judge.verdict(self.check)
        self.user_properties.append((PROPERTY, json.dumps(verdict)))
        outcome = verdict["verdict"]
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


@contextmanager
def _company(token: str, *, alone: bool) -> Iterator[None]:
    """Hold a lock among the workers of a run: shared, or for oneself."""
    with _lock(token).open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        yield


def _lock(token: str) -> Path:
    return Path(tempfile.gettempdir()) / f"parallama-check-{token}.lock"


def now() -> str:
    """The time, as documents have it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def header(setup: Setup, settings: Settings) -> dict[str, Any]:
    """The header of run.jsonl."""
    return {
        "kind": "header",
        "schema": "parallama/run/1",
        "suite_version": _suite_version(),
        "started_at": now(),
        "target": {
            "url": setup.url,
            "version": setup.version,
            "server": setup.server,
            "model": setup.model,
            "scripted": setup.scripted,
        },
        "selection": settings.selection,
        "machine": {
            "system": f"{platform.system()} {platform.release()}",
            "architecture": platform.machine(),
            "python": platform.python_version(),
        },
        "calibration": {
            "trusts_status": setup.calibration.trusts_status,
            "notes": list(setup.calibration.notes),
        },
    }


def _suite_version() -> str:
    try:
        return metadata.version("parallama")
    except metadata.PackageNotFoundError:
        return "0"

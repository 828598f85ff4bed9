"""parallama-conformance: is this server an Ollama, and which clients would it break?

Parses the command line and hands over to pytest, in whose items the checks run.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

from .settings import keep_to_ourselves, target_address

if TYPE_CHECKING:
    import pytest
    from rich.console import Console

    from .check import Check

USAGE, UNREACHABLE, OUR_FAULT = 2, 3, 4


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="parallama-conformance",
        description="Judge a server by the Ollama API. With no URL: OLLAMA_HOST, else port 11434.",
        epilog="Exit status: 0 no MUST failed, 1 findings, 2 usage, 3 unreachable, 4 our fault.",
    )
    add = parser.add_argument
    add("url", nargs="?", metavar="URL", help="the server, such as http://127.0.0.1:11434")
    add("--model", metavar="NAME", help="a model that is there; none is created then")
    add("-k", dest="expression", metavar="EXPR", help="only checks whose ids match (as in pytest)")
    add("--class", dest="classes", action="append", default=[], metavar="NAME", help="only this")
    add("--claim", dest="claims", action="append", default=[], metavar="NAME",
        help="a class that must be there: its absence is a finding")  # fmt: skip
    add("--level", metavar="LEVEL", help="must, should (and must) or may (all, the default)")
    add("--strict", action="store_true", help="a failed SHOULD counts, too")
    add("-o", dest="out", metavar="DIR", type=Path, default=Path("out/conformance"),
        help="where run.jsonl, junit.xml, report.html, badge.svg go (out/conformance)")  # fmt: skip
    add("--list", action="store_true", help="list the checks and run none")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program; its exit status."""
    asked = parse(arguments)
    keep_to_ourselves()
    from .run import Unreachable, load_checks, reach

    checks = load_checks()
    groups = sorted({one.group for one in checks.values()})
    for option, given, known in (
        ("--class", asked.classes, groups),
        ("--claim", asked.claims, groups),
        ("--level", [asked.level] if asked.level else [], ["must", "should", "may"]),
    ):
        for name in given:
            if name not in known:
                return _complain(f"{option} {name!r} is not known; there are: {', '.join(known)}")
    try:
        address = target_address(asked.url)
        if not asked.list:
            reach(address)
    except ValueError as error:
        return _complain(str(error))
    except Unreachable as why:
        return _complain(str(why), UNREACHABLE)
    return _run(asked, address.url)


def _run(asked: argparse.Namespace, url: str) -> int:
    """Hand over to pytest, which knows nothing of the user's own settings for it."""
    import pytest
    from rich.console import Console

    from .document import RunDocument
    from .run import SUITES
    from .terminal import Terminal

    console = Console(soft_wrap=True, highlight=False)
    document = RunDocument(asked.out)
    terminal = Terminal(console, document)
    ending = Ending()
    listeners: list[Any] = [Listing(console)] if asked.list else [document, terminal]
    if asked.list:  # nothing is sent, and `| head` ends it quietly
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    restore = signal.signal(signal.SIGTERM, _interrupt)
    try:
        given = _pytest_arguments(asked, url, SUITES)
        status = pytest.main(given, plugins=[*listeners, ending])
    finally:
        signal.signal(signal.SIGTERM, restore)
    if status == pytest.ExitCode.NO_TESTS_COLLECTED:
        which = f" matches -k {asked.expression!r}" if asked.expression else " is selected"
        return _complain(f"no check{which}; --list shows those there are")
    if status == pytest.ExitCode.USAGE_ERROR:
        return USAGE
    if asked.list:
        return 0 if status == 0 else OUR_FAULT
    if ending.footer is not None:
        terminal.show_documents()
        return int(ending.footer["exit_status"])
    return USAGE if status == pytest.ExitCode.INTERRUPTED else OUR_FAULT


def _pytest_arguments(asked: argparse.Namespace, url: str, suites: Path) -> list[str]:
    given = ["-c", "/dev/null", "--rootdir", str(suites), "-p", f"{__package__}.plugin"]
    given += ["-p", "no:terminal", "-p", "no:cacheprovider", "-p", "no:faulthandler"]
    given += ["--capture=no", "--target", url]
    given += ["--target-model", asked.model] if asked.model else []
    given += ["--target-level", asked.level] if asked.level else []
    given += ["--target-strict"] if asked.strict else []
    given += ["-k", asked.expression] if asked.expression else []
    given += ["--collect-only"] if asked.list else []
    given += [word for name in asked.classes for word in ("--target-class", name)]
    return given + [word for name in asked.claims for word in ("--target-claim", name)]


class Ending:
    """Keeps what a run ended with."""

    def __init__(self) -> None:
        self.footer: dict[str, Any] | None = None

    def pytest_parallama_finished(self, footer: dict[str, Any]) -> None:
        """Keep the footer."""
        self.footer = footer


class Listing:
    """Prints the collected checks: for people by class, for programs a line each."""

    def __init__(self, console: Console) -> None:
        self.console = console

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Id, level, class, sentence and rows of each."""
        listed: list[Check] = [item.check for item in session.items if hasattr(item, "check")]
        if not self.console.is_terminal:
            for one in listed:
                fields = (one.id, one.level, one.group, one.title, " ".join(one.covers))
                print("\t".join(fields))  # rich would make blanks of tabs
            return
        group = ""
        for one in sorted(listed, key=lambda one: one.group):
            if one.group != group:
                group = one.group
                self.console.rule(group, align="left")
            self.console.print(f"[bold]{one.id}[/]  {one.level}  [dim]{' '.join(one.covers)}[/]")
            self.console.print(f"    {one.title}", markup=False)


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    """SIGTERM cleans up as Ctrl-C does."""
    del number, frame
    raise KeyboardInterrupt


def _complain(sentence: str, status: int = USAGE) -> int:
    sys.stderr.write(f"parallama-conformance: {sentence}\n")
    return status


if __name__ == "__main__":
    sys.exit(main())

"""parallama-conformance: is this server an Ollama, and which clients would it break?

Parses the command line and hands over to pytest, in whose items the checks run; or to one of the
commands that read what a run left.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from .commandline import parse, pytest_arguments
from .settings import keep_to_ourselves, target_address

USAGE, UNREACHABLE, OUR_FAULT = 2, 3, 4


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program; its exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words[:1] == ["record"]:
        return _start(parse(words[1:], recording=True))
    if words and words[0] in ("compare", "matrix", "baseline"):
        from . import commands

        return commands.main(words[0], words[1:])
    return _start(parse(words))


def _start(asked: argparse.Namespace) -> int:
    """Refuse what cannot be, before anything is asked of anyone."""
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
        _look_at_files(asked)
        if not asked.list:
            reach(address)
        if asked.reference and not Path(asked.reference).is_file():
            reach(target_address(asked.reference))
    except ValueError as error:
        return _complain(str(error))
    except Unreachable as why:
        return _complain(str(why), UNREACHABLE)
    return _run(asked, address.url)


def _look_at_files(asked: argparse.Namespace) -> None:
    """Raises ValueError where a baseline or a recording cannot be used, or -n is no number."""
    from .plugin import read_known
    from .reference import read_recording

    read_known(asked.baseline)
    if asked.reference and "://" not in asked.reference and Path(asked.reference).is_file():
        read_recording(Path(asked.reference))
    if asked.workers and asked.workers not in ("auto", "logical") and not asked.workers.isdecimal():
        raise ValueError(f"-n {asked.workers!r}: how many processes, or auto")


def _run(asked: argparse.Namespace, url: str) -> int:
    """Hand over to pytest, which knows nothing of the user's own settings for it."""
    import pytest
    from rich.console import Console

    from .document import RunDocument
    from .listing import Listing
    from .recording import Recorder
    from .run import SUITES
    from .terminal import Terminal

    console = Console(soft_wrap=True, highlight=False)
    document = None if asked.record else RunDocument(asked.out, asked.junit)
    terminal = Terminal(console, document)
    ending = Ending()
    listeners: list[Any] = [Recorder(asked.record) if asked.record else document, terminal]
    if asked.list:  # nothing is sent, and `| head` ends it quietly
        listeners = [Listing(console, as_json=asked.json)]
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    restore = signal.signal(signal.SIGTERM, _interrupt)
    try:
        given = pytest_arguments(asked, url, SUITES)
        status = pytest.main(given, plugins=[*listeners, ending])
    finally:
        signal.signal(signal.SIGTERM, restore)
    if status == pytest.ExitCode.NO_TESTS_COLLECTED and ending.footer is None:
        which = f" matches -k {asked.expression!r}" if asked.expression else " is selected"
        return _complain(f"no check{which}; --list shows those there are")
    if status == pytest.ExitCode.USAGE_ERROR:
        return USAGE
    if asked.list:
        return 0 if status == 0 else OUR_FAULT
    if ending.footer is None:
        return USAGE if status == pytest.ExitCode.INTERRUPTED else OUR_FAULT
    terminal.show_documents()
    if asked.record and not ending.footer["interrupted"]:
        print(asked.record)
        return 0
    return int(ending.footer["exit_status"])


class Ending:
    """Keeps what a run ended with."""

    def __init__(self) -> None:
        self.footer: dict[str, Any] | None = None

    def pytest_parallama_finished(self, footer: dict[str, Any]) -> None:
        """Keep the footer."""
        self.footer = footer


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    """SIGTERM cleans up as Ctrl-C does."""
    del number, frame
    raise KeyboardInterrupt


def _complain(sentence: str, status: int = USAGE) -> int:
    sys.stderr.write(f"parallama-conformance: {sentence}\n")
    return status


if __name__ == "__main__":
    sys.exit(main())

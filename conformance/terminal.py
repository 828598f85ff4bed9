"""What a run looks like on the terminal: progress while it runs, then a table and the findings."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from .document import RunDocument
from .judgement import FINDINGS, JUDGED
from .setup import Setup

STYLES = {
    "passed": "green",
    "failed": "bold red",
    "not_testable": "bold red",
    "unstable": "yellow",
    "errored": "magenta",
    "not_offered": "dim",
    "not_judged": "dim",
}
LEVELS = ("MUST", "SHOULD", "MAY")
APART = ("not_offered", "not_judged", "unstable", "errored")
MAX_SHOWN = 300
MAX_ALIKE = 12


class Terminal:
    """Listens to a run and shows it."""

    def __init__(self, console: Console, document: RunDocument | None) -> None:
        self.console = console
        self.document = document
        self.verdicts: list[dict[str, Any]] = []
        self._progress: Progress | None = None

    def pytest_parallama_started(self, setup: Setup, header: dict[str, Any], total: int) -> None:
        """Say who is judged, and start the bar."""
        del header
        self.console.print(_introduction(setup), highlight=False)
        for note in setup.calibration.notes:
            self.console.print(f"  calibration: {escape(note)}; so a status of 200 proves nothing")
        if self.console.is_terminal:
            columns = (TextColumn("{task.description}"), BarColumn(None), MofNCompleteColumn())
            self._progress = Progress(
                *columns, TimeElapsedColumn(), console=self.console, transient=True
            )
            self._progress.add_task("", total=total)
            self._progress.start()

    def pytest_parallama_verdict(self, verdict: dict[str, Any]) -> None:
        """Advance; a finding is shown at once."""
        self.verdicts.append(verdict)
        if verdict["verdict"] in (*FINDINGS, "errored", "unstable"):
            style = STYLES[verdict["verdict"]]
            word = verdict["verdict"].replace("_", " ")
            self.console.print(f"[{style}]{word:>12}[/] {verdict['level']:6} {verdict['id']}")
        if self._progress is not None:
            self._progress.update(
                self._progress.task_ids[0], advance=1, description=f"{verdict['id']:40.40}"
            )

    def pytest_parallama_finished(self, footer: dict[str, Any]) -> None:
        """The table, the findings, the clients, and the headline last."""
        if self._progress is not None:
            self._progress.stop()
        self.console.print()
        self.console.print(table(self.verdicts))
        self._show_findings()
        self._show_clients(footer["clients"])
        if footer["interrupted"]:
            self.console.print("[yellow]interrupted: what follows is not the whole[/]")
        colour = {0: "green", 1: "red"}.get(footer["exit_status"], "yellow")
        self.console.print(f"\n[bold {colour}]{escape(footer['headline'])}[/]", highlight=False)

    def show_documents(self) -> None:
        """Where the documents are."""
        if self.document is None or not self.document.out.exists():
            return
        written = sorted(path.name for path in self.document.out.iterdir() if path.is_file())
        self.console.print(f"{_relative(self.document.out)}: {', '.join(written)}", style="dim")
        for note in self.document.notes:
            self.console.print(note, style="yellow", markup=False)

    def _show_findings(self) -> None:
        shown = [
            line for line in self.verdicts if line["verdict"] in (*FINDINGS, "unstable", "errored")
        ]
        for level in LEVELS:
            lines = [line for line in shown if line["level"] == level]
            if lines:
                self.console.print(f"\n[bold]{level}[/]")
            for group in alike(lines):
                self.console.print(finding(group[0], [line["id"] for line in group[1:]]))

    def _show_clients(self, clients: list[dict[str, Any]]) -> None:
        broken = [one for one in clients if one["works"] is False]
        working = [one["client"] for one in clients if one["works"]]
        if broken:
            self.console.print("\n[bold]Clients[/]")
        for one in broken:
            why = f"{', '.join(one['failed'][:4])}{', …' if len(one['failed']) > 4 else ''}"
            self.console.print(f"  [red]{one['client']}[/]: broken by {why}", highlight=False)
        if working:
            label = "  will work" if broken else "Clients that will work"
            self.console.print(f"{label}: [green]{', '.join(working)}[/]", highlight=False)


def _introduction(setup: Setup) -> Text:
    told = Text(f"{setup.url}", style="bold")
    told.append(f"  version {setup.version or 'unknown'}", style="")
    model = setup.model or "no model"
    kind = "scripted" if setup.scripted else "ordinary: its words are not judged"
    told.append(f", {model} ({kind})" if setup.model else ", no model", style="dim")
    return told


def table(verdicts: list[dict[str, Any]]) -> Table:
    """Classes by level: passed of judged, and what stands apart."""
    made = Table(box=None, pad_edge=False, header_style="bold")
    made.add_column("class")
    for level in LEVELS:
        made.add_column(level, justify="right")
    made.add_column("apart", style="dim")
    for group in dict.fromkeys(line["class"] for line in verdicts):
        made.add_row(group, *_cells([line for line in verdicts if line["class"] == group]))
    made.add_section()
    made.add_row("all", *_cells(verdicts), style="bold")
    return made


def _cells(lines: list[dict[str, Any]]) -> list[Text]:
    cells = []
    for level in LEVELS:
        judged = [one for one in lines if one["level"] == level and one["verdict"] in JUDGED]
        passed = sum(one["verdict"] == "passed" for one in judged)
        style = "green" if passed == len(judged) else "bold red"
        cells.append(Text(f"{passed}/{len(judged)}", style) if judged else Text("-", "dim"))
    found = Counter(one["verdict"] for one in lines)
    apart = [f"{found[word]} {word.replace('_', ' ')}" for word in APART if found[word]]
    return [*cells, Text(", ".join(apart))]


def alike(lines: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """The findings, those of one cause together: what was expected and came is the same."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for line in lines:
        cause = json.dumps([line["verdict"], line["expected"], line["actual"]], default=str)
        groups.setdefault(cause, []).append(line)
    return list(groups.values())


def finding(line: dict[str, Any], others: list[str]) -> Text:
    """One finding: sentence, expected, actual, clients and a line to paste; others alike."""
    told = Text("  ")
    told.append(line["id"], style=STYLES[line["verdict"]])
    told.append(f"  {line['title']}\n")
    if line["verdict"] in ("not_testable", "unstable", "errored"):
        told.append(f"    {line['verdict'].replace('_', ' ')}: {line['reason']}\n")
    if line["expected"] is not None:
        told.append("    expected  ", "dim").append(f"{_shown(line['expected'])}\n")
        told.append("    actual    ", "dim").append(f"{_shown(line['actual'])}\n")
    if others:
        more = f" and {len(others) - MAX_ALIKE} more" if len(others) > MAX_ALIKE else ""
        told.append("    same in   ", "dim").append(f"{', '.join(others[:MAX_ALIKE])}{more}\n")
    if line["breaks"]:
        told.append("    breaks    ", "dim").append(f"{', '.join(line['breaks'])}\n")
    if line["curl"]:
        told.append("    try       ", "dim").append(f"{line['curl']}\n", "cyan")
    return told


def _shown(value: object) -> str:
    """A value of a verdict on one line; control characters are written out."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode() for one in text
    )
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 1]}…"


def _relative(path: Path) -> Path:
    try:
        return path.resolve().relative_to(Path.cwd())
    except ValueError:
        return path

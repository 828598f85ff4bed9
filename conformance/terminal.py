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
from .judgement import JUDGED, SHOWN, causes
from .normal import first_difference
from .parameter_table import parameter_table
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
MAX_FAILED = 4
MAX_PARTED = 20
LEAD = 30  # characters shown before the place where two texts part


class Terminal:
    """Listens to a run and shows it."""

    def __init__(self, console: Console, document: RunDocument | None) -> None:
        self.console = console
        self.document = document
        self.verdicts: list[dict[str, Any]] = []
        self._progress: Progress | None = None
        self.reference: str | None = None

    def pytest_parallama_started(self, setup: Setup, header: dict[str, Any], total: int) -> None:
        """Say who is judged, and start the bar."""
        self.reference = header.get("reference", {}).get("name")
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
        if verdict["verdict"] in SHOWN:
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
        if "parameters" in footer:
            self.console.print()
            self.console.print(parameter_table(footer["parameters"]))
        weighed = footer.get("baseline")
        self._show_findings({entry["id"] for entry in weighed["known"]} if weighed else set())
        if weighed:
            self._show_baseline(weighed)
        if self.reference:
            self._show_reference(self.reference)
        self._show_verdicts(footer)
        if footer["interrupted"]:
            self.console.print("[yellow]interrupted: what follows is not the whole[/]")
        if "kept" in footer:
            self._show_kept(footer["kept"])
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

    def _show_findings(self, known: set[str]) -> None:
        """The findings, those of one cause together, under the level of the first."""
        lines = [line for line in self.verdicts if line["id"] not in known]
        level = ""
        for group in causes(lines):
            if group[0]["level"] != level:
                level = group[0]["level"]
                self.console.print(f"\n[bold]{level}[/]")
            self.console.print(finding(group))

    def _show_kept(self, kept: dict[str, Any]) -> None:
        """The models that stay, and how to be rid of them; their blobs go with them."""
        names = kept["models"]
        self.console.print(f"\n[bold]Kept[/]: {len(names)} models, and the blobs they consist of")
        for name in names:
            self.console.print(f"  {name}", markup=False, highlight=False)
        if names:
            self.console.print("  [dim]delete them (their blobs go with them):[/]")
            self.console.print(f"  {kept['delete']}", style="cyan", markup=False, highlight=False)

    def _show_baseline(self, weighed: dict[str, list[dict[str, str]]]) -> None:
        for word, title, style in (
            ("known", "Known failures, tolerated by the baseline", "dim"),
            ("expired", "In the baseline, but no longer tolerated", "bold red"),
            ("fixed", "In the baseline, but passed: take them out", "bold red"),
        ):
            if weighed[word]:
                self.console.print(f"\n[{style}]{title}[/]")
            for entry in weighed[word]:
                until = f"until {entry['expires']}"
                self.console.print(f"  {entry['id']}  {escape(entry['reason'])} [dim]({until})[/]")

    def _show_reference(self, name: str) -> None:
        """Where another server ends otherwise, or answers the same request in another way."""
        asked = [line for line in self.verdicts if "reference" in line]
        parted = [line for line in asked if line["reference"]["parted"]
                  or line["reference"]["verdict"] != line["verdict"]]  # fmt: skip
        self.console.print(
            f"\n[bold]Beside {escape(name)}[/]: {len(parted)} of {len(asked)} checks part"
        )
        alike: dict[str, list[dict[str, Any]]] = {}
        for line in parted:
            alike.setdefault(_where(line), []).append(line)
        groups = list(alike.values())
        for group in groups[:MAX_PARTED]:
            self.console.print(_parted(group[0], [line["id"] for line in group[1:]]))
        rest = sum(len(group) for group in groups[MAX_PARTED:])
        if rest:
            self.console.print(f"  and {rest} more: run.jsonl has them all")

    def _show_verdicts(self, footer: dict[str, Any]) -> None:
        """The two that people ask for: do my clients work, and is it Ollama."""
        clients = footer["clients"]
        broken = [one for one in clients if one["works"] is False]
        working = [one["client"] for one in clients if one["works"]]
        if broken or working:
            colour = "red" if broken else "green"
            share = f"{len(working)} of {len(broken) + len(working)}"
            self.console.print(f"\n[bold]Clients will work[/]: [{colour}]{share}[/]")
        for one in broken:
            self.console.print(_broken(one))
        if working:
            self.console.print(f"  [green]work[/]: {', '.join(working)}", highlight=False)
        for word in ("not_offered", "not_judged") if broken or working else ():
            if told := _lacking([one for one in clients if one["verdict"] == word]):
                title = word.replace("_", " ")
                self.console.print(f"  [dim]{title}[/]: {told}", highlight=False)
        same = footer["identical"]
        word, colour = {
            True: ("yes", "green"),
            False: ("no", "red"),
            None: ("not known", "yellow"),
        }[same["verdict"]]
        self.console.print(
            f"[bold]Identical to Ollama[/]: [{colour}]{word}[/], {same['because']}", highlight=False
        )


def _lacking(clients: list[dict[str, Any]]) -> str:
    """Clients, those together that lack the same classes."""
    of: dict[str, list[str]] = {}
    for one in clients:
        of.setdefault(", ".join(one["lacks"]), []).append(one["client"])
    return "; ".join(f"{', '.join(names)} ({lacks})" if lacks else ", ".join(names)
                     for lacks, names in of.items())  # fmt: skip


def _broken(client: dict[str, Any]) -> Text:
    """A client that breaks: in what, and over which checks."""
    told = Text("  ").append("breaks", "red").append(f": {client['client']}")
    bad = [group for group, word in client["by_class"].items() if word == "breaks"]
    good = [group for group, word in client["by_class"].items() if word == "works"]
    told.append(f" in {', '.join(bad)}")
    more = ", …" if len(client["failed"]) > MAX_FAILED else ""
    told.append(f" ({', '.join(client['failed'][:MAX_FAILED])}{more})", "dim")
    return told.append(f"; works in {', '.join(good)}" if good else "")


def _where(line: dict[str, Any]) -> str:
    """What checks have in common that part from the reference alike."""
    beside = line["reference"]
    parting = next(iter(beside["partings"]), None)
    if parting is None:
        return str(line["id"])
    place = first_difference(parting["reference"], parting["actual"])
    return json.dumps([line["verdict"], beside["verdict"], parting["request"]["path"], place])


def _parted(line: dict[str, Any], others: list[str]) -> Text:
    """One check that came out, or was answered, otherwise at the reference; others alike."""
    beside = line["reference"]
    told = Text("  ").append(line["id"], "bold")
    if beside["verdict"] != line["verdict"]:
        words = (beside["verdict"].replace("_", " "), line["verdict"].replace("_", " "))
        told.append(f"  {words[0]} there, {words[1]} here")
    for parting in beside["partings"][:1]:
        request = parting["request"]
        place, there, here = first_difference(parting["reference"], parting["actual"])
        told.append(f"\n    {request['method']} {request['path']}: {place or 'the answer'}", "dim")
        told.append("\n    there     ", "dim").append(_shown(there))
        told.append("\n    here      ", "dim").append(_shown(here))
    if others:
        more = f" and {len(others) - MAX_ALIKE} more" if len(others) > MAX_ALIKE else ""
        told.append("\n    same in   ", "dim").append(f"{', '.join(others[:MAX_ALIKE])}{more}")
    return told


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


def finding(group: list[dict[str, Any]]) -> Text:
    """One cause: sentence, expected, actual, what clients do, a line to paste; checks alike."""
    line, others = group[0], [one["id"] for one in group[1:]]
    told = Text("  ")
    told.append(line["id"], style=STYLES[line["verdict"]])
    told.append(f"  {line['title']}\n")
    if line["verdict"] in ("not_testable", "unstable", "errored"):
        told.append(f"    {line['verdict'].replace('_', ' ')}: {line['reason']}\n")
    if line["expected"] is not None:
        expected, actual = side_by_side(line["expected"], line["actual"])
        told.append("    expected  ", "dim").append(f"{expected}\n")
        told.append("    actual    ", "dim").append(f"{actual}\n")
    if others:
        more = f" and {len(others) - MAX_ALIKE} more" if len(others) > MAX_ALIKE else ""
        told.append("    same in   ", "dim").append(f"{', '.join(others[:MAX_ALIKE])}{more}\n")
    broken = breaking(group)
    if broken:
        told.append("    breaks    ", "dim").append(f"{broken}\n")
    if line["curl"]:
        told.append("    try       ", "dim").append(f"{line['curl']}\n", "cyan")
    return told


def breaking(group: list[dict[str, Any]]) -> str:
    """The clients that a cause breaks, first those of which it is known what they do."""
    does: dict[str, str] = {}
    for line in group:
        for one in line.get("consequences", ()):
            does.setdefault(one["client"], one["does"])
    rest = dict.fromkeys(name for line in group for name in line["breaks"] if name not in does)
    told = [f"{name} {what}" for name, what in does.items()]
    return "; ".join([*told, ", ".join(rest)] if rest else told)


def side_by_side(expected: object, actual: object) -> tuple[str, str]:
    """Both on a line each; of two long texts that begin alike, from where they part."""
    one, other = _plain(expected), _plain(actual)
    shorter = min(len(one), len(other))
    common = next((at for at in range(shorter) if one[at] != other[at]), shorter)
    if common > LEAD and max(len(one), len(other)) > MAX_SHOWN // 2:
        start = common - LEAD
        return f"…{_cut(one[start:])}", f"…{_cut(other[start:])}"
    return _cut(one), _cut(other)


def _shown(value: object) -> str:
    """A value of a verdict on one line."""
    return _cut(_plain(value))


def _plain(value: object) -> str:
    """A value in a line; control characters are written out."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode() for one in text
    )


def _cut(text: str) -> str:
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 1]}…"


def _relative(path: Path) -> Path:
    try:
        return path.resolve().relative_to(Path.cwd())
    except ValueError:
        return path

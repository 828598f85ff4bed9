"""The end of a run: summary.json and its tables, the picture on the terminal, and the page that
`reports` makes."""

from __future__ import annotations

import contextlib
import gc
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console

from . import document, summary, tables, terminal
from .run import SAMPLES

WIDTH = 110
"""Of the table where there is no terminal."""
WRITTEN = ("summary.json", "points.csv", "samples.csv", "bench.txt")


def conclude(folder: Path) -> dict[str, Any]:
    """Write all that follows from samples.jsonl, print the table; the summary."""
    with no_collection():
        whole = document.read(folder / SAMPLES)
        made = summary.summary(whole)
    text = json.dumps(made, indent=2, allow_nan=False)
    (folder / "summary.json").write_text(text + "\n", encoding="utf-8")
    with page(folder) as process:  # meanwhile, since it takes another core
        tables.write(folder, made, whole)
        complaint = why_none(process)
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    console.print(terminal.figures(made))
    for remark in terminal.remarks(made):
        console.print(remark, markup=False)
    written = ", ".join((SAMPLES, *WRITTEN, *(() if complaint else ("report.html",))))
    console.print(f"{folder}: {written}", markup=False, highlight=False)
    if complaint is not None:
        print(complaint, file=sys.stderr)
    return made


@contextlib.contextmanager
def no_collection() -> Iterator[None]:
    """Without the garbage collector, which would look through millions of numbers for nothing."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def page(folder: Path) -> subprocess.Popen[str]:
    """Have report.html made by the reports room, a program of its own."""
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "parallama.reports"),
            *(str(folder / "summary.json"), "-o", str(folder)),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def why_none(process: subprocess.Popen[str]) -> str | None:
    """Why there is no page, once its program has ended; None where there is one."""
    _, said = process.communicate()
    if process.returncode == 0:
        return None
    lines = said.strip().splitlines() or [f"status {process.returncode}"]
    if "No module named" in lines[-1]:
        return f"report.html was not made: pip install 'parallama[reports]' ({lines[-1]})"
    return f"report.html was not made: {lines[-1]}"

"""The end of a run: summary.json, the table on the terminal, and the page that `reports` makes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from rich.console import Console

from . import document, frame, terminal
from .run import SAMPLES


def conclude(folder: Path) -> dict[str, Any]:
    """Write summary.json and report.html from samples.jsonl, print the table; the summary."""
    summary = frame.summary(document.read(folder / SAMPLES))
    path = folder / "summary.json"
    path.write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    console = Console()
    console.print(terminal.figures(summary))
    for remark in terminal.remarks(summary):
        console.print(remark, markup=False)
    complaint = page(folder)
    written = f"{folder}: {SAMPLES}, summary.json" + ("" if complaint else ", report.html")
    console.print(written, markup=False, highlight=False)
    if complaint is not None:
        print(complaint, file=sys.stderr)
    return summary


def page(folder: Path) -> str | None:
    """Have report.html made by the reports room, a program of its own; why there is none."""
    made = subprocess.run(
        [
            *(sys.executable, "-m", "parallama.reports"),
            *(str(folder / "summary.json"), str(folder / SAMPLES), "-o", str(folder)),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode == 0:
        return None
    lines = made.stderr.strip().splitlines() or [f"status {made.returncode}"]
    if "No module named" in lines[-1]:
        return f"report.html was not made: pip install 'parallama[reports]' ({lines[-1]})"
    return f"report.html was not made: {lines[-1]}"

"""The documents of a run: run.jsonl as it goes; at its end junit.xml, badge.svg and report.html."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, TextIO
from xml.etree import ElementTree

REPORTS = "parallama.reports"
GREEN, RED, GREY = "#2e7d32", "#c62828", "#616161"
CHARACTER_WIDTH = 6.6  # of the badge's 11 px font, about


class RunDocument:
    """Listens to a run and writes it down."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self.notes: list[str] = []  # what could not be written, for the terminal
        self._file: TextIO | None = None
        self._verdicts: list[dict[str, Any]] = []

    def pytest_parallama_started(self, header: dict[str, Any]) -> None:
        """Begin run.jsonl."""
        self.out.mkdir(parents=True, exist_ok=True)
        self._file = (self.out / "run.jsonl").open("w", encoding="utf-8")
        self._write(header)

    def pytest_parallama_verdict(self, verdict: dict[str, Any]) -> None:
        """Add a line to it."""
        self._verdicts.append(verdict)
        self._write(verdict)

    def pytest_parallama_finished(self, footer: dict[str, Any]) -> None:
        """End it, and write what is derived from it."""
        self._write(footer)
        assert self._file is not None
        self._file.close()
        junit(self._verdicts).write(self.out / "junit.xml", encoding="utf-8", xml_declaration=True)
        (self.out / "badge.svg").write_text(badge(footer), encoding="utf-8")
        note = write_page(self.out)
        if note is not None:
            self.notes.append(note)

    def _write(self, line: dict[str, Any]) -> None:
        assert self._file is not None
        self._file.write(json.dumps(line, ensure_ascii=True) + "\n")
        self._file.flush()


def write_page(out: Path) -> str | None:
    """Make report.html with the reports room, a program of its own; a sentence where it cannot."""
    command = [sys.executable, "-m", REPORTS, str(out / "run.jsonl"), "-o", str(out)]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    if made.returncode == 0:
        return None
    last = (made.stderr or made.stdout).strip().splitlines()[-1:] or ["no reason given"]
    if "No module named" in last[0]:
        return f"report.html was not written: pip install 'parallama[reports]' ({last[0]})"
    return f"report.html was not written: {last[0]}"


def junit(verdicts: list[dict[str, Any]]) -> ElementTree.ElementTree[ElementTree.Element]:
    """The verdicts as a JUnit file: one suite a class."""
    root = ElementTree.Element("testsuites", name="parallama conformance")
    for group in dict.fromkeys(line["class"] for line in verdicts):
        lines = [line for line in verdicts if line["class"] == group]
        suite = ElementTree.SubElement(root, "testsuite", name=group, tests=str(len(lines)))
        tags = [_junit_case(suite, line) for line in lines]
        for tag, key in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
            suite.set(key, str(tags.count(tag)))
    return ElementTree.ElementTree(root)


JUNIT_TAGS = {
    "failed": "failure",
    "not_testable": "failure",
    "unstable": "skipped",
    "not_offered": "skipped",
    "not_judged": "skipped",
    "errored": "error",
}


def _junit_case(suite: ElementTree.Element, line: dict[str, Any]) -> str | None:
    """Add one verdict; the tag that it got, None when it passed."""
    seconds = f"{line['duration_ms'] / 1e3:.3f}"
    case = ElementTree.SubElement(
        suite, "testcase", classname=line["class"], name=line["id"], time=seconds
    )
    tag = JUNIT_TAGS.get(line["verdict"])
    if tag is None:
        return None
    note = ElementTree.SubElement(case, tag, type=f"{line['level']} {line['verdict']}")
    note.set("message", printable(line["reason"] or line["verdict"]))
    shown = (f"{key}: {line[key]}" for key in ("title", "expected", "actual", "curl"))
    note.text = printable("\n".join(shown))
    return tag


def printable(text: str) -> str:
    """Without the characters that XML cannot hold."""
    kept = (
        character
        for character in text
        if character in "\t\n" or (character >= " " and character not in "\ufffe\uffff")
    )
    return "".join(kept).encode(errors="replace").decode()


def badge(footer: dict[str, Any]) -> str:
    """The headline as a small picture."""
    left, right = "ollama api", footer["headline"]
    colour = {0: GREEN, 1: RED}.get(footer["exit_status"], GREY)
    split = round(len(left) * CHARACTER_WIDTH + 12)
    width = split + round(len(right) * CHARACTER_WIDTH + 12)
    return f"""<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="20" role="img">
<title>{left}: {right}</title>
<rect width="{width}" height="20" rx="3" fill="{colour}"/>
<path d="M3 0h{split - 3}v20H3a3 3 0 0 1-3-3V3a3 3 0 0 1 3-3z" fill="#424242"/>
<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11" text-anchor="middle">
<text x="{split / 2}" y="14">{left}</text>
<text x="{(split + width) / 2}" y="14">{right}</text>
</g>
</svg>
"""

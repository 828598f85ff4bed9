"""The documents of a run: run.jsonl as it goes; at its end JUnit, badges and the page."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, TextIO
from xml.etree import ElementTree

from .badge import badge, badge_json

REPORTS = "parallama.reports"


class RunDocument:
    """Listens to a run and writes it down."""

    def __init__(self, out: Path, junit_at: Path | None = None) -> None:
        self.out = out
        self.junit_at = junit_at or out / "junit.xml"
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
        self.junit_at.parent.mkdir(parents=True, exist_ok=True)
        tree = junit(self._verdicts, footer.get("baseline"))
        tree.write(self.junit_at, encoding="utf-8", xml_declaration=True)
        (self.out / "badge.svg").write_text(badge(footer), encoding="utf-8")
        told = json.dumps(badge_json(footer), indent=2)
        (self.out / "badge.json").write_text(f"{told}\n", encoding="utf-8")
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


def junit(
    verdicts: list[dict[str, Any]], baseline: dict[str, list[dict[str, str]]] | None = None
) -> ElementTree.ElementTree[ElementTree.Element]:
    """The verdicts as a JUnit file: one suite a class; what is known counts as skipped."""
    root = ElementTree.Element("testsuites", name="parallama conformance")
    weighed = {
        entry["id"]: (word, f"{word} by the baseline: {entry['reason']}")
        for word, entries in (baseline or {}).items()
        for entry in entries
    }
    for group in dict.fromkeys(line["class"] for line in verdicts):
        lines = [line for line in verdicts if line["class"] == group]
        suite = ElementTree.SubElement(root, "testsuite", name=group, tests=str(len(lines)))
        tags = [_junit_case(suite, line, *weighed.get(line["id"], ("", ""))) for line in lines]
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


def _junit_case(
    suite: ElementTree.Element, line: dict[str, Any], weighed: str, why: str
) -> str | None:
    """Add one verdict; the tag that it got, None when it passed."""
    seconds = f"{line['duration_ms'] / 1e3:.3f}"
    case = ElementTree.SubElement(
        suite, "testcase", classname=line["class"], name=line["id"], time=seconds
    )
    tag = {"known": "skipped", "fixed": "failure"}.get(weighed, JUNIT_TAGS.get(line["verdict"]))
    if tag is None:
        return None
    note = ElementTree.SubElement(case, tag, type=f"{line['level']} {line['verdict']}")
    note.set("message", printable(why or line["reason"] or line["verdict"]))
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

"""`parallama-report DOCUMENT… -o DIR`: one page that opens offline, from documents of the suite
and the bench. Exit status 0: written; 2: a document or the folder could not be used."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from .fields import DocumentError
from .read import read

DESCRIPTION = """\
Make one HTML page, which opens offline, from documents of parallama:
run.jsonl of the conformance suite, summary.json and samples.jsonl of the bench.
They are told apart by content. A summary alone gives the figures; with its
samples the distributions and the memory over time come in. Several documents
become one page with sections.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Write DIR/report.html and say where; exit status 2 with a sentence where that cannot be."""
    parser = argparse.ArgumentParser(
        prog="parallama-report",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("documents", metavar="DOCUMENT", nargs="+", type=Path)
    parser.add_argument(
        "-o", dest="folder", metavar="DIR", type=Path, required=True, help="where report.html goes"
    )
    arguments = parser.parse_args(argv)
    try:
        documents = [read(path) for path in arguments.documents]
    except DocumentError as error:
        return _refuse(str(error))
    from .page import render  # jinja2, which --help can do without

    page = render(documents)
    try:
        written = write(page, arguments.folder)
    except OSError as error:
        return _refuse(f"{arguments.folder}: cannot be written: {error.strerror or error}.")
    print(written)
    return 0


def write(page: str, folder: Path) -> Path:
    """Put report.html into that folder, whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / "report.html"
    partial = folder / f".report.html.{os.getpid()}"
    try:
        partial.write_text(page, encoding="utf-8")
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
    return target


def _refuse(sentence: str) -> int:
    print(f"parallama-report: {sentence}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())

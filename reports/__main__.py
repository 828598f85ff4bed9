"""`parallama-report [--matrix] DOCUMENT… -o DIR`: one page that opens offline, from documents of
the suite and the bench. Exit status 0: written; 2: a document or the folder could not be used."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from .documents import Run
from .fields import DocumentError
from .files import write
from .matrix import Server
from .read import read

DESCRIPTION = """\
Make one HTML page, which opens offline, from documents of parallama:
run.jsonl of the conformance suite and summary.json of the bench, told apart by
content. Several documents become one page with sections, in which a bench names
the conformance of its target; with --matrix, runs stand beside each other.
`parallama-report history` keeps bench runs and shows what became of them.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Write the page and say where; exit status 2 with a sentence where that cannot be."""
    given = sys.argv[1:] if argv is None else list(argv)
    if given[:1] == ["history"]:
        from .keeping import main as keep  # SQLite, which pages can do without

        return keep(given[1:])
    arguments = _parser().parse_args(given)
    try:
        if arguments.matrix:
            servers = [_server(word) for word in arguments.documents]
        else:
            documents = [read(Path(word)) for word in arguments.documents]
    except DocumentError as error:
        return _refuse(str(error))
    from .page import render, render_matrix  # jinja2, which --help can do without

    place = arguments.place
    page = render_matrix(servers) if arguments.matrix else render(documents)
    target = place if arguments.matrix and place.suffix == ".html" else place / "report.html"
    try:
        write(page, target)
    except OSError as error:
        return _refuse(f"{place}: cannot be written: {error.strerror or error}.")
    print(target)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="parallama-report",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("documents", metavar="DOCUMENT", nargs="+")
    parser.add_argument(
        "--matrix",
        action="store_true",
        help="servers by classes, from several run.jsonl; NAME=DOCUMENT names a server",
    )
    parser.add_argument(
        "-o",
        dest="place",
        metavar="DIR",
        type=Path,
        required=True,
        help="where report.html goes; a matrix may name its FILE.html",
    )
    return parser


def _server(word: str) -> Server:
    """A run and the name it goes by: the one given, else its address."""
    name, given, path = word.partition("=")
    document = read(Path(path if given and not Path(word).exists() else word))
    if not isinstance(document, Run):
        raise DocumentError(f"{word}: is no run of the conformance suite.")
    named = given and not Path(word).exists()
    return Server(name if named else document.url.partition("://")[2], document)


def _refuse(sentence: str) -> int:
    print(f"parallama-report: {sentence}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())

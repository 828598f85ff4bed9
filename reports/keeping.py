"""`parallama-report history`: bench runs kept in SQLite, listed, forgotten and drawn."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from . import words
from .fields import DocumentError
from .files import write
from .history import History, Kept, best_rate, first_token, record_of

DESCRIPTION = """\
Keep bench runs in SQLite and see what became of them.

  add SUMMARY...   keep these runs (summary.json); one kept twice is kept once
  list             what there is (without a verb as well)
  remove RUN       forget the run of this number
  page -o DIR      DIR/history.html: figures over runs and versions
"""
HEADINGS = ("run", "begun", "profile", "model", "version", "tokens/s", "TTFT p50, ms", "")


def main(argv: Sequence[str]) -> int:
    """Do what the verb says; exit status 2 with a sentence where that cannot be."""
    chosen = parser().parse_args(argv)
    history = History(chosen.store or default_store())
    try:
        return act(chosen, history)
    except DocumentError as error:
        print(f"parallama-report history: {error}", file=sys.stderr)
        return 2


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(
        prog="parallama-report history",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("verb", nargs="?", default="list", choices=("add", "list", "remove", "page"))
    made.add_argument("words", nargs="*", metavar="SUMMARY|RUN")
    made.add_argument("-o", dest="place", metavar="DIR", type=Path, help="where the page goes")
    made.add_argument(
        "--store", metavar="FILE", type=Path, help="the SQLite file, if not the user's own"
    )
    return made


def default_store() -> Path:
    """Where the user's runs are kept."""
    import platformdirs

    return platformdirs.user_data_path("parallama") / "history.sqlite"


def act(chosen: argparse.Namespace, history: History) -> int:
    """One verb."""
    match chosen.verb:
        case "add":
            for record in [record_of(Path(word)) for word in given(chosen.words, "a summary.json")]:
                print("kept" if history.add(record) else "kept already", record["started_at"])
        case "remove":
            for number in map(numbered, given(chosen.words, "the number of a run")):
                if not history.remove(number):
                    raise DocumentError(f"there is no run {number}; `list` shows those there are.")
        case "page":
            if chosen.place is None:
                raise DocumentError("say where the page goes, with -o DIR.")
            draw(history.runs(), chosen.place / "history.html")
        case _:
            show(history.runs())
    return 0


def given(found: Sequence[str], what: str) -> Sequence[str]:
    """The words after a verb, of which there must be some."""
    if not found:
        raise DocumentError(f"name {what}.")
    return found


def numbered(word: str) -> int:
    """The number of a run."""
    if not (word.isascii() and word.isdigit()):
        raise DocumentError(f"{word!r} is no number of a run.")
    return int(word)


def draw(runs: list[Kept], target: Path) -> None:
    """Write the page and say where."""
    from .page import render_history

    try:
        write(render_history(runs), target)
    except OSError as error:
        raise DocumentError(f"{target}: cannot be written: {error.strerror or error}.") from error
    print(target)


def show(runs: list[Kept]) -> None:
    """The runs as a table, the latest last."""
    if not runs:
        print("no runs are kept; `parallama-report history add SUMMARY` keeps one")
        return
    rows = [HEADINGS, *(row for kept in runs for row in rows_of(kept))]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    for row in rows:
        cells = zip(row, widths, strict=True)
        print("  ".join(words.visible(cell).ljust(width) for cell, width in cells).rstrip())


def rows_of(kept: Kept) -> list[tuple[str, ...]]:
    """A line for each arm of a run."""
    made: list[tuple[str, ...]] = []
    for index, arm in enumerate(kept.summary.arms):
        points = [point for point in kept.summary.points if point.arm == index]
        made.append(
            (
                str(kept.number),
                kept.moment,
                words.inline(kept.summary.profile.get("name", "?")),
                words.inline(arm.target.get("model", "?")),
                words.inline(arm.target.get("version") or "not said"),
                words.figure(best_rate(points)),
                words.figure(first_token(points)),
                "" if kept.summary.valid else "invalid",
            )
        )
    return made

"""The parameter support matrix on the terminal."""

from __future__ import annotations

from typing import Any

from rich.table import Table
from rich.text import Text

from .parameters import Support

STYLES = {
    Support.EFFECTIVE: "green",
    Support.IGNORED: "bold red",
    Support.REFUSED: "bold red",
    Support.UNKNOWN: "dim",
}


def parameter_table(matrix: list[dict[str, Any]]) -> Table:
    """What becomes of each option, and the checks that say it is not done well."""
    made = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("option", "support", "failed beside"):
        made.add_column(title)
    for row in matrix:
        word = Support(row["support"])
        made.add_row(row["option"], Text(word, STYLES[word]), Text(", ".join(row["failed"])))
    return made

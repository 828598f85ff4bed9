"""`docs/models.md` says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from ..architectures import ARCHITECTURES, REFUSED
from ..gguf_blocks import SUPPORTED_TYPES

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "models.md"


def rows(heading: str) -> list[list[str]]:
    """The cells of the table under a heading, without its head."""
    section = DOCUMENT.read_text(encoding="utf-8").split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def code(cell: str) -> list[str]:
    """What a cell has as code."""
    return re.findall(r"`([^`]+)`", cell)


def test_the_table_of_architectures_is_the_codes() -> None:
    """In its order, and with experts where the name alone does not say so."""
    written = [(code(one)[0], other.replace("`", "")) for one, other, _ in rows("Architectures")]
    shared = {one.gguf for one in ARCHITECTURES if not one.mixture}
    assert written == [
        (
            one.model_type,
            f"{one.gguf} with experts" if one.mixture and one.gguf in shared else one.gguf,
        )
        for one in ARCHITECTURES
    ]


def test_the_refused_are_the_codes() -> None:
    """Each with its reason."""
    written = {name: reason for reason, names in rows("Refused") for name in code(names)}
    assert written == dict(REFUSED)


def test_the_types_of_weights_are_the_codes() -> None:
    """All of them, in its order."""
    assert f"version 2 and 3: {', '.join(SUPPORTED_TYPES)}, in any mixture" in DOCUMENT.read_text()

"""Files that are written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path


def write(page: str, target: Path) -> None:
    """Put the page there, whole or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.parent / f".{target.name}.{os.getpid()}"
    try:
        partial.write_text(page, encoding="utf-8")
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)

"""What a run was asked to do, read once; only this file sees the environment."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .address import Address, parse_address
from .baseline import Baseline


@dataclass(frozen=True, slots=True)
class Settings:
    """A run, as its user asked for it."""

    address: Address
    model: str | None = None
    classes: tuple[str, ...] = ()
    claims: tuple[str, ...] = ()
    level: str | None = None
    strict: bool = False
    expression: str | None = None
    out: Path | None = None
    registry_host: str | None = None
    registry_bind: str | None = None
    baseline: Baseline | None = None
    reference: str | None = None  # a URL, or the file of a recording
    record: bool = False  # tell listeners what was said
    fuzz: int = 0  # made-up requests of each family; 0: a few
    fuzz_seed: int = 0
    keep: bool = False  # leave on the target what the run creates

    @property
    def selection(self) -> dict[str, Any]:
        """Itself as the header of run.jsonl has it."""
        return {
            "classes": list(self.classes),
            "claims": list(self.claims),
            "expression": self.expression,
            "level": self.level.upper() if self.level else None,
            "strict": self.strict,
            "fuzz": self.fuzz,
            "fuzz_seed": self.fuzz_seed,
        }


def target_address(url: str | None) -> Address:
    """The URL, else OLLAMA_HOST, else port 11434 of this machine. Raises ValueError."""
    return parse_address(url or os.environ.get("OLLAMA_HOST"))


def keep_to_ourselves() -> None:
    """Shield our pytest from what is meant for the user's own, and the user's folder from us."""
    os.environ.pop("PYTEST_ADDOPTS", None)
    os.environ.pop("PYTEST_PLUGINS", None)
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    store = os.path.join(tempfile.gettempdir(), "parallama-hypothesis")
    os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", store)

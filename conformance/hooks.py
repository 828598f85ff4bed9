"""The hooks of a run: what listens to it (terminal, documents) is a pytest plugin with these."""

from __future__ import annotations

from typing import Any

import pytest

from .setup import Setup


@pytest.hookspec()
def pytest_parallama_started(setup: Setup, header: dict[str, Any], total: int) -> None:
    """The target is calibrated and the models are there; `total` checks follow."""


@pytest.hookspec()
def pytest_parallama_verdict(verdict: dict[str, Any]) -> None:
    """A verdict, as run.jsonl has it."""


@pytest.hookspec()
def pytest_parallama_exchanges(verdict: dict[str, Any], exchanges: list[dict[str, Any]]) -> None:
    """What was said for a verdict, normalised; only where a run is recorded."""


@pytest.hookspec()
def pytest_parallama_finished(footer: dict[str, Any]) -> None:
    """The end, in any case: also after Ctrl-C."""
